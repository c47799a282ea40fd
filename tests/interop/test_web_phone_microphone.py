"""The microphone is taken away from the page My phone in the middle of a call, and given back."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.interop.conftest import Phones
from tests.support.cast import extension
from tests.support.tone import SILENCE
from tests.support.wait import until
from tests.support.web_people import WebPeople

CONFIGURATION = {"extensions": [extension("4321"), extension("4322")]}
TONE = {"4321": 440.0}


WATCHED = """() => {
    const devices = navigator.mediaDevices;
    const open = devices.getUserMedia.bind(devices);
    const streams = [];
    let refusal = "";
    devices.getUserMedia = async (wanted) => {
        if (refusal) throw new DOMException("as the browser says it", refusal);
        streams.push(await open(wanted));
        return streams.at(-1);
    };
    window.takeAway = (why) => {
        refusal = why;
        for (const track of streams.flatMap((stream) => stream.getAudioTracks())) {
            track.stop();
            track.dispatchEvent(new Event("ended"));
        }
    };
    window.giveBack = () => {
        refusal = "";
        devices.dispatchEvent(new Event("devicechange"));
    };
}"""
"""Chromium without a window asks nobody and takes no open microphone away again: this is what it tells a
page when a person forbids it or pulls the plug."""


@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        ("NotAllowedError", "Nobody hears you: the microphone was taken away from this page."),
        ("NotFoundError", "Nobody hears you: the microphone is gone."),
        ("NotReadableError", "Nobody hears you: the microphone cannot be used."),
    ],
)
def test_a_microphone_that_is_lost_in_a_call_is_told_and_comes_back(
    web: WebPeople, phones: Phones, refusal: str, words: str
) -> None:
    page, desk = web.open("4321"), phones.baresip("4322", tone=880)
    page.window.evaluate(WATCHED)
    page.dial("4322")
    desk.wait_for("CALL_INCOMING")
    desk.accept()
    page.hears(880)
    desk.hears(TONE["4321"], deadline=15)
    trouble = page.window.get_by_role("alert")

    page.window.evaluate("why => takeAway(why)", refusal)
    expect(trouble).to_contain_text(words)
    expect(trouble).to_contain_text("the call goes on")
    page.says("Talking")
    page.hears(880)

    page.window.evaluate("giveBack()")
    expect(trouble).to_be_hidden()
    desk.hears_anew(TONE["4321"])
    page.press("Hang up")
    desk.wait_for("CALL_CLOSED")
    assert page.trouble == []


def test_a_microphone_that_is_pulled_out_in_a_call_gives_way_to_another(
    web: WebPeople, phones: Phones
) -> None:
    """Nobody need do or be told anything; muted stays muted."""
    page, desk = web.open("4321"), phones.baresip("4322", tone=880)
    page.window.evaluate(WATCHED)
    page.dial("4322")
    desk.wait_for("CALL_INCOMING")
    desk.accept()
    desk.hears(TONE["4321"], deadline=15)
    page.press("Mute")
    until(lambda: desk.heard().last(0.3).loudness() < SILENCE, "silence", deadline=10)
    page.window.evaluate("takeAway('')")
    page.says("Talking, microphone off")
    page.press("Mute")
    desk.hears_anew(TONE["4321"])
    expect(page.window.get_by_role("alert")).to_be_hidden()
    page.press("Hang up")
    assert page.trouble == []


@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        ("NotAllowedError", "The browser may not use the microphone. Allow it for this page"),
        ("NotFoundError", "No microphone was found. Plug one in"),
        ("NotReadableError", "perhaps another program has it"),
    ],
)
def test_a_call_that_cannot_be_answered_rings_on_until_it_can(
    web: WebPeople, phones: Phones, refusal: str, words: str
) -> None:
    page, desk = web.open("4321"), phones.baresip("4322", tone=880)
    trouble = page.window.get_by_role("alert")
    page.window.evaluate(WATCHED)
    page.window.evaluate("why => takeAway(why)", refusal)
    desk.dial("4321")
    page.press("Answer")
    expect(trouble).to_contain_text(words)
    expect(trouble.get_by_role("link", name="Check what is missing")).to_be_visible()
    page.says("Incoming call")
    page.window.evaluate("giveBack()")
    page.press("Answer")
    expect(trouble).to_be_hidden()
    page.hears(880)
    page.press("Hang up")
    page.is_idle()
    page.window.evaluate("why => takeAway(why)", refusal)
    page.dial("4322")
    expect(trouble).to_contain_text(words)
    page.is_idle()
