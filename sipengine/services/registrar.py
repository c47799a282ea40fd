"""The registrar: what a REGISTER of an authenticated user does to his bindings (RFC 3261 §10.3).

Rules beyond the RFC's own:
- A contact of the same `+sip.instance` and `reg-id` replaces the earlier one, whatever its URI
  (RFC 5626 §6), also without `reg-id`: a phone that restarts at another port is the same phone.
  Contacts of one instance without `reg-id` that come in one request stand beside each other.
- A contact that first comes with an instance takes over the binding of its URI that had none, one
  that first comes with a `reg-id` that of its instance.
- A later contact at the same user and host, from the same User-Agent, replaces the earlier one when the
  connection that that came on has closed: a phone without instance id that connects anew.
- A contact replaces the one that differs from it in the scheme alone (RFC 5630 §5.1.1.1).
- Otherwise more contacts than the extension may have are refused, and the ones there stay.
"""

from __future__ import annotations

from sys import intern
from typing import Final

from sipengine.api import Extension
from sipengine.services.binding import Binding
from sipengine.services.contact_change import Change, drop_repeated, room_for
from sipengine.services.gruu import Gruus
from sipengine.services.location import REMOVED, REPLACED, Location
from sipengine.services.outbound import first_hop_keeps_flows, options, outbound_lines
from sipengine.services.path import check_path
from sipengine.services.responsibility import Responsibility
from sipengine.services.sips_contacts import check_sips_contact, is_sips, is_twin
from sipengine.sip.address import readable, sender_of
from sipengine.sip.contact import DEFAULT_EXPIRES, ContactParameters, delta_seconds, parse_contact
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.flow import RELIABLE, Flow
from sipengine.sip.message import Message
from sipengine.sip.uri import SipUri, parse_uri, same_uri

MIN_EXPIRES: Final = 60
"""Shorter is 423: under it a thousand phones would send more than 30 requests a second for nothing."""
MAX_EXPIRES: Final = 7200
"""Longer is cut to this, so that a phone that vanished is not called for days."""

MAX_CONTACT: Final = 1024
MAX_INSTANCE: Final = 200
"""A UUID takes 45; all that a binding is found by must fit an entry of the database's index."""
MAX_CALL_ID: Final = 512
MAX_USER_AGENT: Final = 200
MAX_VALUES: Final = 50
"""Contacts in one REGISTER. With the limits above a binding holds at most about 5 kB."""


class Registered:
    """The answer to a REGISTER. `lines` are the header lines that belong to it alone.

    `durable`: the answer must wait until all facts so far are on disk. That may be so without a
    fact of its own: a retransmission must not be acknowledged before the request itself is.
    """

    __slots__ = ("durable", "lines", "reason", "status")

    def __init__(self, status: int, reason: str, lines: list[str], durable: bool = False) -> None:
        self.status = status
        self.reason = reason
        self.lines = lines
        self.durable = durable


