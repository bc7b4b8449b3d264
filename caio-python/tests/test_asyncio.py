"""The asyncio context of each backend."""

import asyncio
import collections.abc
import contextvars
import gc
import inspect
import mmap
import os
import threading
import warnings
import weakref

import pytest

import caio


def test_quick_start(make_context, run, tmp_path):
    async def main():
        ctx = make_context(max_requests=128)
        fd = os.open(tmp_path / "test.file", os.O_RDWR | os.O_CREAT)
        await ctx.write(b"Hello world", fd, offset=0)
        assert (await ctx.read(32, fd, offset=0)).decode() == "Hello world"
        await ctx.fdsync(fd)
        await asyncio.gather(ctx.write(b"Hello from ", fd, offset=0), ctx.write(b"async world", fd, offset=11))
        assert (await ctx.read(32, fd, offset=0)).decode() == "Hello from async world"
        os.close(fd)

    run(main())


def test_results(make_context, run, fd):
    async def main():
        async with make_context() as ctx:
            assert await ctx.write(b"abc", fd, 0) == 3
            assert await ctx.read(3, fd, 0) == b"abc"
            assert await ctx.read(10, fd, 2**20) == b""
            assert await ctx.read(0, fd, 0) == b""
            assert await ctx.write(b"", fd, 0) == 0
            assert await ctx.fsync(fd) is None
            assert await ctx.fdsync(fd) is None
            assert len(await ctx.read(2**21, fd, 0)) <= 2**20

    run(main())


def test_it_is_a_coroutine(make_context, run, fd):
    async def main():
        ctx = make_context()
        read = ctx.read(4, fd, 0)
        assert asyncio.iscoroutine(read) and inspect.isawaitable(read)
        assert isinstance(read, collections.abc.Coroutine)
        assert await asyncio.create_task(read) == bytes(range(4))
        assert await asyncio.wait_for(ctx.read(4, fd, 0), 5) == bytes(range(4))
        assert await asyncio.ensure_future(ctx.read(4, fd, 0)) == bytes(range(4))
        task = asyncio.create_task(ctx.read(4, fd, 0))
        assert "read" in repr(task)
        await task
        with pytest.raises(RuntimeError):
            await read
        ctx.close()

    run(main())


def test_nothing_happens_before_it_is_awaited(make_context, run, fd):
    async def main():
        ctx = make_context()
        write = ctx.write(b"late", fd, 0)
        await asyncio.sleep(0.05)
        assert os.pread(fd, 4, 0) == bytes(range(4))
        with pytest.warns(RuntimeWarning, match="never awaited"):
            del write
        unused = ctx.write(b"late", fd, 0)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            unused.close()
            del unused

    run(main())


def test_throw_is_raised_at_the_await(make_context, run, fd):
    async def main():
        ctx = make_context()
        for thrown in [(ValueError("x"),), (ValueError,), (ValueError, "x", None), (ValueError, ValueError("x"))]:
            with pytest.raises(ValueError):
                ctx.read(4, fd, 0).throw(*thrown)
        read = ctx.read(4, fd, 0)
        with pytest.raises(TypeError):
            read.send(1)
        read.close()

    run(main())


@pytest.mark.parametrize("make", [bytearray, memoryview, lambda data: mmap.mmap(-1, len(data))], ids=str)
def test_any_buffer_is_written(make_context, run, fd, make):
    async def main():
        ctx = make_context()
        payload = make(b"0123456789")
        if isinstance(payload, mmap.mmap):
            payload[:] = b"0123456789"
        assert await ctx.write(payload, fd, 5) == 10
        assert os.pread(fd, 10, 5) == b"0123456789"
        assert await ctx.writev([b"ab", payload, b""], fd, 0) == 12
        assert os.pread(fd, 12, 0) == b"ab0123456789"

    run(main())


def test_reads_into_buffers(make_context, run, fd):
    async def main():
        ctx = make_context()
        room = bytearray(300)
        assert await ctx.readinto(room, fd, 0) == 300
        assert room == bytes(range(256)) + bytes(range(44))
        first, second = bytearray(2), bytearray(3)
        assert await ctx.readv([first, second], fd, 1) == 5
        assert (first, second) == (b"\1\2", b"\3\4\5")
        assert await ctx.readinto(memoryview(room)[10:20], fd, 0) == 10
        assert room[8:12] == b"\x08\x09\x00\x01"
        room.append(1)  # it is no longer lent
        with pytest.raises(ValueError):
            ctx.readinto(b"constant", fd, 0)
        with pytest.raises(ValueError):
            ctx.write("text", fd, 0)
        with pytest.raises(ValueError):
            ctx.write(memoryview(b"abcdef")[::2], fd, 0)

    run(main())


