"""A phone's subscription by hand, on a real socket (RFC 6665 §4.1)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.support.wire import Message, choose, digest, uri_of
from tests.support.wire_calls import branch, token

if TYPE_CHECKING:
    from tests.support.wire_phone import WirePhone


class WireWatcher:
    """`phone` subscribes to `number`. `headers` are lines that its maker adds."""

    def __init__(
        self, phone: WirePhone, number: str, *, event: str = "dialog", headers: str = ""
    ) -> None:
        self.phone, self.event, self.headers = phone, event, headers
        self.call_id = f"{token()}@watch"
        self.local = f"<{phone.aor}>;tag={token()}"
        self.uri = self.target = f"sip:{number}@{phone.domain}"
        self.remote = f"<{self.uri}>"
        self.cseq = 0

    def subscribe(self, expires: int = 600) -> Message:
        """SUBSCRIBE, answer the challenge; the final response. A NOTIFY that comes first is answered."""
        answer = self._send(expires, "")
        if answer.status == 401:
            offer = choose(answer.all("WWW-Authenticate"), "MD5")
            value = digest(offer, self.phone.number, self.phone.password, "SUBSCRIBE", self.target)
            answer = self._send(expires, f"Authorization: {value}\n")
        if answer.status == 200:
            self.remote, self.target = answer["To"], uri_of(answer["Contact"])
        return answer

    def _send(self, expires: int, authorization: str) -> Message:
        self.cseq += 1
        phone = self.phone
        phone.wire.send(
            f"SUBSCRIBE {self.target} SIP/2.0\nVia: {phone.via(branch())}\nMax-Forwards: 70\n"
            f"From: {self.local}\nTo: {self.remote}\nCall-ID: {self.call_id}\n"
            f"CSeq: {self.cseq} SUBSCRIBE\nContact: {phone.contact}\nEvent: {self.event}\n"
            f"Expires: {expires}\n{self.headers}{authorization}Content-Length: 0\n\n"
        )
        return phone.wire.receive_final("SUBSCRIBE")

    def notified(self, deadline: float = 5.0) -> Message:
        """The next NOTIFY of this subscription, answered 200."""
        while True:
            notify = self.phone.wire.receive_request("NOTIFY", deadline)
            self.phone.reply(notify, 200, "OK")
            if notify["Call-ID"] == self.call_id:
                return notify

    def lamp(self, deadline: float = 5.0) -> str:
        """What the next NOTIFY makes the lamp show."""
        return lamp_of(self.notified(deadline).body)

    def until_lamp(self, wanted: str, deadline: float = 8.0) -> list[str]:
        """Wait until the lamp shows that; everything it showed on the way."""
        seen: list[str] = []
        while not seen or seen[-1] != wanted:
            seen.append(self.lamp(deadline))
        return seen


def lamp_of(document: str) -> str:
    states = re.findall(r"<state[^>]*>([a-z]+)</state>", document)
    return next((s for s in ("confirmed", "early", "trying") if s in states), "idle")
