"""A job's terminal is its holder's: it outlives engines, takes what people type, and blocks nobody."""

from __future__ import annotations

import os
import sys
from typing import Any

import pytest
from executor_kit import Lab, kill_engine

from nova_core.executors.base import EndReason, Job, Typed
from nova_core.executors.local import LocalExecutor

ASKS_ALL = """
import getpass, os, sys
print([stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)], os.get_terminal_size(), flush=True)
print('name', input('Name? '), flush=True)
print('length', len(getpass.getpass('Password: ')), flush=True)
sys.exit(7)
"""


def python(script: str) -> dict[str, Any]:
    """The fields of a job that runs a script on a terminal."""
    return {"argv": (sys.executable, "-I", "-S", "-c", script), "terminal": True}


def typed(lab: Lab, text: str, key: str = "F1", who: str = "ada") -> Typed:
    """Type into the job, and wait for the report."""
    reports = _typed(lab)
    assert lab.executor.to_terminal(key, "type", who, text)
    lab.collect(lambda: len(_typed(lab)) > len(reports))
    found = _typed(lab)[-1]
    return Typed(found.key, found.who, found.text, found.count, found.taken)


def _typed(lab: Lab) -> list[Typed]:
    """The reports of what was typed; a report of a new size has no bytes."""
    return [report for report in lab.reports if isinstance(report, Typed) and report.count]


def test_a_job_asks_on_its_terminal_and_is_answered(lab: Lab) -> None:
    """It is a terminal for all three streams; what is typed while the echo is off is in no report and no log."""
    lab.submit("F1", **python(ASKS_ALL))
    lab.says("F1", "Name? ")
    assert typed(lab, "Zo\xc3\xab\r") == Typed("F1", "ada", "Zo\xc3\xab\r", 5, True)
    lab.says("F1", "Password: ")
    assert typed(lab, "secret\r") == Typed("F1", "ada", None, 7, True)
    assert (lab.end("F1").reason, lab.end("F1").code) == (EndReason.EXIT, 7)
    log = lab.log("F1")
    assert "[True, True, True] os.terminal_size(columns=120, lines=40)\n" in log
    assert "name Zoë\n" in log
    assert "length 6\n" in log
    assert "secret" not in log


def test_the_terminal_outlives_its_engine(lab: Lab) -> None:
    """An engine is killed after the first answer: the next one adopts the job, and gives the second."""
    engine = lab.engine({"key": "F1", "log": "F1.log", **python(ASKS_ALL)})
    lab.says("F1", "Name? ")
    kill_engine(engine)
    assert [report.key for report in lab.reopen()] == ["F1"]
    assert typed(lab, "Zo\r").taken
    lab.says("F1", "Password: ")
    lab.reopen()
    assert typed(lab, "pass\r").text is None
    assert lab.end("F1").code == 7
    assert "length 4\n" in lab.log("F1")


def test_the_size_follows_the_screen(lab: Lab) -> None:
    """The job gets SIGWINCH, and finds the new size; a size out of range is the nearest possible."""
    script = (  # blocked, the signal cannot come between a handler and the call that waits
        "import os, signal\nwanted, size = [signal.SIGWINCH], b''\n"
        "signal.signal(signal.SIGWINCH, lambda *_: None)\nsignal.pthread_sigmask(signal.SIG_BLOCK, wanted)\n"
        "os.write(1, b'up')\nwhile size != b'1000 1':\n    signal.sigwait(wanted)\n"
        "    size = b'%d %d' % tuple(os.get_terminal_size())\n    os.write(1, b'size %s\\n' % size)\ninput()\n"
    )
    lab.submit("F1", **python(script))
    lab.says("F1", "up")
    lab.executor.to_terminal("F1", "size", 80, 24)
    lab.says("F1", "size 80 24\n")
    lab.executor.to_terminal("F1", "size", 10**9, -1)
    lab.says("F1", "size 1000 1\n")
    typed(lab, "\r")
    assert lab.end("F1").code == 0


def test_every_byte_reaches_the_job_unchanged(lab: Lab) -> None:
    """A program in raw mode gets control keys, arrows and bytes that are not UTF-8."""
    every = bytes(range(256))
    script = (
        "import os, tty\ntty.setraw(0)\nprint('up', flush=True)\ndata = b''\n"
        "while len(data) < 256: data += os.read(0, 256)\nprint('same', data == bytes(range(256)))"
    )
    lab.submit("F1", **python(script))
    lab.says("F1", "up")
    assert typed(lab, every.decode("latin-1")) == Typed("F1", "ada", None, 256, True)
    assert lab.end("F1").code == 0
    assert "same True" in lab.log("F1")


