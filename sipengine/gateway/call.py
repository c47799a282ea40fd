"""One call at the gateway: two legs, the offers and answers that shape them (RFC 3264), the paths between."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from sipengine.gateway.keys import HeardKeys, PlayedKeys
from sipengine.gateway.leg import Leg
from sipengine.gateway.path import Path
from sipengine.gateway.rtp_leg import RtpLeg, family_of
from sipengine.gateway.rtp_ports import NoPort
from sipengine.gateway.sdp.choosing import (
    Route,
    answered_formats,
    numbered,
    offered_formats,
    routes,
)
from sipengine.gateway.sdp.description import BadSdp, Description, parse
from sipengine.gateway.sdp.formats import EVENTS, OPUS, Codec, Format, find, voice_of
from sipengine.gateway.sdp.sides import Local, Remote, audio_index, read_remote
from sipengine.gateway.sdp.writing import describe
from sipengine.gateway.surroundings import Surroundings
from sipengine.gateway.transcoding import make_transcoder
from sipengine.gateway.transcoding_path import TranscodingPath
from sipengine.gateway.web_leg import WebLeg

IDLE_S: Final = 900.0
"""A call of which nothing is heard, no media, report, check or question of its controller: its `delete`
was lost. Two who hold each other send nothing for as long as they like."""

UNANSWERED_S: Final = 600.0
"""An offer nobody answered: longer than any phone rings."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What the controller asks for besides the description itself.

    `protocol` and `family` are of the side that gets the rewritten description ("" for the
    sender's), `added` codecs to offer besides, `signalled_from` the host the sender signals from.
    `keys_to` is who wants to be told of pressed keys that the other side cannot be sent.
    """

    protocol: str = ""
    family: str = ""
    added: tuple[str, ...] = ()
    signalled_from: str = ""
    keys_to: tuple[str, int] | None = None


@dataclass(frozen=True, slots=True)
class Offered:
    """An offer that went on, kept for its answers: there may be several, of a fork or 183 then 200."""

    description: Description
    index: int
    remote: Remote
    offerer: Leg
    answerer: Leg
    formats: tuple[Format, ...]


class Call:
    def __init__(
        self, name: str, surroundings: Surroundings, loop: asyncio.AbstractEventLoop, now: float
    ) -> None:
        self.name = name
        self.legs: list[Leg] = []
        self.answered_at = 0.0
        self.created_at = now
        self.asked_at = 0.0  # when its controller last wanted to know of it
        self._surroundings = surroundings
        self._loop = loop
        self._offered: Offered | None = None
        self.keys_to: tuple[str, int] | None = None
        self.told_keys: Callable[[Call, str, int, int], None] | None = None

    # -- offer and answer

    def offer(self, tag: str, sdp: str, wish: Wish) -> str:
        """The offer of the side `tag` as the other side gets it. Raises `BadSdp`, `NoPort`."""
        description = parse(sdp)
        index = audio_index(description)
        remote = read_remote(description, description.media[index])
        if not description.media[index].port:
            raise BadSdp("the offer wants no audio")
        host = wish.signalled_from if remote.named else remote.host
        family = family_of(host) if host else ""
        offerer, answerer = self._sides(tag)
        if offerer is None and remote.is_web:
            offerer = self._forked(tag, remote)
        offerer = self._leg(offerer, remote.is_web, remote.is_srtp, family, wish.signalled_from)
        protocol = wish.protocol or remote.protocol
        to_web = "TLS" in protocol
        secure, other_family = "SAVP" in protocol, wish.family or offerer.family
        try:
            answerer = self._leg(answerer, to_web, secure, other_family, "")
        except NoPort:
            if offerer not in self.legs:
                offerer.close(self._loop.time())
            raise
        offerer.tag = tag
        if isinstance(offerer, WebLeg) and offerer not in self.legs:
            offer = (self.name.partition("-")[2], tag, remote.ufrag, remote.password)
            self._surroundings.web_offers.setdefault(offer, offerer)
        for leg in [leg for leg in self.legs if leg not in (offerer, answerer)]:
            leg.close(self._loop.time())
        self.legs = [offerer, answerer]
        for item in remote.formats:
            offerer.numbers.setdefault(item.codec, item.number)
        self.keys_to = wish.keys_to or self.keys_to
        wanted = offered_formats(remote.formats, list(wish.added), self.keys_to is not None)
        formats = numbered(wanted, answerer.numbers)
        local = answerer.local_offer(protocol, formats, remote)
        self._offered = Offered(description, index, remote, offerer, answerer, formats)
        return describe(description, index, local, None)

    def answer(self, tag: str, sdp: str, signalled_from: str) -> str:
        """The answer of the side `tag` as the offerer gets it; media flows from now on.

        Raises `BadSdp`; the call then stays as it was.
        """
        pending = self._offered
        if pending is None:
            raise BadSdp("there is no offer that this could answer")
        description = parse(sdp)
        if len(description.media) <= pending.index:
            raise BadSdp("the answer has fewer media than the offer")
        media = description.media[pending.index]
        remote = read_remote(description, media)
        offerer, answerer = pending.offerer, pending.answerer
        if not media.port:
            refusal = Local(
                pending.remote.protocol, self._refused_host(offerer), 0, 0, (), remote.direction
            )
            return describe(description, pending.index, refusal, pending.description)
        keys = self.keys_to is not None
        accepted = answered_formats(pending.remote.formats, remote.formats, keys)
        if not accepted:
            raise BadSdp("the two sides share no codec, nor one that can be turned into another")
        local = offerer.local_answer(pending.remote, accepted, remote)
        if isinstance(answerer, RtpLeg):
            answerer.signalled_from = signalled_from
        # Of what it was offered it may send what its answer names (RFC 3264 §7).
        named = [item for item in pending.formats if find(remote.formats, item.codec)]
        offerer.told, answerer.told = accepted, tuple(named) or pending.formats
        answerer.agree(remote)
        offerer.agree(pending.remote)
        answerer.tag = tag
        self._join(offerer, answerer, accepted, remote)
        self.answered_at = self.answered_at or self._loop.time()
        return describe(description, pending.index, local, pending.description)

    def _refused_host(self, leg: Leg) -> str:
        return self._surroundings.place(leg.family).advertised

    def _sides(self, tag: str) -> tuple[Leg | None, Leg | None]:
        """(the leg of `tag`, the other one); a tag not seen yet is that of the side still unnamed."""
        if not self.legs:
            return None, None
        first, second = self.legs
        return (first, second) if first.tag == tag else (second, first)

    def _leg(
        self, leg: Leg | None, web: bool, secure: bool, family: str, signalled_from: str
    ) -> Leg:
        """`leg` if it can serve, else a new one of the kind that is needed."""
        family = family or (leg.family if leg is not None else self._surroundings.usual_family)
        if leg is not None and leg.is_web == web and (web or leg.is_secure == secure):
            if isinstance(leg, RtpLeg) and signalled_from:
                leg.signalled_from = signalled_from
            if leg.family == family or web:
                return leg
        if web:
            return WebLeg(self._surroundings, self._web_family(family))
        return RtpLeg(
            self._surroundings, family, self._loop, secure=secure, signalled_from=signalled_from
        )

    def _web_family(self, family: str) -> str:
        return family if family in self._surroundings.places else self._surroundings.usual_family

    def _forked(self, tag: str, remote: Remote) -> Leg | None:
        """The leg that the same offer has already made: the engine forks a call into several, whose names
        differ before the first hyphen. Nobody else knows the browser's ICE password."""
        dialog = self.name.partition("-")[2]
        known = self._surroundings.web_offers.get((dialog, tag, remote.ufrag, remote.password))
        return known.shared_with_another() if dialog and isinstance(known, WebLeg) else None

    def _join(
        self, offerer: Leg, answerer: Leg, accepted: tuple[Format, ...], remote: Remote
    ) -> None:
        former, offerer.partner = offerer.partner, answerer
        if former is not None and former is not answerer:
            former.drop_path()  # of a fork, one phone is heard at a time: who answered last
        offerer.path = self._path(offerer, answerer, accepted, remote.formats)
        answerer.path = self._path(answerer, offerer, answerer.told, accepted)

    def _path(
        self, sender: Leg, receiver: Leg, told: tuple[Format, ...], wanted: tuple[Format, ...]
    ) -> Path:
        """The way from `sender` to `receiver`; the present one if nothing changes for it."""
        table = routes(told, wanted)
        events = [item for item in told if item.codec.name == EVENTS]
        clocks = {item.number: item.codec.clock for item in events if item.number not in table}
        path = sender.path
        if path is not None and path.serves(receiver, table) and path.hears(clocks):
            return path
        former = None if path is None else path.heard
        if isinstance(path, PlayedKeys):
            path.end()
        path = self._new_path(sender, receiver, told, wanted, table)
        if former is not None and former.clocks == clocks:
            path.heard = former  # which knows what it has told
        elif clocks and self.told_keys is not None:
            path.heard = HeardKeys(clocks, partial(self.told_keys, self, sender.tag))
        return path

    def play_key(self, tag: str, event: int, milliseconds: int) -> bool:
        """Have the other side hear a key as if `tag` had pressed it (RFC 4733); False if it cannot."""
        sender, receiver = self._sides(tag)
        if sender is None or receiver is None or sender.tag != tag or receiver.remote is None:
            return False
        path = sender.path
        if not isinstance(path, PlayedKeys):
            voice = voice_of(receiver.remote.formats)
            clock = voice[0].codec.clock if voice else 8000
            found = find(receiver.remote.formats, Codec(EVENTS, clock))
            if path is None or found is None:
                return False

            def restore(played: PlayedKeys) -> None:
                played.outgoing.source = -1
                if sender.path is played:
                    sender.path = path

            playing = PlayedKeys(path, found.number, clock, self._loop, restore)
            sender.path = playing
            return playing.play(event, milliseconds)
        return path.play(event, milliseconds)

    def _new_path(
        self, sender: Leg, receiver: Leg, told: tuple[Format, ...], wanted: tuple[Format, ...],
        table: dict[int, Route],
    ) -> Path:  # fmt: skip
        voice = voice_of(told)
        sender.incoming.clock = voice[0].codec.clock if voice else 8000
        voice = voice_of(wanted)
        receiver.outgoing.clock = voice[0].codec.clock if voice else 8000
        transcoders = {
            number: make_transcoder(route.of, route.to)
            for number, route in table.items()
            if route.of is not None and route.to is not None
        }
        if transcoders:
            return TranscodingPath(sender.incoming, receiver, table, transcoders)
        return Path(sender.incoming, receiver, table)

    # -- time

    @property
    def heard_at(self) -> float:
        return max((leg.heard_at for leg in self.legs), default=0.0)

    def is_stale(self, now: float) -> bool:
        if not self.answered_at:
            return now - self.created_at > UNANSWERED_S
        last = max(
            self.heard_at,
            self.answered_at,
            self.asked_at,
            *(leg.incoming.last_at for leg in self.legs),
        )
        return now - last > IDLE_S

    def tick(self, now: float) -> None:
        for leg in self.legs:
            leg.tick(now)
            path = leg.path
            if path is not None and path.heard is not None:
                path.heard.tick(now)
            if isinstance(path, TranscodingPath):
                path.expect_loss(self._lost_percent(path))

    def _lost_percent(self, path: Path) -> int:
        """What the receiver of a path says it misses, if it can use a packet that is said again (RFC 7587
        §6.1: useinbandfec)."""
        receiver = next((leg for leg in self.legs if leg is path.receiver), None)
        if receiver is None or receiver.remote is None or not receiver.feedback.loss_256:
            return 0
        opus = find(receiver.remote.formats, OPUS)
        useful = opus is not None and "useinbandfec=1" in opus.parameters
        return receiver.feedback.loss_256 * 100 // 256 if useful else 0

    def close(self, now: float) -> None:
        for leg in self.legs:
            leg.close(now)
        self.legs = []
        self._offered = None
