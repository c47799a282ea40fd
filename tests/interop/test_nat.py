"""Phones behind NAT, with several connections, and at addresses of one phone alone.

(RFC 5626, RFC 5627, RFC 5389 on the SIP port, keep-alives of the server.)
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator

import pytest

from tests.interop.conftest import Phones
from tests.support.cast import extension
from tests.support.nat import UdpNat
from tests.support.pbx_process import PbxProcess
from tests.support.wait import until
from tests.support.wire import Address
from tests.support.wire_phone import WirePhone

CONFIGURATION = {"extensions": [extension(str(number)) for number in range(3601, 3610)]}

HIDDEN = "192.168.77.7:5060"


@pytest.fixture
def nat(pbx: PbxProcess) -> Iterator[UdpNat]:
    with UdpNat(pbx.sip) as made:
        yield made


def rows(pbx: PbxProcess, number: str) -> list[dict[str, object]]:
    return pbx.query(
        "SELECT contact, instance, reg_id, received, transport FROM registrations_binding"
        " WHERE aor = %s ORDER BY reg_id",
        f"{number}@pbx.test",
    )


# ---------------------------------------------------------------------- a real phone


def test_rfc5626_baresip_registers_two_flows_and_rings_once(
    pbx: PbxProcess, phones: Phones
) -> None:
    callee = phones.baresip("3602", flows=("udp", "tcp"))
    until(lambda: len(rows(pbx, "3602")) == 2, "both flows")
    found = rows(pbx, "3602")
    assert [row["reg_id"] for row in found] == [1, 2]
    assert sorted(str(row["transport"]).lower() for row in found) == ["tcp", "udp"]
    assert len({row["instance"] for row in found}) == 1
    caller = phones.wire("3601")
    call = caller.call("3602")
    callee.wait_for("CALL_INCOMING")
    call.rings()
    callee.accept()
    dialog = call.answered()
    dialog.request("BYE")
    caller.wire.receive_status(200)
    incoming = [event for event in callee.events if event.get("type") == "CALL_INCOMING"]
    assert len(incoming) == 1


def test_rfc5626_baresip_keeps_its_udp_flow_by_stun(pbx: PbxProcess, phones: Phones) -> None:
    """It begins when it has been told `Require: outbound`."""
    before = stun_answered(pbx)
    phones.baresip("3603", flows=("udp",))
    until(lambda: stun_answered(pbx) > before, "a STUN request of the phone", deadline=45)


def stun_answered(pbx: PbxProcess) -> int:
    (row,) = pbx.query("SELECT counters FROM enginelink_enginestatus")
    return int(row["counters"]["udp_stun_answered"])


def test_rfc5627_baresip_is_called_by_its_gruu(phones: Phones) -> None:
    callee = phones.baresip("3604", flows=("udp",))
    other = phones.wire("3604")
    asking = phones.wire("3604", register=False)
    asking.register(
        contact=f'{asking.contact};+sip.instance="<urn:uuid:asking>"', extra="Supported: gruu\n"
    )
    listed = ", ".join(asking.wire.received[-1].all("Contact"))
    own = [uri for uri in re.findall(r'pub-gruu="([^"]*)"', listed) if "asking" not in uri]
    (gruu,) = own
    call = phones.wire("3601").call(gruu)
    callee.wait_for("CALL_INCOMING")
    call.rings()
    callee.accept()
    call.answered().request("BYE")
    other.wire.nothing("INVITE", 0.3)


# ---------------------------------------------------------------------- through a NAT


def stun_request() -> tuple[bytes, bytes]:
    transaction = os.urandom(12)
    return struct.pack("!HHI", 1, 0, 0x2112A442) + transaction, transaction


def mapped_address(phone: WirePhone) -> Address:
    """Where the server says that this phone is (RFC 5389 §15.2)."""
    asked, transaction = stun_request()
    phone.wire.send(asked)
    phone.wire.socket.settimeout(5)
    answer = phone.wire.socket.recv(1000)
    assert answer[:2] == b"\x01\x01"
    assert answer[8:20] == transaction
    port, raw = struct.unpack_from("!H4s", answer, 26)
    address = bytes(a ^ b for a, b in zip(raw, b"\x21\x12\xa4\x42", strict=True))
    return ".".join(map(str, address)), port ^ 0x2112


def test_rfc5626_8_stun_shows_a_phone_that_its_nat_has_forgotten_it(
    phones: Phones, nat: UdpNat
) -> None:
    phone = phones.wire("3605", server=nat.inside, hidden_as=HIDDEN)
    first = mapped_address(phone)
    assert first == nat.outside(phone.wire.address)
    assert mapped_address(phone) == first
    nat.forget()
    second = mapped_address(phone)
    assert second != first
    assert second == nat.outside(phone.wire.address)


def test_a_phone_behind_nat_is_reached_and_followed_while_it_is_called(
    pbx: PbxProcess, phones: Phones, nat: UdpNat
) -> None:
    phone = phones.wire("3606", server=nat.inside, hidden_as=HIDDEN)
    caller = phones.wire("3601")
    refused = caller.call("3606")
    phone.incoming().reject(486, "Busy Here")
    refused.fails(486)
    nat.forget()  # what is sent to the old place is lost from now on
    call = caller.call("3606")
    phone.wire.nothing("INVITE", 0.5)
    assert phone.register().status == 200
    incoming = phone.incoming()
    assert incoming.invite.uri == f"sip:3606@{HIDDEN}"
    incoming.answer(acknowledged=False)
    call.answered()
    outside = nat.outside(phone.wire.address)
    until(
        lambda: rows(pbx, "3606")[0]["received"] == f"{outside[0]}:{outside[1]}",
        "the new place in the table",
    )


def test_the_server_keeps_a_phone_behind_nat_alive(phones: Phones, nat: UdpNat) -> None:
    phone = phones.wire("3607", server=nat.inside, hidden_as=HIDDEN)
    options = phone.wire.receive_request("OPTIONS", deadline=40)
    assert options.uri == f"sip:3607@{HIDDEN}"
    phone.reply(options, 200, "OK")


def test_a_call_goes_on_by_another_flow_when_a_connection_has_closed(phones: Phones) -> None:
    """Both are of one phone behind NAT, so that neither contact can be reached but by its flow."""
    flows = []
    for reg_id in (1, 2):
        flow = phones.wire("3608", transport="tcp", register=False, hidden_as=HIDDEN)
        contact = f'{flow.contact};+sip.instance="<urn:uuid:two>";reg-id={reg_id}'
        answer = flow.register(contact=contact, extra="Supported: outbound, path\n")
        assert answer.status == 200
        assert "outbound" in answer["Require"]
        assert answer["Flow-Timer"] == "120"
        flows.append(flow)
    caller = phones.wire("3601")
    call = caller.call("3608")
    ringing = [flow for flow in flows if flow.wire.answered_within(2)]
    assert len(ringing) == 1
    (other,) = [flow for flow in flows if flow not in ringing]
    ringing[0].registered = False
    ringing[0].wire.close()
    other.incoming().answer(acknowledged=False)
    call.answered()


def test_a_phone_that_comes_back_on_a_new_connection_gets_the_call_that_waits(
    phones: Phones,
) -> None:
    lost = phones.wire("3609", transport="tcp", hidden_as=HIDDEN)
    lost.registered = False
    lost.wire.close()
    caller = phones.wire("3601")
    call = caller.call("3609")
    caller.wire.nothing("480", 0.5)
    back = phones.wire("3609", transport="tcp", hidden_as=HIDDEN)
    back.incoming().answer(acknowledged=False)
    call.answered()
