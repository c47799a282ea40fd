"""Which calls go through a media gateway, and what is asked of it about each.

A branch of a call is anchored where its two sides do not understand each other's media: one is a
browser and the other is not, one insists on SRTP, or NAT keeps them apart (`reach.py`). Everybody else's voice flows straight and costs
one test here. What a later request of the dialog needs is in the signed note of our Record-Route:
`g0wr1f`: gateway 0, the caller a browser (w), the callee by RTP (r), and a name no other call has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from sipengine.services.media.crossing import Crossing
from sipengine.services.media.lost_gateway import (
    GATEWAY_FAILED,
    Ending,
    end_call,
    ending_of,
    is_cut_off,
)
from sipengine.services.media.numbering import Numbering
from sipengine.services.media.reach import apart
from sipengine.services.media.told_keys import ToldKeys
from sipengine.services.ports import (
    ANSWER,
    DELETE,
    OFFER,
    PLAY_KEY,
    QUERY,
    TO_RTP,
    TO_SRTP,
    TO_WEB,
    MediaAnswer,
    MediaPlane,
    MediaRequest,
    MediaWaiter,
)
from sipengine.sip.timers import TimerQueue

if TYPE_CHECKING:
    from sipengine.services.call import Call
    from sipengine.services.proxy.forwarding import Branches
    from sipengine.sip.flow import Flow
    from sipengine.sip.message import Message
    from sipengine.sip.transaction.layer import TransactionLayer

WEB: Final = frozenset({"WS", "WSS"})
MAX_ANCHORS: Final = 20_000
"""Anchored calls at once, over all gateways; about 3 kB each. More are refused with 503."""
MAX_NAME: Final = 200
SWEEP_S: Final = 5.0
FIRST_LOOK_S: Final = 6.0
"""After the answer: by then both sides have spoken, or one of them cannot be heard."""
LOOK_S: Final = 30.0
LOST_LOOKS: Final = 3
"""Looks, a sweep apart, at which a gateway does not know a call before the call is ended: time for a
browser, which notices sooner, to have it made anew by another offer."""
_LETTERS: Final = {TO_WEB: "w", TO_RTP: "r", TO_SRTP: "s"}
_PROTOCOLS: Final = {"w": TO_WEB, "r": TO_RTP, "s": TO_SRTP}


class AnchorOwner(Protocol):
    """A side of the dialog that is ours, and ends it itself."""

    def media_lost(self, why: str, now: float) -> None: ...


class Anchor:
    """One dialog, or what may become one, whose media a gateway carries."""

    __slots__ = (
        "awaiting", "by_callee", "by_caller", "call", "callee", "callee_flow", "caller", "caller_flow", "caller_tag", "instance",
        "invite", "key", "lost", "mending", "name", "next_look", "owner", "success",
    )  # fmt: skip

    def __init__(
        self, instance: int, key: str, call_id: str, caller_tag: str, caller: str, callee: str
    ) -> None:
        self.instance = instance
        self.key = key
        self.name = f"{key}-{call_id[:MAX_NAME]}"
        self.caller_tag = caller_tag
        self.caller = caller  # what each side speaks: TO_WEB, TO_RTP or TO_SRTP
        self.callee = callee
        self.call: Call | None = None
        self.awaiting = False  # the callee's offer in a provisional answer waits for the PRACK
        self.next_look = 0.0
        self.lost = 0
        self.mending = False  # its gateway is away, or another process than before
        self.owner: AnchorOwner | None = None
        self.by_caller = Numbering()
        self.by_callee = Numbering()
        self.invite: Message | None = None  # both kept to end the call if the gateway is lost
        self.success = b""
        self.caller_flow: Flow | None = None
        self.callee_flow: Flow | None = None

    @property
    def note(self) -> str:
        """What the Record-Route carries."""
        return f"g{self.instance}{_LETTERS[self.caller]}{_LETTERS[self.callee]}{self.key}"


class Anchors:
    """All anchored calls of this process; `unique` are hex digits that no other process has."""

    def __init__(
        self, plane: MediaPlane, layer: TransactionLayer, branches: Branches, unique: str
    ) -> None:
        self._plane = plane
        self._layer = layer
        self._timers: TimerQueue = layer.timers
        self._branches = branches
        self._unique = unique
        self._count = 0
        self._live: dict[str, Anchor] = {}
        self.due = 0.0
        self.total = 0
        self.refused = 0
        self.lost = 0
        self.left_alone = 0
        self.unjoined = 0
        self.one_way = 0
        self.keys_told = 0
        self.mended = 0
        self.around_nat = 0
        plane.listen(self)

    def __len__(self) -> int:
        return len(self._live)

    # -- which calls

    def crossing(
        self, message: Message, source: Flow, target: Flow | None, uri: str = ""
    ) -> Crossing | None:
        """The way by a gateway for a new branch of which one side is a browser and the other is not
        (RFC 7118, RFC 8834), or between whose sides there is NAT; None where the media flows straight.
        `uri` is the phone that the branch is for, "" for a call to ourselves.

        Its anchor is None if there is no gateway, or no room.
        """
        body = message.body
        from_web = source.transport in WEB or "UDP/TLS/RTP" in body
        # A host whose address is not known yet is no browser: those have no names.
        to_web = target is not None and target.transport in WEB
        if from_web == to_web:
            if from_web or target is None or not uri:
                return None
            why = apart(message, source, target, uri)
            return self._around_nat(message, source, why) if why else None
        caller = TO_WEB if from_web else TO_SRTP if "RTP/SAVP" in body else TO_RTP
        anchor = self._begin(message, caller, TO_WEB if to_web else TO_RTP)
        return Crossing(self, anchor, True, source.remote[0])

    def _around_nat(self, message: Message, source: Flow, why: str) -> Crossing | None:
        """None without a gateway: the phones may know better ways than can be seen from here."""
        kind = TO_SRTP if "RTP/SAVP" in message.body else TO_RTP
        anchor = self._begin(message, kind, kind)
        if anchor is None:
            return None
        self.around_nat += 1
        return Crossing(self, anchor, True, source.remote[0], why)

    def other_crossing(self, message: Message, source: Flow) -> Crossing | None:
        """For a phone that refused the offer as it was: SRTP where it was RTP, RTP where it was SRTP."""
        body = message.body
        if "UDP/TLS/RTP" in body or not body:
            return None
        srtp = "RTP/SAVP" in body
        anchor = self._begin(message, TO_SRTP if srtp else TO_RTP, TO_RTP if srtp else TO_SRTP)
        return None if anchor is None else Crossing(self, anchor, True, source.remote[0])

    def _begin(self, message: Message, caller: str, callee: str) -> Anchor | None:
        instance = self._plane.choose()
        if instance < 0 or len(self._live) >= MAX_ANCHORS:
            self.refused += 1
            return None
        self._count += 1
        key = f"{self._unique}{self._count:x}"
        anchor = Anchor(instance, key, message.call_id, message.from_tag, caller, callee)
        anchor.by_caller.seen(message)
        return self._keep(anchor)

    def of_note(self, note: str, call_id: str, caller_tag: str) -> Anchor | None:
        """The anchor that a verified note of ours names; of an earlier process's call it is made anew."""
        digits = len(note[1:]) - len(note[1:].lstrip("0123456789"))
        rest = note[1 + digits :]
        if not note.startswith("g") or not digits or len(rest) < 3:
            return None
        known = self._live.get(rest[2:])
        if known is not None:
            return known
        caller, callee = _PROTOCOLS.get(rest[0]), _PROTOCOLS.get(rest[1])
        if caller is None or callee is None or len(self._live) >= MAX_ANCHORS:
            return None
        return self._keep(
            Anchor(int(note[1 : 1 + digits]), rest[2:], call_id, caller_tag, caller, callee)
        )

    def _keep(self, anchor: Anchor) -> Anchor:
        self._live[anchor.key] = anchor
        self.total += 1
        return anchor

    # -- what is asked

    def offer(
        self, anchor: Anchor, to_callee: bool, tag: str, sdp: bytes, host: str, waiter: MediaWaiter
    ) -> None:
        """The offer of the side with `tag`, signalled from `host`, for the other side."""
        self._ask(OFFER, anchor, to_callee, tag, "", sdp, host, waiter)

    def answer(
        self, anchor: Anchor, to_callee: bool, tags: tuple[str, str], sdp: bytes, host: str,
        waiter: MediaWaiter,
    ) -> None:  # fmt: skip
        """An answer; `tags` are the offerer's and the answerer's."""
        self._ask(ANSWER, anchor, to_callee, tags[0], tags[1], sdp, host, waiter)

    def _ask(
        self, command: str, anchor: Anchor, to_callee: bool, tag: str, other: str, sdp: bytes,
        host: str, waiter: MediaWaiter,
    ) -> None:  # fmt: skip
        protocol = anchor.callee if to_callee else anchor.caller
        speaker = anchor.by_caller if to_callee else anchor.by_callee
        speaker.events = b"telephone-event" in sdp
        self._plane.ask(
            MediaRequest(
                command, anchor.instance, anchor.name, tag, other, sdp.decode("latin-1"), protocol, host
            ),
            waiter,
        )  # fmt: skip

    def play_key(self, anchor: Anchor, tag: str, key: tuple[int, int], waiter: MediaWaiter) -> None:
        """Have the other side hear a key of the side `tag`: its event code and its milliseconds."""
        request = MediaRequest(
            PLAY_KEY, anchor.instance, anchor.name, tag, code=key[0], duration=key[1]
        )
        self._plane.ask(request, waiter)

    def on_key(self, name: str, tag: str, code: int, duration: int, now: float) -> None:
        """A `KeyListener`: a side that takes no telephone events is told by INFO."""
        anchor = self._live.get(name.partition("-")[0])
        if anchor is None or anchor.name != name or anchor.owner is not None:
            return
        by_caller = tag == anchor.caller_tag
        speaker, hearer = anchor.by_caller, anchor.by_callee
        if not by_caller:
            speaker, hearer = hearer, speaker
        if hearer.events is not False or not speaker.may_press(now):
            return
        told = speaker.told
        if told is None:
            told = speaker.told = ToldKeys(anchor, by_caller, self._layer, self._branches)
        if told.press(code, duration, now):
            self.keys_told += 1

    def near(self, anchor: Anchor) -> str:
        """The address of ours at which the anchor's gateway reaches this machine, "" if unknown."""
        return self._plane.near(anchor.instance)

    # -- the life of a call

    def answered(self, anchor: Anchor, call: Call, success: bytes, now: float) -> None:
        """The call talks: from now on its quality is looked at."""
        if anchor.call is None:
            anchor.call = call
            call.anchor = call.anchor or anchor
            anchor.success = success
            anchor.next_look = now + FIRST_LOOK_S
            if not self.due:
                self._timers.start(SWEEP_S, now, self)

    def end(self, anchor: Anchor, call: Call | None) -> None:
        """The dialog is over, or never came to be. Its last figures go to the row of `call`."""
        if self._live.pop(anchor.key, None) is None:
            return
        anchor.invite = None
        request = MediaRequest(DELETE, anchor.instance, anchor.name, anchor.caller_tag)
        self._plane.ask(request, None if call is None else _Figures(self, anchor, call))

    def on_timer(self, now: float) -> None:
        """Look after the calls that talk: ask for their figures, notice those whose gateway is gone."""
        self.due = 0.0
        for anchor in list(self._live.values()):
            call = anchor.call
            if call is None:
                continue
            if not call.going_on and anchor.owner is None:
                self.end(anchor, call)
            elif now >= anchor.next_look or is_cut_off(call):
                anchor.next_look = now + LOOK_S
                request = MediaRequest(QUERY, anchor.instance, anchor.name, anchor.caller_tag)
                self._plane.ask(request, _Figures(self, anchor, call))
        if self._live:
            self._timers.start(SWEEP_S, now, self)

    def on_gateway_lost(self, instance: int, now: float) -> None:
        """Look after its calls at the next sweep: their people hear nothing."""
        for anchor in self._live.values():
            if anchor.instance == instance:
                anchor.next_look = now
                anchor.mending = anchor.call is not None

    def agreed(self, anchor: Anchor, now: float) -> None:
        """Both descriptions are at the gateway: a browser may have to be joined anew. If it was lost before, a side has offered anew, as a browser
        does that hears nothing: the gateway that lives now carries the call."""
        anchor.next_look = min(anchor.next_look, now + FIRST_LOOK_S)
        if anchor.mending and anchor.call is not None:
            self.mended += 1
            anchor.mending = False
            anchor.call.mended = True

    def gone(self, anchor: Anchor, call: Call, why: str, now: float) -> None:
        """The gateway does not know the call any more: it was started anew, or cannot be reached."""
        anchor.lost += 1
        anchor.next_look = now
        if anchor.lost < LOST_LOOKS or anchor.key not in self._live:
            return
        self.lost += 1
        del self._live[anchor.key]
        if anchor.owner is not None:
            anchor.owner.media_lost(f"the media gateway lost it: {why}", now)
            return
        end_call(anchor, GATEWAY_FAILED, self._layer, self._branches, now)
        anchor.invite = None
        call.finish("answered", 200, "system", now, f"the media gateway lost it: {why}")

    def looked_at(self, anchor: Anchor, call: Call, answer: MediaAnswer, now: float) -> None:
        """A browser that is not there any more, or cannot be joined: whoever talks to it would wait for ever."""
        if self._live.get(anchor.key) is not anchor or anchor.call is not call:
            return
        ending = ending_of(answer)
        if ending is None:
            if answer.waits:
                anchor.next_look = now
        elif call.going_on:
            self._cut_short(anchor, call, ending, now)
            if answer.gone:
                self.left_alone += 1
            else:
                self.unjoined += 1

    def _cut_short(self, anchor: Anchor, call: Call, ending: Ending, now: float) -> None:
        if anchor.owner is not None:
            anchor.owner.media_lost(ending.why, now)
            return
        end_call(anchor, ending.reason, self._layer, self._branches, now)
        call.finish("answered", 200, "system", now, ending.why)
        self.end(anchor, call)

    def counters(self) -> dict[str, int]:
        return {
            "media_calls_now": len(self._live),
            "media_calls": self.total,
            "media_refused": self.refused,
            "media_lost_calls": self.lost,
            "media_mended_calls": self.mended,
            "media_left_alone": self.left_alone,
            "media_unjoined": self.unjoined,
            "media_one_way": self.one_way,
            "media_keys_told": self.keys_told,
            "media_around_nat": self.around_nat,
        }


class _Figures:
    """Waits for a call's figures."""

    def __init__(self, anchors: Anchors, anchor: Anchor, call: Call) -> None:
        self._anchors = anchors
        self._anchor = anchor
        self._call = call

    def on_media(self, answer: MediaAnswer, now: float) -> None:
        call = self._call
        if answer.ok:
            self._anchor.lost = 0
            self._anchor.mending = False
            if answer.silent and not call.silent:
                self._anchors.one_way += 1
            call.quality_told(answer.figures, answer.silent)
            self._anchors.looked_at(self._anchor, call, answer, now)
        elif (call.going_on or self._anchor.owner is not None) and self._anchor.call is call:
            self._anchors.gone(self._anchor, call, answer.why, now)
