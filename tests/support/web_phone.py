"""A WebRTC telephone that is not ours: SIP over WebSocket by hand (RFC 7118), media by aiortc.

It stands for a browser: DTLS-SRTP and ICE only, its Contact a name that nobody can resolve.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.gateway.browser import Browser
from tests.support.chromium_media import ChromiumMedia
from tests.support.wait import until
from tests.support.wire import Message, digest, parse, uri_of
from tests.support.wire_calls import branch, token

T = TypeVar("T")
TYPE = "Content-Type: application/sdp\r\n"


class WebPhone:
    """One account on one WebSocket, with one call at a time."""

    def __init__(
        self,
        number: str,
        password: str,
        *,
        port: int,
        domain: str,
        tone: float = 1000,
        codecs: tuple[str, ...] = (),
        chromium: bool = False,
    ) -> None:
        """With `chromium` the media are a real browser's."""
        self.chromium = chromium
        self.number, self.password, self.domain = number, password, domain
        self.tone, self.codecs = tone, codecs
        self.socket: ClientConnection = connect(
            f"ws://127.0.0.1:{port}/sip", subprotocols=[Subprotocol("sip")], compression=None, proxy=None,
            legacy=True,
        )  # fmt: skip
        self.host = f"{token()}.invalid"
        self.cseq = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.browser: Browser | ChromiumMedia | None = None
        self.registered = False

    def __enter__(self) -> WebPhone:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(AssertionError, OSError, TimeoutError):
            if self.registered:
                self.register(expires=0)
        self.end_media()
        self.socket.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def _await(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    # ------------------------------------------------------------------ SIP

    def send(self, text: str) -> None:
        self.socket.send(text)

    def receive(self, *wanted: int | str, deadline: float = 10.0) -> Message:
        """The next message with that status or method; provisional answers before it are skipped."""
        for _ in range(20):
            data = self.socket.recv(deadline)
            message = parse(data if isinstance(data, bytes) else data.encode())
            if (message.method if message.is_request else message.status) in wanted:
                return message
            assert 0 < message.status < 200, f"expected {wanted}, got:\n{message}"
        raise AssertionError(f"no {wanted} among twenty messages")

    @property
    def aor(self) -> str:
        return f"sip:{self.number}@{self.domain}"

    @property
    def contact(self) -> str:
        return f"<sip:{self.number}@{self.host};transport=ws>"

    def request(
        self, method: str, uri: str, local: str, remote: str, call_id: str, *, cseq: int = 0,
        routes: list[str] | None = None, extra: str = "", body: str = "", name: str = "",
    ) -> str:  # fmt: skip
        self.cseq += 0 if cseq else 1
        name = name or branch()
        self.send(
            f"{method} {uri} SIP/2.0\r\nVia: SIP/2.0/WS {self.host};branch={name}\r\n"
            + "".join(f"Route: {route}\r\n" for route in routes or [])
            + f"Max-Forwards: 70\r\nFrom: {local}\r\nTo: {remote}\r\nCall-ID: {call_id}\r\n"
            f"CSeq: {cseq or self.cseq} {method}\r\nContact: {self.contact}\r\nUser-Agent: web\r\n{extra}"
            f"{TYPE if body else ''}Content-Length: {len(body)}\r\n\r\n{body}"
        )
        return name

    def register(self, expires: int = 300) -> Message:
        local, call_id = f"<{self.aor}>;tag={token()}", token()
        uri, extra = f"sip:{self.domain}", f"Expires: {expires}\r\n"
        self.request("REGISTER", uri, local, f"<{self.aor}>", call_id, extra=extra)
        challenge = self.receive(401)["WWW-Authenticate"]
        proof = digest(challenge, self.number, self.password, "REGISTER", uri)
        extra += f"Authorization: {proof}\r\n"
        self.request("REGISTER", uri, local, f"<{self.aor}>", call_id, extra=extra)
        self.registered = expires > 0
        return self.receive(200)

    # ------------------------------------------------------------------ calls

    def _new_media(self) -> Browser | ChromiumMedia:
        async def make() -> Browser | ChromiumMedia:
            if self.chromium:
                return await ChromiumMedia.start(self.tone, self.codecs)
            return Browser(self.tone, self.codecs)

        self.end_media()
        self.browser = self._await(make())
        return self.browser

    def end_media(self) -> None:
        browser, self.browser = self.browser, None
        if browser is not None:
            self._await(browser.close())

    def dial(self, number: str, change: Callable[[str], str] = str) -> None:
        """Call; returns when the INVITE with credentials is out. `change` is done to its offer."""
        browser = self._new_media()
        self.uri = f"sip:{number}@{self.domain}"
        self.local, self.remote = f"<{self.aor}>;tag={token()}", f"<{self.uri}>"
        self.call_id = token()
        offer = change(self._await(browser.offer()))
        name = self.request("INVITE", self.uri, self.local, self.remote, self.call_id, body=offer)
        challenged = self.receive(407)
        self._ack_failure(challenged, name)
        proof = digest(
            challenged["Proxy-Authenticate"], self.number, self.password, "INVITE", self.uri
        )
        self.invite_branch = self.request(
            "INVITE", self.uri, self.local, self.remote, self.call_id, body=offer,
            extra=f"Proxy-Authorization: {proof}\r\n",
        )  # fmt: skip

    def _ack_failure(self, response: Message, name: str) -> None:
        self.request(
            "ACK", self.uri, self.local, response["To"], self.call_id, cseq=self.cseq, name=name
        )

    def fails(self, status: int) -> Message:
        response = self.receive(status)
        self._ack_failure(response, self.invite_branch)
        return response

    def hears_early(self) -> Message:
        """The called phone describes its sound before it answers (RFC 3960 §3): take that."""
        response = self.receive(183)
        assert self.browser is not None
        self._await(self.browser.accept(response.body))
        return response

    def established(self, *, described: bool = False) -> None:
        """The called phone answers: take its answer, if it was not `described` early, and acknowledge."""
        response = self.receive(200)
        self.remote, self.target = response["To"], uri_of(response["Contact"])
        self.routes = response.all("Record-Route")[::-1]
        self._in_dialog("ACK", cseq=self.cseq)
        assert self.browser is not None
        if not described:
            self._await(self.browser.accept(response.body))

    def _in_dialog(self, method: str, *, cseq: int = 0, body: str = "") -> None:
        self.request(
            method, self.target, self.local, self.remote, self.call_id, cseq=cseq, routes=self.routes,
            body=body,
        )  # fmt: skip

    def answer(self, *, deadline: float = 10.0) -> None:
        """Wait for a call and take it; `acknowledged` sees the ACK."""
        invite = self.receive("INVITE", deadline=deadline)
        browser = self._new_media()
        tag = token()
        self._reply(invite, 180, tag)
        self._reply(invite, 200, tag, self._await(browser.answer(invite.body)))
        self.call_id, self.remote = invite["Call-ID"], invite["From"]
        self.local = f"{invite['To']};tag={tag}"
        self.target, self.routes = uri_of(invite["Contact"]), invite.all("Record-Route")

    def acknowledged(self) -> None:
        self.receive("ACK")

    def _reply(self, request: Message, status: int, tag: str = "", body: str = "") -> None:
        to = request["To"] if request.to_tag else f"{request['To']};tag={tag}"
        lines = [f"SIP/2.0 {status} Something"]
        lines += [f"Via: {value}" for value in request.all("Via")]
        lines += [f"Record-Route: {value}" for value in request.all("Record-Route")]
        lines += [f"From: {request['From']}", f"To: {to}", f"Call-ID: {request['Call-ID']}"]
        lines += [f"CSeq: {request['CSeq']}", f"Contact: {self.contact}"]
        lines += ["Content-Type: application/sdp"] if body else []
        self.send("\r\n".join([*lines, f"Content-Length: {len(body)}", "", body]))

    def offer_again(self) -> None:
        """A re-INVITE with another offer of the same session; Chromium's restarts ICE."""
        browser = self.browser
        assert browser is not None
        if isinstance(browser, ChromiumMedia):
            self._in_dialog("INVITE", body=self._await(browser.restart()))
        else:
            self._in_dialog("INVITE", body=browser.peer.localDescription.sdp)
        cseq = self.cseq
        response = self.receive(200)
        assert "a=ice-ufrag" in response.body
        self._in_dialog("ACK", cseq=cseq)
        if isinstance(browser, ChromiumMedia):
            self._await(browser.accept(response.body))

    def hang_up(self, other: WebPhone | None = None) -> None:
        """`other` is the phone that this one talks to, if it is of this kind."""
        self._in_dialog("BYE")
        if other is not None:
            other.hung_up()
        self.receive(200)
        self.end_media()

    def hung_up(self) -> None:
        self._reply(self.receive("BYE"), 200)
        self.end_media()

    def hears(self, frequency: float, *, deadline: float = 10.0, last: float = 0.5) -> None:
        """Wait until the last half second that came is that tone."""
        browser = self.browser
        assert browser is not None

        def holds() -> bool:
            if isinstance(browser, ChromiumMedia):
                return abs(self._await(browser.hears()) - frequency) < 8
            return browser.seconds > 2 * last and browser.sound().last(last).holds(frequency)

        until(holds, f"the web phone to hear {frequency} Hz", deadline=deadline, pause=0.1)
