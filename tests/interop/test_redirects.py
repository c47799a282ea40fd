"""302: told by a rule, told with the registered contacts, followed by phones and by the proxy."""

from __future__ import annotations

from tests.interop.conftest import Phones
from tests.support.cast import extension
from tests.support.pbx_process import PbxProcess
from tests.support.wait import until
from tests.support.wire import uri_of

CONFIGURATION = {
    "extensions": [extension(number) for number in ("1601", "1602", "1603", "1604")],
    "rules": [
        {
            "name": "redirects: moved",
            "called": "1690",
            "action": "redirect",
            "targets": ["sip:1602@pbx.test", "sip:1603@pbx.test"],
        },
        {
            "name": "redirects: to the phones",
            "called": "1691",
            "action": "redirect_contacts",
            "targets": ["1602"],
        },
        {
            "name": "redirects: followed by us",
            "called": "1692",
            "action": "forward",
            "targets": ["1603"],
            "follow_redirects": True,
        },
        {
            "name": "redirects: not followed by us",
            "called": "1693",
            "action": "forward",
            "targets": ["1603"],
        },
    ],
}


def test_redirect_rule_answers_302_with_its_targets_rfc3261_8_3(
    pbx: PbxProcess, phones: Phones
) -> None:
    call = phones.wire("1601").call("1690")
    moved = call.fails(302)
    contacts = [uri_of(part.strip()) for line in moved.all("Contact") for part in line.split(",")]
    assert contacts == ["sip:1602@pbx.test", "sip:1603@pbx.test"]
    row = pbx.row_of(call.call_id)
    assert (row["result"], row["sip_status"], row["rule"]) == (
        "redirected",
        302,
        "redirects: moved",
    )


def test_a_real_phone_follows_the_redirect(phones: Phones) -> None:
    alice, bob = phones.baresip("1601", tone=440), phones.baresip("1602", tone=660)
    alice.dial("1690")
    bob.wait_for("CALL_INCOMING")
    bob.accept()
    alice.wait_for("CALL_ESTABLISHED")
    alice.hears(660)
    alice.hang_up()
    bob.wait_for("CALL_CLOSED")
    assert "SIP/2.0 302" in alice.trace()


def test_rule_redirects_to_the_registered_contacts_rfc3261_8_3(phones: Phones) -> None:
    bob = phones.wire("1602")
    call = phones.wire("1601").call("1691")
    moved = call.fails(302)
    assert [uri_of(value) for value in moved.all("Contact")] == [uri_of(bob.contact)]


def test_redirect_to_contacts_of_a_phone_that_is_not_there_480(phones: Phones) -> None:
    phones.wire("1601").call("1691").fails(480)


def test_the_proxy_follows_a_302_when_the_rule_says_so_rfc3261_16_5(
    pbx: PbxProcess, phones: Phones
) -> None:
    alice, away, here = phones.wire("1601"), phones.wire("1603"), phones.wire("1604")
    call = alice.call("1692")
    away.incoming().reject(302, "Moved Temporarily", extra="Contact: <sip:1604@pbx.test>")
    incoming = here.incoming()
    incoming.ring()
    call.rings()
    there = incoming.answer(acknowledged=False)
    dialog = call.answered()
    here.wire.receive_request("ACK")
    dialog.request("BYE")
    there.take_bye()
    assert alice.wire.receive_final("BYE").status == 200
    row = pbx.row_of(call.call_id)
    assert row["result"] == "answered"
    assert "1604" in row["answered_by"]
    assert [leg["result"] for leg in pbx.legs_of(row)] == ["redirected", "answered"]


def test_the_proxy_passes_a_302_on_otherwise_rfc3261_16_7(pbx: PbxProcess, phones: Phones) -> None:
    alice, away = phones.wire("1601"), phones.wire("1603")
    call = alice.call("1693")
    away.incoming().reject(302, "Moved Temporarily", extra="Contact: <sip:1604@pbx.test>")
    moved = call.fails(302)
    assert uri_of(moved["Contact"]) == "sip:1604@pbx.test"
    assert pbx.row_of(call.call_id)["result"] == "redirected"


def test_a_302_that_leads_back_ends_the_call(pbx: PbxProcess, phones: Phones) -> None:
    """A phone that redirects to its own number must not make the proxy ring it for ever."""
    alice, away = phones.wire("1601"), phones.wire("1603")
    call = alice.call("1692")
    away.incoming().reject(302, "Moved Temporarily", extra="Contact: <sip:1603@pbx.test>")
    away.wire.nothing("INVITE", 0.3)
    final = alice.wire.receive_final("INVITE")
    call.ack_failure(final)
    assert final.status >= 300
    assert pbx.row_of(call.call_id)["ended"]


def test_a_redirecting_domain_sends_callers_to_the_registered_contacts_rfc3261_8_3(
    pbx: PbxProcess, phones: Phones
) -> None:
    """Domain `moved.test` relays nothing; callers of another domain are told where its phones are."""
    pbx.apply({"domain": "moved.test", "mode": "redirect", "extensions": [extension("1605")]})
    bob = phones.wire("1605", domain="moved.test", register=False)
    until(lambda: bob.register().status == 200, "the new domain's extension to register")
    alice = phones.wire("1601")
    call = alice.call("sip:1605@moved.test")
    moved = call.fails(302)
    assert [uri_of(value) for value in moved.all("Contact")] == [uri_of(bob.contact)]
    assert pbx.row_of(call.call_id)["result"] == "redirected"
