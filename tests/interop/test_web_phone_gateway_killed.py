"""A call between the page My phone and a desk phone outlives its media gateway."""

from __future__ import annotations

import os
import signal

import pytest

from tests.interop.conftest import Phones
from tests.support.cast import extension
from tests.support.pbx_process import PbxProcess
from tests.support.web_people import WebPeople

CONFIGURATION = {"extensions": [extension("4181"), extension("4182")]}
TONE = {"4181": 520.0}


@pytest.mark.parametrize("outgoing", [True, False], ids=["page-calls", "page-is-called"])
def test_both_hear_each_other_again_after_kill_9_of_the_gateway(
    pbx: PbxProcess, web: WebPeople, phones: Phones, outgoing: bool
) -> None:
    """The page notices and offers anew (RFC 8445 §9), which takes the call to the next gateway; the desk
    phone is told its address by the same re-INVITE (RFC 3261 §14)."""
    page, desk = web.open("4181"), phones.baresip("4182", tone=880)
    if outgoing:
        page.dial("4182")
        call = desk.wait_for("CALL_INCOMING")["id"]
        desk.accept()
    else:
        desk.dial("4181")
        page.press("Answer")
        call = desk.wait_for("CALL_ESTABLISHED")["id"]
    page.hears(880)
    (before,) = pbx.parts("-m sipengine.gateway")
    os.kill(before.pid, signal.SIGKILL)
    page.hears(0.0, within=1.0, deadline=20)
    page.hears(880, deadline=30)
    page.says("Talking")
    desk.hears_anew(TONE["4181"])
    assert not desk.saw("CALL_CLOSED")
    page.press("Hang up")
    desk.wait_for("CALL_CLOSED")
    page.is_idle()
    row = pbx.row_of(call)
    assert (row["result"], row["hangup_by"]) == ("answered", "caller" if outgoing else "callee")
    assert "media gateway failed meanwhile, and the call went on" in row["reason"]
    assert page.trouble == []
