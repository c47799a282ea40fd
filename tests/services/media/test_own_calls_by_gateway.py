"""The echo test, the tone and click-to-call with browsers: a media gateway speaks with them for us."""

from __future__ import annotations

import pytest

from sipengine.services.ports import ANSWER, OFFER, TO_RTP, TO_WEB
from tests.services.conftest import registered
from tests.services.media.anchored import FIGURES, SRTP, TYPE, WEB, Anchored
from tests.services.user_agents import Dialog, Phone

GATEWAY = "192.0.2.50"
RTP = (
    "v=0\r\no=- 1 {version} IN IP4 192.0.2.50\r\ns=-\r\nc=IN IP4 192.0.2.50\r\nt=0 0\r\n"
    "m=audio {port} RTP/AVP 0\r\na={direction}\r\n"
)
FOR_WEB = "v=0\r\no=- 2 1 IN IP4 192.0.2.50\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\nc=IN IP4 0.0.0.0\r\n"


def rtp(port: int = 30000, direction: str = "sendrecv", version: int = 1) -> str:
    return RTP.format(port=port, direction=direction, version=version)


def without_origin(description: str) -> list[str]:
    return [line for line in description.splitlines() if not line.startswith("o=")]


def echo(wire: Anchored, web: Phone, code: str = "*43") -> Dialog:
    call = web.call(code, body=WEB)
    wire.gateway("offer", sdp=rtp())
    wire.gateway("answer", sdp=FOR_WEB)
    return call.answered()


def test_a_browser_is_answered_by_the_gateway_s_description(wire: Anchored, web: Phone) -> None:
    call = web.call("*43", body=WEB)
    web.nothing()
    asked = wire.gateway("offer", sdp=rtp())
    assert (asked.protocol, asked.from_tag, asked.sdp) == (TO_RTP, call.tag, WEB)
    assert asked.signalled_from == "203.0.113.1"
    speaker = wire.media.opened[0]
    assert speaker.program == "echo"
    assert speaker.address[0] == "127.0.0.1"
    assert speaker.agreed[-1][:2] == (GATEWAY, 30000)
    web.nothing()
    asked = wire.gateway("answer", sdp=FOR_WEB)
    assert (asked.protocol, asked.from_tag) == (TO_WEB, call.tag)
    assert asked.signalled_from == "127.0.0.1"
    assert "m=audio 20000 RTP/AVP 0" in asked.sdp
    dialog = call.answered()
    assert asked.to_tag in dialog.remote
    assert wire.row.state == "talking"

    wire.advance(10.1)
    wire.gateway("query", figures=FIGURES)
    dialog.request("BYE")
    web.response(200)
    assert not speaker.open
    wire.gateway("delete", figures=FIGURES)
    assert (wire.row.result, wire.row.hangup_by) == ("answered", "caller")
    assert wire.row.quality == FIGURES
    assert wire.core.counters()["media_calls_now"] == 0


def test_hold_goes_by_the_gateway_too(wire: Anchored, web: Phone) -> None:
    dialog = echo(wire, web)
    dialog.request("INVITE", body=f"{WEB}a=sendonly\r\n", extra=TYPE)
    web.response(100)
    assert wire.gateway("offer", sdp=rtp(direction="sendonly", version=2)).protocol == TO_RTP
    asked = wire.gateway("answer", sdp=f"{FOR_WEB}a=recvonly\r\n")
    assert "a=recvonly" in asked.sdp
    assert "a=recvonly" in web.response(200).body
    dialog.ack()
    assert not wire.media.opened[0].agreed[-1].sends


def test_a_change_that_the_gateway_refuses_leaves_the_call_as_it_was(
    wire: Anchored, web: Phone
) -> None:
    dialog = echo(wire, web)
    dialog.request("INVITE", body=WEB, extra=TYPE)
    web.response(100)
    wire.gateway("offer", ok=False)
    web.response(488)
    assert wire.row.state == "talking"
    assert len(wire.media.opened[0].agreed) == 1


