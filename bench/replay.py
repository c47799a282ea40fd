#!/usr/bin/env python3
"""What the engine itself costs: messages replayed through `Core.receive`, no sockets, no loop.

    .venv/bin/python bench/replay.py [--calls N] [--only OPERATION] [--profile]

Prints microseconds per message kind and per operation, the median of several rounds. It runs with
warm caches, so the figures are for comparing one change with the next (docs/performance.md).
"""

from __future__ import annotations

import argparse
import cProfile
import hashlib
import pstats
import statistics
import sys
import time
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent))

from sipengine.api import ConfigSnapshot, Domain, Extension, Rule
from sipengine.interpreter import hold_collector, settle_interpreter
from sipengine.services.core import Core
from sipengine.services.ports import Asker
from sipengine.sip.flow import Flow
from sipengine.sip.next_hop import Located, NextHop, Server

DOMAIN = "bench.test"
SERVER = ("127.0.0.1", 5150)
CALLER, CALLEE = ("127.0.0.1", 6200), ("127.0.0.1", 6100)
SDP = (
    "v=0\r\no=u 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=audio 6000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
)


def ha1(user: str, secret: str) -> str:
    return hashlib.md5(f"{user}:{DOMAIN}:{secret}".encode()).hexdigest()


CONTACT = "Contact: <sip:100002@127.0.0.1:6100>"


class Flows:
    """One UDP flow an address."""

    def __init__(self) -> None:
        self._flows: dict[tuple[str, str, int], Flow] = {}

    def flow_to(self, transport: str, host: str, port: int) -> Flow:
        key = (transport, host, port or 5060)
        if key not in self._flows:
            self._flows[key] = Flow(transport, SERVER, (host, port or 5060))
        return self._flows[key]

    def stream_beside(self, flow: Flow) -> Flow:
        return self.flow_to("TCP", *flow.remote)

    def locate(self, hop: NextHop, seed: str, asker: Asker) -> None:
        """Every name has one server, which is known at once."""
        asker.on_located(Located((Server(hop.usual_transport, "203.0.113.5", 5060),)), 1000.0)

    def flow_at(self, server: Server) -> Flow:
        return self.flow_to(server.transport, server.host, server.port)

    def close(self, flow: Flow) -> None:
        flow.open = False


