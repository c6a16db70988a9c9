"""`nova status`: the state of the run, read from the state file without a lock, with or without an engine."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from nova_core.cli.choosing import PlanArgument, PlanOf, chosen
from nova_core.cli.options import AsJson, Directory, load_state, plan_of
from nova_core.cli.output import columns, flush, for_runner, out, out_json, out_lines, paint
from nova_core.clock import Clock
from nova_core.errors import UsageError
from nova_core.runs.merging import in_conflict, landing_lines, run_line
from nova_core.runs.rollup import Rollup, rollup
from nova_core.runs.words import (
    ASCII_GLYPHS,
    GLYPHS,
    LEFT_UNCHECKED,
    STARTABLE,
    RunWord,
    Shown,
    approval_note,
    counts_text,
    failure_text,
    go_on_line,
    phrase,
    run_word,
    shown_status,
    turns,
)
from nova_core.state.holds import current_holds, hold_words
from nova_core.state.run_clock import ran_for, run_time
from nova_core.state.schema import NEW, State, TaskState, TaskStatus
from nova_core.state.windows import window_lines
from nova_core.text import clean, costs, cut, duration, number_of, tokens

if TYPE_CHECKING:
    from nova_core.engine.renewal import Staleness
    from nova_core.files.lock import EngineInfo
    from nova_core.files.project import Project
    from nova_core.parser import Cascade

MAX_PENDING = 20
MAX_STALE = 10
WATCH_EVERY = 1.0
CLEAR = "\x1b[H\x1b[2J"
COLOURS = {
    Shown.RUNNING: "blue",
    Shown.VERIFYING: "blue",
    Shown.MERGING: "blue",
    Shown.ASKS: "yellow",
    Shown.APPROVAL: "yellow",
    Shown.FAILED: "red",
    Shown.CANCELLED: "red",
    Shown.BLOCKED: "yellow",
}
WRONG = (Shown.FAILED, Shown.CANCELLED)
OPEN = (Shown.READY, Shown.WAITING)
ORDER = (
    Shown.RUNNING, Shown.VERIFYING, Shown.MERGING, Shown.ASKS, Shown.APPROVAL, Shown.FAILED, Shown.CANCELLED,
    Shown.RETRYING, Shown.BLOCKED, *OPEN,
)  # fmt: skip


def status(
    argument: PlanArgument = None,
    plan: PlanOf = None,
    as_json: AsJson = False,
    watch: Annotated[bool, typer.Option("--watch", help="Refresh every second until the run ends.")] = False,
    every: Annotated[bool, typer.Option("--all", help="List every task, also those that are done.")] = False,
    directory: Directory = None,
) -> int:
    """Show the state of the run and its tasks.

    \b
    Examples:  nova status
               nova status --all
               nova status specs/002/tasks.md
               nova status --watch
               nova status --json | jq .counts
    """
    project = chosen(plan, argument)
    if as_json and watch:
        raise UsageError("--json and --watch exclude each other", hint="print every event with nova run --json")
    if as_json:
        print_json(project)
    elif watch:
        follow(project, every=every)
    else:
        state, engine = load_state(project), engine_of(project)
        cascade = plan_of(state, project)
        shown = with_reasons(state, project)
        lines = screen(shown, cascade, engine, run_time(state.run, Clock()), every=every)
        out_lines([*lines, *stale_lines(staleness(project, state, cascade, engine))])
    return 0


def with_reasons(state: State, project: Project) -> State:
    """The state to show: failed tasks with what they printed about it."""
    if all(task.reason is None for task in state.tasks.values()):
        return state
    from nova_core.console.last_words import explained

    return explained(state, project.latest_log)


def engine_of(project: Project) -> EngineInfo | None:
    """The running engine, if there is one."""
    from nova_core.files.lock import engine_alive

    return engine_alive(project.lock_file)


def print_json(project: Project) -> None:
    """Counts, the engine and the whole state, for programs."""
    state, engine = load_state(project), engine_of(project)
    plan = plan_of(state, project)
    words = words_of(in_plan_order(state, plan), plan)
    counts = Counter(word for i, word in words.items() if not (plan and plan.tasks[i].gate))
    stale = staleness(project, state, plan, engine)
    found = stale.found if stale else {}
    out_json({"engine": engine, "counts": {word.key: counts[word] for word in Shown}, "stale": found, "state": state})


def staleness(project: Project, state: State, plan: Cascade | None, engine: EngineInfo | None) -> Staleness | None:
    """The done tasks whose results may be out of date; None if an engine is running, which may be using up outputs."""
    if plan is None or engine is not None or all(t.status is not TaskStatus.COMPLETED for t in state.tasks.values()):
        return None
    from nova_core.engine.renewal import find_stale, not_missed

    return find_stale(plan, state.tasks, project.root, not_missed(state.run, state.tasks))


def stale_lines(stale: Staleness | None) -> list[str]:
    """The done tasks that will run again because an output is gone, and those that only --rerun-changed runs again."""
    if stale is None or not stale.found:
        return []
    rest = [i for i in stale.found if i not in stale.lost]
    shown = [*stale.lost, *rest][:MAX_STALE]
    rows = columns([(f"  {clean(i)}", clean(stale.found[i])) for i in shown])
    more = [f"  and {len(stale.found) - len(shown):,} more"] if len(stale.found) > len(shown) else []
    steps = ["  nova run makes the outputs again"] if stale.lost else []
    steps += [
        "  nova run --rerun-changed runs them again" if not steps else "  --rerun-changed runs all of these again"
    ]
    return [
        "",
        f"{number_of(len(stale.found), 'done task')} may be stale:",
        *rows,
        *more,
        *(steps if rest else steps[:1]),
    ]


def follow(project: Project, *, every: bool) -> None:
    """Print the status every second until no engine is running; on a terminal it replaces the previous one."""
    clear = CLEAR if sys.stdout.isatty() else ""
    before: list[str] = []
    state = load_state(project)
    plan = plan_of(state, project)
    while True:
        engine = engine_of(project)
        state = with_reasons(load_state(project), project)
        lines = screen(state, plan, engine, run_time(state.run, Clock()), every=every)
        if lines != before:
            out(clear + for_runner("\n".join(lines)) + ("" if clear else "\n"))
            flush()
        before = lines
        if engine is None:
            return
        time.sleep(WATCH_EVERY)


def screen(
    state: State, plan: Cascade | None, engine: EngineInfo | None, now: float, *, every: bool = False
) -> list[str]:
    """All lines of the status; `now` is seconds on the run's clock, `every` lists all tasks in plan order."""
    tasks = in_plan_order(state, plan)
    words = words_of(tasks, plan)
    numbers = counted(words, plan)
    return [
        f"{clean(state.project.name or 'run')}: {counts_text(numbers[()])}",
        engine_line(engine, run_state(numbers[()], engine, paused=state.run.paused), state.project.cascade_file),
        *filter(None, [run_line(state.run.git, tasks)]),
        *landing_lines(state.run.git if engine is None else None),
        *hold_lines(state, now),
        *map(clean, window_lines(state.run, now)),
        *usage_lines(rollup(tasks.values())),
        *group_lines(plan, numbers),
        *(every_line(tasks, words, plan, now) if every else task_lines(tasks, words, plan, now)),
    ]


