"""Who sent this request: digest authentication against the extensions of a snapshot (RFC 3261 §22, RFC 8760)."""

from __future__ import annotations

import enum
import re
from typing import Final

from sipengine.api import ConfigSnapshot, Extension
from sipengine.services.guard.guard import Guard
from sipengine.services.guard.refused import Refused
from sipengine.services.guard.sources import source_of
from sipengine.services.nonces import Nonces
from sipengine.services.page_phones import PagePhones
from sipengine.sip import digest
from sipengine.sip.address import readable
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.flow import Flow
from sipengine.sip.message import Message
from sipengine.sip.uri import parse_uri, unescape

LIFETIME: Final = 300
"""Seconds a nonce may be used: a call set up and some refreshes, and short enough to steal little."""

_NO_SECRET: Final = {digest.MD5: "0" * 32, digest.SHA_256: "0" * 64}
"""Hashed with where there is no such user, so that the answer takes as long as for a wrong password."""

_MD5_FIRST: Final = (digest.MD5, digest.SHA_256)
"""Interop: against RFC 8760 §2.4 (the preferred one first), because SIPp 3.6, pjsip before 2.11
and old desk phones look at the first challenge only and know no SHA-256."""

_SHA_256_FIRST: Final = (digest.SHA_256, digest.MD5)
_LINPHONE: Final = re.compile(r"Linphone[A-Za-z ]*/(?:[4-9]|[1-9][0-9])\.")
"""Interop: Linphone 5.1 knows SHA-256 and takes whatever stands first."""

_TWINKLE: Final = "Twinkle/"
"""Interop: Twinkle 1.10 knows no SHA-256 and takes whatever stands last."""

_MD5_ALONE: Final = (digest.MD5,)
_OLD_BARESIP: Final = re.compile(r"baresip v(?:[0-2]\.|3\.(?:[0-9]|10)\.)")
"""Interop: baresip before 3.11 gives up at any challenge it does not know, wherever it stands."""

_OF_BROWSERS: Final = frozenset(["WS", "WSS"])
"""Interop: there SHA-256 stands first and MD5 last, because JsSIP and SIP.js, whatever User-Agent
their pages give them, look at the last challenge only and know no SHA-256."""


class Refusal(enum.Enum):
    """Why a request is not let through."""

    NO_CREDENTIALS = "no credentials for this realm"
    STALE = "the nonce is old, was used before, or was given to another source"
    WRONG = "no such user or a wrong password, which nobody can tell apart"
    MALFORMED = "broken credentials"
    SILENT = "as WRONG, and the guard has it that nobody is to be answered there"
    EXPIRED = "the right credentials of a page, but their minutes are over"
    WAIT = "too many wrong passwords for this account from there: not looked at for the moment"


