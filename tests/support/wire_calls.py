"""Dialogs by hand: a call that a phone makes, a call that it gets (RFC 3261 §12, §13, §9)."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.support.wire import Message, choose, digest, parameter, uri_of

if TYPE_CHECKING:
    from tests.support.wire_phone import WirePhone

SDP = """\
v=0
o=- 1 1 IN IP4 127.0.0.1
s=-
c=IN IP4 127.0.0.1
t=0 0
m=audio 40000 RTP/AVP 0
a=rtpmap:0 PCMU/8000
a={direction}
"""


def token() -> str:
    return secrets.token_hex(6)


def branch() -> str:
    return "z9hG4bK" + token()


@dataclass
class Dialog:
    """One side of a dialog, §12.1; requests within it are §12.2.1.1."""

    phone: WirePhone
    call_id: str
    local: str
    remote: str
    target: str = ""
    routes: list[str] = field(default_factory=list)
    cseq: int = 1

    def request(
        self, method: str, *, number: int = 0, body: str = "", via: str = "", extra: str = ""
    ) -> str:
        """Send a request within the dialog and return its Via branch."""
        if not number:
            self.cseq += 1
            number = self.cseq
        name = via or branch()
        routes = "".join(f"Route: {route}\n" for route in self.routes)
        content = "Content-Type: application/sdp\n" if body else ""
        body = body.replace("\n", "\r\n")
        self.phone.wire.send(
            f"{method} {self.target} SIP/2.0\n"
            f"Via: {self.phone.via(name)}\n"
            f"{routes}"
            "Max-Forwards: 70\n"
            f"From: {self.local}\n"
            f"To: {self.remote}\n"
            f"Call-ID: {self.call_id}\n"
            f"CSeq: {number} {method}\n"
            f"Contact: {self.phone.contact}\n"
            f"{extra}{content}"
            f"Content-Length: {len(body)}\n\n{body}"
        )
        return name

    def bye(self, deadline: float = 5.0) -> Message:
        """Send BYE and return its final response."""
        self.request("BYE")
        return self.phone.wire.receive_final("BYE", deadline)

    def take_bye(self, deadline: float = 5.0) -> Message:
        """Wait for the peer's BYE and answer 200."""
        request = self.phone.wire.receive_request("BYE", deadline)
        self.phone.reply(request, 200, "OK")
        return request


class OutgoingCall:
    """An INVITE that this phone sent, and the dialog it makes."""

    def __init__(
        self, phone: WirePhone, uri: str, *, extra: str = "", hops: str = "70", body: str = SDP
    ) -> None:
        self.phone, self.uri, self.extra, self.hops = phone, uri, extra, hops
        self.body = body.format(direction="sendrecv").replace("\n", "\r\n")
        self.call_id = f"{token()}@wire"
        self.local = f'"{phone.number}" <{phone.aor}>;tag={token()}'
        self.cseq = 1
        self.branch = branch()
        self.authorization = ""
        self.sent = ""

    def send_invite(self) -> None:
        content = "Content-Type: application/sdp\n" if self.body else ""
        self.sent = (
            f"INVITE {self.uri} SIP/2.0\n"
            f"Via: {self.phone.via(self.branch)}\n"
            f"Max-Forwards: {self.hops}\n"
            f"From: {self.local}\n"
            f"To: <{self.uri}>\n"
            f"Call-ID: {self.call_id}\n"
            f"CSeq: {self.cseq} INVITE\n"
            f"Contact: {self.phone.contact}\n"
            f"{self.authorization}{self.extra}"
            "Allow: INVITE, ACK, BYE, CANCEL, OPTIONS\n"
            f"{content}"
            f"Content-Length: {len(self.body)}\n\n{self.body}"
        )
        self.phone.wire.send(self.sent)

    def retransmit(self) -> None:
        """Send the same INVITE again, byte by byte (§17.1.1.2)."""
        self.phone.wire.send(self.sent)

    def authenticate(self, *, password: str = "", algorithm: str = "MD5") -> Message:
        """Take the challenge, acknowledge it and send the INVITE with credentials (§22.2)."""
        # That of a call before may be repeated: its ACK crossed it.
        challenged = self.phone.wire.receive_final("INVITE", call_id=self.call_id)
        assert challenged.status in (401, 407), f"no challenge but:\n{challenged}"
        self.ack_failure(challenged)
        proxy = challenged.status == 407
        offers = challenged.all("Proxy-Authenticate" if proxy else "WWW-Authenticate")
        password = password or self.phone.password
        value = digest(choose(offers, algorithm), self.phone.number, password, "INVITE", self.uri)
        self.authorization = f"{'Proxy-' if proxy else ''}Authorization: {value}\n"
        self.cseq += 1
        self.branch = branch()
        self.send_invite()
        return challenged

    def ack_failure(self, response: Message) -> None:
        """ACK a 300-699: same branch, same Request-URI (§17.1.1.3)."""
        self._hop_by_hop("ACK", response["To"])

    def cancel(self) -> None:
        """CANCEL the INVITE (§9.1)."""
        self._hop_by_hop("CANCEL", f"<{self.uri}>")

    def fails(self, status: int, deadline: float = 5.0) -> Message:
        """Wait for that final response and acknowledge it."""
        response = self.phone.wire.receive_final("INVITE", deadline)
        assert response.status == status, f"expected {status}, received:\n{response}"
        self.ack_failure(response)
        return response

    def rings(self, deadline: float = 5.0) -> Message:
        return self.phone.wire.receive_status(180, deadline)

    def answered(self, deadline: float = 5.0, *, acknowledge: bool = True) -> Dialog:
        """Wait for the 200, acknowledge it and return the dialog."""
        response = self.phone.wire.receive_final("INVITE", deadline)
        assert response.status == 200, f"expected 200, received:\n{response}"
        dialog = Dialog(
            self.phone,
            self.call_id,
            self.local,
            response["To"],
            uri_of(response["Contact"]),
            response.all("Record-Route")[::-1],
            self.cseq,
        )
        if acknowledge:
            dialog.request("ACK", number=self.cseq)
        return dialog

    def _hop_by_hop(self, method: str, to: str) -> None:
        self.phone.wire.send(
            f"{method} {self.uri} SIP/2.0\n"
            f"Via: {self.phone.via(self.branch)}\n"
            "Max-Forwards: 70\n"
            f"From: {self.local}\n"
            f"To: {to}\n"
            f"Call-ID: {self.call_id}\n"
            f"CSeq: {self.cseq} {method}\n"
            f"{self.authorization if method == 'ACK' else ''}"
            "Content-Length: 0\n\n"
        )


class IncomingCall:
    """An INVITE that this phone received."""

    def __init__(self, phone: WirePhone, invite: Message) -> None:
        self.phone, self.invite = phone, invite
        self.tag = token()

    def ring(self) -> None:
        self.phone.reply(
            self.invite, 180, "Ringing", tag=self.tag, extra=f"Contact: {self.phone.contact}"
        )

    def answer(self, *, acknowledged: bool = True) -> Dialog:
        """Send 200 with an SDP answer, wait for the ACK and return the dialog."""
        self.send_ok()
        dialog = Dialog(
            self.phone,
            self.invite["Call-ID"],
            f"{self.invite['To']};tag={self.tag}",
            self.invite["From"],
            uri_of(self.invite["Contact"]),
            self.invite.all("Record-Route"),
            0,
        )
        if acknowledged:
            self.phone.wire.receive_request("ACK")
        return dialog

    def send_ok(self) -> None:
        self.phone.reply(
            self.invite,
            200,
            "OK",
            tag=self.tag,
            extra=f"Contact: {self.phone.contact}",
            body=SDP.format(direction="sendrecv"),
        )

    def reject(self, status: int, phrase: str, *, extra: str = "") -> None:
        """Answer 300-699 and wait for the ACK."""
        self.phone.reply(self.invite, status, phrase, tag=self.tag, extra=extra)
        self.phone.wire.receive_request("ACK")

    def cancelled(self, deadline: float = 5.0) -> Message:
        """Wait for CANCEL, answer it and the INVITE as §9.2 says; return the CANCEL."""
        cancel = self.phone.wire.receive_request("CANCEL", deadline)
        assert parameter(cancel["Via"], "branch") == parameter(self.invite["Via"], "branch")
        self.phone.reply(cancel, 200, "OK", tag=self.tag)
        self.reject(487, "Request Terminated")
        return cancel
