"""The live view of a headless run on a terminal: running tasks and progress below, finished tasks scrolling above."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Collection
from datetime import datetime
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from nova_core.console.lines import STYLES, LocalClock, event_line
from nova_core.runs import words
from nova_core.runs.rollup import told
from nova_core.runs.words import Shown, shown_status
from nova_core.state.events import Event
from nova_core.state.run_clock import ran_for
from nova_core.state.schema import NEW, TaskState, TaskStatus
from nova_core.text import clean, duration
from nova_core.threads import start_thread

if TYPE_CHECKING:
    from nova_core.runs.result import Snapshot

REFRESH = 0.2
LEFT_EVERY = 2.0
MAX_RUNNING = 12
_COUNTED = (
    Shown.RUNNING, Shown.VERIFYING, Shown.MERGING, Shown.ASKS, Shown.APPROVAL, Shown.FAILED, Shown.CANCELLED,
    Shown.BLOCKED, Shown.RETRYING,
)  # fmt: skip


class LiveView:
    """Takes snapshots a few times a second and redraws; the engine only appends events and never waits.

    Every text is a `Text`, never markup: names and steps come from plans and workers and are not trusted.
    """

    def __init__(self, snapshot: Callable[[], Snapshot], console: Console | None = None) -> None:
        self._snapshot = snapshot
        self._console = console or Console(highlight=False, markup=False, emoji=False)
        self._events: deque[Event] = deque()
        self._clock = LocalClock()
        self._closing = threading.Event()
        self._left: float | None = None
        self._left_at = 0.0
        self._live = Live(console=self._console, auto_refresh=False, transient=True, redirect_stdout=False)
        self._live.start()
        self._thread = threading.Thread(target=self._work, name="nova-live", daemon=True)
        start_thread(self._thread)

    def event(self, event: Event) -> None:
        """Queue one event; returns immediately."""
        self._events.append(event)

    def close(self) -> None:
        """Print the remaining events and remove the lower part from the screen."""
        self._closing.set()
        self._thread.join()
        self._live.stop()

    def _work(self) -> None:
        while not self._closing.wait(REFRESH):
            self._draw(self._snapshot())
        self._print_events(self._snapshot())

    def _draw(self, snapshot: Snapshot) -> None:
        self._print_events(snapshot)
        self._live.update(lower_part(snapshot, self._time_left(snapshot), self._console.width), refresh=True)

    def _time_left(self, snapshot: Snapshot) -> float | None:
        """Minimum seconds remaining; computed rarely, because it walks the whole graph."""
        if time.monotonic() >= self._left_at:
            self._left, self._left_at = snapshot.critical_path_left, time.monotonic() + LEFT_EVERY
        return self._left

    def _print_events(self, snapshot: Snapshot) -> None:
        """Print all events with one call: each call redraws the lower part."""
        lines = []
        while self._events:
            event = self._events.popleft()
            if event.kind in STYLES and (line := event_line(event, snapshot.cascade.tasks, self._clock)):
                lines.append(Text(line, STYLES[event.kind], overflow="fold"))
        if lines:
            self._console.print(Text("\n").join(lines))


def lower_part(snapshot: Snapshot, left: float | None, width: int) -> RenderableType:
    """Running tasks, then one line of counts and a bar; `left` is seconds."""
    ids = snapshot.running
    running = [running_row(task_id, snapshot) for task_id in ids[:MAX_RUNNING]]
    more = len(ids) - len(running)
    rows: list[RenderableType] = []
    if running:
        rows.append(running_table(running))
    if more > 0:
        rows.append(Text(f"  and {more:,} more running", "dim"))
    tasks = told(snapshot.cascade.tasks, snapshot.state.tasks).values()
    rows.append(Text(counts_line(snapshot, tasks, left), "bold", no_wrap=True, overflow="ellipsis"))
    done, total = sum(task.status is TaskStatus.COMPLETED for task in tasks), max(len(tasks), 1)
    rows.append(ProgressBar(total=total, completed=done, width=min(width, 60), complete_style="green"))
    return Group(*rows)


def running_table(rows: list[tuple[str, str, str, str]]) -> Table:
    """The running tasks in columns: id, elapsed, name, step."""
    table = Table.grid(padding=(0, 2))
    for _ in range(2):
        table.add_column(no_wrap=True)
    for _ in range(2):
        table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    for task_id, elapsed, name, step in rows:
        table.add_row(Text(task_id, "cyan"), Text(elapsed), Text(name), Text(step, "dim"))
    return table


def running_row(task_id: str, snapshot: Snapshot) -> tuple[str, str, str, str]:
    """The cells of one running task."""
    task = snapshot.state.tasks.get(task_id, NEW)
    plan = snapshot.cascade.tasks.get(task_id)
    step = Shown.VERIFYING.value if task.verifying else clean(task.current_step or "")
    percent = f"{task.progress}% " if task.progress is not None else ""
    return clean(task_id), elapsed(task, snapshot.at), clean(plan.name) if plan else "", percent + step


def elapsed(task: TaskState, now: datetime) -> str:
    """How long a task has been running."""
    took = ran_for(task, now.timestamp())
    return "" if took is None else duration(took)


def counts_line(snapshot: Snapshot, tasks: Collection[TaskState], left: float | None) -> str:
    """The run in one line."""
    numbers = Counter(shown_status(task, ready=False) for task in tasks)
    done = numbers[Shown.COMPLETED] + numbers[Shown.SKIPPED]
    parts = [f"{done:,}/{len(tasks):,} done"]
    parts += words.counts({shown: numbers[shown] for shown in _COUNTED})
    if snapshot.state.run.paused:
        parts.append(words.RunWord.PAUSED.value)
    if left and left >= 1:
        parts.append(f"at least {duration(left)} left")
    return "  ".join([clean(snapshot.cascade.name), *parts])
