"""The io_uring backend, by itself. It needs Linux 5.6; the import says what stands in the way."""

from . import _caio

_caio.require("uring")

SQPOLL_ALLOWED = False
"""No kernel thread polls for submissions: it would burn a core, and make a lone operation slower."""

Context = _caio.UringContext
Operation = _caio.UringOperation
