"""Work in threads of their own, awaited; a thread that never ends does not keep the process alive."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

Result = TypeVar("Result")


async def in_thread(function: Callable[[], Result]) -> Result:
    """What the function gives, without holding up the loop."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[Result] = loop.create_future()

    def run() -> None:
        try:
            result = function()
        except BaseException as error:  # noqa: BLE001 - it is raised where the function is awaited
            _tell(loop, ended, ended.set_exception, error)
        else:
            _tell(loop, ended, ended.set_result, result)

    threading.Thread(target=run, name="dataspine-engine", daemon=True).start()
    return await ended


def _tell(
    loop: asyncio.AbstractEventLoop, ended: asyncio.Future[Any], say: Callable[[Any], None], what: Any
) -> None:
    def if_awaited() -> None:
        if not ended.done():
            say(what)

    # The loop may be gone: nobody waits for a thread that was abandoned.
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(if_awaited)
