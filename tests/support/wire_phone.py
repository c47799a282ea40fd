"""A telephone whose every message a test decides, on plain sockets (RFC 3261 §8, §10)."""

from __future__ import annotations

from contextlib import suppress

from tests.support.wire import Address, Message, Wire, choose, digest
from tests.support.wire_calls import IncomingCall, OutgoingCall, branch, token


class WirePhone:
    """An account `number@domain` on one socket."""

    def __init__(
        self,
        number: str,
        password: str,
        *,
        server: Address,
        domain: str,
        transport: str = "udp",
        device: str = "wire",
        hidden_as: str = "",
        host: str = "",
    ) -> None:
        self.number, self.password, self.domain = number, password, domain
        self.wire = Wire(server, transport, host)
        self.device = device
        self.believed = (
            hidden_as or self.wire.local
        )  # behind NAT a phone knows only its own address
        self.registration_id = token()
        self.cseq = 0
        self.registered = False

    def __enter__(self) -> WirePhone:
        return self

    def __exit__(self, *_: object) -> None:
        """Unregister, so that the next test's calls ring no phone that is gone."""
        if self.registered:
            with suppress(AssertionError, OSError):  # the server may be gone as well
                self.register(contact="*", expires=0, deadline=1)
        self.wire.close()

    @property
    def aor(self) -> str:
        return f"sip:{self.number}@{self.domain}"

    @property
    def contact(self) -> str:
        extra = "" if self.wire.transport == "udp" else ";transport=tcp"
        return f"<sip:{self.number}@{self.believed}{extra}>"

    def via(self, name: str) -> str:
        return f"SIP/2.0/{self.wire.transport.upper()} {self.believed};rport;branch={name}"

    # ------------------------------------------------------------------ registering (§10)

    def register(
        self,
        *,
        contact: str = "",
        expires: int = 300,
        password: str = "",
        algorithm: str = "MD5",
        extra: str = "",
        deadline: float = 5.0,
    ) -> Message:
        """REGISTER, answer the challenge, return the final response whatever it is."""
        response = self.send_register(contact, expires, extra, deadline=deadline)
        if response.status != 401:
            return response
        challenge = choose(response.all("WWW-Authenticate"), algorithm)
        uri = f"sip:{self.domain}"
        value = digest(challenge, self.number, password or self.password, "REGISTER", uri)
        lines = f"{extra}Authorization: {value}\n"
        response = self.send_register(contact, expires, lines, deadline=deadline)
        if response.status == 200:
            self.registered = expires > 0
        return response

    def send_register(
        self, contact: str, expires: int, lines: str = "", *, deadline: float = 5.0
    ) -> Message:
        """One REGISTER with these header lines added, and its final response."""
        self.cseq += 1
        self.wire.send(
            f"REGISTER sip:{self.domain} SIP/2.0\n"
            f"Via: {self.via(branch())}\n"
            "Max-Forwards: 70\n"
            f"From: <{self.aor}>;tag={token()}\n"
            f"To: <{self.aor}>\n"
            f"Call-ID: {self.registration_id}\n"
            f"CSeq: {self.cseq} REGISTER\n"
            f"Contact: {contact or self.contact}\n"
            f"Expires: {expires}\n"
            f"{lines}"
            f"User-Agent: {self.device}\n"
            "Content-Length: 0\n\n"
        )
        return self.wire.receive_final("REGISTER", deadline)

    # ------------------------------------------------------------------ texts (RFC 3428)

    def message(self, number: str, text: str) -> Message:
        """MESSAGE, answer the challenge, return the final response whatever it is."""
        uri = f"sip:{number}@{self.domain}"
        call_id, tag, lines = token(), token(), ""
        for cseq in (1, 2):
            self.wire.send(
                f"MESSAGE {uri} SIP/2.0\nVia: {self.via(branch())}\nMax-Forwards: 70\n"
                f"From: <{self.aor}>;tag={tag}\nTo: <{uri}>\nCall-ID: {call_id}\n"
                f"CSeq: {cseq} MESSAGE\n{lines}Content-Type: text/plain\n"
                f"Content-Length: {len(text.encode())}\n\n{text}"
            )
            response = self.wire.receive_final("MESSAGE")
            if response.status != 407:
                break
            challenge = choose(response.all("Proxy-Authenticate"), "MD5")
            value = digest(challenge, self.number, self.password, "MESSAGE", uri)
            lines = f"Proxy-Authorization: {value}\n"
        return response

    # ------------------------------------------------------------------ calling (§13)

    def call(self, callee: str, **options: str) -> OutgoingCall:
        """Send an INVITE to a number of the domain or a URI; the challenge is answered."""
        call = self.start_call(callee, **options)
        call.authenticate()
        return call

    def start_call(self, callee: str, **options: str) -> OutgoingCall:
        """Send an INVITE without credentials and leave the rest to the test."""
        uri = callee if ":" in callee else f"sip:{callee}@{self.domain}"
        call = OutgoingCall(self, uri, **options)
        call.send_invite()
        return call

    def incoming(self, deadline: float = 5.0) -> IncomingCall:
        """Wait for an INVITE."""
        return IncomingCall(self, self.wire.receive_request("INVITE", deadline))

    def reply(
        self,
        request: Message,
        status: int,
        phrase: str,
        *,
        tag: str = "",
        extra: str = "",
        body: str = "",
    ) -> None:
        """Answer a request (§8.2.6): Via, From, To, Call-ID, CSeq and Record-Route are copied."""
        to = request["To"] if request.to_tag or not tag else f"{request['To']};tag={tag}"
        lines = [f"SIP/2.0 {status} {phrase}"]
        lines += [f"Via: {value}" for value in request.all("Via")]
        lines += [f"Record-Route: {value}" for value in request.all("Record-Route")]
        lines += [f"From: {request['From']}", f"To: {to}", f"Call-ID: {request['Call-ID']}"]
        lines += [f"CSeq: {request['CSeq']}", *extra.splitlines()]
        lines += ["Content-Type: application/sdp"] if body else []
        body = body.replace("\n", "\r\n")
        lines += [f"Content-Length: {len(body)}", "", body]
        self.wire.send("\r\n".join(lines).encode())
