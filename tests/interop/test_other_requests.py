"""Requests beside INVITE and BYE, and what happens within a call: hold, early media, PRACK."""

from __future__ import annotations

import pytest

from tests.interop.conftest import Phones
from tests.support.cast import extension
from tests.support.free_ports import free_port
from tests.support.pbx_process import PbxProcess
from tests.support.wire import choose, digest, uri_of
from tests.support.wire_calls import SDP, Dialog, branch, token

CONFIGURATION = {"extensions": [extension("2401"), extension("2402")]}


def test_real_phones_hold_and_resume_rfc3665_3_7(pbx: PbxProcess, phones: Phones) -> None:
    alice = phones.baresip("2401", tone=440, transport="tcp")
    bob = phones.baresip("2402", tone=660, transport="udp")
    alice.dial("2402")
    call_id = bob.wait_for("CALL_INCOMING")["id"]
    bob.accept()
    alice.wait_for("CALL_ESTABLISHED")
    bob.wait_for("CALL_ESTABLISHED")
    for phone, other in ((alice, bob), (bob, alice)):
        phone.command("hold")
        other.wait_for("CALL_REMOTE_SDP")
        phone.command("resume")
        other.wait_for("CALL_REMOTE_SDP")
    alice.hang_up()
    bob.wait_for("CALL_CLOSED")
    assert pbx.row_of(call_id)["result"] == "answered"


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_message_is_challenged_and_relayed_rfc3428(phones: Phones, transport: str) -> None:
    alice, bob = phones.wire("2401"), phones.wire("2402", transport=transport)
    call_id, uri = token(), "sip:2402@pbx.test"

    def text(number: int, *lines: str) -> str:
        head = [
            f"MESSAGE {uri} SIP/2.0",
            f"Via: {alice.via(branch())}",
            "Max-Forwards: 70",
            f"From: <{alice.aor}>;tag=1",
            f"To: <{uri}>",
            f"Call-ID: {call_id}",
            f"CSeq: {number} MESSAGE",
            *lines,
            "Content-Type: text/plain",
            "Content-Length: 5",
        ]
        return "\n".join(head) + "\n\nhello"

    alice.wire.send(text(1))
    challenged = alice.wire.receive_status(407)
    offer = choose(challenged.all("Proxy-Authenticate"), "MD5")
    credentials = digest(offer, "2401", alice.password, "MESSAGE", uri)
    alice.wire.send(text(2, f"Proxy-Authorization: {credentials}"))
    received = bob.wire.receive_request("MESSAGE")
    assert received.body == "hello"
    assert not received["Proxy-Authorization"], "our credentials are not for the callee"
    bob.reply(received, 200, "OK")
    assert alice.wire.receive_final("MESSAGE").status == 200


def test_early_media_and_prack_pass_rfc3262_rfc3960(pbx: PbxProcess, phones: Phones) -> None:
    alice, bob = phones.wire("2401", transport="tcp"), phones.wire("2402")
    call = alice.call("2402", extra="Supported: 100rel\n")
    incoming = bob.incoming()
    assert "100rel" in incoming.invite["Supported"]
    bob.reply(
        incoming.invite,
        183,
        "Session Progress",
        tag=incoming.tag,
        extra=f"Contact: {bob.contact}\nRequire: 100rel\nRSeq: 7",
        body=SDP.format(direction="sendrecv"),
    )
    progress = alice.wire.receive_status(183)
    assert "m=audio" in progress.body
    early = Dialog(
        alice,
        call.call_id,
        call.local,
        progress["To"],
        uri_of(progress["Contact"]),
        progress.all("Record-Route")[::-1],
        call.cseq,
    )
    early.request("PRACK", extra=f"RAck: 7 {call.cseq} INVITE\n")
    bob.reply(bob.wire.receive_request("PRACK"), 200, "OK")
    assert alice.wire.receive_final("PRACK").status == 200
    there = incoming.answer(acknowledged=False)
    dialog = call.answered()
    bob.wire.receive_request("ACK")
    there.request("UPDATE", extra="Allow: UPDATE\n")
    alice.reply(alice.wire.receive_request("UPDATE"), 200, "OK")
    assert bob.wire.receive_final("UPDATE").status == 200
    dialog.cseq += 1  # PRACK took one
    dialog.request("BYE")
    there.take_bye()
    assert alice.wire.receive_final("BYE").status == 200
    assert pbx.row_of(call.call_id)["result"] == "answered"


def test_invite_without_sdp_passes_as_it_is_rfc3264_5(phones: Phones) -> None:
    alice, bob = phones.wire("2401"), phones.wire("2402")
    call = alice.start_call("2402")
    call.ack_failure(alice.wire.receive_final("INVITE"))
    late = alice.start_call("2402", body="")
    late.authenticate()
    incoming = bob.incoming()
    assert incoming.invite.body == ""
    incoming.reject(488, "Not Acceptable Here")
    late.fails(488)


def test_a_phone_that_cannot_be_connected_ends_the_call_soon_rfc3261_16_9(
    pbx: PbxProcess, phones: Phones
) -> None:
    """A refused TCP connection counts as 503 from there; the caller must not wait for a timer."""
    alice, bob = phones.wire("2401"), phones.wire("2402", register=False)
    assert bob.register(contact=f"<sip:2402@127.0.0.1:{free_port()};transport=tcp>").status == 200
    call = alice.call("2402")
    final = alice.wire.receive_final("INVITE", deadline=3)
    call.ack_failure(final)
    assert final.status in (480, 500), "503 is not passed on (RFC 3261 §16.7 step 6)"
    assert pbx.row_of(call.call_id)["result"] == "failed"


def test_caller_that_vanishes_while_it_rings_harms_nothing(pbx: PbxProcess, phones: Phones) -> None:
    alice, bob = phones.wire("2401", transport="tcp"), phones.wire("2402")
    call = alice.call("2402")
    incoming = bob.incoming()
    incoming.ring()
    call.rings()
    alice.registered = False
    alice.wire.close()
    incoming.reject(486, "Busy Here")
    assert pbx.row_of(call.call_id)["result"] == "busy"