def test_numbers_are_checked(make_context, run, fd):
    async def main():
        ctx = make_context()
        for arguments in [(4, 2**32 + fd, 0), (4, fd, 2**63), (4, fd, -2), (-1, fd, 0), (2**64, fd, 0), (4, fd, 2**70)]:
            with pytest.raises(OverflowError):
                await ctx.read(*arguments)
        with pytest.raises((OverflowError, MemoryError)):
            await ctx.read(2**62, fd, 0)
        for arguments in [("4", fd, 0), (4, "fd", 0), (4, fd, 0.5), (4, fd, None)]:
            with pytest.raises(TypeError):
                await ctx.read(*arguments)
        with pytest.raises(OSError):
            await ctx.read(4, -1, 0)
        for priority in [8, -1, 4 << 13, 1 << 13 | 8]:
            with pytest.raises(ValueError):
                await ctx.read(4, fd, 0, priority)
        with pytest.raises(ValueError):
            await ctx.read(4, fd, 0, timeout=-1)

    run(main())


def test_bounds_are_checked(make_context, run):
    async def main():
        with pytest.raises((ValueError, OSError)):
            make_context(max_requests=-1)
        with pytest.raises(TypeError):
            make_context(unknown=1)
        assert make_context(max_requests=70000).max_requests == 70000
        assert make_context(0).max_requests == 512
        assert make_context.MAX_REQUESTS_DEFAULT == 512

    run(main())


def test_long_reads_are_not_truncated(make_context, run, tmp_path):
    async def main():
        ctx = make_context()
        fd = os.open(tmp_path / "long", os.O_RDWR | os.O_CREAT)
        os.pwrite(fd, b"0123456789", 0)
        for nbytes in [2**31 + 5, 2**32 + 5]:
            assert await ctx.read(nbytes, fd, 0) == b"0123456789"
        os.close(fd)

    run(main())


def test_errors_are_of_every_kind_that_programs_catch(make_context, run, tmp_path):
    async def main():
        ctx = make_context()
        fd = os.open(tmp_path / "file", os.O_RDONLY | os.O_CREAT)
        with pytest.raises(caio.OperationError) as info:
            await ctx.write(b"x", fd, 0)
        error = info.value
        assert error.errno == 9 and error.strerror == os.strerror(9)
        assert isinstance(error, OSError) and isinstance(error, SystemError) and isinstance(error, ValueError)
        os.close(fd)
        directory = os.open(tmp_path, os.O_RDONLY)
        with pytest.raises(IsADirectoryError):
            await ctx.read(10, directory, 0)
        with pytest.raises(caio.OperationError):
            await ctx.read(10, directory, 0)
        os.close(directory)

    run(main())


def test_pipes(make_context, run):
    async def main():
        ctx = make_context()
        read_end, write_end = os.pipe()
        read = asyncio.create_task(ctx.read(10, read_end, -1))
        await asyncio.sleep(0.05)
        assert await ctx.write(b"through", write_end, 2**64 - 1) == 7
        assert await read == b"through"
        with pytest.raises(OSError) as info:
            await ctx.read(10, read_end, 0)
        assert info.value.errno == 29
        os.close(read_end)
        os.close(write_end)

    run(main())


def test_timeout(make_context, run):
    async def main():
        ctx = make_context()
        read_end, write_end = os.pipe()
        with pytest.raises(TimeoutError):
            await ctx.read(10, read_end, -1, timeout=0.05)
        os.write(write_end, b"later")
        assert await ctx.read(10, read_end, -1, timeout=5) == b"later"
        os.close(read_end)
        os.close(write_end)

    run(main())


def test_cancelled_tasks_end_at_once(make_context, run, full_pipe):
    async def main():
        ctx = make_context()
        read_end, write_end = os.pipe()
        tasks = [asyncio.create_task(ctx.read(10, read_end, -1)) for _ in range(5)]
        tasks += [asyncio.create_task(ctx.write(b"x" * 100, full_pipe[1], -1)) for _ in range(5)]
        await asyncio.sleep(0.05)
        for task in tasks:
            task.cancel()
        begin = asyncio.get_running_loop().time()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(result, asyncio.CancelledError) for result in results)
        assert asyncio.get_running_loop().time() - begin < 1
        os.write(write_end, b"after")
        assert await ctx.read(10, read_end, -1) == b"after"
        os.close(read_end)
        os.close(write_end)

    run(main())


def test_close_ends_what_waits(make_context, run, full_pipe):
    async def main():
        ctx = make_context()
        read_end, write_end = os.pipe()
        tasks = [
            asyncio.create_task(ctx.read(10, read_end, -1)),
            asyncio.create_task(ctx.write(b"x" * 100, full_pipe[1], -1)),
        ]
        unstarted = ctx.read(10, read_end, -1)
        await asyncio.sleep(0.05)
        ctx.close()
        ctx.close()
        assert ctx.closed
        for result in await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5):
            assert isinstance(result, RuntimeError), result
        with pytest.raises(RuntimeError):
            await unstarted
        with pytest.raises(RuntimeError):
            await ctx.read(10, read_end, -1)
        os.close(read_end)
        os.close(write_end)

    run(main())


def test_writes_survive_a_close(make_context, run, fd):
    async def main():
        ctx = make_context()
        writes = [asyncio.create_task(ctx.write(b"w" * 65536, fd, 65536 * number)) for number in range(16)]
        await asyncio.sleep(0)
        ctx.close()
        written = await asyncio.gather(*writes)
        assert written == [65536] * 16
        assert os.pread(fd, 2**20, 0) == b"w" * 2**20

    run(main())


