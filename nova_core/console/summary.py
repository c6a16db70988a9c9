"""The summary at the end of a run: counts, time, cost, each failure with the end of its log, and the next commands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from nova_core.plan.explain import remedies
from nova_core.plan.left_out import left_out, left_out_command, left_out_line
from nova_core.plan.selection import Selection
from nova_core.runs import words
from nova_core.runs.merging import conflict_steps, in_conflict, landing_lines, overlap_lines, overlaps, run_line
from nova_core.runs.words import RunWord, Shown, failure_text
from nova_core.state.schema import Reason, TaskState, TaskStatus
from nova_core.text import clean, duration, money, number_of, tokens

if TYPE_CHECKING:
    from nova_core.runs.result import RunResult, Snapshot
    from nova_core.runs.worktime import WorkTime
    from nova_core.state.git_run import GitRun

EVERYTHING = Selection()
MAX_SHOWN = 20
MAX_REMEDIES = 5
TAIL_LINES = 5
_LEAST_MERGING = 0.1  # seconds; less is not worth a word
PAUSED = "the run is paused (continue with: nova resume && nova run)"
Tail = Callable[[str], list[str]]


def summary(
    result: RunResult, snapshot: Snapshot, time: WorkTime, tail: Tail, selection: Selection = EVERYTHING
) -> list[str]:
    """The lines of the summary; `tail(task_id)` gives the last lines of a task's log.

    It is about the selected tasks, and failed ones that block them.
    """
    selected = selection.ids(snapshot.cascade)
    outside = left_out(snapshot.cascade, selected, snapshot.state.tasks)
    blocked = snapshot.blocked
    about = set(selected).union(*(blocked.get(i, ()) for i in selected))
    failed = {i: task for i, task in failed_tasks(snapshot.state.tasks).items() if i in about}
    now = snapshot.at.timestamp()
    return [
        "",
        f"{clean(snapshot.cascade.name)}: {outcome_word(result, snapshot)}, {counts(result, snapshot, selected)}",
        *filter(None, [run_line(snapshot.state.run.git, snapshot.state.tasks)]),
        *overlap_lines(overlaps(snapshot.cascade, snapshot.state.tasks)),
        time_line(time.wall(now), time.work(now), merging_of(snapshot.state.run.git)),
        *token_lines(result),
        *failure_lines(failed, tail, blocking(snapshot)),
        *listed(f"{Shown.BLOCKED}:", "by", {i: causes for i, causes in blocked.items() if i in about}),
        *listed("cannot start:", "without", {i: what for i, what in snapshot.lacking.items() if i in about}),
        *(["", clean(left_out_line(outside))] if outside else []),
        *(["", PAUSED] if snapshot.state.run.paused and result.exit_code else []),
        *next_lines(result, failed, snapshot, outside),
        *(["", *waiting] if (waiting := landing_lines(snapshot.state.run.git)) else []),
    ]


def failed_tasks(tasks: Mapping[str, TaskState]) -> dict[str, TaskState]:
    """The failed tasks, in the order of the plan."""
    return {task_id: task for task_id, task in tasks.items() if task.status is TaskStatus.FAILED}


OUTCOMES = {"completed": RunWord.FINISHED.value, "over_budget": "budget reached", "incomplete": "work remains"}


def outcome_word(result: RunResult, snapshot: Snapshot) -> str:
    """How the run ended: `finished`, `failed`, `stopped`, `paused`, `budget reached` or `work remains`."""
    if snapshot.state.run.paused and result.outcome == "incomplete":
        return RunWord.PAUSED.value
    return OUTCOMES.get(result.outcome, result.outcome.value)


def counts(result: RunResult, snapshot: Snapshot | None = None, selected: Collection[str] | None = None) -> str:
    """The number of selected tasks per state; `snapshot` separates ready tasks from waiting ones."""
    startable = set(snapshot.ready) if snapshot and result.pending else set()
    ready = min(result.pending, len(startable if selected is None else startable.intersection(selected)))
    numbers = {
        Shown.FAILED: result.failed - result.cancelled,
        Shown.CANCELLED: result.cancelled,
        Shown.BLOCKED: result.blocked,
        Shown.APPROVAL: result.waiting_approval,
        Shown.READY: ready,
        Shown.WAITING: result.pending - ready,
    }
    return ", ".join([f"{result.completed:,}/{result.total:,} done", *words.counts(numbers)])


def merging_of(git: GitRun | None) -> float:
    """The seconds that merges took in a run; 0 without trees."""
    return git.merging if git else 0.0


def time_line(wall: float, work: float, merging: float = 0.0) -> str:
    """Wall-clock time, the sum of the tasks' times, and that of merging what they made, all in seconds."""
    line = f"time: {duration(wall)}"
    if work >= 1:
        line += f" for {duration(work)} of work"
    if work - wall >= 1:
        line += f" ({duration(work - wall)} saved by running in parallel)"
    if merging >= _LEAST_MERGING:
        line += f"; merging: {duration(merging)}"
    return line


