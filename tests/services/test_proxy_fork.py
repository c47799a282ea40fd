"""One call, many phones: forking and the response context (RFC 3261 §16.5 to §16.7)."""

from __future__ import annotations

import pytest

from sipengine.api import Rule
from tests.services.conftest import World, registered
from tests.services.user_agents import Phone
from tests.services.wire import DOMAIN, Wire
from tests.support.wire import parameter

ELSEWHERE = 'SIP;cause=200;text="Call completed elsewhere"'


@pytest.fixture
def phones(wire: Wire) -> list[Phone]:
    """Three phones of Bob."""
    return [registered(wire, "1002", f"198.51.100.{20 + at}") for at in range(3)]


class TestForking:
    def test_16_6_each_branch_has_its_own_branch_parameter_and_uri(
        self, alice: Phone, phones: list[Phone]
    ) -> None:
        alice.call("1002")
        invites = [phone.request("INVITE") for phone in phones]
        assert len({parameter(invite["Via"], "branch") for invite in invites}) == 3
        assert [invite.uri for invite in invites] == [p.contact.strip("<>") for p in phones]
        assert len({invite["Call-ID"] for invite in invites}) == 1

    def test_16_7_5_every_provisional_of_every_branch_goes_back(
        self, alice: Phone, phones: list[Phone]
    ) -> None:
        alice.call("1002")
        for phone in phones:
            phone.incoming().ring()
        assert len({alice.response(180).to_tag for _ in phones}) == 3

    def test_16_7_10_one_answers_and_the_others_stop_with_answered_elsewhere(
        self, alice: Phone, phones: list[Phone]
    ) -> None:
        call = alice.call("1002")
        incoming = [phone.incoming() for phone in phones]
        for one in incoming:
            one.ring()
        incoming[1].answer()
        for _ in phones:
            alice.response(180)
        call.answered()
        phones[1].request("ACK")
        for at in (0, 2):
            assert incoming[at].cancelled()["Reason"] == ELSEWHERE
        alice.nothing()

    def test_9_1_a_phone_that_never_answered_is_cancelled_when_it_does(
        self, alice: Phone, phones: list[Phone]
    ) -> None:
        """CANCEL must not be sent before a provisional response has come."""
        call = alice.call("1002")
        incoming = [phone.incoming() for phone in phones]
        incoming[0].answer()
        call.answered()
        phones[1].nothing()
        incoming[1].ring()
        assert incoming[1].cancelled()["Reason"] == ELSEWHERE
        alice.nothing()  # its 180 is of no interest any more

    def test_6026_two_2xx_both_reach_the_caller_and_both_get_their_ack(
        self, alice: Phone, phones: list[Phone]
    ) -> None:
        call = alice.call("1002")
        first, second, _ = (phone.incoming() for phone in phones)
        first.ring()
        second.ring()
        alice.inbox.clear()
        first.answer()
        second.send_ok()
        one, other = call.answered(), call.answered()
        assert {one.remote.rpartition("=")[2], other.remote.rpartition("=")[2]} == {
            first.tag, second.tag,
        }  # fmt: skip
        assert phones[0].request("ACK").to_tag == first.tag
        assert phones[1].request("CANCEL")
        assert phones[1].request("ACK").to_tag == second.tag
        other.request("BYE")
        bye = phones[1].request("BYE")
        assert bye.to_tag == second.tag
        phones[1].reply(bye, 200)
        alice.response(200)
        assert alice.wire.row.state == "talking"

    def test_6026_a_2xx_that_is_sent_again_goes_through_each_time(
        self, alice: Phone, bob: Phone
    ) -> None:
        call = alice.call("1002")
        incoming = bob.incoming()
        incoming.answer()
        incoming.send_ok()
        bob.wire.advance(31)
        incoming.send_ok()
        dialogs = [call.answered() for _ in range(3)]
        assert len({d.remote for d in dialogs}) == 1
        assert [bob.request("ACK").method for _ in range(3)] == ["ACK"] * 3

    def test_6026_a_2xx_after_timer_m_and_l_is_a_stray(self, alice: Phone, bob: Phone) -> None:
        call = alice.call("1002")
        incoming = bob.incoming()
        incoming.answer()
        call.answered()
        bob.wire.advance(33)
        incoming.send_ok()
        alice.nothing()
        assert bob.wire.transactions == 0

    def test_16_7_6_best_response_waits_for_all_branches(
        self, alice: Phone, phones: list[Phone]
    ) -> None:
        call = alice.call("1002")
        incoming = [phone.incoming() for phone in phones]
        incoming[0].reject(486, "Busy Here")
        incoming[1].reject(480, "Away")
        alice.nothing()
        incoming[2].reject(408, "Timeout")
        assert call.fails(486).start == "SIP/2.0 486 Busy Here"

    @pytest.mark.parametrize(
        ("statuses", "best"),
        [
            ((486, 480), 486),  # the first of a class
            ((500, 404), 404),  # the lowest class
            ((404, 302), 302),
            ((503, 500), 500),
            ((404, 484), 484),  # §16.7 step 6: those that tell the caller what to do
            ((486, 420), 420),
            ((408, 480), 480),
            ((404, 603), 603),  # 6xx before all
            ((503, 503), 500),  # step 6: a 503 says nothing about others
        ],
    )
    def test_16_7_6_which_response_is_best(
        self, wire: Wire, alice: Phone, statuses: tuple[int, int], best: int
    ) -> None:
        phones = [registered(wire, "1002", f"198.51.100.{20 + at}") for at in range(2)]
        call = alice.call("1002")
        incoming = [phone.incoming() for phone in phones]
        extra = "Contact: <sip:x@203.0.113.9>"
        for one, status in zip(incoming, statuses, strict=True):
            one.reject(status, extra=extra)
        call.fails(best)

    def test_16_7_5_6xx_cancels_the_others_and_waits_for_them(
        self, alice: Phone, phones: list[Phone]
    ) -> None:
        call = alice.call("1002")
        incoming = [phone.incoming() for phone in phones]
        incoming[1].ring()
        incoming[2].ring()
        alice.inbox.clear()
        incoming[0].reject(603, "Decline")
        incoming[1].cancelled()
        alice.nothing()
        incoming[2].cancelled()
        assert call.fails(603).start == "SIP/2.0 603 Decline"

    def test_16_7_5_a_2xx_after_a_6xx_still_wins(self, alice: Phone, phones: list[Phone]) -> None:
        call = alice.call("1002")
        incoming = [phone.incoming() for phone in phones]
        incoming[1].ring()
        alice.inbox.clear()
        incoming[0].reject(600, "Busy Everywhere")
        phones[1].request("CANCEL")
        incoming[1].send_ok()
        call.answered()
        assert phones[1].request("ACK")
        assert alice.wire.row.state == "talking"

    def test_16_7_7_challenges_of_all_branches_are_put_together(
        self, alice: Phone, phones: list[Phone]
    ) -> None:
        call = alice.call("1002")
        incoming = [phone.incoming() for phone in phones]
        incoming[0].reject(401, extra='WWW-Authenticate: Digest realm="a", nonce="1"')
        incoming[1].reject(407, extra='Proxy-Authenticate: Digest realm="b", nonce="2"')
        incoming[2].reject(401, extra='WWW-Authenticate: Digest realm="c", nonce="3"')
        response = call.fails(401)
        assert response.all("WWW-Authenticate") == [
            'Digest realm="a", nonce="1"', 'Digest realm="c", nonce="3"',
        ]  # fmt: skip
        assert response.all("Proxy-Authenticate") == ['Digest realm="b", nonce="2"']

    def test_16_7_7_a_challenge_with_other_fields_about_it_stays_whole(
        self, alice: Phone, bob: Phone
    ) -> None:
        call = alice.call("1002")
        bob.incoming().reject(
            401, extra='WWW-Authenticate: Digest realm="a", nonce="1"\nX-Last: here'
        )
        response = call.fails(401)
        assert response["X-Last"] == "here"
        assert response["Content-Length"] == "0"

    def test_broken_failures_are_dropped_and_the_call_can_still_be_answered(
        self, alice: Phone, bob: Phone
    ) -> None:
        """A phone may send 3xx and 4xx without the headers that every response has."""
        call = alice.call("1002")
        incoming = bob.incoming()
        vias = "".join(f"Via: {via}\n" for via in incoming.invite.all("Via"))
        for status in (302, 401, 407, 486, 503, 603):
            bob.send(f"SIP/2.0 {status} No\n{vias}Contact: <sip:x\nContent-Length: 0\n\n")
        alice.nothing()
        incoming.answer()
        call.answered()

    def test_group_of_extensions_rings_together(self, world: World) -> None:
        rule = Rule("team", DOMAIN, "1500", "forward", ("1002", "1003"), timeout=20)
        wire = world(rules=(rule,))
        alice = registered(wire, "1001", "198.51.100.1")
        bob = registered(wire, "1002", "198.51.100.2")
        carol = registered(wire, "1003", "198.51.100.3")
        call = alice.call("1500")
        theirs, hers = bob.incoming(), carol.incoming()
        theirs.ring()
        hers.answer()
        alice.response(180)
        call.answered()
        assert theirs.cancelled()["Reason"] == ELSEWHERE
        row = wire.row
        assert (row.answered_by, row.rule) == (f"1003@{DOMAIN}", "team")
        assert [(leg.target, leg.result) for leg in row.legs] == [
            (f"1002@{DOMAIN}", "elsewhere"), (f"1003@{DOMAIN}", "answered"),
        ]  # fmt: skip

    def test_5393_5_3_more_phones_than_max_breadth_do_not_ring(self, world: World) -> None:
        wire = world(e1002={"max_contacts": 100})
        alice = registered(wire, "1001", "198.51.100.1")
        phones = [registered(wire, "1002", f"198.51.101.{at}") for at in range(1, 66)]
        alice.call("1002")
        assert sum(bool(phone.inbox) for phone in phones) == 60

    def test_one_phone_with_two_registrations_rings_once_each(
        self, alice: Phone, phones: list[Phone]
    ) -> None:
        phones[0].register()  # a refresh makes no second branch
        alice.call("1002")
        phones[0].request("INVITE")
        phones[0].nothing()


def test_after_a_busy_fork_nothing_is_left(alice: Phone, phones: list[Phone]) -> None:
    call = alice.call("1002")
    for phone in phones:
        phone.incoming().reject(486)
    call.fails(486)
    alice.wire.advance(40)
    assert alice.wire.transactions == 0
    assert alice.wire.core.counters()["calls_now"] == 0