def test_more_operations_than_requests(make_context, run, fd):
    async def main():
        ctx = make_context(max_requests=2)
        await asyncio.gather(*[ctx.write(bytes([number]) * 4096, fd, number * 4096) for number in range(100)])
        reads = await asyncio.gather(*[ctx.read(4096, fd, number * 4096) for number in range(100)])
        assert reads == [bytes([number]) * 4096 for number in range(100)]

    run(main())


def test_one_context_in_many_loops(make_context, run, fd, tmp_path):
    contexts = []

    async def use():
        if not contexts:
            contexts.append(make_context())
        read_end, write_end = os.pipe()
        read = asyncio.create_task(contexts[0].read(3, read_end, -1))
        await asyncio.sleep(0.01)
        os.write(write_end, b"abc")
        assert await read == b"abc"
        assert await contexts[0].read(4, fd, 0) == bytes(range(4))
        os.close(read_end)
        os.close(write_end)

    for _ in range(3):
        run(use())
    errors = []

    def in_a_thread():
        try:
            asyncio.run(use())
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=in_a_thread) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert errors == []


def test_uvloop(make_context, run, fd):
    uvloop = pytest.importorskip("uvloop")

    async def main():
        async with make_context() as ctx:
            read_end, write_end = os.pipe()
            read = asyncio.create_task(ctx.read(3, read_end, -1))
            await asyncio.sleep(0.01)
            assert await ctx.write(b"abc", write_end, -1) == 3
            assert await read == b"abc"
            await asyncio.gather(*[ctx.write(b"x" * 4096, fd, 4096 * number) for number in range(64)])
            await ctx.fsync(fd)
            os.close(read_end)
            os.close(write_end)

    run(main(), uvloop.new_event_loop)


def test_context_variables(make_context, run, fd):
    variable = contextvars.ContextVar("variable")

    async def main():
        ctx = make_context()
        variable.set(1)
        await ctx.fsync(fd)
        assert variable.get() == 1

    run(main())


def test_attributes(make_context, run, fd):
    async def main():
        ctx = make_context(max_requests=8, deferred=True)
        assert ctx.loop is asyncio.get_running_loop()
        assert ctx.deferred is True
        assert ctx.backend in ("uring", "aio", "thread", "python")
        assert isinstance(ctx.rejected, tuple)
        await ctx.read(4, fd, 0)
        assert ctx.stats()["completed"] >= 1 and ctx.stats()["bytes_read"] >= 4
        assert isinstance(ctx.semaphore, asyncio.BoundedSemaphore)
        assert isinstance(ctx.context, ctx.CONTEXT_CLASS)
        assert ctx.context is ctx.context
        assert isinstance(ctx, caio.asyncio_base.AsyncioContextBase)
        assert weakref.ref(ctx)() is ctx
        ctx.anything = 1

    run(main())


def test_submit_takes_operation_objects(make_context, run, fd):
    async def main():
        ctx = make_context()
        operation = ctx.OPERATION_CLASS.write(b"operation", fd, 0)
        assert await ctx.submit(operation) == 9
        assert operation.get_value() == 9
        with pytest.raises(OSError):
            await ctx.submit(operation)
        assert await ctx.submit(ctx.OPERATION_CLASS.read(9, fd, 0)) == b"operation"
        assert await ctx.submit(ctx.OPERATION_CLASS.fsync(fd)) is None
        with pytest.raises(ValueError):
            await ctx.submit(object())

    run(main())


def test_subclasses(make_context, run, fd):
    class Counting(make_context):
        def __init__(self, name, **kwargs):
            super().__init__(max_requests=4, **kwargs)
            self.name, self.count = name, 0

        async def read(self, *args):
            self.count += 1
            return await super().read(*args)

    async def main():
        ctx = Counting("mine")
        assert await ctx.read(4, fd, 0) == bytes(range(4))
        assert (ctx.name, ctx.count, ctx.max_requests) == ("mine", 1, 4)

    run(main())


def test_order_of_starts_is_that_of_tasks(make_context, run, fd):
    async def main():
        ctx = make_context()
        order = []

        async def one(number):
            order.append(number)
            await ctx.read(4, fd, 0)

        await asyncio.gather(*map(one, range(10)))
        assert order == list(range(10))

    run(main())


def test_an_abandoned_task_is_collected(make_context, fd):
    read_end, write_end = os.pipe()
    contexts = []

    async def main():
        ctx = make_context()
        contexts.append(weakref.ref(ctx))
        asyncio.get_running_loop().pending = asyncio.create_task(ctx.read(10, read_end, -1))
        await asyncio.sleep(0.02)

    loop = asyncio.new_event_loop()
    loop.run_until_complete(main())
    loop.pending._log_destroy_pending = False
    loop.close()
    del loop
    gc.collect()
    assert contexts[0]() is None
    os.close(read_end)
    os.close(write_end)
