"""The index of a log: lines from any position, forwards and backwards, while the file grows, shrinks or is replaced."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nova_core.files import log_index as logindex
from nova_core.files.log_index import Change, LogIndex

CONTENT = st.lists(st.sampled_from([b"\n", b"a", b"bc\n", b"x" * 7, b"y" * 40, b"\n\n"]), max_size=60).map(b"".join)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """The path of the log, which may not exist yet."""
    return tmp_path / "T1.log"


def small() -> ExitStack:
    """Blocks of 8 bytes and windows of 16: a few bytes meet every border."""
    stack = ExitStack()
    stack.enter_context(patch.object(logindex, "BLOCK", 8))
    stack.enter_context(patch.object(logindex, "WINDOW", 16))
    return stack


def lines_forward(index: LogIndex) -> list[int]:
    """Starts of all lines, from the first."""
    starts, start = [], 0
    while start < index.size:
        starts.append(start)
        start = index.next_line(start)
    return starts


def lines_backward(index: LogIndex) -> list[int]:
    """Starts of all lines, found from the last."""
    starts, offset = [], index.size
    while offset > 0:
        offset = index.line_start(offset - 1)
        starts.append(offset)
    return starts[::-1]


def expected_starts(data: bytes, window: int) -> list[int]:
    """The rule of the docstring, applied byte by byte."""
    return [
        i for i in range(len(data))
        if i == 0 or data[i - 1 : i] == b"\n" or (i % window == 0 and b"\n" not in data[i - window : i])
    ]  # fmt: skip


@given(data=CONTENT)
def test_lines_are_the_same_from_both_ends(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    """Forwards and backwards give the lines of the rule, and every offset belongs to the line before it."""
    path = tmp_path_factory.mktemp("log") / "T1.log"
    path.write_bytes(data)
    with small():
        index = LogIndex(path)
        starts = expected_starts(data, 16)
        assert lines_forward(index) == starts
        assert lines_backward(index) == starts
        for offset in range(len(data)):
            assert index.line_start(offset) == max(s for s in starts if s <= offset)
        index.close()


@given(pieces=st.lists(CONTENT, max_size=6), budget=st.integers(1, 30))
def test_counting_follows_growth(tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes], budget: int) -> None:
    """However the log grows and however little is counted at a time, line numbers are those of the bytes."""
    path = tmp_path_factory.mktemp("log") / "T1.log"
    path.write_bytes(b"")
    with small():
        index, data = LogIndex(path), b""
        for piece in pieces:
            with path.open("ab") as file:
                file.write(piece)
            data += piece
            assert index.poll() is (Change.GROWN if piece else Change.NONE)
            index.advance(budget)
            assert index.newlines == data[: index.indexed].count(b"\n")
            assert index.line_number(index.indexed + 1) is None
        while index.advance(budget):
            pass
        assert index.read(0, len(data)) == data
        assert [index.line_number(i) for i in range(len(data) + 1)] == [
            data[:i].count(b"\n") for i in range(len(data) + 1)
        ]
        index.close()


def test_a_missing_log_comes_later(log: Path) -> None:
    """A missing file is empty and not a problem; once it exists this is reported until it is opened."""
    index = LogIndex(log)
    assert (index.is_open, index.size, index.problem, index.poll()) == (False, 0, "", Change.NONE)
    log.write_bytes(b"hello\n")
    assert [index.poll(), index.poll()] == [Change.RENEWED, Change.RENEWED]
    index.reopen()
    assert (index.poll(), index.read(0, 99)) == (Change.NONE, b"hello\n")


def test_a_rotated_log_stays_readable(log: Path) -> None:
    """After a rename the old file is still read until the new one is opened."""
    log.write_bytes(b"old\n")
    index = LogIndex(log)
    log.rename(log.with_name("T1.1.log"))
    assert index.poll() is Change.NONE
    log.write_bytes(b"new one\n")
    assert (index.poll(), index.read(0, 99)) == (Change.RENEWED, b"old\n")
    index.reopen()
    assert (index.size, index.read(0, 99)) == (8, b"new one\n")


@pytest.mark.parametrize("data", [b"", b"short\n", b"another text that is longer than the first\n"])
def test_a_rewritten_log_is_cut(log: Path, data: bytes) -> None:
    """The same file with other bytes is reported, even if it has grown meanwhile, and counted from its start."""
    log.write_bytes(b"one line\nand another\n")
    index = LogIndex(log)
    while index.advance():
        pass
    log.write_bytes(data)  # truncates: same inode
    assert index.poll() is Change.CUT
    while index.advance():
        pass
    assert (index.read(0, 99), index.newlines) == (data, data.count(b"\n"))


@pytest.mark.parametrize("kind", ["symlink", "fifo", "folder"])
def test_only_plain_files_are_read(log: Path, kind: str) -> None:
    """A link, a pipe or a folder in place of the log is reported, never opened for reading, and never waited for."""
    secret = log.with_name("secret")
    secret.write_bytes(b"secret\n")
    make: dict[str, Callable[[], None]] = {
        "symlink": lambda: log.symlink_to(secret), "fifo": lambda: os.mkfifo(log), "folder": log.mkdir,
    }  # fmt: skip
    make[kind]()
    index = LogIndex(log)
    assert (index.is_open, index.size, index.read(0, 9), index.problem) == (False, 0, b"", "it is not a regular file")
    assert index.poll() is Change.NONE


def test_a_gigabyte_opens_with_a_few_blocks(log: Path) -> None:
    """The last lines of a 1 GB log cost blocks, not the file; so does any page in its middle."""
    line = b"0123456789abcdef" * 4 + b"\n"
    with log.open("wb") as file:
        file.truncate(1 << 30)  # sparse: a gigabyte of NULs with lines at three places
        for place in (0, 500_000_000, (1 << 30) - 65 * 1000):
            file.seek(place)
            file.write(line * 1000)
    index = LogIndex(log)
    start = index.size
    for _ in range(50):
        start = index.line_start(start - 1)
    assert index.read(start, index.next_line(start)) == line
    assert index.bytes_read <= 3 * logindex.BLOCK
    before = index.bytes_read
    middle = index.line_start(500_030_000)
    assert index.read(middle, index.next_line(middle)) == line
    assert index.bytes_read - before <= 4 * logindex.BLOCK


def test_a_line_without_end_is_taken_in_windows(log: Path) -> None:
    """200 MB without a newline: one step reads two windows at most, from either side."""
    with log.open("wb") as file:
        file.truncate(200_000_000)
    index = LogIndex(log)
    steps: list[Callable[[], object]] = [lambda: index.line_start(index.size - 1), lambda: index.next_line(5)]
    for step in steps:
        before = index.bytes_read
        step()
        assert index.bytes_read - before <= 2 * logindex.WINDOW + 2 * logindex.BLOCK


def test_counting_reads_each_byte_once_and_keeps_little(log: Path) -> None:
    """Slices keep to their budget, and the index stores one number per 64 KB."""
    log.write_bytes(b"line\n" * 200_000)
    index = LogIndex(log)
    before, slices = index.bytes_read, 1
    while index.advance(100_000):
        slices += 1
    assert (index.bytes_read - before, slices, index.newlines) == (1_000_000, 10, 200_000)
    assert len(index._counts) == 1_000_000 // logindex.BLOCK


def test_closed_means_nothing_to_read(log: Path) -> None:
    """After `close` reads are empty and raise no error."""
    log.write_bytes(b"line\n")
    index = LogIndex(log)
    index.close()
    assert (index.read(3, 99), index.is_open) == (b"", False)
