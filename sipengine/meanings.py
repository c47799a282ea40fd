"""What the engine's counters mean, in the words that `/metrics` gives as their help.

Those of the shell, whose names do not say it all; the core's and the link's names do.
"""

from __future__ import annotations

from typing import Final

MEANINGS: Final[dict[str, str]] = {
    "cpu_seconds": "processor time of the engine since it started",
    "memory_peak_kib": "most memory the engine ever held at once",
    "defects": "messages or timers that ended in an error of the engine itself",
    "loop_lag_ms": "longest that a timer was late since the last report",
    "collection_ms": "how long the last full garbage collection held everything up",
    "commit_ms": "longest from the start of a commit to its answers since the last report",
    "udp_datagrams_received": "datagrams read, keep-alives among them",
    "udp_keep_alives": "datagrams of empty lines or zero bytes",
    "udp_shed_unread": "new requests dropped unread because the receive buffer was nearly full",
    "load_level": "0 calm, 1 and 2 new requests are refused with 503, 3 dropped unread",
    "load_refused_percent": "of new requests without credentials, how many are refused at level 1",
    "load_rises": "how often that level went up",
    "udp_stun_answered": "STUN requests answered (RFC 5626 §8)",
    "udp_stun_ignored": "datagrams that began like STUN and were no request",
    "udp_stun_limited": "STUN requests not answered because there were too many in one second",
    "udp_bounced": "datagrams of ours that came back as unreachable (ICMP)",
    "udp_send_errors": "datagrams that the kernel refused to send",
    "udp_send_queue": "datagrams waiting for the kernel now",
    "udp_send_queue_drops": "datagrams dropped because too many waited",
    "udp_kernel_drops": "datagrams that found the receive buffer full",
    "udp_flows": "remote addresses known now",
    "tcp_connections": "connections now, TLS and WebSocket among them, as in all of tcp_",
    "tcp_accepted": "connections that peers made",
    "tcp_connects": "connections that we began",
    "tcp_connect_failures": "of these, refused or too slow",
    "tcp_messages_received": "messages cut from streams",
    "tcp_pings": "CRLF CRLF keep-alives answered",
    "tcp_refused_total_limit": "connections refused because there were too many in all",
    "tcp_refused_source_limit": "connections refused because one address had too many",
    "tcp_refused_banned": "connections closed because the guard has shut their address out",
    "tcp_accept_errors": "connections lost while accepting, or no file descriptor left",
    "tcp_handshake_failures": "TLS handshakes and opening requests of WebSockets that failed",
    "tcp_timed_out": "connections closed for silence or a message that never ended",
    "tcp_slow_readers": "connections closed because the peer did not read",
    "tcp_broken_streams": "connections closed because the stream was no SIP",
    "tcp_unsent_bytes": "bytes waiting for slow readers now",
    "tcp_unsent_messages": "messages dropped because a connection was gone or not made in time",
    "crew_processes_now": "processes that the engine is to have (PBX_ENGINE_WORKERS)",
    "crew_workers_now": "processes that have joined the first one",
    "crew_messages_dropped": "messages for a process that was not there in time",
    "crew_messages_handed_over": "messages that came to this process and were another's",
    "crew_watched_calls_now": "calls of other processes that somebody's lamps show",
    "crew_losses": "how often this process lost the first one",
    "resolver_failures": "host names without an address",
    "journal_commits": "group commits",
    "journal_facts": "facts handed to the journal",
    "journal_facts_lost": "of these, refused because the disk did not take them",
    "journal_refuses_now": "1 while the disk does not take them: registrations are answered 503",
}
