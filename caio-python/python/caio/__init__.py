"""Asynchronous file I/O for asyncio, over io_uring, Linux kernel AIO or threads."""

from __future__ import annotations

import os
import warnings
from importlib import import_module
from importlib.metadata import Distribution
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from . import python_aio, python_aio_asyncio
from .abstract import AbstractContext, AbstractOperation
from .errors import OperationError

__version__ = Distribution.from_name("caio").version
__author__ = "The caio developers"


def _usable(name: str) -> Any:
    """A module of the package, or None where its backend cannot be used here."""
    try:
        return import_module(f".{name}", __name__)
    except ImportError:
        return None


linux_uring = _usable("linux_uring")
linux_uring_asyncio = linux_uring and _usable("linux_uring_asyncio")
linux_aio = _usable("linux_aio")
linux_aio_asyncio = linux_aio and _usable("linux_aio_asyncio")
thread_aio = _usable("thread_aio")
thread_aio_asyncio = thread_aio and _usable("thread_aio_asyncio")

_IMPLEMENTATIONS: dict[str, tuple[Any, Any]] = {
    name: modules
    for name, modules in {
        "uring": (linux_uring, linux_uring_asyncio),
        "linux": (linux_aio, linux_aio_asyncio),
        "thread": (thread_aio, thread_aio_asyncio),
        "python": (python_aio, python_aio_asyncio),
    }.items()
    if all(modules)
}

variants: tuple[ModuleType, ...] = tuple(low for low, _ in _IMPLEMENTATIONS.values())
variants_asyncio: tuple[ModuleType, ...] = tuple(high for _, high in _IMPLEMENTATIONS.values())


def _named_in_a_file() -> str | None:
    """The first known name in a file `default_implementation`: beside this one, or the system's."""
    for folder in (Path(__file__).resolve().parent, Path("/etc/caio")):
        try:
            lines = (folder / "default_implementation").read_text().splitlines()
        except (OSError, UnicodeDecodeError):
            continue
        for line in map(str.strip, lines):
            if line in _IMPLEMENTATIONS:
                return line
    return None


def _choose() -> tuple[Any, Any]:
    """The modules of the implementation that was asked for, else of the first that works."""
    default = next(iter(_IMPLEMENTATIONS.values()))
    asked = os.environ.get("CAIO_IMPL")
    if not asked:
        return _IMPLEMENTATIONS.get(_named_in_a_file() or "", default)
    if asked not in _IMPLEMENTATIONS:
        warnings.warn(
            f"CAIO_IMPL contains unsupported value {asked!r}. Use one of {tuple(_IMPLEMENTATIONS)!r}",
            RuntimeWarning,
            stacklevel=3,
        )
    return _IMPLEMENTATIONS.get(asked, default)


preferred, preferred_asyncio = _choose()

Context = preferred.Context
Operation = preferred.Operation
if TYPE_CHECKING:
    from .linux_uring_asyncio import AsyncioContext
else:
    AsyncioContext = preferred_asyncio.AsyncioContext

__all__ = (
    "AbstractContext",
    "AbstractOperation",
    "AsyncioContext",
    "Context",
    "Operation",
    "OperationError",
    "__author__",
    "__version__",
    "linux_aio",
    "linux_aio_asyncio",
    "linux_uring",
    "linux_uring_asyncio",
    "python_aio",
    "python_aio_asyncio",
    "thread_aio",
    "thread_aio_asyncio",
    "variants",
    "variants_asyncio",
)
