"""A source without an engine, fed by hand, and the models of the scripted and of the hostile run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from scripted_run import HOSTILE, NOW, PLAN, START, Script, script, used

from nova_core.clock import iso
from nova_core.command import Command
from nova_core.config import Config
from nova_core.files.project import Project
from nova_core.parser import Cascade, parse_text
from nova_core.runs.outlook import Latest
from nova_core.runs.worktime import Span
from nova_core.state.database import AttemptRow
from nova_core.state.events import Event, EventKind
from nova_core.state.schema import ProjectState, Reason, RunState, TaskState, patched
from nova_core.watch.source import EngineState, Notice, Update
from nova_core.watch.view_model import ViewModel


class FakeSource:
    """A source fed by hand: `feed` queues an event, `poll` applies queued ones, `sent` holds the commands."""

    def __init__(
        self, cascade: Cascade, tasks: Mapping[str, TaskState] | None = None, *, root: Path = Path("/orbit"),
        attempts: Sequence[AttemptRow] = (), read_only: bool = False, config: Config | None = None,
    ) -> None:  # fmt: skip
        self.cascade = cascade
        self.project = Project(root)
        self.read_only = read_only
        self.owns_engine = True
        self.config = config or Config(budget=2.5, jobs=4)
        self.tasks: dict[str, TaskState] = dict(tasks or {})
        self.run = RunState(id="r1")
        self.project_state = ProjectState(cascade.name, "CASCADE.md", iso(START))
        self.jobs = self.config.jobs
        self.rev = 0
        self.engine = EngineState.RUNNING
        self.error = ""
        self.uncommitted: tuple[str, ...] = ()
        self.sent: list[Command] = []
        self.started = self.closed = False
        self.stopped: list[str] = []
        self.was_stopped = False
        self.went_on = 0
        self.rows = list(attempts)
        self.history: list[Event] = []
        self._queued: list[Event] = []
        self._notices: list[Notice] = []
        self._engine_changed = self._reset = False

    def replan(self, cascade: Cascade) -> None:
        """Change the plan."""
        self.cascade, self._reset = cascade, True

    def feed(self, *events: Event) -> None:
        """Queue events for the next `poll`."""
        self._queued += events

    def change(self, task: str, kind: EventKind = EventKind.TASK_CHANGED, message: str = "", **patch: Any) -> None:
        """Queue an event that changes a task."""
        rev = self.rev + len(self._queued) + 1
        self.feed(Event(rev, iso(NOW), kind, task, message or f"{task} changed", patch))

    def notify(self, ok: bool, text: str) -> None:
        """Queue an answer to a command."""
        self._notices.append(Notice(ok, text))

    def turn(self, engine: EngineState, error: str = "") -> None:
        """Change the engine's state."""
        self.engine, self.error, self._engine_changed = engine, error, True

    def poll(self) -> Update:
        """Apply queued events."""
        events, self._queued = tuple(self._queued), []
        notices, self._notices = tuple(self._notices), []
        engine, self._engine_changed = self._engine_changed, False
        reset, self._reset = self._reset, False
        changed = {event.task for event in events if event.task is not None}
        for event in events:
            self.rev = max(self.rev, event.rev)
            if event.task is None:
                self.run = patched(self.run, event.patch, True)
                self.project_state = patched(self.project_state, event.patch, True)
            elif event.patch:
                self.tasks[event.task] = patched(self.tasks.get(event.task, TaskState()), event.patch, False)
        return Update(frozenset(changed), events, notices, reset, engine)

    def attempts(self, task_id: str) -> list[AttemptRow]:
        """Finished attempts of the task, oldest first."""
        return [row for row in self.rows if row.task == task_id]

    def spans(self) -> list[Span]:
        """When the attempts ended, and how long they took."""
        return [(row.task, row.ended_at, row.elapsed, row.began) for row in self.rows]

    def latest(self) -> list[Latest]:
        """What the latest completed attempt of each task took and cost in earlier runs."""
        rows = [row for row in self.rows if row.run != self.run.id and row.status == "completed"]
        return list({row.task: (row.task, row.elapsed, row.cost_usd) for row in rows}.values())

    def past(self, before: int, most: int) -> list[Event]:
        """The last recorded events."""
        return [event for event in self.history if event.rev < before][-most:]

    def send(self, command: Command) -> None:
        """Record the command."""
        self.sent.append(command)

    def go_on(self, uncommitted: str = "") -> None:
        """Record the request."""
        self.went_on += 1

    def start(self) -> None:
        """Record the start."""
        self.started = True

    def stop(self, *, kill: bool = False) -> None:
        """Record how the workers were stopped."""
        self.stopped.append("kill" if kill else "stop")

    def detach(self) -> None:
        """Record that the workers were left running."""
        self.stopped.append("detach")

    def join(self, timeout: float) -> bool:
        """There is no thread to wait for."""
        return True

    def close(self) -> None:
        """Record that it was closed."""
        self.closed = True


