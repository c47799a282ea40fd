"""GRUUs (RFC 5627): one address for one phone, and nobody learns whose from a temporary one."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sipengine.services.gruu import TEMPORARY, Gruus
from sipengine.services.responsibility import Responsibility
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.uri import parse_uri
from tests.services.conftest import registered
from tests.services.phones import LOCAL, SNAPSHOT, Registrations
from tests.services.user_agents import Dialog, Phone
from tests.services.wire import Wire

UUID = "urn:uuid:00000000-0000-1000-8000-000a95a0e128"
INSTANCE = f'+sip.instance="<{UUID}>"'
CONTACT = "<sip:1001@10.0.0.5:5060>"
WANTED = ("Supported: gruu",)


@pytest.fixture
def pbx() -> Registrations:
    return Registrations()


def gruus_of(line: str) -> tuple[str, str]:
    public = re.search(r'pub-gruu="([^"]*)"', line)
    temporary = re.search(r'temp-gruu="([^"]*)"', line)
    assert public, line
    assert temporary, line
    return public[1], temporary[1]


# ---------------------------------------------------------------------- minted


def test_rfc5627_5_1_a_phone_that_asks_is_given_both(pbx: Registrations) -> None:
    done = pbx.register(f"{CONTACT};{INSTANCE}", headers=WANTED)
    public, temporary = gruus_of(done.lines[0])
    assert public == f"sip:1001@pbx.test;gr={UUID}"
    assert temporary.startswith(f"sip:{TEMPORARY}")
    assert temporary.endswith("@pbx.test;gr")
    assert "1001" not in temporary
    assert "a95a0e128" not in temporary


def test_rfc5627_5_1_each_refresh_gives_another_temporary_one(pbx: Registrations) -> None:
    seen = set()
    for _ in range(3):
        pbx.now += 30
        seen.add(gruus_of(pbx.register(f"{CONTACT};{INSTANCE}", headers=WANTED).lines[0])[1])
    assert len(seen) == 3


@pytest.mark.parametrize(("contact", "headers"), [(CONTACT, WANTED), (f"{CONTACT};{INSTANCE}", ())])
def test_rfc5627_5_1_none_without_instance_or_without_asking(
    pbx: Registrations, contact: str, headers: tuple[str, ...]
) -> None:
    assert "gruu" not in pbx.register(contact, headers=headers).lines[0]


def test_rfc5627_5_1_those_that_a_phone_sends_back_are_not_kept(pbx: Registrations) -> None:
    given_back = f'{CONTACT};pub-gruu="sip:x;gr";{INSTANCE};temp-gruu="sip:y;gr"'
    assert pbx.register(given_back).lines == [f"Contact: {CONTACT};{INSTANCE};expires=3600"]


def test_rfc5627_5_1_a_contact_that_is_a_gruu_of_ours_is_403(pbx: Registrations) -> None:
    done = pbx.register(f"<sip:1001@pbx.test;gr={UUID}>;{INSTANCE}")
    assert done.status == 403


@given(
    instance=st.text(st.characters(min_codepoint=33, max_codepoint=255), min_size=1, max_size=60),
    reg=st.floats(0, 4e9),
)
def test_rfc5627_any_instance_comes_back_from_a_temporary_gruu(instance: str, reg: float) -> None:
    pbx = Registrations()
    pbx.register(f'{CONTACT};+sip.instance="<urn:uuid:x>"')
    (binding,) = pbx.location.contacts("1001@pbx.test", pbx.now)
    assume(instance.strip("<>"))
    binding.instance = f"<{instance.strip('<>')}>"
    binding.registered_at = reg
    found = gruus_of(pbx.gruus.parameters(binding, reg + 0.5))
    assert pbx.gruus.named_by(parse_uri(found[1]), pbx.now) == ("1001@pbx.test", binding.instance)


@given(at=st.integers(0, 60), letter=st.sampled_from("Ab0_"))
def test_rfc5627_a_temporary_gruu_with_a_changed_character_names_nobody(
    at: int, letter: str
) -> None:
    pbx = Registrations()
    line = pbx.register(f"{CONTACT};{INSTANCE}", headers=WANTED).lines[0]
    head, _, tail = gruus_of(line)[1].partition(TEMPORARY)
    if tail[at] == letter:
        return
    changed = f"{head}{TEMPORARY}{tail[:at]}{letter}{tail[at + 1 :]}"
    with pytest.raises(RemoteProtocolError) as refused:
        pbx.gruus.named_by(parse_uri(changed), pbx.now)
    assert refused.value.status == 404


# ---------------------------------------------------------------------- used


class Desk:
    """Bob's two phones; the one with an instance asks for GRUUs."""

    def __init__(self, wire: Wire) -> None:
        self.other = registered(wire, "1002", "198.51.100.9")
        self.phone = Phone(wire, "1002", "203.0.113.2", 31002, contact_host="10.0.0.2")
        self.register()

    def register(self, **more: object) -> None:
        answer = self.phone.register(
            contact=f"{self.phone.contact};{INSTANCE}",
            extra="Supported: gruu\n",
            **more,  # type: ignore[arg-type]
        )
        assert answer.status == 200
        for line in answer.all("Contact"):
            if "gruu" in line:
                self.public, self.temporary = gruus_of(line)


@pytest.fixture
def bobs(wire: Wire) -> Desk:
    return Desk(wire)


