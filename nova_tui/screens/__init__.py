"""The screens of the interface, which handle keys and refresh; `views` draws their content."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nova_core.watch.view_model import ViewModel
    from nova_tui.screens.base import ViewScreen
    from nova_tui.screens.task import TaskScreen


def open_view(name: str, model: ViewModel, task_id: str | None) -> ViewScreen:
    """The screen of a view: `timeline`, `deps`, `events`, `cost` or `summary`. Raises `KeyError` for another name.

    Screens are imported on first use, so that they do not delay the first paint.
    """
    from importlib import import_module

    module, screen = _VIEWS[name]
    found: type[ViewScreen] = getattr(import_module(f"nova_tui.screens.{module}"), screen)
    return found(model, task_id)


def open_task(model: ViewModel, task_id: str) -> TaskScreen:
    """The screen of one task."""
    from nova_tui.screens.task import TaskScreen

    return TaskScreen(model, task_id)


_VIEWS = {
    "timeline": ("timeline", "TimelineScreen"),
    "deps": ("deps", "DepsScreen"),
    "events": ("events", "EventsScreen"),
    "cost": ("cost", "CostScreen"),
    "summary": ("summary", "SummaryScreen"),
}
