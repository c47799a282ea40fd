"""Log lines: the form, the redactor, and what a scanner can provoke."""

from __future__ import annotations

import io

import pytest
import structlog

from sipengine.observe import logs, undurable
from sipengine.observe.undurable import Undurable


@pytest.fixture
def log() -> io.StringIO:
    stream = io.StringIO()
    logs.configure(stream)
    return stream


def test_a_line_has_a_constant_message_and_fields(log: io.StringIO) -> None:
    structlog.get_logger().info("connection closed", peer="192.0.2.1:5060", why="too slow")
    line = log.getvalue()
    assert line.count("\n") == 1
    assert 'level=info event="connection closed" peer=192.0.2.1:5060 why="too slow"' in line


SECRETS = [
    'Authorization: Digest username="alice", response="8f3c"\r\nVia: x',
    "Proxy-Authorization:Digest username=alice\r\n",
    'x response="8f3c" y',
    "x, nonce=8f3c, y",
    "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:8f3cZZ|2^20",
    "a=ice-pwd:8f3cZZ",
    "postgresql://pbx:8f3c@/branchline",
]


@pytest.mark.parametrize("text", SECRETS)
def test_what_looks_like_a_secret_is_hidden_in_texts_and_bytes(log: io.StringIO, text: str) -> None:
    for value in (text, text.encode()):
        structlog.get_logger().warning("message dropped", beginning=value)
    assert "8f3c" not in log.getvalue()
    assert "alice" not in log.getvalue()
    assert log.getvalue().count(logs.HIDDEN) >= 2


@pytest.mark.parametrize("name", ["password", "ha1_md5", "nonce", "Authorization", "secret"])
def test_what_is_named_like_a_secret_is_hidden(log: io.StringIO, name: str) -> None:
    structlog.get_logger().warning("x", **{name: "8f3c"})
    assert "8f3c" not in log.getvalue()


def test_a_line_break_in_a_field_cannot_forge_a_line(log: io.StringIO) -> None:
    structlog.get_logger().warning(
        "message dropped", beginning=b"x\r\nlevel=info event=forged\x1b[2J"
    )
    assert log.getvalue().count("\n") == 1
    assert "\x1b" not in log.getvalue()


def test_a_flood_gives_a_few_lines_and_their_number(
    log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr(logs, "monotonic", lambda: now)
    scarce = logs.Scarce(2)
    for _ in range(50):
        scarce.warning("message dropped")
    assert log.getvalue().count("message dropped") == 2
    now = 101.0
    scarce.warning("message dropped")
    assert log.getvalue().count("message dropped") == 3
    assert "kept_back=48" in log.getvalue()


def test_a_full_disk_is_told_once_a_minute_and_its_end_once(
    log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    for module in (logs, undurable):
        monkeypatch.setattr(module, "monotonic", lambda: now)
    journal = Undurable()
    for _ in range(600):  # ten minutes, one in a second
        journal.refused("No space left on device", 5)
        journal.look(5)
        now += 1
    assert log.getvalue().count("facts refused by the journal") == 10
    assert "kept_back=59" in log.getvalue()
    journal.look(6)  # something was small enough
    assert "again" not in log.getvalue(), "one fact does not make a disk"
    now += 10
    journal.look(6)
    journal.look(7)
    assert log.getvalue().count('level=info event="the journal takes facts again"') == 1
    journal.refused("No space left on device", 7)
    assert log.getvalue().count("facts refused by the journal") == 11, "another time, at once"
