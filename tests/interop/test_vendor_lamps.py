"""Lamps of phones of several makers: each asks in its own manner, by SIPp, while a real call goes on.

What each needs of a NOTIFY: the Event it asked for (with its id), `Subscription-State: active` with the
seconds left, a complete document (`state="full"`; none but Yealink's and Snom's newer firmware keeps
partial ones), versions that rise by one, `entity` and the local identity as the number that was asked
for, the other party with its name for the display, and an end with a reason.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

import pytest

from tests.interop.conftest import Phones
from tests.support.cast import PASSWORD, extension
from tests.support.pbx_process import DOMAIN, PbxProcess
from tests.support.sipp import Sipp, credentials
from tests.support.wait import until
from tests.support.wire_watcher import WireWatcher

CONFIGURATION = {"extensions": [extension(f"491{n}") for n in range(1, 5)]}


@dataclass(frozen=True)
class Maker:
    """How a maker's phone writes its SUBSCRIBE; `{}` in `contact` is number@address:port."""

    agent: str
    lines: str = ""
    uri: str = "sip:[field2]@[domain]"
    contact: str = "<sip:{}>"
    accept: str = "application/dialog-info+xml"
    event: str = "dialog"
    expires: int = 1800
    mailbox: str = "application/simple-message-summary"


MAKERS = {
    "Yealink": Maker(
        "Yealink SIP-T46G 28.82.0.20",
        uri="sip:[field2]@[remote_ip]:[remote_port]",
        lines="Allow-Events: talk,hold,conference,refer,check-sync\n",
    ),
    "Snom": Maker(
        "snom715/8.9.3.80",
        contact="<sip:{};line=2zspxksk>;reg-id=1",
        lines="Allow-Events: dialog, message-summary\nSupported: timer, 100rel, replaces\n",
        event="dialog;id=7",
        expires=3600,
    ),
    "Grandstream": Maker(
        "Grandstream GXP2170 1.0.11.16",
        lines="Supported: replaces, path, timer, eventlist\n"
        "Allow: INVITE, ACK, OPTIONS, CANCEL, BYE, SUBSCRIBE, NOTIFY, INFO, REFER, UPDATE, MESSAGE\n",
        accept="application/dialog-info+xml,multipart/related,application/rlmi+xml",
        expires=3600,
    ),
    "Polycom": Maker(
        "PolycomVVX-VVX_411-UA/5.9.5.0614",
        contact='<sip:{}>;methods="INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, MESSAGE, SUBSCRIBE, NOTIFY"',
        lines="Accept-Language: en\nSupported: replaces,norefersub\n",
        uri="sip:[field2]@[domain];user=phone",
        accept="application/dialog-info+xml",
        expires=3600,
    ),
    "Cisco": Maker(
        "Cisco/SPA504G-7.6.2",
        lines="Allow: ACK, BYE, CANCEL, INFO, INVITE, NOTIFY, OPTIONS, REFER, UPDATE\n"
        "Supported: replaces, eventlist\nSession-ID: 0a5a1eb5f4dd4b3d0000000000000001\n",
        accept="application/dialog-info+xml, application/cpim-pidf+xml",
        expires=2147483647,
    ),
}  # fmt: skip