def demo_source(root: Path | None = None, *, read_only: bool = False) -> FakeSource:
    """The scripted run, before its first `poll`; with `root`, logs are written below it."""
    cascade = parse_text(PLAN, "CASCADE.md")
    played = script()
    source = FakeSource(cascade, root=root or Path("/orbit"), attempts=played.attempts, read_only=read_only)
    source.feed(*played.events)
    if root is not None:
        write_logs(root, cascade)
    return source


def demo_model(source: FakeSource | None = None) -> ViewModel:
    """What the screens show of the scripted run at minute 25."""
    source = source or demo_source()
    model = ViewModel(source, NOW)
    model.apply(source.poll(), NOW)
    model.tokens_per_minute.extend((0, 41_000, 62_000, 18_000, 0, 75_000, 120_000, 93_000, 66_000, 151_000))
    return model


def hostile_source() -> FakeSource:
    """Six tasks whose every text has control sequences; the last ones failed, are running and wait."""
    rows = "\n".join(
        f"| H{i} | {text.replace('|', '')} | what | {f'H{i - 1}' if i else '-'} |"
        for i, text in enumerate(_in_a_cell(t) for t in HOSTILE)
    )
    head = "| Task ID | Task Name | What Changes | Depends On |\n| --- | --- | --- | --- |\n"
    cascade = parse_text(
        f"# Evil [/plan]\n\n## L1: [red]branch\n\n### L2: [@click=app.quit]group\n\n{head}{rows}\n", "P.md"
    )
    cascade = _renamed(cascade)
    s = Script()
    for i, text in enumerate(HOSTILE):
        s.at(i * 10).start(f"H{i}", text, text)
        if i % 3 == 0:
            s.fail(f"H{i}", Reason.AGENT_ERROR, text, used(3), log=text, commit_sha=text, files_changed=(text,))
        elif i % 3 == 1:
            s.step(f"H{i}", text, 30, used(2))
        else:
            s.say(EventKind.MILESTONE, None, text)
            s.done(f"H{i}", used(4), [text])
    source = FakeSource(cascade, attempts=s.attempts)
    source.feed(*s.events)
    return source


def _in_a_cell(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)


def _renamed(cascade: Cascade) -> Cascade:
    """Restore what the parser cleaned: no view may rely on it."""
    tasks = {
        i: msgspec.structs.replace(
            t, name=text, description=text, details=text, model=text, agent=text, command=text, outputs=(text,)
        )
        for (i, t), text in zip(cascade.tasks.items(), HOSTILE, strict=True)
    }
    return msgspec.structs.replace(cascade, tasks=tasks, name=HOSTILE[0] + HOSTILE[3])


def write_logs(root: Path, cascade: Cascade, lines: int = 60) -> None:
    """A small log for every task."""
    (root / "logs").mkdir(exist_ok=True)
    for task in cascade.tasks.values():
        text = "".join(f"{task.id} line {n}: working on {task.name}\n" for n in range(1, lines + 1))
        (root / "logs" / f"{task.id}.log").write_text(text)
