"""SIP by hand over a WebSocket (RFC 7118): the same doings as `tests.support.wire.Wire`."""

from __future__ import annotations

import time
from contextlib import ExitStack

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from tests.support.wire import Address, Message, Wire, parse


class WsWire(Wire):
    """One WebSocket to the engine's own listener; it names itself as browsers do, by no real host."""

    def __init__(self, server: Address) -> None:
        self.server = server
        self.transport = "ws"
        self.received: list[Message] = []
        self._buffer = b""
        self._stack = ExitStack()
        self._client = self._stack.enter_context(
            connect(
                f"ws://{server[0]}:{server[1]}/sip",
                subprotocols=[Subprotocol("sip")],
                compression=None,
                proxy=None,
                ping_interval=None,
            )
        )
        self.socket = self._client.socket
        self.address = ("nowhere.invalid", 5060)

    def close(self) -> None:
        self._stack.close()

    def send(self, message: str | bytes) -> None:
        if isinstance(message, str):
            self._client.send(message.replace("\r\n", "\n").replace("\n", "\r\n"))
        else:
            self._client.send(message)

    def is_closed(self, deadline: float = 5.0) -> bool:
        try:
            while self._client.recv(deadline):
                continue
        except ConnectionClosed:
            return True
        except TimeoutError:
            return False
        return False

    def _next(self, end: float) -> Message | None:
        try:
            data = self._client.recv(max(0.0, end - time.monotonic()))
        except (TimeoutError, ConnectionClosed):
            return None
        message = parse(data.encode() if isinstance(data, str) else data, self.server)
        self.received.append(message)
        return message
