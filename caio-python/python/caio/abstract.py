"""What every implementation's contexts and operations have."""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import Any


class AbstractContext(abc.ABC):
    """Carries out operations."""

    @property
    def max_requests(self) -> int:
        """How many operations may be in flight."""
        raise NotImplementedError

    def submit(self, *aio_operations: Any) -> int:
        """Start operations, each of them once, and tell how many were started."""
        raise NotImplementedError(aio_operations)

    def cancel(self, *aio_operations: Any) -> int:
        """Ask operations to end early."""
        raise NotImplementedError(aio_operations)


class AbstractOperation(abc.ABC):
    """A read, write or sync that is carried out once."""

    @classmethod
    @abc.abstractmethod
    def read(cls, nbytes: int, fd: int, offset: int, priority: int = 0) -> AbstractOperation:
        """Make an operation that reads at most `nbytes` bytes."""
        raise NotImplementedError

    @classmethod
    @abc.abstractmethod
    def write(cls, payload_bytes: bytes, fd: int, offset: int, priority: int = 0) -> AbstractOperation:
        """Make an operation that writes bytes."""
        raise NotImplementedError

    @classmethod
    @abc.abstractmethod
    def fsync(cls, fd: int, priority: int = 0) -> AbstractOperation:
        """Make an operation that brings data and metadata to the disk."""
        raise NotImplementedError

    @classmethod
    @abc.abstractmethod
    def fdsync(cls, fd: int, priority: int = 0) -> AbstractOperation:
        """Make an operation that brings data to the disk."""
        raise NotImplementedError

    @abc.abstractmethod
    def get_value(self) -> bytes | int | None:
        """Give the result, or raise the error."""
        raise NotImplementedError

    @property
    @abc.abstractmethod
    def fileno(self) -> int:
        """The number of the file."""
        raise NotImplementedError

    @property
    @abc.abstractmethod
    def offset(self) -> int:
        """Where in the file."""
        raise NotImplementedError

    @property
    @abc.abstractmethod
    def payload(self) -> bytes | memoryview | None:
        """What is written, or what was read."""
        raise NotImplementedError

    @property
    @abc.abstractmethod
    def nbytes(self) -> int:
        """How many bytes are to be transferred."""
        raise NotImplementedError

    @abc.abstractmethod
    def set_callback(self, callback: Callable[[int], Any]) -> bool:
        """Set what is called when the operation is done."""
        raise NotImplementedError
