"""A gateway in this loop, a controller that speaks ng to it, and phones that are two UDP sockets."""

from __future__ import annotations

import asyncio
import itertools
import math
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from sipengine.gateway.gateway import Gateway
from sipengine.gateway.ng_server import NgServer
from sipengine.gateway.process import Process, Settings
from sipengine.gateway.sdp.description import parse
from sipengine.gateway.sdp.sides import Remote, read_remote
from sipengine.gateway.shared_port import SharedPort
from sipengine.media.bencode import decode, encode, text

HERE = "127.0.0.1"
TO_PHONE = {
    "transport-protocol": "RTP/AVP",
    "ICE": "remove",
    "DTLS": "off",
    "rtcp-mux": ["demux"],
    "replace": ["origin", "session-connection"],
}
TO_BROWSER = {
    "transport-protocol": "UDP/TLS/RTP/SAVPF",
    "ICE": "force",
    "SDES": ["off"],
    "rtcp-mux": ["offer", "require"],
    "replace": ["origin", "session-connection"],
}
TO_SRTP_PHONE = {**TO_PHONE, "transport-protocol": "RTP/SAVP"}


class Controller:
    """Sends commands over a socket, as the engine or anybody else does."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.connect(address)
        self._count = itertools.count(1)

    async def exchange(self, datagram: bytes, seconds: float = 5.0) -> bytes:
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(self.socket, datagram)
        async with asyncio.timeout(seconds):
            return await loop.sock_recv(self.socket, 65536)

    async def ask(self, **command: Any) -> dict[str, Any]:
        """Keys with `_` for ng's `-`."""
        named = {name.replace("_", "-"): value for name, value in command.items()}
        cookie = b"c%d" % next(self._count)
        answer = await self.exchange(cookie + b" " + encode(named))
        got, _, body = answer.partition(b" ")
        assert got == cookie
        decoded = decode(body)
        assert isinstance(decoded, dict)
        return decoded

    async def offer(self, call: str, tag: str, sdp: str, **more: Any) -> str:
        named = {name.replace("-", "_"): value for name, value in more.items()}
        told = await self.ask(command="offer", call_id=call, from_tag=tag, sdp=sdp, **named)
        assert text(told.get("result")) == "ok", told
        return text(told["sdp"])

    async def answer(self, call: str, tags: tuple[str, str], sdp: str, **more: Any) -> str:
        named = {name.replace("-", "_"): value for name, value in more.items()}
        told = await self.ask(
            command="answer", call_id=call, from_tag=tags[0], to_tag=tags[1], sdp=sdp, **named
        )
        assert text(told.get("result")) == "ok", told
        return text(told["sdp"])

    def close(self) -> None:
        self.socket.close()


@dataclass
class Served:
    """What a test needs of it."""

    shared: SharedPort
    gateway: Gateway
    server: NgServer
    controller: Controller
    closers: list[Callable[[], None] | Callable[[], Awaitable[None]]] = field(default_factory=list)

    @property
    def counters(self) -> dict[str, int]:
        return self.gateway._surroundings.counters

    def phone(self, host: str = HERE) -> Phone:
        phone = Phone(host)
        self.closers.append(phone.close)
        return phone


def serve(
    ports: tuple[int, int],
    advertised: str = HERE,
    bind: str = HERE,
    local: tuple[str, ...] = (),
) -> Served:
    """The whole range `ports`, as PBX_RTP_PORTS would be."""
    loop = asyncio.get_running_loop()
    process = Process(Settings((bind,), advertised, local or (bind,), ports))
    shared, gateway, server = process.open(loop)
    gateway.start()
    return Served(shared, gateway, server, Controller((HERE, server.port)))


async def stop(served: Served) -> None:
    for closer in served.closers:
        done = closer()
        if done is not None:
            await done
    served.gateway.stop()
    served.server.close()
    await asyncio.sleep(0.05)  # DTLS says good-bye in tasks of its own
    served.shared.close()
    served.controller.close()


