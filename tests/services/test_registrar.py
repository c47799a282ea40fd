"""The registrar by the steps of RFC 3261 §10.3, with a clock that is told."""

from __future__ import annotations

import pytest

from sipengine.api import BindingRecord
from sipengine.services.binding import Binding
from sipengine.services.registrar import Registered
from sipengine.sip.flow import Flow
from tests.services.phones import ALICE, DOMAIN, LOCAL, Registrations, request

DESK = "<sip:1001@10.0.0.5:5060>"
SOFT = "<sip:1001@10.0.0.6:5062;transport=tcp>"
UUID = '"<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>"'


@pytest.fixture
def pbx() -> Registrations:
    return Registrations()


def only(pbx: Registrations) -> Binding:
    (binding,) = pbx.location.contacts(ALICE.aor, pbx.now)
    return binding


# ---------------------------------------------------------------------- adding and fetching


def test_new_contact_is_listed_and_waits_for_the_journal_10_3_8(pbx: Registrations) -> None:
    done = pbx.register(DESK, expires=600)
    assert (done.status, done.reason) == (200, "OK")
    assert done.lines == [f"Contact: {DESK};expires=600"]
    assert done.durable
    assert pbx.take_facts() == [f"+{DESK[1:-1]}"]


def test_everything_about_the_contact_is_recorded(pbx: Registrations) -> None:
    pbx.register(
        f"{DESK};q=0.7;expires=300;+sip.instance={UUID};reg-id=2",
        headers=("User-Agent: Desk 1.0", "Path: <sip:edge.test;lr>, <sip:inner.test;lr>"),
        flow=pbx.udp("203.0.113.9", 33000),
    )
    assert pbx.facts == [
        BindingRecord(
            aor=ALICE.aor,
            contact="sip:1001@10.0.0.5:5060",
            params=f";q=0.7;+sip.instance={UUID};reg-id=2",
            q=0.7,
            expires_at=pbx.wall + 300,
            call_id="call-1",
            cseq=1,
            path=["<sip:edge.test;lr>", "<sip:inner.test;lr>"],
            transport="UDP",
            received="203.0.113.9:33000",
            local="10.0.0.1:5060",
            user_agent="Desk 1.0",
            instance=UUID.strip('"'),
            reg_id=2,
            registered_at=pbx.wall,
            updated_at=pbx.wall,
        )
    ]


def test_no_contact_fetches_10_2_3(pbx: Registrations) -> None:
    assert pbx.register().lines == []
    pbx.register(DESK, expires=600)
    pbx.take_facts()
    pbx.now += 100
    fetched = pbx.register()
    assert fetched.status == 200
    assert fetched.lines == [f"Contact: {DESK};expires=500"]
    assert not fetched.durable
    assert pbx.take_facts() == []


def test_several_contacts_in_lines_and_lists_best_first_20_10(pbx: Registrations) -> None:
    done = pbx.register(
        f"{DESK};q=0.5", f"{SOFT}, <sip:1001@10.0.0.7>;q=0.8;expires=90", expires=600
    )
    assert done.lines == [
        f"Contact: {SOFT};expires=600",
        "Contact: <sip:1001@10.0.0.7>;q=0.8;expires=90",
        f"Contact: {DESK};q=0.5;expires=600",
    ]


def test_newest_first_among_equal_q_and_refreshes_change_no_order(pbx: Registrations) -> None:
    pbx.register(DESK)
    pbx.now += 1
    pbx.register(SOFT)
    pbx.now += 1
    pbx.register(DESK)
    assert pbx.contacts() == [SOFT[1:-1], DESK[1:-1]]


def test_another_q_reorders_and_is_durable(pbx: Registrations) -> None:
    pbx.register(DESK)
    pbx.now += 1
    pbx.register(SOFT)
    assert pbx.register(f"{SOFT};q=0.1").durable
    assert pbx.contacts() == [DESK[1:-1], SOFT[1:-1]]


