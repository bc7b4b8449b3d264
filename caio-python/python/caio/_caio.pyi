"""The extension module."""

import asyncio
from collections.abc import Awaitable, Buffer, Callable, Coroutine, Iterable
from typing import Any