class Phone:
    """RTP and RTCP sockets; packets that came are kept."""

    def __init__(self, host: str = HERE) -> None:
        self.host = host
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.rtp = socket.socket(family, socket.SOCK_DGRAM)
        self.rtcp = socket.socket(family, socket.SOCK_DGRAM)
        self.rtp.bind((host, 0))
        self.rtcp.bind((host, 0))
        self.port = self.rtp.getsockname()[1]
        self.rtcp_port = self.rtcp.getsockname()[1]
        self.received: list[bytes] = []
        self.reports: list[bytes] = []
        loop = asyncio.get_running_loop()
        for each, kept in ((self.rtp, self.received), (self.rtcp, self.reports)):
            each.setblocking(False)
            loop.add_reader(each.fileno(), _keep, each, kept)
        self.sequence = 100
        self.stamp = 5000
        self.ssrc = 0x11223344

    def sdp(
        self, formats: str = "0 8 101", extra: str = "", protocol: str = "RTP/AVP", **numbers: int
    ) -> str:
        """`numbers` are other payload numbers for `opus`, `event` and `wide_event` (48 kHz)."""
        opus, event = numbers.get("opus", 96), numbers.get("event", 101)
        wide = numbers.get("wide_event", 97)
        maps = {
            "9": "a=rtpmap:9 G722/8000\r\n",
            "96": f"a=rtpmap:{opus} opus/48000/2\r\n",
            "97": f"a=rtpmap:{wide} telephone-event/48000\r\na=fmtp:{wide} 0-15\r\n",
            "101": f"a=rtpmap:{event} telephone-event/8000\r\na=fmtp:{event} 0-15\r\n",
        }
        others = {"96": str(opus), "97": str(wide), "101": str(event)}
        written = " ".join(others.get(number, number) for number in formats.split())
        lines = "".join(maps.get(number, "") for number in formats.split())
        kind = "IP6" if ":" in self.host else "IP4"
        return (
            f"v=0\r\no=phone 1 1 IN {kind} {self.host}\r\ns=call\r\nc=IN {kind} {self.host}\r\nt=0 0\r\n"
            f"m=audio {self.port} {protocol} {written}\r\na=rtcp:{self.rtcp_port}\r\n"
            f"{lines}a=ptime:20\r\na=sendrecv\r\n{extra}"
        )

    def packet(self, payload: bytes = b"\xd5" * 160, number: int = 8, step: int = 160) -> bytes:
        self.sequence = (self.sequence + 1) & 0xFFFF
        self.stamp = (self.stamp + step) & 0xFFFFFFFF
        head = struct.pack("!BBHII", 0x80, number, self.sequence, self.stamp, self.ssrc)
        return head + payload

    def send(self, where: Remote, payload: bytes = b"\xd5" * 160, number: int = 8) -> None:
        self.rtp.sendto(self.packet(payload, number), (where.host, where.port))

    async def talk(self, where: Remote, count: int, number: int = 8) -> None:
        """As fast as the other end takes it: nothing here plays out."""
        for _ in range(count):
            self.send(where, number=number)
            await asyncio.sleep(0.001)

    def close(self) -> None:
        loop = asyncio.get_running_loop()
        for each in (self.rtp, self.rtcp):
            loop.remove_reader(each.fileno())
            each.close()


def _keep(each: socket.socket, kept: list[bytes]) -> None:
    while True:
        try:
            kept.append(each.recv(2048))
        except BlockingIOError:
            return
        except OSError:
            continue


def audio(sdp: str) -> Remote:
    """What a description says of its audio."""
    description = parse(sdp)
    index = next(i for i, media in enumerate(description.media) if media.kind == "audio")
    return read_remote(description, description.media[index])


def header(packet: bytes) -> tuple[int, int, int, int]:
    """(payload number, sequence, timestamp, source)."""
    _, second, sequence, stamp, ssrc = struct.unpack_from("!BBHII", packet)
    return second & 0x7F, sequence, stamp, ssrc


def tone(frequency: float, count: int, start: int = 0) -> bytes:
    """`count` octets of A-law, a sine."""
    from sipengine.gateway.g711 import a_value

    values = sorted((a_value(code), code) for code in range(256))
    out = bytearray()
    for position in range(start, start + count):
        wanted = 12000 * math.sin(2 * math.pi * frequency * position / 8000)
        out.append(min(values, key=lambda pair: abs(pair[0] - wanted))[1])
    return bytes(out)
