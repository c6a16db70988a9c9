"""Messages for keys that do not apply to a task: a key that does nothing must not be silent."""

from __future__ import annotations

from nova_core.runs.words import Shown
from nova_core.watch.allowed import FITS, why_not_type
from nova_core.watch.view_model import ViewModel
from nova_tui.views.line import plain

LOOKING = "view only: C takes control"
COPIES = ("copy_id", "copy_log")
_ALL = "; nova run --fresh runs everything again"
_NOTHING = {
    "retry": "nothing to retry",
    "cancel": "nothing to cancel",
    "kill": "nothing to kill",
    "skip": "nothing to skip",
    "approve": "nothing to approve",
    "reject": "nothing to reject",
}
_INSTEAD = {
    ("retry", Shown.RUNNING): "x cancels it",
    ("retry", Shown.ASKS): "i answers it, x cancels it",
    ("retry", Shown.VERIFYING): "x cancels it",
    ("retry", Shown.APPROVAL): "a approves it, R rejects it",
    ("retry", Shown.READY): "it starts by itself",
    ("retry", Shown.WAITING): "it starts by itself",
    ("retry", Shown.MERGING): "nothing to retry, its work is done",
    ("skip", Shown.RUNNING): "x cancels it first",
    ("skip", Shown.ASKS): "i answers it, x cancels it first",
    ("skip", Shown.VERIFYING): "x cancels it first",
    ("kill", Shown.RETRYING): "x cancels it",
    ("kill", Shown.APPROVAL): "R rejects it",
}
_WORDS = {
    Shown.APPROVAL: "needs approval",
    Shown.ASKS: "asks",
    Shown.VERIFYING: "is being checked",
    Shown.MERGING: "is being merged",
    Shown.FAILED: "has failed",
    Shown.CANCELLED: "was cancelled",
    Shown.RETRYING: "is retrying",
}


def refusal(model: ViewModel, action: str, task_id: str | None) -> str:
    """Why a key does not apply to the task, and which key does; empty for other keys."""
    if action in COPIES and task_id is None:
        return "choose a task first: y copies its id, Y the path of its log"
    if action == "type_into" and task_id is not None:
        return f"{plain(task_id)} {why_not_type(model, task_id)}"
    if action not in FITS:
        return ""
    if task_id is None:
        return "choose a task first" + (_ALL if action == "retry" else "")
    shown = model.shown(task_id)
    instead = _INSTEAD.get((action, shown), _NOTHING[action])
    if action == "retry" and shown is Shown.BLOCKED:
        causes = model.task(task_id).blocked_by
        instead = f"press r on {plain(causes[0])}" if causes else f"missing: {plain(model.task(task_id).missing[0])}"
    return f"{plain(task_id)} {_WORDS.get(shown, f'is {shown.value}')}: {instead}"
