"""How long the engine takes to know all its phones again, and what they weigh.

    .venv/bin/python bench/restart.py [BINDINGS] [--journal LINES]

Starts the product's engine with its database in a directory of its own, fills the tables with so
many extensions and one binding each (a million if not said), ends the engine with kill -9, and
waits until its successor answers. With `--journal` so many of the bindings are moved to other
addresses by lines that only the journal has. Memory is the engine's resident set: `peak` while it
loaded, `settled` afterwards, and what a binding with its extension adds to an empty engine.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from pbx.supervisor.identity import service_identity  # noqa: E402
from sipengine.api import BindingRecord  # noqa: E402
from sipengine.journal import Journal, encode  # noqa: E402
from tests.support.cast import extension  # noqa: E402
from tests.support.pbx_process import DOMAIN, PbxProcess  # noqa: E402

FIRST = 10_000_000
WITHIN_S = 300.0

EXTENSIONS = f"""
INSERT INTO directory_extension (domain_id, number, name, enabled, max_contacts, ring_timeout,
    forward_always, forward_busy, forward_no_answer, forward_no_answer_after)
SELECT (SELECT id FROM directory_domain WHERE name = '{DOMAIN}'), ({FIRST} + n)::text, 'Phone ' || n, true, 10, 60,
    '', '', '', 20
FROM generate_series(0, %s - 1) AS n RETURNING 1
"""
CREDENTIALS = """
INSERT INTO directory_credential (extension_id, realm, ha1_md5, ha1_sha256, changed_at)
SELECT e.id, d.name, md5(e.number), md5(e.number) || md5(e.name), now()
FROM directory_extension e JOIN directory_domain d ON d.id = e.domain_id
WHERE e.id NOT IN (SELECT extension_id FROM directory_credential) RETURNING 1
"""
BINDINGS = f"""
INSERT INTO registrations_binding (aor, contact, params, q, expires_at, call_id, cseq, path,
    transport, received, local, user_agent, instance, reg_id, registered_at, updated_at)
SELECT ({FIRST} + n) || '@{DOMAIN}', 'sip:' || ({FIRST} + n) || '@' || host || ':5060', '', 1.0,
    now() + interval '1 hour' + n %% 3600 * interval '1 second',
    md5(n::text) || '@' || host, 2, '[]', 'UDP', host || ':5060', '127.0.0.1:5060',
    'Yealink SIP-T46S 66.86.0.15', '', 0, now(), now()
FROM generate_series(0, %s - 1) AS n,
    LATERAL (SELECT '10.' || n / 65536 || '.' || n / 256 %% 256 || '.' || n %% 256) AS h (host)
RETURNING 1
"""


def journalled(number: int) -> BindingRecord:
    """The phone with this number, moved to another port."""
    host = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
    now = time.time()
    return BindingRecord(
        f"{FIRST + number}@{DOMAIN}", f"sip:{FIRST + number}@{host}:5060", "", 1.0, now + 3600,
        f"{number:032x}@{host}", 3, [], "UDP", f"{host}:5070", "127.0.0.1:5060",
        "Yealink SIP-T46S 66.86.0.15", "", 0, now, now, None,
    )  # fmt: skip


def memory(pid: int, name: str) -> float:
    """Bytes of a line of /proc/PID/status."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.partition(f"{name}:")[2].split()[0]) * 1024


def restarted(pbx: PbxProcess, count: int) -> tuple[float, int]:
    """Seconds from the end of one engine to the first answer of the next, and its process id."""
    old = pbx.engine().pid
    os.kill(old, signal.SIGKILL)
    began = time.monotonic()
    while time.monotonic() < began + WITHIN_S:
        if not Path(f"/proc/{old}").exists() and pbx.answers_options():
            return time.monotonic() - began, pbx.engine().pid
        time.sleep(0.05)
    raise SystemExit(f"no answer within {WITHIN_S:g} s with {count} bindings\n{pbx.tail()}")


def report(pbx: PbxProcess, pid: int, took: float, count: int, empty: float) -> None:
    settled, peak = memory(pid, "VmRSS"), memory(pid, "VmHWM")
    cpu = sum(
        int(n) for n in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    )
    each = f"{(settled - empty) / count:.0f} bytes each" if count else ""
    print(
        f"{count:8} bindings: answers after {took:5.1f} s ({cpu / os.sysconf('SC_CLK_TCK'):.1f} s of"
        f" processor), peak {peak / 2**20:.0f} MiB, settled {settled / 2**20:.0f} MiB  {each}",
        flush=True,
    )
    lines = pbx.tail(200).splitlines()
    print("\n".join(line for line in lines if "engine ready" in line)[-150:], flush=True)


def move(pbx: PbxProcess, count: int) -> None:
    """Write lines that no table has, while nothing runs."""
    directory = Path(pbx.environment["PBX_DATA_DIR"]) / "journal"
    journal = Journal.open(directory)
    for start in range(0, count, 10_000):
        part = range(start, min(start + 10_000, count))
        journal.write([encode(journalled(number)) for number in part])
    journal.close()
    if identity := service_identity():
        identity.own(directory)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bindings", nargs="?", type=int, default=1_000_000)
    parser.add_argument("--journal", type=int, default=0)
    options = parser.parse_args()
    with PbxProcess(only="engine") as pbx:
        pbx.apply({"extensions": [extension("1001")]})
        took, pid = restarted(pbx, 0)
        empty = memory(pid, "VmRSS")
        report(pbx, pid, took, 0, empty)
        for statement in (EXTENSIONS, CREDENTIALS, BINDINGS):
            values = (options.bindings,) if "%s" in statement else ()
            pbx.query(f"WITH made AS ({statement}) SELECT count(*) FROM made", *values)
        took, pid = restarted(pbx, options.bindings)
        report(pbx, pid, took, options.bindings, empty)
        if options.journal:
            pbx.stop()
            move(pbx, options.journal)
            pbx.start()
            print(f"{options.journal} lines of them in the journal, everything started anew:")
            report(pbx, pbx.engine().pid, pbx.started_in, options.bindings, empty)


if __name__ == "__main__":
    main()
