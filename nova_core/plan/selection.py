"""Selects the tasks of a plan to run."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import msgspec

from nova_core.errors import UsageError
from nova_core.parser import Cascade
from nova_core.plan.phases import phase_named


class Selection(msgspec.Struct, frozen=True):
    """The tasks to run; empty means all. `until` adds everything the ids depend on.

    `phases` are branches, too, and may be named without their number.
    """

    only: tuple[str, ...] = ()
    until: tuple[str, ...] = ()
    branches: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    phases: tuple[str, ...] = ()

    def ids(self, cascade: Cascade) -> list[str]:
        """Returns the selected ids in plan order. Raises `UsageError` for a name the plan does not have."""
        tasks = cascade.tasks
        _known("task", (*self.only, *self.until), tasks, cascade)
        _known("branch", self.branches, {t.branch for t in tasks.values()}, cascade)
        _known("group", self.groups, {t.group for t in tasks.values()}, cascade)
        branches = {*self.branches, *(_phase(name, cascade) for name in self.phases)}
        chosen = {*self.only, *self.until, *cascade.dag.ancestors(self.until)}
        chosen |= {i for i, t in tasks.items() if t.branch in branches or t.group in self.groups}
        everything = not (self.only or self.until or branches or self.groups)
        return [i for i in tasks if everything or i in chosen]


def _phase(name: str, cascade: Cascade) -> str:
    found = phase_named(name, cascade.branches)
    if found is None:
        _known("phase", [name], cascade.branches, cascade)
    return found or name


def _elsewhere(name: str, cascade: Cascade) -> str:
    """A hint for a name of another kind: that of a group instead of a task."""
    if name in cascade.tasks:
        return f"it is a task: --only {name}"
    if any(task.group == name for task in cascade.tasks.values()):
        return f"it is a group: --group {name!r}"
    return f"it is a branch: --branch {name!r}" if name in cascade.branches else ""


def _known(kind: str, names: Iterable[str], existing: Collection[str], cascade: Cascade) -> None:
    for name in names:
        if name not in existing:
            if hint := _elsewhere(name, cascade):
                raise UsageError(f"the plan has no {kind} {name!r}", hint=hint)
            from difflib import get_close_matches

            near = [n for n in existing if n.casefold() == name.casefold()] or get_close_matches(name, existing, 1)
            raise UsageError(
                f"the plan has no {kind} {name!r}",
                hint=f"did you mean {near[0]!r}?" if near else "list them with `nova graph`",
            )
