"""The copy of the bindings that processes have with which no phone registers: always as the owner's."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from sipengine.api import BindingGone
from sipengine.services.binding import Binding
from sipengine.services.replica import Replica
from sipengine.sip.flow import Flow
from tests.services.phones import ALICE, FlowsWithoutSockets, Registrations


class Arrivals:
    """`location_ports.Callers`: remembers who came."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, Flow | None]] = []

    def on_arrival(self, binding: Binding, old_contact: str, now: float) -> None:
        self.seen.append((binding.contact, old_contact, binding.former))


class Copied(Registrations):
    """A registrar whose bindings a replica follows; both meet the same flows."""

    def __init__(self) -> None:
        super().__init__()
        self.replica = Replica(self.flows)
        self.location.follower = self
        self.arrivals, self.copied_arrivals = Arrivals(), Arrivals()
        self.location.connect(callers=self.arrivals)
        self.replica.connect(callers=self.copied_arrivals)
        self.joined = True

    def binding_there(self, binding: Binding, earlier: str, now: float) -> None:
        if self.joined:
            self.tell(binding, earlier)

    def binding_gone(self, gone: BindingGone) -> None:
        if self.joined:
            self.replica.end(gone)

    def tell(self, binding: Binding, earlier: str) -> None:
        record = binding.record(self.now, self.wall)
        self.replica.take(record, binding.flow, binding.page, earlier, self.now, self.wall)

    def join(self) -> None:
        """Tell everything, as to a worker that has just come (back)."""
        self.joined = True
        self.replica.begin_anew()
        for aor in self.location.aors:
            for binding in self.location.bindings_of(aor):
                self.tell(binding, "")
        self.replica.all_told()

    def lose(self, flow: Flow) -> None:
        flow.open = False
        self.location.flow_closed(flow, self.now)
        self.replica.flow_closed(flow, self.now)

    def seen(self, location: object) -> list[tuple[object, ...]]:
        """What a caller finds."""
        assert isinstance(location, type(self.location))
        return [
            (
                b.contact, b.q, b.params, b.path, b.instance, b.reg_id, b.page, b.flow, b.transport,
                b.received, b.local, b.user_agent, round(b.expires, 3), b.unreachable_since,
                location.target_flow(b), location.is_behind_nat(b),
                location.binding_for_contact(b.contact) is b,
            )
            for b in location.contacts(ALICE.aor, self.now)
        ]  # fmt: skip

    def check(self) -> None:
        assert self.seen(self.replica) == self.seen(self.location)
        assert len(self.replica) == len(self.location)
        assert self.copied_arrivals.seen == self.arrivals.seen


CONTACTS = st.sampled_from(
    [
        "<sip:1001@10.0.0.5>",
        "<sip:1001@10.0.0.5>;q=0.3",
        "<sip:1001@192.168.1.5:5062>",
        "<sip:1001@10.0.0.6:5070>;q=0.9",
        '<sip:1001@10.0.0.7>;+sip.instance="<urn:uuid:1>";reg-id=1',
        '<sip:1001@10.0.0.8>;+sip.instance="<urn:uuid:1>";reg-id=1',
        '<sip:1001@10.0.0.8:5080>;+sip.instance="<urn:uuid:2>"',
    ]
)
STEPS = st.one_of(
    st.tuples(st.just("register"), CONTACTS, st.integers(0, 4)),
    st.tuples(st.just("remove"), CONTACTS, st.integers(0, 4)),
    st.tuples(st.just("lose"), st.integers(2, 4)),
    st.tuples(st.just("wait"), st.sampled_from([1.0, 50.0, 400.0])),
    st.tuples(st.just("unreachable")),
    st.tuples(st.just("away")),
    st.tuples(st.just("join")),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(STEPS, max_size=14))
def test_the_copy_is_as_the_original_after_any_steps(steps: list[tuple[object, ...]]) -> None:
    pbx = Copied()
    ways: list[Flow] = [
        pbx.udp(),
        pbx.udp("203.0.113.9", 33000),
        pbx.tcp(),
        pbx.tcp(port=40001),
        pbx.tcp(port=40002),
    ]

    def way(number: object) -> Flow:
        assert isinstance(number, int)
        if not ways[number].open:
            ways[number] = pbx.tcp(port=50000 + number)
        return ways[number]

    for step in steps:
        pbx.now += 1.0  # no two at one moment: the order among those is by chance
        match step:
            case ("register", str(contact), number):
                pbx.register(contact, expires=300, flow=way(number))
            case ("remove", str(contact), number):
                pbx.register(contact, expires=0, flow=way(number))
            case ("lose", int(number)):
                pbx.lose(ways[number])
            case ("wait", float(seconds)):
                pbx.now += seconds
                pbx.location.expire(pbx.now, pbx.wall)
            case ("unreachable",):
                for binding in pbx.location.contacts(ALICE.aor, pbx.now)[:1]:
                    pbx.location.mark(binding, pbx.wall, pbx.now, pbx.wall)
            case ("away",):
                pbx.joined = False
                pbx.replica.connect()  # whoever comes meanwhile is not told
                pbx.location.connect()
            case _:
                pbx.join()
        if pbx.joined:
            pbx.check()
    pbx.join()
    pbx.check()


def test_a_phone_that_is_waited_for_is_told_of() -> None:
    pbx = Copied()
    contact = '<sip:1001@10.0.0.5>;+sip.instance="<urn:uuid:1>";reg-id=1'
    first = pbx.tcp()
    pbx.register(contact, flow=first)
    first.clients.add(Nobody())  # somebody calls it
    pbx.lose(first)
    pbx.register(contact, flow=pbx.tcp(port=40001))
    pbx.check()
    assert [told[2] for told in pbx.copied_arrivals.seen] == [first]


class Nobody:
    def fail(self, now: float) -> None:
        """Nothing hangs on it."""


def test_what_the_owner_alone_does_changes_nothing() -> None:
    """Expiry, new passwords, extensions that are gone: the owner ends those bindings and tells it."""
    pbx = Copied()
    pbx.register("<sip:1001@10.0.0.5>", expires=60)
    replica = pbx.replica
    before = pbx.seen(replica)
    replica.remove(replica.contacts(ALICE.aor, pbx.now)[0], "removed", pbx.wall)
    replica.end_all_but({}, pbx.now)
    replica.expire(pbx.now + 1000, pbx.wall + 1000)
    replica.store_anew(pbx.now, pbx.wall)
    replica.lost([fact for fact in pbx.facts])
    assert replica.next_expiry() is None
    assert pbx.seen(replica) == before
    assert not replica._facts


def test_a_binding_that_is_past_its_time_is_not_called_while_the_owner_is_away() -> None:
    pbx = Copied()
    pbx.register("<sip:1001@10.0.0.5>", expires=60)
    assert pbx.replica.contacts(ALICE.aor, pbx.now + 61) == ()


def test_the_end_of_a_binding_that_is_not_known_is_nothing() -> None:
    replica = Replica(FlowsWithoutSockets())
    replica.end(BindingGone(ALICE.aor, "sip:1001@10.0.0.5", "removed", 0.0, "", 0))
    assert len(replica) == 0