# ---------------------------------------------------------------------- expiry


@pytest.mark.parametrize(
    ("contact", "header", "seconds"),
    [
        (DESK, None, 3600),  # §10.2.1.1: the default
        (DESK, 600, 600),
        (f"{DESK};expires=120", 600, 120),  # the parameter goes before the header
        (f"{DESK};expires=120", None, 120),
        (f"{DESK};expires=junk", 600, 3600),  # §10.2.1.1: malformed is 3600
        (DESK, 99999, 7200),  # ours to shorten, §10.3 step 7
        (f"{DESK};expires={'9' * 40}", None, 7200),
        (DESK, 60, 60),
    ],
)
def test_expiry_10_3_7(pbx: Registrations, contact: str, header: int | None, seconds: int) -> None:
    assert pbx.register(contact, expires=header).lines == [f"Contact: {DESK};expires={seconds}"]
    assert pbx.facts[0].expires_at == pbx.wall + seconds  # type: ignore[union-attr]


@pytest.mark.parametrize("expires", [1, 59])
def test_too_brief_is_423_with_the_least_and_changes_nothing_10_2_8(
    pbx: Registrations, expires: int
) -> None:
    done = pbx.register(SOFT, f"{DESK};expires={expires}")
    assert (done.status, done.lines) == (423, ["Min-Expires: 60"])
    assert pbx.contacts() == []
    assert pbx.take_facts() == []


def test_expired_contacts_are_gone_from_answers_at_once(pbx: Registrations) -> None:
    pbx.register(DESK, expires=60)
    pbx.now += 60
    assert pbx.register().lines == []
    pbx.take_facts()
    assert pbx.register(DESK, expires=60, call_id="call-2").durable
    assert pbx.take_facts() == [f"-{DESK[1:-1]} expired", f"+{DESK[1:-1]}"], "in this order"
    pbx.location.expire(pbx.now, pbx.wall)
    assert pbx.contacts() == [DESK[1:-1]]


# ---------------------------------------------------------------------- refreshing


def test_refresh_moves_the_expiry_and_does_not_wait(pbx: Registrations) -> None:
    pbx.register(DESK, expires=600)
    pbx.take_facts()
    pbx.now += 300
    done = pbx.register(DESK, expires=600)
    assert done.lines == [f"Contact: {DESK};expires=600"]
    assert not done.durable
    assert len(pbx.facts) == 1
    assert pbx.facts[0].expires_at == pbx.wall + 600  # type: ignore[union-attr]
    assert pbx.facts[0].registered_at == pbx.wall - 300  # type: ignore[union-attr]


def test_contact_from_another_address_has_moved_and_waits(pbx: Registrations) -> None:
    pbx.register(DESK)
    assert pbx.register(DESK, flow=pbx.udp(port=33000)).durable
    assert only(pbx).received == "10.0.0.5:33000"
    assert not pbx.register(DESK, flow=pbx.udp(port=33000)).durable
    assert pbx.register(DESK, flow=pbx.tcp()).durable
    assert only(pbx).transport == "TCP"


@pytest.mark.parametrize(
    "same",
    [
        "<sip:1001@10.0.0.5:5060>",
        "sip:1001@10.0.0.5:5060",
        '"Alice" <sip:1001@10.0.0.5:5060>',
        "<SIP:1001@10.0.0.5:5060>",
        "<sip:%31001@10.0.0.5:5060>",
        "<sip:1001@10.0.0.5:5060;newparam=5>",
    ],
)
def test_equal_uri_is_the_same_contact_19_1_4(pbx: Registrations, same: str) -> None:
    pbx.register(DESK)
    assert len(pbx.register(same).lines) == 1


@pytest.mark.parametrize(
    "other",
    [
        "<sip:1001@10.0.0.5>",
        "<sip:1001@10.0.0.5:5061>",
        "<sip:1001@10.0.0.5:5060;transport=tcp>",
        "<sip:1OO1@10.0.0.5:5060>",
    ],
)
def test_different_uri_is_another_contact_19_1_4(pbx: Registrations, other: str) -> None:
    pbx.register(DESK)
    assert len(pbx.register(other).lines) == 2


