"""The asyncio context over Linux kernel AIO."""

from . import _caio
from .linux_aio import Context, Operation
from .asyncio_base import AsyncioContextBase

__all__ = ("AsyncioContext", "Context", "Operation")


class AsyncioContext(_caio.AsyncioContext, AsyncioContextBase):  # type: ignore[misc, override, no-redef, unused-ignore]
    """Reads, writes and syncs that tasks await, over Linux kernel AIO."""

    BACKEND = "aio"
    CONTEXT_CLASS = Context  # type: ignore[assignment, unused-ignore]
    OPERATION_CLASS = Operation  # type: ignore[assignment, unused-ignore]