class Registrar:
    """Takes REGISTER requests whose sender is known.

    `responsibility` tells which hosts mean which domain in the To header, `secret` lasts over
    restarts: with it `gruus` mints what phones that ask for it are told (RFC 5627 §5.1).
    """

    def __init__(self, location: Location, responsibility: Responsibility, secret: bytes) -> None:
        self._location = location
        self._responsibility = responsibility
        self.gruus = Gruus(secret, location, responsibility)

    def register(
        self, message: Message, extension: Extension, flow: Flow, now: float, wall: float
    ) -> Registered:
        """Do what the REGISTER says, wholly or not at all, and say what to answer."""
        try:
            return self._register(message, extension, flow, now, wall)
        except RemoteProtocolError as error:
            return Registered(error.status, error.reason, [])

    def _register(
        self, message: Message, extension: Extension, flow: Flow, now: float, wall: float
    ) -> Registered:
        aor = extension.aor
        self._check_to(message, aor)
        values = message.all("Contact")
        current = self._location.contacts(aor, now)
        if not values:
            return self._answer(message, aor, now, wall, False)
        call_id = message.call_id
        if len(call_id) > MAX_CALL_ID or "\0" in call_id:
            raise RemoteProtocolError(400, "Bad Request: unusable Call-ID header")
        cseq = message.cseq
        if "*" in values:
            return self._remove_all(message, aor, current, values, call_id, cseq, now, wall)

        expires = message.value("Expires")
        default = DEFAULT_EXPIRES if expires is None else delta_seconds(expires)
        longest = min(MAX_EXPIRES, max(MIN_EXPIRES, extension.registered_for))
        changes = self._changes(message, values, default, current, longest)
        for change in changes:
            if 0 < change.seconds < MIN_EXPIRES:
                return Registered(423, "Interval Too Brief", [f"Min-Expires: {MIN_EXPIRES}"])
            binding = change.binding
            if binding is not None and binding.call_id == call_id and cseq <= binding.cseq:
                if cseq < binding.cseq:  # §10.3 step 7
                    raise RemoteProtocolError(500, "Server Internal Error: CSeq out of order")
                return self._answer(message, aor, now, wall, True)
        lost = room_for(changes, current, extension.max_contacts, self._location)
        registered = self._apply(message, aor, changes, lost, call_id, cseq, flow, now, wall)
        if extension.page:
            for binding in self._location.contacts(aor, now):
                if binding.call_id == call_id:
                    binding.page = extension.page
        return registered

    # ------------------------------------------------------------------ what is asked

    def _check_to(self, message: Message, aor: str) -> None:
        """The To header must name the user's own AOR (§10.3 steps 4 and 5)."""
        value = message.value("To") or ""
        uri_text, closed, _ = value.partition("<")[2].partition(">")
        if closed and uri_text[4:] == aor and uri_text[:4] == "sip:":
            return
        named = self._responsibility.aor_of(sender_of(value).uri)
        if not named:
            raise RemoteProtocolError(404, "Not Found: To names no user of this server")
        if named.rpartition("@")[2] != aor.rpartition("@")[2]:  # §10.3 step 5
            raise RemoteProtocolError(
                404, "Not Found: To is of another domain than the Request-URI"
            )
        if named != aor:
            raise RemoteProtocolError(403, "Forbidden: To is not the authenticated user")

    def _changes(
        self,
        message: Message,
        values: list[str],
        default: int,
        current: tuple[Binding, ...],
        longest: int,
    ) -> list[Change]:
        """What each Contact asks for, `longest` seconds at most; of two that mean the same binding
        the later one."""
        if len(values) > MAX_VALUES:
            raise RemoteProtocolError(400, "Bad Request: too many Contact headers")
        changes: dict[str, Change] = {}
        flows = 0
        for value in values:
            contact, parameters = parse_contact(value)
            if contact[3:4] != ":" and is_sips(contact):
                check_sips_contact(message, contact, values)
            asked = parameters.expires
            seconds = min(default if asked is None else asked, longest)
            key = contact
            if parameters.reg_id:
                if first_hop_keeps_flows(message):
                    flows += seconds > 0
                    key = f"{parameters.reg_id} {parameters.instance}"
                else:
                    parameters = parameters._replace(reg_id=0)
            binding = _find(contact, parameters, current)
            if changes and any(c.binding is binding for k, c in changes.items() if k != key):
                binding = None
            changes[key] = Change(binding, contact, parameters, seconds)
        if flows > 1:  # RFC 5626 §6
            raise RemoteProtocolError(400, "Bad Request: more than one Contact with reg-id")
        if len(changes) > 1:
            drop_repeated(changes)
        for change in changes.values():
            if change.binding is None or change.binding.contact != change.contact:
                self._place(change, changes, message, current)
        return list(changes.values())

    def _place(
        self,
        change: Change,
        changes: dict[str, Change],
        message: Message,
        current: tuple[Binding, ...],
    ) -> None:
        """Check a contact that is not known by its text, and find the binding it means, if any."""
        contact = change.contact
        uri = parse_uri(contact)
        kept = change.parameters.kept
        instance = change.parameters.instance
        if len(contact) > MAX_CONTACT or len(kept) > MAX_CONTACT or "\0" in contact + kept:
            raise RemoteProtocolError(400, "Bad Request: unusable Contact header")
        if len(instance) > MAX_INSTANCE:
            raise RemoteProtocolError(400, "Bad Request: unusable +sip.instance in Contact header")
        if uri.parameters and self.gruus.concerns(uri):  # RFC 5627 §5.1
            raise RemoteProtocolError(403, "Forbidden: Contact is a GRUU of this server")
        if not current or change.binding is not None:
            return
        claimed = {id(c.binding) for c in changes.values()}
        free = [b for b in current if id(b) not in claimed]
        for binding in free:
            if instance and binding.instance:
                continue  # RFC 5626 §6: of these the URI is not compared
            if same_uri(parse_uri(binding.contact), uri) or is_twin(binding.contact, contact):
                change.binding = binding
                return
        if change.seconds:
            for binding in free:
                if _same_phone(binding, uri, change.parameters, message):
                    change.binding = binding
                    return

    # ------------------------------------------------------------------ what is done

    def _remove_all(
        self,
        message: Message,
        aor: str,
        current: tuple[Binding, ...],
        values: list[str],
        call_id: str,
        cseq: int,
        now: float,
        wall: float,
    ) -> Registered:
        """`Contact: *` (§10.3 step 6)."""
        if len(values) > 1 or message.value("Expires") != "0":
            raise RemoteProtocolError(
                400, "Bad Request: Contact * needs Expires 0 and stands alone"
            )
        if any(b.call_id == call_id and cseq <= b.cseq for b in current):
            raise RemoteProtocolError(500, "Server Internal Error: CSeq out of order")
        for binding in current:
            self._location.remove(binding, REMOVED, wall)
        return self._answer(message, aor, now, wall, True)

    def _apply(
        self,
        message: Message,
        aor: str,
        changes: list[Change],
        lost: list[Binding],
        call_id: str,
        cseq: int,
        flow: Flow,
        now: float,
        wall: float,
    ) -> Registered:
        """Do what was found to be allowed (§10.3 step 7). The answer waits for the disk if a contact is
        new, moved, removed or says something else of itself: a mere refresh does not."""
        path = tuple(message.all("Path"))
        if path:
            check_path(path)
        agent = _user_agent(message)
        for gone in lost:
            self._location.remove(gone, REMOVED, wall)
        durable = outbound = False
        for change in changes:
            binding = change.binding
            if not change.seconds:
                durable = True
                if binding is not None:
                    self._location.remove(binding, REMOVED, wall)
                continue
            earlier: Binding | None = None
            if binding is not None and change.replaces(binding):
                self._location.remove(binding, REPLACED, wall)
                earlier = binding
                binding = None
            new = binding is None
            if binding is None:
                binding = change.new_binding(aor, wall)
                if earlier is not None:
                    binding.came_after(earlier, call_id)
            binding.call_id = call_id
            binding.cseq = cseq
            binding.user_agent = agent
            binding.updated_at = wall
            binding.expires = now + change.seconds
            if self._bind(binding, change, new, earlier, path, flow, now, wall):
                durable = True
            if binding.reg_id:
                outbound = True
        answer = self._answer(message, aor, now, wall, durable)
        if outbound:
            answer.lines += outbound_lines(message, flow)
        return answer

    def _bind(
        self,
        binding: Binding,
        change: Change,
        new: bool,
        earlier: Binding | None,
        path: tuple[str, ...],
        flow: Flow,
        now: float,
        wall: float,
    ) -> bool:
        """Have the location service know a binding that says when it ends; whether that must be on disk.

        `earlier` is the binding whose place a `new` one takes, if any.
        """
        location = self._location
        durable = reordered = False
        if not new and binding.params != change.parameters.kept:
            durable = True
            reordered = change.tell_parameters(binding)
        moved = location.came_by(binding, flow)
        if binding.unreachable_since:
            binding.unreachable_since = 0.0
            reordered = True
        if new or moved or path != binding.path or binding.unsaved:
            durable = True
            binding.path = path
            binding.unsaved = False
        if new:
            location.add(binding, now, wall)
        else:
            location.refresh(binding, reordered, now, wall)
        if new or moved:
            location.arrived(binding, earlier, now)
        return durable

    def _answer(
        self, message: Message, aor: str, now: float, wall: float, durable: bool
    ) -> Registered:
        """200 with every current contact and how long it has left (§10.3 step 8)."""
        bindings = self._location.contacts(aor, now)
        lines = [
            f"Contact: <{b.contact}>{b.params};expires={int(b.expires - now + 0.5) or 1}"
            for b in bindings
        ]
        if message.has("Supported") and "gruu" in options(message, "Supported"):
            for at, binding in enumerate(bindings):
                if binding.instance:
                    lines[at] += self.gruus.parameters(binding, wall)
        if message.has("Path") and "path" in options(message, "Supported"):
            lines += [f"Path: {hop}" for hop in message.all("Path")]  # RFC 3327 §5.3
        return Registered(200, "OK", lines, durable)


