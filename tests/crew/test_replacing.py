"""An INVITE that takes over a dialog of our own agent, where its Call-ID is another process's (RFC 3891)."""

from __future__ import annotations

from itertools import count

from sipengine.services.core import Core
from sipengine.services.share import Share, call_id_of
from sipengine.sip.flow import Flow
from tests.services.conftest import person, registered
from tests.services.test_click_to_call import Heard, joined, news, sdp
from tests.services.test_own_transfers import replaces
from tests.services.user_agents import OutgoingCall, Phone
from tests.services.wire import DOMAIN, SECRET, Wire, snapshot

__all__ = ["news"]


class Steered(Wire):
    """The owner of two processes, with what each message of a call is said to be whose."""

    def __init__(self) -> None:
        self.readers = [Share(0, 2), Share(1, 2)]
        for reader in self.readers:
            reader.own_mark = b""
        self.whose: list[tuple[bytes, bytes, int]] = []
        super().__init__(snapshot([person(n) for n in ("1001", "1002", "1003")]), now=1000.0)

    def _boot(self, instance: str) -> Core:
        core = Core(
            self.config, self, secret=SECRET, instance=instance,
            listening=[("UDP", *self.server)], advertised=self.server, now=self.now,
            wall=self.wall, share=self.readers[0], media=self.media,
        )  # fmt: skip
        self.readers[1].own_mark = self.readers[0].own_mark
        return core

    def receive(self, data: bytes, flow: Flow) -> None:
        if not data.startswith(b"SIP/2.0"):
            first, second = (reader.of(data) for reader in self.readers)
            assert first == second
            self.whose.append((call_id_of(data), data.split()[0], first))
        super().receive(data, flow)


def taking(phone: Phone, extra: str, share: Share) -> OutgoingCall:
    """An INVITE with a Call-ID of the other process."""
    call = OutgoingCall(phone, f"sip:1002@{DOMAIN}", extra=extra, body=sdp(phone, 40010))
    call.call_id = next(
        made for n in count() if not share.is_mine(made := f"taking-{n}@{phone.host}")
    )
    call.send()
    call.authenticate()
    return call


def test_3891_3_all_that_belongs_to_it_comes_to_the_process_that_has_the_dialog(
    news: Heard,
) -> None:
    wire = Steered()
    alice, bob, carol = (
        registered(wire, f"100{n}", f"198.51.100.{n}") for n in (1, 2, 3)
    )  # fmt: skip
    call = joined(wire, news, alice, bob)
    wire.whose.clear()
    fresh = taking(carol, replaces(call.alice), wire.readers[0])
    bob.reply(bob.request("INVITE"), 200, "OK", extra=f"Contact: {bob.contact}",
              body=sdp(bob, 50002, 2))  # fmt: skip
    carol.inbox.extendleft([one for one in [carol.inbox.pop()] if one.status == 200])
    mine = fresh.answered()
    alice.reply(alice.request("BYE"), 200, "OK")
    mine.request("BYE")
    carol.inbox.clear()
    told = [(method, whose) for call_id, method, whose in wire.whose
            if call_id == fresh.call_id.encode()]  # fmt: skip
    assert told == [
        (b"INVITE", 0),
        (b"ACK", 0),  # of the 407, which has no tag of our agent
        (b"INVITE", 0),
        (b"ACK", 0),
        (b"BYE", 0),
    ]
    assert wire.row.result == "answered"
