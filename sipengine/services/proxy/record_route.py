"""Record-Route with a signed note of both ends' flows, so that a dialog outlives this process (D3).

The note is a URI parameter: `f=U192.0.2.1:5060!T198.51.100.7:40312!MAC`, caller first; U is UDP, T
TCP, S TLS, W and X a WebSocket plain and secure. A call that goes through a media gateway has its
anchor before the MAC: `…!g0wr1f!MAC`. The MAC
covers the note, the Call-ID and the caller's tag. Whoever presents it in a Route proves that we
relayed the dialog, and which tag it verifies with tells which side is speaking.
Double Record-Route where the two sides differ in transport or address (RFC 5658 §3.3).
"""

from __future__ import annotations

from _blake2 import blake2s
from dataclasses import dataclass
from hmac import compare_digest

from sipengine.services.own_addresses import OwnAddresses
from sipengine.sip.flow import Flow
from sipengine.sip.uri import host_port

_LETTERS = {"UDP": "U", "TCP": "T", "TLS": "S", "WS": "W", "WSS": "X"}
_TRANSPORTS = {letter: transport for transport, letter in _LETTERS.items()}


@dataclass(frozen=True, slots=True)
class Ends:
    """What a valid note says: (transport, host, port) of both ends, and whether the caller speaks."""

    caller: tuple[str, str, int]
    callee: tuple[str, str, int]
    from_caller: bool
    media: str = ""  # the anchor of the dialog's media (services/media/anchors.py)


class RecordRoute:
    """Writes and reads our Record-Route URIs."""

    def __init__(self, key: bytes, addresses: OwnAddresses) -> None:
        self._key = key
        self._addresses = addresses

    def lines(
        self,
        call_id: str,
        from_tag: str,
        caller: Flow,
        callee: Flow,
        media: str = "",
        uri: str = "",
    ) -> str:
        """The header lines to put above other Record-Routes, each with its line end.

        `uri` is the Request-URI that they go with: where that is `sips:` so are they (§16.6 step 4).
        """
        note = f"{_packed(caller)}!{_packed(callee)}"
        if media:
            note = f"{note}!{media}"
        note = f"{note}!{self._mac(note, call_id, from_tag)}>\r\n"
        towards_caller = caller.route or self._addresses.route(caller)
        towards_callee = callee.route or self._addresses.route(callee)
        if uri[:5] == "sips:":
            towards_caller = self._addresses.sips_route(towards_caller)
            towards_callee = self._addresses.sips_route(towards_callee)
        if towards_caller == towards_callee:
            return f"Record-Route: {towards_caller};f={note}"
        return f"Record-Route: {towards_callee};f={note}Record-Route: {towards_caller};f={note}"

    def read(self, note: str, call_id: str, from_tag: str, to_tag: str) -> Ends | None:
        """What the parameter `f` of a Route says, None if it is not ours for this dialog."""
        body, _, mac = note.rpartition("!")
        from_caller = compare_digest(mac.encode(), self._mac(body, call_id, from_tag).encode())
        if not from_caller and not compare_digest(
            mac.encode(), self._mac(body, call_id, to_tag).encode()
        ):
            return None
        caller, _, callee = body.partition("!")
        callee, _, media = callee.partition("!")
        return Ends(_unpacked(caller), _unpacked(callee), from_caller, media)

    def note_of(self, route: str) -> str | None:
        """The note in a Route value that reads exactly as we wrote it: the quick way for the usual case."""
        at = route.find(";f=")
        if at >= 0 and route[:at] in self._addresses.routes:
            return route[at + 3 : route.find(">")]
        return None

    def _mac(self, note: str, call_id: str, tag: str) -> str:
        text = f"{note}\n{call_id}\n{tag}".encode("latin-1", "replace")
        return blake2s(text, key=self._key, digest_size=8).hexdigest()


def _packed(flow: Flow) -> str:
    if not flow.packed:
        flow.packed = _LETTERS[flow.transport] + host_port(*flow.remote)
    return flow.packed


def _unpacked(text: str) -> tuple[str, str, int]:
    host, _, port = text[1:].rpartition(":")
    return _TRANSPORTS[text[0]], host.strip("[]"), int(port)
