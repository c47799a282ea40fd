"""What the processes of one engine tell each other: frames on a stream between the owner and each worker.

A frame on the wire is its length (4 octets, big-endian) and a MessagePack array with its tag in
front. The processes are of one version and one machine; a frame that cannot be read ends the stream.
"""

from __future__ import annotations

from typing import Final

import msgspec

from sipengine.api import BindingGone, BindingRecord, CallRecord

Address = tuple[str, int]

MAX_FRAME: Final = 8 * 1024 * 1024
"""Octets. The longest are the traces of a call, and those end at some 2 MB."""


class Frame(msgspec.Struct, array_like=True, gc=False):
    """One thing told."""


# ------------------------------------------------------------------ both ways


class Passed(Frame, tag="passed"):
    """A message that came to one process and is another's, as it came.

    `local` is where it came in. Over UDP `connection` is 0, and the taker answers by its own socket
    of that address.
    """

    connection: int
    transport: str
    local: Address
    remote: Address
    data: bytes


class Bounced(Frame, tag="bounced"):
    """A datagram to `remote` came back: the kernel tells any of the processes, the sender must hear."""

    local: Address
    remote: Address


class Trusted(Frame, tag="trusted"):
    """`source` is not to be banned until `until` (wall clock): somebody there called with the right
    password, or the owner trusts it, which answers an `Offence`."""

    source: str
    until: float


# ------------------------------------------------------------------ worker -> owner


class Hello(Frame, tag="hello"):
    """The first frame of a worker. `count` is how many processes it takes the engine to have."""

    number: int
    count: int
    pid: int


class Send(Frame, tag="send"):
    """Send `data` over the owner's connection of that number, or, where it is 0, over the one to
    `host` and `port`, which the owner makes if there is none.

    `address` and `beside` are as in `net.flows.Ways`.
    """

    connection: int
    transport: str
    host: str
    port: int
    address: str
    beside: bool
    data: bytes


class Close(Frame, tag="close"):
    """Close that connection once everything is sent."""

    connection: int


class Offence(Frame, tag="offence"):
    """A worker's guard found that `source` is to be banned; words and numbers as in `api.BanRecord`."""

    source: str
    kind: str
    reason: str
    count: int


class PartyCall(Frame, tag="call"):
    """A call with a party that is watched, as it is now: a step of it, or what there is at first.

    `call.state` ended: the last one. `changed` are the AORs of the parties that the step is about,
    `hidden` is whether the caller withheld its number (RFC 3323).
    """

    call: CallRecord
    hidden: bool
    changed: list[str]


class AllCalls(Frame, tag="all calls"):
    """All calls with a watched party have been told since `AllWatched`; others have ended."""


class TracedMessage(Frame):
    """As `sip.trace.Traced`; the processes of one machine have one monotonic clock."""

    at: float
    received: bool
    transport: str
    local: Address
    remote: Address
    data: bytes


class CallTrace(Frame):
    """What is kept of one Call-ID; `missing` messages were let go of behind the first `gap`."""

    call_id: str
    messages: list[TracedMessage]
    missing: int
    gap: int


class Told(Frame, tag="told"):
    """The answer to `Asked` with the same number."""

    number: int
    traces: list[CallTrace]


# ------------------------------------------------------------------ owner -> worker


class ConnectionGone(Frame, tag="connection gone"):
    """A connection has closed, or could not be made; `host`, `port` and `address` are what was asked
    for. `connection` is 0 if it never had a number."""

    connection: int
    transport: str
    host: str
    port: int
    address: str


class Contact(Frame, tag="contact"):
    """A binding is there or has changed; `connection` is that of its phone, 0 for none.

    `earlier` is the contact that the phone had before, if it has just registered anew or from another
    place (`services.location.Location.arrived`), else "".
    """

    record: BindingRecord
    connection: int
    page: str
    earlier: str


class ContactGone(Frame, tag="contact gone"):
    gone: BindingGone


class AllContacts(Frame, tag="all contacts"):
    """All bindings that there are have been told since the beginning; others have gone."""


class ShutOut(Frame, tag="shut out"):
    """Nothing is to be taken from `source` until `until` (wall clock)."""

    source: str
    until: float


class LetIn(Frame, tag="let in"):
    source: str


class Watch(Frame, tag="watch"):
    """Tell of the calls of this AOR from now on, beginning with those that go on."""

    aor: str


class Unwatch(Frame, tag="unwatch"):
    aor: str


class AllWatched(Frame, tag="all watched"):
    """All that is watched has been said since the worker joined."""


class Asked(Frame, tag="asked"):
    """Tell the messages that are kept of these Call-IDs."""

    number: int
    call_ids: list[str]


ANY: Final = (
    Passed
    | Bounced
    | Hello
    | Send
    | Close
    | Offence
    | Trusted
    | PartyCall
    | AllCalls
    | Told
    | ConnectionGone
    | Contact
    | ContactGone
    | AllContacts
    | ShutOut
    | LetIn
    | Watch
    | Unwatch
    | AllWatched
    | Asked
)

_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(ANY)


def encode(frame: Frame) -> bytes:
    """The frame with its length in front."""
    body = _encoder.encode(frame)
    return len(body).to_bytes(4, "big") + body


def decode(body: bytes | memoryview) -> Frame:
    """The frame of a body without its length. Raises `msgspec.DecodeError`."""
    frame: Frame = _decoder.decode(body)
    return frame
