"""How many calls still go through when more are offered than can be done.

    .venv/bin/python bench/overload.py [--seconds 8] [--pin CORE] [RATE ...]

Starts the product's engine with its database in a directory of its own, and for each RATE (calls a
second, 200 400 800 if none is given) lets SIPp call SIPp through it for so long: INVITE, challenge,
INVITE, 180, 200, ACK, BYE, at most twice as many calls as seconds can hold. `--pin` gives the engine one
core and SIPp the others. Goodput is what the called side completed a second, after a warm-up of
a quarter; `refused` are 503s, `unread` what was dropped before it was read, `kernel` what the kernel
dropped; `calls` is what was completed in all and `cpu` the engine's processor time in seconds for it,
so that the first line gives the cost of a call and the last the cost of a refusal, also on a
machine that others use. With overload control goodput stays level where the rate goes on rising.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.support.cast import PASSWORD, extension  # noqa: E402
from tests.support.pbx_process import DOMAIN, PbxProcess  # noqa: E402
from tests.support.sipp import Sipp, credentials  # noqa: E402
from tests.support.wire_phone import WirePhone  # noqa: E402

SCENARIOS = ROOT / "tests" / "interop" / "scenarios"
FORGIVING = '<recv response="503" optional="true" next="1"/>\n  '
REFUSED = """  <nop next="2"/>
  <label id="1"/>
  <send>
    <![CDATA[

      ACK sip:[field2]@[domain] SIP/2.0
      Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch-1];rport
      Max-Forwards: 70
      From: <sip:[field0]@[domain]>;tag=[call_number]c[pid]
      To: <sip:[field2]@[domain]>[peer_tag_param]
      Call-ID: [call_id]
      CSeq: [cseq] ACK
      Content-Length: 0

    ]]>
  </send>
  <label id="2"/>
</scenario>"""


def caller(directory: Path) -> Path:
    """The suite's caller, who takes a 503 to either INVITE for an answer."""
    text = (SCENARIOS / "caller.xml").read_text()
    for answer in ('<recv response="407"', '<recv response="180"/>'):
        text = text.replace(answer, FORGIVING + answer)
    path = directory / "caller.xml"
    path.write_text(text.replace("</scenario>", REFUSED))
    return path


def counters(pbx: PbxProcess) -> dict[str, float]:
    """The engine's counters; it reports every five seconds."""
    (row,) = pbx.query("SELECT counters FROM enginelink_enginestatus")
    found = row["counters"]
    return dict(json.loads(found) if isinstance(found, str) else found)


def measure(pbx: PbxProcess, directory: Path, rate: int, seconds: float, affinity: set[int]) -> str:
    most = int(rate * seconds * 2)
    answering = Sipp(SCENARIOS / "callee.xml", directory, calls=most, limit_s=int(seconds) + 20)
    calling = Sipp(
        caller(directory), directory, calls=int(rate * seconds), rate=rate, limit_s=int(seconds) + 20,
        target=pbx.server, keys={"domain": DOMAIN}, hold_ms=100,
        rows=[["1001", credentials("1001", PASSWORD.format("1001")), "1002"]],
    )  # fmt: skip
    before = counters(pbx)
    phone = WirePhone("1002", PASSWORD.format("1002"), server=pbx.sip, domain=DOMAIN)
    contact = f"<sip:1002@127.0.0.1:{answering.port}>"
    assert phone.register(contact=contact).status == 200
    with answering, calling:
        for sipp in (answering, calling):
            os.sched_setaffinity(sipp.process.pid, affinity)
        time.sleep(seconds / 4)
        begun, first = time.monotonic(), answering.result(0).successful
        time.sleep(seconds * 3 / 4 - 1)
        done = answering.result(0).successful - first
        goodput = done / (time.monotonic() - begun)
        time.sleep(7)  # for the calls to end and the next report
        repeated, all_done = calling.result(0).retransmissions, answering.result(0).successful
    after = counters(pbx)
    phone.register(contact="*", expires=0)

    def grown(name: str) -> int:
        return int(after.get(name, 0) - before.get(name, 0))

    shed, unread = grown("requests_shed"), grown("udp_shed_unread")
    cpu = after["cpu_seconds"] - before["cpu_seconds"]
    return (
        f"{rate:6} {goodput:9.0f} {shed:9} {unread:8} {grown('udp_kernel_drops'):8} {repeated:9}"
        f" {all_done:7} {cpu:7.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rates", nargs="*", type=int, default=[200, 400, 800])
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--pin", type=int, default=-1)
    options = parser.parse_args()
    cores = os.sched_getaffinity(0)
    others = cores - {options.pin} or cores
    with PbxProcess(only="engine") as pbx, tempfile.TemporaryDirectory() as home:
        pbx.apply({"extensions": [extension("1001"), extension("1002", max_contacts=1)]})
        if options.pin >= 0:
            subprocess.run(
                ["taskset", "-acp", str(options.pin), str(pbx.engine().pid)],
                check=True, stdout=subprocess.DEVNULL,
            )  # fmt: skip
        time.sleep(6)  # for the first report
        print("  rate   goodput   refused   unread   kernel   repeated   calls     cpu", flush=True)
        for index, rate in enumerate(options.rates):
            place = Path(home) / str(index)
            place.mkdir()
            print(measure(pbx, place, rate, options.seconds, others), flush=True)


if __name__ == "__main__":
    main()
