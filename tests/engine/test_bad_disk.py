"""Logs that are traps, unwritable folders and full disks are reported and survived, and do no harm."""

from __future__ import annotations

import ctypes
import errno
import json
import os
import re
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest
from cli_process import command, environment, nova
from engines import make_engine
from sampling import some
from sandbox import HEAD, Sandbox, make_sandbox

from nova_core.files.disk import Disk
from nova_core.state import StateManager
from nova_core.state.events import Event, EventKind
from nova_core.state.schema import TaskStatus

ROOM = 400_000  # bytes; the history alone uses half of it
FILE_LIMIT = 40_000  # enough for the 32 KiB of the shared memory of the history, not for the state file
TASKS = [f"F{number}" for number in range(40)]
# Nova waits ten seconds for a full disk; the tests cannot.
IMPATIENT = "import sys, nova_core.engine.admission as b; b._DISK_PATIENCE = 0.2; from nova_core.__main__ import main; "


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    """A good project in a folder with files that must not change."""
    return make_sandbox(tmp_path)


TRAPS: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "symbolic link": ("ln -s ../../victim", lambda path: path.symlink_to("../../victim"), "a symbolic link"),
    "dangling link": ("ln -s ../../new", lambda path: path.symlink_to("../../new"), "a symbolic link"),
    "hard link": ("ln ../victim", lambda path: os.link(path.parents[2] / "victim", path), "a second hard link"),
    "pipe": ("mkfifo", os.mkfifo, "a named pipe"),
    "folder": ("mkdir", Path.mkdir, "a folder"),
}


@pytest.mark.parametrize("trap", TRAPS)
def test_a_trap_that_waits_for_a_log(trap: str, sandbox: Sandbox) -> None:
    """A trap with the name of a task's log from before the run is put aside; it is not read, written or waited for."""
    (sandbox.root / "logs").mkdir()
    TRAPS[trap][1](sandbox.root / "logs" / "F1.log")
    (sandbox.root / "CASCADE.md").write_text(HEAD + "| F1 | One | - | `echo hello` |\n")
    before = sandbox.remember()
    done = nova("run", cwd=sandbox.root)
    assert (done.returncode, done.stderr) == (0, "")
    assert (sandbox.root / "logs" / "F1.log").read_text() == "hello\n"
    assert sandbox.remember().outside == before.outside


@pytest.mark.parametrize("trap", TRAPS)
def test_a_trap_that_a_task_sets(trap: str, sandbox: Sandbox) -> None:
    """If another task turned its log into a trap, a task fails with the reason; nothing is written."""
    setter, _, said = TRAPS[trap]
    rows = f"| F1 | One | - | `{setter} logs/F2.log` |\n| F2 | Two | F1 | `echo written` |\n"
    (sandbox.root / "CASCADE.md").write_text(HEAD + rows)
    before = sandbox.remember()
    done = nova("run", cwd=sandbox.root)
    assert done.returncode == 1
    assert re.search(rf"F2 failed: spawn error: .*logs?.* F2\.log: .*{said}", done.stdout)
    assert sandbox.remember().outside == before.outside
    for words in (("logs", "F2"), ("why", "F2"), ("status",)):
        shown = nova(*words, cwd=sandbox.root)
        assert shown.returncode == 0
        assert trap == "hard link" or "precious" not in shown.stdout + shown.stderr


def without_privileges() -> None:
    """Even root is bound by modes without CAP_DAC_OVERRIDE (1) and CAP_DAC_READ_SEARCH (2)."""
    for capability in (1, 2):
        ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP; exec takes them away


@contextmanager
def mode(path: Path, bits: int) -> Iterator[None]:
    """Inside the block the path has this mode."""
    before = path.stat().st_mode
    path.chmod(bits)
    try:
        yield
    finally:
        path.chmod(before)


PATHS = [
    (".", "run", 8, r"/\.nova: .*Permission denied"),
    (".", "init", 8, r"cannot write nova\.yaml: Permission denied"),
    ("logs", "run", 8, r"cannot write \S*/logs"),
    (".nova", "run", 8, r"cannot write \S*/\.nova"),
    (".nova", "run --detach", 8, r"cannot write \S*/\.nova"),
    ("cascade_state.json", "run", 8, r"cascade_state\.json: Permission denied"),
    ("cascade_state.json", "status", 8, r"cascade_state\.json: Permission denied"),
    ("CASCADE.md", "run", 3, r"^CASCADE\.md: cannot be read: Permission denied"),
    ("settings.yaml", "run", 3, r"^settings\.yaml: cannot be read: Permission denied"),
]


