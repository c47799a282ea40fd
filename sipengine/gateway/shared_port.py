"""The one UDP port that all browsers use: a socket an address, packets told apart by RFC 7983 §7.

A packet reaches a call by the fragment in its STUN USERNAME, everything else by the address that a
check proved. What fits neither costs one look into a table.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import Counter
from time import monotonic, time
from typing import Final, Protocol

from sipengine.gateway import stun
from sipengine.gateway.probe import Probe
from sipengine.gateway.rtp_ports import LONGEST_PACKET, SHARED_BUFFER, bind_udp

BURST: Final = 64
"""Packets taken in one go before the others of the loop have their turn: about 2 ms."""

EAGER_S: Final = 0.0001
"""Called again so soon, the loop did not sleep: more packets wait, and a batch is worth trying. Else one
is read a wake-up, for a second one that is not there costs a system call and an exception."""

Address = tuple[str, int]


class WebEnd(Protocol):
    """What the port asks of a leg."""

    def on_stun(self, data: bytes, way: int, source: Address, now: float) -> None: ...
    def on_dtls(self, data: bytes) -> None: ...
    def on_media(self, data: bytes, now: float) -> None: ...


class SharedPort:
    """`hosts` are this machine's numeric addresses; a reply leaves from where its packet came to."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, counters: Counter[str], probe: Probe
    ) -> None:
        self._loop = loop
        self._probe = probe
        self._counters = counters
        self._sockets: list[socket.socket] = []
        self._by_source: list[dict[Address, WebEnd]] = []
        self._by_ufrag: dict[str, WebEnd] = {}
        self._read_at = 0.0
        self.port = 0

    def open(self, hosts: list[str], port: int) -> None:
        """Raises `OSError` if one of them is in use."""
        for host in hosts:
            opened = bind_udp(host, port or self.port, SHARED_BUFFER)
            if opened is None:
                self.close()
                raise OSError(98, f"UDP port {port} of {host} is in use")
            self.port = opened.getsockname()[1]
            self._sockets.append(opened)
            self._by_source.append({})
        for way, each in enumerate(self._sockets):
            self._loop.add_reader(each.fileno(), self._on_readable, way, each)

    def close(self) -> None:
        for each in self._sockets:
            if each.fileno() >= 0:
                self._loop.remove_reader(each.fileno())
            each.close()
        self._sockets.clear()

    def sender(self, way: int) -> socket.socket:
        return self._sockets[way]

    # -- who is behind what

    def expect(self, ufrag: str, end: WebEnd) -> None:
        self._by_ufrag[ufrag] = end

    def know(self, way: int, source: Address, end: WebEnd) -> None:
        """From now on, what comes from there is this leg's."""
        self._by_source[way][source] = end

    def forget_source(self, way: int, source: Address) -> None:
        self._by_source[way].pop(source, None)

    def forget(self, end: WebEnd) -> None:
        for table in self._by_source:
            for source in [source for source, known in table.items() if known is end]:
                del table[source]
        for ufrag in [ufrag for ufrag, known in self._by_ufrag.items() if known is end]:
            del self._by_ufrag[ufrag]

    # -- packets

    def _on_readable(self, way: int, here: socket.socket) -> None:
        now = monotonic()
        receive = here.recvfrom
        by_source = self._by_source[way]
        batch = BURST if now - self._read_at < EAGER_S else 1
        self._read_at = now
        for _ in range(batch):
            try:
                data, raw = receive(LONGEST_PACKET)
            except BlockingIOError:
                return
            except OSError:  # an ICMP error of an earlier packet
                continue
            source = raw if len(raw) == 2 else raw[:2]
            first = data[0] if data else 255
            if 128 <= first < 192:
                end = by_source.get(source)
                if end is not None:
                    end.on_media(data, now)
                else:
                    self._counters["packets_from_strangers"] += 1
            elif first < 4:
                self._on_stun(data, way, source, now)
            elif 20 <= first < 64:
                end = by_source.get(source)
                if end is not None:
                    end.on_dtls(data)
                else:
                    self._counters["dtls_from_strangers"] += 1
            else:
                self._counters["packets_of_no_kind"] += 1

    def _on_stun(self, data: bytes, way: int, source: Address, now: float) -> None:
        if not stun.is_request(data):
            self._counters["stun_not_understood"] += 1
            return
        end = self._by_ufrag.get(stun.local_ufrag_of(data))
        if end is None:
            answer = self._probe.answer(data, source, time())
            if answer is None:
                self._counters["stun_for_nobody"] += 1
            else:
                self._counters["paths_probed"] += 1
                with contextlib.suppress(
                    OSError
                ):  # it has gone, or its buffer is full: it asks again
                    self._sockets[way].sendto(answer, source)
            return
        end.on_stun(data, way, source, now)
