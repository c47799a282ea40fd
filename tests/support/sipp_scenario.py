"""SIPp scenarios written step by step, for flows in which a test decides the order of each message.

A phone that "has not yet seen" a message is one that keeps it and answers later: for the server between
two phones that is the same, and unlike two programs racing each other it happens every time.
"""

from __future__ import annotations

from pathlib import Path
from typing import Self
from xml.sax.saxutils import escape

SDP = """\
v=0
o=sipp 1 {version} IN IP4 [local_ip]
s=-
c=IN IP4 [local_ip]
t=0 0
m=audio 40000 RTP/AVP 0
a=rtpmap:0 PCMU/8000
a=sendrecv"""

_KEPT = ("Via", "Below", "From", "To", "CSeq", "Record-Route")
_CONTACT = "Contact: <sip:[local_ip]:[local_port];transport=[transport]>"


class Scenario:
    """One side of a call. Steps are added in order; `write` makes the file.

    Branches are named by the test: the same name is the same transaction. A request's CSeq number is
    the next one unless `number` is given.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.steps: list[str] = []
        self.variables: list[str] = []
        self.cseq = 0
        self.local = self.remote = self.called = ""

    # ------------------------------------------------------------------ sending

    def requests(
        self,
        method: str,
        branch: str = "",
        *,
        number: int = 0,
        uri: str = "[next_url]",
        offer: int = 0,
        extra: str = "",
        fresh: bool = False,
        hears: bool = True,
    ) -> Self:
        """A request of the dialog; `offer` is the version of its SDP, 0 for none.

        A `fresh` one has no tag of the peer and no Route. An INVITE `hears` 100 at once.
        """
        if not number:
            self.cseq += 1
            number = self.cseq
        lines = [
            f"{method} {uri} SIP/2.0",
            f"Via: SIP/2.0/[transport] [local_ip]:[local_port];branch={_branch(branch or f'{method}{number}')};rport",
            *([] if fresh else ["[routes]"]),
            "Max-Forwards: 70",
            f"From: {self.local}",
            f"To: {self.called if fresh else self.remote}",
            "Call-ID: [call_id]",
            f"CSeq: {number} {method}",
            _CONTACT,
            *([extra] if extra else []),
        ]
        self._send(lines, offer)
        if method == "INVITE" and hears:
            self.steps.append('<recv response="100"/>')
        return self

    def replies(self, kept: str, status: int, *, tag: str = "", sdp: int = 0) -> Self:
        """A response to a request that was kept under that name."""
        lines = [
            f"SIP/2.0 {status} Something",
            f"Via: [${kept}_Via]",
            f"Via: [${kept}_Below]",
            f"From: [${kept}_From]",
            f"To: [${kept}_To]{f';tag={tag}' if tag else ''}",
            "Call-ID: [call_id]",
            f"CSeq: [${kept}_CSeq]",
        ]
        if status < 300:
            lines += [f"Record-Route: [${kept}_Record-Route]"] if tag else []
            lines += [_CONTACT]
        return self._send(lines, sdp)

    def _send(self, lines: list[str], sdp: int) -> Self:
        lines += ["Content-Type: application/sdp"] if sdp else []
        lines += ["Content-Length: [len]" if sdp else "Content-Length: 0", ""]
        lines += SDP.format(version=sdp).split("\n") if sdp else [""]
        text = "\n".join(lines)
        self.steps.append(f"<send><![CDATA[\n\n{text}\n\n]]></send>")
        return self

    # ------------------------------------------------------------------ receiving

    def keeps(self, method: str, name: str = "", *, cseq: str = "", begins: bool = False) -> Self:
        """Wait for a request and keep what its answer needs; `cseq` is a pattern that it must have."""
        name = name or method
        check = f"{cseq or '.*'} {method}"
        actions = []
        for header in _KEPT:
            variable = f"{name}_{header}"
            self.variables.append(variable)
            occurrence, field = (2, "Via") if header == "Below" else (1, header)
            pattern = check if header == "CSeq" else ".*"
            sure = "true" if header in ("Via", "From", "To", "CSeq") else "false"
            actions.append(
                f'<ereg regexp="{escape(pattern)}" search_in="hdr" header="{field}:" '
                f'occurrence="{occurrence}" check_it="{sure}" assign_to="{variable}"/>'
            )
        rrs = ' rrs="true"' if begins else ""
        self.steps.append(
            f'<recv request="{method}"{rrs}><action>{"".join(actions)}</action></recv>'
        )
        if begins:
            self.local, self.remote = f"[${name}_To];tag=callee", f"[${name}_From]"
        return self

    def receives(self, status: int, method: str = "", *, route: bool = False) -> Self:
        """Wait for a response (to that method).

        `route`: take the route set and the remote target from it.
        """
        actions = self._noted("CSeq", method) if method else ""
        if route:  # not by [peer_tag_param], which is of the last response, that to a CANCEL too
            actions += self._noted("To", ".*")
            self.remote = f"[${self.variables[-1]}]"
        action = f"<action>{actions}</action>" if actions else ""
        rrs = ' rrs="true"' if route else ""
        self.steps.append(f'<recv response="{status}"{rrs}>{action}</recv>')
        return self

    def _noted(self, header: str, pattern: str) -> str:
        variable = f"seen{len(self.variables)}"
        self.variables.append(variable)
        return (
            f'<ereg regexp="{pattern}" search_in="hdr" header="{header}:" '
            f'check_it="true" assign_to="{variable}"/>'
        )

    def pause(self, milliseconds: int) -> Self:
        """Let that time pass in which nothing may come."""
        self.steps.append(f'<pause milliseconds="{milliseconds}"/>')
        return self

    # ------------------------------------------------------------------ beginning

    @classmethod
    def caller(cls, name: str, *, offer: int = 1) -> Self:
        """A caller whose INVITE has been sent with its password. Rows: user;[authentication ..];callee."""
        side = cls(name)
        side.local = "<sip:[field0]@[domain]>;tag=caller[pid]"
        side.called = "<sip:[field2]@[domain]>"
        side.remote = f"{side.called}[peer_tag_param]"
        uri = "sip:[field2]@[domain]"
        side.requests("INVITE", "first", uri=uri, offer=offer, fresh=True, hears=False)
        side.steps.append('<recv response="407" auth="true"/>')
        side.requests("ACK", "first", number=1, uri=uri)
        return side.requests("INVITE", "second", uri=uri, offer=offer, extra="[field1]", fresh=True)

    @classmethod
    def callee(cls, name: str) -> Self:
        """A callee that has got the INVITE, kept as `INVITE`."""
        return cls(name).keeps("INVITE", begins=True)

    def write(self, directory: Path) -> Path:
        file = directory / f"{self.name}.xml"
        used = ",".join(self.variables)
        reference = f'<Reference variables="{used}"/>' if used else ""
        steps = "\n".join(self.steps)
        file.write_text(
            '<?xml version="1.0" encoding="ISO-8859-1" ?>\n<!DOCTYPE scenario SYSTEM "sipp.dtd">\n'
            f'<scenario name="{self.name}">\n{steps}\n{reference}</scenario>\n'
        )
        return file


def _branch(name: str) -> str:
    return f"z9hG4bK-[pid]-[call_number]-{name}"
