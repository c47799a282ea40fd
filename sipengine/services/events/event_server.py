"""The event server: SUBSCRIBE and PUBLISH for users of our domains, and what they hear (RFC 6665)."""

from __future__ import annotations

from typing import Final

from sipengine.api import ConfigSnapshot, Fact, SubscriptionRecord
from sipengine.services.binding import Binding
from sipengine.services.calls import Calls
from sipengine.services.challenger import Challenger
from sipengine.services.events.call_watch import CallWatch
from sipengine.services.events.dialog_package import DialogPackage
from sipengine.services.events.foreign_calls import ForeignCalls
from sipengine.services.events.message_summary import Mailbox, MessageSummaryPackage
from sipengine.services.events.notifier import Notifier
from sipengine.services.events.package import Package
from sipengine.services.events.presence import PresencePackage
from sipengine.services.events.publications import Publications
from sipengine.services.events.publishing import Publishing
from sipengine.services.events.reg_package import RegPackage
from sipengine.services.events.subscribing import Subscribing
from sipengine.services.events.told_calls import Listener, ToldCalls
from sipengine.services.own_answers import SUPPORTED
from sipengine.services.own_bodies import check_required
from sipengine.services.proxy.proxy import Proxy
from sipengine.services.responsibility import Responsibility
from sipengine.services.sips_contacts import check_sips_request
from sipengine.services.this_process import ThisProcess
from sipengine.sip.flow import Flow
from sipengine.sip.message import Message
from sipengine.sip.uri import parse_uri

METHODS: Final = frozenset({"SUBSCRIBE", "PUBLISH"})


class EventServer:
    """What the core calls. It stands between the packages and what they are about."""

    def __init__(
        self,
        proxy: Proxy,
        calls: Calls,
        challenger: Challenger,
        responsibility: Responsibility,
        facts: list[Fact],
        process: ThisProcess,
    ) -> None:
        layer, location = proxy.layer, proxy.location
        self._timers, self._calls = layer.timers, calls
        self._responsibility = responsibility
        self.watch = watch = CallWatch(calls, self)
        self._dialog = DialogPackage(watch)
        self._mail = MessageSummaryPackage()
        self._publications = Publications(f"{process.tag_prefix}p")
        self._presence = PresencePackage(watch, location, self._publications)
        self._reg = RegPackage(location, process)
        packages: list[Package] = [self._dialog, self._mail, self._presence, self._reg]
        self._packages = {package.name: package for package in packages}
        self.notifier = Notifier(proxy, watch, facts, process)
        self._subscribing = Subscribing(
            layer,
            self.notifier,
            self._packages,
            challenger,
            responsibility,
            proxy.branches.addresses,
            process,
        )
        self._publishing = Publishing(
            layer, self.notifier, self._presence, self._publications, challenger, process.tag_prefix
        )
        self._process = process

    # ------------------------------------------------------------------ requests

    def receive(self, message: Message, flow: Flow, reply_flow: Flow, key: str, now: float) -> bool:
        """A request out of any dialog with one of METHODS; False if it is not for a user of ours.

        Raises `RemoteProtocolError` for what is refused.
        """
        uri = parse_uri(message.uri)
        resource = self._responsibility.aor_of(uri)
        if not resource:
            return False
        if uri.scheme == "sips":
            check_sips_request(flow)
        if message.has("Require"):
            check_required(message, SUPPORTED)
        if message.method == "PUBLISH":
            self._publishing.receive(message, reply_flow, key, resource, now)
        else:
            self._subscribing.receive(message, flow, reply_flow, key, resource, now)
        return True

    def receive_within(
        self, message: Message, flow: Flow, reply_flow: Flow, key: str, now: float
    ) -> bool:
        """A SUBSCRIBE within a dialog; False if the dialog is none of ours."""
        subscription = self.notifier.find(message.call_id, message.to_tag, message.from_tag)
        if subscription is None:
            return False
        if message.has("Require"):
            check_required(message, SUPPORTED)
        self._subscribing.receive_within(message, subscription, flow, reply_flow, key, now)
        return True

    # ------------------------------------------------------------------ other processes

    def foreign_calls(self) -> ForeignCalls:
        """What takes the calls that other processes tell; `watch.others` is to ask them."""
        return ForeignCalls(self._calls, self.watch, self._timers, self._process)

    def told_calls(self, listener: Listener) -> ToldCalls:
        """What tells the calls of this process to another that has all subscriptions."""
        return ToldCalls(self._calls, self._timers, self._process, listener)

    # ------------------------------------------------------------------ news

    def calls_changed(self, aor: str, now: float) -> None:
        self.notifier.changed(self._dialog, aor, now)
        self.notifier.changed(self._presence, aor, now)

    def contacts_changed(self, aor: str, wall: float) -> None:
        if self._presence.watched:
            self.notifier.changed(self._presence, aor, wall - self._process.offset)
        if self._reg.watched:
            self.notifier.changed(self._reg, aor, wall - self._process.offset)

    def contact_ended(self, binding: Binding, why: str, wall: float) -> None:
        if self._reg.watched:
            self._reg.ended(binding, why)
        self.contacts_changed(binding.aor, wall)

    def set_mailbox(self, aor: str, mailbox: Mailbox, now: float) -> None:
        """Tell how many voice messages wait for a user; his lamp follows (RFC 3842)."""
        self._mail.set_mailbox(aor, mailbox)
        self.notifier.changed(self._mail, aor, now)

    def set_config(self, snapshot: ConfigSnapshot, now: float) -> None:
        self._subscribing.snapshot = snapshot
        self.notifier.set_extensions(snapshot.extensions, now)

    def restore(self, records: list[SubscriptionRecord], now: float) -> None:
        self.notifier.restore(records, self._packages, now)
        self.notifier.set_extensions(self._subscribing.snapshot.extensions, now)
