"""What the web side says of a client whose WebSocket it relays: his address, signed.

Only the installation's own web part can write such a note, for it is signed with a key that both
derive from the installation's secret. It names the moment it was written, so that one that leaks
is of no use soon after.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from hashlib import blake2b, sha256
from ipaddress import ip_address
from typing import Final

HEADER: Final = "Branchline-Client"
VALID_S: Final = 30.0
"""Two processes of one machine, or two machines with synchronised clocks."""


@dataclass(frozen=True, slots=True)
class Client:
    """Whose WebSocket it is. `host` is a numeric address; `secure`: he came by https."""

    host: str
    port: int
    secure: bool


def relay_key(installation_secret: str) -> bytes:
    return blake2b(installation_secret.encode(), digest_size=32, person=b"sip ws relay").digest()


def write_note(client: Client, key: bytes, wall: float) -> str:
    """The header's value. `wall` is seconds since 1970."""
    text = f"{client.host} {client.port} {'wss' if client.secure else 'ws'} {int(wall)}"
    return f"{text} {_mac(text, key)}"


def read_note(value: str, key: bytes, wall: float) -> Client | None:
    """The client of a note that is genuine and fresh, else None."""
    text, _, mac = value.rpartition(" ")
    if not hmac.compare_digest(mac.encode("latin-1", "replace"), _mac(text, key).encode()):
        return None
    host, port, scheme, written = text.split(" ")  # as we wrote it, says the MAC
    if abs(wall - int(written)) > VALID_S:
        return None
    return Client(str(ip_address(host)), int(port), scheme == "wss")


def _mac(text: str, key: bytes) -> str:
    return hmac.new(key, text.encode("latin-1", "replace"), sha256).hexdigest()
