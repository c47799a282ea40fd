"""A name server for tests: real answers over UDP and TCP, from a zone that a test may change at any time.

Records are lines as in a zone file, without class and lifetime: `_sip._udp.other.test SRV 1 1 5060 a.other.test.`
"""

from __future__ import annotations

import socket
import struct
import threading
from collections import defaultdict
from contextlib import suppress

import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.query
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from tests.support.free_ports import free_port

DEADLINE = 5.0
LONGEST_UDP = 1232


class DnsServer:
    """`with DnsServer(...) as names:` answers at `names.address`; `asked` are (name, kind, transport)."""

    def __init__(self, *records: str, ttl: int = 60, negative_ttl: int = 30) -> None:
        self.ttl, self.negative_ttl = ttl, negative_ttl
        self.asked: list[tuple[str, str, str]] = []
        self.refusing = dns.rcode.NOERROR
        """With another value than NOERROR (SERVFAIL) every question gets that."""
        self.silent = False
        """Take questions and answer none."""
        self.slow: dict[str, threading.Event] = {}
        """Names whose answers wait for an event."""
        self._records: dict[tuple[str, str], list[str]] = defaultdict(list)
        self._names: set[str] = set()
        self.zone(*records)
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.address = ("127.0.0.1", free_port())
        self._udp.bind(self.address)
        self._tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._tcp.bind(self.address)
        self._tcp.listen(16)
        self._threads = [
            threading.Thread(target=work, daemon=True)
            for work in (self._serve_udp, self._serve_tcp)
        ]

    def zone(self, *records: str) -> None:
        """Be the zone of these records from now on."""
        self._records.clear()
        self._names.clear()
        for record in records:
            name, kind, text = record.split(None, 2)
            self._records[name.lower(), kind].append(text)
            self._names.add(name.lower())

    def __enter__(self) -> DnsServer:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for sock in (self._udp, self._tcp):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        for event in self.slow.values():
            event.set()
        for thread in self._threads:
            thread.join(DEADLINE)

    def _serve_udp(self) -> None:
        while True:
            try:
                data, peer = self._udp.recvfrom(4096)
            except OSError:
                return
            if not data:
                return
            threading.Thread(target=self._answer_udp, args=(data, peer), daemon=True).start()

    def _answer_udp(self, data: bytes, peer: tuple[str, int]) -> None:
        answer = self._answer(data, "udp")
        if answer is None:
            return
        whole = answer.to_wire(max_size=65_535)
        if len(whole) > LONGEST_UDP:
            answer.answer.clear()
            answer.flags |= dns.flags.TC
            whole = answer.to_wire()
        with suppress(OSError):
            self._udp.sendto(whole, peer)

    def _serve_tcp(self) -> None:
        while True:
            try:
                connection, _ = self._tcp.accept()
            except OSError:
                return
            with connection, suppress(OSError):
                connection.settimeout(DEADLINE)
                (length,) = struct.unpack("!H", connection.recv(2, socket.MSG_WAITALL))
                answer = self._answer(connection.recv(length, socket.MSG_WAITALL), "tcp")
                if answer is not None:
                    whole = answer.to_wire(max_size=65_535)
                    connection.sendall(struct.pack("!H", len(whole)) + whole)

    def _answer(self, data: bytes, transport: str) -> dns.message.Message | None:
        query = dns.message.from_wire(data)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind, transport))
        if name in self.slow:
            self.slow[name].wait(DEADLINE)
        if self.silent:
            return None
        answer = dns.message.make_response(query, recursion_available=True)
        if self.refusing != dns.rcode.NOERROR:
            answer.set_rcode(self.refusing)
            return answer
        owner = question.name
        alias = self._records.get((name, "CNAME"))
        if alias:
            answer.answer.append(dns.rrset.from_text(owner, self.ttl, "IN", "CNAME", alias[0]))
            owner = dns.name.from_text(alias[0])
            name = owner.to_text(omit_final_dot=True).lower()
        texts = self._records.get((name, kind), [])
        if texts:
            answer.answer.append(dns.rrset.from_text(owner, self.ttl, "IN", kind, *texts))
        else:
            if name not in self._names:
                answer.set_rcode(dns.rcode.NXDOMAIN)
            top = dns.name.from_text(name.rpartition(".")[2] or ".")
            soa = f"ns.test. admin.test. 1 2 3 4 {self.negative_ttl}"
            answer.authority.append(dns.rrset.from_text(top, self.negative_ttl, "IN", "SOA", soa))
        return answer
