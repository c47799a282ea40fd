"""Two phones behind the NAT routers of two homes: neither can send to the other, and both are heard."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.baresip import Baresip
from tests.support.cast import PASSWORD, extension
from tests.support.namespaces import Internet, possible
from tests.support.pbx_process import DOMAIN, PbxProcess

NUMBERS = ("3651", "3652")

pytestmark = pytest.mark.skipif(not possible(), reason="network namespaces need root")


@pytest.fixture(scope="module")
def internet() -> Iterator[Internet]:
    with Internet() as made:
        yield made


@pytest.fixture(scope="module")
def pbx(internet: Internet) -> Iterator[PbxProcess]:
    """A server on that internet."""
    settings = {"PBX_BIND": "0.0.0.0", "PBX_PUBLIC_ADDRESS": internet.server}
    with PbxProcess(environment=settings) as running:
        running.apply({"extensions": [extension(number) for number in NUMBERS]})
        yield running


@pytest.fixture(scope="module")
def homes(internet: Internet) -> list[str]:
    """Of two phones at the same address, each behind a router of its own."""
    return [internet.home("192.168.50.10") for _ in NUMBERS]


def phone(
    pbx: PbxProcess, internet: Internet, directory: Path, number: str, namespace: str, tone: int
) -> Baresip:
    port = pbx.server.rpartition(":")[2]
    return Baresip(
        number, directory, domain=DOMAIN, password=PASSWORD.format(number), tone=tone,
        server=f"{internet.server}:{port}", namespace=namespace, host="192.168.50.10",
    )  # fmt: skip


@pytest.mark.parametrize("ends", ["caller", "callee"])
def test_they_hear_each_other_by_the_gateway(
    pbx: PbxProcess, internet: Internet, homes: list[str], tmp_path: Path, ends: str
) -> None:
    with (
        phone(pbx, internet, tmp_path, "3651", homes[0], 440) as alice,
        phone(pbx, internet, tmp_path, "3652", homes[1], 660) as bob,
    ):
        for each in (alice, bob):
            each.wait_for("REGISTER_OK")
        alice.dial("3652")
        bob.wait_for("CALL_INCOMING")
        bob.accept()
        call_id = alice.wait_for("CALL_ESTABLISHED")["id"]
        alice.hears(660, deadline=10)
        bob.hears(440, deadline=10)
        (alice if ends == "caller" else bob).hang_up()
        row = pbx.row_of(call_id)
        assert (row["result"], row["hangup_by"]) == ("answered", ends)
        assert "in a network behind 198.18." in str(row["decision"])
