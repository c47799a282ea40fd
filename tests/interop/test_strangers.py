"""Who has no password gets nothing relayed, whatever the message pretends (RFC 3261 §26.3.2)."""

from __future__ import annotations

import pytest

from tests.interop.conftest import Phones
from tests.support.cast import extension
from tests.support.pbx_process import PbxProcess
from tests.support.wire import Wire
from tests.support.wire_calls import branch, token
from tests.support.wire_phone import WirePhone

CONFIGURATION = {"extensions": [extension("2301"), extension("2302")]}


def forged(wire: Wire, method: str, uri: str, *lines: str, to_tag: bool = False) -> str:
    """A request without credentials, with these header lines added."""
    tag = f";tag={token()}" if to_tag else ""
    head = [
        f"{method} {uri} SIP/2.0",
        f"Via: SIP/2.0/UDP {wire.local};rport;branch={branch()}",
        "Max-Forwards: 70",
        f"From: <sip:2301@pbx.test>;tag={token()}",
        f"To: <{uri}>{tag}",
        f"Call-ID: {token()}",
        f"CSeq: 1 {method}",
        f"Contact: <sip:2301@{wire.local}>",
        *lines,
        "Content-Length: 0",
    ]
    return "\n".join(head) + "\n\n"


@pytest.mark.parametrize("method", ["INVITE", "MESSAGE", "BYE", "ACK", "OPTIONS", "REFER"])
@pytest.mark.parametrize("route", ["none", "ours", "ours with a guessed token"])
@pytest.mark.parametrize("to_tag", [False, True], ids=["new", "in a dialog"])
def test_nothing_is_relayed_to_an_address_outside(
    pbx: PbxProcess, method: str, route: str, to_tag: bool
) -> None:
    routes = {
        "none": [],
        "ours": [f"Route: <sip:{pbx.server};lr>"],
        "ours with a guessed token": [
            f"Route: <sip:{pbx.server};lr;f=U127.0.0.1:9!U127.0.0.1:9!0123456789abcdef>"
        ],
    }
    with Wire(pbx.sip) as stranger, Wire(pbx.sip) as victim:
        uri = f"sip:2302@{victim.local}"
        stranger.send(forged(stranger, method, uri, *routes[route], to_tag=to_tag))
        victim.nothing(method, 0.15)
        if method != "ACK":
            assert stranger.receive_final(method).status in range(400, 500)


@pytest.mark.parametrize("method", ["INVITE", "MESSAGE", "BYE"])
def test_a_made_up_dialog_does_not_reach_a_registered_phone(
    pbx: PbxProcess, phones: Phones, method: str
) -> None:
    """A To tag must not be a way around the password."""
    bob = phones.wire("2302")
    with Wire(pbx.sip) as stranger:
        for uri in ("sip:2302@pbx.test", f"sip:2302@{bob.wire.local}"):
            stranger.send(forged(stranger, method, uri, to_tag=True))
            assert stranger.receive_final(method).status in range(400, 500)
        bob.wire.nothing(method, 0.2)


def test_a_route_to_somewhere_else_is_not_followed_for_strangers(pbx: PbxProcess) -> None:
    with Wire(pbx.sip) as stranger, Wire(pbx.sip) as victim:
        stranger.send(
            forged(stranger, "INVITE", "sip:2302@pbx.test", f"Route: <sip:{victim.local};lr>")
        )
        victim.nothing("INVITE", 0.3)
        assert stranger.receive_final("INVITE").status in (401, 403, 407)


def test_one_extension_cannot_register_for_another(pbx: PbxProcess, phones: Phones) -> None:
    """Right password of 2301, To of 2302 (RFC 3261 §10.3 step 3)."""
    thief = phones.wire("2301", register=False)
    genuine = thief.wire.send

    def for_another(message: str | bytes) -> None:
        assert isinstance(message, str)
        genuine(message.replace("To: <sip:2301@", "To: <sip:2302@"))

    thief.wire.send = for_another
    assert thief.register().status in (401, 403)
    assert not pbx.query("SELECT 1 FROM registrations_binding WHERE aor = '2302@pbx.test'")


def test_credentials_of_one_request_do_not_serve_another_uri(phones: Phones) -> None:
    """Digest covers the Request-URI: a copied Authorization must not open another number."""
    alice: WirePhone = phones.wire("2301", register=False)
    bob = phones.wire("2302")
    call = alice.start_call("2399")
    call.authenticate()
    call.fails(404)
    copied = alice.start_call("2302")
    copied.ack_failure(alice.wire.receive_final("INVITE"))
    copied.authorization = call.authorization
    copied.cseq += 1
    copied.branch = branch()
    copied.send_invite()
    assert alice.wire.receive_final("INVITE").status in (400, 401, 403, 407)
    bob.wire.nothing("INVITE", 0.2)
