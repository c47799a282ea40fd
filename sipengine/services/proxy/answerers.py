"""Who rings and who answers, and to whom that is told (RFC 3325 §5 on answers).

An answer passes here only while some domain vouches for its callers or trusts other servers. The
table of what its P-Asserted-Identity becomes, "ours" being a phone of an extension:

| answer of         | says who it is | towards a phone            | towards a trusted server |
| ----------------- | -------------- | -------------------------- | ------------------------ |
| a trusted server  | yes            | as it is, gone by `id`     | as it is                 |
| a trusted server  | no             | none                       | none                     |
| ours, vouched for | yes or no      | the extension, gone by `id`| the extension            |
| ours, any other   | yes or no      | none                       | none                     |
| anybody else      | yes or no      | none                       | none                     |

`id` is the answer's own `Privacy: id` (RFC 3325 §7). An extension is named in what rings or answers
(101 to 299) of a new call; it gave its password when it registered, and only the phone at that Contact has
seen the branch that its answer carries. What a phone would prefer to be called
(P-Preferred-Identity) was meant for this server alone (RFC 3325 §9.2).
"""

from __future__ import annotations

from collections.abc import Mapping

from sipengine.api import Extension
from sipengine.services.proxy.identity import asserted_line
from sipengine.sip.flow import Flow


class Answerers:
    """`asserting` are the domains that vouch for their extensions, `trusted` the servers believed."""

    __slots__ = ("_asserting", "_extensions", "_trusted")

    def __init__(
        self,
        extensions: Mapping[str, Extension],
        asserting: frozenset[str],
        trusted: frozenset[str],
    ) -> None:
        self._extensions = extensions
        self._asserting = asserting
        self._trusted = trusted

    def named(self, status: int, data: bytes, name: str, source: Flow | None, asker: Flow) -> bytes:
        """An answer to an INVITE, as it goes back by `asker`.

        `name` is the AOR that was rung, or anything else; `source` the flow that it was rung by.
        """
        who = self._extensions.get(name) if status < 300 else None
        if who is not None and who.domain not in self._asserting:
            who = None
        return self._told(data, who, source, asker)

    def screened(self, data: bytes, source: Flow | None, asker: Flow) -> bytes:
        """Any other answer: nobody is named in it but by a trusted server."""
        return self._told(data, None, source, asker)

    def _told(self, data: bytes, who: Extension | None, source: Flow | None, asker: Flow) -> bytes:
        head, _, body = data.partition(b"\r\n\r\n")
        lines: list[bytes] = []
        asserted: list[bytes] = []
        hidden = False
        name = b""
        for line in head.replace(b"\r\n", b"\n").split(b"\n"):
            value = line
            if line[:1] not in (b" ", b"\t"):
                name, _, value = line.partition(b":")
                name = name.rstrip(b" \t").lower()
            if name == b"p-asserted-identity":
                asserted.append(line)
                continue
            if name == b"p-preferred-identity":
                continue
            if name == b"privacy":
                words = value.replace(b",", b";").split(b";")
                hidden = hidden or any(word.strip().lower() == b"id" for word in words)
            lines.append(line)
        if source is None or source.remote[0] not in self._trusted:
            asserted = []
        if who is not None and not asserted:
            asserted = [asserted_line(who).rstrip().encode("latin-1")]
        if not hidden or asker.remote[0] in self._trusted:
            lines += asserted
        return b"\r\n".join(lines) + b"\r\n\r\n" + body
