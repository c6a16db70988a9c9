"""The state of a task in a sentence, and the keys to press next."""

from __future__ import annotations

from nova_core.runs.merging import conflict_lines, in_conflict
from nova_core.runs.words import (
    AT_WORK,
    LEFT_UNCHECKED,
    TO_BE_CHECKED,
    Shown,
    approval_note,
    limited,
    phrase,
)
from nova_core.state.holds import refused_words
from nova_core.state.schema import Reason, TaskStatus
from nova_core.text import duration
from nova_core.watch.allowed import OVER
from nova_core.watch.source import EngineState
from nova_core.watch.view_model import ViewModel
from nova_tui.glyphs import chars
from nova_tui.refusals import LOOKING
from nova_tui.views.line import plain

_INPUTS = 3  # most inputs named in a short line
Reasons = tuple[list[str], list[str]]


def why(model: ViewModel, task_id: str) -> Reasons:
    """The state of the task, and what can be done about it; both as lines of clean text."""
    said, steps = _CASES.get(model.shown(task_id), _waiting)(model, task_id)
    if asked := approval_note(model.cascade.tasks[task_id], model.task(task_id)):
        said = [*said, asked]
    if model.source.read_only and any("press" in step for step in steps):
        steps = [LOOKING]
    return said, steps


def hint(model: ViewModel, task_id: str) -> str:
    """The same as keys, for a line with little room: `r retry · s skip it`."""
    _, steps = why(model, task_id)
    shown = model.shown(task_id)
    if not any("press" in step for step in steps) or shown not in _KEYS:
        return steps[-1] if steps else ""
    if shown is Shown.FAILED and (first := inputs_first(model, task_id)):
        return first
    keys = f" {chars().dot} ".join(_KEYS[shown])
    if shown is not Shown.BLOCKED:
        return keys
    causes = model.task(task_id).blocked_by
    return f"go to {plain(causes[0])}: {keys}" if causes else _KEYS[shown][-1]


def reason(model: ViewModel, task_id: str) -> str:
    """One line: why the task is in its state; empty if it is simply waiting."""
    state = model.task(task_id)
    if state.status is TaskStatus.FAILED:
        return plain(model.failure(task_id))
    said, _ = why(model, task_id)
    return said[0] if said else ""


def nothing_printed(model: ViewModel, task_id: str) -> str:
    """What stands in the place of an empty log."""
    if task_id not in model.cascade.tasks or model.shown(task_id) in OVER:
        return "it printed nothing"
    began = model.task(task_id).attempt or model.is_running(task_id)
    return "no output yet" if began else f"no log yet: {reason(model, task_id)}"


def inputs_first(model: ViewModel, task_id: str) -> str:
    """Which dependencies to run again before a task that failed twice the same way; empty if that does not apply."""
    needs = [plain(i) for i in model.cascade.tasks[task_id].depends_on]
    if not needs or not model.failed_alike(task_id):
        return ""
    if len(needs) > _INPUTS:
        return "r on its dependencies first (d shows them)"
    listed = " or ".join(filter(None, (", ".join(needs[:-1]), needs[-1])))
    return f"r on {listed} first: its input{'s' if len(needs) > 1 else ''}"


def _failed(model: ViewModel, task_id: str) -> Reasons:
    below = [i for i in model.cascade.dag.descendants([task_id]) if task_id in model.task(i).blocked_by]
    needs = model.cascade.tasks[task_id].depends_on
    again = model.failed_alike(task_id)
    said = [f"failed{' again the same way' if again else ''}: {reason(model, task_id)}"]
    git = model.source.run.git
    if git is not None and in_conflict(model.task(task_id)):
        said += [plain(text) for text in conflict_lines(task_id, model.task(task_id), git)]
        by_hand = f"in a shell: nova resolve {plain(task_id)}"
        return said, [by_hand, "press r to do it again from what is merged, s to leave it out"]
    if again and needs:
        said.append(f"if its input was wrong, retry {_listed(needs)}")
    if below:
        said.append(f"it blocks {_listed(sorted(below, key=model.cascade.dag.index.__getitem__))}")
    return said, ["press L to read its log", "press r to retry it, s to continue without it"]


def _cancelled(model: ViewModel, task_id: str) -> Reasons:
    said, _ = _failed(model, task_id)
    return ["cancelled by a person", *said[1:]], ["press r to run it again, s to continue without it"]


def _blocked(model: ViewModel, task_id: str) -> Reasons:
    causes = model.task(task_id).blocked_by
    if not causes:
        lacks = _listed(model.task(task_id).missing)
        return [f"blocked: missing {lacks}"], ["it starts when that exists; press s to mark it as done"]
    said = [f"blocked by {_listed(causes)}"]
    for cause in causes:
        if cause in model.cascade.tasks and model.task(cause).status is TaskStatus.FAILED:
            said.append(f"  {plain(cause)} {_how_it_failed(model, cause)}")
    return said, [f"go to {plain(causes[0])} and press r to retry it, or s to continue without it"]


def _how_it_failed(model: ViewModel, task_id: str) -> str:
    cancelled = model.task(task_id).reason is Reason.CANCELLED
    return Shown.CANCELLED.value if cancelled else f"failed: {reason(model, task_id)}"


