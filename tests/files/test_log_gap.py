"""What the limit of logs has left out is known from the log alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nova_core.files.log_gap import cut_of, words
from nova_core.files.log_index import LogIndex
from nova_core.holder.log_cap import MARK, LogCap

LINES = st.lists(st.binary(max_size=40).map(lambda line: line.replace(b"\n", b"") + b"\n"), max_size=60)


@given(LINES, st.integers(2, 400))
def test_the_cut_bytes_are_those_that_the_log_says(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], limit: int
) -> None:
    """Whatever its lines and its limit; a log below its limit has lost nothing."""
    path = tmp_path_factory.getbasetemp() / "gap.log"
    path.write_bytes(b"".join(lines))
    with path.open("rb+") as log:
        folder = os.open(path.parent, os.O_RDONLY)
        cut = LogCap(log.fileno(), limit).cut(folder, path.name)
        os.close(folder)
    index = LogIndex(path)
    assert cut_of(path) == index.cut == cut
    index.close()


def test_a_line_of_another_log_is_not_its_own(tmp_path: Path) -> None:
    """The line nearest to the middle counts, and only a whole line."""
    path, own, other = tmp_path / "a.log", MARK.format(cut=12), MARK.format(cut=7)
    path.write_text(other + "x\n" * 50 + own + "x\n" * 60)
    assert cut_of(path) == 12
    path.write_text(f"it said {other}" * 3)
    assert cut_of(path) == 0
    assert cut_of(tmp_path / "none.log") == 0


def test_a_growing_log_shows_what_was_freed(tmp_path: Path) -> None:
    """The hole in its middle, also one that grows while it is read."""
    path = tmp_path / "a.log"
    path.write_bytes(b"first\n")
    index = LogIndex(path)
    assert index.cut == 0
    os.truncate(path, 1 << 20)
    with path.open("ab") as log:
        log.write(b"last\n")
    if os.stat(path).st_blocks * 512 >= 1 << 20:
        pytest.skip("this file system has no holes")
    index.poll()
    assert index.cut == cut_of(path)
    assert 900_000 < index.cut <= 1 << 20
    index.close()


def test_it_is_said_in_few_words() -> None:
    """With the setting that decides it; nothing if nothing is missing."""
    assert words(136_000_021) == "136 MB cut out: log_limit"
    assert not words(0)
