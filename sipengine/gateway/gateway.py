"""All calls of one gateway process, and the commands of its controller (rtpengine's ng protocol)."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import secrets
import socket
from collections.abc import Callable
from time import time
from typing import Final

import structlog

from sipengine.gateway.call import Call, Wish
from sipengine.gateway.keys import KEYS
from sipengine.gateway.leg import WAITING
from sipengine.gateway.quality import figures
from sipengine.gateway.rtp_ports import NoPort
from sipengine.gateway.sdp.description import BadSdp
from sipengine.gateway.surroundings import Surroundings
from sipengine.media.bencode import Value, text

MAX_CALLS: Final = 2000
"""More than a core can carry; each takes four sockets or two and some 60 kB."""

MAX_NAME: Final = 512
USUAL_KEY_MS: Final = 250
TICK_S: Final = 1.0

Request = dict[str, Value]


class Refused(Exception):
    """A command that cannot be done; the text is the controller's error-reason."""


class Gateway:
    def __init__(self, loop: asyncio.AbstractEventLoop, surroundings: Surroundings) -> None:
        self._loop = loop
        self._surroundings = surroundings
        self._calls: dict[str, Call] = {}
        self._log = structlog.get_logger()
        self._ticking: asyncio.TimerHandle | None = None
        self._born = secrets.token_hex(8)
        self._commands: dict[str, Callable[[Request], dict[str, Value]]] = {
            "ping": lambda request: {"result": "pong", "born": self._born},
            "offer": self._offer,
            "answer": self._answer,
            "delete": self._delete,
            "query": self._query,
            "list": self._list,
            "statistics": self._statistics,
            "play DTMF": self._play_key,
        }
        self.total = 0

    def start(self) -> None:
        self._ticking = self._loop.call_later(TICK_S, self._tick)

    def stop(self) -> None:
        if self._ticking is not None:
            self._ticking.cancel()
        now = self._loop.time()
        for call in self._calls.values():
            call.close(now)
        self._calls.clear()

    @property
    def call_count(self) -> int:
        return len(self._calls)

    def command(self, request: Request) -> dict[str, Value]:
        """Do what a controller asks; what cannot be done is answered, never raised."""
        name = text(request.get("command"))
        do = self._commands.get(name)
        if do is None:
            return _error(f"Unrecognized command: {name[:40]}")
        try:
            return do(request)
        except (Refused, BadSdp, NoPort) as error:
            self._surroundings.counters[f"refused_{name}"] += 1
            self._log.warning("command refused", command=name, why=str(error))
            return _error(str(error))

    # -- commands

    def _offer(self, request: Request) -> dict[str, Value]:
        name = self._name(request)
        call = self._calls.get(name)
        new = call is None
        if call is None:
            if len(self._calls) >= MAX_CALLS:
                raise Refused("this gateway has as many calls as it can carry")
            call = Call(name, self._surroundings, self._loop, self._loop.time())
            call.told_keys = self._key_pressed
        try:
            sdp = call.offer(_tag(request, "from-tag"), text(request.get("sdp")), _wish(request))
        except (BadSdp, NoPort):
            if new:
                call.close(self._loop.time())
            raise
        if new:
            self._calls[name] = call
            self.total += 1
            self._log.info("call begins", call=name)
        return {"result": "ok", "sdp": sdp}

    def _answer(self, request: Request) -> dict[str, Value]:
        call = self._known(request)
        sdp = call.answer(
            _tag(request, "to-tag"), text(request.get("sdp")), _wish(request).signalled_from
        )
        return {"result": "ok", "sdp": sdp}

    def _delete(self, request: Request) -> dict[str, Value]:
        call = self._known(request)
        answer = self._told(call)
        call.close(self._loop.time())
        del self._calls[call.name]
        self._log.info("call ends", call=call.name)
        return answer

    def _query(self, request: Request) -> dict[str, Value]:
        call = self._known(request)
        call.asked_at = self._loop.time()
        return self._told(call)

    def _list(self, request: Request) -> dict[str, Value]:
        limit = request.get("limit")
        most = (
            limit if isinstance(limit, int) and 0 < limit < 1000 else 32
        )  # rtpengine's own default
        names: list[Value] = [*list(self._calls)[:most]]
        return {"result": "ok", "calls": names}

    def _statistics(self, request: Request) -> dict[str, Value]:
        """Counters since the start, for whoever looks after the gateway."""
        ports = self._surroundings.ports
        figures_now: dict[str, Value] = dict(self._surroundings.counters)
        figures_now |= {
            "calls_now": len(self._calls),
            "calls": self.total,
            "port_pairs_now": ports.taken,
            "port_pairs": ports.pairs,
        }
        return {"result": "ok", "statistics": figures_now}

    def _play_key(self, request: Request) -> dict[str, Value]:
        """rtpengine's "play DTMF": `from-tag` is who pressed the key."""
        call = self._known(request)
        code = request.get("code")
        event = code if isinstance(code, int) else KEYS.find(text(code).upper() or "?")
        if not 0 <= event < len(KEYS):
            raise Refused("Out of range 'code' for a DTMF event")
        duration = request.get("duration")
        length = duration if isinstance(duration, int) else USUAL_KEY_MS
        if not call.play_key(_tag(request, "from-tag"), event, length):
            raise Refused("the other side takes no telephone events")
        return {"result": "ok"}

    def _key_pressed(self, call: Call, tag: str, event: int, milliseconds: int) -> None:
        """Tell the controller, as rtpengine's DTMF log does."""
        if call.keys_to is None:
            return
        told = {
            "callid": call.name,
            "source_tag": tag,
            "type": "DTMF",
            "timestamp": int(time()),
            "event": event,
            "duration": milliseconds,
            "volume": 10,
        }
        family = socket.AF_INET6 if ":" in call.keys_to[0] else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as sending:
            sending.setblocking(False)
            try:
                sending.sendto(json.dumps(told).encode(), call.keys_to)
            except OSError:  # it does not listen any more
                self._surroundings.counters["keys_not_told"] += 1

    def _told(self, call: Call) -> dict[str, Value]:
        """Figures of both sides; `totals` as rtpengine tells them, `quality` with what it has no word for."""
        tags: dict[str, Value] = {}
        packets = octets = lost = 0
        now = self._loop.time()
        for position, leg in enumerate(call.legs):
            other = call.legs[1 - position] if len(call.legs) == 2 else None
            values: dict[str, Value] = dict(figures(leg, other, now))
            values["kind"] = "web" if leg.is_web else "srtp" if leg.is_secure else "rtp"
            values["trouble"] = leg.trouble
            values["gone"] = int(leg.is_gone)
            link = leg.link(now)
            values["waits"] = int(link == WAITING)
            values["fault"] = "" if link == WAITING else link
            values["codec"] = leg.codec
            values["transcoded"] = int(leg.path is not None and leg.path.transcodes)
            tags[leg.tag or f"unanswered {position}"] = values
            packets += leg.incoming.packets
            octets += leg.incoming.octets
            lost += leg.incoming.lost
        totals: Value = {"RTP": {"packets": packets, "bytes": octets, "errors": lost}}
        age = int(now - call.created_at)
        return {"result": "ok", "age": age, "totals": totals, "quality": tags}

    def _known(self, request: Request) -> Call:
        call = self._calls.get(self._name(request))
        if call is None:
            raise Refused("Unknown call-id")
        return call

    def _name(self, request: Request) -> str:
        name = text(request.get("call-id"))
        if not name or len(name) > MAX_NAME:
            raise Refused("No call-id in message")
        return name

    # -- time

    def _tick(self) -> None:
        self._ticking = self._loop.call_later(TICK_S, self._tick)
        now = self._loop.time()
        for call in list(self._calls.values()):
            if call.is_stale(now):
                self._surroundings.counters["stale_calls"] += 1
                self._log.warning("call forgotten: nothing was heard of it", call=call.name)
                call.close(now)
                del self._calls[call.name]
            else:
                call.tick(now)


