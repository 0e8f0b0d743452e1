"""Asynchronous code in tests that are not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from concurrent.futures import ThreadPoolExecutor

__all__ = ["run"]


def run(answering: Awaitable[None]) -> None:
    """Await an application's answer, in a thread of its own: the browser of other tests keeps an event loop in this."""

    async def awaited() -> None:
        await answering

    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: asyncio.run(awaited())).result()
