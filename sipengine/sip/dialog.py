"""A dialog as one of its user agents keeps it (RFC 3261 §12)."""

from __future__ import annotations

from typing import Final

from sipengine.sip.address import parse_address
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.message import Message
from sipengine.sip.uri import parse_uri

EARLY: Final = 0
CONFIRMED: Final = 1

MAX_ROUTES: Final = 20
"""Hops of a route set: each is in every request, and nothing real has more than five."""


class Dialog:
    """State of §12.1. `local` and `remote` are the From and To of our requests, tags included.

    `route_set` are Route values in the order in which our requests visit them.
    """

    __slots__ = (
        "call_id", "is_caller", "local", "local_seq", "local_tag", "remote", "remote_seq", "remote_tag",
        "remote_target", "route_set", "state",
    )  # fmt: skip

    def __init__(
        self, call_id: str, local: str, local_tag: str, remote: str, remote_tag: str, is_caller: bool
    ) -> None:  # fmt: skip
        self.call_id = call_id
        self.local = local
        self.local_tag = local_tag
        self.remote = remote
        self.remote_tag = remote_tag
        self.is_caller = is_caller  # whether we sent the request that made it: we own its Call-ID
        self.local_seq = 0
        self.remote_seq = -1
        self.remote_target = ""
        self.route_set: list[str] = []
        self.state = EARLY

    def next_seq(self) -> int:
        """The CSeq number of our next request (§12.2.1.1)."""
        self.local_seq += 1
        return self.local_seq

    def check_seq(self, number: int) -> None:
        """Note the CSeq of a request of the peer; raises 500 for one out of order (§12.2.2)."""
        if number < self.remote_seq:
            raise RemoteProtocolError(500, "Server Internal Error: CSeq out of order")
        self.remote_seq = number

    def target_in(self, message: Message) -> str:
        """The target that a target refresh request or its answer names (§12.2), else the present one.

        Raises `RemoteProtocolError` 400 or 416 for one that cannot be used.
        """
        contacts = message.all("Contact")
        return target_of(contacts[0]) if contacts else self.remote_target

    def refresh(self, response: Message) -> None:
        """Take the target of the answer to a target refresh request (§12.2.1.2).

        Interop: one that cannot be used changes nothing, since the change itself is agreed on.
        """
        try:
            self.remote_target = self.target_in(response)
        except RemoteProtocolError:
            return

    def confirm(self, response: Message) -> None:
        """A 2xx confirms the dialog; the route set is worked out anew (§13.2.2.4)."""
        self.state = CONFIRMED
        self.route_set = routes_of(response)[::-1]
        self.remote_target = self.target_in(response)

    def request_line_and_routes(self) -> tuple[str, list[str]]:
        """The Request-URI and the Routes of a request in this dialog (§12.2.1.1)."""
        routes = self.route_set
        if not routes:
            return self.remote_target, []
        first = parse_address(routes[0])
        if first.uri.parameter("lr") is not None:
            return self.remote_target, routes
        return first.uri_text, [*routes[1:], f"<{self.remote_target}>"]  # a strict router


def dialog_of_request(request: Message, local_tag: str) -> Dialog:
    """The UAS's side of the dialog that `request` begins (§12.1.1).

    Raises `RemoteProtocolError` 400 if it has no Contact that requests could be sent to.
    """
    contacts = request.all("Contact")
    if len(contacts) != 1:
        raise RemoteProtocolError(400, "Bad Request: not exactly one Contact header")
    dialog = Dialog(
        request.call_id,
        f"{request.value('To')};tag={local_tag}",
        local_tag,
        request.value("From") or "",
        request.from_tag,
        is_caller=False,
    )
    dialog.remote_seq = request.cseq
    dialog.remote_target = target_of(contacts[0])
    dialog.route_set = routes_of(request)
    return dialog


def dialog_of_response(request: Message, response: Message) -> Dialog:
    """The UAC's side of the dialog that `response` (101-299 with a To tag) makes (§12.1.2).

    Interop: without a Contact the Request-URI stays the target; it is all that is known.
    """
    dialog = Dialog(
        request.call_id,
        request.value("From") or "",
        request.from_tag,
        response.value("To") or "",
        response.to_tag,
        is_caller=True,
    )
    dialog.local_seq = request.cseq
    dialog.remote_target = request.uri
    dialog.remote_target = dialog.target_in(response)
    dialog.route_set = routes_of(response)[::-1]
    if 200 <= response.status < 300:
        dialog.state = CONFIRMED
    return dialog


def routes_of(message: Message) -> list[str]:
    """The Record-Route values of a message, top first. Raises 400 for one that is no address."""
    if not message.has("Record-Route"):
        return []
    routes = message.all("Record-Route")
    if len(routes) > MAX_ROUTES:
        raise RemoteProtocolError(400, "Bad Request: too many Record-Route headers")
    for route in routes:
        parse_uri(parse_address(route).uri_text)
    return routes


def target_of(contact: str) -> str:
    """The URI of a Contact that requests can be sent to. Raises 400 or 416."""
    text = parse_address(contact).uri_text
    parse_uri(text)
    return text
