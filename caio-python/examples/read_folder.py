"""Counts the lines of every file in a folder, many files at a time, with aiofile.

    pip install caio aiofile
    python read_folder.py FOLDER
"""

import asyncio
import sys
from pathlib import Path

import aiofile


async def count_lines(path: Path) -> int:
    """How many lines a file has."""
    lines = 0
    async with aiofile.AIOFile(path, "rb") as file:
        async for chunk in aiofile.Reader(file, chunk_size=65536):
            lines += chunk.count(b"\n") if isinstance(chunk, bytes) else chunk.count("\n")
    return lines


async def main(folder: Path) -> int:
    """Print each file's count and the sum."""
    paths = sorted(path for path in folder.iterdir() if path.is_file())
    counts = await asyncio.gather(*map(count_lines, paths))
    for path, count in zip(paths, counts, strict=True):
        print(f"{count:8} {path.name}")
    print(f"{sum(counts):8} in {len(paths)} files")
    return sum(counts)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
