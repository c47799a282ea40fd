"""Sound requests that are spelt in unusual ways reach the phone all the same (RFC 3261 §7.3, RFC 4475 §3.1.1)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.interop.conftest import Phones
from tests.support.cast import extension
from tests.support.pbx_process import PbxProcess

CONFIGURATION = {"extensions": [extension("2601"), extension("2602")]}

COMPACT = {
    "Via:": "v:",
    "From:": "f:",
    "To:": "t:",
    "Call-ID:": "i:",
    "Contact:": "m:",
    "Content-Type:": "c:",
    "Content-Length:": "l:",
}


def compact(text: str) -> str:
    for long, short in COMPACT.items():
        text = text.replace(f"\n{long}", f"\n{short}")
    return text


SPELLINGS: dict[str, Callable[[str], str]] = {
    "compact names": compact,
    "names in other case": lambda t: t.replace("\nFrom:", "\nFROM:").replace("\nCSeq:", "\ncseq:"),
    "blanks before the colon": lambda t: t.replace("\nTo:", "\nTo  :").replace(
        "\nVia:", "\nVia\t:"
    ),
    "folded lines": lambda t: t.replace("\nTo: ", "\nTo:\n ").replace(";tag=", "\n\t;tag=", 1),
    "much white space": lambda t: t.replace("SIP/2.0/UDP", "SIP / 2.0 / UDP").replace(
        ";branch=", " ; branch = "
    ),
    "comma and quotes in the name": lambda t: t.replace(
        'From: "2601"', r'From: "A, \"B\" <x;tag=no>"'
    ),
    "name without quotes": lambda t: t.replace('From: "2601"', "From: Alice Adams"),
    "unknown headers": lambda t: t.replace("\nTo:", "\nX-Odd: ;;,,==\nP-Nothing:\nTo:"),
    "letters beyond ASCII": lambda t: t.replace('From: "2601"', 'From: "Müller 😀"'),
    "header order turned round": lambda t: t.replace("Max-Forwards: 70\n", "", 1).replace(
        "\nAllow:", "\nMax-Forwards: 70\nAllow:"
    ),
    "no Max-Forwards": lambda t: t.replace("Max-Forwards: 70\n", ""),
    "lone carriage returns before": lambda t: "\n\n" + t,
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_call_goes_through(pbx: PbxProcess, phones: Phones, spelling: str) -> None:
    alice, bob = phones.wire("2601"), phones.wire("2602")
    plain = alice.wire.send

    def send(message: str | bytes) -> None:
        if isinstance(message, str) and message.startswith("INVITE "):
            head, blank, body = message.partition("\n\n")
            message = SPELLINGS[spelling](head) + blank + body
        plain(message)

    alice.wire.send = send
    call = alice.call("2602")
    incoming = bob.incoming()
    assert incoming.invite.body.startswith("v=0")
    there = incoming.answer(acknowledged=False)
    dialog = call.answered()
    bob.wire.receive_request("ACK")
    dialog.request("BYE")
    there.take_bye()
    assert alice.wire.receive_final("BYE").status == 200
    row = pbx.row_of(call.call_id)
    assert (row["result"], row["caller"].partition("@")[0]) == ("answered", "2601")


@pytest.mark.parametrize(
    "uri",
    [
        "sip:2602@PBX.Test",
        "sip:2602@pbx.test;user=phone",
        "sip:2602@pbx.test;transport=tcp;transport=udp",
        "sip:%32602@pbx.test",
        "sip:2602:secret@pbx.test",
        "sip:2602@{server}",
        "sip:2602@{server};transport=udp",
        "SIP:2602@pbx.test",
    ],
)
def test_number_is_found_however_its_uri_is_written_rfc3261_19_1_4(
    pbx: PbxProcess, phones: Phones, uri: str
) -> None:
    alice, bob = phones.wire("2601"), phones.wire("2602")
    call = alice.call(uri.format(server=pbx.server))
    bob.incoming().reject(486, "Busy Here")
    call.fails(486)
    assert pbx.row_of(call.call_id)["called"].partition("@")[0] == "2602"
