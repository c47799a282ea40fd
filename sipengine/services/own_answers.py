"""Answers of this server itself, outside of any transaction (RFC 3261 §8.2.7), and the counting of them."""

from __future__ import annotations

from collections.abc import Container
from typing import Final

from sipengine.services.broken_part import named
from sipengine.services.overload import Admission, retry_after
from sipengine.services.own_bodies import ACCEPTED
from sipengine.services.quick_refusal import quick_refusal
from sipengine.services.replies import reply, reply_to_broken
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.flow import Flow
from sipengine.sip.message import Message
from sipengine.sip.parser import salvage

ALLOW: Final = "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, REGISTER, SUBSCRIBE, PUBLISH, MESSAGE"
ALLOW_EVENTS: Final = "Allow-Events: dialog, message-summary, presence, reg"
"""The packages of services.events (RFC 6665 §8.2.2)."""
SUPPORTED: Final = frozenset({"gruu", "outbound", "path"})
"""Option tags that a request to this server itself may require."""
OF_PROXY: Final = "Bad Extension: Proxy-Require"
"""Of a 420: it is about what is asked of this server as a proxy (§16.3), not as the one addressed."""
PIDF: Final = "application/pidf+xml"
MAX_DROP_SAMPLES: Final = 8

MIN_EXPIRES: Final = 60
"""Seconds: a shorter registration, subscription or publication would be traffic for nothing (423)."""


class OwnAnswers:
    """Sends stateless answers by `out`; counts them, and what was dropped without any."""

    def __init__(
        self, out: list[tuple[Flow, bytes]], tag_prefix: str, admission: Admission
    ) -> None:
        self._out = out
        self._admission = admission
        self._tag_prefix = tag_prefix
        stateless = f"{tag_prefix}s"  # no hex digit, so that no other tag of ours begins so
        self._stateless = stateless
        self.stateless_tag = stateless.encode()
        """What the To tag of every answer begins with whose ACK nobody waits for (§8.2.7)."""
        self.busy_tag = f"{stateless}-busy"
        self.counts: dict[str, int] = {}
        self._drops: list[tuple[str, str, bytes]] = []

    def tag(self, message: Message) -> str:
        """Our To tag, the same for a request that comes again (§8.2.7)."""
        return f"{self._tag_prefix}{hash(message.call_id) & 0xFFFFFFFF}"

    def is_own_tag(self, tag: str) -> bool:
        return tag.startswith(self._tag_prefix)

    def send(
        self,
        message: Message,
        flow: Flow,
        status: int,
        reason: str = "",
        extra: list[str] | None = None,
    ) -> None:
        tag = f"{self._stateless}{hash(message.call_id) & 0xFFFFFFFF}"
        self._out.append((flow, reply(message, status, reason, tag, extra or ())))

    def refuse(self, message: Message, flow: Flow, error: RemoteProtocolError) -> None:
        """Say what is wrong with a request; nothing for an ACK, which is never answered (§17.1.1.3)."""
        self.count("requests_refused")
        if message.method == "ACK":
            return
        error = named(message, error)
        extra: list[str] = []
        if error.status == 420:
            wanted = message.all("Proxy-Require" if error.reason == OF_PROXY else "Require")
            extra.append("Unsupported: " + ", ".join(o for o in wanted if o not in SUPPORTED))
        elif error.status == 415:
            accepted = PIDF if message.method == "PUBLISH" else ACCEPTED
            extra += [f"Accept: {accepted}", "Accept-Encoding: identity"]
        elif error.status == 405:
            extra.append("Allow: OPTIONS, REGISTER")  # what the address allows (§21.4.6)
        elif error.status == 501:
            extra.append(ALLOW)
        elif error.status == 422:
            extra.append("Min-SE: 90")  # RFC 4028 §6
        elif error.status == 489:
            extra.append(ALLOW_EVENTS)  # RFC 6665 §4.2.1.1
        elif error.status == 423:
            extra.append(f"Min-Expires: {MIN_EXPIRES}")
        elif error.status == 503:
            extra.append(retry_after(message.call_id))
        self.send(message, flow, error.status, error.reason, extra)

    def sheds(self, data: bytes, flow: Flow, running: Container[str]) -> bool:
        """Refuse an unread request because of the load, if that is to be; see `quick_refusal`."""
        refusal = quick_refusal(data, flow, self._admission, self.busy_tag, running)
        if refusal is None:
            return False
        self._out.append((flow, refusal))
        self.count("requests_shed")
        return True

    def refuse_broken(
        self, data: bytes, flow: Flow, error: RemoteProtocolError, told: bool = True
    ) -> None:
        """Answer what could not even be parsed, if it can be answered and its sender is to be `told`.

        It is counted as dropped.
        """
        message = None if data.startswith(b"SIP/") or not told else salvage(data)
        self.drop(error.reason, flow, data)
        if message is not None:
            self._out.append(
                (flow, reply_to_broken(message, error.status, error.reason, self.tag(message)))
            )

    def drop(self, reason: str, flow: Flow, data: bytes) -> None:
        self.count("stray_responses" if reason == "stray response" else "messages_broken")
        if len(self._drops) < MAX_DROP_SAMPLES:
            peer = f"{flow.transport} {flow.remote[0]}:{flow.remote[1]}"
            self._drops.append((reason, peer, data[:200]))

    def take_drops(self) -> list[tuple[str, str, bytes]]:
        drops = self._drops
        self._drops = []
        return drops

    def count(self, name: str, by: int = 1) -> None:
        self.counts[name] = self.counts.get(name, 0) + by
