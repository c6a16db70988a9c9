"""The actions allowed on a run and its tasks now: the same on every face."""

from __future__ import annotations

from nova_core.runs.words import AT_WORK, Shown
from nova_core.watch.source import LOOKING, EngineState
from nova_core.watch.view_model import ViewModel

OVER = (Shown.COMPLETED, Shown.SKIPPED, Shown.FAILED, Shown.CANCELLED)
FITS: dict[str, tuple[Shown, ...]] = {
    "retry": (Shown.FAILED, Shown.CANCELLED, Shown.RETRYING, Shown.COMPLETED, Shown.SKIPPED),
    "cancel": (*AT_WORK, Shown.RETRYING, Shown.APPROVAL),
    "kill": AT_WORK,
    "skip": (Shown.FAILED, Shown.CANCELLED, Shown.RETRYING, Shown.BLOCKED, Shown.READY, Shown.WAITING, Shown.APPROVAL),
    "approve": (Shown.APPROVAL,),
    "reject": (Shown.APPROVAL,),
}
"""The actions on a task, and the statuses in which each is allowed."""
WHEN = {
    "retry": "a finished task",
    "cancel": "a running task",
    "kill": "a running task",
    "skip": "a task not done",
    "approve": "needs approval",
    "reject": "needs approval",
    "type_into": "a worker with a terminal",
}
OF_THE_RUN = ("pause", "resume", "go_on", "workers")
"""The actions on the run."""


def why_not_type(model: ViewModel, task_id: str) -> str:
    """Why nobody can type into the task's worker now; empty if somebody can."""
    shown = model.shown(task_id)
    if shown not in AT_WORK or shown is Shown.VERIFYING:
        return f"is {shown.value}: only a running worker takes keys"
    if not model.task(task_id).terminal:
        return "has no terminal: `terminal: true`, or `yes` in a column Terminal, gives it one"
    if model.source.read_only:
        return f"cannot be typed into: {LOOKING}, C takes control"
    return "" if model.source.engine is EngineState.RUNNING else "takes no keys: no engine running, p continues"


def is_allowed(model: ViewModel, action: str, task_id: str | None = None) -> bool:
    """Returns True if an action of `FITS` (on that task) or `OF_THE_RUN` has an effect. Others raise `KeyError`."""
    source = model.source
    if source.read_only:
        return False
    if action not in OF_THE_RUN:
        return task_id is not None and model.shown(task_id) in FITS[action]
    if action == "go_on":
        return model.could_go_on or model.could_land
    if source.engine is not EngineState.RUNNING:
        return False
    return action == "workers" or source.run.paused is (action == "resume")
