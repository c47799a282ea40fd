"""My phone in Firefox, which speaks WebRTC and renders pages by code of its own."""

from __future__ import annotations

from pathlib import Path

from tests.interop.conftest import Phones
from tests.support.cast import extension
from tests.support.firefox import firefox_with_tone
from tests.support.my_phone import PASSWORD, make_people
from tests.support.pbx_process import PbxProcess
from tests.support.tone import SILENCE
from tests.support.wait import until

CONFIGURATION = {"extensions": [extension("4881"), extension("4882")]}


def test_calls_both_ways_hold_keys_and_a_reload(
    pbx: PbxProcess, phones: Phones, tmp_path: Path
) -> None:
    make_people(pbx, "4881")
    assert pbx.ready is not None
    with firefox_with_tone(550, tmp_path) as page:
        page.log_in(pbx.ready.http, "person4881", PASSWORD)
        desk = phones.baresip("4882", tone=880)
        page.dial("4882")
        desk.wait_for("CALL_INCOMING")
        desk.accept()
        page.says("Talking")
        page.hears(880)
        desk.hears(550)
        page.press("Keys")
        page.press("5")
        assert desk.wait_for("CALL_DTMF_START")["param"] == "5"
        page.press("Hang up")
        desk.wait_for("CALL_CLOSED")

        desk.dial("4881")
        page.press("Answer")
        page.says("Talking")
        page.hears(880)
        desk.hears(550)
        page.press("Mute")
        page.says("Talking, microphone off")
        until(lambda: desk.heard().last(0.3).loudness() < SILENCE, "silence", deadline=10)
        page.press("Mute")
        page.press("Hold")
        page.says("On hold")
        page.hears(None)
        page.press("Hold")
        page.says("Talking")
        page.hears(880)

        page.goto(f"{pbx.ready.http}/phone/")
        page.press("Go on with the call")
        page.says("Talking")
        page.hears(880)
        desk.hang_up()
        page.is_idle()
        assert page.trouble == []
