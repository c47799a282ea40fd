"""Extensions with the phones registered for them: for the pages Phones and Extensions."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from django.db.models import CharField, Exists, F, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Concat
from django.utils import timezone

from pbx.directory.models import Device, Extension
from pbx.enginelink.engines import Engines
from pbx.registrations.models import Binding
from webui.dashboard import states
from webui.dashboard.states import State

ONLINE: Final = "online"
OFFLINE: Final = "offline"


@dataclass(frozen=True, slots=True)
class ExtensionRow:
    extension: Extension
    state: State
    phones: list[Binding]
    forwards: str

    @property
    def shown_state(self) -> State:
        """What an administrator must know first: switched off, no password, then online or not."""
        if not self.extension.enabled:
            return states.DISABLED
        return self.state if hasattr(self.extension, "credential") else states.NO_PASSWORD


def search_extensions(text: str, presence: str = "") -> QuerySet[Extension]:
    """Extensions whose number, name, person or device has `text` in it.

    `presence` is ONLINE, OFFLINE or "" for both.
    """
    address = Concat(F("number"), Value("@"), F("domain__name"), output_field=CharField())
    found = Extension.objects.select_related("domain", "person", "credential").annotate(
        address=address
    )
    alive = Binding.objects.filter(aor=OuterRef("address"), expires_at__gt=timezone.now())
    if text:
        devices = Device.objects.filter(extension=OuterRef("pk"), name__icontains=text)
        found = found.filter(
            Q(number__icontains=text)
            | Q(name__icontains=text)
            | Q(person__username__icontains=text)
            | Exists(devices)
            | Exists(alive.filter(user_agent__icontains=text))
        )
    if presence in (ONLINE, OFFLINE):
        found = found.filter(Exists(alive) if presence == ONLINE else ~Exists(alive))
    return found


def extension_rows(extensions: Iterable[Extension], now: dt.datetime) -> list[ExtensionRow]:
    extensions = list(extensions)
    phones: defaultdict[str, list[Binding]] = defaultdict(list)
    aors = [extension.aor for extension in extensions]
    for binding in Binding.objects.filter(aor__in=aors, expires_at__gt=now).order_by("-updated_at"):
        phones[binding.aor].append(binding)
    refused = _refused() if len(phones) < len(aors) else frozenset()
    return [
        ExtensionRow(
            extension=extension,
            state=_presence(phones[extension.aor], extension.aor in refused),
            phones=phones[extension.aor],
            forwards=_forwards(extension),
        )
        for extension in extensions
    ]


def _refused() -> frozenset[str]:
    """The AORs for which phones give a wrong password; the page Guard tells more of them."""
    return frozenset(one["account"] for one in Engines().refused())


def _presence(phones: list[Binding], is_refused: bool) -> State:
    if not phones:
        return states.PHONE_REFUSED if is_refused else states.PHONE_OFFLINE
    if all(phone.unreachable_since for phone in phones):
        return states.PHONE_SILENT
    return states.PHONE_ONLINE


def _forwards(extension: Extension) -> str:
    """ "always to 1002", "when busy to 1002, without answer after 20 s to 1003", or ""."""
    if extension.forward_always:
        return f"always to {extension.forward_always}"
    said = []
    if extension.forward_busy:
        said.append(f"when busy to {extension.forward_busy}")
    if extension.forward_no_answer:
        said.append(
            f"after {extension.forward_no_answer_after} s without answer to "
            f"{extension.forward_no_answer}"
        )
    return ", ".join(said)
