"""The thread backend, by itself. Its callbacks run in threads."""

from . import _caio

_caio.require("thread")

Context = _caio.ThreadContext
Operation = _caio.ThreadOperation
