"""Many calls from SIPp to SIPp through the PBX, and how many rows they left."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.interop.conftest import Phones
from tests.support.cast import PASSWORD
from tests.support.pbx_process import DOMAIN, PbxProcess, Row
from tests.support.sipp import Result, Sipp, credentials

SCENARIOS = Path(__file__).parent / "scenarios"


def calls_by_sipp(
    phones: Phones,
    directory: Path,
    caller: str,
    callee: str,
    *,
    flow: str = "",
    count: int,
    rate: int = 10,
    transport: str = "udp",
    hold_ms: int = 100,
    meanwhile: Callable[[], None] = lambda: None,
) -> Result:
    """`count` calls by the scenarios caller and callee; both sides must see every one through.

    `flow` is the suffix of the two scenario files, `meanwhile` is done when the calls have begun.
    """
    socket = {"udp": "u1", "tcp": "t1"}[transport]
    answering = Sipp(SCENARIOS / f"callee{flow}.xml", directory, calls=count, transport=socket)
    calling = Sipp(
        SCENARIOS / f"caller{flow}.xml",
        directory,
        calls=count,
        rate=rate,
        target=phones.pbx.server,
        transport=socket,
        keys={"domain": DOMAIN},
        rows=[[caller, credentials(caller, PASSWORD.format(caller)), callee]],
        hold_ms=hold_ms,
    )
    registrar = phones.wire(callee, register=False)
    contact = f"<sip:{callee}@127.0.0.1:{answering.port};transport={transport}>"
    assert registrar.register(contact=contact).status == 200
    with answering, calling:
        meanwhile()
        result = calling.finish()
        assert result.status == 0, f"{result.log}\n{answering.explain()}"
        answering.finish().check(count)
    registrar.register(contact="*", expires=0)
    result.check(count)
    return result


def calls_to(pbx: PbxProcess, number: str) -> int:
    """How many rows there are of calls to that number."""
    rows = pbx.query("SELECT count(*) AS n FROM calls_call WHERE called LIKE %s", f"{number}%")
    return int(rows[0]["n"])


def ended_calls_to(pbx: PbxProcess, number: str, count: int) -> list[Row]:
    """All ended calls to that number, newest first; [] until there are `count`."""
    rows = pbx.query(
        "SELECT * FROM calls_call WHERE called LIKE %s AND state = 'ended' ORDER BY started DESC",
        f"{number}%",
    )
    return rows if len(rows) >= count else []
