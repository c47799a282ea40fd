"""Phones for the registrar's tests: requests as text, flows without sockets, a clock that is told."""

from __future__ import annotations

from sipengine.api import BindingGone, BindingRecord, ConfigSnapshot, Domain, Extension, Fact
from sipengine.services.location import Location
from sipengine.services.ports import Asker
from sipengine.services.registrar import Registered, Registrar
from sipengine.services.responsibility import Responsibility
from sipengine.sip.digest import expected_response
from sipengine.sip.flow import Flow
from sipengine.sip.message import Message
from sipengine.sip.next_hop import NextHop, Server
from sipengine.sip.parser import parse

DOMAIN = "pbx.test"
LOCAL = ("10.0.0.1", 5060)
WALL = 1_800_000_000.0
"""Seconds since 1970 at monotonic second 0."""

ALICE = Extension(
    "1001",
    DOMAIN,
    "Alice",
    ha1_md5="a" * 32,
    ha1_sha256="b" * 64,
    max_contacts=3,
)
SNAPSHOT = ConfigSnapshot(
    default_domain=DOMAIN,
    domains={DOMAIN: Domain(DOMAIN)},
    extensions={ALICE.aor: ALICE},
)


class FlowsWithoutSockets:
    """`ports.Flows`: one object an address, as the shell has it; `made` are those asked for."""

    def __init__(self) -> None:
        self.made: dict[tuple[str, str, int], Flow] = {}

    def flow_to(self, transport: str, host: str, port: int) -> Flow:
        key = (transport, host, port or 5060)
        if key not in self.made or not self.made[key].open:
            self.made[key] = Flow(transport, LOCAL, key[1:])
        return self.made[key]

    def locate(self, hop: NextHop, seed: str, asker: Asker) -> None:
        raise AssertionError("nobody looks for other domains' servers here")

    def flow_at(self, server: Server) -> Flow:
        return self.flow_to(server.transport, server.host, server.port)

    def stream_beside(self, flow: Flow) -> Flow:
        return self.flow_to("TCP", *flow.remote)

    def close(self, flow: Flow) -> None:
        flow.open = False


def request(
    *headers: str,
    method: str = "REGISTER",
    uri: str = f"sip:{DOMAIN}",
    to: str = f"<sip:1001@{DOMAIN}>",
    call_id: str = "call-1",
    cseq: int = 1,
    branch: str = "z9hG4bK1",
) -> Message:
    """A request as a phone sends it, with further header lines."""
    lines = [
        f"{method} {uri} SIP/2.0",
        f"Via: SIP/2.0/UDP 10.0.0.5:5060;branch={branch}",
        "Max-Forwards: 70",
        f"From: <sip:1001@{DOMAIN}>;tag=1",
        f"To: {to}",
        f"Call-ID: {call_id}",
        f"CSeq: {cseq} {method}",
        *headers,
        "Content-Length: 0",
    ]
    return parse(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))


def credentials(
    challenge_line: str,
    *,
    username: str = "1001",
    ha1: str = "",
    method: str = "REGISTER",
    uri: str = f"sip:{DOMAIN}",
    nc: int = 1,
    qop: bool = True,
    header: str = "Authorization",
) -> str:
    """The Authorization line of a phone that answers a challenge line."""
    given = dict(
        item.strip().replace('"', "").split("=", 1)
        for item in challenge_line.partition("Digest ")[2].split(",")
    )
    algorithm = given["algorithm"]
    fields = {"username": username, "realm": given["realm"], "nonce": given["nonce"], "uri": uri}
    if qop:
        fields |= {"qop": "auth", "nc": f"{nc:08x}", "cnonce": "c0ffee"}
    secret = ha1 or (ALICE.ha1_md5 if algorithm == "MD5" else ALICE.ha1_sha256)
    fields["response"] = expected_response(algorithm, secret, method, fields)
    fields["algorithm"] = algorithm
    bare = ("algorithm", "qop", "nc")
    text = ", ".join(f"{k}={v}" if k in bare else f'{k}="{v}"' for k, v in fields.items())
    return f"{header}: Digest {text}"


class Registrations:
    """A registrar over an empty location service, whose clock stands still until it is told."""

    def __init__(self) -> None:
        self.flows = FlowsWithoutSockets()
        self.facts: list[Fact] = []
        self.location = Location(self.flows, self.facts)
        responsibility = Responsibility([("UDP", *LOCAL)], LOCAL)
        responsibility.set_config(SNAPSHOT)
        self.registrar = Registrar(self.location, responsibility, b"of sixteen bytes")
        self.gruus = self.registrar.gruus
        self.now = 1000.0
        self.cseq = 0
        self.flow = self.udp()

    @property
    def wall(self) -> float:
        return WALL + self.now

    def udp(self, host: str = "10.0.0.5", port: int = 5060) -> Flow:
        return self.flows.flow_to("UDP", host, port)

    def tcp(self, host: str = "10.0.0.5", port: int = 40000) -> Flow:
        """A connection that a phone made."""
        return Flow("TCP", LOCAL, (host, port))

    def send(self, message: Message, flow: Flow | None = None) -> Registered:
        return self.registrar.register(message, ALICE, flow or self.flow, self.now, self.wall)

    def register(
        self,
        *contacts: str,
        expires: int | None = None,
        flow: Flow | None = None,
        call_id: str = "call-1",
        headers: tuple[str, ...] = (),
    ) -> Registered:
        """The next REGISTER of the phone: its CSeq counts up."""
        self.cseq += 1
        lines = [f"Contact: {contact}" for contact in contacts]
        if expires is not None:
            lines.append(f"Expires: {expires}")
        return self.send(request(*lines, *headers, cseq=self.cseq, call_id=call_id), flow)

    def contacts(self) -> list[str]:
        return [b.contact for b in self.location.contacts(ALICE.aor, self.now)]

    def take_facts(self) -> list[str]:
        """What was told since last asked: `+contact` for a record, `-contact why` for an end."""
        told = []
        for fact in self.facts:
            if isinstance(fact, BindingRecord):
                told.append(f"+{fact.contact}")
            elif isinstance(fact, BindingGone):
                told.append(f"-{fact.contact} {fact.why}")
        self.facts.clear()
        return told
