"""Compares two installations of caio, interleaved, in microseconds per operation of 4 KiB.

    python bench.py OURS_PYTHON ORIGINAL_PYTHON [--rounds N] [--folder FOLDER] [--best]

Both arguments are interpreters of virtual environments. Each round starts a process for each installation and backend; a figure is
the median over the rounds, or with --best the smallest, which a busy machine disturbs less.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

PAGE = 4096
PAGES = 4096
IMPLEMENTATIONS = ("uring", "aio", "thread", "python")
MODULES = {"uring": "linux_uring", "aio": "linux_aio", "thread": "thread_aio", "python": "python_aio"}
# The targets: ratios to the original's backend of the same name.
TARGETS = {
    "cached read, one at a time": (15, 6, 30, 40),
    "cached read, gather of 32": (1.4, 1.8, 6, 3),
    "buffered write, one at a time": (3, 2.5, 10, 20),
    "buffered write, gather of 32": (1.4, 1.0, 4, 3),
    "cold read, depth 1": (1.3, 1.0, 1.4, 1.5),
    "cold read, depth 32": (1.0, 2.5, 3, 1.5),
}

Operation = Callable[[int], Awaitable[Any]]


async def one_at_a_time(operation: Operation, offsets: list[int]) -> float:
    """Await one after the other."""
    begin = time.perf_counter()
    for offset in offsets:
        await operation(offset)
    return (time.perf_counter() - begin) / len(offsets) * 1e6


async def gathered(operation: Operation, offsets: list[int]) -> float:
    """Await 32 at a time."""
    begin = time.perf_counter()
    for start in range(0, len(offsets), 32):
        await asyncio.gather(*[operation(offset) for offset in offsets[start : start + 32]])
    return (time.perf_counter() - begin) / len(offsets) * 1e6


async def stall(operation: Operation) -> float:
    """The loop's worst stall in milliseconds while it runs."""
    worst, done = 0.0, False

    async def watch() -> None:
        nonlocal worst
        while not done:
            begin = time.perf_counter()
            await asyncio.sleep(0)
            worst = max(worst, time.perf_counter() - begin)

    watcher = asyncio.create_task(watch())
    await asyncio.gather(*[operation(number << 23) for number in range(2)])
    await asyncio.gather(*[operation((number % 2) << 23) for number in range(16)])
    done = True
    await watcher
    return worst * 1e3


async def beside_a_busy_thread(operation: Operation) -> float:
    """Cached reads per second while another thread computes."""
    done = threading.Event()

    def compute() -> None:
        while not done.is_set():
            sum(range(1000))

    thread = threading.Thread(target=compute)
    thread.start()
    begin, count = time.perf_counter(), 0
    while time.perf_counter() - begin < 0.3:
        await operation(count % PAGES * PAGE)
        count += 1
    elapsed = time.perf_counter() - begin
    done.set()
    thread.join()
    return count / elapsed


async def measure(implementation: str, folder: str) -> dict[str, float]:
    """All figures of one backend, in this process."""
    with tempfile.TemporaryFile(dir=folder) as file:
        fd = file.fileno()
        os.pwrite(fd, os.urandom(PAGE * PAGES), 0)
        os.fsync(fd)
        data = os.urandom(PAGE)
        offsets = [number * 7919 % PAGES * PAGE for number in range(PAGES)]

        async def plain_read(offset: int) -> bytes:
            return os.pread(fd, PAGE, offset)

        async def plain_write(offset: int) -> int:
            return os.pwrite(fd, data, offset)

        read: Operation = plain_read
        write: Operation = plain_write
        whole: Operation = plain_read
        if implementation != "plain":
            module = __import__(f"caio.{MODULES[implementation]}_asyncio", fromlist=["AsyncioContext"])
            ctx = module.AsyncioContext(128)
            read = lambda offset: ctx.read(PAGE, fd, offset)  # noqa: E731
            write = lambda offset: ctx.write(data, fd, offset)  # noqa: E731
            whole = lambda offset: ctx.read(1 << 23, fd, offset)  # noqa: E731
        figures = {}
        for name, how, operation, count in [
            ("cached read, one at a time", one_at_a_time, read, 2048),
            ("cached read, gather of 32", gathered, read, 2048),
            ("buffered write, one at a time", one_at_a_time, write, 512),
            ("buffered write, gather of 32", gathered, write, 1024),
        ]:
            figures[name] = min([await how(operation, offsets[:count]) for _ in range(3)])
        os.fsync(fd)
        for name, how, count in [("cold read, depth 1", one_at_a_time, 256), ("cold read, depth 32", gathered, 512)]:
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_RANDOM)
            figures[name] = await how(read, offsets[:count])
        os.pread(fd, PAGE * PAGES, 0)
        if implementation != "plain":
            figures["worst stall, 16 reads of 8 MiB, ms"] = await stall(whole)
        figures["cached reads/s beside a busy thread"] = await beside_a_busy_thread(read)
        return figures


def collect(pythons: dict[str, str], rounds: int, folder: str, best: bool) -> dict[tuple[str, str], dict[str, float]]:
    """The figures of every installation and backend."""
    runs: dict[tuple[str, str], list[dict[str, float]]] = {}
    for _ in range(rounds):
        for who, python in pythons.items():
            for implementation in ("plain", *IMPLEMENTATIONS):
                command = [python, __file__, "--measure", implementation, "--folder", folder]
                done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
                runs.setdefault((who, implementation), []).append(json.loads(done.stdout))
    figures = {}
    for key, several in runs.items():
        figures[key] = {}
        for name in several[0]:
            values = [one[name] for one in several]
            better = max if "reads/s" in name else min
            figures[key][name] = better(values) if best else statistics.median(values)
    return figures


def show(figures: dict[tuple[str, str], dict[str, float]]) -> None:
    """Print the tables."""
    print("| 4 KiB, us | coroutine | " + " | ".join(f"{name}: original, ours" for name in IMPLEMENTATIONS) + " |")
    print("|---" * (len(IMPLEMENTATIONS) + 2) + "|")
    for name in figures["ours", "uring"]:
        plain = figures["ours", "plain"].get(name)
        cells = [f"{figures['original', i][name]:.1f}, {figures['ours', i][name]:.2f}" for i in IMPLEMENTATIONS]
        print(f"| {name} | {'' if plain is None else f'{plain:.2f}'} | " + " | ".join(cells) + " |")
    print("\n| ratio, target | " + " | ".join(IMPLEMENTATIONS) + " |\n" + "|---" * (len(IMPLEMENTATIONS) + 1) + "|")
    for name, targets in TARGETS.items():
        cells = []
        for implementation, target in zip(IMPLEMENTATIONS, targets, strict=True):
            ratio = figures["original", implementation][name] / figures["ours", implementation][name]
            cells.append(f"{ratio:.2f} ({target}{'' if ratio >= target else ', missed'})")
        print(f"| {name} | " + " | ".join(cells) + " |")


def main() -> None:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pythons", nargs="*", metavar="PYTHON")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", default=tempfile.gettempdir())
    parser.add_argument("--best", action="store_true")
    parser.add_argument("--measure")
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(asyncio.run(measure(arguments.measure, arguments.folder))))
        return
    if len(arguments.pythons) != 2:
        sys.exit("two interpreters are needed: ours, and the original's")
    pythons = dict(zip(("ours", "original"), arguments.pythons, strict=True))
    show(collect(pythons, arguments.rounds, arguments.folder, arguments.best))


if __name__ == "__main__":
    main()
