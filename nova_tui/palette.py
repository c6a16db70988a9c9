"""Entries of the command palette: available actions, tasks to go to, themes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

from textual.screen import Screen

from nova_core.runs.merging import landing_lines
from nova_core.watch.source import EngineState
from nova_tui.actions import RunActions
from nova_tui.palettes import depth
from nova_tui.screens.log import LogScreen
from nova_tui.themes import OURS, SHORT
from nova_tui.views.help import key_name, told
from nova_tui.views.line import plain

MOST = 50  # entries
_THEME = "theme"


class Entry(NamedTuple):
    """A line of the palette, clean, and what it does."""

    text: str
    run: Callable[[], Any]


def found(app: RunActions, screen: Screen[Any], query: str) -> list[Entry]:
    """The entries that contain all words of the query: actions that work now on `screen`, then tasks, then themes,
    which come first for their own word.
    Without a query, the actions."""
    words = query.casefold().split()
    if not words:
        return _actions(app, screen)
    groups = (_actions(app, screen), _tasks(app, query), _themes(app))
    offered = (entry for group in (reversed(groups) if words[0] == _THEME else groups) for entry in group)
    hits = (entry for entry in offered if all(word in entry.text.casefold() for word in words))
    return list(islice(hits, MOST))


def _actions(app: RunActions, screen: Screen[Any]) -> list[Entry]:
    """The actions of all bindings that work now."""
    seen: dict[str, Entry] = {}
    for active in screen.active_bindings.values():
        binding = active.binding
        if active.enabled and binding.description and not binding.system and _offered(binding.id or ""):
            key = key_name(binding.key_display or binding.key)
            _, colon, more = told(binding).partition(": ")
            text = f"{plain(binding.description)}  {key}{'  ' if colon else ''}{more}"
            seen.setdefault(binding.action, Entry(text, partial(app.run_action, binding.action, active.node)))
    return [*seen.values(), *_landing(app)]


def _landing(app: RunActions) -> list[Entry]:
    """What brings what is merged to the user's branch, if it has not landed and no engine is about to do that."""
    source = app.model.source
    waiting = landing_lines(source.run.git) if source.engine is not EngineState.RUNNING else []
    step = waiting[1].strip() if waiting else ""
    if app.can("go_on") and app.model.could_land:
        return [Entry(f"Land  try again; {plain(waiting[0])}", app.action_go_on)]
    return [Entry(f"Land  not landed; in a shell: {step}", partial(app.notify, f"in a shell: {step}"))] if step else []


def _tasks(app: RunActions, query: str) -> Iterator[Entry]:
    tasks = app.model.cascade.tasks
    wanted = " ".join(word for word in query.split() if word.casefold() not in ("go", "to", "log", "of"))
    in_a_log = isinstance(app.front, LogScreen)
    for task_id in app.finder.find(wanted)[:MOST]:
        if in_a_log:
            yield Entry(f"log of {task_id}  {plain(tasks[task_id].name)}", partial(app.front.show_task, task_id))
        yield Entry(f"go to {task_id}  {plain(tasks[task_id].name)}", partial(app.go_to, task_id))


def _themes(app: RunActions) -> Iterator[Entry]:
    few = depth(os.environ) == 16
    names = (name for name, theme in app.available_themes.items() if theme.ansi or not few)
    for name in sorted(names, key=lambda name: (name != app.theme, name not in OURS)):
        short = f"  --theme {found}" if (found := next((s for s, full in SHORT.items() if full == name), "")) else ""
        now = "  now" if name == app.theme else ""
        yield Entry(f"{_THEME} {name}{short}{now}", partial(setattr, app, "theme", name))


def _offered(name: str) -> bool:
    """Returns True if the action deserves an entry: not cursor movements, nor the palette itself."""
    return bool(name) and not name.startswith("move.") and name != "app.palette"
