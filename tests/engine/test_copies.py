"""A copied project never touches the original, whatever it inherited: run id, key, journals, markers, messages."""

from __future__ import annotations

import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from cli_process import Process, nova, start
from engines import host, tasks_of, write_plan
from fakes import FakeClock, FakeExecutor, ok
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from processes import holders_of, processes_of, wait_for
from processes import tasks_of as tasks_in_file
from sampling import sampled

from nova_core.command import Command, CommandKind
from nova_core.config import Config
from nova_core.executors.base import Ended, Job
from nova_core.files.project import Project
from nova_core.orchestrator import Orchestrator
from nova_core.places import settle
from nova_core.state.schema import TaskStatus
from nova_core.watch.offline import apply_offline

ROWS = [("A", "-"), ("B", "A"), ("C", "-"), ("D", "C")]


class World:
    """A folder with fake processes, and what its tasks have run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.fake = FakeExecutor(FakeClock(), self._outcome)
        self.ended = 0
        self.engine: Orchestrator | None = None
        self.ran: list[str] = []

    def _outcome(self, job: Job) -> Ended | None:
        return ok(job) if self.ended > 0 else None

    def open(self) -> Orchestrator:
        """The engine of this folder."""
        if self.engine is None:
            found = list(self.fake.running.values())
            self.fake = FakeExecutor(FakeClock(), self._outcome)
            self.fake.found = [ok(job) for job in found]
            files = self.folder / "CASCADE.md", self.folder / "cascade_state.json"
            self.engine = Orchestrator(*files, 2, config=Config(), host=host(self.fake))
            self.engine.monitor_workers()
        return self.engine

    def do(self, what: str) -> None:
        """One action of a person, or some turns of the engine."""
        engine = self.open()
        if what == "turn":
            for task_id in engine.get_ready_tasks()[:1]:
                engine.start_worker(task_id)
            self.ended = 1
            engine.monitor_workers()
            self.ended = 0
        elif what == "start":
            while ready := engine.get_ready_tasks():
                engine.start_worker(ready[0])
        elif what == "kill":
            self.close()
        elif what == "cancel":
            engine.post(Command(CommandKind.CANCEL))
            engine.monitor_workers()
        else:
            engine.post(Command(CommandKind.RETRY))
            engine.monitor_workers()

    def close(self) -> None:
        """The engine dies; what it had started continues."""
        if self.engine is not None:
            self.ran += [job.key for job in self.fake.jobs]
            self.engine.close()
            self.engine = None

    def end(self) -> None:
        """Run to the end."""
        self.ended = 1
        engine = self.open()
        engine.post(Command(CommandKind.RETRY))
        engine.run()
        self.ran += [job.key for job in self.fake.jobs]
        self.engine = None


ACTIONS = st.sampled_from(["turn", "start", "kill", "cancel", "retry"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(ACTIONS, max_size=5), st.lists(st.tuples(st.booleans(), ACTIONS), max_size=8))
def test_nothing_of_the_other_ends_or_counts(
    tmp_path_factory: pytest.TempPathFactory, before: list[str], after: list[tuple[bool, str]]
) -> None:
    """`cp -a` at any time, then anything in both: each does every task that was not done at the copy, and no other."""
    top = tmp_path_factory.mktemp("copies")
    first = World(top / "a")
    first.folder.mkdir()
    write_plan(first.folder, ROWS)
    for what in before:
        first.do(what)
    if first.engine is not None:
        first.engine.store.flush()
    shutil.copytree(first.folder, top / "b", symlinks=True)
    second = World(top / "b")
    had = tasks_of(second.folder) if before else {}
    finished = {i for i, task in had.items() if task.status is TaskStatus.COMPLETED}
    for is_second, what in after:
        (second if is_second else first).do(what)
    for world in (first, second):
        world.end()
    started = {key.partition("@")[0] for key in second.ran}
    assert started == {task_id for task_id, _ in ROWS} - finished, "what the copy had to do"
    for world in (first, second):
        assert {i for i, t in tasks_of(world.folder).items() if t.status is TaskStatus.COMPLETED} == {
            "A",
            "B",
            "C",
            "D",
        }


@pytest.mark.parametrize("verb", [CommandKind.CANCEL, CommandKind.PAUSE, CommandKind.SKIP])
def test_the_copy_says_what_is_at_work_in_the_original(tmp_path: Path, verb: CommandKind) -> None:
    """Also a command without an engine: one line, and nothing there to cancel."""
    first = World(tmp_path / "a")
    first.folder.mkdir()
    write_plan(first.folder, ROWS)
    first.do("start")
    first.open().store.flush()
    shutil.copytree(first.folder, tmp_path / "b")
    reply = apply_offline(Project(tmp_path / "b"), Command(verb, ("A",) if verb is CommandKind.SKIP else ()))
    assert (
        f"this folder is a copy of {first.folder}, where A, C are running: left alone there, run again here"
        in reply.message
    )
    assert tasks_of(tmp_path / "b")["C"].status is TaskStatus.PENDING
    first.close()


def test_a_renamed_folder_is_the_same_project(tmp_path: Path) -> None:
    """It keeps its inode: what was at work there is taken over."""
    first = World(tmp_path / "a")
    first.folder.mkdir()
    write_plan(first.folder, ROWS)
    first.do("start")
    first.close()
    first.folder = first.folder.rename(tmp_path / "b")
    first.end()
    assert sorted(first.ran) == ["A@1", "B@1", "C@1", "D@1"]


def test_a_folder_moved_to_another_disk_is_no_copy(tmp_path: Path) -> None:
    """The folder it was in is gone: what ended there counts."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first, second = Project(tmp_path / "a"), Project(tmp_path / "b")
    for project in (first, second):
        project.make_dirs()
    disk = host(FakeExecutor(FakeClock())).disk
    assert settle(first, "CASCADE.md", disk) is None
    shutil.copy(first.place_file, second.place_file)
    former = first.place_id
    shutil.rmtree(first.root)
    assert settle(second, "CASCADE.md", disk) is None
    assert second.former_id == former


