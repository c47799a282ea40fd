"""One UDP port for several processes: real sockets, the kernel's filter, and readers that die."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from pbx.supervisor import shared_port
from pbx.supervisor.ports import Port, PortTrouble, check_free
from pbx.supervisor.shared_port import SharedPort
from sipengine.services.share import Share
from tests.net.served import DEADLINE, Served
from tests.support.free_ports import free_port
from tests.support.wait import until

COUNT = 3
HOST = "127.0.0.1"


def refuse_words(words: str) -> None:
    raise AssertionError(words)


@pytest.fixture
def port() -> Port:
    return Port("PBX_SIP_PORT", free_port(), socket.SOCK_DGRAM)


@pytest.fixture
def shared(port: Port) -> Iterator[SharedPort]:
    opened = SharedPort((HOST,), port, COUNT, refuse_words)
    yield opened
    opened.close()


def readers(shared: SharedPort, host: str = HOST) -> list[socket.socket]:
    """A second descriptor of each socket, as a process has it."""
    made = [socket.socket(fileno=os.dup(shared.descriptors(n)[host])) for n in range(COUNT)]
    for reader in made:
        reader.settimeout(DEADLINE)
    return made


def invite(n: int, method: str = "INVITE") -> bytes:
    return (
        f"{method} sip:1002@pbx.test SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bK-{n}-0\r\n"
        f"From: sipp <sip:sipp@127.0.0.1>;tag={n}\r\nTo: <sip:1002@pbx.test>\r\n"
        f"Call-ID: {n}-4711@127.0.0.1\r\nCSeq: 1 {method}\r\nContent-Length: 0\r\n\r\n"
    ).encode()


def ringing(number: int) -> bytes:
    return (
        f"SIP/2.0 180 Ringing\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK{number:x}a3f0217.1;rport\r\n"
        "Via: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bK-1-0\r\nCall-ID: 1\r\nContent-Length: 0\r\n\r\n"
    ).encode()


def test_each_message_comes_to_its_process(shared: SharedPort, port: Port) -> None:
    share = Share(0, COUNT)
    sent: dict[int, list[bytes]] = {number: [] for number in range(COUNT)}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        for n in range(40):
            for data in (
                invite(n),
                invite(n).replace(b"-4711@127.0.0.1", b"~xk2Jq"),
                invite(n, "BYE"),
                invite(n, "REGISTER"),
                ringing(n % COUNT),
                b"\r\n\r\n",
            ):
                phone.sendto(data, (HOST, port.number))
                sent[share.of(data)].append(data)
    assert all(len(mine) > 20 for mine in sent.values())
    for number, reader in enumerate(readers(shared)):
        with reader:
            assert [reader.recv(2000) for _ in sent[number]] == sent[number]


def test_ipv6_has_a_group_of_its_own(port: Port) -> None:
    shared = SharedPort(("::",), port, COUNT, refuse_words)
    try:
        assert list(shared.descriptors(1)) == ["::", "0.0.0.0"]
        data = next(invite(n) for n in range(99) if Share(0, COUNT).of(invite(n)) == 2)
        for host, bound in (("::1", "::"), (HOST, "0.0.0.0")):
            with socket.socket(
                socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM
            ) as phone:
                phone.sendto(data, (host, port.number))
            made = readers(shared, bound)
            assert made[2].recv(2000) == data
            for reader in made:
                reader.close()
    finally:
        shared.close()


READER = """
import socket, sys
reader = socket.socket(fileno=int(sys.argv[1]))
print("reads", flush=True)
while data := reader.recv(2000):
    print(data.split(b"Call-ID: ")[1].split(b"-")[0].decode(), flush=True)
