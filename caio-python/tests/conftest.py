"""What the tests share. The package under test is the installed one."""

import asyncio
import os

import pytest

import caio

ASYNCIO = {
    name: module
    for name, module in {
        "uring": caio.linux_uring_asyncio,
        "aio": caio.linux_aio_asyncio,
        "thread": caio.thread_aio_asyncio,
        "python": caio.python_aio_asyncio,
    }.items()
    if module is not None
}


@pytest.fixture(params=ASYNCIO)
def make_context(request):
    """The class of each backend's asyncio context."""
    return ASYNCIO[request.param].AsyncioContext


@pytest.fixture
def fd(tmp_path):
    """A file of 1 MiB."""
    number = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    os.pwrite(number, bytes(range(256)) * 4096, 0)
    yield number
    os.close(number)


@pytest.fixture
def run():
    """Runs a coroutine in a loop of its own, no longer than 30 seconds. Errors that nobody took fail the test."""

    def run(main, loop_factory=asyncio.new_event_loop):
        loop = loop_factory()
        complaints = []
        loop.set_exception_handler(lambda _loop, context: complaints.append(context))
        try:
            return loop.run_until_complete(asyncio.wait_for(main, 30))
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()
            assert complaints == []

    return run


@pytest.fixture
def full_pipe():
    """A pipe that takes no more."""
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    try:
        while True:
            os.write(write_end, bytes(4096))
    except BlockingIOError:
        pass
    os.set_blocking(write_end, True)
    yield read_end, write_end
    os.close(read_end)
    os.close(write_end)
