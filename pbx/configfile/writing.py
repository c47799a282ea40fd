"""From the configuration to the text of a file that `apply` takes back unchanged."""

from __future__ import annotations

from collections.abc import Iterator

from pbx.configfile.document import CallSettings, Device, Document, Extension, Rule
from pbx.directory.passwords import Secrets


def write(document: Document) -> Iterator[str]:
    """Yield the lines of the file. The same configuration always gives the same lines."""
    yield "version: 1\n"
    yield f"domain: {_quoted(document.domain)}\n"
    yield f"mode: {document.mode}\n"
    if document.calls is not None:
        yield from _calls(document.calls)
    yield "extensions:\n" if document.extensions else "extensions: []\n"
    for number, extension in document.extensions.items():
        yield from _extension(extension, document.secrets.get(number))
        yield from _devices(document.devices.get(number, ()))
    yield "rules:\n" if document.rules else "rules: []\n"
    for rule in document.rules.values():
        yield from _rule(rule)


def _calls(calls: CallSettings) -> Iterator[str]:
    yield "calls:\n"
    yield f"  session_timer: {calls.session_timer}\n"
    yield f"  assert_identity: {'true' if calls.assert_identity else 'false'}\n"
    yield f"  trusted: [{', '.join(_quoted(address) for address in calls.trusted)}]\n"


def _extension(extension: Extension, secrets: Secrets | None) -> Iterator[str]:
    yield f"  - number: {_quoted(extension.number)}\n"
    yield f"    name: {_quoted(extension.name)}\n"
    if secrets is not None:
        yield f"    ha1_md5: {_quoted(secrets.ha1_md5)}\n"
        yield f"    ha1_sha256: {_quoted(secrets.ha1_sha256)}\n"
    if not extension.enabled:
        yield "    enabled: false\n"
    yield f"    max_contacts: {extension.max_contacts}\n"
    yield f"    ring_timeout: {extension.ring_timeout}\n"
    yield (
        f"    forward: {{always: {_or_null(extension.forward_always)}, "
        f"busy: {_or_null(extension.forward_busy)}, "
        f"no_answer: {_or_null(extension.forward_no_answer)}, "
        f"no_answer_after: {extension.forward_no_answer_after}}}\n"
    )


def _devices(devices: tuple[Device, ...]) -> Iterator[str]:
    if not devices:
        return
    yield "    devices:\n"
    for device in devices:
        yield f"      - name: {_quoted(device.name)}\n"
        for key in ("mac", "user_agent", "notes"):
            if value := getattr(device, key):
                yield f"        {key}: {_quoted(value)}\n"


def _rule(rule: Rule) -> Iterator[str]:
    default = Rule(rule.name, rule.called, rule.action)
    yield f"  - name: {_quoted(rule.name)}\n"
    yield f"    called: {_quoted(rule.called)}\n"
    yield f"    action: {rule.action}\n"
    # What the action uses is always written; the rest only if somebody has set it.
    if rule.action == "forward" or rule.strategy != default.strategy:
        yield f"    strategy: {rule.strategy}\n"
    if rule.action == "forward" or rule.timeout != default.timeout:
        yield f"    timeout: {rule.timeout}\n"
    if rule.follow_redirects:
        yield "    follow_redirects: true\n"
    if rule.action == "reject" or rule.status != default.status:
        yield f"    status: {rule.status}\n"
    if rule.action == "reject" or rule.reason:
        yield f"    reason: {_quoted(rule.reason)}\n"
    if not rule.enabled:
        yield "    enabled: false\n"
    if rule.targets:
        yield f"    targets: [{', '.join(_quoted(target) for target in rule.targets)}]\n"


def _or_null(text: str) -> str:
    return _quoted(text) if text else "null"


def _quoted(text: str) -> str:
    """Return a YAML double-quoted scalar (YAML 1.1 §5.6) on one line."""
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if character.isprintable():
        return character
    code = ord(character)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
