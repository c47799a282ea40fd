"""Record-Route with a signed note of both ends' flows, so that a dialog outlives this process (D3).

The note is a URI parameter: `f=U192.0.2.1:5060!T198.51.100.7:40312!MAC`, caller first. The MAC
covers the note, the Call-ID and the caller's tag. Whoever presents it in a Route proves that we
relayed the dialog, and which tag it verifies with tells which side is speaking.
Double Record-Route where the two sides use different transports (RFC 5658 §3.3).
"""

from __future__ import annotations

from _blake2 import blake2s
from dataclasses import dataclass
from hmac import compare_digest

from sipengine.sip.flow import Flow
from sipengine.sip.uri import host_port

_LETTERS = {"UDP": "U", "TCP": "T"}
_TRANSPORTS = {"U": "UDP", "T": "TCP"}


@dataclass(frozen=True, slots=True)
class Ends:
    """What a valid note says: (transport, host, port) of both ends, and whether the caller speaks."""

    caller: tuple[str, str, int]
    callee: tuple[str, str, int]
    from_caller: bool


class RecordRoute:
    """Writes and reads our Record-Route URIs. `address` is the advertised host:port."""

    def __init__(self, key: bytes, address: tuple[str, int]) -> None:
        self._key = key
        self._uri = f"<sip:{host_port(*address)};lr"
        self._prefix = f"{self._uri};f="
        self._tcp_prefix = f"{self._uri};transport=tcp;f="

    def lines(self, call_id: str, from_tag: str, caller: Flow, callee: Flow) -> str:
        """The header lines to put above other Record-Routes, each with its line end."""
        note = f"{_packed(caller)}!{_packed(callee)}"
        note = f"{note}!{self._mac(note, call_id, from_tag)}>\r\n"
        towards_caller = self._tcp_prefix if caller.transport == "TCP" else self._prefix
        if caller.transport == callee.transport:
            return f"Record-Route: {towards_caller}{note}"
        towards_callee = self._tcp_prefix if callee.transport == "TCP" else self._prefix
        return f"Record-Route: {towards_callee}{note}Record-Route: {towards_caller}{note}"

    def read(self, note: str, call_id: str, from_tag: str, to_tag: str) -> Ends | None:
        """What the parameter `f` of a Route says, None if it is not ours for this dialog."""
        body, _, mac = note.rpartition("!")
        from_caller = compare_digest(mac.encode(), self._mac(body, call_id, from_tag).encode())
        if not from_caller and not compare_digest(
            mac.encode(), self._mac(body, call_id, to_tag).encode()
        ):
            return None
        caller, _, callee = body.partition("!")
        return Ends(_unpacked(caller), _unpacked(callee), from_caller)

    def note_of(self, route: str) -> str | None:
        """The note in a Route value that reads exactly as we wrote it: the quick way for the usual case."""
        for prefix in (self._prefix, self._tcp_prefix):
            if route.startswith(prefix):
                return route[len(prefix) : route.find(">")]
        return None

    def _mac(self, note: str, call_id: str, tag: str) -> str:
        text = f"{note}\n{call_id}\n{tag}".encode("latin-1", "replace")
        return blake2s(text, key=self._key, digest_size=8).hexdigest()


def _packed(flow: Flow) -> str:
    if not flow.packed:
        flow.packed = _LETTERS.get(flow.transport, "T") + host_port(*flow.remote)
    return flow.packed


def _unpacked(text: str) -> tuple[str, str, int]:
    host, _, port = text[1:].rpartition(":")
    return _TRANSPORTS[text[0]], host.strip("[]"), int(port)
