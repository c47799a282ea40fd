"""A SIP message as a value (RFC 3261 §7); `parser.py` makes it of bytes.

A message is kept as the lines it came in, with the name of each line beside it. Typed values are
made when somebody asks. Forwarding copies the list of lines, changes the few that must change and
joins them: a header that nobody changes is never written anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sipengine.sip.names import NAMES


class Message:
    """One request or response. `lines[0]` is the start line, `names[i]` the name of `lines[i]`.

    For a request `method` and `uri` are set and `status` is 0; for a response the other way round.
    `body` is the text after the empty line, cut to Content-Length if that says less. `cseq` is the
    number of the CSeq it came with.
    """

    __slots__ = (
        "_first",
        "_from_tag",
        "_to_tag",
        "body",
        "call_id",
        "cseq",
        "lines",
        "method",
        "names",
        "status",
        "uri",
    )

    lines: list[str]
    names: list[str]
    body: str
    method: str
    uri: str
    status: int
    call_id: str
    cseq: int
    _first: dict[str, int]
    _from_tag: str | None
    _to_tag: str | None

    def __init__(
        self, lines: list[str], names: list[str], body: str, method: str, uri: str, status: int
    ) -> None:
        self.lines = lines
        self.names = names
        self.body = body
        self.method = method
        self.uri = uri
        self.status = status
        self._from_tag = self._to_tag = None
        self._index()
        self.cseq = 0  # until the parser has read it
        self.call_id = self.value("Call-ID") or ""

    def _index(self) -> None:
        names = self.names
        first = dict(zip(names, range(len(names)), strict=True))
        if len(first) != len(
            names
        ):  # backwards, so that the first of several lines of one name wins
            first = dict(zip(reversed(names), range(len(names) - 1, -1, -1), strict=True))
        self._first = first

    def has(self, name: str) -> bool:
        """Whether a header of this name is there at all."""
        return name in self._first

    def value(self, name: str) -> str | None:
        """The value of the first header line of this name, without surrounding white space."""
        at = self._first.get(name)
        if at is None:
            return None
        return self.lines[at].partition(":")[2].strip()

    def all(self, name: str) -> list[str]:
        """All values of a header that may be a list, in order; commas split (§7.3.1), empty ones left out."""
        at = self._first.get(name)
        if at is None:
            return []
        if self.names.count(name) == 1:
            return split_list(self.lines[at].partition(":")[2])
        out: list[str] = []
        for line, other in zip(self.lines, self.names, strict=True):
            if other == name:
                out += split_list(line.partition(":")[2])
        return out

    def whole_lines(self, name: str) -> list[str]:
        """The values of each header line of this name, commas untouched (for credentials)."""
        at = self._first.get(name)
        if at is None:
            return []
        if self.names.count(name) == 1:
            return [self.lines[at].partition(":")[2].strip()]
        return [
            line.partition(":")[2].strip()
            for line, other in zip(self.lines, self.names, strict=True)
            if other == name
        ]

    @property
    def via_line(self) -> str:
        """The first Via line, whole; the parser has made sure that there is one."""
        return self.lines[self._first["Via"]]

    @via_line.setter
    def via_line(self, line: str) -> None:
        self.lines[self._first["Via"]] = line

    def drop_via_line(self) -> None:
        """Take the first Via line out."""
        at = self._first["Via"]
        del self.lines[at], self.names[at]
        self._index()

    @property
    def has_one_via(self) -> bool:
        """Whether nobody but its sender has put a Via in."""
        return self.names.count("Via") == 1 and "," not in self.via_line

    def replace(self, name: str, values: list[str]) -> None:
        """Make `values` be the lines of this header, where its first line stands now."""
        at = self._first.get(name, len(self.lines))
        for position in range(len(self.names) - 1, at - 1, -1):
            if self.names[position] == name:
                del self.lines[position], self.names[position]
        self.lines[at:at] = [f"{name}: {value}" for value in values]
        self.names[at:at] = [name] * len(values)
        self._index()

    def set_uri(self, uri: str) -> None:
        """Give a request another Request-URI."""
        self.uri = uri
        self.lines[0] = f"{self.method} {uri} SIP/2.0"

    @property
    def from_tag(self) -> str:
        tag = self._from_tag
        if tag is None:
            tag = self._from_tag = tag_of(self.value("From") or "")
        return tag

    @property
    def to_tag(self) -> str:
        tag = self._to_tag
        if tag is None:
            tag = self._to_tag = tag_of(self.value("To") or "")
        return tag

    def append(self, lines: Iterable[str]) -> None:
        """Put header lines below the others."""
        for line in lines:
            self.lines.append(line)
            self.names.append(NAMES[line.partition(":")[0]])
        self._index()

    def loop_hash(self) -> int:
        """What §16.6 step 8 says a branch must depend on, as a number.

        The built-in hash serves: it is the same within a process, and only a process compares. A
        request that loops comes back with these lines as they were, tags included.
        """
        lines = self.lines
        first = self._first
        facts = (
            self.uri,
            lines[first["From"]],
            lines[first["To"]],
            self.call_id,
            lines[first["CSeq"]],
            self.value("Route") or "",
        )
        return hash(facts) & 0xFFFFFFFF

    def fingerprint(self, source: object) -> int:
        """A number that only a retransmission of the same bytes from the same `source` has too."""
        return hash((source, self.body, *self.lines))

    def answer(self, status: int, reason: str, to_tag: str, extra: Sequence[str]) -> bytes:
        """The bytes of an answer (§8.2.6): Vias, From, To, Call-ID and CSeq, then `extra` lines.

        `to_tag` is added if To has none; leave it empty for 100, which takes Timestamp along.
        """
        lines = self.lines
        first = self._first
        vias = lines[first["Via"]]
        if self.names.count("Via") > 1:
            vias = "\r\n".join(
                [line for line, name in zip(lines, self.names, strict=True) if name == "Via"]
            )
        to = lines[first["To"]]
        if to_tag and not self.to_tag:
            to = f"{to};tag={to_tag}"
        if status == 100 and "Timestamp" in first:
            extra = [lines[first["Timestamp"]], *extra]
        end = "\r\n".join([*extra, "Content-Length: 0\r\n\r\n"])
        return (
            f"SIP/2.0 {status} {reason}\r\n{vias}\r\n{lines[first['From']]}\r\n{to}\r\n"
            f"{lines[first['Call-ID']]}\r\n{lines[first['CSeq']]}\r\n{end}"
        ).encode("latin-1", "replace")

    def forwarded(self, realms: Iterable[str]) -> bytes:
        """All below the start line as a proxy hands it on (§16.6): Max-Forwards one less, without
        credentials for our own `realms`, with a Content-Length, which a stream needs (§20.14)."""
        first = self._first
        lines = self.lines[1:]
        at = first.get("Max-Forwards")
        if at is None:
            lines.append("Max-Forwards: 70")
        else:
            lines[at - 1] = f"Max-Forwards: {int(lines[at - 1].partition(':')[2]) - 1}"
        if "Content-Length" not in first:
            lines.append(f"Content-Length: {len(self.body)}")
        if "Proxy-Authorization" in first:
            ours = [f'realm="{realm}"' for realm in realms]
            for at in range(len(self.names) - 1, 0, -1):
                mine = self.names[at] == "Proxy-Authorization"
                if mine and any(realm in lines[at - 1] for realm in ours):
                    del lines[at - 1]
        return ("\r\n".join(lines) + "\r\n\r\n" + self.body).encode("latin-1")

    def encode(self) -> bytes:
        """The bytes of this message as it is now."""
        return ("\r\n".join(self.lines) + "\r\n\r\n" + self.body).encode("latin-1")


def tag_of(value: str) -> str:
    """The tag parameter of a From or To value, "" if it has none (§19.3)."""
    if value.endswith(">"):
        return ""
    _, usual, tag = value.rpartition(">;tag=")
    if usual and ";" not in tag and ">" not in tag:
        return tag.strip()
    end = value.rfind(">") + 1
    at = value.find(";tag=", end)
    if at >= 0:
        return value[at + 5 :].partition(";")[0].strip()
    at = value.find(";", end)
    if at < 0:
        return ""
    for parameter in value[at + 1 :].split(";"):
        name, _, tag = parameter.partition("=")
        if name.strip().lower() == "tag":
            return tag.strip()
    return ""


def split_list(text: str) -> list[str]:
    """The items of a comma-separated header value; commas in quotes and in <> do not split."""
    if "," not in text:
        item = text.strip()
        return [item] if item else []
    out: list[str] = []
    start = 0
    quoted = escaped = angle = False
    for at, char in enumerate(text):
        if escaped:
            escaped = False
        elif quoted:
            if char == "\\":
                escaped = True
            elif char == '"':
                quoted = False
        elif char == '"':
            quoted = True
        elif char == "<":
            angle = True
        elif char == ">":
            angle = False
        elif char == "," and not angle:
            out.append(text[start:at].strip())
            start = at + 1
    out.append(text[start:].strip())
    return [item for item in out if item]
