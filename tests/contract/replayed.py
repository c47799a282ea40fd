"""Prints everything that the engine answers, writes and drops for a fixed list of messages.

Run as a program: `replayed.py SPOILT`, on whichever `sipengine` the import path has first. Whole
registrations and calls come first (bench/replay.py), then the torture messages of RFC 4475, then
SPOILT sound messages with bytes changed, cut or doubled by dice that fall the same way each time.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
sys.path.append(str(PROJECT))

from bench.replay import Replay  # noqa: E402 - after the path
from sipengine.services import core  # noqa: E402
from sipengine.sip.flow import Flow  # noqa: E402


class Told(Replay):
    """A replay that prints what comes out."""

    def __init__(self, transport: str) -> None:
        super().__init__(transport)
        self.seen: list[bytes] = []

    def give(self, kind: str, text: str, flow: Flow) -> list[bytes]:
        self.seen.append(text.encode())
        sent = super().give(kind, text, flow)
        print(kind, sent)
        return sent

    def beat(self) -> list[bytes]:
        facts, held = self.core.take_facts()
        print("facts", facts, "held", held)
        self.core.handle_timers(self.now)
        self.tell("timers")
        return [message for _, message in held]

    def tell(self, what: object) -> None:
        out = self.core.out
        print(what, self.core.next_timer(), out, self.core.take_drops(), self.core.counters())
        out.clear()


def sound(replay: Told) -> None:
    replay.register("100002", "new")
    for _ in range(20):
        replay.register("100002", "refresh")
        replay.options()
        replay.redirect()
        replay.call()


def spoilt(messages: list[bytes], number: int) -> list[bytes]:
    dice = random.Random(4475)
    made = []
    for _ in range(number):
        data = bytearray(dice.choice(messages))
        for _ in range(dice.randint(1, 3)):
            at = dice.randrange(len(data))
            match dice.randrange(5):
                case 0:
                    data[at] = dice.randrange(256)
                case 1:
                    del data[at : at + dice.randint(1, 20)]
                case 2:
                    data[at:at] = dice.choice(
                        (b"\r\n", b",", b";", b'"', b"<", b">", b"%", b"\x00")
                    )
                case 3:
                    data[at:at] = data[at : at + dice.randint(1, 60)]
                case _:
                    other = dice.choice(messages)
                    data[at:] = other[dice.randrange(len(other)) :]
            data = data or bytearray(b" ")
        made.append(bytes(data))
    return made


def main(number: int) -> None:
    print(core.__file__, file=sys.stderr)
    for transport in ("UDP", "TCP"):
        replay = Told(transport)
        sound(replay)
        torture = sorted((PROJECT / "tests/sip/data/torture").glob("*.dat"))
        messages = [file.read_bytes() for file in torture]
        messages += spoilt(replay.seen + messages, number)
        for at, data in enumerate(messages):
            replay.now += 0.01
            replay.core.receive(data, (replay.caller, replay.callee)[at % 2], replay.now)
            replay.tell(data)
            if at % 50 == 0:
                replay.beat()
        for _ in range(100):  # to the end of every transaction and of every call's wait
            replay.now += 4.0
            replay.beat()


if __name__ == "__main__":
    main(int(sys.argv[1]))