def _retrying(model: ViewModel, task_id: str) -> Reasons:
    state = model.task(task_id)
    if state.waits_for:
        said = [f"{plain(state.waits_for)}: {limited(state.retry_at, model.now)}{refused_words(state.refusals)}"]
        said += [f"last time: {plain(model.failure(task_id))}"] if state.reason else []
        return said, ["press r to retry it now, x to give it up"]
    times = "once" if state.failures == 1 else f"{state.failures} times"
    said = [f"failed {times}; {phrase(state, Shown.RETRYING, model.now)}"]
    return [*said, f"last time: {plain(model.failure(task_id))}"], ["press r to retry it now"]


def _approval(model: ViewModel, task_id: str) -> Reasons:
    steps = ["press a to approve it, R to reject it"]
    state = model.task(task_id)
    if state.asks:
        return [plain(phrase(state, Shown.APPROVAL, model.now))], ["press a to allow it, R to deny it"]
    if state.status is TaskStatus.PENDING:
        return [phrase(state, Shown.APPROVAL, model.now)], steps
    return ["needs approval: its work is done"], steps


def _asks(model: ViewModel, task_id: str) -> Reasons:
    return [plain(phrase(model.task(task_id), Shown.ASKS, model.now))], ["press i to answer it, x to cancel it"]


def _running(model: ViewModel, task_id: str) -> Reasons:
    state = model.task(task_id)
    if state.verifying:
        doing = f"{Shown.VERIFYING}: its outputs and criteria"
    else:
        doing = f"{Shown.RUNNING}: {plain(state.current_step)}" if state.current_step else Shown.RUNNING.value
    if model.source.engine is not EngineState.RUNNING:
        return [f"{doing}, as far as known: no engine running"], ["press p to continue, which takes it over"]
    return [doing], ["press L to follow its log, x to cancel it"]


def _merging(model: ViewModel, task_id: str) -> Reasons:
    said = [f"its work is done: {plain(model.phrase(task_id))}"]
    if model.source.engine is not EngineState.RUNNING:
        return [f"{said[0]}, but no engine running"], ["press p to continue"]
    return said, ["it is done once it is merged; press D for what it changed"]


def _done(model: ViewModel, task_id: str) -> Reasons:
    state = model.task(task_id)
    said = [f"done in {duration(model.elapsed(task_id) or 0.0)}"]
    if state.settled and not state.started_at:
        said = [f"the plan says {plain(state.settled)}"]
    if stale := model.stale(task_id):
        said.append(f"its result may be stale: {plain(stale)}")
    return said, ["press r to run it again"]


def _skipped(model: ViewModel, task_id: str) -> Reasons:
    return ["skipped: counts as done"], ["press r to run it"]


def _ready(model: ViewModel, task_id: str) -> Reasons:
    source = model.source
    if model.task(task_id).is_unchecked:
        return [f"{TO_BE_CHECKED}: {LEFT_UNCHECKED}"], ["press p to continue"]
    if source.engine is not EngineState.RUNNING:
        return ["ready, but no engine running"], ["press p to continue"]
    if source.run.paused:
        return ["ready, but the run is paused"], ["press p to resume"]
    if holder := _lock_holder(model, task_id):
        return [f"ready: waits for a lock of {plain(holder)}"], []
    busy = sum(model.counts[shown] for shown in AT_WORK)
    if source.jobs and busy >= source.jobs:
        return [f"ready: waits for a free worker ({busy} of {source.jobs} are busy)"], ["press + to add a worker"]
    return ["ready: starts as soon as the limits allow"], []


def _lock_holder(model: ViewModel, task_id: str) -> str | None:
    """A running task that holds a named lock this task needs."""
    wanted = set(model.cascade.tasks[task_id].locks)
    if not wanted:
        return None
    others = (t for t in model.cascade.tasks.values() if wanted & set(t.locks) and t.id != task_id)
    return next((t.id for t in others if model.shown(t.id) in AT_WORK), None)


def _waiting(model: ViewModel, task_id: str) -> Reasons:
    unmet = model.unmet(task_id)
    return [f"waiting after {_listed(unmet)}"] if unmet else ["waiting"], []


def _listed(ids: list[str] | tuple[str, ...], most: int = 6) -> str:
    more = f" and {len(ids) - most} more" if len(ids) > most else ""
    return ", ".join(map(plain, ids[:most])) + more


_KEYS = {
    Shown.FAILED: ("r retry", "s skip it"),
    Shown.CANCELLED: ("r retry", "s skip it"),
    Shown.BLOCKED: ("r retry", "s skip it"),
    Shown.RETRYING: ("r retry now",),
    Shown.RUNNING: ("L log", "x cancel"),
    Shown.VERIFYING: ("L log", "x cancel"),
    Shown.MERGING: ("D diff",),
    Shown.ASKS: ("i answer", "x cancel"),
    Shown.APPROVAL: ("a approve", "R reject"),
    Shown.COMPLETED: ("r run again",),
    Shown.SKIPPED: ("r run it",),
}
_CASES = {
    Shown.FAILED: _failed,
    Shown.CANCELLED: _cancelled,
    Shown.BLOCKED: _blocked,
    Shown.RETRYING: _retrying,
    Shown.APPROVAL: _approval,
    Shown.RUNNING: _running,
    Shown.VERIFYING: _running,
    Shown.MERGING: _merging,
    Shown.ASKS: _asks,
    Shown.COMPLETED: _done,
    Shown.SKIPPED: _skipped,
    Shown.READY: _ready,
}
