"""The journal on disk: nothing acknowledged is lost, nothing half is left (D7, D8)."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sipengine.api import BindingGone, BindingRecord, CallRecord, LegRecord
from sipengine.journal import (
    KIND_DAMAGED,
    START,
    Journal,
    JournalError,
    JournalFull,
    Position,
    decode,
    encode,
)

PROJECT = Path(__file__).resolve().parents[2]


def binding(number: int, **changes: object) -> BindingRecord:
    values = {
        "aor": f"{number}@pbx.example",
        "contact": f"sip:{number}@192.0.2.7:5062;transport=udp",
        "params": '+sip.instance="<urn:uuid:f81d>"',
        "q": 0.5,
        "expires_at": 1_800_000_000.25,
        "call_id": "a84b4c76e66710@192.0.2.7",
        "cseq": 1826,
        "path": ["<sip:edge.example;lr>"],
        "transport": "udp",
        "received": "192.0.2.7:5062",
        "local": "192.0.2.1:5060",
        "user_agent": 'M\xc3\xbcller "phone"\r\n\0',
        "instance": "",
        "reg_id": 0,
        "registered_at": 1_799_999_000.0,
        "updated_at": 1_799_999_400.125,
    }
    return BindingRecord(**{**values, **changes})  # type: ignore[arg-type]


def call(number: int, revision: int) -> CallRecord:
    leg = LegRecord(0, "1002@pbx.example", "sip:1002@h", "", 1.0, 2.0, None, None, 180, "ringing")
    return CallRecord(
        f"00000000-0000-4000-8000-{number:012d}", revision, "pbx.example", ["c1"], ["f", "t"],
        "ringing", "1001@pbx.example", "Alice", "", "1002", "", "", 1.0, 2.0, None, None, "", 180,
        "", "team", "It rings.", ["team: matches"], [leg],
    )  # fmt: skip


def opened(directory: Path, **limits: int) -> Journal:
    return Journal.open(directory / "journal", **limits)


def numbers(journal: Journal, start: Position = START) -> list[int]:
    return [fact.cseq for fact in map(decode, journal.read(start))]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "fact",
    [binding(1), BindingGone("1@d", "sip:1@h", "expired", 3.5), call(1, 2)],
    ids=["binding", "gone", "call"],
)
def test_a_fact_comes_back_as_it_was(tmp_path: Path, fact: object) -> None:
    journal = opened(tmp_path)
    journal.write([encode(fact)])  # type: ignore[arg-type]
    (line,) = journal.read()
    assert decode(line) == fact
    assert line.end == journal.end


def test_the_journal_is_private_and_keeps_its_identity(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    journal.write([encode(binding(1))])
    first = journal.id
    journal.close()
    assert stat.S_IMODE((tmp_path / "journal").stat().st_mode) == 0o700
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "journal").iterdir()}
    assert modes == {0o600}
    assert opened(tmp_path).id == first


def test_only_one_process_has_it_open(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    with pytest.raises(JournalError, match="in use by another engine"):
        opened(tmp_path)
    journal.close()
    opened(tmp_path).close()


def test_segments_are_bounded_read_in_order_and_removed_when_carried(tmp_path: Path) -> None:
    journal = opened(tmp_path, segment_bytes=2_000)
    for number in range(40):
        journal.write([encode(binding(number, cseq=number))])
    segments = sorted((tmp_path / "journal").glob("*.journal"))
    assert len(segments) > 5
    assert all(path.stat().st_size <= 2_000 for path in segments)
    assert numbers(journal) == list(range(40))

    lines = list(journal.read())
    journal.release(lines[20].end)
    assert numbers(journal, lines[20].end) == list(range(21, 40))
    assert numbers(journal)[-1] == 39  # a start that is gone means: from the oldest that is there
    journal.release(journal.end)
    assert len(list((tmp_path / "journal").glob("*.journal"))) == 1
    assert journal.pending_bytes(journal.end) == 0


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    writes=st.lists(st.integers(1, 5), min_size=1, max_size=15),
    max_lines=st.integers(1, 7),
    max_bytes=st.integers(1, 3_000),
    segment_bytes=st.integers(300, 4_000),
)
def test_batches_of_any_size_give_every_line_once(
    tmp_path: Path, writes: list[int], max_lines: int, max_bytes: int, segment_bytes: int
) -> None:
    home = Path(tempfile.mkdtemp(dir=tmp_path))
    journal = opened(home, segment_bytes=segment_bytes)
    written = 0
    for count in writes:
        journal.write([encode(binding(n, cseq=n)) for n in range(written, written + count)])
        written += count
    found: list[int] = []
    position = START
    while lines := journal.batch(position, max_lines, max_bytes):
        assert len(lines) <= max_lines
        found += [decode(line).cseq for line in lines]  # type: ignore[union-attr]
        position = lines[-1].end
    assert found == list(range(written))
    assert position == journal.end
    journal.close()


def test_a_tail_torn_at_any_byte_loses_only_the_torn_lines(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    lines = [encode(binding(n, cseq=n)) for n in range(3)]
    assert len(set(map(len, lines))) == 1
    journal.write(lines)
    journal.close()
    (segment,) = (tmp_path / "journal").glob("*.journal")
    whole = segment.read_bytes()
    for size in range(len(lines[0]), len(whole) + 1):
        for tail in (b"", b"\0" * 40):
            segment.write_bytes(whole[:size] + tail)
            journal = opened(tmp_path)
            kept = size // len(lines[0])
            assert numbers(journal) == list(range(kept))
            journal.write([encode(binding(9, cseq=9))])
            assert numbers(journal) == [*range(kept), 9]
            journal.close()


def test_a_line_damaged_in_the_middle_is_told_and_the_rest_is_read(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    journal.write([encode(binding(n, cseq=n)) for n in range(3)])
    journal.close()
    (segment,) = (tmp_path / "journal").glob("*.journal")
    data = segment.read_bytes()
    segment.write_bytes(data.replace(b'"cseq":1,', b'"cseq":7,'))
    lines = list(opened(tmp_path).read())
    assert [line.kind == KIND_DAMAGED for line in lines] == [False, True, False]
    with pytest.raises(JournalError, match="damaged"):
        decode(lines[1])


WRITER = """
import sys
from pathlib import Path
sys.path[:0] = [sys.argv[2], sys.argv[2] + "/tests/net"]
from sipengine.journal import Journal, encode
from test_journal import binding
journal = Journal.open(Path(sys.argv[1]), segment_bytes=20_000)
number = 0
while True:
    journal.write([encode(binding(n, cseq=n)) for n in range(number, number + 7)])
    number += 7
    print(number, flush=True)
