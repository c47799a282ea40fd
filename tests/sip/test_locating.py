"""RFC 3263 §4 against zones written down here: each row a domain, what is called, and what is tried."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipengine.sip.locating import (
    MAX_SERVERS,
    Answer,
    Question,
    search,
)
from sipengine.sip.next_hop import Located, is_numeric, next_hop_of
from sipengine.sip.server_records import Dice, Naptr, Srv, by_priority, interleaved
from sipengine.sip.uri import parse_uri

BOTH = ("UDP", "TCP")
ALL = ("UDP", "TCP", "TLS")

Zone = dict[tuple[str, str], Answer]


def a(*addresses: str) -> Answer:
    return Answer(addresses=addresses)


def srv(*records: tuple[int, int, int, str]) -> Answer:
    return Answer(srv=tuple(Srv(*record) for record in records))


def naptr(*records: tuple[int, int, str, str]) -> Answer:
    return Answer(naptr=tuple(Naptr(o, p, "s", service, "", to) for o, p, service, to in records))


HOSTS: Zone = {
    ("one.example", "A"): a("192.0.2.1"),
    ("two.example", "A"): a("192.0.2.2"),
    ("three.example", "A"): a("192.0.2.3"),
    ("dual.example", "A"): a("192.0.2.4", "192.0.2.5"),
    ("dual.example", "AAAA"): a("2001:db8::4", "2001:db8::5"),
}


def located(
    uri: str,
    zone: Zone,
    *,
    supported: tuple[str, ...] = BOTH,
    kinds: tuple[str, ...] = ("A",),
    seed: str = "seed",
    asked: list[Question] | None = None,
) -> Located:
    """Run the search against a zone; a name that is not in it does not exist."""
    steps = search(next_hop_of(parse_uri(uri)), supported, kinds, Dice(seed))
    answers = None
    while True:
        try:
            questions = next(steps) if answers is None else steps.send(answers)
        except StopIteration as end:
            result = end.value
            assert isinstance(result, Located)
            return result
        assert questions, "a search that asks nothing must end"
        if asked is not None:
            asked += questions
        answers = [(HOSTS | zone).get((q.name, q.kind), Answer()) for q in questions]


def servers(uri: str, zone: Zone, **more: object) -> list[str]:
    found = located(uri, zone, **more)  # type: ignore[arg-type]
    return [f"{server.transport} {server.host} {server.port}" for server in found.servers]


NAPTRS = naptr(
    (50, 50, "SIPS+D2T", "_sips._tcp.d.example"),
    (90, 50, "SIP+D2T", "_sip._tcp.d.example"),
    (100, 50, "SIP+D2U", "_sip._udp.d.example"),
)
"""The example of RFC 3263 §4.1."""
SRVS: Zone = {
    ("_sips._tcp.d.example", "SRV"): srv((0, 1, 5061, "three.example")),
    ("_sip._tcp.d.example", "SRV"): srv((0, 1, 5070, "one.example"), (1, 1, 5071, "two.example")),
    ("_sip._udp.d.example", "SRV"): srv((0, 1, 5080, "two.example")),
}


class TestTransport:
    def test_3263_4_1_a_transport_parameter_decides(self) -> None:
        zone = {("d.example", "NAPTR"): NAPTRS, **SRVS}
        assert servers("sip:d.example;transport=udp", zone) == ["UDP 192.0.2.2 5080"]

    @pytest.mark.parametrize(
        ("uri", "tried"),
        [
            ("sip:192.0.2.9", "UDP 192.0.2.9 5060"),
            ("sip:192.0.2.9:5070", "UDP 192.0.2.9 5070"),
            ("sip:[2001:db8::9]", "UDP 2001:db8::9 5060"),
            ("sip:192.0.2.9;transport=tcp", "TCP 192.0.2.9 5060"),
            ("sips:192.0.2.9", "TLS 192.0.2.9 5061"),
            ("sips:192.0.2.9:5070", "TLS 192.0.2.9 5070"),
            ("sip:bob@elsewhere.example;maddr=192.0.2.9", "UDP 192.0.2.9 5060"),
        ],
    )
    def test_3263_4_1_a_numeric_target_asks_nobody(self, uri: str, tried: str) -> None:
        asked: list[Question] = []
        assert servers(uri, {}, supported=ALL, asked=asked) == [tried]
        assert asked == []

    @pytest.mark.parametrize(
        ("uri", "tried"),
        [
            ("sip:one.example:5090", "UDP 192.0.2.1 5090"),
            ("sip:one.example:5090;transport=tcp", "TCP 192.0.2.1 5090"),
            ("sips:one.example:5090", "TLS 192.0.2.1 5090"),
        ],
    )
    def test_3263_4_1_a_port_means_no_naptr_and_no_srv(self, uri: str, tried: str) -> None:
        asked: list[Question] = []
        assert servers(uri, {}, supported=ALL, asked=asked) == [tried]
        assert asked == [Question("one.example", "A")]

    def test_3263_4_1_naptr_chooses_the_most_preferred_transport_that_we_speak(self) -> None:
        zone = {("d.example", "NAPTR"): NAPTRS, **SRVS}
        assert servers("sip:d.example", zone) == ["TCP 192.0.2.1 5070", "TCP 192.0.2.2 5071"]
        assert servers("sip:d.example", zone, supported=ALL) == ["TLS 192.0.2.3 5061"]
        assert servers("sip:d.example", zone, supported=("UDP",)) == ["UDP 192.0.2.2 5080"]

    def test_3263_4_1_a_sips_uri_takes_sips_services_only(self) -> None:
        zone = {("d.example", "NAPTR"): NAPTRS, **SRVS}
        assert servers("sips:d.example", zone, supported=ALL) == ["TLS 192.0.2.3 5061"]

    def test_3263_4_1_of_one_order_the_preference_decides_and_the_rest_is_tried_after(
        self,
    ) -> None:
        records = naptr(
            (10, 20, "SIP+D2U", "_sip._udp.d.example"), (10, 10, "sip+d2t", "_sip._tcp.d.example")
        )
        assert servers("sip:d.example", {("d.example", "NAPTR"): records, **SRVS}) == [
            "TCP 192.0.2.1 5070",
            "TCP 192.0.2.2 5071",
            "UDP 192.0.2.2 5080",
        ]

    @pytest.mark.parametrize(
        "record",
        [
            Naptr(1, 1, "u", "E2U+sip", "!^.*$!sip:x@y!", ""),
            Naptr(1, 1, "s", "SIP+D2S", "", "_sip._sctp.d.example"),
            Naptr(1, 1, "a", "SIP+D2U", "", "one.example"),
            Naptr(1, 1, "s", "SIP+D2U", "!x!y!", "_sip._udp.d.example"),
            Naptr(1, 1, "s", "SIP+D2U", "", ""),
        ],
    )
    def test_3263_4_1_other_naptr_records_mean_nothing(self, record: Naptr) -> None:
        zone = {("d.example", "NAPTR"): Answer(naptr=(record,)), **SRVS}
        assert servers("sip:d.example", zone)[0] == "UDP 192.0.2.2 5080", "as if there were none"

    def test_3263_4_1_without_naptr_srv_is_asked_for_each_transport(self) -> None:
        asked: list[Question] = []
        tried = servers("sip:d.example", SRVS, asked=asked)
        assert [q.name for q in asked if q.kind == "SRV"] == [
            "_sip._udp.d.example",
            "_sip._tcp.d.example",
        ]
        assert tried == ["UDP 192.0.2.2 5080", "TCP 192.0.2.1 5070", "TCP 192.0.2.2 5071"]

    def test_3263_4_1_without_naptr_a_sips_uri_asks_for_sips_only(self) -> None:
        asked: list[Question] = []
        assert servers("sips:d.example", SRVS, supported=ALL, asked=asked) == ["TLS 192.0.2.3 5061"]
        assert [q.name for q in asked if q.kind == "SRV"] == ["_sips._tcp.d.example"]

    def test_3263_4_1_without_any_record_udp_or_for_sips_tls(self) -> None:
        assert servers("sip:one.example", {}) == ["UDP 192.0.2.1 5060"]
        assert servers("sips:one.example", {}, supported=ALL) == ["TLS 192.0.2.1 5061"]


class TestPortAndAddress:
    def test_3263_4_2_an_explicit_transport_without_srv_takes_the_address_and_the_usual_port(
        self,
    ) -> None:
        assert servers("sip:one.example;transport=tcp", {}) == ["TCP 192.0.2.1 5060"]

    def test_3263_4_2_priorities_in_order_whatever_the_weights(self) -> None:
        zone = {
            ("_sip._udp.d.example", "SRV"): srv(
                (20, 100, 1, "three.example"), (10, 0, 1, "two.example"), (5, 1, 1, "one.example")
            )
        }
        assert servers("sip:d.example;transport=udp", zone) == [
            "UDP 192.0.2.1 1",
            "UDP 192.0.2.2 1",
            "UDP 192.0.2.3 1",
        ]

    def test_7984_4_both_families_by_turns(self) -> None:
        zone = {
            ("_sip._udp.d.example", "SRV"): srv(
                (1, 1, 5060, "dual.example"), (2, 1, 5060, "one.example")
            )
        }
        tried = servers("sip:d.example;transport=udp", zone, kinds=("AAAA", "A"))
        assert [server.split()[1] for server in tried] == [
            "2001:db8::4",
            "192.0.2.4",
            "2001:db8::5",
            "192.0.2.5",
            "192.0.2.1",
        ]

    def test_7984_4_only_families_that_we_have_sockets_for(self) -> None:
        assert servers("sip:dual.example:5060", {}) == ["UDP 192.0.2.4 5060", "UDP 192.0.2.5 5060"]

    def test_3263_4_2_a_server_without_address_is_left_out(self) -> None:
        zone = {
            ("_sip._udp.d.example", "SRV"): srv(
                (1, 1, 1, "gone.example"), (2, 1, 1, "one.example"), (3, 1, 2, "192.0.2.7")
            )
        }
        assert servers("sip:d.example;transport=udp", zone) == [
            "UDP 192.0.2.1 1",
            "UDP 192.0.2.7 2",
        ]

    def test_2782_a_target_of_a_dot_means_no_service(self) -> None:
        zone = {
            ("_sip._udp.one.example", "SRV"): srv((0, 0, 0, "")),
            ("_sip._tcp.one.example", "SRV"): srv((0, 0, 0, "")),
        }
        found = located("sip:one.example", zone)
        assert found.servers == ()
        assert found.why == "one.example takes no calls"

    def test_the_name_of_the_domain_is_what_a_certificate_must_say_rfc5922_7_3(self) -> None:
        (server,) = located("sip:d.example;transport=udp", SRVS).servers
        assert server.name == "d.example"

    def test_why_no_server_was_found(self) -> None:
        assert located("sip:no.example", {}).why == "the name no.example could not be found"
        dead = {("no.example", "A"): Answer(failed=True)}
        assert (
            located("sip:no.example", dead).why
            == "the name no.example could not be looked up, no name server answered"
        )

    def test_questions_and_servers_have_limits(self) -> None:
        many = srv(*((1, 1, port, f"h{port}.example") for port in range(1, 200)))
        zone: Zone = {("_sip._udp.d.example", "SRV"): many} | {
            (f"h{n}.example", "A"): a(*(f"192.0.2.{i}" for i in range(200))) for n in range(1, 200)
        }
        asked: list[Question] = []
        found = located("sip:d.example", zone, asked=asked)
        assert len(found.servers) == MAX_SERVERS
        assert len(asked) == 1 + 2 + 16


class TestLots:
    def test_2782_of_equal_priority_servers_are_chosen_as_their_weights_say(self) -> None:
        records = [Srv(1, weight, 5060, f"w{weight}") for weight in (60, 30, 10)]
        first = Counter(by_priority(records, Dice(str(n)))[0].weight for n in range(20_000))
        for weight in (60, 30, 10):
            assert abs(first[weight] / 20_000 - weight / 100) < 0.015, first

    def test_2782_the_rest_is_drawn_by_weight_as_well(self) -> None:
        records = [Srv(1, weight, 5060, f"w{weight}") for weight in (60, 30, 10)]
        orders = [[r.weight for r in by_priority(records, Dice(str(n)))] for n in range(20_000)]
        second = Counter(order[1] for order in orders if order[0] == 60)
        assert abs(second[30] / second.total() - 0.75) < 0.02, second

    def test_2782_weight_0_is_chosen_rarely_but_not_never(self) -> None:
        records = [Srv(1, 0, 5060, "zero"), Srv(1, 9, 5060, "nine")]
        first = Counter(by_priority(records, Dice(str(n)))[0].target for n in range(20_000))
        assert 0.05 < first["zero"] / 20_000 < 0.15

    def test_2782_many_of_weight_0_all_come_up(self) -> None:
        records = [Srv(1, 0, 5060, name) for name in "abc"]
        assert len(by_priority(records, Dice("x"))) == 3

    def test_3263_4_4_one_seed_one_choice(self) -> None:
        records = [Srv(1, 1, port, "x.example") for port in range(10)]
        assert by_priority(records, Dice("call")) == by_priority(records[::-1], Dice("call"))
        assert len({tuple(by_priority(records, Dice(str(n)))) for n in range(20)}) > 1

    @settings(max_examples=300)
    @given(
        st.lists(
            st.builds(
                Srv,
                st.integers(0, 3),
                st.integers(0, 65535),
                st.integers(0, 65535),
                st.sampled_from(["a", "b", "c"]),
            ),
            max_size=12,
        ),
        st.text(),
    )
    def test_2782_every_record_once_and_priorities_never_mixed(
        self, records: list[Srv], seed: str
    ) -> None:
        ordered = by_priority(records, Dice(seed))
        assert Counter(ordered) == Counter(records)
        priorities = [record.priority for record in ordered]
        assert priorities == sorted(priorities)

    @given(st.lists(st.integers(0, 99).map(str)), st.lists(st.integers(100, 199).map(str)))
    def test_7984_4_interleaving_keeps_all_and_each_order(
        self, first: list[str], second: list[str]
    ) -> None:
        mixed = interleaved(first, second)
        assert [one for one in mixed if len(one) < 3] == first
        assert [one for one in mixed if len(one) == 3] == second
        if len(first) > 1 and len(second) > 1:
            assert [len(one) == 3 for one in mixed[:4]] == [False, True, False, True]


@given(st.text(max_size=30))
def test_numeric_is_address_like_and_never_a_name(text: str) -> None:
    assert is_numeric(f"x{text.replace(':', '')}") is False
    assert is_numeric("192.0.2.1")
    assert is_numeric("2001:db8::1")
