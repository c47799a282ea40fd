"""A telephone made of the engine's own user agent on a UDP socket: registers, calls, is called.

For flows that no desk phone does on demand (reliable provisional answers, UPDATE, REFER), without
writing their messages by hand.
"""

from __future__ import annotations

import hashlib
import secrets
import select
import socket
import time
from collections.abc import Callable

from sipengine.services.ua.credentials import Credentials
from sipengine.services.ua.ending import Ending
from sipengine.services.ua.inviting import Invitation
from sipengine.services.ua.referrals import Referral
from sipengine.services.ua.session import Session
from sipengine.sip.flow import Flow
from sipengine.sip.message import Message
from sipengine.sip.sdp import answering as sdp
from sipengine.sip.sdp.description import SENDRECV, Description
from sipengine.sip.transaction.invite_server import InviteServer
from tests.support.registration import Registration
from tests.support.user_agent import StandaloneAgent
from tests.support.wire import Address


class SoftPhone:
    """An account on one socket. Time passes while the test `wait`s; `events` tells what happened."""

    def __init__(self, number: str, password: str, server: Address, domain: str) -> None:
        self.number, self.domain = number, domain
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        local = self.sock.getsockname()
        self.flow = Flow("UDP", local, server)
        self.phone = StandaloneAgent(self.flow, local, self._incoming, key=secrets.token_bytes(16))
        secret = f"{number}:{domain}:{password}".encode()
        ha1 = {
            "MD5": hashlib.md5(secret).hexdigest(),
            "SHA-256": hashlib.sha256(secret).hexdigest(),
        }
        self.credentials = Credentials(number, domain, ha1, self.phone.names)
        self.answers: list[int] = []
        self.registration = Registration(
            self.phone.agent, number, domain, self.credentials,
            lambda status, now: self.answers.append(status), flow=self.flow,
        )  # fmt: skip
        self.sessions: list[Session] = []
        self.events: list[str] = []
        self.sent: list[bytes] = []

    def __enter__(self) -> SoftPhone:
        self.registration.start(time.monotonic())
        self.wait(lambda: bool(self.answers), "the registrar's answer")
        return self

    def __exit__(self, *_: object) -> None:
        before = len(self.answers)
        self.registration.stop(time.monotonic())
        self.wait(lambda: len(self.answers) > before, "the registration to end")
        self.sock.close()

    @property
    def session(self) -> Session:
        return self.sessions[-1]

    def description(self, direction: str = SENDRECV) -> Description:
        return sdp.offer("127.0.0.1", 40000, direction)

    # ------------------------------------------------------------------ what a person does

    def call(self, number: str) -> Session:
        session = self.phone.agent.begin(self, self.number, credentials=self.credentials)
        self.sessions.append(session)
        uri = f"sip:{number}@{self.domain}"
        invitation = Invitation(uri, f"<sip:{self.number}@{self.domain}>", f"<{uri}>")
        session.invite(invitation, self.description(), None, time.monotonic())
        self.flush()
        return session

    def do(self, action: Callable[[float], None]) -> None:
        """Do something with a session and send what comes of it."""
        action(time.monotonic())
        self.flush()

    def wait(
        self, ready: Callable[[], bool], what: str, *others: SoftPhone, deadline: float = 10.0
    ) -> None:
        """Let this phone and the others live until `ready`."""
        end = time.monotonic() + deadline
        everyone = (self, *others)
        for phone in everyone:
            phone.flush()
        while not ready():
            assert time.monotonic() < end, f"{self.number}: no {what}; events: {self.events}"
            readable, _, _ = select.select([phone.sock for phone in everyone], [], [], 0.02)
            for phone in everyone:
                if phone.sock in readable:
                    data = phone.sock.recv(65_535)
                    if len(data) > 4:
                        phone.phone.receive(data, phone.flow, time.monotonic())
                phone.phone.handle_timers(time.monotonic())
                phone.flush()

    def flush(self) -> None:
        out = self.phone.out
        waiting, out[:] = list(out), []
        for _, data in waiting:
            self.sent.append(data)
            self.sock.sendto(data, self.flow.remote)

    def said(self, start: str) -> bool:
        return any(data.startswith(start.encode()) for data in self.sent)

    # ------------------------------------------------------------------ SessionUser

    def _incoming(self, message: Message, flow: Flow, server: InviteServer, now: float) -> None:
        self.sessions.append(
            self.phone.agent.incoming(self, self.number, message, flow, server, now)
        )
        self.events.append("invite")

    def answer(self) -> Description:
        offer = self.session.offered
        assert offer is not None
        return sdp.answer(offer, "127.0.0.1", 50000)[0]

    def on_progress(self, session: Session, status: int, now: float) -> None:
        self.events.append(str(status))

    def on_established(self, session: Session, now: float) -> None:
        self.events.append("established")

    def on_offer(self, session: Session, offer: Description | None, now: float) -> None:
        self.events.append("offer")
        if offer is not None:
            session.answer(sdp.answer(offer, "127.0.0.1", 50000)[0], now)

    def on_answer(self, session: Session, answer: Description, now: float) -> None:
        self.events.append("answer")

    def on_offer_refused(self, session: Session, status: int, now: float) -> None:
        self.events.append(f"refused {status}")

    def on_offer_withdrawn(self, session: Session, now: float) -> None:
        self.events.append("offer withdrawn")

    def on_info(self, session: Session, message: Message, now: float) -> None:
        self.events.append("info")

    def on_refer(self, session: Session, referral: Referral, now: float) -> int:
        self.events.append(f"refer {referral.target}")
        return 202

    def on_referred(self, session: Session, referral: Referral, now: float) -> None:
        referral.tell(200, now)

    def on_replaced(self, session: Session, replacement: Session, now: float) -> None:
        replacement.reject(603, now)

    def on_ended(self, session: Session, ending: Ending, now: float) -> None:
        self.events.append(f"ended {ending.status}")
