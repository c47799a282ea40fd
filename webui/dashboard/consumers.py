"""The Live page's socket: it says that something changed, never what.

The page reads the data again from the server, which checks the reader's rights each time. So a
hint that is lost or repeated does no harm, and a socket outliving its log-in tells nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any, Final

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from redis.exceptions import RedisError

from webui.access import may_operate

_log = logging.getLogger(__name__)

GROUP: Final = "live"
_COALESCE: Final = 0.05  # seconds; a busy engine ships some 100 batches a second, a page reads 4


class LiveConsumer(AsyncJsonWebsocketConsumer):
    """Passes the group's `live.changed` hints on as `{"type": "changed"}`, at most 20 a second."""

    coalesce: float = _COALESCE
    _telling: asyncio.Task[None] | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one socket; without the message broker it is closed, and the page polls instead."""
        try:
            await super().__call__(scope, receive, send)
        except (OSError, RedisError) as error:
            _log.warning("live socket closed, the message broker is away: %s", error)
            await send({"type": "websocket.close", "code": 1013})

    async def connect(self) -> None:
        if not await database_sync_to_async(self.may_watch)():
            await self.close(code=4403)
            return
        await self.channel_layer.group_add(GROUP, self.channel_name)
        await self.accept()

    def may_watch(self) -> bool:
        """Whether who opened the socket may know that something changed."""
        return may_operate(self.scope["user"])

    async def disconnect(self, code: int) -> None:
        if self._telling:
            self._telling.cancel()
        with contextlib.suppress(OSError, RedisError):  # gone with the broker, if it is away
            await self.channel_layer.group_discard(GROUP, self.channel_name)

    async def receive_json(self, content: Any, **kwargs: Any) -> None:
        """The page has nothing to say; whatever comes is ignored."""

    async def live_changed(self, message: dict[str, Any]) -> None:
        if self._telling is None or self._telling.done():
            self._telling = asyncio.create_task(self._tell())

    async def _tell(self) -> None:
        await asyncio.sleep(self.coalesce)
        with contextlib.suppress(OSError):  # the reader has just left
            await self.send_json({"type": "changed"})
