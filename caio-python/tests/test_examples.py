"""The examples run, and types are right."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


def run(*arguments):
    return subprocess.run(
        [sys.executable, *map(str, arguments)], capture_output=True, text=True, timeout=300, check=False
    )


def test_copy_with_progress(tmp_path):
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(os.urandom(5_000_001))
    done = run(EXAMPLES / "copy_with_progress.py", source, target)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("100 %\n")
    assert source.read_bytes() == target.read_bytes()


def test_read_folder(tmp_path):
    pytest.importorskip("aiofile")
    for number in range(20):
        (tmp_path / f"file{number}").write_text("line\n" * number)
    done = run(EXAMPLES / "read_folder.py", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("190 in 20 files\n")


def test_types():
    pytest.importorskip("mypy")
    done = run("-m", "mypy", "--strict", EXAMPLES / "copy_with_progress.py", EXAMPLES / "read_folder.py")
    assert done.returncode == 0, done.stdout + done.stderr


def test_stubs():
    pytest.importorskip("mypy")
    done = run("-m", "mypy.stubtest", "caio._caio", "--ignore-missing-stub")
    assert done.returncode == 0, done.stdout + done.stderr