class Authenticator:
    """Challenges and checks.

    `key` (at least 16 bytes) is secret and another in every process: which nonces were used is
    forgotten with the process, so that those of an earlier one must be stale. `refused` is told who
    gives a wrong password, by the `guard` if there is one. `md5` tells whether MD5 is offered beside SHA-256, and taken.
    """

    def __init__(
        self,
        key: bytes,
        *,
        refused: Refused | None = None,
        guard: Guard | None = None,
        pages: PagePhones | None = None,
        lifetime: int = LIFETIME,
        md5: bool = True,
    ) -> None:
        self.nonces = Nonces(key, lifetime)
        self.refused = refused
        self.guard = guard
        self.pages = pages
        self._md5 = md5
        self._lines: dict[tuple[str, bool, bool, tuple[str, ...]], list[tuple[str, str]]] = {}
        self._lines_second = -1

    def check(
        self,
        message: Message,
        proxy: bool,
        snapshot: ConfigSnapshot,
        domain: str,
        now: float,
        flow: Flow | None = None,
        sender: Flow | None = None,
    ) -> Extension | Refusal:
        """The extension whose password the request proves, or why there is none.

        Looks only at credentials for realm `domain`, in Proxy-Authorization if `proxy`, else in
        Authorization. With `flow` an exact retransmission of a request that was let through is
        let through again, for about 32 s: give it where no transaction absorbs retransmissions.
        `sender` is the flow that the challenge went to. A password is looked at only with a nonce
        that was given to that source: so every guess comes from where it says, and the answer
        to any other nonce tells nothing about the password.
        """
        for text in message.whole_lines("Proxy-Authorization" if proxy else "Authorization"):
            try:
                fields = digest.parse_credentials(text)
            except RemoteProtocolError:
                return Refusal.MALFORMED
            if fields is None or fields.get("realm") != domain:
                continue
            algorithm = fields.get("algorithm", digest.MD5).upper()
            if algorithm == digest.SHA_256 or (algorithm == digest.MD5 and self._md5):
                return self._verify(fields, algorithm, message, snapshot, domain, now, flow, sender)
        return Refusal.NO_CREDENTIALS

    def _verify(
        self,
        fields: dict[str, str],
        algorithm: str,
        message: Message,
        snapshot: ConfigSnapshot,
        domain: str,
        now: float,
        flow: Flow | None,
        sender: Flow | None,
    ) -> Extension | Refusal:
        nonce = fields.get("nonce")
        given = fields.get("response")
        uri = fields.get("uri")
        username = fields.get("username")
        if not nonce or not given or not uri or not username:
            return Refusal.MALFORMED
        count = _nonce_count(fields)
        if count < 0 or (uri != message.uri and not _same_target(uri, message.uri)):
            return Refusal.MALFORMED

        source = source_of(sender.remote[0]) if sender is not None else ""
        if not self.nonces.is_fresh(nonce, domain, source, now):
            return Refusal.STALE
        account = f"{username}@{domain}"
        guard = self.guard if sender is not None else None
        if (
            guard is not None
            and sender is not None
            and guard.pausing
            and guard.must_wait(sender, account, now) > 0.0
        ):
            return Refusal.WAIT
        extension = snapshot.extensions.get(account)
        if extension is None and self.pages is not None:
            extension = self.pages.extension_of(username, domain, snapshot, now)
        proved = _proves(extension, algorithm, message.method, fields, given)
        if extension is None or not proved:
            return self._wrong(message, account, sender, source, now)
        if extension.registered_for <= 0:
            return Refusal.EXPIRED
        request = 0
        if flow is not None and not flow.reliable:
            request = message.fingerprint(flow.remote)
        if not self.nonces.use(nonce, count, request, now):
            return Refusal.STALE
        if guard is not None and sender is not None:
            guard.passed(sender, account, now)
        elif sender is not None and sender.account != account:
            sender.account = account
            if self.refused is not None:
                self.refused.passed(source, account)
        return extension

    def _wrong(
        self, message: Message, account: str, sender: Flow | None, source: str, now: float
    ) -> Refusal:
        """A wrong password, or nobody of that name: who asked is held to account for it."""
        if sender is None:
            return Refusal.WRONG
        device = readable(message.value("User-Agent") or "")
        if self.guard is not None:
            told = self.guard.failed(sender, account, now, device)
            return Refusal.WRONG if told else Refusal.SILENT
        if self.refused is not None:
            self.refused.note(source, account, device, now)
        return Refusal.WRONG

    def challenge(
        self, domain: str, proxy: bool, stale: bool, now: float, user_agent: str = "",
        sender: Flow | None = None,
    ) -> list[str]:  # fmt: skip
        """The header lines of a 401, or of a 407 if `proxy`: one challenge an algorithm.

        `user_agent` is the request's: not every phone can bear two challenges. `sender` is the
        flow that the challenge goes to, whose source alone may use it.
        """
        second = int(now)
        if second != self._lines_second:
            self._lines.clear()
            self._lines_second = second
        algorithms = self._offered(user_agent, sender.transport if sender is not None else "")
        halves = self._lines.get((domain, proxy, stale, algorithms))
        if halves is None:
            halves = self._halves(domain, proxy, stale, algorithms, second)
            self._lines[domain, proxy, stale, algorithms] = halves
        origin = self.nonces.origin(source_of(sender.remote[0]) if sender is not None else "")
        tail = f"{origin}{self.nonces.serial()}"
        return [f"{before}{tail}{after}" for before, after in halves]

    def _halves(
        self, domain: str, proxy: bool, stale: bool, algorithms: tuple[str, ...], second: int
    ) -> list[tuple[str, str]]:
        """What stands before and after the serial number of the nonce, for each challenge."""
        header = "Proxy-Authenticate" if proxy else "WWW-Authenticate"
        nonce = self.nonces.head(domain, second) + "\n"
        halves = []
        for algorithm in algorithms:
            value = digest.challenge(domain, nonce, algorithm, stale)
            before, _, after = value.partition("\n")
            halves.append((f"{header}: {before}", after))
        return halves

    def _offered(self, user_agent: str, transport: str) -> tuple[str, ...]:
        """The algorithms to challenge with, in the order that this kind of phone needs."""
        if not self._md5:
            return (digest.SHA_256,)
        if user_agent.startswith("baresip ") and _OLD_BARESIP.match(user_agent):
            return _MD5_ALONE
        if transport in _OF_BROWSERS or user_agent.startswith(_TWINKLE):
            return _SHA_256_FIRST
        if user_agent.startswith("Linphone") and _LINPHONE.match(user_agent):
            return _SHA_256_FIRST
        return _MD5_FIRST


def _nonce_count(fields: dict[str, str]) -> int:
    """How often its nonce is used with these credentials (RFC 7616 §3.4), below 0 if they are broken.

    Without a qop a nonce serves once.
    """
    if "qop" not in fields:
        return 1
    count = fields.get("nc", "")
    if fields["qop"] != "auth" or not fields.get("cnonce"):
        return -1
    if len(count) > 8 or not count.isalnum():  # int() would take signs, blanks and underscores
        return -1
    try:
        return int(count, 16)
    except ValueError:
        return -1


def _proves(
    extension: Extension | None, algorithm: str, method: str, fields: dict[str, str], given: str
) -> bool:
    """Whether `given` is the response of who knows the password: worked out also if nobody can be."""
    ha1 = ""
    if extension is not None:
        ha1 = extension.ha1_md5 if algorithm == digest.MD5 else extension.ha1_sha256
    expected = digest.expected_response(algorithm, ha1 or _NO_SECRET[algorithm], method, fields)
    return digest.same_response(given, expected) and bool(ha1)


def _same_target(uri: str, request_uri: str) -> bool:
    """Whether a digest URI may stand for the Request-URI.

    Interop: SIPp names the server without a user, many phones leave out or add a port or
    parameters, and an outbound proxy may have changed the host. What must agree is the user.
    """
    try:
        user = unescape(parse_uri(uri).user)
        return user in ("", unescape(parse_uri(request_uri).user))
    except RemoteProtocolError:
        return False
