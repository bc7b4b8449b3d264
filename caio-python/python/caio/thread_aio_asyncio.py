"""The asyncio context over threads."""

from . import _caio
from .thread_aio import Context, Operation
from .asyncio_base import AsyncioContextBase

__all__ = ("AsyncioContext", "Context", "Operation")


class AsyncioContext(_caio.AsyncioContext, AsyncioContextBase):  # type: ignore[misc, override, no-redef, unused-ignore]
    """Reads, writes and syncs that tasks await, over threads."""

    BACKEND = "thread"
    CONTEXT_CLASS = Context  # type: ignore[assignment, unused-ignore]
    OPERATION_CLASS = Operation  # type: ignore[assignment, unused-ignore]
