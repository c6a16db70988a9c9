"""What is said when a run is over: counts, time, cost, every failure with its last words, and what to type next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from nova_core.console.lines import failure_text
from nova_core.plan.explain import remedies
from nova_core.state.schema import Reason, TaskState, TaskStatus
from nova_core.text import clean, duration, money, tokens

if TYPE_CHECKING:
    from nova_core.runs.result import RunResult, Snapshot
    from nova_core.runs.rollup import Rollup
    from nova_core.runs.worktime import WorkTime

MAX_SHOWN = 20
MAX_REMEDIES = 5
TAIL_LINES = 5
PAUSED = "the run is paused: nova resume"
Tail = Callable[[str], list[str]]


def summary(result: RunResult, snapshot: Snapshot, time: WorkTime, tail: Tail) -> list[str]:
    """The lines of the final summary; `tail(task_id)` gives the last lines of a task's log."""
    failed = failed_tasks(snapshot.state.tasks)
    now = snapshot.at.timestamp()
    return [
        "",
        f"{clean(snapshot.cascade.name)}: {counts(result)}",
        time_line(time.wall(now), time.work(now)),
        *token_lines(result),
        *failure_lines(failed, tail, blocking(snapshot)),
        *listed("blocked:", "by", snapshot.blocked),
        *listed("cannot start:", "without", snapshot.lacking),
        *(["", PAUSED] if snapshot.state.run.paused and result.exit_code else []),
        *next_lines(result, failed, snapshot),
    ]


def failed_tasks(tasks: Mapping[str, TaskState]) -> dict[str, TaskState]:
    """The failed tasks, in the order of the plan."""
    return {task_id: task for task_id, task in tasks.items() if task.status is TaskStatus.FAILED}


def counts(result: RunResult) -> str:
    """How many tasks ended which way; words of zero are left out."""
    parts = (
        (result.completed, "completed"),
        (result.failed - result.cancelled, "failed"),
        (result.cancelled, "cancelled"),
        (result.blocked, "blocked"),
        (result.waiting_approval, "waiting for approval"),
        (result.pending, "pending"),
    )
    return ", ".join(f"{number:,} {word}" for number, word in parts if number) or "nothing to do"


def counts_text(figures: Rollup, waiting: int = 0) -> str:
    """`3/10 done, 1 failed, 2 blocked`; of those in progress `waiting` have no worker, but wait for a person."""
    parts = (
        (figures.in_progress - waiting, "in progress"),
        (waiting, "waiting for approval"),
        (figures.failed - figures.cancelled, "failed"),
        (figures.cancelled, "cancelled"),
        (figures.blocked, "blocked"),
        (figures.pending - figures.blocked, "pending"),
    )
    others = [f"{number:,} {word}" for number, word in parts if number]
    return ", ".join([f"{figures.completed:,}/{figures.total:,} done", *others])


def time_line(wall: float, work: float) -> str:
    """The time during which tasks ran against the time they took."""
    line = f"time: {duration(wall)}"
    if work >= 1:
        line += f" for {duration(work)} of work"
    if work - wall >= 1:
        line += f" ({duration(work - wall)} saved by running in parallel)"
    return line


def token_lines(result: RunResult) -> list[str]:
    """Tokens of the four kinds and what they cost; what has no price is said."""
    usage = result.tokens
    if not usage.total:
        return []
    kinds = (
        (usage.input_tokens, "in"),
        (usage.output_tokens, "out"),
        (usage.cache_read_tokens, "cache read"),
        (usage.cache_creation_tokens, "cache written"),
    )
    return [
        "tokens: " + ", ".join(f"{tokens(number)} {word}" for number, word in kinds if number),
        f"cost: {cost_text(result.cost_usd, result.unpriced)}",
    ]


def cost_text(usd: float | None, unpriced: bool) -> str:
    """A sum of money that never hides what could not be priced."""
    if usd is None:
        return "unknown (no price for the model; set prices in nova.yaml)"
    return f"at least {money(usd)} (some models have no price)" if unpriced else money(usd)


def blocking(snapshot: Snapshot) -> Counter[str]:
    """How many tasks each failed one keeps from starting."""
    tasks = snapshot.cascade.tasks
    work = (causes for i, causes in snapshot.blocked.items() if i in tasks and not tasks[i].gate)
    return Counter(cause for causes in work for cause in causes)


def failure_lines(
    failed: Mapping[str, TaskState], tail: Tail, blocks: Mapping[str, int] = MappingProxyType({})
) -> list[str]:
    """Each failed task with its reason, how many it blocks, and the end of its log."""
    lines = []
    for task_id, task in list(failed.items())[:MAX_SHOWN]:
        count = blocks.get(task_id, 0)
        more = f"; blocks {count:,} task{'s' if count > 1 else ''}" if count else ""
        lines += ["", f"{clean(task_id)} {how_it_failed(task)}{more}"]
        lines += [f"    | {line}" for line in tail(task_id)]
    if len(failed) > MAX_SHOWN:
        lines += ["", f"and {len(failed) - MAX_SHOWN:,} more failed"]
    return lines


def how_it_failed(task: TaskState) -> str:
    """`failed: exit code 3`; what a person ended did not fail."""
    return "was cancelled" if task.reason is Reason.CANCELLED else f"failed: {failure_text(task.reason, task.error)}"


def listed(title: str, word: str, tasks: Mapping[str, Iterable[str]]) -> list[str]:
    """Each of these tasks with what keeps it."""
    if not tasks:
        return []
    shown = [f"  {clean(i)} {word} {clean(', '.join(causes))}" for i, causes in list(tasks.items())[:MAX_SHOWN]]
    more = [f"  and {len(tasks) - MAX_SHOWN:,} more"] if len(tasks) > MAX_SHOWN else []
    return ["", title, *shown, *more]


def next_lines(result: RunResult, failed: Mapping[str, TaskState], snapshot: Snapshot) -> list[str]:
    """What the person can type now."""
    steps = []
    if failed:
        first = clean(next(iter(failed)))
        again = f"nova retry {first}" if len(failed) == 1 else "nova retry --failed"
        steps = [f"nova why {first}", f"nova logs {first}", f"{again} && nova run"]
    elif waiting := [i for i, task in snapshot.state.tasks.items() if task.awaits_approval]:
        steps = [f"nova approve {clean(' '.join(waiting[:MAX_SHOWN]))}"]
    elif result.exit_code and (not snapshot.lacking or set(snapshot.ready) - set(snapshot.lacking)):
        steps = ["nova run", "nova status"]
    steps += remedy_lines(snapshot)
    return ["", *(f"{'next:' if not i else '     '} {step}" for i, step in enumerate(steps))] if steps else []


def remedy_lines(snapshot: Snapshot) -> list[str]:
    """What to do for the first of those that cannot start for want of something, each thing once."""
    tasks = snapshot.cascade.tasks
    lacking = [i for i in snapshot.lacking if i in tasks][:MAX_REMEDIES]
    found = (clean(line) for i in lacking for line in remedies(i, snapshot.cascade, snapshot.state.tasks))
    return list(dict.fromkeys(found))[:MAX_REMEDIES]


def summary_object(result: RunResult) -> dict[str, Any]:
    """The last object of `nova run --json`."""
    import msgspec

    return {"kind": "summary", **msgspec.to_builtins(result)}
