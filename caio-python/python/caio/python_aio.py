"""File I/O in a pool of Python threads: works everywhere, and needs no extension."""

from __future__ import annotations

import contextlib
import enum
import operator
import os
import sys
import threading
from collections.abc import Callable
from multiprocessing.pool import ThreadPool
from typing import Any

from .abstract import AbstractContext, AbstractOperation

fdsync = getattr(os, "fdatasync", os.fsync)
NATIVE_PREAD_PWRITE = hasattr(os, "pread") and hasattr(os, "pwrite")

_NO_OFFSET = 2**64 - 1
_seeking = threading.Lock()


class OpCode(enum.IntEnum):
    """What an operation does."""

    READ = 0
    WRITE = 1
    FSYNC = 2
    FDSYNC = 3
    NOOP = -1


class ContextState(enum.IntEnum):
    """Whether a context takes operations."""

    OPEN = 0
    CLOSING = 1
    CLOSED = 2


def _at(fd: int, offset: int, positioned: Callable[..., Any], plain: Callable[..., Any], argument: Any) -> Any:
    """Transfer at an offset; where there is none, or the system has no such call, at the file's position."""
    if offset == _NO_OFFSET:
        return plain(fd, argument)
    if NATIVE_PREAD_PWRITE:
        return positioned(fd, argument, offset)
    with _seeking:
        os.lseek(fd, offset, os.SEEK_SET)
        return plain(fd, argument)


def _carry_out(operation: Operation) -> int:
    """Do what an operation says, and tell how many bytes were transferred."""
    fd, offset, code = operation.fileno, operation.offset, operation.opcode
    if code is OpCode.READ:
        operation.buffer = _at(fd, offset, getattr(os, "pread", None) or os.read, os.read, operation.nbytes)
        return len(operation.buffer)
    if code is OpCode.WRITE:
        written: int = _at(fd, offset, getattr(os, "pwrite", None) or os.write, os.write, operation.buffer)
        return written
    if code is OpCode.FSYNC:
        os.fsync(fd)
    elif code is OpCode.FDSYNC:
        fdsync(fd)
    return 0


class Operation(AbstractOperation):
    """python aio operation: carried out once."""

    def __init__(
        self,
        fd: int,
        nbytes: int | None,
        offset: int | None,
        opcode: OpCode,
        payload: bytes | None = None,
        priority: int | None = None,
    ) -> None:
        numbers = [operator.index(number or 0) for number in (fd, nbytes, offset, priority)]
        if opcode == OpCode.WRITE and not isinstance(payload, bytes):
            raise ValueError(f"payload_bytes must be bytes, not {type(payload).__name__}")
        self._fd, self._nbytes, offset, self._priority = numbers
        if self._nbytes < 0 or not (-1 <= offset < 2**63 or offset == _NO_OFFSET):
            raise OverflowError(f"nbytes or offset is out of range: {self._nbytes}, {offset}")
        self._offset = _NO_OFFSET if offset == -1 else offset
        self._lock = threading.Lock()
        self.opcode = OpCode(opcode)
        self.buffer: bytes = payload or b""
        self.callback: Callable[[Any], Any] | None = None
        self.exception: BaseException | None = None
        self.in_progress = False
        self.written = 0

    @classmethod
    def read(cls, nbytes: int, fd: int, offset: int, priority: int = 0) -> Operation:
        """Make an operation that reads at most `nbytes` bytes."""
        return cls(fd, nbytes, offset, OpCode.READ, priority=priority)

    @classmethod
    def write(cls, payload_bytes: bytes, fd: int, offset: int, priority: int = 0) -> Operation:
        """Make an operation that writes bytes."""
        return cls(fd, len(payload_bytes), offset, OpCode.WRITE, payload=payload_bytes, priority=priority)

    @classmethod
    def fsync(cls, fd: int, priority: int = 0) -> Operation:
        """Make an operation that brings data and metadata to the disk."""
        return cls(fd, None, None, OpCode.FSYNC, priority=priority)

    @classmethod
    def fdsync(cls, fd: int, priority: int = 0) -> Operation:
        """Make an operation that brings data to the disk."""
        return cls(fd, None, None, OpCode.FDSYNC, priority=priority)

    def get_value(self) -> bytes | int | None:
        """Give the result, or raise the error."""
        if self.exception is not None:
            raise self.exception
        if self.opcode is OpCode.READ:
            return self.buffer
        return self.written if self.opcode is OpCode.WRITE else None

    @property
    def fileno(self) -> int:
        """The number of the file."""
        return self._fd

    @property
    def offset(self) -> int:
        """Where in the file."""
        return self._offset

    @property
    def nbytes(self) -> int:
        """How many bytes are to be transferred."""
        return self._nbytes

    @property
    def payload(self) -> memoryview:
        """What is written, or what was read."""
        return memoryview(self.buffer)

    def set_callback(self, callback: Callable[[Any], Any]) -> bool:
        """Set what is called when the operation is done: with a count, or None after an error and for a sync."""
        if not callable(callback):
            raise ValueError(f"{callback!r} is not callable")
        self.callback = callback
        return True

    def _claim(self) -> bool:
        """Take it for being carried out. Nobody else does, ever."""
        with self._lock:
            claimed, self.in_progress = not self.in_progress, True
            return claimed

    def _call_back(self, value: Any) -> None:
        """Call back. An error there is the thread's, which goes on."""
        if self.callback is not None:
            try:
                self.callback(value)
            except BaseException:
                hook = threading.ExceptHookArgs((*sys.exc_info(), threading.current_thread()))
                threading.excepthook(hook)


