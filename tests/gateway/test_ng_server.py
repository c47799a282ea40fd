"""The ng protocol's server side: commands, repetitions, hostile input."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from sipengine.gateway import ng_server
from sipengine.media import commands
from sipengine.media.bencode import Value, decode, encode
from tests.gateway.served import TO_PHONE, Served, audio
from tests.support.wait import eventually


async def test_ping(served: Served) -> None:
    """With what tells one process from the next, so that a restart is noticed."""
    first = await served.controller.exchange(b"x1 d7:command4:pinge")
    assert first.startswith(b"x1 d4:born16:")
    assert first.endswith(b"6:result4:ponge")
    assert (await served.controller.exchange(b"x2 d7:command4:pinge"))[2:] == first[2:]


async def test_a_repeated_cookie_gets_the_same_answer_and_nothing_is_done_twice(
    served: Served,
) -> None:
    phone = served.phone()
    offer: dict[str, Any] = {"command": "offer", "call-id": "one", "from-tag": "a", **TO_PHONE}
    command = encode(offer | {"sdp": phone.sdp()})
    first = await served.controller.exchange(b"same " + command)
    assert await served.controller.exchange(b"same " + command) == first
    assert served.gateway.total == 1
    delete = encode({"command": "delete", "call-id": "one", "from-tag": "a"})
    ended = await served.controller.exchange(b"gone " + delete)
    assert b"6:result2:ok" in ended
    assert await served.controller.exchange(b"gone " + delete) == ended
    assert b"Unknown call-id" in await served.controller.exchange(b"gone2 " + delete)


async def test_list_and_statistics(served: Served) -> None:
    phone = served.phone()
    for name in ("one", "two"):
        await served.controller.offer(name, "a", phone.sdp(), **TO_PHONE)
    told = await served.controller.ask(command="list")
    assert told["calls"] == [b"one", b"two"]
    assert (await served.controller.ask(command="list", limit=1))["calls"] == [b"one"]
    numbers = (await served.controller.ask(command="statistics"))["statistics"]
    assert (numbers["calls_now"], numbers["port_pairs_now"]) == (2, 4)


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ({"command": "dance"}, b"Unrecognized command"),
        ({"nothing": 1}, b"Unrecognized command"),
        ({"command": ["offer"]}, b"Unrecognized command"),
        ({"command": "offer"}, b"No call-id"),
        ({"command": "offer", "call-id": "x"}, b"No from-tag"),
        ({"command": "offer", "call-id": "x" * 600, "from-tag": "a"}, b"No call-id"),
        ({"command": "offer", "call-id": 7, "from-tag": "a"}, b"No call-id"),
        (
            {"command": "offer", "call-id": "x", "from-tag": "a", "sdp": "v=1"},
            b"no session description",
        ),
        ({"command": "answer", "call-id": "x", "from-tag": "a", "to-tag": "b"}, b"Unknown call-id"),
        ({"command": "query", "call-id": "x"}, b"Unknown call-id"),
        ({"command": "delete", "call-id": "x"}, b"Unknown call-id"),
    ],
)
async def test_commands_that_cannot_be_done_are_answered_in_words(
    served: Served, command: dict[str, Any], why: bytes
) -> None:
    answer = await served.controller.exchange(b"c " + encode(command))
    told: Any = decode(answer.partition(b" ")[2])
    assert told["result"] == b"error"
    assert why in told["error-reason"]


async def test_answers_that_do_not_fit_are_refused_and_the_call_stays(served: Served) -> None:
    caller, callee = served.phone(), served.phone()
    await served.controller.offer("call", "a", caller.sdp("8"), **TO_PHONE)
    for bad, why in (
        (callee.sdp("18"), b"share no codec"),
        ("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\n", b"fewer media"),
        ("rubbish", b"no session description"),
    ):
        told = await served.controller.ask(
            command="answer", call_id="call", from_tag="a", to_tag="b", sdp=bad
        )
        assert why in told["error-reason"]
    answer = await served.controller.answer("call", ("a", "b"), callee.sdp("8"), **TO_PHONE)
    assert audio(answer).port
    told = await served.controller.ask(
        command="answer", call_id="call", from_tag="a", to_tag="b",
        sdp=callee.sdp("8").replace(f"audio {callee.port}", "audio 0"),
    )  # fmt: skip
    assert b"m=audio 0 " in told["sdp"]


async def test_an_offer_that_fails_leaves_no_port_behind(served: Served) -> None:
    await served.controller.ask(
        command="offer", call_id="x", from_tag="a", sdp="v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\n"
    )
    numbers = (await served.controller.ask(command="statistics"))["statistics"]
    assert (numbers["calls_now"], numbers["port_pairs_now"]) == (0, 0)


async def test_noise_on_the_control_port_does_nothing(served: Served) -> None:
    noise = random.Random(4)
    for size in (0, 1, 7, 60, 400, 9000):
        for _ in range(20):
            served.server.answer(noise.randbytes(size), ("127.0.0.1", 9))
    for data in (b" d7:command4:pinge", b"no-space", b"c " + b"l" * 5000, b"c " * 200):
        served.server.answer(data, ("127.0.0.1", 9))
    assert served.server.broken > 50
    assert b"pong" in await served.controller.exchange(b"x d7:command4:pinge")


async def test_nobody_is_told_to_send_to_services_of_this_machine(served: Served) -> None:
    """A description from far away that names loopback: nothing is sent there."""
    caller, callee = served.phone(), served.phone()
    offer = {**TO_PHONE, "received-from": ["IP4", "203.0.113.5"]}
    to_callee = await served.controller.offer("call", "a", caller.sdp("8"), **offer)
    await served.controller.answer("call", ("a", "b"), callee.sdp("8"), **TO_PHONE)
    await callee.talk(audio(to_callee), 5)
    leg = served.gateway._calls["call"].legs[0]
    assert leg.unsent == 5
    assert not caller.received


async def test_hostile_descriptions_cost_an_answer_each(served: Served) -> None:
    good = served.phone().sdp("0 8 101")
    noise = random.Random(7)
    for count in range(300):
        text = list(good)
        for _ in range(noise.randint(1, 12)):
            at = noise.randrange(len(text))
            text[at] = chr(noise.randrange(256))
        told = await served.controller.ask(
            command="offer", call_id=f"n{count}", from_tag="a", sdp="".join(text), ICE="remove"
        )
        assert told["result"] in (b"ok", b"error")
        await served.controller.ask(command="delete", call_id=f"n{count}", from_tag="a")
    numbers = (await served.controller.ask(command="statistics"))["statistics"]
    assert numbers["port_pairs_now"] == 0


async def test_a_description_that_is_too_long_is_refused_in_words(served: Served) -> None:
    """Its answer would not fit a datagram, and who gets none takes the gateway for dead."""
    sdp = served.phone().sdp("8") + ("a=x:" + "y" * 1000 + "\r\n") * 40
    told = await served.controller.ask(command="offer", call_id="x", from_tag="a", sdp=sdp)
    assert b"too long" in told["error-reason"]


async def test_an_answer_that_fits_no_datagram_is_told_to_be_too_long(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ng_server, "MAX_ANSWER", 400)
    for name in ("one" * 100, "two" * 100):
        await served.controller.offer(name, "a", served.phone().sdp(), **TO_PHONE)
    told = await served.controller.ask(command="list")
    assert (told["result"], told["error-reason"]) == (
        b"error",
        b"The answer is too long for a datagram",
    )


async def test_kept_answers_have_a_limit_of_octets(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ng_server, "MAX_KEPT", 1000)
    for _ in range(40):
        await served.controller.ask(command="ping")
    kept = served.server._answers
    assert 5 < len(kept) < 40
    assert served.server._kept == sum(len(answer) for answer in kept.values()) <= 1000


async def test_rubbish_on_the_control_port_leaves_the_voice_its_turn(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What takes longest to read: thousands of values in a datagram, and many datagrams."""
    monkeypatch.setattr(ng_server, "SLICE_S", 0.0005)
    caller, callee = served.phone(), served.phone()
    to_callee = await served.controller.offer("call", "a", caller.sdp("8"), **TO_PHONE)
    await served.controller.answer("call", ("a", "b"), callee.sdp("8"), **TO_PHONE)
    for _ in range(6):
        served.controller.socket.send(b"c l" + b"le" * 8200)
    callee.send(audio(to_callee))
    served.server._on_readable()
    assert 0 < served.server.broken < 6
    await eventually(lambda: bool(caller.received))
    assert served.server.broken < 6
    await eventually(lambda: served.server.broken == 6)


async def test_a_defect_costs_its_command_and_not_the_gateway(served: Served) -> None:
    """Who gets no answer takes the gateway for dead, with all of its calls."""

    def broken(request: object) -> dict[str, Value]:
        raise RuntimeError("a defect of ours")

    defects: list[object] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda loop, context: defects.append(context["exception"]))
    served.gateway._commands["statistics"] = broken
    told = await served.controller.ask(command="statistics")
    assert (told["result"], len(defects)) == (b"error", 1)
    judged = commands.answer({"result": "error", "error-reason": told["error-reason"]}, 0)
    assert judged.status == 503
    assert (await served.controller.ask(command="ping"))["result"] == b"pong"