def token_lines(result: RunResult) -> list[str]:
    """Tokens by class and their cost; missing prices are marked."""
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
    """A cost in US dollars, marked if part of it has no price."""
    if usd is None:
        return "unknown (no price for the model; set prices in nova.yaml)"
    return f"at least {money(usd)} (some models have no price)" if unpriced else money(usd)


def blocking(snapshot: Snapshot) -> Counter[str]:
    """The number of tasks that each failed task blocks."""
    tasks = snapshot.cascade.tasks
    work = (causes for i, causes in snapshot.blocked.items() if i in tasks and not tasks[i].gate)
    return Counter(cause for causes in work for cause in causes)


def failure_lines(
    failed: Mapping[str, TaskState], tail: Tail, blocks: Mapping[str, int] = MappingProxyType({})
) -> list[str]:
    """Each failed task with its reason, the number of tasks it blocks, and the end of its log."""
    lines = []
    for task_id, task in list(failed.items())[:MAX_SHOWN]:
        count = blocks.get(task_id, 0)
        more = f"; blocks {number_of(count, 'task')}" if count else ""
        lines += ["", f"{clean(task_id)} {how_it_failed(task)}{more}"]
        lines += [f"    | {line}" for line in tail(task_id)]
    if len(failed) > MAX_SHOWN:
        lines += ["", f"and {len(failed) - MAX_SHOWN:,} more failed"]
    return lines


def how_it_failed(task: TaskState) -> str:
    """`failed: exit code 3`, `lost: ...` or `cancelled`."""
    word = words.word(task, words.shown_status(task, ready=False))
    if task.reason is Reason.CANCELLED:
        return word
    named = task.reason in (Reason.LOST, Reason.MERGE_CONFLICT)
    return f"{word}: {failure_text(None if named else task.reason, task.error)}"


def listed(title: str, word: str, tasks: Mapping[str, Iterable[str]]) -> list[str]:
    """Each task with the ids it waits for."""
    if not tasks:
        return []
    shown = [f"  {clean(i)} {word} {clean(', '.join(causes))}" for i, causes in list(tasks.items())[:MAX_SHOWN]]
    more = [f"  and {len(tasks) - MAX_SHOWN:,} more"] if len(tasks) > MAX_SHOWN else []
    return ["", title, *shown, *more]


def next_lines(
    result: RunResult, failed: Mapping[str, TaskState], snapshot: Snapshot, outside: Mapping[str, Collection[str]]
) -> list[str]:
    """The commands the user can run next; tasks of `outside` wait for tasks that were not selected."""
    steps = []
    if failed:
        first = clean(next(iter(failed)))
        again = f"nova retry {first}" if len(failed) == 1 else "nova retry --failed"
        steps = [f"nova why {first}", f"nova logs {first}", f"{again} && nova run"]
        git, stuck = snapshot.state.run.git, [i for i, task in failed.items() if in_conflict(task)]
        steps = [*(conflict_steps(stuck[0], git)[:1] if git and stuck else ()), *steps]
    elif waiting := [i for i, task in snapshot.state.tasks.items() if task.awaits_approval]:
        to_start = any(snapshot.state.tasks[i].status is TaskStatus.PENDING for i in waiting)
        steps = [f"nova approve {clean(' '.join(waiting[:MAX_SHOWN]))}" + (" && nova run" if to_start else "")]
    elif outside:
        steps = [clean(left_out_command(outside))]
    elif result.exit_code and (not snapshot.lacking or set(snapshot.ready) - set(snapshot.lacking)):
        steps = ["nova resume && nova run" if snapshot.state.run.paused else "nova run", "nova status"]
    steps += remedy_lines(snapshot)
    return ["", *(f"{'next:' if not i else '     '} {step}" for i, step in enumerate(steps))] if steps else []


def remedy_lines(snapshot: Snapshot) -> list[str]:
    """How to provide what the first tasks lack, each remedy once."""
    tasks = snapshot.cascade.tasks
    lacking = [i for i in snapshot.lacking if i in tasks][:MAX_REMEDIES]
    found = (clean(line) for i in lacking for line in remedies(i, snapshot.cascade, snapshot.state.tasks))
    return list(dict.fromkeys(found))[:MAX_REMEDIES]


def summary_object(result: RunResult) -> dict[str, Any]:
    """The final object of `nova run --json`."""
    import msgspec

    return {"kind": "summary", **msgspec.to_builtins(result)}