def _tag(request: Request, key: str) -> str:
    tag = text(request.get(key))
    if not tag or len(tag) > MAX_NAME:
        raise Refused(f"No {key} in message")
    return tag


def _wish(request: Request) -> Wish:
    received = request.get("received-from") or request.get("received from")
    host = text(received[1]) if isinstance(received, list) and len(received) == 2 else ""
    try:
        host = str(ipaddress.ip_address(host)) if host else ""
    except ValueError:
        host = ""
    codecs = request.get("codec")
    added = codecs.get("transcode") if isinstance(codecs, dict) else None
    names = [text(item) for item in added[:16]] if isinstance(added, list) else []
    return Wish(
        protocol=text(request.get("transport-protocol")).upper(),
        family=text(request.get("address-family")).upper(),
        added=tuple(names),
        signalled_from=host,
        keys_to=_address(text(request.get("DTMF-log-dest"))),
    )


def _address(written: str) -> tuple[str, int] | None:
    host, _, port = written.rpartition(":")
    try:
        host = str(ipaddress.ip_address(host.strip("[]")))
    except ValueError:
        return None
    return (host, int(port)) if port.isascii() and port.isdigit() and len(port) < 6 else None


def _error(why: str) -> dict[str, Value]:
    return {"result": "error", "error-reason": why}
