"""A run has the same words on every face: interface, `nova attach`, `nova status`, lines and summary."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from nova_core.cli import ending, status, why
from nova_core.config import Config
from nova_core.console import summary
from nova_core.console.lines import LocalClock, event_line
from nova_core.files.project import Project
from nova_core.orchestrator import Orchestrator
from nova_core.runs.rollup import rollup
from nova_core.runs.words import LEFT_UNCHECKED, Shown, phrase, shown_status, word
from nova_core.runs.worktime import WorkTime
from nova_core.state.events import Event, EventKind
from nova_core.state.schema import Reason, State, TaskState, TaskStatus
from nova_core.watch.attached import AttachedSource
from nova_core.watch.live import LiveSource
from nova_core.watch.view_model import ViewModel
from nova_tui.views import detail, header
from nova_tui.views import summary as summary_view
from nova_tui.views import why as why_view

PLAN = """# Shop

| Task ID | Task Name | Command | Approval | Depends On |
|---------|-----------|---------|----------|------------|
| D1 | Works | `true` | - | - |
| F1 | Fails | `echo ERROR: no rows; exit 3` | - | - |
| B1 | Waits in vain | `true` | - | F1 |
| A1 | Needs a person | `true` | yes | - |
| W1 | After the person | `true` | - | A1 |
"""
WORDS = {"D1": "done", "F1": "failed", "B1": "blocked", "A1": "needs approval", "W1": "waiting"}
COUNTS = ("1 failed", "1 blocked", "needs you 1", "1 waiting")
NOW = 2_000_000_000.0
UNCHECKED = TaskState(
    TaskStatus.IN_PROGRESS, started_at="2033-05-18T03:00:00+00:00", interrupted=True, exit_code=0, attempt=1,
    elapsed=2.5, current_step=LEFT_UNCHECKED,
)  # fmt: skip


class Faces:
    """What each face shows of one run of the plan."""

    def __init__(self, folder: Path) -> None:
        folder.joinpath("CASCADE.md").write_text(PLAN)
        engine = Orchestrator(folder / "CASCADE.md", folder / "cascade_state.json")
        events: list[Event] = []
        engine.subscribe(events.append)
        live = LiveSource(lambda: engine)
        live.start()
        assert live.join(60)
        assert live.result is not None
        live.poll()
        project = Project(folder)
        snapshot = ending.with_reasons(engine.snapshot(), project)
        found = (event_line(event, engine.cascade.tasks, LocalClock()) for event in events)
        self.lines = [line.split(" ", 1)[1] for line in found if line]
        time = WorkTime(tasks=snapshot.state.tasks)
        self.summary = summary.summary(live.result, snapshot, time, lambda task_id: [])
        self.status = status.screen(status.with_reasons(engine.snapshot().state, project), engine.cascade, None, NOW)
        self.why = why.explanation("F1", snapshot.state, engine.cascade.tasks["F1"], alive=False, log=[])
        attached = AttachedSource(project, Config())
        attached.start()
        attached.poll()
        self.interface, self.attach = ViewModel(live, NOW), ViewModel(attached, NOW)
        models = (self.interface, self.attach)
        self.reasons = ["\n".join(why_view.why(model, "F1")[0]) for model in models]
        self.ends = ["\n".join(part.plain for part in summary_view.lines(model, 100)) for model in models]
        for source in (live, attached):
            source.close()


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Faces:
    """The plan has run once."""
    return Faces(tmp_path_factory.mktemp("run"))


@pytest.mark.parametrize(("task_id", "said"), WORDS.items())
def test_a_task_has_one_word(faces: Faces, task_id: str, said: str) -> None:
    """The interface, `nova attach` and `nova status` name the state; so do the lines, for what has happened."""
    for model in (faces.interface, faces.attach):
        assert f" {said}" in detail.title(model, task_id, 100).plain
    rows = [line for line in faces.status if f"  {task_id}  " in line]
    assert task_id == "D1" or said in rows[0]
    told = [line for line in faces.lines if line.startswith(f"{task_id} {said}")]
    assert bool(told) == (task_id != "W1")


@pytest.mark.parametrize("said", COUNTS)
def test_states_are_counted_in_the_same_words(faces: Faces, said: str) -> None:
    """In the first line of `nova status` and the summary; in the header, where the word is before the number."""
    number, word = said.split() if said[0].isdigit() else (said.split()[-1], said.rpartition(" ")[0])
    shown = [header.header(model, 200).plain for model in (faces.interface, faces.attach)]
    assert [text for text in shown if f"{word} {number}" not in text] == []
    assert [text for text in (faces.status[0], faces.summary[1]) if said not in text] == []


def test_a_failure_has_one_reason(faces: Faces) -> None:
    """What the worker printed about it, then how it ended, wherever the reason stands."""
    places = [*faces.reasons, *faces.ends, "\n".join(faces.status), "\n".join(faces.summary), "\n".join(faces.why)]
    assert [text for text in places if "no rows; exit code 3" not in text] == []


def test_the_run_has_one_word(faces: Faces) -> None:
    """The summary names it with its counts; a run that has failed and waits for a person has failed."""
    assert faces.summary[1].startswith("Shop: failed, 1/5 done, ")
    assert faces.status[0].startswith("Shop: 1/5 done, ")
    assert header.state_of(faces.interface) == header.state_of(faces.attach) == faces.status[1] == "failed"


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (TaskState(blocked_by=("F1", "F2")), "blocked by F1, F2"),
        (TaskState(missing=("input a.csv",)), "blocked: missing input a.csv"),
        (TaskState(status=TaskStatus.FAILED, reason=Reason.LOST), "lost"),
        (TaskState(status=TaskStatus.FAILED, reason=Reason.CANCELLED), "cancelled"),
        (TaskState(status=TaskStatus.IN_PROGRESS, verifying=True), "checking"),
        (UNCHECKED, "to be checked"),
        (TaskState(retry_at="2033-05-18T03:34:00+00:00"), "retrying in 40s"),
        (TaskState(waits_for="north"), "rate limited for this run"),
        (TaskState(status=TaskStatus.COMPLETED, skipped=True), "skipped"),
    ],
)
def test_a_state_in_words(state: TaskState, said: str) -> None:
    """The word comes first, then what belongs to it."""
    shown = shown_status(state, ready=False)
    assert phrase(state, shown, NOW) == said
    assert said.startswith(word(state, shown))


def test_a_rate_limit_names_its_end() -> None:
    """In local time."""
    limited = TaskState(waits_for="north", retry_at="2033-05-18T03:45:00+00:00")
    said = phrase(limited, Shown.RETRYING, NOW)
    assert said.startswith("rate limited until ")
    assert said.endswith(":45")


def test_a_task_that_a_stop_left_to_be_checked_is_not_running() -> None:
    """Every face says that the next run checks it; its time stands still."""
    state = State(tasks={"D1": UNCHECKED})
    assert f"  D1  to be checked  {LEFT_UNCHECKED}" in status.screen(state, None, None, NOW)[-1]
    assert why.running("D1", UNCHECKED, alive=False) == ([f"to be checked: {LEFT_UNCHECKED}"], ["nova run"])
    assert rollup([UNCHECKED]).duration(NOW) == 2.5
    assert UNCHECKED.is_unchecked
    assert not UNCHECKED.has_worker
    again = msgspec.structs.replace(UNCHECKED, exit_code=None, pid=7)
    assert phrase(again, shown_status(again, ready=False), NOW) == "running"


def test_a_lost_task_is_lost_everywhere() -> None:
    """In the line and in the summary."""
    error = "it started, but how it ended is unknown (its holder was killed)"
    state = TaskState(status=TaskStatus.FAILED, reason=Reason.LOST, error=error)
    event = Event(1, "?", EventKind.TASK_FAILED, "F1", "", {"reason": "lost", "error": error})
    assert event_line(event, {}, LocalClock()) == f"--:--:-- F1 lost: {error}"
    assert summary.how_it_failed(state) == f"lost: {error}"
