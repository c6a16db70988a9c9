"""Figures of runs, read from the history of a project and of its archived runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from math import fsum
from pathlib import Path

import msgspec

from nova_core.errors import EnvironmentProblem
from nova_core.files.project import Project
from nova_core.model import TokenUsage
from nova_core.runs.worktime import WorkTime
from nova_core.state.database import AttemptRow, Database
from nova_core.state.events import Event, EventKind
from nova_core.state.schema import Reason, TaskStatus


class Figures(msgspec.Struct, frozen=True):
    """Figures of a number of attempts; only finished attempts count.

    `seconds` is the sum of their times. `cost_usd` is None if nothing has a price. `unpriced` attempts used tokens
    without a known price, or were cut off before they reported them: then the cost is a lower bound. `estimated` means
    that some tokens and costs are estimates. `cancelled` attempts are not among the `failed`.
    """

    attempts: int = 0
    completed: int = 0
    failed: int = 0
    cancelled: int = 0
    seconds: float = 0.0
    tokens: TokenUsage = TokenUsage()
    cost_usd: float | None = None
    unpriced: int = 0
    estimated: bool = False

    @property
    def success(self) -> float | None:
        """Share of completed attempts among those not cancelled, 0 to 1; None if there are none."""
        judged = self.completed + self.failed
        return self.completed / judged if judged else None


class RunSummary(msgspec.Struct, frozen=True):
    """One run: everything from `nova run` on a new plan until it is done or archived, however often it was resumed.

    Times are ISO 8601 UTC; `ended_at` is None while an engine is running, or if the last one was killed. `starts`
    counts engines, `wall_seconds` the time during which at least one task ran. `put_aside` is the folder below
    `.nova/old`.
    """

    id: str
    name: str = ""
    started_at: str | None = None
    ended_at: str | None = None
    starts: int = 0
    done: int = 0
    failed: int = 0
    wall_seconds: float = 0.0
    figures: Figures = Figures()
    put_aside: str | None = None


class Run(msgspec.Struct, frozen=True):
    """A run and its attempts, in the order they ended. `file` is the history that has it."""

    summary: RunSummary
    attempts: tuple[AttemptRow, ...]
    file: Path = Path()


def tokens_of(row: AttemptRow) -> TokenUsage:
    """The tokens of an attempt."""
    return TokenUsage(row.input_tokens, row.output_tokens, row.cache_read_tokens, row.cache_creation_tokens)


def figures(rows: Iterable[AttemptRow]) -> Figures:
    """The sums over attempts."""
    rows = list(rows)
    completed = sum(row.status == "completed" for row in rows)
    cancelled = sum(row.reason == Reason.CANCELLED for row in rows)
    costs = [row.cost_usd for row in rows if row.cost_usd is not None]
    return Figures(
        attempts=len(rows), completed=completed, failed=len(rows) - completed - cancelled, cancelled=cancelled,
        seconds=fsum(row.elapsed for row in rows), tokens=sum(map(tokens_of, rows), TokenUsage()),
        cost_usd=fsum(costs) if costs else None,
        unpriced=sum(row.cost_usd is None and (row.estimated or tokens_of(row).total > 0) for row in rows),
        estimated=any(row.estimated for row in rows),
    )  # fmt: skip


def grouped(rows: Iterable[AttemptRow], key: Callable[[AttemptRow], str | None]) -> dict[str | None, Figures]:
    """The sums for each value of `key`, the most expensive first, then the longest."""
    groups: dict[str | None, list[AttemptRow]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    sums = {name: figures(group) for name, group in groups.items()}
    order = sorted(sums, key=lambda name: (-(sums[name].cost_usd or 0.0), -sums[name].seconds, name or ""))
    return {name: sums[name] for name in order}


def load_runs(project: Project, complain: Callable[[str], object] = str) -> list[Run]:
    """Every run of a plan, oldest first; `complain` gets a message for each archived run that cannot be read.

    `project` is the plan's place. Raises `EnvironmentProblem` if its own history cannot be read.
    """
    found = []
    for path in sorted(project.old_dir.glob("*/" + project.database.name)):
        try:
            found += runs_in(path, path.parent.name)
        except EnvironmentProblem as problem:
            complain(problem.message)
    if project.database.exists():
        found += runs_in(project.database)
    return sorted(found, key=lambda run: run.summary.started_at or "")


@contextmanager
def reading(path: Path) -> Iterator[Database]:
    """Open a history for reading. Raises `EnvironmentProblem` if it cannot be opened or read."""
    import sqlite3

    database = Database(path, read_only=True)
    try:
        yield database
    except (ValueError, msgspec.MsgspecError, sqlite3.Error) as error:
        raise EnvironmentProblem(
            f"{path}: cannot be read ({error})", hint="check whether it is damaged, or upgrade Nova"
        ) from None
    finally:
        database.close()


def runs_in(path: Path, put_aside: str | None = None) -> list[Run]:
    """The runs in a database. Raises `EnvironmentProblem` if it cannot be read."""
    with reading(path) as database:
        told = _told(database.events_since(0))
        rows = database.attempts()
    runs = []
    for run_id in dict.fromkeys((*told, *(row.run for row in rows))):
        own = tuple(row for row in rows if row.run == run_id)
        runs.append(Run(_summary(told.get(run_id, RunSummary(run_id)), own, put_aside), own, path))
    return runs


def _summary(told: RunSummary, rows: tuple[AttemptRow, ...], put_aside: str | None) -> RunSummary:
    time = WorkTime((row.task, row.ended_at, row.elapsed, row.began) for row in rows)
    wall = time.wall(0.0)  # nothing runs: the events hold finished attempts only
    first = min((row.started_at for row in rows if row.started_at), default=None)
    return msgspec.structs.replace(
        told, started_at=told.started_at or first, wall_seconds=round(wall, 3), figures=figures(rows),
        put_aside=put_aside,
    )  # fmt: skip


def _told(events: Iterable[Event]) -> dict[str, RunSummary]:
    """What the events say of each run; events before the first start belong to it."""
    found: dict[str, RunSummary] = {}
    statuses: dict[str, dict[str, str]] = {"": {}}
    run = ""
    for event in events:
        patch = event.patch
        if event.kind is EventKind.RUN_STARTED and patch.get("id"):
            statuses.setdefault(patch["id"], {} if run else statuses[""])
            run = patch["id"]
            found[run] = _started(found.get(run, RunSummary(run)), event)
        elif event.kind is EventKind.RUN_ENDED and run:
            found[run] = msgspec.structs.replace(found[run], ended_at=event.at)
        elif event.task is not None and patch.get("removed"):
            statuses[run].pop(event.task, None)
        elif event.task is not None and "status" in patch and not patch.get("gate"):
            statuses[run][event.task] = patch["status"]
    return {run: _counted(summary, statuses[run].values()) for run, summary in found.items()}


def _started(run: RunSummary, event: Event) -> RunSummary:
    """An engine starts or resumes the run."""
    name = event.patch.get("name") or run.name
    return msgspec.structs.replace(
        run, name=name, started_at=run.started_at or event.at, ended_at=None, starts=run.starts + 1
    )


def _counted(run: RunSummary, statuses: Iterable[str]) -> RunSummary:
    counts = Counter(statuses)
    return msgspec.structs.replace(run, done=counts[TaskStatus.COMPLETED], failed=counts[TaskStatus.FAILED])
