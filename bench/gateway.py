#!/usr/bin/env python3
"""What a call costs in the media gateway, and what it does to the voice, beside rtpengine in userspace.

    .venv/bin/python bench/gateway.py [--kinds rtp,sdes,dtls,opus] [--calls N] [--seconds S]
                                      [--against gateway,rtpengine] [--cores 0,1] [--nice -15]

Sets up N calls over the ng protocol as the engine does, sends a packet of 20 ms both ways of each and
prints a line for each kind and gateway: CPU of the gateway for setting one call up (ms) and for
carrying it (% of a core), the delay it adds (ms: half of the packets, 99 of 100), packets lost. The
gateway has the first core, this tool the second. Delays are from before our sendto to the kernel's
time stamp at the arrival. Compare lines of one run only (docs/performance.md).
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import sys
import time
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent))

from bench.media.ends import KINDS, End
from bench.media.packets import Stream, run, voice
from bench.media.servers import HERE, Server
from sipengine.services.ports import ANSWER, DELETE, OFFER, MediaRequest

WARM_S = 1.5


async def set_up(server: Server, kind: str, name: str) -> tuple[End, End]:
    """One call as the engine sets it up: the caller offers, the callee answers."""
    make_caller, caller_codec, make_callee, callee_codec = KINDS[kind]
    caller, callee = make_caller(caller_codec), make_callee(callee_codec)
    offer = MediaRequest(OFFER, 0, name, "a", "", caller.describe(False), callee.protocol, HERE)
    callee.connect(server.ask(offer).sdp)
    answer = MediaRequest(ANSWER, 0, name, "a", "b", callee.describe(True), caller.protocol, HERE)
    caller.connect(server.ask(answer).sdp)
    for end in (caller, callee):
        await end.shake_hands()
    return caller, callee


async def measure(server: Server, kind: str, calls: int, seconds: float) -> str:
    before = server.cpu()
    pairs = [await set_up(server, kind, f"{kind}{number}") for number in range(calls)]
    set_up_ms = (server.cpu() - before) * 1000 / calls
    payloads = {codec: voice(codec) for pair in pairs[:1] for codec in {end.codec for end in pair}}
    streams = []
    for caller, callee in pairs:
        other = caller.codec != callee.codec
        for one, two in ((caller, callee), (callee, caller)):
            streams.append(Stream(one, two, payloads[one.codec], 1000 + len(streams), other))
    marks = []
    gc.collect()
    gc.disable()
    mine = time.process_time()
    outcome = run(streams, seconds, WARM_S, lambda: marks.append((server.cpu(), time.monotonic())))
    mine = (time.process_time() - mine) / (WARM_S + seconds)
    (used_before, began), (used_after, ended) = marks
    used, passed = used_after - used_before, ended - began
    gc.enable()
    for number in range(calls):
        server.ask(MediaRequest(DELETE, 0, f"{kind}{number}", "a"))
    ends = [end for pair in pairs for end in pair]
    for end in ends:
        end.end()
    await asyncio.sleep(0.2)
    for end in ends:
        end.close()
    share = 100 * used / passed
    return (
        f"{server.name:10} {kind:9} {calls:5} {set_up_ms:9.2f} {share:7.1f} {share / calls:9.3f}"
        f" {outcome.delay_ms(0.5):7.2f} {outcome.delay_ms(0.99):7.2f} {outcome.delay_ms(1):7.1f}"
        f" {outcome.lost:6} of {outcome.sent:7} {server.memory() // 1024:5}"
        f"   tool: {100 * mine:.0f} %, late {outcome.late_ms:.0f} ms"
    )


def main() -> None:
    reading = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    reading.add_argument("--kinds", default="rtp,sdes,dtls,opus")
    reading.add_argument("--calls", default="50")
    reading.add_argument("--seconds", type=float, default=6.0)
    reading.add_argument("--against", default="gateway,rtpengine")
    reading.add_argument("--cores", default="0,1")
    reading.add_argument("--repeat", type=int, default=1)
    reading.add_argument("--nice", type=int, default=0, help="of gateway and tool (root: below 0)")
    words = reading.parse_args()
    os.nice(words.nice)
    first, second = (int(each) for each in words.cores.split(","))
    os.sched_setaffinity(0, {second})
    print(
        "server     kind      calls setup(ms)  core %  % a call  p50(ms) p99(ms) max(ms)   lost            MB"
    )
    for _ in range(words.repeat):
        for kind in words.kinds.split(","):
            for calls in words.calls.split(","):
                for name in words.against.split(","):
                    with Server(name, first) as server:
                        line = asyncio.run(measure(server, kind, int(calls), words.seconds))
                        print(line, flush=True)


if __name__ == "__main__":
    main()
