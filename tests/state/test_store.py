"""The store hands batches to its writer: in order, one at a time, and nobody waits for the disk who did not ask to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fakes import FakeClock, FaultyDisk, no_space

from nova_core.files.disk import Disk
from nova_core.files.project import Project
from nova_core.state import StateManager
from nova_core.state.database import Database
from nova_core.state.events import EventKind
from nova_core.state.schema import TaskStatus
from nova_core.state.store import Store
from nova_core.state.task_progress import ExecutionEvent


class Hanging(Disk):
    """A disk on which every commit hangs until `go` is set; notes what was written, in order."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.reached = threading.Event()
        self.calls: list[str] = []

    def step(self, call: str, path: str) -> None:
        self.calls.append(f"{call} {Path(path).name}")
        if call == "commit":
            self.reached.set()
            assert self.go.wait(60)


class SlowToRename(Disk):
    """A disk that needs a second for each rename."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock

    def step(self, call: str, path: str) -> None:
        if call == "rename":
            self.clock.advance(1.0)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def open_store(tmp_path: Path, clock: FakeClock) -> Iterator[Callable[..., Store]]:
    """Opens stores in one project, and closes them."""
    project = Project(tmp_path)
    project.make_dirs()
    opened: list[Store] = []

    def opener(disk: Disk | None = None, *, background: bool = False) -> Store:
        opened.append(Store(project, disk, clock, background=background))
        opened[-1].load()
        return opened[-1]

    yield opener
    for store in opened:
        store.close()


def start(store: Store, *tasks: str) -> None:
    for task in tasks:
        store.record(EventKind.TASK_STARTED, task, status=TaskStatus.IN_PROGRESS, attempt=1)


def settled(store: Store) -> Store:
    """Returns the store after its thread has written and the engine has looked."""
    store.settle()
    return store


def test_nothing_waits_for_a_disk_that_hangs(open_store: Callable[..., Store]) -> None:
    """While a batch is written, the engine records, and what it records then belongs to the next batch."""
    disk = Hanging()
    store = open_store(disk, background=True)
    heard: list[tuple[str, bool]] = []
    start(store, "A")
    store.when_recorded(lambda on_disk: heard.append(("A", on_disk)))
    store.tick()
    assert disk.reached.wait(60)
    start(store, "B")
    store.when_recorded(lambda on_disk: heard.append(("B", on_disk)))
    store.tick()
    assert (heard, store.next_tick(), store.changed_outside()) == ([], None, False)
    disk.go.set()
    settled(store)
    assert heard == [("A", True)]
    assert store.next_tick() == 0.0
    store.tick()
    settled(store)
    assert heard == [("A", True), ("B", True)]


def test_the_writer_wakes_the_engine(open_store: Callable[..., Store]) -> None:
    """Who sleeps until something happens is woken when a batch is over."""
    store = open_store(background=True)
    woken = threading.Event()
    store.writer.wake = woken.set
    start(store, "A")
    store.tick()
    assert woken.wait(60)


def test_events_are_on_disk_before_the_state(open_store: Callable[..., Store], tmp_path: Path) -> None:
    """A batch commits its events before it replaces the state file, which is durable before anybody is heard."""
    disk = Hanging()
    disk.go.set()
    store = open_store(disk)
    start(store, "A")
    store.when_published(lambda: disk.calls.append("heard"))
    assert store.flush()
    state = "cascade_state.json"
    calls = list(dict.fromkeys(disk.calls[-9:]))  # the file is written in pieces
    assert calls == [
        "commit nova.db", f"open {state}.tmp", f"write {state}.tmp", f"fsync {state}.tmp", f"rename {state}",
        f"fsync {tmp_path.name}", "heard",
    ]  # fmt: skip


def test_only_what_is_published_is_heard(open_store: Callable[..., Store]) -> None:
    """What is recorded while a state is written waits for the next one: no journal is released too early."""
    disk = Hanging()
    store = open_store(disk, background=True)
    heard: list[str] = []
    start(store, "A")
    store.when_published(lambda: heard.append("A"))
    store.tick()
    assert disk.reached.wait(60)
    start(store, "B")
    store.when_published(lambda: heard.append("B"))
    disk.go.set()
    settled(store)
    assert heard == ["A"]
    assert store.flush()
    assert heard == ["A", "B"]


def test_a_batch_that_fails_is_written_later(open_store: Callable[..., Store], tmp_path: Path) -> None:
    """Two refusals in a row lose nothing and warn once: each is reported to those who wait, and order is kept."""
    disk = FaultyDisk(1, no_space, repeat=True)
    store = open_store(disk, background=True)
    heard: list[bool] = []
    start(store, "A")
    store.when_recorded(heard.append)
    assert not store.flush()
    start(store, "B")
    store.when_recorded(heard.append)
    assert not store.flush()
    assert heard == [False, False]
    disk._repeat = False
    assert store.flush()
    assert store.disk_error is None
    with_warning = [event.kind for event in store.database.events_since(0)]
    assert with_warning == [EventKind.TASK_STARTED, EventKind.WARNING, EventKind.TASK_STARTED]
    assert StateManager(tmp_path / "cascade_state.json").load().rev == 3


def test_a_refusal_is_followed_by_a_retry_each_second(open_store: Callable[..., Store], clock: FakeClock) -> None:
    """`tick` alone tries again, and not before a second has passed, however many refusals there are."""
    disk = FaultyDisk(1, no_space, repeat=True)
    store = open_store(disk)
    start(store, "A")
    store.when_recorded(lambda on_disk: None)
    store.tick()
    for _ in range(3):
        before = disk.calls
        assert store.next_tick() == pytest.approx(1.0)
        clock.advance(0.9)
        store.tick()
        assert disk.calls == before
        clock.advance(0.2)
        store.tick()
        assert disk.calls > before
    disk._repeat = False
    clock.advance(1.1)
    store.tick()
    assert store.disk_error is None


def test_merged_events_are_on_disk_with_the_state(open_store: Callable[..., Store], tmp_path: Path) -> None:
    """Another program's change becomes an event, which is on disk before a state that has it."""
    store = open_store()
    start(store, "A")
    assert store.flush()
    StateManager(tmp_path / "cascade_state.json").complete_task("A")
    start(store, "B")
    assert store.flush()
    state = StateManager(tmp_path / "cascade_state.json").load()
    assert state.tasks["A"].status is TaskStatus.COMPLETED
    assert store.database.last_rev() == state.rev


