"""How much connections may cost."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What connections may cost, and for how long. Tests choose smaller ones."""

    total: int = 20_000
    """An idle one costs, without the kernel's 5 kB: TCP 2 kB, WebSocket 6 kB, TLS 16 kB. So all of
    them over TLS take 330 MB. In the middle of its handshake one has OpenSSL's buffers for it, too,
    48 kB in all: 20,000 half-open ones take 1 GB, for `connect_s` at most."""
    per_source: int = 1_000
    """A large office behind one address. 0: no limit (PBX_GUARD=off)."""
    first_message_s: float = 32.0
    """Until the first whole message: 64*T1, what a transaction waits."""
    rest_of_message_s: float = 10.0
    """From the first byte of a message to its last: a slow loris holds its place this long."""
    idle_s: float = 7_500.0
    """Without a byte: beyond the longest registration (7,200 s), whose connection must be there
    when a call comes. Peers that died are found by TCP keep-alive long before."""
    connect_s: float = 5.0
    """For name, connection and handshake, each: the caller hears nothing meanwhile."""
    ping_s: float = 30.0
    """Silence after which a WebSocket's client is asked for a sign of life (RFC 7118 §6); as long
    again, and it is gone. Proxies between browsers and us close after 60 s of silence."""
    finish_s: float = 5.0
    """For a peer to read the last answer before its connection is closed."""
