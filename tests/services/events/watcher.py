"""A phone that subscribes, as plain text, and reads what it is told with a parser of its own."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from itertools import count

from tests.services.user_agents import Phone, new_branch, password_of
from tests.services.wire import DOMAIN
from tests.support.wire import Message, digest, parameter, uri_of

_serial = count(1)
DIALOG_INFO = "{urn:ietf:params:xml:ns:dialog-info}"


@dataclass
class Told:
    """One document of dialog-info."""

    version: int
    state: str
    entity: str
    dialogs: list[tuple[str, str]]
    """(direction, state) of each."""
    root: ElementTree.Element

    @property
    def lamp(self) -> str:
        """What a lamp shows: the most telling state."""
        states = {state for _, state in self.dialogs}
        order = ("confirmed", "early", "trying")
        return next((state for state in order if state in states), "idle")


def read(notify: Message) -> Told:
    assert notify["Content-Type"] == "application/dialog-info+xml", notify
    root = ElementTree.fromstring(notify.body)
    assert root.tag == f"{DIALOG_INFO}dialog-info"
    dialogs = [
        (d.get("direction") or "", d.findtext(f"{DIALOG_INFO}state") or "")
        for d in root.findall(f"{DIALOG_INFO}dialog")
    ]
    return Told(
        int(root.get("version") or -1),
        root.get("state") or "",
        root.get("entity") or "",
        dialogs,
        root,
    )


class Watcher:
    """One subscription of `phone` to `number`; every request carries credentials when asked for."""

    def __init__(
        self,
        phone: Phone,
        number: str = "1002",
        *,
        event: str = "dialog",
        extra: str = "",
        routes: str = "",
        contact: str = "",
    ) -> None:
        serial = next(_serial)
        self.phone, self.event, self.extra, self.routes = phone, event, extra, routes
        self.uri = f"sip:{number}@{DOMAIN}"
        self.call_id = f"subscription-{serial}"
        self.local = f"<{phone.aor}>;tag=w{serial}"
        self.remote = f"<{self.uri}>"
        self.target = self.uri
        self.contact = contact or phone.contact
        self.cseq = 0
        self.answer: Message

    def send(
        self, expires: str, authorization: str = "", *, branch: str = "", cseq: int = 0
    ) -> str:
        """One SUBSCRIBE; its text."""
        if not cseq:
            self.cseq += 1
            cseq = self.cseq
        asked = f"Expires: {expires}\n" if expires else ""
        text = (
            f"SUBSCRIBE {self.target} SIP/2.0\nVia: {self.phone.via(branch or new_branch())}\n"
            f"{self.routes}Max-Forwards: 70\nFrom: {self.local}\nTo: {self.remote}\n"
            f"Call-ID: {self.call_id}\nCSeq: {cseq} SUBSCRIBE\nContact: {self.contact}\n"
            f"Event: {self.event}\n{asked}{self.extra}{authorization}Content-Length: 0\n\n"
        )
        self.phone.send(text)
        return text

    def subscribe(self, expires: str = "3600") -> Message:
        """SUBSCRIBE with credentials: the initial one, or one within the dialog; the final answer."""
        self.send(expires)
        answer = self._response()
        if answer.status == 401:
            value = digest(
                answer["WWW-Authenticate"], self.phone.number, password_of(self.phone.number),
                "SUBSCRIBE", self.target,
            )  # fmt: skip
            self.send(expires, f"Authorization: {value}\n")
            answer = self._response()
        if answer.status == 200:
            self.remote = answer["To"]
            self.target = uri_of(answer["Contact"])
        self.answer = answer
        return answer

    def _response(self) -> Message:
        """The response that waits, perhaps behind a NOTIFY of another subscription."""
        inbox = self.phone.inbox
        answer = next((message for message in inbox if message.status), None)
        assert answer is not None, list(inbox)
        inbox.remove(answer)
        return answer

    def notified(self, status: int = 200, extra: str = "") -> Message:
        """The NOTIFY that waits, which is answered; it must be of this dialog (RFC 6665 §4.4.1)."""
        notify = self.phone.request("NOTIFY")
        assert notify["Call-ID"] == self.call_id
        assert parameter(notify["To"], "tag") == parameter(self.local, "tag")
        assert parameter(notify["From"], "tag") == parameter(self.remote, "tag")
        assert notify["Event"].split(";")[0] == self.event.split(";")[0]
        assert notify.uri == uri_of(self.contact)
        self.phone.reply(notify, status, extra=extra)
        return notify

    def within(self, seconds: float) -> Message:
        """The next NOTIFY, which must come in that time; it is answered at once."""
        for _ in range(int(seconds / 0.25) + 1):
            if self.phone.inbox:
                break
            self.phone.wire.advance(0.25)
        return self.notified()

    def told(self) -> Told:
        return read(self.notified())


def watching(phone: Phone, number: str = "1002", **options: str) -> Watcher:
    """A subscription that has been granted and told its first state."""
    watcher = Watcher(phone, number, **options)
    assert watcher.subscribe().status == 200, watcher.answer
    watcher.notified()
    return watcher
