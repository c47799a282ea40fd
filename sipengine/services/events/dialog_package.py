"""The event package `dialog`: the lamps of other people's telephones (RFC 4235)."""

from __future__ import annotations

from typing import Final

from sipengine.services.events.call_watch import CallWatch
from sipengine.services.events.dialog_info import TERMINATED, Dialog, dialogs_of, document
from sipengine.services.events.package import Package
from sipengine.services.events.subscription import Subscription

WHOLE_BYTES: Final = 900
"""Documents up to this size are always complete, so that a lamp is right again after a lost NOTIFY,
and phones that know no partial state are content. It leaves the NOTIFY below the 1300 bytes that
UDP takes in one piece (RFC 3261 §18.1.1). Of more dialogs only the changed ones are told."""


class DialogPackage(Package):
    """State comes from the calls going on, by `watch`."""

    __slots__ = ("_watch",)

    def __init__(self, watch: CallWatch) -> None:
        super().__init__("dialog", "application/dialog-info+xml")
        self._watch = watch

    def first_watcher(self, resource: str) -> None:
        self._watch.watch(resource)

    def last_watcher_gone(self, resource: str) -> None:
        self._watch.unwatch(resource)

    def knows(self, resource: str) -> bool:
        return self._watch.knows(resource)

    def document(self, subscription: Subscription, version: int, now: float) -> str | None:
        told = subscription.told
        whole = subscription.whole
        resource = subscription.resource
        dialogs = [
            dialog
            for dialog in dialogs_of(resource, self._watch.calls_of(resource))
            if dialog.state != TERMINATED or dialog.id in told
        ]
        known = {dialog.id for dialog in dialogs}
        for identity, word in told.items():
            if identity not in known:  # it ended while an earlier NOTIFY was under way
                remote = word.partition(" ")[2]
                initiator = identity.endswith("-o")
                dialogs.append(Dialog(identity, initiator, TERMINATED, "", remote, ""))
        changed = [dialog for dialog in dialogs if told.get(dialog.id) != dialog.word]
        if not changed and not whole:
            return None
        text = document(resource, version, True, dialogs)
        if not whole and len(text) > WHOLE_BYTES and len(changed) < len(dialogs):
            text = document(resource, version, False, changed)
        subscription.told = {d.id: d.word for d in dialogs if d.state != TERMINATED}
        return text
