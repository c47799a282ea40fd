"""One contact of one AOR, as the location service keeps it (RFC 3261 §10, RFC 5626 §6)."""

from __future__ import annotations

from sys import intern

from sipengine.api import BindingRecord
from sipengine.sip.flow import Flow


class Binding:
    """One contact of one AOR; fields as in `api.BindingRecord`, and the way to it.

    `expires` is monotonic. `flow` is the one its latest REGISTER came on; None when that is not
    known any more (restored, or its connection closed), since `lost_at` (monotonic). `former` is
    the flow that it came on before that one. `unsaved`: storing it failed. `gone`: it has ended,
    `enrolled`: it stands in the list of `keep_alives.KeepAlives`.
    `page` is the mark of the page that registered it, if that was one (services/page_phones.py).
    `unreachable_since` is in wall-clock seconds, 0 while the phone answers (services/keep_alives.py).
    """

    __slots__ = (
        "aor", "bucket", "call_id", "contact", "cseq", "enrolled", "expires", "flow", "former", "gone",
        "instance", "local", "lost_at", "page", "params", "path", "q", "received", "reg_id", "registered_at", "target",
        "transport", "unreachable_since", "unsaved", "updated_at", "user_agent",
    )  # fmt: skip

    def __init__(
        self,
        aor: str,
        contact: str,
        params: str,
        q: float,
        instance: str,
        reg_id: int,
        registered_at: float,
    ) -> None:
        self.aor = aor
        self.contact = contact
        self.params = params
        self.q = q
        self.instance = instance
        self.reg_id = reg_id
        self.registered_at = registered_at
        self.updated_at = registered_at
        self.expires = 0.0
        self.call_id = ""
        self.cseq = 0
        self.path: tuple[str, ...] = ()
        self.transport = ""
        self.received = ""
        self.local = ""
        self.user_agent = self.page = ""
        self.flow: Flow | None = None
        self.target: Flow | None = None  # where a UDP contact is reached, once worked out
        self.former: Flow | None = None
        self.bucket = 0
        self.enrolled = self.gone = self.unsaved = False
        self.lost_at = self.unreachable_since = 0.0

    def came_after(self, earlier: Binding, call_id: str) -> None:
        """Be the successor of a binding that this one replaces: the same phone at a new address."""
        if earlier.call_id == call_id:
            self.registered_at = earlier.registered_at
        self.former = earlier.flow or earlier.former

    def take(self, record: BindingRecord, now: float, wall: float) -> None:
        """Be as it was recorded, but for what never changes and for the flow."""
        self.params = record.params
        self.q = record.q
        self.updated_at = record.updated_at
        self.expires = now + record.expires_at - wall
        self.call_id = record.call_id
        self.cseq = record.cseq
        self.path = tuple(record.path)
        self.transport = intern(record.transport)
        self.received = record.received
        self.local = intern(record.local)
        self.user_agent = intern(record.user_agent)
        self.unreachable_since = record.unreachable_since or 0.0

    def __repr__(self) -> str:
        return f"<Binding {self.aor} at {self.contact}>"

    def record(self, now: float, wall: float) -> BindingRecord:
        """The fact of this binding as it is now."""
        return BindingRecord(
            self.aor,
            self.contact,
            self.params,
            self.q,
            wall + self.expires - now,
            self.call_id,
            self.cseq,
            list(self.path),
            self.transport,
            self.received,
            self.local,
            self.user_agent,
            self.instance,
            self.reg_id,
            self.registered_at,
            self.updated_at,
            self.unreachable_since or None,
        )