def test_we_hang_up_and_the_gateway_is_told(wire: Anchored, web: Phone) -> None:
    echo(wire, web, "*44")
    assert wire.media.opened[0].program == "tone"
    wire.media.opened[0].ended("it had lasted 10 minutes", wire.now)
    wire.settle()
    web.reply(web.request("BYE"), 200, "OK")
    wire.gateway("delete")
    assert wire.row.hangup_by == "system"


@pytest.mark.parametrize("status", [488, 503])
def test_an_offer_that_the_gateway_refuses(wire: Anchored, web: Phone, status: int) -> None:
    call = web.call("*43", body=WEB)
    wire.gateway("offer", ok=False, status=status)
    call.fails(status)
    assert not wire.media.opened
    assert "its media could not be carried: no codec in common" in wire.row.reason
    wire.gateway("delete")


def test_an_answer_that_the_gateway_refuses(wire: Anchored, web: Phone) -> None:
    call = web.call("*43", body=WEB)
    wire.gateway("offer", sdp=rtp())
    wire.gateway("answer", ok=False)
    call.fails(488)
    assert not wire.media.opened[0].open
    assert wire.row.result == "failed"


def test_no_gateway_alive_is_503(wire: Anchored, web: Phone) -> None:
    wire.plane.instance = -1
    assert web.call("*43", body=WEB).fails(503)["Retry-After"]
    assert "no media gateway answers" in wire.row.reason


def test_a_browser_that_does_not_offer_is_refused(wire: Anchored, web: Phone) -> None:
    call = web.invite("*43", body=" ")
    call.body = ""
    call.authenticate()
    call.fails(488)
    wire.gateway("delete")


def test_given_up_before_the_gateway_answered(wire: Anchored, web: Phone) -> None:
    call = web.call("*43", body=WEB)
    call.cancel()
    call.fails(487)
    web.response(200)
    wire.gateway("offer", sdp=rtp())
    wire.gateway("delete")
    web.nothing()
    assert not wire.media.opened
    assert wire.row.result == "cancelled"


def test_a_gateway_that_lost_the_call_ends_it(wire: Anchored, web: Phone) -> None:
    echo(wire, web)
    for _ in range(3):
        wire.advance(31)
        wire.gateway("query", ok=False)
    web.reply(web.request("BYE"), 200, "OK")
    assert wire.row.hangup_by == "system"
    assert "the media gateway lost it" in wire.row.reason
    assert not wire.media.opened[0].open


def test_a_phone_that_insists_on_srtp_is_answered_too(wire: Anchored) -> None:
    alice = registered(wire, "1001", "198.51.100.1")
    call = alice.call("*43", body=SRTP)
    assert wire.gateway("offer", sdp=rtp()).protocol == TO_RTP
    assert wire.gateway("answer", sdp=SRTP).protocol == "RTP/SAVP"
    call.answered()


