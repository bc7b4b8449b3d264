"""Forks, the interpreter's end, signals, leaks: each in a process of its own."""

import os
import signal
import subprocess
import sys
import textwrap

import pytest

NAMES = ["uring", "aio", "thread", "python"]


def python(code, timeout=60):
    """What a fresh interpreter prints; it must not complain. With its children it is ended when the time is up."""
    command = [sys.executable, "-X", "faulthandler", "-W", "ignore::DeprecationWarning", "-c", textwrap.dedent(code)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        stdout, stderr = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        pytest.fail(f"it hangs: {process.communicate()}")
    assert (process.returncode, stderr) == (0, "")
    return stdout.strip()


@pytest.fixture(params=NAMES)
def prelude(request, tmp_path):
    module = {"uring": "linux_uring", "aio": "linux_aio"}.get(request.param, request.param + "_aio")
    imported = __import__("caio")
    if getattr(imported, module) is None:
        pytest.skip("it cannot be used here")
    return textwrap.dedent(f"""
        import asyncio, gc, os, sys, threading, time
        from caio.{module}_asyncio import AsyncioContext, Context, Operation
        fd = os.open({str(tmp_path / "file")!r}, os.O_RDWR | os.O_CREAT)
        os.pwrite(fd, bytes(range(256)) * 256, 0)
    """)


def test_a_child_gets_errors(prelude):
    code = """
        async def main():
            ctx, low = AsyncioContext(), Context()
            await ctx.write(b"abcd", fd, 0)
            pending = asyncio.create_task(ctx.read(1, os.pipe()[0], -1))
            await asyncio.sleep(0.01)
            child = os.fork()
            if child == 0:
                answers = 0
                try:
                    await ctx.read(4, fd, 0)
                except RuntimeError:
                    answers += 1
                try:
                    low.submit(Operation.fsync(fd))
                except RuntimeError:
                    answers += 1
                ctx.close()
                async def child_main():
                    async with AsyncioContext() as fresh:
                        return await asyncio.wait_for(fresh.write(b"x" * 4096, fd, 0), 10) == 4096
                asyncio._set_running_loop(None)
                answers += asyncio.run(child_main())
                os._exit(answers)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
            assert await ctx.read(4, fd, 4096) == bytes(range(4))
            pending.cancel()
            ctx.close()
        asyncio.run(main())
        print("done")
    """
    assert python(prelude + textwrap.dedent(code)) == "done"


def test_a_child_that_ends_normally_does_not_hang(prelude):
    code = """
        async def main():
            ctx, low = AsyncioContext(), Context()
            await asyncio.gather(*[ctx.write(b"x" * 4096, fd, 4096 * i) for i in range(32)])
            child = os.fork()
            if child == 0:
                return
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
            print("parent")
        asyncio.run(main())
        gc.collect()
    """
    assert python(prelude + textwrap.dedent(code)) == "parent"


def test_the_end_of_the_interpreter(prelude):
    code = """
        ctx = low = None
        async def main():
            global ctx, low, operation, task
            ctx, low = AsyncioContext(), Context()
            operation = Operation.read(1, os.pipe()[0] if hasattr(Operation, "context") else fd, 0)
            low.submit(operation)
            task = asyncio.create_task(ctx.read(1, os.pipe()[0], -1))
            await asyncio.sleep(0.01)
            task.cancel()
            for _ in range(100):
                asyncio.create_task(ctx.write(b"x" * 65536, fd, 0))
            await asyncio.sleep(0)
        asyncio.run(main())
        print("done")
    """
    assert python(prelude + textwrap.dedent(code), timeout=20) == "done"


def test_what_is_never_closed_gives_everything_back(prelude):
    code = """
        def state():
            aio = int(open("/proc/sys/fs/aio-nr").read())
            return len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task")), aio

        async def use():
            ctx = AsyncioContext(max_requests=32)
            await ctx.write(b"x" * 4096, fd, 0)
            await ctx.fsync(fd)
            low = Context()
            low.submit(Operation.read(4, fd, 0))

        def settle(limit):
            for _ in range(300):
                gc.collect()
                now = state()
                if now[0] <= limit[0] and now[1] <= limit[1] and now[2] <= limit[2]:
                    break
                time.sleep(0.02)
            return now

        asyncio.run(use())
        before = settle((0, 0, 0))
        for _ in range(50):
            asyncio.run(use())
        after = settle((before[0] + 1, before[1] + 2, before[2] + 64))
        assert after[0] <= before[0] + 1 and after[1] <= before[1] + 2, (before, after)
        print("done")
    """
    assert python(prelude + textwrap.dedent(code)) == "done"


def test_a_close_does_not_hold_the_loop_up(prelude):
    code = """
        async def main():
            took = []
            for _ in range(20):
                ctx = AsyncioContext()
                await ctx.write(b"x" * 4096, fd, 0)
                begin = time.perf_counter()
                ctx.close()
                took.append(time.perf_counter() - begin)
            assert sorted(took)[len(took) // 2] < 0.005, took
        asyncio.run(main())
        print("done")
    """
    assert python(prelude + textwrap.dedent(code)) == "done"


def test_a_subinterpreter_gets_an_import_error():
    code = """
        import _xxsubinterpreters as interpreters, caio
        number = interpreters.create()
        interpreters.run_string(number, "import caio; print(caio.variants == (caio.python_aio,), flush=True)")
        interpreters.destroy(number)
    """
    if sys.version_info >= (3, 13):
        pytest.skip("the module has another name there")
    assert python(code) == "True"


def test_memory_is_given_back(prelude):
    code = """
        import resource
        async def main():
            ctx = AsyncioContext()
            async def turn():
                reads = [asyncio.create_task(ctx.read(65536, fd, 0)) for _ in range(32)]
                writes = [asyncio.create_task(ctx.write(bytearray(65536), fd, 0)) for _ in range(32)]
                await asyncio.sleep(0)
                for task in reads[::2] + writes[::2]:
                    task.cancel()
                await asyncio.gather(*reads, *writes, return_exceptions=True)
            for _ in range(20):
                await turn()
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            for _ in range(100):
                await turn()
            grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
            assert grown < 40_000, grown
        asyncio.run(main())
        print("done")
    """
    assert python(prelude + textwrap.dedent(code)) == "done"
