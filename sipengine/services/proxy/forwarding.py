"""The copy of a request that goes on (RFC 3261 §16.6) and of a response that goes back (§16.7)."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sipengine.services.own_addresses import OwnAddresses
from sipengine.sip.address import parse_address
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.flow import Flow
from sipengine.sip.header_line import header_line
from sipengine.sip.message import Message, split_list
from sipengine.sip.parser import parse
from sipengine.sip.transaction.sibling import sibling

scanned: Callable[[bytes], tuple[bytes, bytes] | None] | None
"""The compiled twin of `split_response` for the usual shape, where there is one."""
try:
    from sipengine.sip.scanner import split_response as scanned
except ImportError:
    scanned = None


class Branches:
    """Makes branch parameters: unique, and with a hash that tells a loop from a spiral (RFC 5393 §4.2).

    `instance` differs from process to process, so that an answer to a request of an earlier one
    is not taken for ours.
    """

    __slots__ = ("_count", "_prefix", "addresses")

    def __init__(self, instance: str, addresses: OwnAddresses) -> None:
        self._prefix = f"z9hG4bK{instance}"
        self._count = 0
        self.addresses = addresses

    def make(self, loop_hash: int) -> str:
        self._count += 1
        return f"{self._prefix}{self._count}.{loop_hash}"

    def is_loop(self, message: Message, loop_hash: int) -> bool:
        """Whether a Via of ours carries the same hash: the request came back unchanged (§16.3 step 4)."""
        if message.has_one_via:
            return False  # only the sender's own
        ending = f".{loop_hash}"
        for via in message.all("Via"):
            if self._prefix in via:
                branch = via.partition("branch=")[2].partition(";")[0].strip()
                if branch.endswith(ending):
                    return True
        return False


class Outgoing:
    """What all branches of one forwarded request have in common.

    `rest` is everything below our own Via and Record-Route.
    """

    __slots__ = ("_branches", "_hash", "_method", "_rest")

    def __init__(
        self, message: Message, branches: Branches, loop_hash: int, realms: Iterable[str]
    ) -> None:
        """Takes Max-Forwards down by one and credentials for our own `realms` out: whoever gets
        them can try passwords on them. The caller has popped our Routes already.
        """
        self._branches = branches
        self._hash = loop_hash
        self._method = message.method
        self._rest = message.forwarded(realms)

    def to(self, uri: str, flow: Flow, record_route: str) -> tuple[bytes, bytes]:
        """(branch, request) for one target. `record_route` is header lines with their ends, or ""."""
        branch = self._branches.make(self._hash)
        rport = "" if flow.reliable else ";rport"
        text = (
            f"{self._method} {uri} SIP/2.0\r\n"
            f"Via: {flow.via or self._branches.addresses.via(flow)};branch={branch}{rport}\r\n"
            f"{record_route}"
        )
        return branch.encode(), text.encode("latin-1", "replace") + self._rest


def cancel_of(invite: bytes, reason: str) -> bytes:
    """The CANCEL of an INVITE we sent (§9.1): same URI, top Via, To, From, Call-ID, Routes, CSeq number.

    `reason` are Reason header lines (RFC 3326), without the last line end, or "". A Session-ID
    stays with the request (RFC 7989 §7).
    """
    return sibling(invite, b"CANCEL", reason=reason.encode("latin-1", "replace"))


def split_response(data: bytes) -> tuple[bytes, bytes]:
    """(branch, response without its top Via) of a raw response (§16.7 step 3), with a
    Content-Length and nothing behind its body.

    Raises `RemoteProtocolError` if it is broken or cut off.
    """
    if scanned is not None and (parts := scanned(data)) is not None:
        return parts
    if not is_whole(data):
        data = made_whole(data)
    return top_via(data) or top_via_slowly(data)


def top_via(data: bytes) -> tuple[bytes, bytes] | None:
    """(branch, response without its top Via) of a raw response (§16.7 step 3), quick for the usual shape.

    None if it cannot be read so: take `top_via_slowly`.
    """
    start = data.find(b"\r\n") + 2
    if data[start : start + 5] != b"Via: ":
        return None
    end = data.find(b"\r\n", start)
    line = data[start:end]
    at = line.find(b";branch=")
    if at < 0:
        return None
    # Several Vias may share the line; ours has no comma and no quotes, so the first comma ends it.
    comma = line.find(b",")
    if comma < 0:
        return line[at + 8 :].partition(b";")[0].rstrip(), data[:start] + data[end + 2 :]
    if comma < at:
        return None
    branch = line[at + 8 : comma].partition(b";")[0].rstrip()
    return branch, data[: start + 4] + data[start + comma + 1 :]


def is_whole(data: bytes) -> bool:
    """Whether a raw response plainly ends where its Content-Length says; if not, see `made_whole`."""
    end = data.find(b"\r\n\r\n")
    at = data.find(b"\r\nContent-Length: ", 0, end + 2)
    if end < 0 or at < 0 or data[11:12] != b" ":
        return False
    length = data[at + 18 : data.find(b"\r\n", at + 18)].strip(b" ")
    return length.isdigit() and int(length[:9]) == len(data) - end - 4


def made_whole(data: bytes) -> bytes:
    """A raw response with a Content-Length and nothing behind its body (§18.3): fit for a stream.

    Raises `RemoteProtocolError` if it is broken or cut off.
    """
    message = parse(data)
    if not message.has("Content-Length"):
        message.replace("Content-Length", [str(len(message.body))])
    return message.encode()


def top_via_slowly(data: bytes) -> tuple[bytes, bytes]:
    """As `top_via`, for compact, folded and combined Vias. Raises `RemoteProtocolError`."""
    message = parse(data)
    values = split_list(message.via_line.partition(":")[2])
    if not values:
        raise RemoteProtocolError(400, "Bad Request: broken Via header")
    branch = ""
    for item in values[0].split(";")[1:]:
        name, _, value = item.partition("=")
        if name.strip().lower() == "branch":
            branch = value.strip()
    if len(values) > 1:
        message.via_line = "Via: " + ", ".join(values[1:])
    else:
        message.drop_via_line()
    return branch.encode("latin-1"), message.encode()


def pop_own_routes(message: Message, is_ours: Callable[[str], bool]) -> str | None:
    """Take the Routes that name this server off the top (§16.4); returns the first of them.

    `is_ours` judges one Route value. A strict router before us has put our own URI into the
    Request-URI: then the last Route is the real one and goes back there (§16.4).
    """
    if not message.has("Route"):
        return None
    routes = message.all("Route")
    if ";lr" in message.uri and is_ours(f"<{message.uri}>"):
        if not routes:
            return f"<{message.uri}>"
        last = parse_address(routes.pop())
        first: str | None = f"<{message.uri}>"
        message.set_uri(last.uri_text)
    else:
        first = None
    while routes and is_ours(routes[0]):
        if first is None:
            first = routes[0]
        del routes[0]
    message.replace("Route", routes)
    return first


def push_strict_route(message: Message) -> str:
    """If the next Route is a strict router (no lr), send to it by §16.6 step 6; returns the next hop URI.

    Returns "" when there is no Route left: the Request-URI is the next hop.
    """
    routes = message.all("Route")
    if not routes:
        return ""
    following = parse_address(routes[0])
    if following.uri.parameter("lr") is None:
        routes = [*routes[1:], f"<{message.uri}>"]
        message.set_uri(following.uri_text)
        message.replace("Route", routes)
    return following.uri_text


def is_for_cancel(response: bytes) -> bool:
    """Whether a response's CSeq names CANCEL."""
    if b"CANCEL" not in response:
        return False
    line = header_line(response, b"CSeq", b"cseq")
    return line is not None and line.split()[-1:] == [b"CANCEL"]
