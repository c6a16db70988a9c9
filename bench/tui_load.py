"""The interface on a made-up run: `tui_load.py TASKS EVENTS_PER_SECOND LINES_PER_SECOND`, in an empty folder."""

from __future__ import annotations

import random
import shutil
import sys
import threading
import time
from collections import deque
from pathlib import Path

from nova_core.clock import iso
from nova_core.command import Command
from nova_core.config import Config
from nova_core.files.project import Project
from nova_core.model import TokenUsage
from nova_core.parser import Cascade, parse_text
from nova_core.runs.outlook import Latest
from nova_core.runs.worktime import Span
from nova_core.state.database import AttemptRow
from nova_core.state.events import Event, EventKind
from nova_core.state.schema import ProjectState, RunState, TaskState, TaskStatus
from nova_core.watch.source import EngineState, Update

GROUP = 8
RUNNING = 2  # every n-th task runs
HEAD = "| Task ID | Task Name | What Changes | Depends On |\n|---|---|---|---|"
SLICE = 0.02  # seconds of events the engine's thread makes at once


def plan(size: int) -> str:
    """A plan of `size` tasks in groups of eight and branches of eight groups."""
    lines = ["# Load"]
    for number in range(size):
        if number % (GROUP * 8) == 0:
            lines += ["", f"## L1: Branch {number // GROUP // 8}"]
        if number % GROUP == 0:
            lines += ["", f"### L2: Group {number // GROUP}", "", HEAD]
        before = f"T{number - 1:06}" if number % GROUP else "-"
        lines.append(f"| T{number:06} | Job number {number} | changes part {number} | {before} |")
    return "\n".join(lines) + "\n"


def prepare(folder: Path, text: str) -> None:
    """A project whose plan is done, so that nothing starts."""
    import msgspec

    from nova_core.state.schema import State

    now = iso(time.time())
    done = TaskState(status=TaskStatus.COMPLETED, attempt=1, started_at=now, completed_at=now, elapsed=60.0)
    tasks = dict.fromkeys(parse_text(text, "CASCADE.md").tasks, done)
    state = State(project=ProjectState("Load", "CASCADE.md", now), tasks=tasks)
    folder.joinpath("CASCADE.md").write_text(text)
    folder.joinpath("cascade_state.json").write_bytes(msgspec.json.encode(state))
    folder.joinpath(".nova").mkdir(mode=0o700)
    folder.joinpath("logs").mkdir()
    folder.joinpath("nova.yaml").write_text('agent: none\nagents: {none: {command: ["true"]}}\n')


class LoadSource:
    """A run in which a thread changes random tasks, and one task's log grows, at the given rates."""

    read_only = was_stopped = False
    owns_engine = True
    error = ""
    uncommitted = ()

    def __init__(self, cascade: Cascade, root: Path, events: int, lines: int) -> None:
        self.cascade, self.project, self.config = cascade, Project(root), Config(jobs=8)
        self.run, self.project_state = RunState("load"), ProjectState(cascade.name, "CASCADE.md", iso(time.time()))
        self.engine, self.jobs, self.rev = EngineState.RUNNING, 8, 0
        now = iso(time.time())
        begun = TaskState(status=TaskStatus.IN_PROGRESS, attempt=1, started_at=now, log="log", pid=1)
        ids = list(cascade.tasks)
        self._running = ids[::RUNNING]
        self.tasks = {i: begun if n % RUNNING == 0 else TaskState() for n, i in enumerate(ids)}
        self._events: deque[Event] = deque()
        self._rates = events, lines
        self._log = self.project.latest_log(ids[0])
        self._log.touch()
        for task in ids[1:GROUP]:
            self.project.latest_log(task).hardlink_to(self._log)

    def start(self) -> None:
        """Start the changes."""
        if any(self._rates):
            threading.Thread(target=self._work, daemon=True).start()

    def _work(self) -> None:
        chance, began, made, printed = random.Random(1), time.monotonic(), 0, 0
        with self._log.open("a") as log:
            while True:
                time.sleep(SLICE)
                passed = time.monotonic() - began
                while made < passed * self._rates[0]:
                    made += 1
                    self._change(chance.choice(self._running), made)
                while printed < passed * self._rates[1]:
                    printed += 1
                    log.write(f"[12:00:00] tool  Edit  src/nova/part_{printed}.py: {printed} lines changed\n")
                log.flush()

    def _change(self, task: str, number: int) -> None:
        patch = {
            "progress": number % 100, "current_step": f"step {number}",
            "token_usage": TokenUsage(number, number // 8), "cost_usd": number / 1e4,
        }  # fmt: skip
        self._events.append(Event(number, "", EventKind.TASK_PROGRESS, task, "", patch))

    def poll(self) -> Update:
        """What has happened."""
        import msgspec

        events = []
        while self._events:
            event = self._events.popleft()
            assert event.task is not None
            self.tasks[event.task] = msgspec.structs.replace(self.tasks[event.task], **event.patch)
            events.append(event)
        return Update(frozenset(e.task for e in events if e.task), tuple(events))

    def send(self, command: Command) -> None:
        """Accept no command."""

    def past(self, before: int, most: int) -> list[Event]:
        """There are no earlier events."""
        return []

    def attempts(self, task_id: str) -> list[AttemptRow]:
        """There are no finished attempts."""
        return []

    def spans(self) -> list[Span]:
        """No attempt has finished."""
        return []

    def latest(self) -> list[Latest]:
        """Nor has one in an earlier run."""
        return []

    def go_on(self, uncommitted: str = "") -> None:
        """The run is already running."""

    def close(self) -> None:
        """There is nothing to release."""


def main() -> None:
    """Show it."""
    from nova_tui.choice import Look
    from nova_tui.start import show

    size, events, lines = map(int, sys.argv[1:4])
    root = Path.cwd()
    shutil.rmtree(root / "logs", ignore_errors=True)
    root.joinpath("logs").mkdir()
    show(LoadSource(parse_text(plan(size), "CASCADE.md"), root, events, lines), Look())


if __name__ == "__main__":
    main()
