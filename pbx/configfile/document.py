"""What a configuration file says, as plain values; also what the database says, in the same form.

Both sides being the same kind of value makes comparing them a matter of `==` (see `plan`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pbx.directory.passwords import Secrets


@dataclass(frozen=True, slots=True)
class Device:
    name: str
    mac: str = ""
    user_agent: str = ""
    notes: str = ""


@dataclass(frozen=True, slots=True)
class Extension:
    """An extension's own columns; its secrets and devices are kept beside it."""

    number: str
    name: str = ""
    enabled: bool = True
    max_contacts: int = 10
    ring_timeout: int = 60
    forward_always: str = ""
    forward_busy: str = ""
    forward_no_answer: str = ""
    forward_no_answer_after: int = 20


@dataclass(frozen=True, slots=True)
class Rule:
    name: str
    called: str
    action: str
    enabled: bool = True
    strategy: str = "simultaneous"
    timeout: int = 20
    status: int = 480
    reason: str = ""
    follow_redirects: bool = False
    targets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CallSettings:
    """What holds of every call of the domain; `trusted` in the order of the file."""

    session_timer: int = 0
    assert_identity: bool = False
    trusted: tuple[str, ...] = ()


@dataclass(slots=True)
class Document:
    """One domain's configuration. `rules` are in the order in which they are tried.

    `mode` or `calls` None and an extension without entry in `secrets` or `devices` mean: as it is.
    """

    domain: str
    mode: str | None = None
    extensions: dict[str, Extension] = field(default_factory=dict)
    secrets: dict[str, Secrets] = field(default_factory=dict)
    devices: dict[str, tuple[Device, ...]] = field(default_factory=dict)
    rules: dict[str, Rule] = field(default_factory=dict)
    calls: CallSettings | None = None
