"""The asyncio context over io_uring."""

from . import _caio
from .linux_uring import SQPOLL_ALLOWED, Context, Operation
from .asyncio_base import AsyncioContextBase

__all__ = ("SQPOLL_ALLOWED", "AsyncioContext", "Context", "Operation")


class AsyncioContext(_caio.AsyncioContext, AsyncioContextBase):  # type: ignore[misc, override, no-redef, unused-ignore]
    """Reads, writes and syncs that tasks await, over io_uring."""

    BACKEND = "uring"
    CONTEXT_CLASS = Context  # type: ignore[assignment, unused-ignore]
    OPERATION_CLASS = Operation  # type: ignore[assignment, unused-ignore]