def test_same_contact_in_other_spelling_replaces_its_row(pbx: Registrations) -> None:
    pbx.register(DESK)
    pbx.take_facts()
    assert pbx.register("<SIP:1001@10.0.0.5:5060>").durable
    assert pbx.take_facts() == ["-sip:1001@10.0.0.5:5060 replaced", "+SIP:1001@10.0.0.5:5060"]


# ---------------------------------------------------------------------- order of requests


def test_older_cseq_of_the_same_call_id_fails_10_3_7(pbx: Registrations) -> None:
    pbx.send(request(f"Contact: {DESK}", cseq=5))
    pbx.take_facts()
    late = pbx.send(request(f"Contact: {SOFT}", f"Contact: {DESK}", "Expires: 0", cseq=4))
    assert late.status == 500
    assert pbx.contacts() == [DESK[1:-1]]
    assert pbx.take_facts() == []


def test_another_call_id_starts_its_own_order_10_3_7(pbx: Registrations) -> None:
    pbx.send(request(f"Contact: {DESK}", cseq=5))
    assert pbx.send(request(f"Contact: {DESK}", cseq=1, call_id="call-2")).status == 200


def test_retransmission_is_answered_alike_and_waits_alike(pbx: Registrations) -> None:
    message = request(f"Contact: {DESK}", "Expires: 600")
    first = pbx.send(message)
    pbx.take_facts()
    again = pbx.send(message)
    assert (again.status, again.lines, again.durable) == (200, first.lines, True)
    assert pbx.take_facts() == []


def test_retransmitted_removal_is_answered_alike(pbx: Registrations) -> None:
    pbx.register(DESK)
    message = request("Contact: *", "Expires: 0", cseq=2)
    assert pbx.send(message).lines == pbx.send(message).lines == []


# ---------------------------------------------------------------------- removing


def test_expires_zero_removes_and_waits_10_2_2(pbx: Registrations) -> None:
    pbx.register(DESK, SOFT)
    pbx.take_facts()
    done = pbx.register(f"{DESK};expires=0")
    assert done.lines == [f"Contact: {SOFT};expires=3600"]
    assert done.durable
    assert pbx.take_facts() == ["-sip:1001@10.0.0.5:5060 removed"]


def test_removing_what_is_not_there_is_ok(pbx: Registrations) -> None:
    assert pbx.register(DESK, expires=0).status == 200
    assert pbx.contacts() == []


def test_star_with_expires_zero_removes_all_10_3_6(pbx: Registrations) -> None:
    pbx.register(DESK, SOFT)
    pbx.take_facts()
    done = pbx.register("*", expires=0, call_id="call-2")
    assert (done.status, done.lines, done.durable) == (200, [], True)
    assert sorted(pbx.take_facts()) == [f"-{c[1:-1]} removed" for c in sorted((DESK, SOFT))]


@pytest.mark.parametrize(
    ("contacts", "expires"),
    [(["*"], None), (["*"], 3600), (["*", DESK], 0), ([DESK, "*"], 0), (["*", "*"], 0)],
)
def test_star_in_any_other_way_is_400_10_3_6(
    pbx: Registrations, contacts: list[str], expires: int | None
) -> None:
    pbx.register(DESK)
    assert pbx.register(*contacts, expires=expires).status == 400
    assert pbx.contacts() == [DESK[1:-1]]


@pytest.mark.parametrize("cseq", [4, 5])
def test_star_out_of_order_fails_wholly_10_3_6(pbx: Registrations, cseq: int) -> None:
    pbx.send(request(f"Contact: {SOFT}", cseq=9, call_id="call-2"))
    pbx.send(request(f"Contact: {DESK}", cseq=5))
    assert pbx.send(request("Contact: *", "Expires: 0", cseq=cseq)).status == 500
    assert len(pbx.contacts()) == 2


