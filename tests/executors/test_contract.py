"""The contract of every executor, the same for shared holders and for a job's own."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from executor_kit import Lab, alive, run_of, until
from sampling import sampled, some

from nova_core.errors import EnvironmentProblem
from nova_core.executors import holder_link as link
from nova_core.executors.base import EndReason, Job
from nova_core.executors.local import LocalExecutor

BOTH = [False, True]  # whether the job has a holder of its own
GLIBC_OWN = 0b11 << 31  # its posix_spawn ignores signals 32 and 33, which no program may use

OUTCOMES: list[tuple[str, dict[str, Any], EndReason, int | None, int | None, str]] = [
    ("zero", {"argv": ("true",)}, EndReason.EXIT, 0, None, ""),
    ("seven", {"shell": "echo hi; exit 7"}, EndReason.EXIT, 7, None, "hi\n"),
    ("exit_143", {"shell": "exit 143"}, EndReason.EXIT, 143, None, ""),
    ("sigterm", {"shell": "kill -TERM $$"}, EndReason.EXIT, None, 15, ""),
    ("sigkill", {"shell": "kill -KILL $$"}, EndReason.EXIT, None, 9, ""),
    ("simple", {"shell": "expr 1 + 2"}, EndReason.EXIT, 0, None, "3\n"),
    ("no_word", {"shell": "no-such-program a b"}, EndReason.EXIT, 127, None, "not found"),
    ("dash", {"shell": "-x"}, EndReason.EXIT, 127, None, "not found"),
    ("no_program", {"argv": ("no-such-program",)}, EndReason.SPAWN_ERROR, None, None, "no such file or directory"),
    ("not_executable", {"argv": ("/etc/passwd",)}, EndReason.SPAWN_ERROR, None, None, "permission denied"),
    ("empty_name", {"argv": ("",)}, EndReason.SPAWN_ERROR, None, None, "cannot run"),
    ("nul", {"argv": ("true", "a\0b")}, EndReason.SPAWN_ERROR, None, None, "cannot run"),
    ("no_folder", {"argv": ("true",), "cwd": "missing"}, EndReason.SPAWN_ERROR, None, None, ""),
    ("bad_name", {"argv": ("true",), "env": {"A=B": "1"}}, EndReason.SPAWN_ERROR, None, None, "cannot run"),
    ("too_long", {"argv": ("true", "x" * 300_000)}, EndReason.SPAWN_ERROR, None, None, "argument list too long"),
    ("both_streams", {"shell": "echo a; echo b >&2"}, EndReason.EXIT, 0, None, "a\nb\n"),
]


@pytest.mark.parametrize(("name", "own"), sampled([outcome[0] for outcome in OUTCOMES], [False, True]))
def test_the_reported_end_is_exact(
    lab: Lab,
    name: str,
    own: bool,
) -> None:
    """Codes and signals are separate, and a command that cannot start has no exit code."""
    key, fields, reason, code, number, text = next(outcome for outcome in OUTCOMES if outcome[0] == name)
    end = lab.run(key, own_holder=own, **fields)
    assert (end.reason, end.code, end.signal) == (reason, code, number)
    assert text in lab.log(key)
    assert bool(end.detail) == (reason is EndReason.SPAWN_ERROR)
    assert (end.pid is not None) == (reason is EndReason.EXIT)
    assert end.started_at <= end.ended_at


def test_a_key_is_started_once_however_often_it_is_submitted(lab: Lab, own: bool) -> None:
    """Eight submissions, before and after the end, are one process and one report."""
    for _ in range(5):
        lab.submit("once", shell="echo x >> ledger", own_holder=own)
    lab.end("once")
    for _ in range(3):
        lab.submit("once", shell="echo x >> ledger", own_holder=own)
    lab.run("after", argv=("true",), own_holder=own)
    assert (lab.home / "ledger").read_text() == "x\n"
    assert len(lab.ends("once")) == 1


def test_cancel_ends_a_job_and_is_idempotent(lab: Lab, own: bool) -> None:
    """A second cancel, and one after the end, have no effect."""
    lab.submit("long", shell="echo up; exec sleep 60", own_holder=own)
    lab.says("long", "up")
    for _ in range(2):
        lab.executor.cancel("long", 20.0)
    end = lab.end("long")
    assert (end.reason, end.signal) == (EndReason.CANCELLED, 15)
    lab.executor.cancel("long", 20.0)
    lab.run("after", argv=("true",), own_holder=own)
    assert len(lab.ends("long")) == 1


def test_cancel_before_submit_means_that_it_never_runs(lab: Lab, own: bool) -> None:
    """The submission is answered with a report of the end."""
    lab.executor.cancel("never", 1.0)
    end = lab.run("never", shell="echo x > ledger", own_holder=own)
    assert (end.reason, end.code, end.pid) == (EndReason.CANCELLED, None, None)
    assert not (lab.home / "ledger").exists()


@pytest.mark.parametrize("own", some(BOTH, True))
def test_cancel_kills_what_ignores_term_when_the_grace_is_over(lab: Lab, own: bool) -> None:
    """A later cancel with a shorter grace counts."""
    lab.submit("deaf", shell="trap '' TERM; echo up; while :; do sleep 0.1; done", own_holder=own)
    lab.says("deaf", "up")
    lab.executor.cancel("deaf", 500.0)
    lab.executor.cancel("deaf", 0.05)
    end = lab.end("deaf")
    assert (end.reason, end.signal) == (EndReason.CANCELLED, 9)


# A holder that sends SIGTERM right after SIGINT, not after half of the grace.
HASTY = """
import sys
sys.path.append(sys.argv[1])
from nova_core.holder import holder, killing
later = holder.Holder.later
def hasty(self, delay, action, job):
    later(self, 0.0 if action is killing._terminate else delay, action, job)
