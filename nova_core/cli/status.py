"""`nova status`: where the run stands, read from the state file without a lock, with or without an engine."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from nova_core.cli.options import AsJson, Directory, here, load_state, plan_of
from nova_core.cli.output import columns, flush, out, out_lines, paint
from nova_core.console.lines import failure_text
from nova_core.errors import UsageError
from nova_core.model import TokenUsage
from nova_core.record import State, TaskState, TaskStatus
from nova_core.text import clean, duration, money, tokens

if TYPE_CHECKING:
    from nova_core.lock import EngineInfo
    from nova_core.parser import Cascade
    from nova_core.project import Project

MAX_PENDING = 20
WATCH_EVERY = 1.0
CLEAR = "\x1b[H\x1b[2J"
COLOURS = {"running": "blue", "verifying": "blue", "failed": "red", "blocked": "yellow", "approval": "yellow"}
ORDER = ("running", "verifying", "approval", "failed", "retrying", "blocked", "pending")


def status(
    as_json: AsJson = False,
    watch: Annotated[bool, typer.Option("--watch", help="Show it anew every second until the run is over.")] = False,
    directory: Directory = None,
) -> int:
    """Show where the run stands.

    \b
    Examples:  nova status
               nova status --watch
               nova status --json | jq .counts
    """
    project = here()
    if as_json and watch:
        raise UsageError("--json and --watch exclude each other", hint="nova run --json prints every event")
    if as_json:
        print_json(project)
    elif watch:
        follow(project)
    else:
        state = load_state(project)
        out_lines(screen(state, plan_of(state), engine_of(project), time.time()))
    return 0


def engine_of(project: Project) -> EngineInfo | None:
    """The live engine, if there is one."""
    from nova_core.lock import engine_alive

    return engine_alive(project.lock_file)


def print_json(project: Project) -> None:
    """Counts, the engine and the whole state, for programs."""
    import msgspec

    state = load_state(project)
    counts = Counter(shown_word(task) for task in state.tasks.values())
    value = {
        "engine": engine_of(project),
        "counts": {word: counts[word] for word in (*ORDER, "completed")},
        "state": state,
    }
    out(msgspec.json.encode(value).decode())


def follow(project: Project) -> None:
    """Print the screen every second, on a terminal over the one before, until no engine is left."""
    clear = CLEAR if sys.stdout.isatty() else ""
    before: list[str] = []
    state = load_state(project)
    plan = plan_of(state)
    while True:
        engine = engine_of(project)
        state = load_state(project)
        lines = screen(state, plan, engine, time.time())
        if lines != before:
            out(clear + "\n".join(lines) + ("" if clear else "\n"))
            flush()
        before = lines
        if engine is None:
            return
        time.sleep(WATCH_EVERY)


def screen(state: State, plan: Cascade | None, engine: EngineInfo | None, now: float) -> list[str]:
    """All lines of the status; `now` is seconds since the epoch."""
    tasks = in_plan_order(state, plan)
    return [
        f"{clean(state.project.name or 'run')}: {counts_text(tasks.values())}",
        engine_line(engine, paused=state.run.paused),
        *usage_lines(tasks.values()),
        *group_lines(tasks, plan),
        *task_lines(tasks, plan, now),
    ]


def in_plan_order(state: State, plan: Cascade | None) -> dict[str, TaskState]:
    """The tasks of the plan with what is known of each; without a plan, what the state holds."""
    if plan is None:
        return state.tasks
    return {task_id: state.tasks.get(task_id, TaskState()) for task_id in plan.tasks}


def shown_word(task: TaskState) -> str:
    """The status in one word, finer than on disk."""
    if task.status is TaskStatus.COMPLETED or task.status is TaskStatus.FAILED:
        return task.status.value
    if task.approval == "waiting":
        return "approval"
    if task.status is TaskStatus.IN_PROGRESS:
        return "verifying" if task.verifying else "running"
    if task.blocked_by:
        return "blocked"
    return "retrying" if task.retry_at else "pending"


def counts_text(tasks: Iterable[TaskState]) -> str:
    """`3/10 done, 1 failed, 2 blocked`."""
    counts = Counter(map(shown_word, tasks))
    others = [f"{counts[word]:,} {word}" for word in ORDER if counts[word]]
    return ", ".join([f"{counts['completed']:,}/{counts.total():,} done", *others])


def engine_line(engine: EngineInfo | None, *, paused: bool) -> str:
    """Who runs it."""
    suffix = ", paused" if paused else ""
    if engine is None:
        return f"engine: none{suffix} (nova run goes on)"
    return f"engine: pid {engine.pid} on {clean(engine.host)}, since {clean(engine.since)}{suffix}"


def usage_lines(tasks: Iterable[TaskState]) -> list[str]:
    """Tokens and cost, if any were used; a task with tokens and no cost has no price."""
    used = [task for task in tasks if task.token_usage.total]
    if not used:
        return []
    usage = sum((task.token_usage for task in used), TokenUsage())
    priced = [task.cost_usd for task in used if task.cost_usd is not None]
    least = "at least " if priced and len(priced) < len(used) else ""
    cost = money(sum(priced)) if priced else "unknown"
    return [f"tokens: {tokens(usage.total)}  cost: {least}{cost}"]


def group_lines(tasks: Mapping[str, TaskState], plan: Cascade | None) -> list[str]:
    """One line per branch and group, when there is more than one."""
    if plan is None or sum(map(len, plan.branches.values())) < 2:
        return []
    rows = []
    for branch, groups in plan.branches.items():
        rows.append((clean(branch), counts_text(tasks[i] for ids in groups.values() for i in ids)))
        if len(groups) > 1 or branch not in groups:
            rows += [(f"  {clean(group)}", counts_text(tasks[i] for i in ids)) for group, ids in groups.items()]
    return ["", *columns(rows)]


def task_lines(tasks: Mapping[str, TaskState], plan: Cascade | None, now: float) -> list[str]:
    """Every task that is not done, the ones that matter most first; of the pending only some."""
    words = {task_id: shown_word(task) for task_id, task in tasks.items()}
    chosen = sorted((i for i in tasks if words[i] in ORDER), key=lambda i: ORDER.index(words[i]))
    pending = sum(words[i] == "pending" for i in chosen)
    shown = chosen[: len(chosen) - max(0, pending - MAX_PENDING)]
    rows = [(clean(i), words[i], described(i, tasks[i], plan, now)) for i in shown]
    lines = [
        paint(line, COLOURS.get(row[1], "")) for row, line in zip(rows, columns(rows), strict=True)
    ]  # whole lines: escape sequences inside a cell would break the alignment
    more = [f"and {pending - MAX_PENDING:,} more pending"] if pending > MAX_PENDING else []
    return ["", *lines, *more] if lines else []


def described(task_id: str, task: TaskState, plan: Cascade | None, now: float) -> str:
    """The name of the task and what is to say about it."""
    name = clean(plan.tasks[task_id].name) if plan else ""
    return "  ".join(part for part in (name, detail(task, now)) if part)


def detail(task: TaskState, now: float) -> str:
    """What is to say about a task that is not done."""
    if task.status is TaskStatus.FAILED:
        return f"({failure_text(task.reason, task.error)})"
    if task.status is TaskStatus.IN_PROGRESS and task.approval != "waiting":
        percent = f"{task.progress}%" if task.progress is not None else ""
        return " ".join(part for part in (elapsed(task, now), percent, clean(task.current_step or "")) if part)
    if task.blocked_by:
        return f"(by {clean(', '.join(task.blocked_by))})"
    return f"(at {clean(task.retry_at)})" if task.retry_at else ""


def elapsed(task: TaskState, now: float) -> str:
    """How long a task has been running; nothing when the stamp cannot be read."""
    from nova_core.clock import seconds

    try:
        return duration(max(0.0, now - seconds(task.started_at or "")))
    except ValueError:
        return ""
