"""The low-level contexts and operations."""

import errno
import gc
import os
import select
import signal
import sys
import threading
import time
import weakref

import pytest

import caio

POLLING = [module for module in (caio.linux_uring, caio.linux_aio) if module is not None]
C_LIKE = POLLING + [module for module in (caio.thread_aio,) if module is not None]


@pytest.fixture(params=POLLING, ids=lambda module: module.__name__)
def polling(request):
    return request.param


@pytest.fixture(params=C_LIKE, ids=lambda module: module.__name__)
def backend(request):
    return request.param


def finish(ctx, results, count, timeout=10):
    """Waits for so many results."""
    end = time.monotonic() + timeout
    while len(results) < count:
        assert time.monotonic() < end, f"{len(results)} of {count} results"
        if hasattr(ctx, "process_events"):
            ctx.process_events(min_requests=1, timeout=1)
        else:
            time.sleep(0.001)


def test_results(backend, fd):
    ctx = backend.Context(max_requests=8)
    results = []
    operations = [
        backend.Operation.read(4, fd, 0),
        backend.Operation.write(b"abcd", fd, 100),
        backend.Operation.fsync(fd),
        backend.Operation.fdsync(fd),
    ]
    for operation in operations:
        operation.set_callback(results.append)
    assert ctx.submit(*operations) == 4
    finish(ctx, results, 4)
    assert sorted(results) == [0, 0, 4, 4]
    assert [operation.get_value() for operation in operations] == [bytes(range(4)), 4, None, None]
    assert ctx.submit(*operations) == 0
    assert (operations[0].fileno, operations[0].offset, operations[0].nbytes) == (fd, 0, 4)


def test_failures(backend, fd):
    ctx = backend.Context()
    closed = os.dup(fd)
    os.close(closed)
    operation = backend.Operation.read(4, closed, 0)
    results = []
    operation.set_callback(results.append)
    if backend is caio.linux_aio:
        with pytest.raises(ValueError):
            ctx.submit(operation)
        return
    ctx.submit(operation)
    finish(ctx, results, 1)
    assert results == [-1 if backend is caio.thread_aio else -errno.EBADF]
    assert operation.error == errno.EBADF and operation.result < 0
    for kind in (OSError, SystemError, ValueError):
        with pytest.raises(kind):
            operation.get_value()


def test_arguments(backend, fd):
    ctx = backend.Context()
    for call in [
        lambda: backend.Operation.read("4", fd, 0),
        lambda: backend.Operation.read(4, None, 0),
        lambda: backend.Operation.fsync(),
        lambda: backend.Operation(),
        lambda: ctx.submit(object()),
        lambda: ctx.submit(caio.python_aio.Operation.fsync(fd)),
        lambda: backend.Context(unknown=1),
    ]:
        with pytest.raises(TypeError):
            call()
    for call in [
        lambda: backend.Operation.write("text", fd, 0),
        lambda: backend.Operation.write(bytearray(b"x"), fd, 0),
        lambda: backend.Operation.fsync(fd).set_callback(1),
        lambda: backend.Context(-1),
    ]:
        with pytest.raises(ValueError):
            call()
    for call in [
        lambda: backend.Operation.read(4, 2**32 + 7, 0),
        lambda: backend.Operation.read(2**64, fd, 0),
        lambda: backend.Operation.read(4, fd, 2**63),
    ]:
        with pytest.raises(OverflowError):
            call()
    assert backend.Context(70000).max_requests == 70000
    for other in C_LIKE:
        if other is not backend:
            with pytest.raises(TypeError):
                ctx.submit(other.Operation.fsync(fd))


def test_a_completion_is_never_lost(polling, fd):
    ctx = polling.Context(max_requests=64)
    results = []
    for number in range(2000):
        operation = polling.Operation.read(16, fd, number)
        operation.set_callback(results.append)
        while True:
            try:
                if ctx.submit(operation) == 1:
                    break
            except OverflowError:
                pass
            ctx.process_events(min_requests=1, timeout=5)
    finish(ctx, results, 2000)
    assert results == [16] * 2000


def test_the_descriptor_tells_of_completions(polling, fd):
    ctx = polling.Context()
    with pytest.raises(BlockingIOError):
        ctx.poll()
    poller = select.poll()
    poller.register(ctx.fileno, select.POLLIN)
    for _ in range(50):
        results = []
        operation = polling.Operation.write(b"x", fd, 0)
        operation.set_callback(results.append)
        ctx.submit(operation)
        while not results:
            assert poller.poll(5000)
            try:
                ctx.poll()
            except BlockingIOError:
                pass
            ctx.process_events()


