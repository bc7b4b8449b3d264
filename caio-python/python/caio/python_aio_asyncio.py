"""The asyncio context that works everywhere: over the extension's portable threads, or in plain Python where it is missing."""

from __future__ import annotations

from typing import Any

from .asyncio_base import AsyncioContextBase
from .python_aio import Context, Operation

__all__ = ("AsyncioContext", "Context", "Operation")

try:
    from . import _caio
except ImportError:

    class AsyncioContext(AsyncioContextBase):
        """Reads, writes and syncs that tasks await, in plain Python."""

        CONTEXT_CLASS = Context  # type: ignore[assignment, unused-ignore]
        OPERATION_CLASS = Operation  # type: ignore[assignment, unused-ignore]

        def _destroy_context(self) -> None:
            self.context.close()

else:

    class AsyncioContext(_caio.AsyncioContext, AsyncioContextBase):  # type: ignore[misc, override, no-redef, unused-ignore]
        """Reads, writes and syncs that tasks await, over portable threads."""

        BACKEND = "python"
        CONTEXT_CLASS = Context  # type: ignore[assignment, unused-ignore]
        OPERATION_CLASS = Operation  # type: ignore[assignment, unused-ignore]

        async def submit(self, op: Any) -> Any:
            """Carry out an operation of `python_aio`, and give its value."""
            return await AsyncioContextBase.submit(self, op)
