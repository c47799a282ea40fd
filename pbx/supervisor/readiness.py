"""Does a part answer? One short question each, over the way its users come."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import ssl
from pathlib import Path
from typing import Final, cast

_ANSWER_DEADLINE: Final = 1.0  # seconds; asked again afterwards


async def valkey_answers(socket: Path) -> bool:
    try:
        async with asyncio.timeout(_ANSWER_DEADLINE):
            reader, writer = await asyncio.open_unix_connection(str(socket))
            writer.write(b"PING\r\n")
            answer = await reader.readline()
            writer.close()
    except (OSError, TimeoutError):
        return False
    return answer.startswith(b"+PONG")


async def web_answers(
    host: str, port: int, *, tls: bool = False, path: str = "/healthz/web"
) -> bool:
    """Whether a GET of `path` is answered with 200. `/healthz` asks for all the parts."""
    context = None
    if tls:
        context = ssl.create_default_context()
        context.check_hostname = False  # our own part on our own address: no one else to mistake
        context.verify_mode = ssl.CERT_NONE
    try:
        async with asyncio.timeout(10 * _ANSWER_DEADLINE):  # the first request loads every page
            reader, writer = await asyncio.open_connection(host, port, ssl=context)
            writer.write(
                f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
            )
            status = await reader.readline()
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
    except (OSError, TimeoutError):
        return False
    return b" 200 " in status


async def engine_answers(host: str, port: int) -> bool:
    """Whether a SIP OPTIONS request over UDP (RFC 3261 §11) is answered, whatever the answer."""
    loop = asyncio.get_running_loop()
    try:
        transport, asker = await loop.create_datagram_endpoint(
            _OptionsAsker, remote_addr=(host, port)
        )
    except OSError:
        return False
    try:
        async with asyncio.timeout(_ANSWER_DEADLINE / 2):
            await asker.over.wait()
    except TimeoutError:
        return False
    finally:
        transport.close()
    return asker.answered


class _OptionsAsker(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.over = asyncio.Event()
        self.answered = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        asking = cast(asyncio.DatagramTransport, transport)
        host, port = transport.get_extra_info("sockname")[:2]
        here = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        there = transport.get_extra_info("peername")[:2]
        to = f"[{there[0]}]:{there[1]}" if ":" in there[0] else f"{there[0]}:{there[1]}"
        mark = secrets.token_hex(8)
        asking.sendto(
            f"OPTIONS sip:{to} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {here};branch=z9hG4bK{mark};rport\r\n"
            "Max-Forwards: 1\r\n"
            f"From: <sip:supervisor@{here}>;tag={mark}\r\n"
            f"To: <sip:{to}>\r\n"
            f"Call-ID: {mark}\r\n"
            "CSeq: 1 OPTIONS\r\n"
            "Content-Length: 0\r\n\r\n".encode()
        )

    def datagram_received(self, data: bytes, address: object) -> None:
        self.answered = data.startswith(b"SIP/2.0 ")
        self.over.set()

    def error_received(self, error: Exception) -> None:  # port unreachable: not there yet
        self.over.set()
