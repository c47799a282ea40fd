"""Sound before the answer (RFC 3960): a browser hears the announcement of the phone that it calls."""

from __future__ import annotations

import re
import socket
import threading
import time
from types import TracebackType

import pytest

from sipengine.media.rtp import Packets
from tests.gateway.served import tone
from tests.interop.conftest import Phones
from tests.interop.test_web_calls import WebPhones
from tests.interop.test_web_calls import web_phones as web_phones
from tests.support.cast import extension
from tests.support.pbx_process import PbxProcess
from tests.support.wait import until
from tests.support.wire_calls import IncomingCall
from tests.support.wire_phone import WirePhone

CONFIGURATION = {
    "extensions": [extension(number) for number in ("2811", "2812", "2813")],
    "rules": [
        {
            "name": "early media: all at once",
            "called": "2815",
            "action": "forward",
            "strategy": "simultaneous",
            "targets": ["2812", "2813"],
        }
    ],
}

SDP = """\
v=0
o=- 1 1 IN IP4 127.0.0.1
s=-
c=IN IP4 127.0.0.1
t=0 0
m=audio {port} RTP/AVP 8
a=rtpmap:8 PCMA/8000
a=sendrecv
"""


class Announcing:
    """A phone by hand that plays a tone of A-law to whoever calls, from its 183 on."""

    def __init__(self, phone: WirePhone, frequency: float) -> None:
        self.phone = phone
        self._sound = tone(frequency, 8000)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(5)
        self._over = threading.Event()
        self._playing: threading.Thread | None = None
        self.body = SDP.format(port=self._socket.getsockname()[1])

    def __enter__(self) -> Announcing:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._over.set()
        if self._playing is not None:
            self._playing.join(5)
        self._socket.close()

    def rings(self) -> IncomingCall:
        call = self.phone.incoming()
        call.ring()
        return call

    def announce(self, call: IncomingCall) -> None:
        """Describe the sound in a 183 and begin to play it."""
        contact = f"Contact: {self.phone.contact}"
        self.phone.reply(
            call.invite, 183, "Session Progress", tag=call.tag, extra=contact, body=self.body
        )
        named = re.search(r"^m=audio (\d+) ", call.invite.body, re.M)
        assert named is not None
        self._playing = threading.Thread(target=self._play, args=(("127.0.0.1", int(named[1])),))
        self._playing.start()

    def _play(self, where: tuple[str, int]) -> None:
        packets = Packets(b"early media seed")
        due, position = time.monotonic(), 0
        while not self._over.wait(max(0.0, due - time.monotonic())):
            at = position % 8000
            self._socket.sendto(packets.make(8, self._sound[at : at + 160]), where)
            packets.timestamp += 160
            position += 160
            due += 0.02

    def answer(self, call: IncomingCall) -> None:
        """200 with the same description."""
        contact = f"Contact: {self.phone.contact}"
        self.phone.reply(call.invite, 200, "OK", tag=call.tag, extra=contact, body=self.body)

    def is_spoken_to(self) -> bool:
        """A packet of voice came from the other side."""
        data = self._socket.recv(2000)
        return len(data) > 100 and data[1] & 0x7F == 8


@pytest.mark.parametrize("chromium", [False, True], ids=["aiortc", "Chromium"])
def test_rfc3960_3_1_a_browser_hears_the_announcement_and_then_the_person(
    pbx: PbxProcess, phones: Phones, web_phones: WebPhones, chromium: bool
) -> None:
    web = web_phones.make("2811", chromium=chromium)
    with Announcing(phones.wire("2812"), 600) as desk:
        web.dial("2812")
        call = desk.rings()
        desk.announce(call)
        web.hears_early()
        web.hears(600, deadline=20)
        desk.answer(call)
        web.established(described=True)
        desk.phone.wire.receive_request("ACK")
        until(desk.is_spoken_to, "voice of the browser")
        web.hears(600)
        web.request("BYE", web.target, web.local, web.remote, web.call_id, routes=web.routes)
        bye = desk.phone.wire.receive_request("BYE")
        desk.phone.reply(bye, 200, "OK")
        web.receive(200)
        web.end_media()
    assert pbx.row_of(web.call_id)["hangup_by"] == "caller"


@pytest.mark.parametrize("chromium", [False, True], ids=["aiortc", "Chromium"])
def test_rfc3960_3_1_of_a_fork_the_last_answer_is_heard(
    phones: Phones, web_phones: WebPhones, chromium: bool
) -> None:
    """Two phones announce something; the first one answers. The browser describes itself once."""
    web = web_phones.make("2811", chromium=chromium)
    with Announcing(phones.wire("2812"), 600) as one, Announcing(phones.wire("2813"), 900) as other:
        web.dial("2815")
        first, second = one.rings(), other.rings()
        one.announce(first)
        web.hears_early()
        web.hears(600, deadline=20)
        other.announce(second)
        web.hears(900)
        one.answer(first)
        web.established(described=True)
        one.phone.wire.receive_request("ACK")
        second.cancelled()
        web.hears(600)
        until(one.is_spoken_to, "voice of the browser")
        web.request("BYE", web.target, web.local, web.remote, web.call_id, routes=web.routes)
        bye = one.phone.wire.receive_request("BYE")
        one.phone.reply(bye, 200, "OK")
        web.receive(200)
        web.end_media()


def test_an_announcement_may_be_all_that_is_heard(
    pbx: PbxProcess, phones: Phones, web_phones: WebPhones
) -> None:
    """The announcement says why, then the call is refused; nothing of it is left at the gateway."""
    web = web_phones.make("2811")
    with Announcing(phones.wire("2812"), 700) as desk:
        web.dial("2812")
        call = desk.rings()
        desk.announce(call)
        web.hears_early()
        web.hears(700, deadline=20)
        call.reject(480, "Temporarily Unavailable")
        web.fails(480)
        web.end_media()
    row = pbx.row_of(web.call_id)
    assert not row["answered"]
    assert row["sip_status"] == 480
