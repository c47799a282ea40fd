"""How a call came to be where it is: History-Info (RFC 7044) and Diversion (RFC 5806).

Both are written where an extension's forward moved the call; a History-Info that was there before
is carried on whatever happens.
"""

from __future__ import annotations

from typing import Final

from sipengine.services.routing import Diverted
from sipengine.sip.address import parse_address
from sipengine.sip.errors import RemoteProtocolError

MAX_ENTRIES: Final = 30
"""Entries carried on; a longer history is cut at its beginning, as a loop would make it grow for ever."""

_WORDS: Final = {302: "unconditional", 486: "user-busy", 408: "no-answer"}
_NOBODY: Final = "sip:anonymous@anonymous.invalid"


class History:
    """The history of one call. `uri` is its Request-URI, `entries` the History-Info it came with."""

    __slots__ = ("_entries", "_index", "_tries", "_uri")

    def __init__(self, uri: str, entries: list[str]) -> None:
        self._uri = uri
        self._entries = entries[-MAX_ENTRIES:]
        self._index = "1"
        self._tries = 0
        if entries:
            last, self._index = _uri_and_index(entries[-1])
            if last != uri:  # RFC 7044 §10.3: the proxy before us left its own out
                self._index += ".1"
                self._entries.append(f"<{uri}>;index={self._index}")

    def lines(self, diverted: tuple[Diverted, ...], aor: str, contact: str, hidden: bool) -> str:
        """The header lines, with their ends, for a branch to `contact` of `aor`.

        `diverted` are those who sent the call on, first to last. Where it is `hidden` their
        addresses are left out (RFC 7044 §10.1.2, `Privacy: history`).
        """
        self._tries += 1
        entries = list(self._entries)
        index = self._index
        if not entries:
            entries.append(
                _entry(self._uri, diverted[0].cause if diverted else 0, index, "", hidden)
            )
        elif diverted:
            entries[-1] = _entry(self._uri, diverted[0].cause, index, "", hidden)
        step = f".{self._tries}"
        for at, one in enumerate(diverted):
            following = diverted[at + 1] if at + 1 < len(diverted) else None
            uri = (
                f"sip:{following.aor if following else aor.removeprefix('sip:')};cause={one.cause}"
            )
            before, index, step = index, index + step, ".1"
            failed = following.cause if following else 0
            entries.append(_entry(uri, failed, index, f";mp={before}", hidden and failed > 0))
        if contact != aor:
            entries.append(_entry(contact, 0, index + step, f";rc={index}", False))
        text = "".join(f"History-Info: {entry}\r\n" for entry in entries)
        for one in reversed(diverted):  # RFC 5806 §4: the latest on top
            who = _NOBODY if hidden else f"sip:{one.aor}"
            privacy = "full" if hidden else "off"
            reason = _WORDS.get(one.cause, "unknown")
            text += f"Diversion: <{who}>;reason={reason};counter=1;privacy={privacy}\r\n"
        return text


def _entry(uri: str, cause: int, index: str, parameters: str, hidden: bool) -> str:
    """One hi-entry; `cause` is why the call did not stay there (RFC 7044 §10.2)."""
    if hidden:
        uri = _NOBODY
    if cause and "?" not in uri:
        uri += f"?Reason=SIP%3Bcause%3D{cause}"
    return f"<{uri}>;index={index}{parameters}"


def _uri_and_index(entry: str) -> tuple[str, str]:
    try:
        address = parse_address(entry)
    except RemoteProtocolError:
        return "", "1"
    index = address.parameter("index") or "1"
    if not index.replace(".", "").isdigit() or len(index) > 60:
        index = "1"
    return address.uri_text.partition("?")[0], index