def test_what_is_left_signals_again(polling, fd):
    ctx = polling.Context()
    results = []
    for number in range(5):
        operation = polling.Operation.write(b"x", fd, number)
        operation.set_callback(results.append)
        ctx.submit(operation)
    poller = select.poll()
    poller.register(ctx.fileno, select.POLLIN)
    while len(results) < 5:
        assert poller.poll(5000)
        try:
            ctx.poll()
        except BlockingIOError:
            pass
        assert ctx.process_events(max_requests=1) <= 1


def test_process_events_checks_its_arguments(polling):
    ctx = polling.Context()
    with pytest.raises(ValueError):
        ctx.process_events(1, 2)
    with pytest.raises(OverflowError):
        ctx.process_events(2**32)
    begin = time.monotonic()
    assert ctx.process_events(1, 1, 0.05) == 0
    assert 0.04 < time.monotonic() - begin < 5


def test_process_events_is_interrupted_by_signals(polling):
    ctx = polling.Context()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(0.2, os.kill, [os.getpid(), signal.SIGINT])
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            ctx.process_events(1, 1, -1)
    finally:
        timer.join()
        signal.signal(signal.SIGINT, before)


def test_signal_handlers_run_while_it_waits(polling):
    ctx = polling.Context()
    seen = []
    before = signal.signal(signal.SIGALRM, lambda *_: seen.append(time.monotonic()))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        ctx.process_events(1, 1, 0.5)
        end = time.monotonic()
    finally:
        signal.signal(signal.SIGALRM, before)
    assert seen and end - seen[0] > 0.2


def test_cancel(polling):
    read_end, write_end = os.pipe()
    ctx = polling.Context()
    operation = polling.Operation.read(10, read_end, 2**64 - 1)
    results = []
    operation.set_callback(results.append)
    ctx.submit(operation)
    ctx.cancel(operation)
    finish(ctx, results, 1)
    assert results == [-errno.ECANCELED]
    os.close(read_end)
    os.close(write_end)


def test_callbacks_may_use_the_context(polling, fd):
    ctx = polling.Context(max_requests=1)
    seen = []

    def again(result):
        seen.append(result)
        assert ctx.process_events() == 0
        if len(seen) < 10:
            operation = polling.Operation.read(4, fd, 0)
            operation.set_callback(again)
            assert ctx.submit(operation) == 1

    operation = polling.Operation.read(4, fd, 0)
    operation.set_callback(again)
    ctx.submit(operation)
    finish(ctx, seen, 10)


def test_a_raising_callback_is_reported(backend, fd, monkeypatch):
    reported, results = [], []
    monkeypatch.setattr(sys, "unraisablehook", lambda report: reported.append(report.exc_type))
    ctx = backend.Context()

    def fail(_):
        raise ZeroDivisionError

    first, second = backend.Operation.fsync(fd), backend.Operation.fsync(fd)
    first.set_callback(fail)
    second.set_callback(results.append)
    ctx.submit(first, second)
    finish(ctx, results, 1)
    deadline = time.monotonic() + 5
    while not reported and time.monotonic() < deadline:
        time.sleep(0.001)
    assert reported == [ZeroDivisionError]


def test_contexts_and_operations_are_collected(backend, fd):
    ctx, operation = backend.Context(), backend.Operation.read(4, fd, 0)
    references = weakref.ref(ctx), weakref.ref(operation)
    ctx.submit(operation)
    del ctx, operation
    gc.collect()
    deadline = time.monotonic() + 5
    while any(reference() for reference in references) and time.monotonic() < deadline:
        gc.collect()
        time.sleep(0.01)
    assert not any(reference() for reference in references)


def test_thread_callbacks_do_not_wait_for_one_another(fd):
    thread_aio = pytest.importorskip("caio.thread_aio")
    ctx = thread_aio.Context(pool_size=4)
    barrier = threading.Barrier(4, timeout=10)
    results = []
    for _ in range(4):
        operation = thread_aio.Operation.read(4, fd, 0)
        operation.set_callback(lambda result: (barrier.wait(), results.append(result)))
        ctx.submit(operation)
    finish(ctx, results, 4)
    ctx.close()
    with pytest.raises(RuntimeError):
        ctx.submit(thread_aio.Operation.fsync(fd))


def test_thread_close_waits_for_callbacks(fd):
    thread_aio = pytest.importorskip("caio.thread_aio")
    ctx = thread_aio.Context()
    results = []
    for _ in range(100):
        operation = thread_aio.Operation.fsync(fd)
        operation.set_callback(results.append)
        ctx.submit(operation)
    ctx.close()
    assert len(results) == 100
