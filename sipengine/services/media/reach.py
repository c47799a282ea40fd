"""Whether two sides of a call can send their media straight to each other, or NAT keeps them apart.

Decided from where their requests came from and what they say of themselves: the caller by its
session description, a phone that is called by its contact. A side that names a private address but
is seen by another one is behind NAT: only who is behind the same can send to it.
"""

from __future__ import annotations

from typing import Final

from sipengine.sip.flow import Flow
from sipengine.sip.message import Message

PUBLIC: Final = "the internet"
LOCAL: Final = "the server's own network"
LOOPBACK: Final = "the server's own machine"
NOWHERE: Final = ("0.0.0.0", "::")  # noqa: S104 - compared, not bound

_INNER: Final = (
    "10.", "192.168.", "169.254.", "127.", "::1", "fc", "fd", "fe8", "fe9", "fea", "feb",
    "FC", "FD", "FE8", "FE9", "FEA", "FEB",
)  # fmt: skip


def is_inner(host: str) -> bool:
    """Whether it is an address that means something else elsewhere (RFC 1918, 3927, 4193, 6598)."""
    if host.startswith(("172.", "100.")):
        second = host[4:].partition(".")[0]
        if not second.isdigit():
            return False
        return 16 <= int(second) < 32 if host[0:3] == "172" else 64 <= int(second) < 128
    return host.startswith(_INNER)


def apart(message: Message, source: Flow, flow: Flow, uri: str) -> str:
    """Why the caller of `message`, heard on `source`, and the phone `uri` that is reached by `flow`
    cannot send straight to each other: a clause; "" if they can, as far as can be seen."""
    here, there = source.remote[0], flow.remote[0]
    if here == there or (":" in here) != (":" in there):
        return ""
    if (
        f"IP4 {here}\r\n" in message.body
        and _names(uri, there)
        and is_inner(here) == is_inner(there)
        and here[:4] != "127." != there[:4]
    ):
        return ""  # the usual case
    caller = _place(here, _said(message))
    callee = _place(there, _host_of(uri))
    if caller == callee or (here.startswith("127.") and there.startswith("127.")):
        return ""
    return _told(caller, callee)


def _told(caller: str, callee: str) -> str:
    return f"the caller is in {caller}, the called phone in {callee}"


def _place(seen: str, said: str) -> str:
    """Where a side is that is seen at one address and says another."""
    if not said or said in NOWHERE or not said[-1:].isalnum() or _is_name(said):
        said = seen
    if said.startswith("127.") or said == "::1":
        return LOOPBACK
    if seen.startswith("127.") or seen == "::1":
        seen = said
    if not is_inner(said):
        return PUBLIC
    return LOCAL if said == seen else f"a network behind {seen}"


def _said(message: Message) -> str:
    """The host that the caller wants its media at; without a description the one of its contact."""
    body = message.body
    at = body.find("c=IN IP")
    if at >= 0:
        return body[at + 8 : at + 80].splitlines()[0].partition("/")[0].strip()
    return _host_of(message.value("Contact") or "")


def _host_of(uri: str) -> str:
    """The host of a URI or a name-addr, quick and without its brackets."""
    text = uri.rpartition("@")[2] if "@" in uri else uri.rpartition("sip:")[2]
    if text.startswith("["):
        return text[1:].partition("]")[0]
    for end in (";", ">", "?", ":"):
        text = text.partition(end)[0]
    return text.strip()


def _names(uri: str, host: str) -> bool:
    """Whether `host` is the host of `uri`."""
    at = uri.find(host)
    if at <= 0:
        return False
    after = uri[at + len(host) : at + len(host) + 1]
    return uri[at - 1] in "@:[" and not (after.isdigit() or after == ".")


def _is_name(host: str) -> bool:
    """Whether it is a name, which tells nothing here."""
    return ":" not in host and not host.replace(".", "").isdigit()
