"""SIP over WebSocket at the web origin (RFC 7118): what a browser sends to `/sip` goes to the engine.

A page may call from the origin it came from, through the same port and certificate: nothing to
configure, no second warning. The relay knows no SIP. It tells the engine by a signed note who the
client is, so that limits and bans count for him and no one else can claim another's address.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import Final

from asgiref.typing import (
    ASGIReceiveCallable,
    ASGISendCallable,
    WebSocketScope,
    WebSocketSendEvent,
)
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.frames import CloseCode
from websockets.typing import Subprotocol

from sipengine.relay_note import HEADER, Client, write_note

_log = logging.getLogger(__name__)

PATH: Final = "/sip"
SUBPROTOCOL: Final = "sip"

MESSAGE: Final = 65_536
"""Bytes of a SIP message, as everywhere."""

AT_ONCE: Final = 5_000
"""Relayed clients in all: at some 60 kB for both of its connections, 300 MB."""

CONNECT_S: Final = 5.0
"""For the engine to answer; a page tries again by itself."""

SEND_S: Final = 30.0
"""For a client or the engine to take one message: who does not read for longer is gone."""

_QUEUE: Final = 8  # messages read ahead of a slow browser; then the engine waits, then it closes


class SipRelay:
    """ASGI application for the WebSocket path `/sip`."""

    def __init__(self, engine: tuple[str, int], key: bytes) -> None:
        """`engine` is where the engine listens for WebSockets, `key` signs the notes to it."""
        host, port = engine
        self._address = f"ws://{f'[{host}]' if ':' in host else host}:{port}{PATH}"
        self._key = key
        self._count = 0

    async def __call__(
        self, scope: WebSocketScope, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        await receive()  # websocket.connect
        if SUBPROTOCOL not in scope["subprotocols"] or self._count >= AT_ONCE:
            await _close(send, CloseCode.POLICY_VIOLATION)
            return
        self._count += 1
        try:
            await self._relay(scope, receive, send)
        finally:
            self._count -= 1

    async def _relay(
        self, scope: WebSocketScope, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        host, port = scope["client"] or ("127.0.0.1", 0)
        client = Client(host, port, secure=scope["scheme"] == "wss")
        try:
            engine = await connect(
                self._address,
                subprotocols=[Subprotocol(SUBPROTOCOL)],
                additional_headers={HEADER: write_note(client, self._key, time.time())},
                compression=None,
                open_timeout=CONNECT_S,
                close_timeout=1.0,
                ping_interval=None,  # the engine asks, and the browser's side is asked by uvicorn
                max_size=MESSAGE,
                max_queue=_QUEUE,
                proxy=None,
            )
        except (OSError, TimeoutError, WebSocketException) as error:
            _log.warning("a SIP WebSocket was refused, the engine does not take it: %s", error)
            await _close(send, CloseCode.TRY_AGAIN_LATER)
            return
        code = CloseCode.GOING_AWAY
        try:
            await send({"type": "websocket.accept", "subprotocol": SUBPROTOCOL, "headers": []})
            up = asyncio.create_task(_up(receive, engine))
            down = asyncio.create_task(_down(engine, send))
            done, waiting = await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
            for task in waiting:
                task.cancel()
            await asyncio.wait(waiting)
            for task in done:
                task.result()  # a defect of ours is told, not swallowed
            code = CloseCode(engine.close_code) if engine.close_code in _TOLD else code
        finally:
            await engine.close()
            await _close(send, code)


_TOLD: Final = frozenset({1000, 1001, 1002, 1007, 1008, 1009})
"""Close codes of the engine that say something to the client, as they are."""


async def _up(receive: ASGIReceiveCallable, engine: ClientConnection) -> None:
    """From the client to the engine, until either is gone."""
    with contextlib.suppress(ConnectionClosed, TimeoutError):
        while True:
            event = await receive()
            if event["type"] != "websocket.receive":
                return
            text = event.get("text")
            data = event.get("bytes") or b""
            async with asyncio.timeout(SEND_S):
                await engine.send(data if text is None else text)


async def _down(engine: ClientConnection, send: ASGISendCallable) -> None:
    """From the engine to the client, until either is gone."""
    with contextlib.suppress(OSError, TimeoutError):  # uvicorn's ClientDisconnected is an OSError
        async for message in engine:
            event: WebSocketSendEvent
            if isinstance(message, str):
                event = {"type": "websocket.send", "text": message, "bytes": None}
            else:
                event = {"type": "websocket.send", "text": None, "bytes": bytes(message)}
            async with asyncio.timeout(SEND_S):
                await send(event)


async def _close(send: ASGISendCallable, code: CloseCode) -> None:
    with contextlib.suppress(OSError):  # the client was first
        await send({"type": "websocket.close", "code": code, "reason": None})