@pytest.mark.skipif(sys.platform != "linux", reason="root is bound by modes only where capabilities can be dropped")
@pytest.mark.parametrize(("name", "words", "code", "said"), some(PATHS, "logs", "cascade_state.json", "CASCADE.md"))
def test_unwritable_and_unreadable_paths(name: str, words: str, code: int, said: str, sandbox: Sandbox) -> None:
    """Paths that the user may not write or read are reported, with a hint, before anything starts."""
    for folder in ("logs", ".nova") if name != "." else ():
        (sandbox.root / folder).mkdir()
    if name.endswith((".json", ".yaml")):
        (sandbox.root / name).write_text("{}\n")
    if name == "settings.yaml":
        (sandbox.root / "nova.yaml").write_text("milestones: settings.yaml\n")
    path = sandbox.root / name
    with mode(path, 0o500 if path.is_dir() else 0):
        done = subprocess.run(
            command(*words.split()), cwd=sandbox.root, env=environment(), capture_output=True, text=True, timeout=60,
            check=False, preexec_fn=without_privileges,
        )  # fmt: skip
    lines = [line for line in done.stderr.splitlines() if "kept" not in line]
    assert (done.returncode, done.stdout, len(lines)) == (code, "", 2), done.stderr
    assert re.search(said, lines[0])
    assert re.match(r" *hint: \S", lines[1])


def plan_that_needs_room(root: Path) -> None:
    """Tasks that print 20 kB each, and record outside of the project that they ran to their end."""
    rows = "".join(f"| {i} | t | - | `head -c 20000 /dev/zero && echo {i} >> ../ended` |\n" for i in TASKS)
    (root / "CASCADE.md").write_text(HEAD + rows)


@pytest.fixture
def small_disk(sandbox: Sandbox) -> Iterator[Sandbox]:
    """The project is on a disk of its own, with little space."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "tmpfs", str(sandbox.root)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small disk can only be mounted by root; the limit on files stands in for it")
    try:
        yield sandbox
    finally:
        subprocess.run(["umount", "-l", str(sandbox.root)], check=True)


def limit_files(size: int) -> Callable[[], None]:
    """Files of the child, and of its workers, cannot grow beyond `size` bytes: setrlimit(2), RLIMIT_FSIZE."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def require_a_full_disk_was_survived(root: Path, done: subprocess.CompletedProcess[str]) -> None:
    """The full disk was reported, the state can be read, and with space again the rest is done; no done task runs
    again."""
    assert done.returncode == 8, done.stdout + done.stderr
    assert re.search(r"^nova: cannot write the state: .*\nhint: free some space", done.stderr)
    assert "Traceback" not in done.stdout + done.stderr
    assert nova("status", cwd=root).returncode == 0
    assert StateManager(root / "cascade_state.json").load().tasks.keys() == set(TASKS)


def require_it_goes_on(root: Path, done: subprocess.CompletedProcess[str]) -> None:
    """With space again the rest is done, and no done task runs again."""
    events = [json.loads(line) for line in done.stdout.splitlines()]
    completed = {e["task"] for e in events if e["kind"] == "task_completed"}
    nova("run", cwd=root)
    assert nova("retry", "--failed", cwd=root).returncode in (0, 2)
    assert nova("run", cwd=root).returncode == 0
    tasks = StateManager(root / "cascade_state.json").load().tasks
    assert {task.status for task in tasks.values()} == {TaskStatus.COMPLETED}
    ended = (root.parent / "ended").read_text().split()
    assert [ended.count(task_id) for task_id in completed] == [1] * len(completed)
    assert set(ended) == set(TASKS)


def impatient(*arguments: str) -> list[str]:
    """`nova ARGUMENTS` with a short wait for a disk."""
    return [sys.executable, "-c", f"{IMPATIENT}sys.argv[1:] = {list(arguments)}; sys.exit(main())"]


