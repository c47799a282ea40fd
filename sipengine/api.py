"""What the engine and the web side share: configuration in, facts out.

Plain values, no behaviour. Configuration is an immutable `ConfigSnapshot`, swapped by one
reference (docs/decisions/0002-journal-first.md tells how facts go the other way). All times here
are wall-clock seconds since 1970 (UTC) unless a name says otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

# ------------------------------------------------------------------ configuration (web -> engine)

PROXY: Final = "proxy"
REDIRECT: Final = "redirect"
"""`Domain.mode`: relay calls, or answer 302 with the registered contacts (RFC 3261 §8.3)."""


@dataclass(frozen=True, slots=True)
class Domain:
    """A SIP domain that this server is responsible for. Its name is the digest realm.

    `session_expires` is the longest session in seconds that its calls may go without a sign of
    life from their phones (RFC 4028), 0 if the phones decide. `assert_identity` names the caller
    of every call, and who rings and answers, in P-Asserted-Identity (RFC 3325). `trusted` are addresses of other servers of
    the trust domain.
    """

    name: str
    mode: str = PROXY
    session_expires: int = 0
    assert_identity: bool = False
    trusted: tuple[str, ...] = ()


UNLIMITED: Final = 1 << 30


@dataclass(frozen=True, slots=True)
class Extension:
    """An address of record `number@domain` with its digest secrets and forwarding.

    `ha1_md5` and `ha1_sha256` are lower-case hex of H(number:domain:password); empty means that
    the extension cannot authenticate. A forward is a number, an AOR or a SIP URI; "" is none.
    `registered_for` limits registrations to that many seconds, where the credentials end sooner
    than the registrar's own limit; `page` is the mark of the page that they were given to.
    """

    number: str
    domain: str
    name: str = ""
    ha1_md5: str = ""
    ha1_sha256: str = ""
    max_contacts: int = 10
    ring_timeout: int = 60
    forward_always: str = ""
    forward_busy: str = ""
    forward_no_answer: str = ""
    forward_no_answer_after: int = 20
    registered_for: int = UNLIMITED
    page: str = ""

    @property
    def aor(self) -> str:
        return f"{self.number}@{self.domain}"


ACTION_FORWARD: Final = "forward"
ACTION_REDIRECT: Final = "redirect"
ACTION_REDIRECT_CONTACTS: Final = "redirect_contacts"
ACTION_REJECT: Final = "reject"
SIMULTANEOUS: Final = "simultaneous"
SEQUENTIAL: Final = "sequential"


@dataclass(frozen=True, slots=True)
class Rule:
    """One routing rule. Rules are tried in the order of the snapshot; the first match decides.

    `called` is exact ("1999"), a prefix ("19*") or a regular expression ("/^19(\\d\\d)$/", whose
    groups are {1}, {2}, .. in targets). `redirect_contacts` answers 302 with the contacts
    registered for its targets, or for the called number if it has none.
    """

    name: str
    domain: str
    called: str
    action: str
    targets: tuple[str, ...] = ()
    strategy: str = SIMULTANEOUS
    timeout: int = 20
    status: int = 480
    reason: str = ""
    follow_redirects: bool = False


@dataclass(frozen=True, slots=True)
class Pardon:
    """A person lifted a ban: its id, and who did it."""

    ban: str
    by: str


@dataclass(frozen=True, slots=True)
class ConfigSnapshot:
    """Everything the engine needs to decide, at one moment. `extensions` is keyed by AOR.

    `default_domain` is the domain that stands for the listening addresses. `pardons` are the
    latest ones; those that were followed already change nothing. `ended_pages` are the pages that
    may not register any more although their credentials still hold: mark -> AOR. `switched_off` are
    the names of the extensions that are there and may do nothing, by AOR; `rules_off` are
    (domain, called, name) of the rules that are switched off, in their order. `new_passwords` tells since
    when (epoch seconds) an extension's password holds, by AOR, where a registration could be older.
    """

    generation: int = 0
    default_domain: str = ""
    domains: dict[str, Domain] = field(default_factory=dict)
    extensions: dict[str, Extension] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    pardons: tuple[Pardon, ...] = ()
    ended_pages: dict[str, str] = field(default_factory=dict)
    switched_off: dict[str, str] = field(default_factory=dict)
    rules_off: tuple[tuple[str, str, str], ...] = ()
    new_passwords: dict[str, float] = field(default_factory=dict)


# ------------------------------------------------------------------ facts (engine -> web)


@dataclass(slots=True)
class BindingRecord:
    """One contact of one AOR (RFC 3261 §10), as it is journalled, stored and restored.

    `contact` is the URI the phone gave, `params` the Contact header's own parameters as text.
    `received` is the source `host:port` of the REGISTER, `local` the listening `host:port`.
    With an `instance` the binding is that of (aor, instance, reg_id), whatever the contact (RFC 5626
    §6), so that several may have the same contact. `unreachable_since` is when the phone stopped
    answering our keep-alives; null while it answers, or is not asked.
    """

    aor: str
    contact: str
    params: str
    q: float
    expires_at: float
    call_id: str
    cseq: int
    path: list[str]
    transport: str
    received: str
    local: str
    user_agent: str
    instance: str
    reg_id: int
    registered_at: float
    updated_at: float
    unreachable_since: float | None = None


@dataclass(slots=True)
class BindingGone:
    """A binding that was removed, expired or replaced. `why` is one of those three words.

    `instance` is null in journals of versions that kept one binding a contact: whichever it was.
    """

    aor: str
    contact: str
    why: str
    at: float
    instance: str | None = None
    reg_id: int = 0


@dataclass(slots=True)
class LegRecord:
    """One branch of a call: where it went and what became of it. Times may be null."""

    position: int
    target: str  # the AOR or URI that routing chose
    contact: str  # the URI the request went to
    device: str  # the User-Agent the phone registered with, "" if unknown
    started: float
    ringing: float | None
    answered: float | None
    ended: float | None
    sip_status: int  # last status on this leg, 0 for none
    result: str  # trying, ringing, answered, busy, no_answer, declined, cancelled, elsewhere, redirected, failed


STATE_TRYING: Final = "trying"
STATE_RINGING: Final = "ringing"
STATE_TALKING: Final = "talking"
STATE_ENDED: Final = "ended"


@dataclass(slots=True)
class CallRecord:
    """One logical call, whole, at one moment. A later `revision` of an `id` replaces the earlier.

    `result` is "" until the call ended, then answered, busy, no_answer, declined, cancelled,
    failed or redirected. `hangup_by` is caller, callee, system or "". `tags` are the dialog's
    From and To tags, kept so that a BYE after a restart finds the row. `decision` is the trace of
    every rule tried, one sentence each. `quality` is JSON, "" for a call whose media no gateway of
    ours carried: figures of `caller` and `callee` (docs/operations.md), and who is `silent`.
    `session_interval` is in seconds, 0 if its phones do not confirm the call (RFC 4028).
    """

    id: str  # UUID
    revision: int
    domain: str
    call_ids: list[str]
    tags: list[str]
    state: str
    caller: str
    caller_name: str
    caller_device: str
    called: str
    answered_by: str
    answered_device: str
    started: float
    ringing: float | None
    answered: float | None
    ended: float | None
    result: str
    sip_status: int
    hangup_by: str
    rule: str
    reason: str
    decision: list[str]
    legs: list[LegRecord]
    quality: str = ""
    session_interval: int = 0


@dataclass(slots=True)
class RefusedPhone:
    """A phone that lately gave a wrong password, or a number that is not there, for `account`.

    `device` is how it calls itself, `count` how often it tried, `first` and `last` are wall-clock seconds.
    """

    account: str  # number@domain
    source: str
    device: str
    count: int
    first: float
    last: float


@dataclass(slots=True)
class BanRecord:
    """One ban of one source, whole, at one moment. A later `revision` of an `id` replaces the earlier.

    `source` is an IPv4 address or an IPv6 /64. `kind` is passwords, scan, broken or flood, `reason`
    the sentence for people, `count` how many messages led to it, `level` 1 to 3 how long it is,
    `dropped` how many messages were thrown away since. `lifted_by` is who lifted it, if anybody did.
    """

    id: str  # UUID
    revision: int
    source: str
    kind: str
    reason: str
    count: int
    level: int
    since: float
    until: float
    dropped: int
    lifted_at: float | None
    lifted_by: str


@dataclass(slots=True)
class SubscriptionRecord:
    """One subscription of one phone (RFC 6665) and its dialog (RFC 3261 §12), as it is now.

    `id` is our tag of the dialog. `local` and `remote` are the To and From of the SUBSCRIBE, the
    latter with its tag. No NOTIFY has had a CSeq above `cseq`. `received` is as in a binding.
    """

    id: str
    package: str
    event_id: str
    resource: str  # the AOR that is watched
    subscriber: str  # the AOR that watches
    call_id: str
    local: str
    remote: str
    remote_tag: str
    target: str
    routes: list[str]
    cseq: int
    remote_cseq: int
    expires_at: float
    transport: str
    received: str
    user_agent: str
    created_at: float
    updated_at: float
    kind: str = ""  # the type of its documents (RFC 6665 §3.1.3), "" for the package's own


@dataclass(slots=True)
class SubscriptionGone:
    """A subscription that has ended; `why` is a reason of RFC 6665 §4.1.3 or some plain words."""

    id: str
    why: str
    at: float


@dataclass(slots=True)
class KeptMessage:
    """A text message for a user who was away (RFC 3428), in the order of `sent_at` and `id`.

    `id` is a UUID. `sender` is the AOR that proved its password, `from_uri` what it calls itself,
    which may be an anonymous URI. `body` is text, sent as UTF-8.
    """

    id: str
    recipient: str
    sender: str
    sender_name: str
    from_uri: str
    content_type: str
    body: str
    sent_at: float
    expires_at: float


@dataclass(slots=True)
class KeptMessageGone:
    """A kept message that was delivered, refused or has expired; `why` says which."""

    id: str
    why: str
    at: float


@dataclass(frozen=True, slots=True)
class Restored:
    """What an earlier process left: every binding, subscription and kept message (expired ones too: the
    engine reports them gone), every call not ended, every ban that goes on or ended lately.

    `bindings` are gone through once, which raises the database's errors.
    """

    bindings: Iterable[BindingRecord]
    calls: list[CallRecord]
    bans: list[BanRecord] = field(default_factory=list)
    subscriptions: list[SubscriptionRecord] = field(default_factory=list)
    messages: list[KeptMessage] = field(default_factory=list)


Fact = (
    BindingRecord
    | BindingGone
    | CallRecord
    | BanRecord
    | SubscriptionRecord
    | SubscriptionGone
    | KeptMessage
    | KeptMessageGone
)
