"""The error of an operation: one that every handler written for caio, for files or for numbers takes."""

from __future__ import annotations

import errno
from typing import Any


class OperationError(OSError, SystemError, ValueError):
    """An operation has failed: `errno` and `strerror` say why.

    It is also the subclass of OSError that its errno has, such as PermissionError.
    """

    def __new__(cls, *args: Any) -> OperationError:
        if cls is OperationError and args:
            return super().__new__(_BY_ERRNO.get(args[0], cls), *args)
        return super().__new__(cls, *args)

    def __reduce__(self) -> tuple[Any, ...]:
        return OperationError, self.args


def _subclasses() -> dict[int, type[OperationError]]:
    """A class for each subclass of OSError that Python picks by errno."""
    classes: dict[type[OSError], type[OperationError]] = {}
    by_errno = {}
    for number in errno.errorcode:
        base = type(OSError(number, ""))
        if base is not OSError:
            if base not in classes:
                name = f"Operation{base.__name__}"
                classes[base] = type(name, (OperationError, base), {"__module__": __name__, "__doc__": base.__doc__})
            by_errno[number] = classes[base]
    return by_errno


_BY_ERRNO = _subclasses()
globals().update({kind.__name__: kind for kind in _BY_ERRNO.values()})