holder.Holder.later = hasty
holder.main()
"""


@pytest.mark.parametrize("own", some(BOTH, True))
def test_interrupt_comes_before_term_where_wanted(lab: Lab, own: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that prints its totals on SIGINT gets the chance; one that ignores it gets TERM, then KILL."""
    tells = "trap 'echo totals; exit 5' INT; trap 'exit 6' TERM; echo up; while :; do sleep 0.02; done"
    lab.submit("tallies", shell=tells, own_holder=own, interrupt=True)
    lab.says("tallies", "up")
    lab.executor.cancel("tallies", 20.0)
    assert lab.end("tallies").code == 5
    assert "totals" in lab.log("tallies")
    monkeypatch.setattr(link, "_CODE", HASTY)
    deaf = "trap '' INT; trap 'exit 6' TERM; echo up; while :; do sleep 0.02; done"
    lab.submit("deaf", shell=deaf, own_holder=own, interrupt=True)
    lab.says("deaf", "up")
    lab.executor.cancel("deaf", 60.0)
    assert lab.end("deaf").code == 6


@pytest.mark.parametrize("own", some(BOTH, True))
def test_a_job_reads_the_file_it_is_given(lab: Lab, own: bool) -> None:
    """Standard input is the file from its start to its end, and /dev/null for the next job."""
    source = lab.home / "prompt.md"
    source.write_text("line one\nüñí\n")
    lab.run("reads", argv=("cat",), own_holder=own, stdin=str(source))
    assert lab.log("reads") == "line one\nüñí\n"
    lab.run("empty", argv=("cat",), own_holder=own)
    assert lab.log("empty") == ""


@pytest.mark.parametrize("own", some(BOTH, False))
def test_only_regular_files_are_read(lab: Lab, own: bool) -> None:
    """A named pipe would block the job forever, a link would read another user's file."""
    os.mkfifo(lab.home / "pipe")
    (lab.home / "link").symlink_to("/etc/passwd")
    for name in ("pipe", "link", "missing"):
        end = lab.run(name, argv=("cat",), own_holder=own, stdin=str(lab.home / name))
        assert end.reason is EndReason.SPAWN_ERROR
        assert "cannot read" in end.detail


