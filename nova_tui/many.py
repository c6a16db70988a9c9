"""One action on many tasks: those of a branch, or those that a filter shows. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from nova_core.runs.words import AT_WORK, Shown
from nova_core.text import number_of
from nova_core.watch.allowed import FITS
from nova_core.watch.view_model import ViewModel

_FAILED = (Shown.FAILED, Shown.CANCELLED)
# The kinds of tasks an action applies to, the first kind that there is.
_KINDS: dict[str, tuple[tuple[Shown, ...], ...]] = {
    "retry": (_FAILED,),
    "cancel": (AT_WORK, (Shown.RETRYING,)),
    "kill": (AT_WORK,),
    "skip": (_FAILED, (Shown.BLOCKED,), (Shown.APPROVAL,), FITS["skip"]),
    "approve": ((Shown.APPROVAL,),),
}
_WHAT = {
    "retry": "they run again",
    "cancel": "their workers are stopped, then killed",
    "kill": "their workers are killed at once",
    "skip": "they count as done; what depends on them may then start",
    "approve": "their work is accepted",
}


def fitting(model: ViewModel, action: str, ids: Iterable[str]) -> list[str]:
    """The tasks among `ids` that the action applies to when it is meant for all; they are of one kind."""
    if action not in _KINDS or model.source.read_only:
        return []
    shown = {i: model.shown(i) for i in ids if i in model.cascade.tasks}
    found = ([i for i, s in shown.items() if s in kind] for kind in _KINDS[action])
    return next(filter(None, found), [])


def question(model: ViewModel, action: str, ids: Sequence[str], name: str) -> str:
    """`Retry 12 failed tasks in Backend?`"""
    kinds = {model.shown(i) for i in ids}
    word = _kind(kinds)
    place = "" if not name or name.startswith("only ") else f" in {name}"
    return f"{action.capitalize()} {number_of(len(ids), f'{word} task'.strip(), f'{word} tasks'.strip())}{place}?"


def _kind(kinds: set[Shown]) -> str:
    if kinds <= set(_FAILED):
        return Shown.CANCELLED.value if kinds == {Shown.CANCELLED} else Shown.FAILED.value
    if kinds <= set(AT_WORK):
        return Shown.RUNNING.value
    return next(iter(kinds)).value if len(kinds) == 1 and Shown.APPROVAL not in kinds else ""


def consequence(action: str) -> str:
    """What happens to the tasks."""
    return _WHAT[action]