class Context(AbstractContext):
    """python aio context: a pool of threads."""

    MAX_POOL_SIZE = 128
    pool: ThreadPool | None = None

    def __init__(self, max_requests: int = 32, pool_size: int = 8) -> None:
        if not 0 < pool_size < self.MAX_POOL_SIZE:
            raise ValueError(f"pool_size must be between 1 and {self.MAX_POOL_SIZE - 1}, not {pool_size}")
        if max_requests < 1:
            raise ValueError(f"max_requests must be positive, not {max_requests}")
        self._max_requests = max_requests
        self._in_progress = 0
        self._lock = threading.Lock()
        self._state = ContextState.OPEN
        self._process = os.getpid()
        self.pool = ThreadPool(pool_size)

    @property
    def max_requests(self) -> int:
        """How many operations may be in flight."""
        return self._max_requests

    def submit(self, *aio_operations: Any) -> int:
        """Start operations, each of them once, and tell how many were started."""
        for operation in aio_operations:
            if not isinstance(operation, Operation):
                raise ValueError(f"not an Operation: {operation!r}")
        return sum(self._start(operation) for operation in aio_operations)

    def _start(self, operation: Operation) -> bool:
        """Start an operation, if nobody has."""
        if os.getpid() != self._process:
            raise RuntimeError("this context belongs to the parent process; make a new one after fork")
        if not operation._claim():
            return False
        try:
            with self._lock:
                if self._state is not ContextState.OPEN:
                    raise RuntimeError("the context is closed")
                if self._in_progress >= self._max_requests:
                    raise RuntimeError(f"{self._max_requests} operations are in flight, which is the most")
                self._in_progress += 1
            try:
                assert self.pool is not None
                self.pool.apply_async(
                    _carry_out,
                    (operation,),
                    callback=lambda count: self._end(operation, count, None),
                    error_callback=lambda error: self._end(operation, 0, error),
                )
            except BaseException:
                self._release()
                raise
        except BaseException:
            operation.in_progress = False  # it did not run, and can be submitted again
            raise
        return True

    def _release(self) -> None:
        """An operation is no longer in flight."""
        with self._lock:
            self._in_progress -= 1

    def _end(self, operation: Operation, count: int, error: BaseException | None) -> None:
        """An operation has ended."""
        operation.exception = error
        operation.written = count
        self._release()
        transfers = operation.opcode in (OpCode.READ, OpCode.WRITE)
        operation._call_back(count if transfers and error is None else None)

    def cancel(self, *aio_operations: Any) -> int:
        """Give 0: what a thread has begun cannot be called back."""
        return 0

    def close(self) -> None:
        """Take no more operations; those in flight are carried out."""
        with self._lock:
            if self._state is not ContextState.OPEN:
                return
            self._state = ContextState.CLOSING
        if self.pool is not None and os.getpid() == self._process:
            self.pool.close()
        self._state = ContextState.CLOSED

    def __del__(self) -> None:
        if self.pool is not None:
            with contextlib.suppress(Exception):  # the interpreter may end
                self.close()