def test_a_full_disk(small_disk: Sandbox) -> None:
    """No space left: one clear line, a readable state, and with space the run continues."""
    plan_that_needs_room(small_disk.root)
    done = subprocess.run(
        impatient("run", "--json"), cwd=small_disk.root, env=environment(), capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    require_a_full_disk_was_survived(small_disk.root, done)
    subprocess.run(["mount", "-o", "remount,size=50m", str(small_disk.root)], check=True)
    require_it_goes_on(small_disk.root, done)


def test_files_that_may_not_grow(sandbox: Sandbox) -> None:
    """The same if no file of a run that was begun before may grow any more."""
    plan_that_needs_room(sandbox.root)
    nova("run", "--only", "F0", cwd=sandbox.root)
    done = subprocess.run(
        impatient("run", "--json"), cwd=sandbox.root, env=environment(), capture_output=True, text=True, timeout=60,
        check=False, preexec_fn=limit_files(FILE_LIMIT),
    )  # fmt: skip
    require_a_full_disk_was_survived(sandbox.root, done)
    require_it_goes_on(sandbox.root, done)


@pytest.mark.parametrize("rest_of_plan", ["", "| F2 | b | F1 | `true` |\n"])
def test_a_run_continues_by_itself_when_there_is_room(rest_of_plan: str, sandbox: Sandbox) -> None:
    """While the disk cannot be written no new task starts; when it works again the same run continues to its end, or
    ends."""
    wait = "while [ ! -e ../go ]; do sleep 0.02; done"
    (sandbox.root / "CASCADE.md").write_text(HEAD + f"| F1 | a | - | `{wait}` |\n{rest_of_plan}")
    engine = subprocess.Popen(command("run"), cwd=sandbox.root, env=environment(), stdout=subprocess.PIPE, text=True)
    assert engine.stdout is not None
    assert any("F1 started" in line for line in engine.stdout)
    resource.prlimit(engine.pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
    (sandbox.around / "go").touch()
    seen = []
    for line in engine.stdout:
        seen.append(line)
        if "cannot write the state" in line:
            break
    resource.prlimit(engine.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    rest, tasks = engine.stdout.read(), 2 if rest_of_plan else 1
    assert engine.wait(60) == 0, rest
    assert any("cannot write the state" in line for line in seen)
    assert f"{tasks}/{tasks} done" in rest
    assert StateManager(sandbox.root / "cascade_state.json").load().project.completed_at


class LateDisk(Disk):
    """A disk that rejects two changes after the run has ended."""

    def __init__(self) -> None:
        self.refusals = 0

    def see(self, event: Event) -> None:
        """Handle an event of the engine."""
        if event.kind is EventKind.RUN_ENDED:
            self.refusals = 2

    def step(self, call: str, path: str) -> None:
        if self.refusals:
            self.refusals -= 1
            raise OSError(errno.ENOSPC, "No space left on device", path)


def test_the_end_of_a_run_waits_for_the_disk_too(tmp_path: Path) -> None:
    """If the disk is full when all is done, Nova waits for it: the end is saved, and the run has succeeded."""
    disk = LateDisk()
    engine, _ = make_engine(tmp_path, [("F1", "-")], disk=disk)
    engine.subscribe(disk.see)
    assert engine.run().exit_code == 0
    assert disk.refusals == 0
    assert StateManager(tmp_path / "cascade_state.json").load().project.completed_at


def written(file: IO[bytes]) -> bool:
    """Returns True if the disk accepted one more page."""
    try:
        return file.write(bytes(4096)) > 0
    except OSError:
        return False


def test_a_disk_that_is_full_from_the_start(small_disk: Sandbox) -> None:
    """If not even the history fits, the error names the disk."""
    (small_disk.root / "CASCADE.md").write_text(HEAD + "| F1 | One | - | `true` |\n")
    filler = small_disk.root / "filler"
    with filler.open("wb", buffering=0) as file:
        while written(file):
            pass
    done = nova("run", cwd=small_disk.root)
    assert done.returncode == 8
    assert len(done.stderr.splitlines()) == 2
    assert re.search(r"No space left|full", done.stderr)
    filler.unlink()
    assert nova("run", cwd=small_disk.root).returncode == 0
