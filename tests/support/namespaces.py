"""Networks of their own for a test (ip-netns): an internet, homes behind NAT, phones in them.

They need root and the programs ip and iptables; names begin with the number of this process, so that
two runs beside each other do not meet.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.support.programs import program

CLONE_NEWNET: Final = 0x40000000
INTERNET: Final = "198.18.{net}.1"
"""The server's address there: of a network for tests (RFC 2544), which no private network is."""

_libc = ctypes.CDLL(None, use_errno=True)


@contextmanager
def inside(namespace: str) -> Iterator[None]:
    """What this thread starts or opens here belongs to that network; "" for the usual one."""
    if not namespace:
        yield
        return
    with open("/proc/thread-self/ns/net") as home:
        with open(f"/var/run/netns/{namespace}") as there:
            _enter(there.fileno())
        try:
            yield
        finally:
            _enter(home.fileno())


def _enter(descriptor: int) -> None:
    if _libc.setns(descriptor, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def possible() -> bool:
    """Whether this process may make networks."""
    return os.geteuid() == 0


class Internet:
    """`with Internet() as net:` a bridge on which the server has `net.server` and homes are reached."""

    def __init__(self) -> None:
        self._mark = f"bl{os.getpid() % 100_000}"
        self._net = os.getpid() % 250
        self.server = INTERNET.format(net=self._net)
        self._homes: list[str] = []

    def __enter__(self) -> Internet:
        try:
            _ip("link", "add", self._mark, "type", "bridge")
            _ip("addr", "add", f"{self.server}/24", "dev", self._mark)
            _ip("link", "set", self._mark, "up")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for name in self._homes:
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)
        subprocess.run(["ip", "link", "del", self._mark], check=False, capture_output=True)

    def home(self, address: str) -> str:
        """A network behind a NAT router with one phone, at `address`; the name of the phone's
        namespace. Whatever comes from outside and answers nothing is dropped, as home routers do."""
        number = len(self._homes) // 2 + 1
        router, phone = f"{self._mark}r{number}", f"{self._mark}p{number}"
        outside = self.server.rpartition(".")[0] + f".{10 + number}"
        gateway = address.rpartition(".")[0] + ".1"
        for name in (router, phone):
            _ip("netns", "add", name)
            self._homes.append(name)
            _ip("-n", name, "link", "set", "lo", "up")
        _ip("link", "add", f"{router}w", "type", "veth", "peer", "name", "wan", "netns", router)
        _ip("link", "set", f"{router}w", "master", self._mark, "up")
        _ip("-n", router, "addr", "add", f"{outside}/24", "dev", "wan")
        _ip("-n", router, "link", "set", "wan", "up")
        _ip(
            "-n",
            router,
            "link",
            "add",
            "lan",
            "type",
            "veth",
            "peer",
            "name",
            "eth",
            "netns",
            phone,
        )
        _ip("-n", router, "addr", "add", f"{gateway}/24", "dev", "lan")
        _ip("-n", router, "link", "set", "lan", "up")
        _ip("-n", phone, "addr", "add", f"{address}/24", "dev", "eth")
        _ip("-n", phone, "link", "set", "eth", "up")
        _ip("-n", phone, "route", "add", "default", "via", gateway)
        with inside(router):
            Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
            tables = program("iptables", "iptables")
            _run(tables, "-t", "nat", "-A", "POSTROUTING", "-o", "wan", "-j", "MASQUERADE")
            _run(tables, "-A", "FORWARD", "-i", "wan", "-m", "conntrack", "--ctstate", "NEW", "-j", "DROP")  # fmt: skip
        return phone


def _ip(*words: str) -> None:
    _run(program("ip", "iproute2"), *words)


def _run(*words: str) -> None:
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(words)}: {done.stderr}"
