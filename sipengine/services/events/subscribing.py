"""SUBSCRIBE requests: what is asked for, by whom, and whether it is granted (RFC 6665 §4.2.1)."""

from __future__ import annotations

from typing import Final

from sipengine.api import ConfigSnapshot, Extension
from sipengine.services.challenger import Challenger
from sipengine.services.events.notifier import Notifier
from sipengine.services.events.package import Package
from sipengine.services.events.subscription import DEACTIVATED, TIMEOUT, Subscription
from sipengine.services.own_addresses import OwnAddresses
from sipengine.services.own_answers import MIN_EXPIRES
from sipengine.services.own_bodies import check_body
from sipengine.services.replies import reply
from sipengine.services.responsibility import Responsibility
from sipengine.services.sips_contacts import secure_contact
from sipengine.services.this_process import ThisProcess
from sipengine.sip.address import parse_address, parse_parameters, readable, sender_of
from sipengine.sip.contact import delta_seconds
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.flow import Flow
from sipengine.sip.message import Message
from sipengine.sip.transaction.layer import TransactionLayer
from sipengine.sip.transaction.non_invite_server import NonInviteServer
from sipengine.sip.uri import escape_user, parse_uri

MAX_EXPIRES: Final = 7200
"""Longer is cut to this, so that a phone that vanished is not told for days."""

