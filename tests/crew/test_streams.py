"""The streams between an engine's processes: in order, whole, bounded, and made again when lost."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from sipengine.crew import hub as hub_module
from sipengine.crew import stream as stream_module
from sipengine.crew.frames import Bounced, Frame, Hello, Passed, Watch, decode, encode
from sipengine.crew.hub import Hub
from sipengine.crew.member import Member
from tests.support.wait import eventually

MESSAGE = Passed(
    7, "TCP", ("192.0.2.1", 5060), ("192.0.2.7", 40000), b"BYE sip:a@b SIP/2.0\r\n\r\n"
)


class Crew:
    """A hub and what it heard."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.loop = asyncio.get_running_loop()
        self.heard: list[tuple[int, Frame]] = []
        self.comings: list[str] = []
        self.rounds = 0
        self.members: list[Member] = []
        self.hub = self.make_hub()

    def make_hub(self) -> Hub:
        hub = Hub(self.loop, self.path, 3, self.after)
        hub.on(Passed, lambda number, frame: self.heard.append((number, frame)))
        hub.on(Bounced, lambda number, frame: self.heard.append((number, frame)))
        hub.on_join(lambda number: self.comings.append(f"{number} came"))
        hub.on_leave(lambda number: self.comings.append(f"{number} left"))
        return hub

    def after(self, _now: float) -> None:
        self.rounds += 1

    def member(self, number: int, count: int = 3) -> tuple[Member, list[Frame]]:
        member = Member(self.loop, self.path, number, count, lambda _now: None)
        told: list[Frame] = []
        for kind in (Passed, Watch):
            member.on(kind, told.append)
        member.open()
        self.members.append(member)
        return member, told

    def close(self) -> None:
        for member in self.members:
            member.close()
        self.hub.close()


@pytest.fixture
async def crew() -> AsyncIterator[Crew]:
    with TemporaryDirectory() as folder:
        made = Crew(Path(folder) / "engine.sock")
        made.hub.open()
        yield made
        made.close()


def test_a_frame_comes_back_as_it_was_told() -> None:
    assert decode(encode(MESSAGE)[4:]) == MESSAGE


async def test_each_side_tells_the_other_in_order(crew: Crew) -> None:
    member, told = crew.member(2)
    await eventually(lambda: crew.hub.present == {2})
    frames = [Bounced(("192.0.2.1", 5060), ("192.0.2.9", port)) for port in range(1, 500)]
    for frame in frames:
        member.tell(frame)
    for number in range(500):
        crew.hub.tell(2, Watch(f"{number}@pbx.test"))
    await eventually(lambda: len(crew.heard) == 499 and len(told) == 500)
    assert crew.heard == [(2, frame) for frame in frames]
    assert told == [Watch(f"{number}@pbx.test") for number in range(500)]
    assert 0 < crew.rounds < 400  # one drain a wake-up, not one a frame


async def test_all_are_told_and_one_alone(crew: Crew) -> None:
    _, told_1 = crew.member(1)
    _, told_2 = crew.member(2)
    await eventually(lambda: crew.hub.present == {1, 2})
    crew.hub.tell_all(Watch("10@pbx.test"))
    crew.hub.tell(2, Watch("11@pbx.test"))
    await eventually(lambda: len(told_2) == 2)
    await eventually(lambda: told_1 == [Watch("10@pbx.test")])


async def test_a_message_for_a_worker_that_is_away_waits_for_it(crew: Crew) -> None:
    crew.hub.tell(1, Watch("10@pbx.test"))  # it will be told anew what it must know: dropped
    crew.hub.tell(1, MESSAGE)
    _, told = crew.member(1)
    await eventually(lambda: told == [MESSAGE])
    assert crew.hub.dropped == 0


async def test_only_so_many_messages_wait_and_the_oldest_go(
    crew: Crew, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "KEPT", 2)
    for port in (1, 2, 3):
        crew.hub.tell(1, Passed(7, "TCP", ("192.0.2.1", 5060), ("192.0.2.7", port), b""))
    _, told = crew.member(1)
    await eventually(lambda: len(told) == 2)
    assert [frame.remote[1] for frame in told if isinstance(frame, Passed)] == [2, 3]
    assert crew.hub.dropped == 1