@pytest.mark.parametrize("own", some(BOTH, False))
def test_term_reaches_a_stopped_process(lab: Lab, own: bool) -> None:
    """A worker that was stopped (SIGSTOP) receives TERM, not only KILL."""
    lab.submit("stopped", shell="trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.02; done", own_holder=own)
    lab.says("stopped", "up")
    os.kill(lab.started("stopped").pid, signal.SIGSTOP)
    lab.executor.cancel("stopped", 20.0)
    assert lab.end("stopped").code == 3
    assert "bye" in lab.log("stopped")


SURROUNDINGS = """
import json, os
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
fds = {}
for fd in os.listdir("/proc/self/fd"):
    try: fds[fd] = os.readlink("/proc/self/fd/" + fd)
    except OSError: pass
print(json.dumps({"ign": int(status["SigIgn"], 16), "blk": int(status["SigBlk"], 16), "fds": fds,
  "sid": os.getsid(0), "pid": os.getpid(), "group": os.getpgid(0), "cwd": os.getcwd(), "pwd": os.environ["PWD"],
  "job": os.environ["NOVA_JOB"], "raw": os.environb[b"RAW"].hex(),
  "flags": open("/proc/self/fdinfo/1").read().split()[3]}))
"""


def test_a_job_starts_in_clean_surroundings(tmp_path: Path, own: bool) -> None:
    """A session of its own, nothing inherited: no descriptor, no ignored or blocked signal."""
    (tmp_path / "sub").mkdir()
    stray = os.open("/dev/null", os.O_RDONLY)
    os.set_inheritable(stray, True)
    old = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    try:
        lab = Lab(tmp_path)
        fields = {"env": {"RAW": os.fsdecode(b"\xff\xc3\xa9")}, "cwd": "sub", "own_holder": own}
        lab.run("look", argv=(sys.executable, "-I", "-S", "-c", "\n" + SURROUNDINGS), **fields)
        lab.executor.close()
    finally:
        os.close(stray)
        signal.signal(signal.SIGHUP, old)
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    seen = json.loads(lab.log("look"))
    python_itself = 1 << (signal.SIGPIPE - 1) | 1 << (signal.SIGXFSZ - 1)
    assert seen["ign"] & ~python_itself & ~GLIBC_OWN == 0
    assert seen["blk"] == 0
    log = str(tmp_path / "logs" / "look.log")
    assert {k: v for k, v in seen["fds"].items() if not v.startswith("/proc")} == {"0": "/dev/null", "1": log, "2": log}
    assert seen["pid"] == seen["sid"] == seen["group"]
    assert seen["cwd"] == seen["pwd"] == str(tmp_path / "sub")
    assert (seen["job"], seen["raw"]) == (f"{run_of(lab.home)}/look", "ffc3a9")
    assert int(seen["flags"], 8) & os.O_NONBLOCK == 0


def test_sigpipe_and_sigxfsz_are_at_their_defaults(lab: Lab, own: bool) -> None:
    """Python ignores both signals for itself; a shell pipeline relies on them."""
    lab.run("mask", argv=("grep", "SigIgn", "/proc/self/status"), own_holder=own)
    assert int(lab.log("mask").split()[1], 16) & ~GLIBC_OWN == 0


@pytest.mark.parametrize("own", some(BOTH, False))
def test_a_job_sees_the_path_of_its_own_environment(lab: Lab, own: bool) -> None:
    """Programs are looked up in the PATH of the job, not the engine's."""
    folder = lab.home / "bin"
    folder.mkdir()
    (folder / "hello").write_text("#!/bin/sh\necho found\n")
    (folder / "hello").chmod(0o755)
    path = {"PATH": f"{folder}:{os.environ['PATH']}"}
    assert lab.run("argv", argv=("hello",), env=path, own_holder=own).code == 0
    assert lab.run("shell", shell="hello there", env=path, own_holder=own).code == 0
    assert lab.run("without", argv=("hello",), own_holder=own).reason is EndReason.SPAWN_ERROR
    assert lab.log("argv") == lab.log("shell") == "found\n"


