"""Attackers at addresses of their own in 127.0.0.0/8, each a thread with a bounded pace and an end."""

from __future__ import annotations

import random
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from tests.support.wire import Address, Wire
from tests.support.wire_calls import branch
from tests.support.wire_phone import WirePhone

ROUND_S = 0.05
"""Each attacker sends a handful, then rests for the rest of this."""


def request(wire: Wire, method: str, uri: str, number: str = "100", extra: str = "") -> str:
    """A sound request of somebody nobody knows."""
    return (
        f"{method} {uri} SIP/2.0\n"
        f"Via: SIP/2.0/{wire.transport.upper()} {wire.local};rport;branch={branch()}\n"
        f"Max-Forwards: 70\nFrom: <sip:{number}@pbx.test>;tag=1\nTo: <sip:{number}@pbx.test>\n"
        f"Call-ID: {branch()}\nCSeq: 1 {method}\nContact: <sip:{number}@{wire.local}>\n"
        f"{extra}Content-Length: 0\n\n"
    )


class Abuse:
    """Many kinds of attack at once, until `stop`. `sent` counts the messages of each."""

    def __init__(self, server: Address) -> None:
        self.server = server
        self.sent: dict[str, int] = {}
        self.trouble: list[str] = []
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self, name: str, attack: Callable[[], Iterator[int]]) -> None:
        """Run `attack` in a thread; each of its rounds yields how many messages it sent."""

        def run() -> None:
            self.sent[name] = 0
            try:
                for count in attack():
                    self.sent[name] += count
                    if self._stop.wait(ROUND_S):
                        return
            except Exception as error:  # noqa: BLE001  # a thread's root: the test shows it
                self.trouble.append(f"{name}: {error!r}")

        thread = threading.Thread(target=run, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive(), thread.name

    # ------------------------------------------------------------------ the attacks

    def scanner(self, host: str) -> Iterator[int]:
        """Looks for numbers, and says by its User-Agent what it is."""
        with Wire(self.server, host=host) as wire:
            for number in range(100, 100_000_000, 5):
                for method in ("OPTIONS", "REGISTER", "INVITE"):
                    uri = "sip:pbx.test" if method != "INVITE" else f"sip:{number}@pbx.test"
                    agent = "User-Agent: friendly-scanner\n"
                    wire.send(request(wire, method, uri, str(number), agent))
                yield 3

    def flooder(self, host: str, each: int) -> Iterator[int]:
        """Sends what would cost an answer, `each` messages a round."""
        with Wire(self.server, host=host) as wire:
            texts = [request(wire, "REGISTER", "sip:pbx.test") for _ in range(each)]
            texts[::2] = [request(wire, "OPTIONS", "sip:pbx.test") for _ in texts[::2]]
            wire.socket.setblocking(False)
            while True:
                for text in texts:
                    wire.send(text)
                drain(wire.socket)
                yield each

    def rubbish(self, host: str) -> Iterator[int]:
        """Random bytes, mutated requests, over datagrams and connections."""
        chance = random.Random(4475)
        with Wire(self.server, host=host) as wire:
            sound = request(wire, "INVITE", "sip:1001@pbx.test").replace("\n", "\r\n").encode()
            while True:
                for _ in range(10):
                    mutated = bytearray(sound)
                    for _ in range(chance.randrange(1, 8)):
                        mutated[chance.randrange(len(mutated))] = chance.randrange(256)
                    wire.send(bytes(mutated))
                    wire.send(chance.randbytes(chance.randrange(1, 1400)))
                with socket.socket() as stream:
                    stream.settimeout(2)
                    stream.bind((host, 0))
                    try:
                        stream.connect(self.server)
                        stream.sendall(chance.randbytes(500))
                    except OSError:  # shut out by now: a fair answer
                        pass
                yield 21

    def half_open(self, host: str, count: int) -> Iterator[int]:
        """Holds connections with half a message in each, and makes new ones for those it loses."""
        with ExitStack() as stack:
            held: list[socket.socket] = []
            while True:
                for _ in range(min(20, count - len(held))):
                    stream = stack.enter_context(socket.socket())
                    stream.settimeout(2)
                    stream.bind((host, 0))
                    try:
                        stream.connect(self.server)
                        stream.sendall(b"INVITE sip:1001@pbx.test SIP/2.0\r\nVia: ")
                    except OSError:
                        continue
                    held.append(stream)
                yield 20

    def guesser(self, host: str, numbers: list[str]) -> Iterator[int]:
        """Tries passwords: takes each challenge as a phone does and answers it wrongly."""
        for number in numbers * 10_000_000:
            with WirePhone(
                number, "no such secret", server=self.server, domain="pbx.test", host=host
            ) as phone:
                try:
                    phone.register(deadline=0.3)
                except AssertionError:  # shut out: no answer comes
                    pass
            yield 2


def drain(sock: socket.socket) -> None:
    """Read away what has come."""
    try:
        while True:
            sock.recv(65_535)
    except BlockingIOError:
        return


@contextmanager
def abuse_of(server: Address, legitimate: str, numbers: list[str]) -> Iterator[Abuse]:
    """All attacks at once; one guesser and one flood come from the address of good phones."""
    abuse = Abuse(server)
    abuse.start("scanner", lambda: abuse.scanner("127.0.0.61"))
    abuse.start("flood", lambda: abuse.flooder("127.0.0.62", 50))
    abuse.start("rubbish", lambda: abuse.rubbish("127.0.0.63"))
    abuse.start("half-open", lambda: abuse.half_open("127.0.0.64", 300))
    abuse.start("guesser", lambda: abuse.guesser("127.0.0.65", numbers))
    abuse.start("guesser beside phones", lambda: abuse.guesser(legitimate, numbers))
    abuse.start("flood as if of phones", lambda: abuse.flooder(legitimate, 20))
    try:
        yield abuse
    finally:
        abuse.stop()
