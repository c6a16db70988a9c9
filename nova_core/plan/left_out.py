"""What selected tasks wait for that was not selected, and the command that runs it, too. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from nova_core.parser import Cascade
from nova_core.state.schema import NEW, TaskState
from nova_core.text import first_of, number_of

_SHOWN = 3
_TYPED = 8  # task ids in a command that people may type


def left_out(
    cascade: Cascade, selected: Collection[str], states: Mapping[str, TaskState]
) -> dict[str, tuple[str, ...]]:
    """Returns the selected tasks that must wait for tasks that were not selected, each with these tasks.

    Dependencies are seen through gates. Failed ones are not included: they block the task.
    """
    chosen = set(selected)
    if chosen >= cascade.tasks.keys():
        return {}

    def is_open(task_id: str) -> bool:
        return not (cascade.tasks[task_id].settled or states.get(task_id, NEW).is_over)

    work = (i for i, task in cascade.tasks.items() if i in chosen and not task.gate and is_open(i))
    found = {i: tuple(d for d in _needs(cascade, i) if d not in chosen and is_open(d)) for i in work}
    return {task_id: needs for task_id, needs in found.items() if needs}


def _needs(cascade: Cascade, task_id: str) -> list[str]:
    """The dependencies of a task; those of a gate stand for the gate."""
    found: dict[str, None] = {}
    open_ids, seen = list(cascade.tasks[task_id].depends_on), set()
    while open_ids:
        name = open_ids.pop(0)
        if name in seen or name not in cascade.tasks:
            continue
        seen.add(name)
        if cascade.tasks[name].gate:
            open_ids += cascade.tasks[name].depends_on
        else:
            found[name] = None
    return list(found)


def left_out_line(found: Mapping[str, Collection[str]]) -> str:
    """Returns who waits for what, and what to type, in one line; empty if no task was left out."""
    if not found:
        return ""
    shown = [f"{task_id} waits for {first_of([*needs], _SHOWN)}" for task_id, needs in list(found.items())[:_SHOWN]]
    more = f"; and {number_of(len(found) - _SHOWN, 'more task')} wait" if len(found) > _SHOWN else ""
    return f"not selected: {'; '.join(shown)}{more} (run these, too: {left_out_command(found)})"


def left_out_command(found: Mapping[str, Collection[str]]) -> str:
    """Returns the command that runs these tasks and what they wait for."""
    return f"nova run --until {','.join(found) if len(found) <= _TYPED else 'ID'}"