@pytest.mark.parametrize("own", some(BOTH, True))
def test_the_wall_timeout_ends_a_job(lab: Lab, own: bool) -> None:
    """Output does not postpone the limit."""
    end = lab.run("busy", shell="while :; do echo x; sleep 0.05; done", timeout=0.3, grace=0.1, own_holder=own)
    assert end.reason is EndReason.TIMEOUT
    assert end.elapsed is not None
    assert end.elapsed >= 0.3


@pytest.mark.parametrize("own", some(BOTH, False))
def test_the_idle_timeout_ends_only_the_silent(lab: Lab, own: bool) -> None:
    """A job that prints continues, one that does not is ended."""
    talks = "while [ ! -e silent ]; do echo x; sleep 0.1; done"  # how long it may take is in test_idle_limit.py
    lab.submit("talks", shell=talks, idle_timeout=30.0, own_holder=own)
    end = lab.run("silent", shell="echo x; sleep 60", idle_timeout=0.3, grace=0.1, own_holder=own)
    assert end.reason is EndReason.IDLE_TIMEOUT
    (lab.home / "silent").touch()
    assert lab.end("talks").code == 0


def test_wake_makes_wait_return(lab: Lab) -> None:
    """From another thread, and also if it was called before."""
    lab.executor.wake()
    assert lab.executor.wait(None) == []
    threading.Timer(0.05, lab.executor.wake).start()
    assert lab.executor.wait(None) == []


def test_wait_returns_at_its_timeout(lab: Lab) -> None:
    """Without a report, `wait` returns an empty list."""
    assert lab.executor.wait(0.0) == []
    assert lab.executor.wait(0.01) == []


def test_released_jobs_leave_no_files_and_no_processes(lab: Lab, own: bool) -> None:
    """After release and close, holders exit and remove their files."""
    lab.run("F1", argv=("true",), own_holder=own)
    pids = lab.holder_pids()
    lab.executor.release(["F1"])
    lab.executor.close()
    until(lambda: not any(map(alive, pids)), "the holders' end")
    assert until(lambda: not list((lab.home / ".nova" / "attempts").glob("*.journal")), "empty folder")
    lab.executor = lab.open()
    assert lab.executor.recover() == []
    assert list((lab.home / ".nova" / "attempts").iterdir()) == []


def test_five_hundred_jobs_at_once_are_all_reported(lab: Lab) -> None:
    """More than the socket's buffer holds: nothing blocks, nothing is lost."""
    for i in range(500):
        lab.submit(f"j{i}", shell=f"true {'x' * 1000}")
    lab.collect(lambda: sum(1 for r in lab.reports if r.key[0] == "j" and hasattr(r, "reason")) == 500)
    assert all(lab.ends(f"j{i}")[0].code == 0 for i in range(500))


@pytest.mark.parametrize("key", ["", 'a"b', "a\\b", "a\nb", "é", "x" * 129])
def test_a_key_that_could_corrupt_the_journal_is_rejected(lab: Lab, key: str) -> None:
    """Keys must be plain and short."""
    with pytest.raises(ValueError, match="key"):
        lab.executor.submit(Job(key=key, argv=("true",)))


def test_text_that_cannot_reach_a_process_is_a_spawn_error(lab: Lab) -> None:
    """A lone surrogate in an argument is reported, not raised."""
    assert lab.run("bad", argv=("echo", "\ud800")).reason is EndReason.SPAWN_ERROR


def test_folders_may_lie_deeper_than_a_socket_address_is_long(tmp_path: Path) -> None:
    """sun_path holds 108 bytes; the project's path may be longer."""
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    deep.mkdir(parents=True)
    lab = Lab(deep)
    assert lab.run("F1", shell="exit 4").code == 4
    lab.executor.close()


def test_a_folder_that_cannot_be_created_is_an_environment_error(tmp_path: Path) -> None:
    """One clear line, no traceback."""
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentProblem, match="file"):
        LocalExecutor(tmp_path / "file", tmp_path / "logs", run_id="run")


def test_the_executor_works_in_any_thread(tmp_path: Path) -> None:
    """No signal handler, no main thread needed."""
    codes: list[int | None] = []

    def work() -> None:
        lab = Lab(tmp_path)
        codes.append(lab.run("F1", shell="exit 5").code)
        lab.executor.close()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert codes == [5]