def in_plan_order(state: State, plan: Cascade | None) -> dict[str, TaskState]:
    """The tasks of the plan with their states; without a plan, the tasks of the state."""
    if plan is None:
        return state.tasks
    return {task_id: state.tasks.get(task_id, NEW) for task_id in plan.tasks}


def words_of(tasks: Mapping[str, TaskState], plan: Cascade | None) -> dict[str, Shown]:
    """The word for each task."""
    statuses = {task_id: task.status for task_id, task in tasks.items()}
    ready = set(plan.dag.get_ready_tasks(statuses)) if plan else set()
    return {task_id: shown_status(task, task_id in ready) for task_id, task in tasks.items()}


def counted(words: Mapping[str, Shown], plan: Cascade | None) -> dict[tuple[str, ...], Counter[Shown]]:
    """Tasks per state: in total, by branch, by branch and group. A gate counts only if it has failed."""
    found: dict[tuple[str, ...], Counter[Shown]] = {(): Counter()}
    for task_id, word in words.items():
        task = plan.tasks[task_id] if plan else None
        if task and task.gate and word not in WRONG:
            continue
        for place in [(), (task.branch,), (task.branch, task.group)] if task else [()]:
            found.setdefault(place, Counter())[word] += 1
    return found


def run_state(numbers: Mapping[Shown, int], engine: EngineInfo | None, *, paused: bool) -> RunWord:
    """What the run is doing."""
    over = {Shown.COMPLETED, Shown.SKIPPED}
    left = {shown for shown, number in numbers.items() if number} - over
    failed = Shown.FAILED in left and left.isdisjoint(STARTABLE)
    return run_word(engine=engine is not None, paused=paused, finished=not left, failed=failed)


def engine_line(engine: EngineInfo | None, word: RunWord, plan: str = "") -> str:
    """The state of the run, with its engine, or with the command that continues the plan."""
    if engine is not None:
        return f"{word}: engine pid {engine.pid} on {clean(engine.host)}, since {clean(engine.since)}"
    return f"{word} (continue with: {clean(go_on_line(plan))})" if word is RunWord.NO_ENGINE else word.value