"""


def started(descriptor: int) -> subprocess.Popen[str]:
    reader = subprocess.Popen(
        [sys.executable, "-c", READER, str(descriptor)],
        pass_fds=[descriptor],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert reader.stdout is not None
    assert reader.stdout.readline() == "reads\n"
    return reader


def heard(reader: subprocess.Popen[str], count: int) -> list[int]:
    assert reader.stdout is not None
    return [int(reader.stdout.readline()) for _ in range(count)]


def test_a_killed_process_leaves_its_place_to_its_successor(shared: SharedPort, port: Port) -> None:
    share = Share(0, COUNT)
    calls = {k: [n for n in range(60) if share.of(invite(n)) == k] for k in range(COUNT)}
    processes = [started(shared.descriptors(number)[HOST]) for number in range(COUNT)]
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
            for round_ in range(2):
                for n in range(60):
                    phone.sendto(invite(n), (HOST, port.number))
                for number in range(COUNT):
                    assert heard(processes[number], len(calls[number])) == calls[number]
                victim = round_  # the owner first, then another
                processes[victim].send_signal(signal.SIGKILL)
                processes[victim].communicate(timeout=DEADLINE)
                for n in range(60):
                    phone.sendto(invite(n), (HOST, port.number))
                for number in {*range(COUNT)} - {victim}:
                    assert heard(processes[number], len(calls[number])) == calls[number]
                processes[victim] = started(shared.descriptors(victim)[HOST])
                assert heard(processes[victim], len(calls[victim])) == calls[victim]
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def test_a_second_installation_is_refused_in_the_same_words(shared: SharedPort, port: Port) -> None:
    for open_it in (
        lambda: SharedPort((HOST,), port, COUNT, refuse_words),
        lambda: check_free(HOST, port),
    ):
        with pytest.raises(PortTrouble, match=r"^PBX_SIP_PORT=\d+: UDP port \d+ is in use by"):
            open_it()


def test_a_port_that_another_program_shares_is_taken(port: Port) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind((HOST, port.number))
        with pytest.raises(PortTrouble, match="in use"):
            SharedPort((HOST,), port, COUNT, refuse_words)
    check_free(HOST, port)


def test_a_kernel_with_little_room_gets_a_shorter_filter(
    monkeypatch: pytest.MonkeyPatch, port: Port
) -> None:
    asked: list[int] = []

    def attach(_member: object, filter_: list[object]) -> None:
        asked.append(len(filter_))
        if len(filter_) > 1200:
            raise OSError(errno.ENOMEM, "no room")

    monkeypatch.setattr(shared_port, "attach", attach)
    SharedPort((HOST,), port, COUNT, refuse_words).close()
    assert asked == sorted(asked, reverse=True)
    assert len(asked) == 3


@pytest.mark.parametrize(
    ("number", "words"), [(errno.EPERM, "Operation not permitted"), (errno.ENOMEM, "no room")]
)
def test_a_kernel_that_takes_no_filter_is_told_of(
    monkeypatch: pytest.MonkeyPatch, port: Port, number: int, words: str
) -> None:
    def attach(_member: object, _filter: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(shared_port, "attach", attach)
    said: list[str] = []
    SharedPort((HOST,), port, COUNT, said.append).close()
    assert len(said) == 1
    assert words in said[0]


# ---------------------------------------------------------------------- the engine's end


def test_an_endpoint_reads_a_socket_that_was_bound_for_it(shared: SharedPort, port: Port) -> None:
    calls: list[int] = []
    with Served(
        sockets=shared.descriptors(1), port=port.number, before=lambda: calls.append(1)
    ) as served:
        assert served.port == port.number
        with served.udp() as phone:
            mine = next(invite(n) for n in range(99) if Share(1, COUNT).of(invite(n)) == 1)
            phone.send(mine)
            assert phone.recv(2000) == mine
            assert len(calls) == 1
            (((_, flow)),) = served.core.received
            assert flow.local == (HOST, port.number)


def test_a_bounce_that_reached_this_process_is_told_whoever_sent(
    shared: SharedPort, port: Port
) -> None:
    told: list[tuple[object, object]] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
        gone.bind((HOST, 0))
        nobody = gone.getsockname()
    served = [
        Served(
            sockets=shared.descriptors(number),
            port=port.number,
            bounced=lambda *of: told.append(of),
        )
        for number in range(COUNT)
    ]
    with served[0], served[1], served[2]:
        sender = served[2]
        sender.call(lambda: sender.endpoint.flow_to("UDP", *nobody).send(b"hello"))
        until(lambda: told, "a bounce at one of them")
        assert told == [((HOST, port.number), nobody)]