async def test_messages_that_waited_too_long_are_not_told(
    crew: Crew, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "KEPT_S", -1.0)
    crew.hub.tell(1, MESSAGE)
    _, told = crew.member(1)
    await eventually(lambda: crew.hub.dropped == 1)
    assert not told


async def test_a_worker_joins_again_when_the_owner_comes_back(crew: Crew) -> None:
    member, told = crew.member(1)
    await eventually(lambda: crew.hub.present == {1})
    crew.hub.close()
    await eventually(lambda: not member.joined)
    member.tell(MESSAGE)  # nobody is there: dropped
    crew.hub = crew.make_hub()
    crew.hub.open()
    await eventually(lambda: crew.hub.present == {1})
    crew.hub.tell(1, Watch("10@pbx.test"))
    await eventually(lambda: told == [Watch("10@pbx.test")])
    assert not crew.heard
    assert member.losses == 1


async def test_the_successor_of_a_worker_takes_its_place(crew: Crew) -> None:
    old, _ = crew.member(1)
    await eventually(lambda: crew.hub.present == {1})
    _, told = crew.member(1)
    await eventually(lambda: crew.comings == ["1 came", "1 left", "1 came"])
    old.close()
    crew.hub.tell(1, Watch("10@pbx.test"))
    await eventually(lambda: told == [Watch("10@pbx.test")])
    assert crew.hub.present == {1}


@pytest.mark.parametrize(
    "first", [Hello(3, 3, 1), Hello(0, 3, 1), Hello(1, 4, 1), MESSAGE], ids=lambda f: repr(f)[:16]
)
async def test_who_is_no_worker_of_this_engine_is_not_let_in(crew: Crew, first: Frame) -> None:
    with socket.socket(socket.AF_UNIX) as stranger:
        stranger.connect(str(crew.path))
        stranger.sendall(encode(first))
        stranger.setblocking(False)
        assert await asyncio.wait_for(crew.loop.sock_recv(stranger, 1), 5) == b""
    assert not crew.hub.present


@pytest.mark.parametrize("broken", [b"\xff\xff\xff\xff", b"\0\0\0\1\xc1"])
async def test_what_is_no_frame_ends_the_stream(crew: Crew, broken: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as odd:
        odd.connect(str(crew.path))
        odd.sendall(encode(Hello(1, 3, 1)) + broken)
        odd.setblocking(False)
        assert await asyncio.wait_for(crew.loop.sock_recv(odd, 1), 5) == b""
    await eventually(lambda: crew.comings == ["1 came", "1 left"])


async def test_a_worker_that_does_not_read_is_given_up(
    crew: Crew, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_module, "UNSENT", 1_000_000)
    with socket.socket(socket.AF_UNIX) as slow:
        slow.connect(str(crew.path))
        slow.sendall(encode(Hello(1, 3, 1)))
        await eventually(lambda: crew.hub.present == {1})
        for _ in range(20):
            crew.hub.tell(1, Passed(7, "TCP", ("", 0), ("", 0), b"x" * 100_000))
        assert crew.comings == ["1 came", "1 left"]


async def test_who_has_much_to_tell_hears_when_it_is_taken(crew: Crew) -> None:
    _, told = crew.member(1)
    await eventually(lambda: crew.hub.present == {1})
    left = [Passed(7, "TCP", ("", 0), ("", 0), b"x" * 100_000)] * 50
    most = 0

    def go_on() -> None:
        nonlocal most
        stream = crew.hub.stream(1)
        assert stream is not None
        for _ in range(5):
            if left:
                crew.hub.tell(1, left.pop())
        most = max(most, stream.waiting)
        if left:
            stream.when_drained(go_on)

    go_on()
    await eventually(lambda: len(told) == 50)
    assert most < 600_000


async def test_a_defect_in_one_frame_costs_that_one(crew: Crew) -> None:
    defects: list[str] = []
    crew.loop.set_exception_handler(lambda _loop, context: defects.append(context["message"]))
    member, _ = crew.member(1)
    member.tell(Watch("10@pbx.test"))  # the owner takes none
    member.tell(MESSAGE)
    await eventually(lambda: crew.heard == [(1, MESSAGE)])
    assert defects == ["a frame (Watch) was not taken"]
