"""`python -m caio`: tells which backends work here, which is used, and what to do about the others."""

from __future__ import annotations

import platform
import sys

import caio


def main() -> int:
    """Print it."""
    print(f"caio {caio.__version__}, Python {platform.python_version()}, {platform.system()} {platform.release()}")
    print(f"used: {caio.preferred_asyncio.__name__}")
    try:
        from caio import _caio
    except ImportError as error:
        print(f"the extension module is missing ({error}): python_aio_asyncio runs in plain Python")
        return 0
    for name, refusal in _caio.probe():
        print(f"{name}: {'works' if refusal is None else refusal}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
