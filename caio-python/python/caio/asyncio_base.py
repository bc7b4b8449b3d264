"""The asyncio context in plain Python, for contexts and operations of one's own. The extension has a faster one."""

from __future__ import annotations

import abc
import asyncio
import functools
from collections.abc import Awaitable
from typing import Any

from . import abstract

ContextType = type[abstract.AbstractContext]
OperationType = type[abstract.AbstractOperation]


class AsyncioContextBase(abc.ABC):
    """Awaits operations of `OPERATION_CLASS` that a context of `CONTEXT_CLASS` carries out and calls back."""

    MAX_REQUESTS_DEFAULT = 512
    CONTEXT_CLASS: ContextType
    OPERATION_CLASS: OperationType

    def __init__(
        self,
        max_requests: int | None = None,
        loop: asyncio.AbstractEventLoop | None = None,
        deferred: bool = False,
        **kwargs: Any,
    ) -> None:
        bound = max_requests or self.MAX_REQUESTS_DEFAULT
        self.loop = loop or asyncio.get_event_loop()
        self.deferred = deferred
        self.semaphore = asyncio.BoundedSemaphore(bound)
        self.context = self._create_context(bound, **kwargs)

    def _create_context(self, max_requests: int, **kwargs: Any) -> Any:
        return self.CONTEXT_CLASS(max_requests=max_requests, **kwargs)  # type: ignore[call-arg]

    def _destroy_context(self) -> None:
        """Release what `_create_context` has made."""

    def _submit_op(self, op: Any, future: asyncio.Future[Any]) -> None:
        """Start an operation. One that starts later fails by its future."""
        if self.context.submit(op) != 1:
            raise OSError("Operation was not submitted")

    def _on_submitted(self) -> None:
        """Called after each operation that was started."""

    def _on_done(self, future: asyncio.Future[Any], result: Any) -> None:
        """An operation is done; in whichever thread."""
        if not future.done():
            self.loop.call_soon_threadsafe(_resolve, future)

    async def submit(self, op: Any) -> Any:
        """Carry out an operation, and give its value."""
        if not isinstance(op, self.OPERATION_CLASS):
            raise ValueError("Operation object expected")
        done = self.loop.create_future()
        op.set_callback(functools.partial(self._on_done, done))
        async with self.semaphore:
            self._submit_op(op, done)
            self._on_submitted()
            try:
                await done
            except asyncio.CancelledError:
                try:
                    self.context.cancel(op)
                except ValueError:
                    pass  # it has ended
                raise
        return op.get_value()

    def read(self, nbytes: int, fd: int, offset: int, priority: int = 0) -> Awaitable[bytes]:
        """Read at most `nbytes` bytes."""
        return self.submit(self.OPERATION_CLASS.read(nbytes, fd, offset, priority))

    def write(self, payload: bytes, fd: int, offset: int, priority: int = 0) -> Awaitable[int]:
        """Write bytes, and tell how many."""
        return self.submit(self.OPERATION_CLASS.write(payload, fd, offset, priority))

    def fsync(self, fd: int) -> Awaitable[None]:
        """Bring data and metadata to the disk."""
        return self.submit(self.OPERATION_CLASS.fsync(fd))

    def fdsync(self, fd: int) -> Awaitable[None]:
        """Bring data to the disk."""
        return self.submit(self.OPERATION_CLASS.fdsync(fd))

    def close(self) -> None:
        """Take no more operations."""
        self._destroy_context()

    async def __aenter__(self) -> Any:
        return self

    async def __aexit__(self, *exception: object) -> None:
        self.close()


def _resolve(future: asyncio.Future[Any]) -> None:
    """Wake a task, unless it was cancelled meanwhile."""
    if not future.done():
        future.set_result(True)
