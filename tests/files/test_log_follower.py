"""Following a log, from its last lines on, through the cut at its end."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nova_core.files.log_follower import Follower, start_of_last
from nova_core.holder.log_cap import LogCap

LINES = [f"line {n:05} {'x' * 90}\n".encode() for n in range(600)]


def drained(follower: Follower) -> bytes:
    """Everything that is there to read now."""
    return b"".join(iter(follower.read, b""))


@given(st.lists(st.integers(0, len(LINES)), max_size=5), st.integers(1_000, 70_000), st.booleans())
def test_every_line_is_read_once_though_the_log_is_cut(
    tmp_path_factory: pytest.TempPathFactory, looks: list[int], limit: int, newline: bool
) -> None:
    """Whenever the reader looked before: the cut at the end repeats nothing, and nothing of the end is missing."""
    folder = tmp_path_factory.mktemp("logs")
    path = folder / "F1.log"
    lines = [*LINES[:-1], LINES[-1] if newline else LINES[-1].rstrip()]
    follower, read = Follower(path), b""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    cap = LogCap(fd, limit)
    written = 0
    for upto in sorted(looks):
        os.write(fd, b"".join(lines[written:upto]))
        written = max(written, upto)
        read += drained(follower)
    os.write(fd, b"".join(lines[written:]))
    place = os.open(folder, os.O_RDONLY)
    cap.cut(place, path.name)
    os.close(place)
    os.close(fd)
    read += drained(follower)
    follower.close()
    found = [line for line in read.splitlines(keepends=True) if line.startswith(b"line ")]
    if looks:  # the first look opened the whole log
        assert found == lines
    else:
        assert found[-1:] == lines[-1:]
        assert len(found) == len(set(found))


def test_a_new_attempt_is_read_from_its_beginning(tmp_path: Path) -> None:
    """Also if it prints the line that marks a cut: only one whose bytes add up is a cut of what was read."""
    path = tmp_path / "F1.log"
    path.write_bytes(b"first\n")
    follower = Follower(path)
    assert drained(follower) == b"first\n"
    path.rename(tmp_path / "F1.1.log")
    path.write_bytes(b"[nova: 7 bytes of this log were cut here]\nsecond\n")
    assert drained(follower).endswith(b"second\n")
    follower.close()


def test_a_freed_middle_is_one_line_that_says_so(tmp_path: Path) -> None:
    """The zeros in place of freed blocks are never printed."""
    path = tmp_path / "F1.log"
    with path.open("wb") as file:
        file.write(b"a" * 4095 + b"\n")
        file.seek(1 << 20)
        file.write(b"end\n")
    follower = Follower(path)
    read = drained(follower)
    follower.close()
    if os.stat(path).st_blocks * 512 >= 1 << 20:
        pytest.skip("this file system has no holes")
    assert b"\0" not in read
    assert read.count(b" bytes of this log were cut here]\n") == 1
    assert read.startswith(b"aaa")
    assert read.endswith(b"end\n")


@given(st.binary(max_size=300).map(lambda data: data.replace(b"\x01", b"\n")), st.integers(0, 9))
def test_the_last_lines_are_those_of_the_whole_log(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, count: int
) -> None:
    """However many are asked for, with or without a newline at the end, and of whatever length."""
    path = tmp_path_factory.getbasetemp() / "last.log"
    path.write_bytes(data)
    fd = os.open(path, os.O_RDONLY)
    start = start_of_last(fd, count)
    os.close(fd)
    lines = data.split(b"\n")
    lines = [line + b"\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])
    assert data[start:] == b"".join(lines[max(0, len(lines) - count) :])
