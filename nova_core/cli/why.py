"""`nova why`: what a task waits for, what blocks it or why it failed, and the next commands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from nova_core.cli.choosing import PlanOf, chosen, with_plan
from nova_core.cli.options import AsJson, Directory, TaskId, check_ids, load_state, plan_of
from nova_core.cli.output import out_json, out_lines
from nova_core.clock import Clock
from nova_core.console.last_words import explained
from nova_core.console.summary import how_it_failed
from nova_core.errors import EnvironmentProblem
from nova_core.exports.answers import WhyAnswer
from nova_core.plan.blocked import blocked_tasks, failed_above
from nova_core.plan.explain import remedies
from nova_core.runs.freshness import same_failure
from nova_core.runs.merging import conflict_lines, conflict_steps, in_conflict, kept_lines
from nova_core.runs.words import (
    LEFT_UNCHECKED,
    TO_BE_CHECKED,
    Shown,
    approval_note,
    by,
    failure_text,
    limited,
    merge_step,
    phrase,
    shown_status,
    turns,
)  # fmt: skip
from nova_core.state.holds import refused_words
from nova_core.state.run_clock import run_time
from nova_core.state.schema import NEW, State, TaskState, TaskStatus
from nova_core.text import clean, cut, duration, number_of

if TYPE_CHECKING:
    from nova_core.files.project import Project
    from nova_core.model import Task
    from nova_core.parser import Cascade

LOG_LINES = 10
MOST_CAUSES = 20
MOST_BLOCKED = 10
TERMINAL_HINT = "`yes` in a column Terminal, or `terminal: true` in nova.yaml"
_NEXT, _LOG, _OF_LOG, _ATTEMPTS = "next: ", "log: ", "    | ", "attempts: "  # how lines of the explanation begin


def why(
    task: TaskId,
    plan: PlanOf = None,
    as_json: AsJson = False,
    directory: Directory = None,
) -> int:
    """Explain the state of a task.

    What it waits for, what blocks it, why it failed, and what to do about it.

    \b
    Examples:  nova why F3
               nova why F3 --json | jq -r .next[0]
    """
    from nova_core.files.lock import engine_alive

    project = chosen(plan)
    state = load_state(project)
    cascade = plan_of(state)
    check_ids([task], {**state.tasks, **(cascade.tasks if cascade else {})}, state)
    planned = cascade.tasks.get(task) if cascade else None
    alive = engine_alive(project.lock_file) is not None
    again = failed_alike(project, task, state)
    advice = remedies(task, cascade, state.tasks, alive=alive) if cascade and planned else []
    old, lost = staleness(task, cascade, state, project, alive=alive) if cascade and planned else ("", False)
    advice = ["nova run (makes it again)"] if lost else advice
    state = with_all_causes(state, cascade, task) if cascade and planned else state
    state = explained(state, project.latest_log, only=(task,))
    log = log_lines(project, task)
    now = run_time(state.run, Clock())
    found = explanation(task, state, planned, alive=alive, log=log, again=again, advice=advice, now=now, old=old)
    if as_json:
        needs = planned.depends_on if planned else ()
        ready = all(state.tasks.get(d, NEW).status is TaskStatus.COMPLETED for d in needs)
        out_json(answer(task, state.tasks.get(task, NEW), planned, found, ready=ready))
    else:
        out_lines(with_plan(found, project, clean(state.project.cascade_file)))
    return 0


def answer(task_id: str, task: TaskState, planned: Task | None, lines: Sequence[str], *, ready: bool) -> WhyAnswer:
    """The explanation for programs; `lines` is the explanation for people, `ready` that its dependencies are done."""
    log = next((line for line in lines if line.startswith(_LOG)), None)
    marks = (_NEXT, _LOG, _OF_LOG, _ATTEMPTS)
    return WhyAnswer(
        id=task_id, name=planned.name if planned else "", state=shown_status(task, ready).key,
        why=tuple(line.strip() for line in lines[1:] if not line.startswith(marks)),
        next=tuple(line.removeprefix(_NEXT) for line in lines if line.startswith(_NEXT)),
        attempts=task.attempt, log=log and log.removeprefix(_LOG),
        log_end=tuple(line.removeprefix(_OF_LOG) for line in lines if line.startswith(_OF_LOG)),
    )  # fmt: skip


def staleness(task_id: str, plan: Cascade, state: State, project: Project, *, alive: bool) -> tuple[str, bool]:
    """Returns why the result of a done task may be stale (empty: it is not), and True if its outputs are gone.

    While an engine is running, a later task may be using up outputs: then they are not looked for.
    """
    from nova_core.engine.renewal import edited_done, find_stale, not_missed
    from nova_core.plan.stale import stale

    if state.tasks.get(task_id, NEW).status is not TaskStatus.COMPLETED:
        return "", False
    if alive:
        return stale(plan, state.tasks, edited_done(plan, state.tasks)).get(task_id, ""), False
    now = find_stale(plan, state.tasks, project.root, not_missed(state.run, state.tasks))
    return now.found.get(task_id, ""), task_id in now.lost


def failed_alike(project: Project, task_id: str, state: State) -> bool:
    """Returns True if the latest two attempts failed in the same way; False if the history does not show it."""
    task = state.tasks.get(task_id, NEW)
    if task.attempt < 2 or task.status is not TaskStatus.FAILED or not project.database.exists():
        return False
    from nova_core.state.database import Database

    try:
        history = Database(project.database, read_only=True)
    except EnvironmentProblem:
        return False
    rows = [r for r in history.attempts(task_id) if r.run == state.run.id and r.attempt == task.attempt - 1]
    history.close()
    return bool(rows) and same_failure(task, rows[0].reason, rows[0].error)


def log_lines(project: Project, task: str) -> list[str]:
    """The path of the log, and its last lines."""
    from nova_core.console.tails import tail
    from nova_core.files.log_gap import cut_of, words
    from nova_core.model import is_safe_id

    if not is_safe_id(task):
        return []
    path = project.latest_log(task)
    lines = tail(path, LOG_LINES)
    if not lines:
        return []
    lost = words(cut_of(path))
    name = f"{_LOG}{clean(str(path.relative_to(project.root)))}"
    return [f"{name} ({lost})" if lost else name, *(_OF_LOG + line for line in lines)]


def with_all_causes(state: State, plan: Cascade, task_id: str) -> State:
    """The state with all causes: every failed task that blocks this task, and this task where it blocks others.

    The engine saves at most three causes per task: with thousands of failures, all of them would grow quadratically.
    """
    dag, tasks = plan.dag, dict(state.tasks)
    own = tasks.get(task_id, NEW)
    if own.blocked_by:
        tasks[task_id] = msgspec.structs.replace(own, blocked_by=failed_above(dag, tasks, task_id))
    for other in blocked_tasks(dag, tasks, task_id) if own.status is TaskStatus.FAILED else ():
        known = tasks.get(other, NEW)
        tasks[other] = msgspec.structs.replace(known, blocked_by=tuple({*known.blocked_by, task_id}))
    return msgspec.structs.replace(state, tasks=tasks)


def explanation(
    task_id: str, state: State, planned: Task | None, *, alive: bool, log: list[str], again: bool = False,
    advice: Sequence[str] = (), now: float = 0.0, old: str = "",
) -> list[str]:  # fmt: skip
    """The whole explanation, with the next steps at the end; `again`: it failed in the same way as before.

    `advice` says how to provide what is missing, `old` why the result may be stale.
    """
    task = state.tasks.get(task_id, NEW)
    name = f"  {cut(clean(planned.name))}" if planned and planned.name != task_id else ""
    title = f"{clean(task_id)}{name}" if planned else f"{clean(task_id)} (not in the plan any more)"
    said, steps = verdict(task_id, task, state, planned, alive=alive, now=now)
    said += [asked] if planned and (asked := approval_note(planned, task)) else []
    said += [f"its result may be stale: {clean(old)}"] if old else []
    steps = [clean(line) for line in advice] or steps
    if again and planned and planned.depends_on:
        said.append("it failed again in the same way: its input may be wrong")
        needs = clean(" ".join(planned.depends_on))
        steps.append(f"nova retry {needs} --downstream (to run its dependencies again)")
    blocked = [clean(i) for i, other in state.tasks.items() if other.is_blocked and task_id in other.blocked_by]
    if blocked:
        said.append(f"blocks {', '.join(blocked[:MOST_BLOCKED])}" + (", ..." if len(blocked) > MOST_BLOCKED else ""))
    return [title, *said, *attempts_line(task), *log, *(_NEXT + step for step in steps)]


Verdict = tuple[list[str], list[str]]


def verdict(task_id: str, task: TaskState, state: State, planned: Task | None, *, alive: bool, now: float) -> Verdict:
    """The state of the task, and the next commands."""
    name = clean(task_id)
    if task.status is TaskStatus.COMPLETED:
        word = Shown.SKIPPED if task.skipped else Shown.COMPLETED
        how = "counts as done" if task.skipped else f"took {duration(task.elapsed or task.duration_seconds)}"
        if task.settled and not task.started_at:
            how = f"the plan says {clean(task.settled)}"
        below = "; --downstream: and what depends on it"
        seen = [f"nova diff {name} (what it changed)"] if task.commit_sha and task.merge else []
        return [f"{word}: {how}"], [*seen, f"nova retry {name} (to run it again{below})"]
    if task.status is TaskStatus.FAILED:
        again = f"nova retry {name}" if alive else f"nova retry {name} && nova run"
        if in_conflict(task) and state.run.git:
            lines = conflict_lines(task_id, task, state.run.git)
            return [how_it_failed(task), *lines], conflict_steps(task_id, state.run.git)
        give = [] if task.terminal or not task.question else [f"give it a terminal: {TERMINAL_HINT}"]
        kept = kept_lines(task)
        seen = [f"nova diff {name} (shows that)"] if kept else []
        return [how_it_failed(task), *kept], [*give, f"nova logs {name}", *seen, again]
    if task.awaits_approval:
        go_on = "" if alive or task.status is TaskStatus.IN_PROGRESS else " && nova run"
        approve = f"nova approve {name}{go_on}"
        return [phrase(task, Shown.APPROVAL, now)], [approve, f"nova reject {name} --reason TEXT"]
    if task.asks and alive:
        return [phrase(task, Shown.APPROVAL, now)], [f"nova approve {name}", f"nova approve {name} --deny"]
    if task.is_merging:
        turn = turns(state.tasks).get(task_id, 0)
        onward = [] if alive else ["nova run"]
        return [f"its work is done: {merge_step(task, turn)}"], [f"nova diff {name} (what it changed)", *onward]
    if task.status is TaskStatus.IN_PROGRESS:
        return running(name, task, alive=alive)
    return pending(name, task, state, planned, alive=alive, now=now)


def running(name: str, task: TaskState, *, alive: bool) -> Verdict:
    """A task that has a worker, or had one in a run that ended before its criteria were checked."""
    if task.is_unchecked:
        return [f"{TO_BE_CHECKED}: {LEFT_UNCHECKED}"], [] if alive else ["nova run"]
    step = f": {clean(task.current_step)}" if task.current_step else ""
    doing = f"{Shown.VERIFYING}: its outputs and criteria" if task.verifying else f"{Shown.RUNNING}{step}"
    if not alive:
        return [f"{doing}, as far as known: no engine running"], ["nova run (takes it over)"]
    steps = [f"nova logs {name} -f"]
    if task.question:
        doing = f"{Shown.RUNNING}: asks `{clean(task.question)}`"
        steps.insert(0, f"nova type {name} ANSWER" if task.awaits_answer else f"give it a terminal: {TERMINAL_HINT}")
    return [f"{doing} (pid {task.pid}, since {clean(task.started_at or '?')})"], steps


def pending(name: str, task: TaskState, state: State, planned: Task | None, *, alive: bool, now: float) -> Verdict:
    """A task that has not started, or will start again."""
    go_on = [] if alive else ["nova run"]
    if task.blocked_by:
        cause = clean(task.blocked_by[0])
        stuck = in_conflict(state.tasks.get(task.blocked_by[0], NEW))
        return [f"{Shown.BLOCKED} {by(task.blocked_by, MOST_CAUSES)}"], [
            f"nova why {cause}",
            *([f"nova resolve {cause} (its work conflicts with what is merged)"] if stuck else []),
            f"nova retry {cause}" if alive else f"nova retry {cause} && nova run",
        ]
    if task.missing:
        where = f" ({clean(planned.file)}:{planned.line})" if planned and planned.file else ""
        return [f"{Shown.BLOCKED}: missing {clean(', '.join(task.missing))}{where}"], go_on
    if task.waits_for:
        said = [f"{clean(task.waits_for)}: {limited(task.retry_at, now)}{refused_words(task.refusals)}"]
        said += [f"last time: {failure_text(task.reason, task.error)}"] if task.reason else []
        return said, ["nova resume (tries again now)", f"nova cancel {name} (gives it up)", *go_on]
    if task.retry_at:
        again = f"failed {number_of(task.failures, 'time')}; {phrase(task, Shown.RETRYING, now)}"
        return [again, f"last time: {failure_text(task.reason, task.error)}"], go_on
    needs = [(d, state.tasks.get(d, NEW)) for d in planned.depends_on] if planned else []
    unmet = [(d, found) for d, found in needs if found.status is not TaskStatus.COMPLETED]
    if unmet:
        return [f"{Shown.WAITING} after", *(f"  {clean(d)}{_state_of(found, now)}" for d, found in unmet)], go_on
    if state.run.paused:
        return ["ready, but the run is paused"], ["nova resume"]
    return ["ready: starts when a worker is free" if alive else "ready, but no engine running"], go_on


def _state_of(dependency: TaskState, now: float) -> str:
    """`: running`; nothing for a dependency that has not started."""
    shown = shown_status(dependency, ready=True)
    return "" if shown is Shown.READY else f": {phrase(dependency, shown, now)}"


def attempts_line(task: TaskState) -> list[str]:
    """The number of attempts, if there was more than one."""
    return [f"{_ATTEMPTS}{task.attempt}"] if task.attempt > 1 else []