def test_a_job_that_does_not_read_blocks_nobody(lab: Lab) -> None:
    """What it has no room for waits, up to 1 MiB; more is rejected, and the holder answers all the time."""
    script = (
        "import os, time, tty\ntty.setraw(0)\nprint('up', flush=True)\n"
        "while not os.path.exists('go'): time.sleep(0.01)\n"
        "got = 0\nwhile got < 900000: got += len(os.read(0, 65536))\nprint('got', got)"
    )
    lab.submit("F1", **python(script))
    lab.says("F1", "up")
    assert typed(lab, "x" * 900_000).taken
    assert not typed(lab, "y" * 900_000).taken
    (lab.home / "go").touch()
    assert lab.end("F1").code == 0
    assert "got 900000" in lab.log("F1")


def test_a_job_that_prints_without_end_is_cancelled(lab: Lab) -> None:
    """Its output does not keep the holder from its other duties, and all of it is in the log."""
    lab.submit("F1", shell="exec yes", terminal=True, log_limit=50_000)
    lab.says("F1", "y\ny\n")
    lab.executor.cancel("F1", 5.0)
    end = lab.end("F1")
    assert (end.reason, end.signal) == (EndReason.CANCELLED, 15)


def test_the_last_output_is_in_the_log(lab: Lab) -> None:
    """A job that ends right after its output, which it wrote in one piece."""
    lab.submit("F1", shell="seq 1 2000; exit 3", terminal=True)
    assert lab.end("F1").code == 3
    assert lab.log("F1").split() == [str(number) for number in range(1, 2001)]


def test_what_a_job_leaves_on_its_terminal_is_ended(lab: Lab) -> None:
    """A process in the background, which ignores the hangup."""
    lab.submit("F1", shell="trap '' HUP; sleep 1000 & echo up", terminal=True)
    end = lab.end("F1")
    assert (end.code, [name.split()[1] for name in end.leftovers]) == (0, ["sleep"])


@pytest.mark.parametrize("limit", ["timeout", "idle_timeout"])
def test_time_limits_hold_on_a_terminal(lab: Lab, limit: str) -> None:
    """Nobody answers."""
    lab.submit("F1", **python("input('Overwrite? ')"), **{limit: 0.3}, grace=5.0)
    assert lab.end("F1").reason == limit


def test_a_file_for_standard_input_stays_it(lab: Lab) -> None:
    """A prompt is read from its file; the terminal is still there, as /dev/tty."""
    (lab.home / "prompt").write_text("words")
    shell = "cat; test -t 0 || echo no terminal; printf 'Sure? ' > /dev/tty; read answer < /dev/tty; echo $answer"
    lab.submit("F1", shell=shell, stdin=str(lab.home / "prompt"), terminal=True)
    lab.says("F1", "Sure? ")
    typed(lab, "yes\r")
    assert lab.end("F1").code == 0
    assert lab.log("F1").startswith("wordsno terminal\n")
    assert lab.log("F1").endswith("yes\n")


def test_only_a_running_job_with_a_terminal_takes_what_is_typed(lab: Lab, own: bool) -> None:
    """Another job ignores it, and continues."""
    lab.submit("F1", shell="echo up; while [ ! -e go ]; do sleep 0.02; done; exit 5", own_holder=own)
    lab.says("F1", "up")
    lab.executor.to_terminal("F1", "type", "ada", "x\r")
    assert not lab.executor.to_terminal("F2", "type", "ada", "x\r")
    (lab.home / "go").touch()
    assert lab.end("F1").code == 5
    assert not [report for report in lab.reports if isinstance(report, Typed)]
    assert not lab.executor.to_terminal("F1", "type", "ada", "x\r")


def test_the_job_knows_which_terminal_it_has(lab: Lab) -> None:
    """Not the one of the person who started the engine."""
    env = {**os.environ, "TERM": "dumb", "COLUMNS": "33", "LINES": "3"}
    lab.executor.close()
    lab.executor = lab.open(base_env=env)
    assert isinstance(lab.executor, LocalExecutor)
    lab.executor.submit(Job("F1", shell="echo $TERM:$COLUMNS:$LINES", log="F1.log", terminal=True))
    lab.end("F1")
    assert lab.log("F1").strip() == "xterm-256color::"