"""


def test_after_kill_9_every_acknowledged_line_is_there(tmp_path: Path) -> None:
    acknowledged = 0
    for wanted in (50, 500):
        home = tmp_path / str(wanted)
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(home), str(PROJECT)], stdout=subprocess.PIPE
        )
        assert writer.stdout is not None
        while acknowledged < wanted:
            acknowledged = int(writer.stdout.readline())
        writer.send_signal(signal.SIGKILL)
        acknowledged = int((writer.stdout.read().split() or [b"%d" % acknowledged])[-1])
        writer.wait()
        writer.stdout.close()
        journal = Journal.open(home)
        found = numbers(journal)
        assert found == list(range(len(found)))
        assert len(found) >= acknowledged
        journal.close()
        acknowledged = 0


FILLER = """
import resource, sys
from pathlib import Path
sys.path[:0] = [sys.argv[2], sys.argv[2] + "/tests/net"]
from sipengine.journal import Journal, JournalFull, encode
from test_journal import binding
resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, resource.RLIM_INFINITY))
journal = Journal.open(Path(sys.argv[1]))
kept = 0
try:
    while True:
        journal.write([encode(binding(n, cseq=n)) for n in range(kept, kept + 3)])
        kept += 3
except JournalFull as full:
    print(full)
assert journal.end.offset == (Path(sys.argv[1]) / "000000000001.journal").stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
journal.write([encode(binding(0, cseq=n)) for n in range(kept, kept + 3)])
print(kept + 3)
"""


def test_a_full_disk_refuses_the_whole_write_and_leaves_nothing_half(tmp_path: Path) -> None:
    # A file-size limit makes the kernel cut a write short and then refuse it, as ENOSPC does.
    done = subprocess.run(
        [sys.executable, "-c", FILLER, str(tmp_path), str(PROJECT)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said, count = done.stdout.splitlines()
    assert "cannot be written: File too large" in said
    journal = Journal.open(tmp_path)
    assert numbers(journal) == list(range(int(count)))
    journal.close()


def test_no_space_left_is_full_and_the_journal_goes_on_afterwards(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    journal.write([encode(binding(0, cseq=0))])
    fine = journal._fd
    journal._fd = os.open("/dev/full", os.O_WRONLY)
    with pytest.raises(JournalFull, match="No space left on device"):
        journal.write([encode(binding(1, cseq=1))])
    os.close(journal._fd)
    journal._fd = fine
    journal.write([encode(binding(2, cseq=2))])
    assert numbers(journal) == [0, 2]
    journal.close()


def test_a_slow_disk_holds_up_the_writer_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine's loop asks for counters, the recorder reads, while a flush is under way."""
    journal = opened(tmp_path)
    journal.write([encode(binding(0, cseq=0))])
    flushing, go_on = threading.Event(), threading.Event()
    flush = os.fdatasync

    def slow(fd: int) -> None:
        flushing.set()
        assert go_on.wait(10)
        flush(fd)

    monkeypatch.setattr(os, "fdatasync", slow)
    writer = threading.Thread(target=journal.write, args=([encode(binding(1, cseq=1))],))
    writer.start()
    assert flushing.wait(10)
    assert numbers(journal) == [0]
    assert journal.counters()["journal_lines_written"] == 1
    journal.release(journal.end)
    go_on.set()
    writer.join()
    assert numbers(journal) == [0, 1]
    journal.close()


