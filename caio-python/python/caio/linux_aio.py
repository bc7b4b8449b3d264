"""The Linux kernel AIO backend, by itself. It needs Linux 4.18; the import says what stands in the way."""

from . import _caio

_caio.require("aio")

Context = _caio.AioContext
Operation = _caio.AioOperation
