"""A world with every transport and both address families, and phones that speak them."""

from __future__ import annotations

from sipengine.services.core import Core
from sipengine.services.own_addresses import OwnAddresses
from sipengine.sip.flow import Flow
from tests.services.user_agents import Phone, new_branch
from tests.services.wire import SECRET, SERVER, Wire

SERVER_V6 = "2001:db8::1"
PORTS = {"UDP": 5060, "TCP": 5060, "TLS": 5061, "WS": 8088, "WSS": 8443}


class ManyWays(Wire):
    """Two connections are never one flow, even of one address: each has its own transport."""

    def _boot(self, instance: str) -> Core:
        self._ways: dict[tuple[str, str, int], Flow] = getattr(self, "_ways", {})
        for flow in self._ways.values():
            flow.open = not flow.reliable  # of an earlier process, if there was one
        listening = [
            (name, host, port) for name, port in PORTS.items() for host in (SERVER[0], SERVER_V6)
        ]
        return Core(
            self.config, self, secret=SECRET, instance=instance, listening=listening,
            advertised=OwnAddresses(SERVER, PORTS, SERVER_V6), now=self.now, wall=self.wall,
            media=self.media,
        )  # fmt: skip

    def flow_to(self, transport: str, host: str, port: int) -> Flow:
        key = (transport, host, port or PORTS[transport])
        flow = self._ways.get(key)
        if flow is None or not flow.open:
            own = SERVER_V6 if ":" in host else SERVER[0]
            # Ours have a port of the system's choice; those that a phone made have the listener's.
            local = (own, 50_000 if transport in ("TCP", "TLS") else PORTS[transport])
            flow = self._ways[key] = Flow(transport, local, key[1:])
        return flow

    def accept(self, phone: Phone, transport: str, host: str, port: int) -> Flow:
        """A connection that a phone has made, or the way its datagrams come."""
        flow = self.flow_to(transport, host, port)
        flow.local = (flow.local[0], PORTS[transport])
        self._phones[flow] = phone
        return flow

    def attach(self, phone: Phone, transport: str, host: str, port: int) -> Flow:
        return self.accept(phone, transport, host, port)


class AnyPhone(Phone):
    """A phone over UDP, TCP, TLS, WS or WSS, by IPv4 or IPv6. A browser has no address to name."""

    @property
    def named(self) -> str:
        if self.transport in ("WS", "WSS"):
            return f"{self.number}.invalid"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def contact(self) -> str:
        extra = "" if self.transport == "UDP" else f";transport={self.transport.lower()}"
        return f"<sip:{self.number}@{self.named}{extra}>"

    def via(self, branch: str = "") -> str:
        named = self.named if ":" in self.named else f"{self.named}:5060"
        return f"SIP/2.0/{self.transport} {named};branch={branch or new_branch()};rport"