@pytest.mark.parametrize("kind", ["public", "temporary"])
def test_rfc5627_6_1_a_call_to_a_gruu_rings_that_phone_alone(
    wire: Wire, alice: Phone, bobs: Desk, kind: str
) -> None:
    call = alice.call(getattr(bobs, kind))
    incoming = bobs.phone.incoming()
    assert incoming.invite.uri == bobs.phone.contact.strip("<>")
    bobs.other.nothing()
    incoming.answer()
    call.answered()
    assert "GRUU" in " ".join(wire.row.decision)


def test_rfc5627_6_1_other_requests_too(wire: Wire, alice: Phone, bobs: Desk) -> None:
    alice.authenticated("MESSAGE", bobs.temporary)
    bobs.phone.reply(bobs.phone.request("MESSAGE"), 200)
    alice.response(200)
    bobs.other.nothing()


def test_rfc5627_6_1_a_public_one_of_a_phone_that_is_not_registered_is_480(
    alice: Phone, bobs: Desk
) -> None:
    alice.call(bobs.public.replace("e128", "e129")).fails(480)
    bobs.register(expires=0)
    alice.call(bobs.public).fails(480)


@pytest.mark.parametrize(
    "uri",
    [
        f"sip:1999@pbx.test;gr={UUID}",
        "sip:1002@pbx.test;gr",
        "sip:tgruu.AAAA@pbx.test;gr",
        "sip:tgruu.@pbx.test;gr",
        "sip:tgruu.%ff@pbx.test;gr",
        f"sip:tgruu.{'A' * 900}@pbx.test;gr",
    ],
)
def test_rfc5627_6_1_one_that_was_never_minted_is_404(alice: Phone, bobs: Desk, uri: str) -> None:
    call = alice.call(uri)
    assert alice.response(404)["CSeq"] == f"{call.cseq} INVITE"
    bobs.phone.nothing()


def test_rfc5627_3_1_2_a_temporary_one_ends_with_its_registration(alice: Phone, bobs: Desk) -> None:
    before = bobs.temporary
    bobs.register()
    alice.call(before)
    bobs.phone.incoming().reject(486)
    bobs.register(expires=0)
    bobs.phone.wire.advance(1)
    bobs.register()
    alice.inbox.clear()
    alice.call(before).fails(404)


def test_rfc5627_3_1_2_and_when_the_phone_comes_with_another_call_id(
    wire: Wire, alice: Phone, bobs: Desk
) -> None:
    before = bobs.temporary
    bobs.phone.reconnect(31999)  # this phone makes its Call-ID of its port
    bobs.register()
    alice.call(before).fails(404)
    alice.call(bobs.temporary)
    bobs.phone.incoming()


def test_rfc5627_both_outlive_a_restart(wire: Wire, alice: Phone, bobs: Desk) -> None:
    wire.restart()
    for uri in (bobs.public, bobs.temporary):
        alice.call(uri)
        bobs.phone.incoming()
        alice.inbox.clear()


def talk_to_gruu(alice: Phone, bobs: Desk) -> tuple[Dialog, Dialog]:
    """A call whose called phone gives its GRUU as Contact (RFC 5627 §4.4)."""
    call = alice.call("1002")
    bobs.other.inbox.clear()
    incoming = bobs.phone.incoming()
    body = "v=0\r\n"
    contact = f"Contact: <{bobs.public}>"
    bobs.phone.reply(incoming.invite, 200, "OK", tag=incoming.tag, extra=contact, body=body)
    mine = call.answered()
    bobs.phone.request("ACK")
    return mine, incoming.dialog()


def test_rfc5627_4_4_a_gruu_as_remote_target_reaches_the_phone_of_the_dialog(
    wire: Wire, alice: Phone, bobs: Desk
) -> None:
    mine, _ = talk_to_gruu(alice, bobs)
    assert mine.target == bobs.public
    mine.request("INFO")
    info = bobs.phone.request("INFO")
    assert info.uri == bobs.phone.contact.strip("<>")
    bobs.phone.reply(info, 200)
    alice.response(200)


def test_rfc5627_4_4_also_after_a_restart_and_after_a_move(
    wire: Wire, alice: Phone, bobs: Desk
) -> None:
    mine, _ = talk_to_gruu(alice, bobs)
    wire.restart()
    wire.detach(bobs.phone.flow)
    bobs.phone.reconnect(31999)
    bobs.register()
    mine.request("BYE")
    bobs.phone.reply(bobs.phone.request("BYE"), 200)
    alice.response(200)


def test_rfc5627_4_4_a_phone_that_unregistered_in_mid_call_still_hears_of_its_end(
    wire: Wire, alice: Phone, bobs: Desk
) -> None:
    mine, _ = talk_to_gruu(alice, bobs)
    bobs.register(expires=0)
    mine.request("BYE")
    assert bobs.phone.request("BYE").uri == bobs.public


def test_gruus_of_another_secret_are_not_ours(pbx: Registrations) -> None:
    responsibility = Responsibility([("UDP", *LOCAL)], LOCAL)
    responsibility.set_config(SNAPSHOT)
    others = Gruus(b"another secret of ours", pbx.location, responsibility)
    line = pbx.register(f"{CONTACT};{INSTANCE}", headers=WANTED).lines[0]
    with pytest.raises(RemoteProtocolError):
        others.named_by(parse_uri(gruus_of(line)[1]), pbx.now)
