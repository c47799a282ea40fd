"""A NAT for UDP in user space: what comes from inside goes on from a port of its own, and back.

Each inside address has one mapping, which answers from the server alone reach (address- and
port-dependent filtering, as home routers do). `forget` is what a router does when it restarts or
has seen no packet for too long: the next one from inside gets another port.
"""

from __future__ import annotations

import select
import socket
import threading

from tests.support.wire import Address

BUFFER = 65_535
TICK_S = 0.2


class UdpNat:
    """`with UdpNat(server) as nat:` phones use `nat.inside` as the address of the server."""

    def __init__(self, server: Address) -> None:
        self.server = server
        self._inside = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._inside.bind(("127.0.0.1", 0))
        self.inside: Address = self._inside.getsockname()
        self._lock = threading.Lock()
        self._mapped: dict[Address, socket.socket] = {}
        self._forgotten: list[socket.socket] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> UdpNat:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(5)
        self.forget()
        for gone in (self._inside, *self._forgotten):
            gone.close()

    def outside(self, phone: Address) -> Address:
        """Where the server sees a phone."""
        with self._lock:
            address: Address = self._mapped[phone].getsockname()
            return address

    def forget(self) -> None:
        """Lose every mapping. What comes to an old one is lost without a sign, as it is in routers."""
        with self._lock:
            self._forgotten += self._mapped.values()
            self._mapped.clear()

    def _run(self) -> None:
        while not self._over.is_set():
            with self._lock:
                phones = {mapped: phone for phone, mapped in self._mapped.items()}
            ready, _, _ = select.select([self._inside, *phones], [], [], TICK_S)
            for readable in ready:
                try:
                    self._carry(readable, phones.get(readable))
                except ConnectionRefusedError:
                    continue  # nobody listens at the server or at the phone

    def _carry(self, readable: socket.socket, phone: Address | None) -> None:
        data, source = readable.recvfrom(BUFFER)
        if phone is not None:
            with self._lock:
                forgotten = self._mapped.get(phone) is not readable
            if source == self.server and not forgotten:
                self._inside.sendto(data, phone)
            return
        with self._lock:
            mapped = self._mapped.get(source)
            if mapped is None:
                mapped = self._mapped[source] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                mapped.bind(("127.0.0.1", 0))
        mapped.sendto(data, self.server)
