"""Registering as phones do (RFC 3261 §10), seen on the wire and in `bindings`."""

from __future__ import annotations

import pytest

from tests.interop.conftest import Phones
from tests.support.cast import extension
from tests.support.pbx_process import PbxProcess
from tests.support.wait import until
from tests.support.wire import parameter

CONFIGURATION = {
    "extensions": [extension("2001"), extension("2002"), extension("2003", max_contacts=2)]
}


def test_bindings_show_both_transports(pbx: PbxProcess, phones: Phones) -> None:
    udp = phones.baresip("2001", transport="udp")
    tcp = phones.baresip("2001", transport="tcp")
    until(
        lambda: (
            len(pbx.query("SELECT 1 FROM registrations_binding WHERE aor='2001@pbx.test'")) == 2
        ),
        "both bindings in the table",
    )
    rows = [row for row in pbx.bindings() if row["aor"] == "2001@pbx.test"]
    assert sorted(row["transport"].lower() for row in rows) == ["tcp", "udp"]
    contacts = " ".join(row["contact"] for row in rows)
    assert all(f"127.0.0.1:{phone.sip_port}" in contacts for phone in (udp, tcp))
    assert all("baresip" in row["user_agent"] for row in rows)
    for phone in (udp, tcp):
        phone.command("quit")
    until(
        lambda: not pbx.query("SELECT 1 FROM registrations_binding WHERE aor='2001@pbx.test'"),
        "both to be gone after the phones unregistered",
    )


def test_several_contacts_with_q_are_fetched_and_removed_rfc3261_10_2(phones: Phones) -> None:
    phone = phones.wire("2002", register=False)
    both = "<sip:2002@127.0.0.1:9>;q=0.5, <sip:2002@127.0.0.1:19>;expires=120;q=0.9"
    response = phone.register(contact=both)
    assert response.status == 200
    listed = ", ".join(response.all("Contact"))
    assert listed.count("<sip:2002@") == 2
    fetched = phone.register(contact="<sip:2002@127.0.0.1:9>")
    seconds = {
        parameter(value, "expires")
        for line in fetched.all("Contact")
        for value in line.split(",")
        if ":19>" in value
    }
    assert all(100 <= int(value) <= 120 for value in seconds)
    assert seconds
    cleared = phone.register(contact="*", expires=0)
    assert cleared.status == 200
    assert not cleared.all("Contact")


@pytest.mark.parametrize("contact", ["*", "<sip:2002@127.0.0.1:9>"])
def test_taking_back_what_is_not_there_is_answered_rfc3261_10_3_6(
    phones: Phones, contact: str
) -> None:
    """Many phones begin so, and wait for the answer."""
    phone = phones.wire("2002", register=False)
    assert phone.register(contact="*", expires=0).status == 200
    assert phone.register(contact=contact, expires=0).status == 200


def test_star_with_other_expires_is_a_bad_request_rfc3261_10_3_6(phones: Phones) -> None:
    assert phones.wire("2002", register=False).register(contact="*", expires=60).status == 400


def test_too_brief_423_names_the_least_rfc3261_10_2_8(phones: Phones) -> None:
    phone = phones.wire("2002", register=False)
    brief = phone.register(expires=1)
    assert brief.status == 423
    least = int(brief["Min-Expires"])
    assert phone.register(expires=least).status == 200
    phone.register(contact="*", expires=0)


def test_more_phones_than_max_contacts_are_refused(pbx: PbxProcess, phones: Phones) -> None:
    first, second, third = (phones.wire("2003", register=False) for _ in range(3))
    assert first.register().status == 200
    assert second.register().status == 200
    refused = third.register()
    assert 400 <= refused.status < 500, refused
    assert second.register().status == 200, "a refresh is no further phone"
    assert first.register(expires=0).status == 200
    assert third.register().status == 200
    third.register(contact="*", expires=0)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_private_contact_is_reached_where_the_register_came_from(
    phones: Phones, transport: str
) -> None:
    """A phone behind NAT writes an address nobody can reach; the call takes the way back."""
    bob = phones.wire("2002", transport=transport, hidden_as="192.168.250.250:5060")
    alice = phones.wire("2001")
    call = alice.call("2002")
    incoming = bob.incoming()
    assert "192.168.250.250" in incoming.invite.uri
    there = incoming.answer(acknowledged=False)
    dialog = call.answered()
    assert bob.wire.receive_request("ACK")
    there.request("BYE")
    dialog.take_bye()
    assert bob.wire.receive_final("BYE").status == 200


def test_options_to_the_server_is_answered_without_a_challenge_rfc3261_11(phones: Phones) -> None:
    phone = phones.wire("2001", register=False)
    phone.wire.send(
        f"OPTIONS sip:{phone.wire.server[0]}:{phone.wire.server[1]} SIP/2.0\n"
        f"Via: {phone.via('z9hG4bKo1')}\nMax-Forwards: 70\nFrom: <sip:a@b>;tag=1\n"
        "To: <sip:b@b>\nCall-ID: o1@wire\nCSeq: 1 OPTIONS\nContent-Length: 0\n\n"
    )
    response = phone.wire.receive()
    assert response.status == 200
    assert "INVITE" in response["Allow"]