# ---------------------------------------------------------------------- whose, and how many


@pytest.mark.parametrize(
    ("to", "status"),
    [
        (f"<sip:1001@{DOMAIN}>", 200),
        (f"sip:1001@{DOMAIN}", 200),
        (f'"A <b>" <sip:1001@{DOMAIN}>', 200),
        (f"<sip:%31001@{DOMAIN.upper()};user=phone>", 200),
        ("<sip:1001@10.0.0.1:5060>", 200),  # the listening address stands for the domain
        (f"<sip:1002@{DOMAIN}>", 403),  # §10.3 step 4
        ("<sip:1001@elsewhere.test>", 404),  # §10.3 step 5
        (f"<sip:{DOMAIN}>", 404),
        ("<tel:1001>", 416),
        ("junk", 400),
    ],
)
def test_to_is_the_users_own_aor_10_3(pbx: Registrations, to: str, status: int) -> None:
    assert pbx.send(request(f"Contact: {DESK}", to=to)).status == status
    assert len(pbx.location) == (status == 200)


def test_who_cannot_be_reached_any_more_makes_room_the_longest_lost_first(
    pbx: Registrations,
) -> None:
    """Browsers that were closed without a word: each left a contact at a WebSocket that is no more."""
    ways = [Flow("WS", LOCAL, ("203.0.113.9", 40000 + n)) for n in range(6)]

    def page(number: int) -> Registered:
        contact = f'<sip:page{number}@x.invalid;transport=ws>;+sip.instance="<urn:uuid:{number}>"'
        return pbx.register(contact, flow=ways[number], call_id=f"page-{number}")

    assert [page(n).status for n in range(4)] == [200, 200, 200, 403]
    for number in (1, 0):
        pbx.now += 1
        ways[number].open = False
        pbx.location.flow_closed(ways[number], pbx.now)
    assert page(3).status == 200
    assert pbx.contacts() == [f"sip:page{n}@x.invalid;transport=ws" for n in (3, 2, 0)]
    assert page(4).status == 200
    assert page(5).status == 403
    assert pbx.contacts() == [f"sip:page{n}@x.invalid;transport=ws" for n in (4, 3, 2)]


def test_one_more_than_max_contacts_is_403_and_the_others_stay(pbx: Registrations) -> None:
    for port in (1, 2, 3):
        assert pbx.register(f"<sip:1001@10.0.0.5:{port}>").status == 200
    pbx.take_facts()
    refused = pbx.register("<sip:1001@10.0.0.5:4>")
    assert (refused.status, refused.reason) == (403, "Forbidden: at most 3 contacts at once")
    assert pbx.take_facts() == []
    assert pbx.register("<sip:1001@10.0.0.5:3>").status == 200, "a refresh is none more"
    swap = pbx.register("<sip:1001@10.0.0.5:3>;expires=0", "<sip:1001@10.0.0.5:4>")
    assert swap.status == 200
    assert len(swap.lines) == 3


# ---------------------------------------------------------------------- the same phone again


def test_same_instance_at_another_port_replaces_rfc5626_6(pbx: Registrations) -> None:
    pbx.register(f"<sip:1001@10.0.0.5:1>;+sip.instance={UUID}")
    pbx.take_facts()
    done = pbx.register(f"<sip:1001@10.0.0.5:2>;+sip.instance={UUID}", call_id="after reboot")
    assert len(done.lines) == 1
    assert pbx.take_facts() == ["-sip:1001@10.0.0.5:1 replaced", "+sip:1001@10.0.0.5:2"]


def test_another_reg_id_is_another_flow_of_the_phone_rfc5626_4_2(pbx: Registrations) -> None:
    pbx.register(f"<sip:1001@10.0.0.5:1>;+sip.instance={UUID};reg-id=1")
    assert len(pbx.register(f"<sip:1001@10.0.0.5:2>;+sip.instance={UUID};reg-id=2").lines) == 2


