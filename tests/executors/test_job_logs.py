"""Logs of jobs: their size is limited, and nothing is written through links or pipes planted there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from executor_kit import Lab, until
from sampling import sampled

from nova_core.executors.base import EndReason


def test_a_log_over_its_limit_keeps_head_and_tail(lab: Lab, own: bool) -> None:
    """The number of bytes cut is reported, and the file shrinks to about its limit."""
    script = "i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done"
    assert lab.run("loud", shell=script, log_limit=20_000, own_holder=own).code == 0
    text = lab.log("loud")
    head, mark, tail = text.partition("[nova: ")
    cut = int(tail.split()[0])
    whole = "".join(f"line {i}\n" for i in range(20000))
    assert mark
    assert len(text) < 20_100
    assert whole.startswith(head)
    assert whole.endswith(tail.partition("]\n")[2])
    assert len(head) + cut + len(tail.partition("]\n")[2]) == len(whole)


@pytest.mark.parametrize(("line", "printed"), [("true", 0), ("printf abc", 3)])
def test_an_end_says_how_much_was_printed(lab: Lab, line: str, printed: int) -> None:
    """The engine looks at no log that is empty."""
    assert lab.run("A", shell=line, log_limit=1000).printed == printed


def test_the_middle_of_a_growing_log_takes_no_disk_space(lab: Lab) -> None:
    """While the job still runs, the blocks between head and tail are freed."""
    path = lab.home / "logs" / "big.log"
    lab.submit("big", shell="head -c 8000000 /dev/zero; sleep 60", log_limit=100_000)
    until(lambda: path.exists() and path.stat().st_size == 8_000_000, "the output")
    until(lambda: path.stat().st_blocks * 512 < 400_000, "the freed space")
    lab.executor.cancel("big", 0.1)
    lab.end("big")


def _link(path: Path, victim: Path) -> None:
    path.symlink_to(victim)


def _hard(path: Path, victim: Path) -> None:
    os.link(victim, path)


def _fifo(path: Path, victim: Path) -> None:
    os.mkfifo(path)


def _folder(path: Path, victim: Path) -> None:
    path.mkdir()


def _linked_level(path: Path, victim: Path) -> None:
    path.parent.symlink_to(victim.parent)


def _file_level(path: Path, victim: Path) -> None:
    path.parent.write_text("")


def _linked_below(path: Path, victim: Path) -> None:
    path.parent.mkdir()
    path.symlink_to(victim)


ATTACKS = [
    ("f.log", _link, "symbolic link"),
    ("f.log", _hard, "second hard link"),
    ("f.log", _fifo, "named pipe"),
    ("f.log", _folder, "folder"),
    ("../f.log", None, "plain file name"),
    ("..", None, "plain file name"),
    ("a//f.log", None, "plain file name"),
    ("a/../f.log", None, "plain file name"),
    ("a/f.log", _linked_level, "folder of the log"),
    ("a/f.log", _file_level, "folder of the log"),
    ("a/f.log", _linked_below, "symbolic link"),
]


@pytest.mark.parametrize(("attack", "own"), sampled(range(len(ATTACKS)), [False, True]))
def test_a_log_that_is_not_a_regular_file_is_rejected(lab: Lab, own: bool, attack: int) -> None:
    """Nothing is written through links, nothing blocks, nothing is written outside the log folder."""
    name, prepare, words = ATTACKS[attack]
    victim = lab.home / "victim"
    victim.write_text("authorized\n")
    if prepare:
        prepare(lab.home / "logs" / name, victim)
    end = lab.run("attack", shell="echo gotcha", log=name, own_holder=own)
    assert end.reason is EndReason.SPAWN_ERROR
    assert words in end.detail
    assert victim.read_text() == "authorized\n"
    assert not (lab.home / "f.log").exists()


def test_a_log_folder_swapped_for_a_link_is_not_followed(lab: Lab) -> None:
    """The holder keeps open the folder that it was given."""
    lab.run("first", shell="echo one")
    (lab.home / "evil").mkdir()
    (lab.home / "logs").rename(lab.home / "real")
    (lab.home / "logs").symlink_to(lab.home / "evil")
    lab.run("second", shell="echo two")
    assert (lab.home / "real" / "second.log").read_text() == "two\n"
    assert list((lab.home / "evil").iterdir()) == []


def test_a_log_folder_that_is_a_link_is_rejected(lab: Lab, own: bool) -> None:
    """The user gets a message, nothing is started."""
    (lab.home / "logs").rename(lab.home / "real")
    (lab.home / "logs").symlink_to(lab.home / "real")
    end = lab.run("first", shell="echo one", own_holder=own)
    assert end.reason is EndReason.SPAWN_ERROR
    assert "symbolic link" in end.detail


def test_a_log_may_stand_some_levels_below(lab: Lab, own: bool) -> None:
    """Missing folders are created; the log has its limit there too."""
    lab.run("deep", shell="echo one", log="01-a/b/deep.log", own_holder=own)
    lab.run("deeper", shell="head -c 100000 /dev/zero | tr '\\0' x", log="01-a/b/c.log", own_holder=own, log_limit=1000)
    assert (lab.home / "logs" / "01-a" / "b" / "deep.log").read_text() == "one\n"
    assert b"bytes of this log were cut here" in (lab.home / "logs" / "01-a" / "b" / "c.log").read_bytes()


def test_an_existing_log_is_appended_to(lab: Lab, own: bool) -> None:
    """The engine, not the holder, puts older logs aside."""
    (lab.home / "logs" / "F1.log").write_text("old\n")
    lab.run("F1", shell="echo new", own_holder=own)
    assert lab.log("F1") == "old\nnew\n"


def test_files_and_folders_are_private(lab: Lab, own: bool) -> None:
    """0600 and 0700, whatever the umask."""
    lab.run("F1", shell="echo x", own_holder=own)
    attempts = lab.home / ".nova" / "attempts"
    files = [*attempts.glob("*.journal"), *attempts.glob("*.err"), lab.home / "logs" / "F1.log"]
    assert [oct(path.stat().st_mode & 0o777) for path in files] == ["0o600"] * len(files)
    assert [oct(path.stat().st_mode & 0o777) for path in (attempts, attempts.parent)] == ["0o700"] * 2
