"""The asyncio context over io_uring."""

from . import _caio
from .linux_uring import SQPOLL_ALLOWED, Context, Operation
from .asyncio_base import AsyncioContextBase

__all__ = ("SQPOLL_ALLOWED", "AsyncioContext", "Context", "Operation")


class AsyncioContext(_caio.AsyncioContext, AsyncioContextBase):  # type: ignore[misc]
    """Reads, writes and syncs that tasks await, over io_uring."""

    BACKEND = "uring"
    CONTEXT_CLASS = Context
    OPERATION_CLASS = Operation