def hold_lines(state: State, now: float) -> list[str]:
    """Rate-limited providers, and what the user can do; empty if there are none."""
    lines = [clean(hold_words(name, hold, now)) for name, hold in current_holds(state.run, now).items()]
    return [*lines, "  try again now with nova resume; give up a task with nova cancel ID"] if lines else []


def usage_lines(figures: Rollup) -> list[str]:
    """Tokens and cost, if any were used; missing prices are marked."""
    if not figures.tokens.total:
        return []
    cost = "unknown" if figures.cost_usd is None else costs(figures.cost_usd, estimated=bool(figures.estimated))
    least = "at least " if figures.unpriced and figures.priced else ""
    return [f"tokens: {tokens(figures.tokens.total)}  cost: {least}{cost}"]


def group_lines(plan: Cascade | None, numbers: Mapping[tuple[str, ...], Mapping[Shown, int]]) -> list[str]:
    """One line per branch and group, if there is more than one."""
    if plan is None or sum(map(len, plan.branches.values())) < 2:
        return []
    rows = []
    for branch, groups in plan.branches.items():
        rows.append((clean(branch), counts_text(numbers.get((branch,), {}))))
        if len(groups) > 1 or branch not in groups:
            rows += [(f"  {clean(group)}", counts_text(numbers.get((branch, group), {}))) for group in groups]
    return ["", *columns(rows)]


def task_lines(
    tasks: Mapping[str, TaskState], words: Mapping[str, Shown], plan: Cascade | None, now: float
) -> list[str]:
    """Every task that is not done, the most important first; only some of the pending ones."""
    gates = {i for i in tasks if plan and plan.tasks[i].gate}  # gates do no work: shown only if something is wrong
    chosen = sorted(
        (i for i in tasks if words[i] in (WRONG if i in gates else ORDER)), key=lambda i: ORDER.index(words[i])
    )
    pending = sum(words[i] in OPEN for i in chosen)
    shown = chosen[: len(chosen) - max(0, pending - MAX_PENDING)]
    lines = rows_of(shown, tasks, words, plan, now)
    more = (
        [f"and {pending - MAX_PENDING:,} more pending (nova status --all lists them)"] if pending > MAX_PENDING else []
    )
    return ["", *lines, *more] if lines else []


def every_line(
    tasks: Mapping[str, TaskState], words: Mapping[str, Shown], plan: Cascade | None, now: float
) -> list[str]:
    """Every task, in the order of the plan; gates, which do no work, only if they have failed."""
    shown = [i for i in tasks if not (plan and plan.tasks[i].gate) or words[i] in WRONG]
    return ["", *rows_of(shown, tasks, words, plan, now)] if shown else []


def rows_of(
    ids: Sequence[str], tasks: Mapping[str, TaskState], words: Mapping[str, Shown], plan: Cascade | None, now: float
) -> list[str]:
    """A line for each of the tasks: mark, id, state, name and details."""
    queue = turns(tasks)
    glyphs = GLYPHS if "utf" in (sys.stdout.encoding or "").lower() else ASCII_GLYPHS
    rows = [
        (
            glyphs[words[i]],
            clean(i),
            phrase(tasks[i], words[i], now, queue.get(i, 0)),
            described(i, tasks[i], plan, now),
        )
        for i in ids
    ]
    # Colour whole lines: escape sequences inside a cell would break the alignment.
    return [paint(line, COLOURS.get(words[i], "")) for i, line in zip(ids, columns(rows), strict=True)]


def described(task_id: str, task: TaskState, plan: Cascade | None, now: float) -> str:
    """The name of the task and its details."""
    planned = plan.tasks[task_id] if plan else None
    name = cut(clean(planned.name)) if planned and planned.name != task_id else ""
    asked = approval_note(planned, task) if planned else ""
    return "  ".join(part for part in (name, f"({asked})" if asked else "", detail(task, now)) if part)


def detail(task: TaskState, now: float) -> str:
    """The details of a task that is not done."""
    if task.status is TaskStatus.FAILED:
        return f"({failure_text(None if in_conflict(task) else task.reason, task.error)})"
    if task.is_unchecked:
        return LEFT_UNCHECKED
    if task.is_running:
        percent = f"{task.progress}%" if task.progress is not None else ""
        return " ".join(part for part in (elapsed(task, now), percent, clean(task.current_step or "")) if part)
    return ""


def elapsed(task: TaskState, now: float) -> str:
    """How long a task has been running; empty if the timestamp cannot be read."""
    took = ran_for(task, now)
    return "" if took is None else duration(took)
