"""What registering costs without sockets: microseconds a step, bytes a binding, at three sizes.

    .venv/bin/python bench/registrar.py [SIZE ...]

`request` is only the parsing, which is in the other rows too. Lines: the challenge of a REGISTER
without credentials; an authorised REGISTER of a new contact; the refresh of one that is known.
Bytes are what the process gained, flows of the phones not counted, divided by the bindings. At a
million all but the last 10,000 are taken in as by a restart, and bytes are left to bench/restart.py.
"""

from __future__ import annotations

import gc
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from sipengine.api import BindingRecord, ConfigSnapshot, Domain, Extension, Fact
from sipengine.services.authentication import Authenticator
from sipengine.services.location import Location
from sipengine.services.registrar import Registrar
from sipengine.services.responsibility import Responsibility
from sipengine.sip.digest import expected_response
from sipengine.sip.flow import Flow
from sipengine.sip.parser import parse

DOMAIN = "bench.test"
LOCAL = ("10.0.0.1", 5060)
HA1 = "0123456789abcdef0123456789abcdef"
SAMPLE = 1000
COUNTED = 100_000
"""Bindings up to which each is registered and its bytes are counted; that takes minutes beyond."""


class Flows:
    def flow_to(self, transport: str, host: str, port: int) -> Flow:
        return Flow(transport, LOCAL, (host, port))

    def stream_beside(self, flow: Flow) -> Flow:
        return self.flow_to("TCP", *flow.remote)

    def close(self, flow: Flow) -> None:
        flow.open = False