def test_the_total_size_is_limited(tmp_path: Path) -> None:
    journal = opened(tmp_path, segment_bytes=1_000, limit_bytes=5_000)
    size = len(encode(binding(1, cseq=1)))
    for number in range(5_000 // size):
        journal.write([encode(binding(1, cseq=number % 10))])
    with pytest.raises(JournalFull, match="its limit is 5000"):
        journal.write([encode(binding(1, cseq=1))])
    assert len(numbers(journal)) == 5_000 // size
    assert sum(p.stat().st_size for p in (tmp_path / "journal").glob("*.journal")) <= 5_000
    journal.release(journal.end)
    journal.write([encode(binding(0, cseq=200))])
    assert numbers(journal)[-1] == 200
    journal.close()


def test_a_journal_from_an_older_backup_goes_on_past_what_was_carried(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    journal.write([encode(binding(1, cseq=1))])
    carried = Position(7, 12_345)
    journal.move_past(carried)
    journal.write([encode(binding(2, cseq=2))])
    assert numbers(journal, carried) == [2]
    journal.close()


def test_a_directory_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "journal").write_text("a file is in the way")
    with pytest.raises(JournalError, match=r"^The journal .* cannot be opened: File exists\.$"):
        opened(tmp_path)


def test_encoding_a_binding_costs_about_a_microsecond() -> None:
    fact = binding(1)
    best = 1.0
    for _ in range(7):
        began = time.process_time()
        for _ in range(5_000):
            encode(fact)
        best = min(best, (time.process_time() - began) / 5_000)
    print(f"encode: {best * 1e6:.2f} us a binding")
    assert best < 6e-6  # 1.1 µs on an idle machine; the margin is for a shared one
