"""What a telephone does and the PBX never does: registering itself somewhere (RFC 3261 §10.2), with a
digest answer, kept up until it is ended.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sipengine.services.ua.agent import UserAgent
from sipengine.services.ua.alarm import Alarm
from sipengine.services.ua.composing import Headers, parse_response, request
from sipengine.services.ua.credentials import Credentials
from sipengine.sip.contact import delta_seconds, parse_contact
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.flow import Flow
from sipengine.sip.message import Message

RETRY_S: Final = 30.0
"""After a failure: what a registrar that comes back can bear from all its clients."""
GRAIN: Final = 5
SHORTEST: Final = 10
MAX_TRIES: Final = 3
"""REGISTERs in a row: one for a challenge, one for 423."""

Outcome = Callable[[int, float], None]
"""(status, now) of each attempt; 408 and 503 if no answer came (§8.1.3.1)."""


class Registration:
    """One AOR of ours at one registrar. `expires` is what we ask for, in seconds."""

    def __init__(
        self, agent: UserAgent, user: str, domain: str, credentials: Credentials, outcome: Outcome,
        expires: int = 300, flow: Flow | None = None,
    ) -> None:  # fmt: skip
        self._agent = agent
        self._user = user
        self._domain = domain
        self._credentials = credentials
        self._outcome = outcome
        self._expires = expires
        self._flow = flow
        self._call_id = agent.names.call_id()  # §10.2.4: the same for all of them
        self._tag = agent.names.tag()
        self._number = 0
        self._tries = 0
        self._ending = False
        self._proof: Headers = []
        self._alarm = Alarm(agent.layer.timers, self.start)
        self.registered = False

    def start(self, now: float) -> None:
        """Register, and again in time until `stop`."""
        self._tries = 0
        self._proof = []
        self._send(now)

    def stop(self, now: float) -> None:
        """Take the binding out (§10.2.2)."""
        self._ending = True
        self._alarm.stop()
        self.start(now)

    def _send(self, now: float) -> None:
        self._tries += 1
        self._number += 1
        aor = f"<sip:{self._user}@{self._domain}>"
        headers: Headers = [
            ("From", f"{aor};tag={self._tag}"),
            ("To", aor),
            ("Call-ID", self._call_id),
            ("CSeq", f"{self._number} REGISTER"),
            ("Contact", self._agent.place.contact(self._flow, self._user)),
            ("Expires", "0" if self._ending else str(self._expires)),
            *self._proof,
        ]
        message = request("REGISTER", f"sip:{self._domain}", headers)
        self._agent.send(message, self._flow, self, now)

    # -- ClientUser

    def on_response(self, status: int, data: bytes, now: float) -> None:
        if status < 200:
            return
        response = parse_response(data)
        if response is None:
            self._failed(500, now)
        elif status < 300:
            self.registered = not self._ending
            if self.registered:
                granted = max(SHORTEST, self._granted(response)) // 2
                self._alarm.start(float(max(GRAIN, granted // GRAIN * GRAIN)), now)
            self._outcome(status, now)
        elif not self._again(response, now):
            self._failed(status, now)

    def on_timeout(self, now: float) -> None:
        self._failed(408, now)

    def on_transport_error(self, now: float) -> None:
        self._failed(503, now)

    def _again(self, response: Message, now: float) -> bool:
        if self._tries >= MAX_TRIES:
            return False
        if response.status in (401, 407) and not self._proof:
            uri = f"sip:{self._domain}"
            proof = self._credentials.answer(response, "REGISTER", uri)
            if proof is None:
                return False
            self._proof = [proof]
        elif response.status == 423:  # §10.2.8
            least = delta_seconds(response.value("Min-Expires") or "")
            if least <= self._expires:
                return False
            self._expires = least
        else:
            return False
        self._send(now)
        return True

    def _granted(self, response: Message) -> int:
        """Seconds until our binding expires (§10.2.4): the Contact's own, else Expires."""
        for value in response.all("Contact"):
            try:
                uri, parameters = parse_contact(value)
            except RemoteProtocolError:
                continue  # somebody else's contact, which we need not understand
            if uri in self._agent.place.contact(self._flow, self._user) and parameters.expires:
                return parameters.expires
        expires = response.value("Expires")
        return delta_seconds(expires) if expires else self._expires

    def _failed(self, status: int, now: float) -> None:
        self.registered = False
        if not self._ending:
            self._alarm.start(RETRY_S, now)
        self._outcome(status, now)