class Bench:
    """A registrar with `size` extensions and as many phones, one UDP flow each."""

    def __init__(self, size: int) -> None:
        extensions = [Extension(str(100000 + n), DOMAIN, ha1_md5=HA1) for n in range(size)]
        self.snapshot = ConfigSnapshot(
            default_domain=DOMAIN,
            domains={DOMAIN: Domain(DOMAIN)},
            extensions={e.aor: e for e in extensions},
        )
        self.flows = [
            Flow("UDP", LOCAL, (f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}", 5060))
            for n in range(size)
        ]
        self.facts: list[Fact] = []
        self.location = Location(Flows(), self.facts)
        responsibility = Responsibility([("UDP", *LOCAL)], LOCAL)
        responsibility.set_config(self.snapshot)
        self.registrar = Registrar(self.location, responsibility, b"g" * 32)
        self.authenticator = Authenticator(b"k" * 32)
        self.now = 1000.0

    def request(self, number: int, cseq: int, authorization: str = "") -> bytes:
        user, (host, port) = 100000 + number, self.flows[number].remote
        return (
            f"REGISTER sip:{DOMAIN} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{number}-{cseq};rport\r\n"
            f"Max-Forwards: 70\r\nFrom: <sip:{user}@{DOMAIN}>;tag=t{number}\r\n"
            f"To: <sip:{user}@{DOMAIN}>\r\nCall-ID: {number}-8f3a77d1c0@{host}\r\n"
            f"CSeq: {cseq} REGISTER\r\nContact: <sip:{user}@{host}:{port}>\r\n{authorization}"
            "Expires: 3600\r\nUser-Agent: Yealink SIP-T46S 66.86.0.15\r\nContent-Length: 0\r\n\r\n"
        ).encode()

    def authorised(self, number: int, cseq: int) -> bytes:
        line = self.authenticator.challenge(DOMAIN, False, False, self.now)[0]
        fields = {
            "username": str(100000 + number),
            "realm": DOMAIN,
            "nonce": line.partition('nonce="')[2].partition('"')[0],
            "uri": f"sip:{DOMAIN}",
            "cnonce": "6b8b4567",
            "nc": "00000001",
            "qop": "auth",
        }
        fields["response"] = expected_response("MD5", HA1, "REGISTER", fields)
        text = ",".join(
            f'{k}="{v}"' if k not in ("nc", "qop") else f"{k}={v}" for k, v in fields.items()
        )
        return self.request(number, cseq, f"Authorization: Digest {text},algorithm=MD5\r\n")

    def record(self, number: int) -> BindingRecord:
        """What an earlier process knew of this phone."""
        user, (host, port) = 100000 + number, self.flows[number].remote
        return BindingRecord(
            f"{user}@{DOMAIN}", f"sip:{user}@{host}:{port}", "", 1.0, 1e9 + 3600 + number % 3600,
            f"{number}-8f3a77d1c0@{host}", 2, [], "UDP", f"{host}:{port}", "10.0.0.1:5060",
            "Yealink SIP-T46S 66.86.0.15", "", 0, 1e9, 1e9,
        )  # fmt: skip

    def challenge(self, data: bytes, flow: Flow) -> None:
        message = parse(data)
        self.authenticator.check(message, False, self.snapshot, DOMAIN, self.now, flow)
        agent = message.value("User-Agent") or ""
        self.authenticator.challenge(DOMAIN, False, False, self.now, agent)

    def check(self, data: bytes, flow: Flow) -> None:
        message = parse(data)
        self.authenticator.check(message, False, self.snapshot, DOMAIN, self.now, flow)

    def register(self, data: bytes, flow: Flow) -> None:
        message = parse(data)
        who = self.authenticator.check(message, False, self.snapshot, DOMAIN, self.now, flow)
        assert isinstance(who, Extension), who
        done = self.registrar.register(message, who, flow, self.now, self.now + 1e9)
        assert done.status == 200, done.reason


def batches(numbers: range, make: Callable[[int], bytes]) -> Iterator[list[tuple[int, bytes]]]:
    """Requests are made in batches beforehand, so that their making is not timed."""
    for start in range(numbers.start, numbers.stop, SAMPLE):
        stop = min(start + SAMPLE, numbers.stop)
        yield [(number, make(number)) for number in range(start, stop)]


def timed(
    bench: Bench,
    numbers: range,
    make: Callable[[int], bytes],
    step: Callable[[bytes, Flow], object],
) -> float:
    """Microseconds a step in the quickest batch of `SAMPLE`: others share the machine."""
    taken = []
    for batch in batches(numbers, make):
        began = time.perf_counter()
        for number, data in batch:
            step(data, bench.flows[number])
        taken.append((time.perf_counter() - began) / len(batch) * 1e6)
        bench.facts.clear()
        bench.now += 1
    return min(taken)


def measure(size: int) -> None:
    bench = Bench(size)
    tail = range(max(0, size - 10 * SAMPLE), size)
    fresh = range(size)
    if size > COUNTED:
        bench.location.restore((bench.record(n) for n in range(tail.start)), 1000.0, 1e9)
        fresh = tail
    rows = {"new": timed(bench, fresh, lambda n: bench.authorised(n, 2), bench.register)}
    rows["request"] = timed(bench, tail, lambda n: bench.request(n, 3), lambda d, _: parse(d))
    rows["challenge"] = timed(bench, tail, lambda n: bench.request(n, 3), bench.challenge)
    rows["check"] = timed(bench, tail, lambda n: bench.authorised(n, 3), bench.check)
    rows["refresh"] = timed(bench, tail, lambda n: bench.authorised(n, 3), bench.register)
    figures = "  ".join(f"{name} {us:5.1f} us" for name, us in sorted(rows.items()))
    counted = f"{bytes_each(size):5.0f} bytes a binding" if size <= COUNTED else ""
    print(f"{size:7} bindings: {figures}  {counted}", flush=True)


def bytes_each(size: int) -> float:
    bench = Bench(size)
    gc.collect()
    tracemalloc.start()
    for number in range(size):
        bench.authenticator = Authenticator(b"k" * 32)  # its table of nonces is bounded by itself
        bench.register(bench.authorised(number, 2), bench.flows[number])
        bench.facts.clear()
        if number % 25 == 0:
            bench.now += 1
    gc.collect()
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return held / size


if __name__ == "__main__":
    for count in map(int, sys.argv[1:] or (1_000, COUNTED, 1_000_000)):
        measure(count)