MAX_TEXT: Final = 512
"""Octets of a Call-ID, tag, address or target that are kept; with it a subscription holds at most 8 kB."""
MAX_ROUTES: Final = 10
_TOKEN: Final = frozenset(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.!%*_+`'~"
)


class Subscribing:
    """Answers SUBSCRIBE requests for users of our domains. `snapshot` is swapped by the core."""

    def __init__(
        self,
        layer: TransactionLayer,
        notifier: Notifier,
        packages: dict[str, Package],
        challenger: Challenger,
        responsibility: Responsibility,
        addresses: OwnAddresses,
        process: ThisProcess,
    ) -> None:
        self._layer = layer
        self._notifier = notifier
        self._packages = packages
        self._challenger = challenger
        self._responsibility = responsibility
        self._addresses = addresses
        self._process = process
        self.snapshot = ConfigSnapshot()

    def receive(
        self, message: Message, flow: Flow, reply_flow: Flow, key: str, resource: str, now: float
    ) -> None:
        """A SUBSCRIBE that begins something. Raises `RemoteProtocolError` for what is refused."""
        name, event_id = event_of(message)
        package = self._packages.get(name)
        if package is None:
            raise RemoteProtocolError(489, "Bad Event")
        domain = resource.rpartition("@")[2]
        who = self._challenger.identify(message, reply_flow, domain, False, now, None)
        if who is None:
            return
        self._check_sender(message, who)
        if resource not in self.snapshot.extensions:
            raise RemoteProtocolError(404, "Not Found")
        if not package.may_subscribe(who.aor, resource):
            raise RemoteProtocolError(403, "Forbidden")
        seconds = self._seconds(message, package)
        subscription = self._subscription(message, package, event_id, resource, who, flow, now)
        if seconds:
            self._notifier.make_room(who.aor, package, resource, subscription.target, now)
        subscription.expires = now + seconds
        self._answer(message, subscription, key, flow, reply_flow, seconds, now)
        self._layer.answers_itself(message, key)
        known = package.knows(resource)
        if seconds:
            self._notifier.add(subscription, now)
        else:
            subscription.reason = TIMEOUT  # a mere question (RFC 6665 §4.4.3)
            if not known:
                subscription.asks = True
                package.first_watcher(resource)
        if known:
            self._notifier.tell(subscription, now)
        else:
            self._notifier.tell_soon(subscription, now)

    def receive_within(
        self,
        message: Message,
        subscription: Subscription,
        flow: Flow,
        reply_flow: Flow,
        key: str,
        now: float,
    ) -> None:
        """A SUBSCRIBE of its dialog: a refresh, or the end (RFC 6665 §4.2.1.1, §4.1.2.3)."""
        domain = subscription.resource.rpartition("@")[2]
        who = self._challenger.identify(message, reply_flow, domain, False, now, None)
        if who is None:
            return
        if who.aor != subscription.subscriber:
            raise RemoteProtocolError(403, "Forbidden")
        if subscription.doom == DEACTIVATED:
            raise RemoteProtocolError(481, "Subscription does not exist")
        if subscription.doom:
            raise RemoteProtocolError(404, "Not Found")
        package = subscription.package
        if event_of(message) != (package.name, subscription.event_id):
            # Its usage of the dialog is another one, and there is none (RFC 6665 §4.4.1).
            raise RemoteProtocolError(481, "Subscription does not exist")
        if message.cseq <= subscription.remote_cseq:  # §12.2.2
            raise RemoteProtocolError(500, "Server Internal Error: CSeq out of order")
        seconds = self._seconds(message, package)
        subscription.remote_cseq = message.cseq
        before = subscription.target, subscription.flow
        if message.has("Contact"):
            subscription.target = self._target(message)  # target refresh (RFC 6665 §4.1.2.2)
        subscription.came_by(flow)
        if before != (subscription.target, flow):
            subscription.telling = None  # what is under way goes to where nobody is any more
        if message.has("Accept"):
            subscription.kind = package.kind_for(message.all("Accept"))
        subscription.updated_at = now + self._process.offset
        subscription.whole = True  # RFC 4235 §3.8: a refresh is answered by full state
        subscription.failures = 0
        subscription.due = 0.0
        self._answer(message, subscription, key, flow, reply_flow, seconds, now)
        if not seconds:
            self._notifier.end(subscription, TIMEOUT, now)
            return
        subscription.expires = now + seconds
        self._notifier.refreshed(subscription, now)
        self._notifier.tell(subscription, now)

    # ------------------------------------------------------------------ what is asked

    def _check_sender(self, message: Message, who: Extension) -> None:
        sender = sender_of(message.value("From") or "")
        if self._responsibility.aor_of(parse_uri(sender.uri_text)) != who.aor:
            raise RemoteProtocolError(403, "Forbidden: From is not the authenticated user")

    def _seconds(self, message: Message, package: Package) -> int:
        """How long is granted, 0 for a question or an end."""
        if message.body:
            check_body(message)
        if message.has("Accept") and not package.kind_for(message.all("Accept")):
            raise RemoteProtocolError(406, "Not Acceptable")
        asked = message.value("Expires")
        if asked is None:
            return package.expires
        seconds = min(delta_seconds(asked), MAX_EXPIRES)
        if 0 < seconds < MIN_EXPIRES:
            raise RemoteProtocolError(423, "Interval Too Brief")
        return seconds

    def _target(self, message: Message) -> str:
        contacts = message.all("Contact")
        if len(contacts) != 1 or contacts[0] == "*":
            raise RemoteProtocolError(400, "Bad Request: SUBSCRIBE needs one Contact")
        target = parse_address(contacts[0]).uri_text
        parse_uri(target)
        if len(target) > MAX_TEXT:
            raise RemoteProtocolError(400, "Bad Request: unusable Contact header")
        return target

    def _subscription(
        self, message: Message, package: Package, event_id: str, resource: str, who: Extension, flow: Flow,
        now: float,
    ) -> Subscription:  # fmt: skip
        local = (message.value("To") or "").strip()
        remote = (message.value("From") or "").strip()
        routes = message.all("Record-Route")
        texts = (local, remote, message.call_id, event_id, *routes)
        if len(routes) > MAX_ROUTES or any(len(t) > MAX_TEXT or "\0" in t for t in texts):
            raise RemoteProtocolError(400, "Bad Request: headers too long for a subscription")
        if not message.from_tag:
            raise RemoteProtocolError(400, "Bad Request: no tag in From")
        subscription = self._notifier.make(
            package, resource, who.aor, message.call_id, message.from_tag
        )
        subscription.event_id = event_id
        subscription.local = local
        subscription.remote = remote
        subscription.target = self._target(message)
        subscription.routes = tuple(routes)  # §12.1.1: in the order they came
        subscription.remote_cseq = message.cseq
        subscription.user_agent = readable(message.value("User-Agent") or "")[:200]
        subscription.created_at = subscription.updated_at = now + self._process.offset
        subscription.came_by(flow)
        subscription.kind = subscription.package.kind_for(message.all("Accept"))
        return subscription

    def _answer(
        self,
        message: Message,
        subscription: Subscription,
        key: str,
        flow: Flow,
        reply_flow: Flow,
        seconds: int,
        now: float,
    ) -> None:
        """200 (RFC 6665 §4.2.1.1: 202 is no more), with the time that was granted."""
        user = escape_user(subscription.resource.rpartition("@")[0])
        contact = self._addresses.contact(user, flow)
        if subscription.is_secure(flow):
            contact = secure_contact(contact)
        lines = [f"Record-Route: {value}" for value in message.whole_lines("Record-Route")]
        lines += [f"Contact: {contact}", f"Expires: {seconds}"]
        server = NonInviteServer(self._layer, key, reply_flow, now)
        server.respond(200, reply(message, 200, "", subscription.id, lines), now)


def event_of(message: Message) -> tuple[str, str]:
    """(package, id) of the Event header (RFC 6665 §8.2.1), ("", "") if there is none.

    Raises `RemoteProtocolError` 400 for an id that is no token: it stands in every NOTIFY.
    """
    value = message.value("Event") or ""
    name, _, rest = value.partition(";")
    if not rest:
        return name.strip(), ""
    identity = dict(parse_parameters(";" + rest)).get("id", "")
    if not _TOKEN.issuperset(identity):
        raise RemoteProtocolError(400, "Bad Request: broken id in Event header")
    return name.strip(), identity
