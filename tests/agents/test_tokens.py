"""Token lines count exactly, wherever the log is cut, and only as lines of their own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nova_core.agents.tokens import TokenCounter
from nova_core.model import TokenUsage

LINE = b"Token usage: input=1, output=2, cache_read=3, cache_creation=4"


def count(*pieces: bytes) -> TokenUsage:
    """The sum over a whole log."""
    counter = TokenCounter()
    for piece in pieces:
        counter.feed(piece)
    counter.finish()
    return counter.usage


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        (b"", TokenUsage()),
        (LINE, TokenUsage(1, 2, 3, 4)),
        (LINE + b"\n" + LINE + b"\r\nother\n  \t" + LINE, TokenUsage(3, 6, 9, 12)),
        (b"\xff\x00\n" + LINE + b"  \n", TokenUsage(1, 2, 3, 4)),
        (b"Token usage: input=5, output=7", TokenUsage(5, 7)),
        (b"Token usage:input=5,output=7,cache_read=1", TokenUsage(5, 7, 1)),
        (b"said: " + LINE, TokenUsage()),
        (LINE + b" and more", TokenUsage()),
        (LINE + LINE, TokenUsage()),
        (b"Token usage: input=-1, output=2", TokenUsage()),
        (b"Token usage: input=" + b"9" * 13 + b", output=2", TokenUsage()),
        (b"Token usage: input=1,\noutput=2\n" + LINE, TokenUsage(1, 2, 3, 4)),
        (b"x" * 5000 + LINE + b"\n" + LINE, TokenUsage(1, 2, 3, 4)),
    ],
)
def test_count(log: bytes, expected: TokenUsage) -> None:
    """Lines in the exact form count, with any indentation and line end; everything else is ignored."""
    assert count(log) == expected


pieces = st.lists(
    st.sampled_from([LINE, b"\n", b" ", b" " * 900, b"\r\n", LINE[:20], LINE[20:], b"y" * 1100]), max_size=20
)


@given(pieces, st.lists(st.integers(1, 200), max_size=20))
def test_count_does_not_depend_on_the_cuts(parts: list[bytes], sizes: list[int]) -> None:
    """However the log arrives, the sum is the same."""
    log, cut, position = b"".join(parts), [], 0
    for size in sizes:
        cut.append(log[position : position + size])
        position += size
    assert count(*cut, log[position:]) == count(log)


def test_an_unfinished_line_waits() -> None:
    """A number that may still grow is not counted before its line ends."""
    counter = TokenCounter()
    counter.feed(b"Token usage: input=1, output=2")
    assert counter.usage == TokenUsage()
    counter.feed(b"0\n")
    assert counter.usage == TokenUsage(1, 20)
    counter.finish()
    assert counter.usage == TokenUsage(1, 20)


def test_memory_is_bounded_for_an_endless_line() -> None:
    """A line without an end is not collected, and the next one counts."""
    counter = TokenCounter()
    for _ in range(100):
        counter.feed(b"x" * 65536)
        assert len(counter._rest) <= 1024
    counter.feed(LINE + b"\n" + LINE + b"\n")
    assert counter.usage == TokenUsage(1, 2, 3, 4)