class Replay:
    """Plays whole registrations and calls against a core and adds up what each message cost."""

    def __init__(self, transport: str = "UDP") -> None:
        numbers = [str(n) for n in range(100000, 100100)]
        extensions = {f"{n}@{DOMAIN}": Extension(n, DOMAIN, ha1_md5=ha1(n, "pw")) for n in numbers}
        rules = (Rule("moved", DOMAIN, "300000", "redirect", ("sip:elsewhere@127.0.0.1:9",)),)
        snapshot = ConfigSnapshot(1, DOMAIN, {DOMAIN: Domain(DOMAIN)}, extensions, rules)
        self.flows = Flows()
        self.now, self.wall = 1000.0, 1.7e9
        self.core = Core(
            snapshot, self.flows, secret=b"s" * 32, instance="replay",
            listening=[("UDP", *SERVER)], advertised=SERVER, now=self.now, wall=self.wall,
        )  # fmt: skip
        self.transport = transport
        self.caller = self.flows.flow_to(transport, *CALLER)
        self.callee = self.flows.flow_to(transport, *CALLEE)
        self.cost: dict[str, list[float]] = {}
        self._serial = 0

    def give(self, kind: str, text: str, flow: Flow) -> list[bytes]:
        data = text.encode()
        core = self.core
        self.now += 0.0002
        start = time.perf_counter()
        core.receive(data, flow, self.now)
        taken = time.perf_counter() - start
        self.cost.setdefault(kind, []).append(taken * 1e6)
        sent = [message for _, message in core.out]
        core.out.clear()
        return sent

    def beat(self) -> list[bytes]:
        start = time.perf_counter()
        _, held = self.core.take_facts()
        self.core.handle_timers(self.now)
        self.core.out.clear()
        self.cost.setdefault("facts and timers", []).append((time.perf_counter() - start) * 1e6)
        return [message for _, message in held]

    def authorization(self, header: str, answer: bytes, user: str, method: str, uri: str) -> str:
        text = answer.decode()
        nonce = text.partition('nonce="')[2].partition('"')[0]
        ha2 = hashlib.md5(f"{method}:{uri}".encode()).hexdigest()
        response = hashlib.md5(
            f"{ha1(user, 'pw')}:{nonce}:00000001:abcd:auth:{ha2}".encode()
        ).hexdigest()
        return (
            f'{header}: Digest username="{user}",realm="{DOMAIN}",uri="{uri}",nonce="{nonce}",'
            f'response="{response}",algorithm=MD5,cnonce="abcd",qop=auth,nc=00000001\r\n'
        )

    def via(self) -> str:
        self._serial += 1
        return f"Via: SIP/2.0/{self.transport} 127.0.0.1:6200;branch=z9hG4bK-7-{self._serial}-1;rport\r\n"

    def register(self, user: str, kind: str, contact: str = "") -> None:
        """`contact` is the user part of a Contact beside the user's own."""
        call_id = f"{self._serial}-r@bench"
        contact = f"Contact: <sip:{contact or user}@127.0.0.1:6100{';transport=tcp' if self.transport == 'TCP' else ''}>\r\n"
        head = f"REGISTER sip:{DOMAIN} SIP/2.0\r\n"
        rest = (
            f"Max-Forwards: 70\r\nFrom: <sip:{user}@{DOMAIN}>;tag=1r7\r\nTo: <sip:{user}@{DOMAIN}>\r\n"
            f"Call-ID: {call_id}\r\nCSeq: {{}} REGISTER\r\n{contact}{{}}Expires: 3600\r\n"
            "User-Agent: bench\r\nContent-Length: 0\r\n\r\n"
        )
        sent = self.give("REGISTER -> 401", head + self.via() + rest.format(1, ""), self.callee)
        auth = self.authorization("Authorization", sent[0], user, "REGISTER", "sip:127.0.0.1:5150")
        sent = self.give(
            f"REGISTER -> 200 {kind}", head + self.via() + rest.format(2, auth), self.callee
        )
        sent += self.beat()
        assert sent[0].startswith(b"SIP/2.0 200"), sent

    def prepare(self) -> None:
        """Have the phones registered that the operations call."""
        self.register("100002", "new")
        for at in range(4):
            self.register("100003", "new", f"100003x{at}")

    def options(self) -> None:
        sent = self.give(
            "OPTIONS -> 200",
            f"OPTIONS sip:127.0.0.1:5150 SIP/2.0\r\n{self.via()}Max-Forwards: 70\r\n"
            f"From: <sip:100001@{DOMAIN}>;tag=1\r\nTo: <sip:127.0.0.1:5150>\r\nCall-ID: o{self._serial}@b\r\n"
            "CSeq: 1 OPTIONS\r\nContact: <sip:x@127.0.0.1:6200>\r\nContent-Length: 0\r\n\r\n",
            self.caller,
        )
        assert sent[0].startswith(b"SIP/2.0 200")

    def invite(self, user: str, called: str) -> tuple[str, list[bytes]]:
        call_id = f"{self._serial}-c@bench"
        uri = f"sip:{called}@{DOMAIN}"
        rest = (
            f"Max-Forwards: 70\r\nFrom: <sip:{user}@{DOMAIN}>;tag=1u7\r\nTo: <{uri}>\r\nCall-ID: {call_id}\r\n"
            "CSeq: {} INVITE\r\nContact: <sip:100001@127.0.0.1:6200>\r\n{}User-Agent: bench\r\n"
            f"Content-Type: application/sdp\r\nContent-Length: {len(SDP)}\r\n\r\n{SDP}"
        )
        via = self.via()
        sent = self.give(
            "INVITE -> 407", f"INVITE {uri} SIP/2.0\r\n{via}{rest.format(1, '')}", self.caller
        )
        to = next(line for line in sent[0].decode().split("\r\n") if line.startswith("To:"))
        self.give(
            "ACK of 407",
            f"ACK {uri} SIP/2.0\r\n{via}Max-Forwards: 70\r\nFrom: <sip:{user}@{DOMAIN}>;tag=1u7\r\n{to}\r\n"
            f"Call-ID: {call_id}\r\nCSeq: 1 ACK\r\nContent-Length: 0\r\n\r\n",
            self.caller,
        )
        auth = self.authorization("Proxy-Authorization", sent[0], user, "INVITE", uri)
        kind = "INVITE -> 302" if called == "300000" else "INVITE -> 100 + forward"
        self._invite_via = self.via()
        return call_id, self.give(
            kind, f"INVITE {uri} SIP/2.0\r\n{self._invite_via}{rest.format(2, auth)}", self.caller
        )

    def redirect(self) -> None:
        call_id, sent = self.invite("100001", "300000")
        assert sent[0].startswith(b"SIP/2.0 302"), sent
        to = next(line for line in sent[0].decode().split("\r\n") if line.startswith("To:"))
        self.give(
            "ACK of 302",
            f"ACK sip:300000@{DOMAIN} SIP/2.0\r\n{self._invite_via}Max-Forwards: 70\r\n"
            f"From: <sip:100001@{DOMAIN}>;tag=1u7\r\n{to}\r\nCall-ID: {call_id}\r\nCSeq: 2 ACK\r\nContent-Length: 0\r\n\r\n",
            self.caller,
        )
        self.beat()

    def answer(self, request: str, status: str, contact: str = "", body: str = "") -> str:
        lines = request.partition("\r\n\r\n")[0].split("\r\n")
        kept = [
            line + (";tag=uas1" if line.startswith("To:") and ";tag=" not in line else "")
            for line in lines
            if line.startswith(("Via:", "From:", "To:", "Call-ID:", "CSeq:", "Record-Route:"))
        ]
        return "\r\n".join(
            [
                f"SIP/2.0 {status}",
                *kept,
                *([contact] if contact else []),
                f"Content-Length: {len(body)}",
                "",
                body,
            ]
        )

    def call(self) -> None:
        call_id, sent = self.invite("100001", "100002")
        assert sent[0].startswith(b"SIP/2.0 100"), sent
        invite = sent[1].decode()
        route = next(line for line in invite.split("\r\n") if line.startswith("Record-Route:"))
        route = "Route:" + route.partition(":")[2] + "\r\n"
        self.give("180", self.answer(invite, "180 Ringing", CONTACT), self.callee)
        self.give("200 of INVITE", self.answer(invite, "200 OK", CONTACT, SDP), self.callee)
        self.talk(call_id, route)

    def fork(self) -> None:
        """Four phones ring, the last one answers, the others are cancelled."""
        call_id, sent = self.invite("100001", "100003")
        invites = [message.decode() for message in sent[1:]]
        assert len(invites) == 4, sent
        for invite in invites:
            self.give("180 of a fork", self.answer(invite, "180 Ringing", CONTACT), self.callee)
        sent = self.give(
            "200 of a fork", self.answer(invites[3], "200 OK", CONTACT, SDP), self.callee
        )
        for invite in invites[:3]:
            branch = invite.partition(";branch=")[2].partition(";")[0]
            cancel = next(
                m.decode() for m in sent if m.startswith(b"CANCEL") and branch.encode() in m
            )
            self.give("200 of CANCEL", self.answer(cancel, "200 OK"), self.callee)
            self.give("487", self.answer(invite, "487 Request Terminated"), self.callee)
        route = next(line for line in invites[3].split("\r\n") if line.startswith("Record-Route:"))
        self.talk(call_id, "Route:" + route.partition(":")[2] + "\r\n")

    def talk(self, call_id: str, route: str) -> None:
        """ACK and BYE of a call that was answered."""
        tail = (
            f"{route}Max-Forwards: 70\r\nFrom: <sip:100001@{DOMAIN}>;tag=1u7\r\nTo: <sip:100002@{DOMAIN}>;tag=uas1\r\n"
            f"Call-ID: {call_id}\r\nCSeq: {{}} {{}}\r\nContent-Length: 0\r\n\r\n"
        )
        self.give(
            "ACK of 200",
            f"ACK sip:100002@127.0.0.1:6100 SIP/2.0\r\n{self.via()}{tail.format(2, 'ACK')}",
            self.caller,
        )
        sent = self.give(
            "BYE",
            f"BYE sip:100002@127.0.0.1:6100 SIP/2.0\r\n{self.via()}{tail.format(3, 'BYE')}",
            self.caller,
        )
        assert sent[0].startswith(b"BYE"), sent
        self.give("200 of BYE", self.answer(sent[0].decode(), "200 OK"), self.callee)
        self.beat()


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--calls", type=int, default=3000)
    arguments.add_argument("--tcp", action="store_true")
    arguments.add_argument("--profile", action="store_true")
    arguments.add_argument("--only", help="one of the operations, as the last lines name them")
    options = arguments.parse_args()
    replay = Replay("TCP" if options.tcp else "UDP")
    hold_collector()
    settle_interpreter()
    replay.prepare()
    profile = cProfile.Profile() if options.profile else None
    if profile:
        profile.enable()
    totals: dict[str, list[float]] = {}
    operations = {
        "register": lambda: replay.register("100002", "refresh"),
        "options": replay.options,
        "redirect": replay.redirect,
        "call": replay.call,
        "fork to 4": replay.fork,
    }
    if options.only:
        operations = {options.only: operations[options.only]}
    for at in range(options.calls):
        for name, play in operations.items():
            before = sum(sum(v) for v in replay.cost.values()) if at % 50 == 0 else 0.0
            play()
            if at % 50 == 0:
                totals.setdefault(name, []).append(
                    sum(sum(v) for v in replay.cost.values()) - before
                )
    if profile:
        profile.disable()
        pstats.Stats(profile).sort_stats("tottime").print_stats(35)
    for kind, costs in replay.cost.items():
        print(f"{kind:28} {statistics.median(costs):7.1f} us")
    for name, costs in totals.items():
        print(f"one whole {name:18} {statistics.median(costs):7.1f} us")


if __name__ == "__main__":
    main()
