"""`./run dial FROM TO` between two real phones: both ring in turn, hear each other, hang up."""

from __future__ import annotations

import pytest

from tests.interop.conftest import Phones
from tests.support.cast import extension
from tests.support.dialled import Dialled
from tests.support.pbx_process import PbxProcess
from tests.support.wait import until

CONFIGURATION = {"extensions": [extension("3201"), extension("3202"), extension("3203")]}


@pytest.mark.parametrize(("ends", "transport"), [("caller", "udp"), ("callee", "tcp")])
def test_two_phones_are_joined_and_hear_each_other(
    pbx: PbxProcess, phones: Phones, ends: str, transport: str
) -> None:
    alice = phones.baresip("3201", tone=440, transport="udp")
    bob = phones.baresip("3202", tone=660, transport=transport)
    dialled = Dialled(pbx, "3201", "3202")
    call_id = alice.wait_for("CALL_INCOMING", deadline=20)["id"]
    alice.accept()
    bob.wait_for("CALL_INCOMING")
    bob.accept()
    bob.wait_for("CALL_ESTABLISHED")
    alice.hears(660)
    bob.hears(440)
    said = dialled.said()
    assert "Ringing" in said
    assert "they are connected" in said
    (alice if ends == "caller" else bob).hang_up()
    (bob if ends == "caller" else alice).wait_for("CALL_CLOSED")
    row = pbx.row_of(call_id)
    assert (row["result"], row["hangup_by"]) == ("answered", ends)
    assert row["caller"].startswith("3201")
    assert row["called"] == "3202"
    assert row["answered_by"].startswith("3202")


def test_hold_and_resume_reach_the_other_phone(pbx: PbxProcess, phones: Phones) -> None:
    alice = phones.baresip("3201", tone=440)
    bob = phones.baresip("3202", tone=660)
    dialled = Dialled(pbx, "3201", "3202")
    call_id = alice.wait_for("CALL_INCOMING", deadline=20)["id"]
    alice.accept()
    bob.wait_for("CALL_INCOMING")
    bob.accept()
    alice.hears(660)
    dialled.said()
    alice.command("hold")
    until(lambda: "a=sendonly" in bob.trace(), "the hold to reach the other phone")
    alice.command("resume")
    bob.hears(440)
    alice.hears(660)
    alice.hang_up()
    assert pbx.row_of(call_id)["hangup_by"] == "caller"


def test_called_phone_is_busy(pbx: PbxProcess, phones: Phones) -> None:
    alice = phones.baresip("3201", tone=440)
    bob = phones.baresip("3202", tone=660)
    dialled = Dialled(pbx, "3201", "3202")
    alice.wait_for("CALL_INCOMING", deadline=20)
    alice.accept()
    bob.wait_for("CALL_INCOMING")
    bob.hang_up()
    alice.wait_for("CALL_CLOSED")
    assert "was busy" in dialled.said()


def test_what_cannot_be_dialled_is_said_at_once(pbx: PbxProcess) -> None:
    assert "There is no extension 3299" in pbx.run("dial", "3299", "3201", check=False)
    assert "No extension 3299" in pbx.run("dial", "3201", "3299", check=False)
    assert "has no phone registered" in pbx.run("dial", "3203", "3201", check=False)


def test_feature_code_is_dialled_for_a_phone(pbx: PbxProcess, phones: Phones) -> None:
    alice = phones.baresip("3201", tone=620)
    dialled = Dialled(pbx, "3201", "*43")
    call_id = alice.wait_for("CALL_INCOMING", deadline=20)["id"]
    alice.accept()
    alice.hears(620)
    assert "hears the echo test" in dialled.said()
    alice.hang_up()
    assert pbx.row_of(call_id)["answered_by"] == "Echo test"