class Watching:
    """The steps of one subscription."""

    def __init__(self, maker: Maker, *, mailbox: bool = False) -> None:
        self.maker, self.mailbox = maker, mailbox
        self.steps: list[str] = []
        self.variables: list[str] = []
        self.cseq = 0

    def subscribes(self, *, ends: bool = False) -> Watching:
        """SUBSCRIBE, challenge, SUBSCRIBE; within the dialog if there is one."""
        self._subscribe("", ends)
        self.steps.append('<recv response="401" auth="true"/>')
        self._subscribe("[field1]\n", ends)
        self.steps.append('<recv response="200" rrs="true"/>')
        return self

    def _subscribe(self, password: str, ends: bool) -> None:
        maker = self.maker
        within = self.cseq >= 2
        self.cseq += 1
        watched = "[field0]" if self.mailbox else "[field2]"
        uri = "[next_url]" if within else maker.uri.replace("[field2]", watched)
        contact = maker.contact.format("[field0]@[local_ip]:[local_port]")
        event, accept = maker.event, maker.accept
        if self.mailbox:
            event, accept = "message-summary", maker.mailbox
        self._send(
            f"SUBSCRIBE {uri} SIP/2.0\n"
            "Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch];rport\n"
            "Max-Forwards: 70\n"
            'From: "[field0]" <sip:[field0]@[domain]>;tag=w[pid]\n'
            f"To: <sip:{watched}@[domain]>{'[peer_tag_param]' if within else ''}\n"
            f"Call-ID: [call_id]\nCSeq: {self.cseq} SUBSCRIBE\nContact: {contact}\n{password}"
            f"Event: {event}\nAccept: {accept}\nExpires: {0 if ends else maker.expires}\n"
            f"{maker.lines}User-Agent: {maker.agent}\nContent-Length: 0\n"
        )

    def told(self, *patterns: str, state: str = "active;expires=[0-9]+") -> Watching:
        """Take NOTIFYs, each as it should be, until one holds all these patterns in its body."""
        label = len(self.steps)
        event = "message-summary" if self.mailbox else self.maker.event
        kind = "simple-message-summary" if self.mailbox else "dialog-info.xml"
        checks = [
            self._check("hdr", f"^ *{event} *$", "Event:"),
            self._check("hdr", state, "Subscription-State:"),
            self._check("hdr", kind, "Content-Type:"),
        ]
        if not self.mailbox:
            checks.append(self._check("body", r"state=.full. entity=.sip:4912@pbx.test."))
        matches = [self._check("body", pattern, sure=False) for pattern in patterns]
        self.steps.append(f'<label id="{label}"/>')
        self.steps.append(
            f'<recv request="NOTIFY"><action>{"".join(checks + matches)}</action></recv>'
        )
        self._send(
            "SIP/2.0 200 OK\n[last_Via:]\n[last_From:]\n[last_To:]\n[last_Call-ID:]\n[last_CSeq:]\n"
            "Content-Length: 0\n"
        )
        for at in range(len(matches)):  # what is missing: wait for another
            variable = self.variables[len(self.variables) - len(matches) + at]
            there = f"{label}{at}"
            self.steps.append(f'<nop next="9{there}" test="{variable}"/>')
            self.steps.append(f'<nop next="{label}"/>')
            self.steps.append(f'<label id="9{there}"/>')
        return self

    def _check(self, where: str, pattern: str, header: str = "", *, sure: bool = True) -> str:
        variable = f"v{len(self.variables)}"
        self.variables.append(variable)
        named = f' header="{header}"' if header else ""
        pattern = escape(pattern, {'"': "&quot;"})
        return (
            f'<ereg regexp="{pattern}" search_in="{where}"{named} '
            f'check_it="{"true" if sure else "false"}" assign_to="{variable}"/>'
        )

    def _send(self, text: str) -> None:
        self.steps.append(f"<send><![CDATA[\n\n{text}\n]]></send>")

    def write(self, directory: Path) -> Path:
        file = directory / "watching.xml"
        steps = "\n".join(self.steps)
        file.write_text(
            '<?xml version="1.0" encoding="ISO-8859-1" ?>\n<!DOCTYPE scenario SYSTEM "sipp.dtd">\n'
            f'<scenario name="watching">\n{steps}\n'
            f'<Reference variables="{",".join(self.variables)}"/></scenario>\n'
        )
        return file


def running(watching: Watching, pbx: PbxProcess, directory: Path) -> Sipp:
    row = ["4911", credentials("4911", PASSWORD.format("4911")), "4912"]
    return Sipp(
        watching.write(directory), directory, target=pbx.server, keys={"domain": DOMAIN},
        rows=[row], limit_s=25,
    )  # fmt: skip


@pytest.mark.parametrize("maker", MAKERS)
def test_rfc4235_4_a_lamp_of_each_maker_follows_a_call(
    pbx: PbxProcess, phones: Phones, tmp_path: Path, maker: str
) -> None:
    """Idle, ringing with the caller's name and number, talking, idle, a refresh, the end."""
    bob, alice = phones.wire("4912"), phones.wire("4913", register=False)
    ringing = "<state>early</state>.*<local><identity>sip:4912@pbx.test</identity>"
    caller = '<remote><identity display="4913">sip:4913@pbx.test</identity>'
    watching = (
        Watching(MAKERS[maker])
        .subscribes()
        .told('version="0"')
        .told('direction="recipient"', ringing, caller, '<target uri="sip:4913@pbx.test"/>')
        .told("<state>confirmed</state>")
        .told("<state event=.remote-bye.>terminated</state>")
        .subscribes()
        .told("dialog-info")
        .subscribes(ends=True)
        .told("dialog-info", state="terminated;reason=timeout")
    )
    with ExitStack() as stack:
        watcher = stack.enter_context(running(watching, pbx, tmp_path))
        until(
            lambda: pbx.query(
                "SELECT 1 FROM subscriptions_subscription WHERE subscriber = %s AND user_agent = %s",
                f"4911@{DOMAIN}",
                MAKERS[maker].agent,
            ),
            "the subscription",
            explain=watcher.explain,
        )
        beside = WireWatcher(phones.wire("4914"), "4912")
        assert beside.subscribe().status == 200
        assert beside.lamp() == "idle"
        call = alice.call("4912")
        there = bob.incoming()
        there.ring()
        call.rings()
        beside.until_lamp("early")  # what comes and goes within 50 ms is not told
        dialog = there.answer(acknowledged=False)
        here = call.answered()
        bob.wire.receive_request("ACK")
        beside.until_lamp("confirmed")
        here.request("BYE")
        dialog.take_bye()
        result = watcher.finish()
    result.check(1)


@pytest.mark.parametrize("maker", MAKERS)
def test_rfc3842_5_a_message_lamp_of_each_maker_is_answered(
    pbx: PbxProcess, tmp_path: Path, maker: str
) -> None:
    watching = (
        Watching(MAKERS[maker], mailbox=True)
        .subscribes()
        .told("Messages-Waiting: no", "Message-Account: sip:4911@pbx.test", "Voice-Message: 0/0")
        .subscribes(ends=True)
        .told("Messages-Waiting: no", state="terminated;reason=timeout")
    )
    with running(watching, pbx, tmp_path) as watcher:
        result = watcher.finish()
    result.check(1)