@pytest.mark.parametrize("ended", [True, False])
def test_a_backup_that_replaces_its_original(tmp_path: Path, ended: bool) -> None:
    """What had ended when it was made counts; what was running then is run again, and named."""
    first = tmp_path / "a"
    engine = at_work(first)
    engine.send_signal(signal.SIGKILL)
    engine.wait()
    if ended:
        (first / "go").touch()
        wait_for(lambda: not holders_of(first), "the holder ends")
    subprocess.run(["cp", "-a", first, tmp_path / "backup"], check=True)
    (first / "go").touch()
    wait_for(lambda: not holders_of(first), "the holder ends")
    shutil.rmtree(first)
    (tmp_path / "backup").rename(first)
    (first / "go").touch()
    done = nova("run", "--no-ui", cwd=first)
    assert done.returncode == 0
    assert ("A was under way in the folder that this one is a copy of; will run" in done.stdout) is not ended
    assert (first / "ran").read_text().split() == (["A"] if ended else ["A", "A"])


def test_the_copy_has_a_key_and_an_inbox_of_its_own(tmp_path: Path) -> None:
    """Messages to the original are not for the copy, and no token of one is valid in the other."""
    first = World(tmp_path / "a")
    first.folder.mkdir()
    write_plan(first.folder, ROWS)
    first.do("start")
    inbox = first.folder / ".nova" / "inbox" / "new"
    inbox.joinpath("1.cancel").write_text('{"kind":"command","command":{"kind":"pause"}}')
    shutil.copytree(first.folder, tmp_path / "b")
    second = World(tmp_path / "b")
    second.end()
    assert not second.open().store.run.paused
    secrets = {(folder / ".nova" / "secret").read_bytes() for folder in (first.folder, second.folder)}
    assert len(secrets) == 2
    second.close()
    first.close()


# real processes


SLOW = (
    "# P\n\n| Task ID | Task Name | Command | Depends On |\n|---|---|---|---|\n"
    "| A | A | `echo $$ > pid; echo A >> ran; while [ ! -e go ]; do sleep 0.05; done; echo A >> ended` | - |\n"
    "| B | B | `echo B >> ended` | A |\n"
)


def at_work(folder: Path) -> Process:
    """A project whose first task waits for the file `go`."""
    folder.mkdir()
    (folder / "CASCADE.md").write_text(SLOW)
    engine = start("run", "--no-ui", cwd=folder)
    wait_for((folder / "ran").exists, "A runs")
    wait_for(lambda: tasks_in_file(folder).get("A", {}).get("status") == "in_progress", "the state says so")
    return engine


ELSEWHERE = ["run --no-ui", "run --no-ui --fresh", "cancel --all", "retry A"]


@pytest.mark.parametrize(("line", "crashed"), sampled(ELSEWHERE, [True, False]))
def test_a_copy_leaves_the_workers_of_the_original_alone(tmp_path: Path, line: str, crashed: bool) -> None:
    """Of a living engine, and of one that was killed while its workers continue."""
    first, second = tmp_path / "a", tmp_path / "b"
    engine = at_work(first)
    if crashed:
        engine.send_signal(signal.SIGKILL)
        engine.wait()
    subprocess.run(["cp", "-a", first, second], check=True)
    (second / "go").touch()
    worker = int((first / "pid").read_text())
    done = nova(*line.split(), cwd=second)
    assert f"this folder is a copy of {first}, where A is running: left alone there" in done.stdout + done.stderr
    assert worker in processes_of(first)
    if line.startswith("run"):
        assert done.returncode == 0
        assert (second / "ended").read_text().split() == ["A", "B"]
    (first / "go").touch()
    if crashed:
        assert nova("run", "--no-ui", cwd=first).returncode == 0
    assert crashed or engine.wait(60) == 0
    assert (first / "ran").read_text().split() == ["A"]
    assert (first / "ended").read_text().split() == ["A", "B"]
    wait_for(lambda: not holders_of(first) and not holders_of(second), "the holders end")


def test_markers_of_two_copies_differ(tmp_path: Path) -> None:
    """Both run at once, with the same run id: what identifies their processes is not copied."""
    first, second = tmp_path / "a", tmp_path / "b"
    engine = at_work(first)
    subprocess.run(["cp", "-a", first, second], check=True)
    (second / "ran").unlink()
    other = start("run", "--no-ui", cwd=second)
    wait_for((second / "ran").exists, "A runs in the copy")
    markers = [
        {line for pid in processes_of(folder) for line in environ(pid) if line.startswith(b"NOVA_JOB=")}
        for folder in (first, second)
    ]
    assert all(markers)
    assert not markers[0] & markers[1]
    for folder in (first, second):
        (folder / "go").touch()
    assert [engine.wait(60), other.wait(60)] == [0, 0]


def environ(pid: int) -> list[bytes]:
    """The environment of a process."""
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []
