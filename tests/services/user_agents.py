"""Phones whose every message a test decides (RFC 3261 §8, §10, §12, §13), as plain text.

They share no code with the engine. Tags and branches count up, so that a failure reads the same
every time.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from sipengine.sip.flow import Flow
from tests.services.wire import DOMAIN, Wire
from tests.support.wire import Message, digest, parameter, uri_of

SDP = "v=0\no=- 1 1 IN IP4 {host}\ns=-\nc=IN IP4 {host}\nt=0 0\nm=audio 40000 RTP/AVP 0\n".replace(
    "\n", "\r\n"
)
_serial = count(1)


def password_of(number: str) -> str:
    return f"secret-{number}"


def wire_bytes(text: str) -> bytes:
    """Text with plain newlines as it goes over the wire."""
    return text.replace("\r\n", "\n").replace("\n", "\r\n").encode()


class Phone:
    """An account `number@domain` at `host:port`. What arrives waits in `inbox`."""

    def __init__(
        self,
        wire: Wire,
        number: str,
        host: str,
        port: int = 5060,
        *,
        transport: str = "UDP",
        contact_host: str = "",
        domain: str = DOMAIN,
        device: str = "",
        rport: bool = True,
    ) -> None:
        """`contact_host` is what the phone believes its address to be, behind NAT."""
        self.wire, self.number, self.domain = wire, number, domain
        self.host, self.port, self.transport, self.rport = host, port, transport, rport
        self.contact_host = contact_host or host
        self.device = device or f"Phone of {number}"
        self.flow: Flow = wire.attach(self, transport, host, port)
        self.inbox: deque[Message] = deque()
        self.cseq = 0
        self.last: str | bytes = b""  # what was sent last, to be sent again

    def __repr__(self) -> str:
        return f"<Phone {self.number} {self.transport} {self.host}:{self.port}>"

    @property
    def aor(self) -> str:
        return f"sip:{self.number}@{self.domain}"

    @property
    def contact(self) -> str:
        extra = ";transport=tcp" if self.transport == "TCP" else ""
        return f"<sip:{self.number}@{self.contact_host}:{self.port}{extra}>"

    def reconnect(self, port: int) -> None:
        """Another TCP connection, or another UDP socket."""
        self.port = port
        self.flow = self.wire.attach(self, self.transport, self.host, port)

    # ------------------------------------------------------------------ wire

    def send(self, message: str | bytes) -> None:
        self.last = message
        self.wire.receive(wire_bytes(message) if isinstance(message, str) else message, self.flow)

    def arrived(self, message: Message) -> None:
        self.inbox.append(message)

    def receive(self) -> Message:
        assert self.inbox, f"{self!r} received nothing"
        return self.inbox.popleft()

    def request(self, method: str) -> Message:
        """The next message, which must be that request."""
        message = self.receive()
        assert message.is_request, f"expected {method}, received:\n{message}"
        assert message.method == method, f"expected {method}, received:\n{message}"
        return message

    def response(self, status: int) -> Message:
        """The next message, which must be a response with that status."""
        message = self.receive()
        assert message.status == status, f"expected {status}, received:\n{message}"
        return message

    def nothing(self) -> None:
        assert not self.inbox, f"{self!r} received:\n{self.inbox[0]}"

    def via(self, branch: str = "") -> str:
        branch = branch or new_branch()
        rport = ";rport" if self.rport else ""
        return f"SIP/2.0/{self.transport} {self.contact_host}:{self.port};branch={branch}{rport}"

    # ------------------------------------------------------------------ registering (§10)

    def register(
        self, *, expires: int = 3600, contact: str = "", extra: str = "", password: str = "",
        scheme: str = "sip",
    ) -> Message:  # fmt: skip
        """REGISTER with credentials; the final response."""
        head = (
            "REGISTER {uri} SIP/2.0\nVia: {via}\nMax-Forwards: 70\nFrom: <{aor}>;tag=r{tag}\n"
            "To: <{aor}>\nCall-ID: reg-{number}-{port}\nCSeq: {cseq} REGISTER\nContact: {contact}\n"
            "Expires: {expires}\nUser-Agent: {device}\n{extra}Content-Length: 0\n\n"
        )
        authorization = ""
        for _ in range(2):
            self.cseq += 1
            self.send(
                head.format(
                    uri=f"{scheme}:{self.domain}",
                    via=self.via(),
                    aor=self.aor,
                    tag=next(_serial),
                    number=self.number,
                    port=self.port,
                    cseq=self.cseq,
                    contact=contact or self.contact,
                    expires=expires,
                    device=self.device,
                    extra=extra + authorization,
                )
            )
            self.wire.beat()
            answer = self.receive()
            if answer.status != 401 or authorization:
                break
            value = digest(
                answer["WWW-Authenticate"], self.number, password or password_of(self.number),
                "REGISTER", f"{scheme}:{self.domain}",
            )  # fmt: skip
            authorization = f"Authorization: {value}\n"
        return answer

    # ------------------------------------------------------------------ calling (§13)

    def invite(self, called: str, **options: str) -> OutgoingCall:
        """An INVITE without credentials; the answer is in the inbox."""
        uri = called if called.startswith("sip") else f"sip:{called}@{self.domain}"
        call = OutgoingCall(self, uri, **options)
        call.send()
        return call

    def call(self, called: str, **options: str) -> OutgoingCall:
        """An INVITE with credentials, the 100 taken off the inbox."""
        call = self.invite(called, **options)
        call.authenticate()
        if self.inbox and self.inbox[0].status == 100:
            self.inbox.popleft()
        return call

    def incoming(self) -> IncomingCall:
        """The INVITE that waits."""
        return IncomingCall(self, self.request("INVITE"))

    def reply(
        self, request: Message, status: int, phrase: str = "Something", *, tag: str = "", extra: str = "",
        body: str = "",
    ) -> None:  # fmt: skip
        """Answer a request (§8.2.6)."""
        to = request["To"] if request.to_tag or not tag else f"{request['To']};tag={tag}"
        lines = [f"SIP/2.0 {status} {phrase}"]
        lines += [f"Via: {value}" for value in request.all("Via")]
        lines += [f"Record-Route: {value}" for value in request.all("Record-Route")]
        lines += [f"From: {request['From']}", f"To: {to}", f"Call-ID: {request['Call-ID']}"]
        lines += [f"CSeq: {request['CSeq']}", *extra.splitlines()]
        lines += ["Content-Type: application/sdp"] if body else []
        lines += [f"Content-Length: {len(body)}", "", body]
        self.send("\r\n".join(lines).encode())

    def other_request(
        self, method: str, uri: str, *, extra: str = "", branch: str = "", to: str = "", call_id: str = "",
        cseq: int = 1, tag: str = "", hops: str = "Max-Forwards: 70\n", body: str = "",
    ) -> str:  # fmt: skip
        """Send a request outside of a dialog as it stands; returns its branch."""
        branch = branch or new_branch()
        serial = next(_serial)
        self.send(
            f"{method} {uri} SIP/2.0\nVia: {self.via(branch)}\n{hops}"
            f"From: <{self.aor}>;tag={tag or f'o{serial}'}\nTo: {to or f'<{uri}>'}\n"
            f"Call-ID: {call_id or f'other-{serial}'}\nCSeq: {cseq} {method}\nContact: {self.contact}\n"
            f"{extra}Content-Length: {len(body.encode())}\n\n{body}"
        )
        return branch

    def authenticated(self, method: str, uri: str, *, extra: str = "", body: str = "") -> str:
        """The same with credentials: answers the 407; returns the branch of the second request."""
        call_id, tag = f"auth-{next(_serial)}", f"a{next(_serial)}"
        self.other_request(method, uri, extra=extra, call_id=call_id, tag=tag, body=body)
        value = digest(
            self.response(407)["Proxy-Authenticate"],
            self.number,
            password_of(self.number),
            method,
            uri,
        )
        extra = f"{extra}Proxy-Authorization: {value}\n"
        return self.other_request(
            method, uri, extra=extra, call_id=call_id, tag=tag, cseq=2, body=body
        )


def new_branch() -> str:
    return f"z9hG4bK-ua-{next(_serial)}"


@dataclass
class Dialog:
    """One side of a dialog (§12.1); requests within it are §12.2.1.1."""

    phone: Phone
    call_id: str
    local: str
    remote: str
    target: str
    routes: list[str] = field(default_factory=list)
    cseq: int = 1

    def request(
        self, method: str, *, number: int = 0, extra: str = "", body: str = "", branch: str = "",
        routes: list[str] | None = None, target: str = "", strict: bool = False,
    ) -> str:  # fmt: skip
        """Send a request; returns its branch. `strict`: the first Route is a strict router (§12.2.1.1)."""
        if not number:
            self.cseq += 1
            number = self.cseq
        branch = branch or new_branch()
        target = target or self.target
        routes = self.routes if routes is None else routes
        if strict:
            routes, target = [*routes[1:], f"<{target}>"], uri_of(routes[0])
        self.phone.send(
            f"{method} {target} SIP/2.0\nVia: {self.phone.via(branch)}\n"
            + "".join(f"Route: {route}\n" for route in routes)
            + f"Max-Forwards: 70\nFrom: {self.local}\nTo: {self.remote}\nCall-ID: {self.call_id}\n"
            f"CSeq: {number} {method}\nContact: {self.phone.contact}\n{extra}"
            f"Content-Length: {len(body)}\n\n{body}"
        )
        return branch

    def ack(self, number: int = 0, **options: Any) -> None:
        self.request("ACK", number=number or self.cseq, **options)


class OutgoingCall:
    """An INVITE that this phone sends, and the dialogs it makes."""

    def __init__(
        self, phone: Phone, uri: str, *, extra: str = "", hops: str = "70", body: str = ""
    ) -> None:
        serial = next(_serial)
        self.phone, self.uri, self.extra, self.hops = phone, uri, extra, hops
        self.body = body or SDP.format(host=phone.contact_host)
        self.call_id = f"call-{serial}@{phone.contact_host}"
        self.tag = f"c{serial}"
        self.local = f'"{phone.number}" <{phone.aor}>;tag={self.tag}'
        self.branch = new_branch()
        self.cseq = 1
        self.authorization = ""
        self.length = True

    @property
    def text(self) -> str:
        hops = f"Max-Forwards: {self.hops}\n" if self.hops else ""
        length = f"Content-Length: {len(self.body)}\n" if self.length else ""
        return (
            f"INVITE {self.uri} SIP/2.0\nVia: {self.phone.via(self.branch)}\n{hops}"
            f"From: {self.local}\nTo: <{self.uri}>\nCall-ID: {self.call_id}\nCSeq: {self.cseq} INVITE\n"
            f"Contact: {self.phone.contact}\nUser-Agent: {self.phone.device}\n"
            f"{self.authorization}{self.extra}"
            f"Content-Type: application/sdp\n{length}\n{self.body}"
        )

    def send(self) -> None:
        """Send the INVITE, or send it again (§17.1.1.2)."""
        self.phone.send(self.text)

    def authenticate(self, *, user: str = "", password: str = "") -> None:
        """Take the 407, acknowledge it and send the INVITE with credentials (§22.3)."""
        challenged = self.phone.response(407)
        self.ack_failure(challenged)
        self.authenticate_with(challenged, user, password)
        self.send()

    def authenticate_with(self, challenged: Message, user: str = "", password: str = "") -> None:
        """Let the next INVITE have credentials for this 407."""
        user = user or self.phone.number
        secret = password or password_of(user)
        value = digest(challenged["Proxy-Authenticate"], user, secret, "INVITE", self.uri)
        self.authorization = f"Proxy-Authorization: {value}\n"
        self.cseq += 1
        self.branch = new_branch()

    def fails(self, status: int) -> Message:
        """The next message must be that final answer; it is acknowledged."""
        response = self.phone.response(status)
        self.ack_failure(response)
        return response

    def rings(self, status: int = 180) -> Message:
        return self.phone.response(status)

    def answered(self, *, acknowledge: bool = True) -> Dialog:
        """The next message must be a 2xx; it is acknowledged."""
        response = self.phone.response(200)
        dialog = Dialog(
            self.phone, self.call_id, self.local, response["To"], uri_of(response["Contact"]),
            response.all("Record-Route")[::-1], self.cseq,
        )  # fmt: skip
        if acknowledge:
            dialog.ack()
        return dialog

    def cancel(self, extra: str = "") -> None:
        self._hop_by_hop("CANCEL", f"<{self.uri}>", extra)

    def ack_failure(self, response: Message) -> None:
        """ACK of a 300-699: same branch, same Request-URI (§17.1.1.3)."""
        self._hop_by_hop("ACK", response["To"])

    def _hop_by_hop(self, method: str, to: str, extra: str = "") -> None:
        self.phone.send(
            f"{method} {self.uri} SIP/2.0\nVia: {self.phone.via(self.branch)}\nMax-Forwards: 70\n"
            f"From: {self.local}\nTo: {to}\nCall-ID: {self.call_id}\nCSeq: {self.cseq} {method}\n"
            f"{extra}Content-Length: 0\n\n"
        )


class IncomingCall:
    """An INVITE that this phone received."""

    def __init__(self, phone: Phone, invite: Message) -> None:
        self.phone, self.invite = phone, invite
        self.tag = f"u{next(_serial)}"

    @property
    def contact(self) -> str:
        return f"Contact: {self.phone.contact}"

    def ring(self, status: int = 180) -> None:
        self.phone.reply(self.invite, status, "Ringing", tag=self.tag, extra=self.contact)

    def send_ok(self, tag: str = "") -> None:
        body = SDP.format(host=self.phone.contact_host)
        self.phone.reply(self.invite, 200, "OK", tag=tag or self.tag, extra=self.contact, body=body)

    def answer(self) -> Dialog:
        """Send 200; the dialog as this side sees it. The ACK is left in the inbox."""
        self.send_ok()
        return self.dialog()

    def dialog(self, tag: str = "") -> Dialog:
        return Dialog(
            self.phone, self.invite["Call-ID"], f"{self.invite['To']};tag={tag or self.tag}",
            self.invite["From"], uri_of(self.invite["Contact"]), self.invite.all("Record-Route"), 0,
        )  # fmt: skip

    def reject(self, status: int, phrase: str = "No", *, extra: str = "") -> Message:
        """Answer 300-699; the ACK must come back at once."""
        self.phone.reply(self.invite, status, phrase, tag=self.tag, extra=extra)
        ack = self.phone.request("ACK")
        assert ack.to_tag == self.tag
        assert parameter(ack["Via"], "branch") == parameter(self.invite["Via"], "branch")
        return ack

    def cancelled(self) -> Message:
        """The next message must be CANCEL; it and the INVITE are answered (§9.2)."""
        cancel = self.phone.request("CANCEL")
        assert parameter(cancel["Via"], "branch") == parameter(self.invite["Via"], "branch")
        self.phone.reply(cancel, 200, "OK", tag=self.tag)
        self.reject(487, "Request Terminated")
        return cancel
