"""The call flows of RFC 3665 by SIPp, through one proxy: every one that a proxy and registrar takes part in.

§3.1 (two phones alone), §3.4 (a client that tries its second proxy) and §3.5 (an ALG) have no part
for this server; §3.2 and §3.7 run in `test_call_flows.py` as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.interop.bursts import SCENARIOS, calls_by_sipp
from tests.interop.conftest import Phones
from tests.support.cast import PASSWORD, extension
from tests.support.pbx_process import DOMAIN, PbxProcess, Row
from tests.support.sipp import Result, Sipp, credentials
from tests.support.wait import until

CONFIGURATION = {
    "extensions": [
        extension("2901"),
        *(extension(f"29{n:02}", ring_timeout=3) for n in range(2, 13)),
    ],
    "rules": [
        {
            "name": "rfc3665 moved",
            "called": "2990",
            "action": "redirect",
            "targets": [f"sip:2912@{DOMAIN}"],
        }
    ],
}


class Flows:
    """Runs one scenario against the PBX, with a callee or without."""

    def __init__(self, pbx: PbxProcess, phones: Phones, directory: Path, transport: str) -> None:
        self.pbx, self.phones, self.directory = pbx, phones, directory
        self.transport = transport

    def scenario(self, name: str, *, target: str = "", rows: list[list[str]] | None = None) -> Sipp:
        return Sipp(
            SCENARIOS / f"{name}.xml",
            self.directory,
            target=target,
            transport={"udp": "u1", "tcp": "t1"}[self.transport],
            keys={"domain": DOMAIN},
            rows=rows or [],
            hold_ms=100,
        )

    def caller(self, name: str, callee: str, *more: str, user: str = "2901") -> Sipp:
        row = [user, credentials(user, PASSWORD.format(user)), callee, *more]
        return self.scenario(name, target=self.pbx.server, rows=[row])

    @contextmanager
    def registered(self, number: str, port: int) -> Iterator[None]:
        registrar = self.phones.wire(number, register=False)
        contact = f"<sip:{number}@127.0.0.1:{port};transport={self.transport}>"
        assert registrar.register(contact=contact).status == 200
        yield
        registrar.register(contact="*", expires=0)

    def call(self, flow: str, callee: str, *, caller: str = "", answering: str = "") -> Result:
        """One call by `caller_FLOW.xml` to `callee_FLOW.xml`; both must see it through."""
        with ExitStack() as stack:
            called = self.scenario(answering or f"callee_{flow}")
            stack.enter_context(self.registered(callee, called.port))
            stack.enter_context(called)
            calling = stack.enter_context(self.caller(caller or f"caller_{flow}", callee))
            result = calling.finish()
            assert result.status == 0, f"{result.log}\n{called.explain()}"
            called.finish().check(1)
        result.check(1)
        return result

    def row(self, callee: str) -> Row:
        """The call log's row of the call to that number, once it has ended."""
        rows = until(
            lambda: self.pbx.query(
                "SELECT * FROM calls_call WHERE called LIKE %s AND state = 'ended'"
                " ORDER BY started DESC",
                f"{callee}%",
            ),
            f"the row of {callee}",
            deadline=8,
        )
        return rows[0]


@pytest.fixture(params=["udp", "tcp"])
def flows(request: pytest.FixtureRequest, pbx: PbxProcess, phones: Phones, tmp_path: Path) -> Flows:
    return Flows(pbx, phones, tmp_path, request.param)


def test_rfc3665_2_1_to_2_4_registering_listing_and_taking_back(flows: Flows) -> None:
    row = ["2902", credentials("2902", PASSWORD.format("2902"))]
    with flows.scenario("register_flows", target=flows.pbx.server, rows=[row]) as sipp:
        sipp.finish().check(1)
    until(
        lambda: (
            not flows.pbx.query(
                "SELECT 1 FROM registrations_binding WHERE aor = %s", f"2902@{DOMAIN}"
            )
        ),
        "all contacts to be gone",
    )


def test_rfc3665_2_5_a_wrong_password(flows: Flows) -> None:
    row = ["2903", credentials("2903", "not that")]
    with flows.scenario("register_refused", target=flows.pbx.server, rows=[row]) as sipp:
        sipp.finish().check(1)


def test_rfc3665_3_2_a_session_through_a_proxy(flows: Flows) -> None:
    calls_by_sipp(flows.phones, flows.directory, "2901", "2904", count=1, transport=flows.transport)
    assert flows.row("2904")["result"] == "answered"


def test_rfc3665_3_6_redirected_and_called_there(flows: Flows) -> None:
    with ExitStack() as stack:
        called = flows.scenario("callee")
        stack.enter_context(flows.registered("2912", called.port))
        stack.enter_context(called)
        calling = stack.enter_context(flows.caller("caller_redirected", "2990", "2912"))
        result = calling.finish()
        assert result.status == 0, f"{result.log}\n{called.explain()}"
        called.finish().check(1)
    result.check(1)
    assert flows.row("2990")["result"] == "redirected"
    assert flows.row("2912")["result"] == "answered"


def test_rfc3665_3_6_the_offer_in_the_200_and_the_answer_in_the_ack(flows: Flows) -> None:
    flows.call("offer_in_ack", "2905")
    assert flows.row("2905")["result"] == "answered"


def test_rfc3665_3_7_a_reinvite(flows: Flows) -> None:
    calls_by_sipp(
        flows.phones, flows.directory, "2901", "2906", flow="_reinvite", count=1,
        transport=flows.transport,
    )  # fmt: skip
    assert flows.row("2906")["result"] == "answered"


def test_rfc3665_3_8_no_answer_and_the_caller_gives_up(flows: Flows) -> None:
    flows.call("cancel", "2907")
    row = flows.row("2907")
    assert (row["result"], row["hangup_by"]) == ("cancelled", "caller")


def test_rfc3665_3_9_busy(flows: Flows) -> None:
    flows.call("busy", "2908")
    assert flows.row("2908")["result"] == "busy"


def test_rfc3665_3_10_a_phone_that_says_nothing_and_a_caller_who_gives_up(flows: Flows) -> None:
    silent = flows.phones.wire("2909", transport=flows.transport)
    with flows.caller("caller_no_response", "2909") as calling:
        calling.finish().check(1)
    assert silent.wire.receive_request("INVITE")
    silent.wire.nothing("CANCEL", 0.2)


def test_rfc3665_3_10_a_phone_that_says_nothing_and_a_caller_who_waits(flows: Flows) -> None:
    silent = flows.phones.wire("2910", transport=flows.transport)
    with flows.caller("caller_no_response_waits", "2910") as calling:
        calling.finish().check(1)
    assert silent.wire.receive_request("INVITE")
    row = flows.row("2910")
    assert (row["result"], row["sip_status"]) == ("no_answer", 480)


def test_rfc3665_3_11_temporarily_unavailable(flows: Flows) -> None:
    flows.call("unavailable", "2911")
    assert flows.row("2911")["sip_status"] == 480
