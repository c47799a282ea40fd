"""The Live page's socket: it says that something changed, never what.

The page reads the data again from the server, which checks the reader's rights each time. So a
hint that is lost or repeated does no harm, and a socket outliving its log-in tells nothing.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer

from webui.access import may_operate

GROUP: Final = "live"
_COALESCE: Final = 0.05  # seconds; a busy engine ships some 100 batches a second, a page reads 4


class LiveConsumer(AsyncJsonWebsocketConsumer):
    """Passes the group's `live.changed` hints on as `{"type": "changed"}`, at most 20 a second."""

    _telling: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        if not await database_sync_to_async(may_operate)(self.scope["user"]):
            await self.close(code=4403)
            return
        await self.channel_layer.group_add(GROUP, self.channel_name)
        await self.accept()

    async def disconnect(self, code: int) -> None:
        if self._telling:
            self._telling.cancel()
        await self.channel_layer.group_discard(GROUP, self.channel_name)

    async def receive_json(self, content: Any, **kwargs: Any) -> None:
        """The page has nothing to say; whatever comes is ignored."""

    async def live_changed(self, message: dict[str, Any]) -> None:
        if self._telling is None or self._telling.done():
            self._telling = asyncio.create_task(self._tell())

    async def _tell(self) -> None:
        await asyncio.sleep(_COALESCE)
        await self.send_json({"type": "changed"})