def test_two_contacts_of_one_instance_in_one_request_both_stand(pbx: Registrations) -> None:
    both = [f"<sip:1001@10.0.0.5:{port}>;+sip.instance={UUID}" for port in (1, 2)]
    assert len(pbx.register(both[0]).lines) == 1
    assert len(pbx.register(*both).lines) == 2
    assert len(pbx.register(*both).lines) == 2
    pbx.register("*", expires=0)
    assert len(pbx.register(*both).lines) == 2


def test_removing_an_old_contact_does_not_touch_its_successor(pbx: Registrations) -> None:
    """After a change of address some phones register the new contact, then remove the old one."""
    pbx.register(f"<sip:1001@10.0.0.5:1>;+sip.instance={UUID}")
    pbx.register(f"<sip:1001@10.0.0.5:2>;+sip.instance={UUID}")
    pbx.register(f"<sip:1001@10.0.0.5:1>;+sip.instance={UUID}", expires=0)
    assert pbx.contacts() == ["sip:1001@10.0.0.5:2"]


def test_late_request_of_a_phone_that_moved_fails(pbx: Registrations) -> None:
    old, new = (f"Contact: <sip:1001@10.0.0.5:{port}>;+sip.instance={UUID}" for port in (1, 2))
    pbx.send(request(new, cseq=2))
    assert pbx.send(request(old, cseq=1)).status == 500
    assert pbx.contacts() == ["sip:1001@10.0.0.5:2"]


def test_reconnected_phone_without_instance_replaces_its_dead_contact(pbx: Registrations) -> None:
    agent = ("User-Agent: Old Desk",)
    first = pbx.tcp(port=40001)
    pbx.register("<sip:1001@10.0.0.5:40001;transport=tcp>", flow=first, headers=agent)
    pbx.register("<sip:1001@10.0.0.5:40002;transport=tcp>", flow=pbx.tcp(port=40002), headers=agent)
    assert len(pbx.contacts()) == 2, "both connections stand: two phones"
    first.open = False
    pbx.location.flow_closed(first, pbx.now)
    pbx.register("<sip:1001@10.0.0.5:40003;transport=tcp>", flow=pbx.tcp(port=40003), headers=agent)
    assert sorted(pbx.contacts()) == [
        f"sip:1001@10.0.0.5:{port};transport=tcp" for port in (40002, 40003)
    ]


# ---------------------------------------------------------------------- Path


def test_path_is_kept_and_said_to_who_supports_it_rfc3327_5_3(pbx: Registrations) -> None:
    path = "Path: <sip:edge.test;lr>"
    done = pbx.register(DESK, headers=(path, "Supported: outbound, Path"))
    assert done.lines[1:] == [path]
    assert only(pbx).path == ("<sip:edge.test;lr>",)
    assert pbx.register(DESK, headers=(path,)).lines == [f"Contact: {DESK};expires=3600"]
    assert pbx.register(DESK).durable, "the path has gone"
    assert only(pbx).path == ()


# ---------------------------------------------------------------------- storing failed


def test_contact_that_could_not_be_stored_waits_again(pbx: Registrations) -> None:
    pbx.register(DESK)
    lost = list(pbx.facts)
    pbx.facts.clear()
    pbx.location.lost(lost)
    assert pbx.register(DESK).durable
    assert not pbx.register(DESK).durable


def test_removal_that_could_not_be_stored_is_told_again(pbx: Registrations) -> None:
    pbx.register(DESK, SOFT)
    pbx.take_facts()
    pbx.register(DESK, SOFT, expires=0)
    lost = list(pbx.facts)
    pbx.facts.clear()
    pbx.register(SOFT)
    pbx.facts.clear()
    pbx.location.lost(lost)
    assert pbx.take_facts() == ["-sip:1001@10.0.0.5:5060 removed"], "the other is there again"
