"""Reading logs that are written, freed in the middle, cut and emptied by other processes, with real files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from nova_core.agents import FORMATS
from nova_core.agents.log import AgentLog
from nova_core.files.log_tail import LogTail
from nova_core.holder.log_cap import BLOCK, LogCap

LINE = b"Token usage: input=1, output=0\n" + b"." * 68 + b"\n"  # 100 bytes
ALL = 1 << 40


class Reading:
    """A log in a file, and its reader."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.tail = LogTail()
        self.log: AgentLog = FORMATS["shell"]()

    def write(self, count: int) -> None:
        with self.path.open("ab") as file:
            file.write(LINE * count)

    def read(self, most: int = ALL, late: bool = False) -> bool:
        return self.tail.read(self.path, self.log, most, lambda: late)

    @property
    def counted(self) -> int:
        return self.log.usage.input_tokens

    def cap(self, limit: int) -> tuple[int, LogCap]:
        fd = os.open(self.path, os.O_RDWR | os.O_APPEND)
        return fd, LogCap(fd, limit)

    def cut(self, limit: int) -> int:
        fd, cap = self.cap(limit)
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            return cap.cut(folder, self.path.name)
        finally:
            os.close(folder)
            os.close(fd)


@pytest.fixture
def reading(tmp_path: Path) -> Iterator[Reading]:
    found = Reading(tmp_path / "A.log")
    yield found
    found.tail.close()


def test_only_what_is_new_is_read(reading: Reading) -> None:
    """Each look continues where the last one stopped."""
    assert not reading.read()
    reading.write(3)
    assert reading.read()
    assert not reading.read()
    reading.write(2)
    assert reading.read()
    assert (reading.counted, reading.log.gap, reading.tail.behind) == (5, False, False)


def test_a_look_is_bounded_by_bytes_and_by_time(reading: Reading) -> None:
    """The rest is known to exist, and read later."""
    reading.write(50_000)
    looks = 1
    while reading.read(most=1 << 20) and reading.tail.behind:
        assert reading.tail.offset <= looks * (1 << 20) + (1 << 18)
        assert not reading.tail.caught_up
        looks += 1
    assert (looks, reading.counted, reading.tail.caught_up) == (5, 50_000, True)
    reading.write(50_000)
    reading.read(late=True)
    assert reading.tail.behind, "one piece is read even by those who are late"
    assert 50_000 < reading.counted < 60_000


def test_the_end_of_a_log_that_is_cut_is_read(reading: Reading) -> None:
    """The holder replaces the log by a shorter one before the last look: nothing is missing."""
    reading.write(1000)
    reading.read()
    reading.write(1000)
    assert reading.cut(20_000) > 0
    reading.read()
    assert (reading.counted, reading.log.gap) == (2000, False)


def test_a_log_that_was_cut_before_the_first_look_has_a_gap(reading: Reading) -> None:
    """Head and tail count; the missing part is reported as missing."""
    reading.write(2000)
    reading.cut(20_000)
    reading.read()
    assert 190 <= reading.counted <= 200
    assert reading.log.gap


def test_what_was_freed_unread_is_a_gap(reading: Reading) -> None:
    """A late reader skips the hole, and reports it as missing."""
    reading.write(100)
    reading.read()
    reading.write(10_000)
    fd, cap = reading.cap(40_000)
    cap.free_middle()
    holed = os.fstat(fd).st_blocks * 512 < 1_000_000
    os.close(fd)
    if not holed:
        pytest.skip("this file system frees nothing")
    reading.read()
    lost = (1_010_000 - 40_000) // 100
    assert reading.log.gap
    assert abs(reading.counted - (10_100 - lost)) <= 4 * BLOCK // 100
    assert not reading.tail.behind


def test_in_a_hurry_only_the_end_is_read(reading: Reading) -> None:
    """The part that shows how it ended is read, the rest is reported as missing."""
    reading.write(50_000)
    reading.read(most=1)
    reading.tail.hurry(reading.log)
    reading.read()
    assert reading.log.gap
    assert 10_000 < reading.counted < 15_000
    assert not reading.tail.behind


def test_what_comes_after_the_end_is_not_waited_for(reading: Reading) -> None:
    """A process that outlived its task may print forever."""
    reading.write(10)
    reading.tail.end()
    reading.read(most=1)
    reading.write(10)
    assert not reading.read()
    assert (reading.counted, reading.tail.behind) == (10, False)


def test_a_log_that_was_emptied_is_read_on(reading: Reading) -> None:
    """Later output counts, and something may be missing."""
    reading.write(10)
    reading.read()
    reading.path.write_bytes(b"")
    reading.read()
    reading.write(5)
    reading.read()
    assert reading.log.gap
    assert 14 <= reading.counted <= 15


@pytest.mark.parametrize("kind", ["link", "fifo", "device", "folder"])
def test_only_plain_files_are_logs(kind: str, reading: Reading, tmp_path: Path) -> None:
    """A worker may put anything in place of its log."""
    if kind == "link":
        (tmp_path / "secret").write_bytes(LINE)
        reading.path.symlink_to("secret")
    elif kind == "fifo":
        os.mkfifo(reading.path)
    elif kind == "device":
        reading.path.symlink_to("/dev/zero")
    else:
        reading.path.mkdir()
    assert not reading.read()
    assert (reading.counted, reading.tail.behind) == (0, False)


def test_a_reader_that_fails_is_not_fed_the_same_again(reading: Reading, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise it would fail forever."""
    reading.write(5)

    def fail(data: bytes) -> None:
        raise ValueError(len(data))

    monkeypatch.setattr(reading.log, "feed", fail)
    with pytest.raises(ValueError, match="500"):
        reading.read()
    assert not reading.read()


def test_a_closed_log_is_opened_again(reading: Reading) -> None:
    """While it is the same file nothing is missing; after a cut something may be missing."""
    reading.write(1000)
    reading.read()
    reading.tail.close()
    reading.write(1000)
    reading.read()
    assert (reading.counted, reading.log.gap) == (2000, False)
    reading.tail.close()
    reading.cut(20_000)
    reading.read()
    assert (reading.counted, reading.log.gap) == (2000, True)