def test_events_do_not_wait_for_a_state_that_takes_long(open_store: Callable[..., Store], clock: FakeClock) -> None:
    """A state is published a twentieth of the time; events are committed after a tenth of a second all the same."""
    store = open_store(SlowToRename(clock))
    start(store, "A")
    assert store.flush()
    start(store, "B")
    store.tick()
    assert store.next_tick() == pytest.approx(0.1)
    clock.advance(0.11)
    store.tick()
    assert store.database.last_rev() == store.rev
    assert store.manager.load().rev < store.rev
    clock.advance(20.0)
    store.tick()
    assert store.manager.load().rev == store.rev


def test_an_error_on_the_thread_reaches_the_engine(open_store: Callable[..., Store]) -> None:
    """What is no error of the disk is raised where the engine looks, and what was not written is kept."""

    class BugError(Exception):
        pass

    def fail() -> None:
        raise BugError

    disk = FaultyDisk(1, fail)
    store = open_store(disk, background=True)
    start(store, "A")
    store.tick()
    with pytest.raises(BugError):
        store.settle()
    assert store.flush()
    assert store.database.last_rev() == 1


def test_a_machine_without_room_for_a_thread(open_store: Callable[..., Store], monkeypatch: pytest.MonkeyPatch) -> None:
    """If no thread can be started, the engine writes itself."""

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    store = open_store(background=True)
    start(store, "A")
    store.tick()
    settled(store)
    assert store.database.last_rev() == 1


def test_a_history_is_created_whole(open_store: Callable[..., Store], tmp_path: Path) -> None:
    """It does not exist before the first change is written; from then on readers can use it; it is private."""
    path = tmp_path / ".nova" / "nova.db"
    store = open_store()
    assert store.database.last_rev() == 0
    assert not path.exists()
    start(store, "A")
    assert store.commit()
    reader = Database(path, read_only=True)
    assert reader.last_rev() == 1
    reader.close()
    assert path.stat().st_mode & 0o777 == 0o600
    assert not list(path.parent.glob("*.new"))


def test_a_history_left_half_created(open_store: Callable[..., Store], tmp_path: Path) -> None:
    """A kill while it is created leaves nothing that counts."""
    (tmp_path / ".nova" / "nova.db.new").write_bytes(b"SQLite format 3\0and no more")
    store = open_store()
    start(store, "A")
    assert store.commit()
    assert store.database.last_rev() == 1


def test_a_file_of_a_tracker_that_came_first_is_kept(tmp_path: Path) -> None:
    """A database that is created later joins the file that another connection has created meanwhile."""
    late = Database(tmp_path / "nova.db", create_later=True)
    tracker = Database(tmp_path / "nova.db")
    tracker.tell(ExecutionEvent("2026-01-01T00:00:00Z", "note", "first", {}, "A"))
    late.tell(ExecutionEvent("2026-01-01T00:00:01Z", "note", "second", {}, "A"))
    tracker.tell(ExecutionEvent("2026-01-01T00:00:02Z", "note", "third", {}, "A"))
    assert [event.message for _, event in late.told_since(0)] == ["first", "second", "third"]
    assert [event.message for _, event in tracker.told_since(0)] == ["first", "second", "third"]
    assert not list(tmp_path.glob("*.new*"))
    late.close()
    tracker.close()
