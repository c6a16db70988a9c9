"""The milestones of a plan: those that were reached, and how far the next ones are."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from nova_core.engine.observers.milestones import Milestone, Trigger, TriggerType, members_of
from nova_core.state.schema import TaskStatus
from nova_core.text import money
from nova_core.watch.view_model import ViewModel
from nova_tui.glyphs import MUTED, WARNING, bar, chars
from nova_tui.views.line import line, plain

_BAR = 10


def lines(model: ViewModel, milestones: Sequence[Milestone], width: int) -> list[Content]:
    """One line for each milestone that was not reached, the nearest first."""
    left = [m for m in milestones if m.id not in model.source.run.milestones]
    found = sorted(((_progress(model, m.trigger), m) for m in left), key=lambda item: -item[0][0])
    return [_line(m, share, said, width) for (share, said), m in found]


def _line(milestone: Milestone, share: float, said: str, width: int) -> Content:
    name = plain(milestone.name or milestone.message or milestone.id)
    return line(
        "          ", (f"{chars().star} ", MUTED), f"{name}  ", bar(share, _BAR, WARNING), f"  {said}", width=width
    )


def _progress(model: ViewModel, trigger: Trigger) -> tuple[float, str]:
    """How near a milestone is, 0 to 1, and in words."""
    project = model.rollups.project
    if trigger.type is TriggerType.COST_REACHED:
        spent = project.cost_usd or 0.0
        return min(1.0, spent / trigger.usd if trigger.usd else 1.0), f"{money(spent)} of {money(trigger.usd)}"
    if trigger.type is TriggerType.ANY_TASK_FAILED:
        return 0.0, "no task has failed"
    if trigger.type is TriggerType.PERCENTAGE_COMPLETE:
        share = project.completed / project.total if project.total else 0.0
        return min(1.0, share * 100 / trigger.threshold if trigger.threshold else 1.0), (
            f"{share:.0%} of {trigger.threshold:g}%"
        )
    ids = [i for i in members_of(trigger, model.cascade.tasks.values()) if i in model.cascade.tasks]
    done = sum(model.task(i).status is TaskStatus.COMPLETED for i in ids)
    return done / len(ids) if ids else 0.0, f"{done:,} of {len(ids):,} done"
