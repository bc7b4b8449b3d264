"""The package's names, the choice of an implementation, and errors."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import caio
from caio.errors import OperationError

NAMES = {"uring": "linux_uring", "linux": "linux_aio", "thread": "thread_aio", "python": "python_aio"}


def python(code, **env):
    """What a fresh interpreter prints."""
    environment = {key: value for key, value in os.environ.items() if key != "CAIO_IMPL"} | env
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60, check=True
    )


def test_names():
    for name in caio.__all__:
        assert hasattr(caio, name)
    assert caio.preferred in caio.variants and caio.preferred_asyncio in caio.variants_asyncio
    assert len(caio.variants) == len(caio.variants_asyncio)
    assert caio.__version__.startswith("0.12.")
    for module in filter(None, (caio.linux_uring, caio.linux_uring_asyncio)):
        assert module.SQPOLL_ALLOWED is False
    for word, module in {"uring": caio.linux_uring, "linux": caio.linux_aio, "thread": caio.thread_aio}.items():
        assert module is None or word in module.Context.__doc__ and word in module.Operation.__doc__
    assert "python" in caio.python_aio.Context.__doc__


@pytest.mark.parametrize("name", NAMES)
def test_the_environment_chooses(name):
    if getattr(caio, NAMES[name]) is None:
        pytest.skip("it cannot be used here")
    assert python("import caio; print(caio.preferred.__name__)", CAIO_IMPL=name).stdout.strip() == f"caio.{NAMES[name]}"


def test_an_unknown_choice_is_a_warning():
    done = python("import caio; print(caio.preferred is caio.variants[0])", CAIO_IMPL="unknown")
    assert done.stdout.strip() == "True"
    assert "RuntimeWarning: CAIO_IMPL contains unsupported value 'unknown'" in done.stderr


def test_the_file_chooses():
    path = Path(caio.__file__).parent / "default_implementation"
    try:
        path.write_text("# comment\n\nnonsense\npython\nthread\n")
        assert python("import caio; print(caio.preferred.__name__)").stdout.strip() == "caio.python_aio"
        assert python("import caio; print(caio.preferred.__name__)", CAIO_IMPL="thread").stdout.strip() == "caio.thread_aio"
    finally:
        path.unlink()


def test_without_the_extension_plain_python_works(tmp_path):
    code = f"""
import sys
sys.modules["caio._caio"] = None
import asyncio, caio, os
assert caio.variants == (caio.python_aio,), caio.variants
async def main():
    async with caio.AsyncioContext() as ctx:
        fd = os.open({str(tmp_path / "file")!r}, os.O_RDWR | os.O_CREAT)
        assert await ctx.write(b"plain", fd, 0) == 5
        assert await ctx.read(10, fd, 0) == b"plain"
        await ctx.fsync(fd)
        await ctx.fdsync(fd)
asyncio.run(main())
print("done")
"""
    assert python(code).stdout.strip() == "done"


def test_the_doctor():
    done = subprocess.run([sys.executable, "-m", "caio"], capture_output=True, text=True, timeout=60, check=True)
    assert "used: caio." in done.stdout and "thread: works" in done.stdout


def test_errors():
    error = OperationError(13, "Permission denied")
    assert isinstance(error, PermissionError) and isinstance(error, OperationError)
    for kind in (OSError, SystemError, ValueError):
        assert isinstance(error, kind)
    assert (error.errno, error.strerror) == (13, "Permission denied")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error) and copy.args == error.args
    assert type(OperationError(5, "Input/output error")) is OperationError


def test_the_wheel_holds_the_package_alone():
    from importlib.metadata import files, requires

    names = [str(file) for file in files("caio")]
    assert not [name for name in names if name.startswith(("tests", "examples")) or name.endswith((".c", ".rs"))]
    assert "caio/py.typed" in names
    assert not requires("caio")
