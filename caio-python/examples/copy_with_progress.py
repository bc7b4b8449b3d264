"""Copies a file, several blocks at a time, and tells how far it is: asyncio and caio alone.

    pip install caio
    python copy_with_progress.py FROM TO
"""

import asyncio
import os
import sys

from caio import AsyncioContext

BLOCK = 1 << 20
DEPTH = 8


async def copy(source: int, target: int, size: int) -> None:
    """Copy all blocks."""
    offsets = iter(range(0, size, BLOCK))
    done = 0

    async def copy_blocks(ctx: AsyncioContext) -> None:
        nonlocal done
        for offset in offsets:
            end = min(offset + BLOCK, size)
            while offset < end:
                data = await ctx.read(end - offset, source, offset)
                if not data:
                    raise EOFError("the file has become shorter")
                rest = memoryview(data)
                while rest:
                    written = await ctx.write(rest, target, offset)
                    rest, offset, done = rest[written:], offset + written, done + written
            print(f"\r{done * 100 // size:3} %", end="", flush=True)

    async with AsyncioContext() as ctx:
        await asyncio.gather(*[copy_blocks(ctx) for _ in range(DEPTH)])
        await ctx.fdsync(target)
    print()


def main(source: str, target: str) -> None:
    """Open the files, and copy."""
    with open(source, "rb") as from_file, open(target, "wb") as to_file:
        size = os.fstat(from_file.fileno()).st_size
        asyncio.run(copy(from_file.fileno(), to_file.fileno(), size))


if __name__ == "__main__":
    main(*sys.argv[1:])
