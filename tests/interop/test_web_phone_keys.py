"""Keys between the page My phone and desk phones that know no telephone events, only SIP INFO.

What a person presses in the page arrives as an INFO (RFC 6086), what the desk phone tells by INFO is
heard in the page as an event's tones (RFC 4733): the media gateway makes one out of the other.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.support.cast import PASSWORD, extension
from tests.support.linphone import Linphone
from tests.support.pbx_process import DOMAIN, PbxProcess
from tests.support.twinkle import Twinkle
from tests.support.wait import until
from tests.support.web_people import WebPeople

CONFIGURATION = {"extensions": [extension(f"430{digit}") for digit in range(1, 4)]}
TONE = {"4301": 440.0}


def is_registered(pbx: PbxProcess, number: str) -> None:
    until(
        lambda: any(row["aor"] == f"{number}@{DOMAIN}" for row in pbx.bindings()),
        f"{number} to register",
        deadline=15,
    )


def test_linphone_without_events_and_a_page_press_keys(
    pbx: PbxProcess, web: WebPeople, tmp_path: Path
) -> None:
    page = web.open("4301")
    account = (pbx.server, DOMAIN, PASSWORD.format("4302"))
    with Linphone("4302", tmp_path, *account, info=True) as desk:
        is_registered(pbx, "4302")
        page.dial("4302")
        desk.answer(tone=600)
        page.hears(600)
        desk.hears(TONE["4301"])
        page.press("Keys")
        for key in "5#0":
            page.key(key)
            desk.shows(f"Receiving tone {key} from")
        desk.say("7")
        page.hears_both(852, 1209)
        page.hears(600)
        desk.say("3")
        page.hears_both(697, 1477)
        page.hears(600)
        desk.hears(TONE["4301"])
        page.press("Hang up")
        desk.logged("LinphoneCallReleased")
    page.is_idle()
    assert page.trouble == []


def test_twinkle_without_events_calls_a_page_and_both_press_keys(
    pbx: PbxProcess, web: WebPeople, tmp_path: Path
) -> None:
    page = web.open("4301")
    account = (pbx.server, DOMAIN, PASSWORD.format("4303"))
    with Twinkle("4303", tmp_path, *account, info=True) as desk:
        is_registered(pbx, "4303")
        desk.say(f"call sip:4301@{DOMAIN}")
        page.press("Answer")
        page.says("Talking")
        page.hears(0, within=1)
        page.press("Keys")
        for key in "5*":
            page.key(key)
            desk.shows(f"DTMF detected: {key}")
        desk.say("dtmf 7")
        until(lambda: "Signal=7" in desk.log.read_text(errors="replace"), "twinkle to tell its key")
        page.key("1")  # lasts longer than that one
        desk.shows("DTMF detected: 1")
        desk.say("bye")
    page.is_idle()
    # It has no microphone and says one packet, too little for a browser to sound a key in: what
    # counts is that the key has been played, 20 ms a packet and its end three times.
    told = figures_of(pbx, caller="4303")
    assert told["caller"]["packets"] + 7 <= told["callee"]["sent"]
    assert page.trouble == []


def figures_of(pbx: PbxProcess, caller: str) -> dict[str, Any]:
    """The quality of that extension's latest call."""
    last = "SELECT quality FROM calls_call WHERE caller = %s ORDER BY started DESC LIMIT 1"
    told: dict[str, Any] = until(
        lambda: json.loads(
            (pbx.query(last, f"{caller}@{DOMAIN}") or [{}])[0].get("quality") or "0"
        ),
        "the figures",
    )
    return told
