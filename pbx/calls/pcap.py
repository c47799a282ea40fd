"""A call's messages as a capture file that Wireshark and sngrep read.

Each message is one UDP packet, whatever carried it: what the program shows is the SIP in it. As
secrets and some bodies were taken out before, Content-Length is that of what is left.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, Final

_FILE: Final = struct.Struct("<IHHiIII")
_PACKET: Final = struct.Struct("<IIII")
_RAW_IP: Final = 101
_UDP: Final = 17
_LENGTH: Final = re.compile(r"^(Content-Length|l)[ \t]*:.*$", re.IGNORECASE | re.MULTILINE)
_LONGEST: Final = 65_000


def capture(messages: Iterable[dict[str, Any]]) -> bytes:
    """`messages` as the engine tells them."""
    pieces = [_FILE.pack(0xA1B2C3D4, 2, 4, 0, 0, 65_535, _RAW_IP)]
    for one in messages:
        if "text" not in one:
            continue
        packet = _packet(one)
        seconds, fraction = divmod(float(one["at"]), 1)
        pieces.append(_PACKET.pack(int(seconds), int(fraction * 1e6), len(packet), len(packet)))
        pieces.append(packet)
    return b"".join(pieces)


def _packet(one: dict[str, Any]) -> bytes:
    peer, local = _end(one["peer"]), _end(one["local"])
    source, target = (peer, local) if one["received"] else (local, peer)
    payload = _wire(one["text"])[:_LONGEST]
    length = 8 + len(payload)
    udp = struct.pack("!HHHH", source[1], target[1], length, 0) + payload
    if isinstance(source[0], IPv4Address) and isinstance(target[0], IPv4Address):
        head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 0, 0, 64, _UDP, 0)
        return head + source[0].packed + target[0].packed + udp
    head = struct.pack("!IHBB", 6 << 28, length, _UDP, 64)
    return head + _wide(source[0]) + _wide(target[0]) + udp


def _end(address: str) -> tuple[IPv4Address | IPv6Address, int]:
    """A host name, which a connection of ours may have, becomes 0.0.0.0."""
    host, _, port = address.rpartition(":")
    try:
        return ip_address(host.strip("[]")), int(port)
    except ValueError:
        return IPv4Address(0), int(port)


def _wide(address: IPv4Address | IPv6Address) -> bytes:
    return (
        address.packed
        if isinstance(address, IPv6Address)
        else b"\0" * 10 + b"\xff\xff" + address.packed
    )


def _wire(text: str) -> bytes:
    head, _, body = text.partition("\n\n")
    sent = body.rstrip("\n").replace("\n", "\r\n").encode()
    sent += b"\r\n" if sent else b""
    head = _LENGTH.sub(lambda found: f"{found[1]}: {len(sent)}", head.rstrip("\n"))
    return head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + sent