def _find(
    contact: str, parameters: ContactParameters, bindings: tuple[Binding, ...]
) -> Binding | None:
    """The binding that a contact plainly means: the one of its flow, else the one of its text."""
    instance = parameters.instance
    reg_id = parameters.reg_id
    if reg_id:
        for binding in bindings:
            if binding.instance == instance and binding.reg_id == reg_id:
                return binding
    for binding in bindings:
        if binding.contact == contact and (
            not instance
            or not binding.instance
            or (binding.instance == instance and binding.reg_id == reg_id)
        ):
            return binding
    return None


def _same_phone(
    binding: Binding, uri: SipUri, parameters: ContactParameters, message: Message
) -> bool:
    """Whether a contact that is new is a known phone's; the rules stand at the top of this file."""
    if parameters.instance or binding.instance:
        same = binding.instance == parameters.instance
        return same and binding.reg_id in (0, parameters.reg_id)
    if binding.transport not in RELIABLE or (binding.flow is not None and binding.flow.open):
        return False
    old = parse_uri(binding.contact)
    agent = _user_agent(message)
    return (old.user, old.host, binding.user_agent) == (uri.user, uri.host, agent)


def _user_agent(message: Message) -> str:
    """The User-Agent for people to read, one string for all phones that send it."""
    agent = (message.value("User-Agent") or "")[:MAX_USER_AGENT]
    if not agent.isascii() or "\0" in agent:
        agent = readable(agent).replace("\0", "")
    return intern(agent)
