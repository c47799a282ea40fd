"""Twenty-millisecond packets both ways of every call, and what became of each."""

from __future__ import annotations

import contextlib
import importlib
import select
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from bench.media.ends import End

FRAME_NS: Final = 20_000_000
TAIL_S: Final = 0.5
ENOUGH_NS: Final = 70_000
"""What the kernel oversleeps."""
_HEADER: Final = struct.Struct("!BBHII")
_STAMP: Final = struct.Struct("qq")


@dataclass
class Stream:
    """One direction: what `sender` sends comes in at `receiver`."""

    sender: End
    receiver: End
    payloads: list[bytes]
    ssrc: int
    transcoded: bool
    sent: list[int] = field(default_factory=list)  # ns, wall clock, by number of the packet
    arrived: list[tuple[bytes, int]] = field(default_factory=list)

    def send(self) -> None:
        number = len(self.sent)
        sender = self.sender
        payload = self.payloads[number % len(self.payloads)]
        if not self.transcoded:
            payload = number.to_bytes(4, "big") + payload[4:]
        packet = (
            _HEADER.pack(
                0x80, sender.number, number & 0xFFFF, number * sender.step & 0xFFFFFFFF, self.ssrc
            )
            + payload
        )
        if sender.protect is not None:
            packet = sender.protect(packet)
        self.sent.append(time.time_ns())
        with contextlib.suppress(OSError):
            sender.socket.sendto(packet, sender.where)

    def read(self) -> None:
        receive = self.receiver.socket.recvmsg
        while True:
            try:
                data, control, _, _ = receive(2048, 64)
            except BlockingIOError:
                return
            except OSError:
                continue
            if len(data) < 12 or data[0] >> 6 != 2 or 192 <= data[1] <= 223:
                continue
            seconds, nanoseconds = _STAMP.unpack(control[0][2])
            self.arrived.append(
                (data if not self.arrived else data[:12], seconds * 10**9 + nanoseconds)
            )

    def verdict(self, after: int) -> tuple[int, list[int]]:
        """(packets lost of all, delays in ns of those sent after `after`)."""
        if not self.arrived:
            return len(self.sent), []
        step = self.receiver.step
        first = self._first_number()
        base = _HEADER.unpack_from(self.arrived[0][0])[3]
        delays, seen = {}, set()
        for data, at in self.arrived:
            ahead = (_HEADER.unpack_from(data)[3] - base) & 0xFFFFFFFF
            ahead -= 1 << 32 if ahead >= 1 << 31 else 0
            number = first + round(ahead / step)
            seen.add(number)
            if 0 <= number < len(self.sent):
                delays[number] = at - self.sent[number]
        if self.transcoded and delays:
            # Which packet a frame was made from is not written in it: what all share is the codec's.
            common = min(delays.values()) // FRAME_NS * FRAME_NS
            delays = {number: delay - common for number, delay in delays.items()}
            expected = (
                max(seen) - min(seen) + 1 + max(0, len(self.sent) - max(seen) - 1 - ALGORITHM)
            )
            lost = max(0, expected - len(seen)) + max(0, min(seen))
        else:
            lost = len(self.sent) - len(seen)
        return lost, [delay for number, delay in delays.items() if self.sent[number] >= after]

    def _first_number(self) -> int:
        if self.transcoded:
            return 0
        data = self.arrived[0][0]
        if self.receiver.unprotect is not None:
            data = self.receiver.unprotect(data)
        return int.from_bytes(data[12:16], "big")


ALGORITHM: Final = 2
"""Frames that a transcoder may still hold at the end."""


@dataclass
class Outcome:
    sent: int
    lost: int
    delays: list[int]
    late_ms: float  # how late the tool itself was at most

    def delay_ms(self, part: float) -> float:
        ordered = sorted(self.delays)
        return ordered[min(len(ordered) - 1, int(len(ordered) * part))] / 1e6 if ordered else 0.0


def run(streams: list[Stream], seconds: float, warm: float, mark: Callable[[], None]) -> Outcome:
    """Send for `warm` + `seconds`, evenly spread; `mark()` is called between the two and at the end."""
    poll = select.epoll()
    by_socket = {}
    for stream in streams:
        poll.register(stream.receiver.socket, select.EPOLLIN)
        by_socket[stream.receiver.socket.fileno()] = stream.read
    clock = time.monotonic_ns
    gap = FRAME_NS / len(streams)
    begin = clock() + 10_000_000
    warm_at = begin + int(warm * 1e9)
    after = 0
    late = 0
    rounds = int((warm + seconds) * 1e9) // FRAME_NS
    for turn in range(rounds):
        for place, stream in enumerate(streams):
            due = begin + turn * FRAME_NS + int(place * gap)
            left = due - clock()
            if left > ENOUGH_NS:  # what comes in meanwhile has the kernel's time stamp
                time.sleep((left - ENOUGH_NS) / 1e9)
            while (left := due - clock()) > 0:
                pass
            late = max(late, -left)
            if -left > FRAME_NS:  # phones do not make up for what is past in one burst
                begin -= left
            if not after and due >= warm_at:
                after = time.time_ns()
                mark()
            stream.send()
            if place % 8 == 0:
                for descriptor, _ in poll.poll(0, 64):
                    by_socket[descriptor]()
    mark()
    end = clock() + int(TAIL_S * 1e9)
    while clock() < end:
        for descriptor, _ in poll.poll(0.05, 64):
            by_socket[descriptor]()
    poll.close()
    lost, delays = 0, []
    for stream in streams:
        some, more = stream.verdict(after)
        lost += some
        delays += more
    return Outcome(sum(len(stream.sent) for stream in streams), lost, delays, late / 1e6)


def voice(codec: str, count: int = 100) -> list[bytes]:
    """Payloads of 20 ms: two seconds of something like a voice."""
    if codec == "PCMU":
        return [
            bytes((place * 7 + each * 13) & 0xFF for place in range(160)) for each in range(count)
        ]
    av, numpy = importlib.import_module("av"), importlib.import_module("numpy")
    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format = 48_000, "mono", "s16"
    encoder.bit_rate = 32_000
    encoder.options = {"application": "voip", "frame_duration": "20"}
    made: list[bytes] = []
    for each in range(count + 4):
        at = numpy.arange(each * 960, each * 960 + 960) / 48_000
        wave = sum(numpy.sin(2 * numpy.pi * f * at) for f in (210, 420, 933, 1811, 2950))
        wave = wave * (1 + numpy.sin(2 * numpy.pi * 3 * at)) * 2500
        frame = av.AudioFrame.from_ndarray(
            wave.astype("<i2").reshape(1, -1), format="s16", layout="mono"
        )
        frame.sample_rate, frame.pts = 48_000, each * 960
        made += [bytes(packet) for packet in encoder.encode(frame)]
    return made[:count]