class TestDial:
    """`./run dial`: our INVITE has no offer, so that the browser's 200 brings one (RFC 3725 §4.3)."""

    def dial(self, wire: Anchored, caller: str, called: str) -> list[str]:
        said: list[str] = []
        wire.core.agent.click_to_call.dial(caller, called, lambda t, *_: said.append(t), wire.now)
        wire.settle()
        return said

    def browser_picks_up(self, wire: Anchored, web: Phone, offer: str) -> Dialog:
        incoming = web.incoming()
        assert not incoming.invite.body
        web.reply(incoming.invite, 200, "OK", tag=incoming.tag, extra=incoming.contact, body=WEB)
        assert wire.gateway("offer", sdp=offer).protocol == TO_RTP
        return incoming.dialog()

    def test_a_browser_is_rung_and_hears_the_tone(self, wire: Anchored, web: Phone) -> None:
        said = self.dial(wire, "1001", "*44")
        dialog = self.browser_picks_up(wire, web, rtp())
        wire.advance(0.05)
        asked = wire.gateway("answer", sdp=FOR_WEB)
        assert (asked.protocol, asked.from_tag) == (TO_WEB, dialog.local.rpartition("=")[2])
        assert without_origin(web.request("ACK").body) == without_origin(FOR_WEB)
        assert said[-1].endswith("hears the test tone.")
        wire.advance(10.1)
        wire.gateway("query")
        dialog.request("BYE")
        web.response(200)
        wire.gateway("delete")
        assert not wire.media.opened[0].open
        assert (wire.row.result, wire.row.answered_by) == ("answered", "Test tone")

    @pytest.mark.parametrize("first", ["1001", "1002"])
    def test_a_browser_and_a_phone_are_joined(self, wire: Anchored, web: Phone, first: str) -> None:
        bob = registered(wire, "1002", "198.51.100.2")
        other = "1002" if first == "1001" else "1001"
        said = self.dial(wire, first, other)
        if first == "1001":
            self.browser_picks_up(wire, web, rtp())
            wire.advance(0.05)
            assert "a=inactive" in wire.gateway("answer", sdp=FOR_WEB).sdp
            web.request("ACK")
            incoming = bob.incoming()
            incoming.answer()
            wire.advance(0.05)
            asked = wire.gateway("offer", sdp=f"{FOR_WEB}a=sendrecv\r\n")
            assert (asked.command, asked.protocol) == (OFFER, TO_WEB)
            assert "m=audio 40000" in asked.sdp
            again = web.request("INVITE")
            assert without_origin(again.body) == without_origin(f"{FOR_WEB}a=sendrecv\r\n")
            web.reply(again, 200, "OK", extra=f"Contact: {web.contact}", body=WEB)
            web.request("ACK")
            asked = wire.gateway("answer", sdp=rtp(30002))
            assert (asked.command, asked.protocol, asked.sdp) == (ANSWER, TO_RTP, WEB)
            assert "m=audio 30002 RTP/AVP" in bob.request("ACK").body
        else:
            incoming = bob.incoming()
            incoming.answer()
            wire.advance(0.05)
            bob.request("ACK")
            self.browser_picks_up(wire, web, rtp())
            wire.advance(0.05)
            again = bob.request("INVITE")
            assert "m=audio 30000 RTP/AVP" in again.body
            bob.reply(again, 200, "OK", extra=f"Contact: {bob.contact}", body=rtp(40002))
            bob.request("ACK")
            asked = wire.gateway("answer", sdp=FOR_WEB)
            assert "m=audio 40002" in asked.sdp
            assert without_origin(web.request("ACK").body) == without_origin(FOR_WEB)
        assert said[-1].endswith("they are connected.")
        assert wire.row.state == "talking"


@pytest.mark.parametrize("body", [WEB, ""])
def test_change_while_another_goes_by_the_gateway_is_491_rfc3261_14_1(
    wire: Anchored, web: Phone, body: str
) -> None:
    """The browser wants a change while the phone's offer is with the gateway: both get their answers."""
    bob = registered(wire, "1002", "198.51.100.2")
    browser = TestDial()
    browser.dial(wire, "1001", "1002")
    at_web = browser.browser_picks_up(wire, web, rtp())
    wire.advance(0.05)
    wire.gateway("answer", sdp=FOR_WEB)
    web.request("ACK")
    incoming = bob.incoming()
    at_bob = incoming.answer()
    wire.advance(0.05)
    wire.gateway("offer", sdp=FOR_WEB)
    web.reply(web.request("INVITE"), 200, "OK", extra=f"Contact: {web.contact}", body=WEB)
    web.request("ACK")
    wire.gateway("answer", sdp=rtp(30002))
    bob.request("ACK")

    at_bob.request("INVITE", body=rtp(40002, "sendonly", 2), extra=TYPE)
    bob.response(100)
    at_web.request("INVITE", body=body, extra=TYPE if body else "")
    assert web.response(491)
    at_web.ack()
    wire.gateway("offer", sdp=f"{FOR_WEB}a=sendonly\r\n")
    web.reply(web.request("INVITE"), 200, "OK", extra=f"Contact: {web.contact}", body=WEB)
    web.request("ACK")
    wire.gateway("answer", sdp=rtp(30002, "recvonly", 2))
    assert "a=recvonly" in bob.response(200).body
