"""PUBLISH requests: a device says what its user does (RFC 3903 §6)."""

from __future__ import annotations

from typing import Final

from sipengine.services.challenger import Challenger
from sipengine.services.events.expiries import Expiries
from sipengine.services.events.notifier import MAX_AT_ONCE, Notifier
from sipengine.services.events.pidf import TYPE, read
from sipengine.services.events.presence import PresencePackage
from sipengine.services.events.publications import Publications
from sipengine.services.events.subscribing import event_of
from sipengine.services.own_answers import MIN_EXPIRES
from sipengine.services.own_bodies import check_content
from sipengine.services.replies import reply
from sipengine.sip.contact import delta_seconds
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.flow import Flow
from sipengine.sip.message import Message
from sipengine.sip.transaction.layer import TransactionLayer
from sipengine.sip.transaction.non_invite_server import NonInviteServer

DEFAULT_EXPIRES: Final = 3600
MAX_EXPIRES: Final = 7200
TICK_S: Final = 1.0


class Publishing:
    """Answers PUBLISH requests for users of our domains; the watchers hear of it by `notifier`."""

    def __init__(
        self,
        layer: TransactionLayer,
        notifier: Notifier,
        package: PresencePackage,
        publications: Publications,
        challenger: Challenger,
        tag_prefix: str,
    ) -> None:
        self._layer = layer
        self._notifier = notifier
        self._package = package
        self._publications = publications
        self._challenger = challenger
        self._tag_prefix = tag_prefix
        self._expiries = Expiries()
        self.due = 0.0

    def receive(
        self, message: Message, reply_flow: Flow, key: str, resource: str, now: float
    ) -> None:
        """The steps of RFC 3903 §6. Raises `RemoteProtocolError` for what is refused."""
        if event_of(message)[0] != self._package.name:  # step 2
            raise RemoteProtocolError(489, "Bad Event")
        domain = resource.rpartition("@")[2]
        who = self._challenger.identify(message, reply_flow, domain, False, now, None)
        if who is None:
            return
        if who.aor != resource:
            raise RemoteProtocolError(403, "Forbidden: only the user himself publishes his state")
        seconds = self._seconds(message)
        expires = now + seconds
        etag = message.value("SIP-If-Match")
        publications = self._publications
        if etag is None:
            if not message.body:
                raise RemoteProtocolError(400, "Bad Request: nothing to publish")
            presence = read(self._document(message))
            if seconds:
                etag = publications.begin(resource, presence, expires, now)
            else:
                etag = f"{self._tag_prefix}0"  # gone as soon as it came
        else:
            publication = publications.find(resource, etag.strip(), now)  # step 3
            if not seconds:
                publications.remove(resource, publication)
            elif message.body:
                etag = publications.modify(publication, read(self._document(message)), expires)
            else:
                etag = publications.refresh(publication, expires)
        self._watch(resource)
        if len(self._expiries) and not self.due:
            self._layer.timers.start(TICK_S, now, self)
        lines = [f"Expires: {seconds}", f"SIP-ETag: {etag}"]
        tag = f"{self._tag_prefix}{hash(key) & 0xFFFFFFFF:x}"
        server = NonInviteServer(self._layer, key, reply_flow, now)
        self._layer.answers_itself(message, key)
        server.respond(200, reply(message, 200, "", tag, lines), now)
        self._notifier.changed(self._package, resource, now)

    def _seconds(self, message: Message) -> int:
        asked = message.value("Expires")
        if asked is None:
            return DEFAULT_EXPIRES
        seconds = min(delta_seconds(asked), MAX_EXPIRES)
        if 0 < seconds < MIN_EXPIRES:  # step 4
            raise RemoteProtocolError(423, "Interval Too Brief")
        return seconds

    def _document(self, message: Message) -> bytes:
        check_content(message, TYPE)  # step 5
        return message.body.encode("latin-1")

    def on_timer(self, now: float) -> None:
        """Forget what was not refreshed, and tell the watchers."""
        self.due = 0.0
        for resource in self._expiries.take(now, MAX_AT_ONCE):
            self._publications.expire(resource, now)
            self._watch(resource)
            self._notifier.changed(self._package, resource, now)
        if len(self._expiries):
            self._layer.timers.start(TICK_S, now, self)

    def _watch(self, resource: str) -> None:
        """Wait for the first of this user's publications to run out."""
        moment = self._publications.runs_out(resource)
        if moment:
            self._expiries.set(resource, moment)
        else:
            self._expiries.drop(resource)
