"""Files of other kinds: O_DIRECT, numbers that become another file, and stress."""

import asyncio
import os
import random
import tempfile
from pathlib import Path

import pytest

REUSES = int(os.environ.get("CAIO_TEST_REUSES", "1000"))
OPERATIONS = int(os.environ.get("CAIO_TEST_OPERATIONS", "20000"))
# Beside the tests' folder, which may be on a tmpfs that knows no O_DIRECT.
HERE = Path(__file__).resolve().parent


@pytest.fixture
def direct():
    """The path of a file that can be opened with O_DIRECT."""
    for folder in (tempfile.gettempdir(), os.getcwd(), HERE):
        with tempfile.NamedTemporaryFile(dir=folder) as file:
            file.write(os.urandom(2**20))
            file.flush()
            try:
                os.close(os.open(file.name, os.O_RDWR | os.O_DIRECT))
            except OSError:
                continue
            yield file.name
            return
    pytest.skip("no file system here knows O_DIRECT")


def test_o_direct(make_context, run, direct):
    async def main():
        ctx = make_context()
        fd = os.open(direct, os.O_RDWR | os.O_DIRECT)
        content = Path(direct).read_bytes()
        for number in range(20):
            assert await ctx.read(4096, fd, number * 4096) == content[number * 4096 :][:4096]
        room = bytearray(8192)
        assert await ctx.readinto(memoryview(room), fd, 4096) == 8192
        assert room == content[4096:12288]
        for payload in (os.urandom(4096), bytearray(os.urandom(8192))):
            assert await ctx.write(payload, fd, 0) == len(payload)
            assert Path(direct).read_bytes()[: len(payload)] == payload
        with pytest.raises(OSError) as info:
            await ctx.read(100, fd, 7)
        assert info.value.errno == 22
        os.close(fd)

    run(main())


def test_a_number_that_becomes_another_file(make_context, run, tmp_path, direct):
    """One number, used as a file, a pipe, a file in memory and an O_DIRECT file in turn."""
    (tmp_path / "file").write_bytes(os.urandom(65536))

    def file():
        return os.open(tmp_path / "file", os.O_RDWR)

    def memory():
        fd = os.memfd_create("memory")
        os.write(fd, os.urandom(65536))
        return fd

    async def main():
        ctx = make_context()
        picker = random.Random(1)
        number = file()
        kinds = [file, memory, lambda: os.open(direct, os.O_RDWR | os.O_DIRECT), None]
        for _ in range(REUSES):
            make = picker.choice(kinds)
            if make is None:
                read_end, write_end = os.pipe()
                os.dup2(read_end, number)
                os.write(write_end, b"piped")
                with pytest.raises(OSError):
                    await ctx.read(5, number, 0)
                assert await ctx.read(5, number, -1) == b"piped"
                os.close(read_end)
                os.close(write_end)
                continue
            opened = make()
            os.dup2(opened, number)
            page = picker.randrange(16) * 4096
            check = os.open(f"/proc/self/fd/{opened}", os.O_RDONLY)
            assert await ctx.read(4096, number, page) == os.pread(check, 4096, page)
            if picker.random() < 0.5:
                data = os.urandom(4096)
                assert await ctx.write(data, number, page) == 4096
                assert os.pread(check, 4096, page) == data
            os.close(check)
            os.close(opened)
        os.close(number)

    run(main())


def test_stress(make_context, run, tmp_path):
    """Reads, writes, syncs, cancels and closes: none wrong, lost or left."""
    pages = 64

    async def main():
        fd = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
        expected = [bytes([page]) * 4096 for page in range(pages)]
        os.pwrite(fd, b"".join(expected), 0)
        picker = random.Random(2)
        ctx = make_context(max_requests=16)
        done = 0

        async def one():
            page = picker.randrange(pages)
            kind = picker.random()
            if kind < 0.7:
                assert await ctx.read(4096, fd, page * 4096) == expected[page]
            elif kind < 0.99:
                assert await ctx.write(expected[page], fd, page * 4096) == 4096
            else:
                await ctx.fdsync(fd)

        while done < OPERATIONS:
            tasks = [asyncio.create_task(one()) for _ in range(64)]
            await asyncio.sleep(0)
            for task in tasks:
                if picker.random() < 0.1:
                    task.cancel()
            closes = picker.random() < 0.02
            if closes:
                ctx.close()
            for result in await asyncio.gather(*tasks, return_exceptions=True):
                allowed = (asyncio.CancelledError, RuntimeError) if closes else asyncio.CancelledError
                assert result is None or isinstance(result, allowed), repr(result)
            if closes:
                ctx = make_context(max_requests=16)
            done += len(tasks)
        stats = ctx.stats()
        await asyncio.sleep(0.05)
        assert ctx.stats()["submitted"] >= stats["completed"] > 0
        ctx.close()
        assert os.pread(fd, pages * 4096, 0) == b"".join(expected)
        os.close(fd)

    run(main())
