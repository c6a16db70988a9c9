"""Entries of the command palette: available actions, tasks to go to, themes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider, SearchIcon
from textual.content import Content

from nova_tui.actions import RunActions
from nova_tui.views.help import key_name, told
from nova_tui.views.line import plain

SearchIcon.icon = "/"  # type: ignore[assignment]  # not every terminal can draw Textual's emoji
_MOST = 50  # hits


class NovaCommands(Provider):
    """Finds entries that contain all words; names are shown unchanged, never as markup."""

    async def discover(self) -> Hits:
        """Offer the actions before anything is typed."""
        for words, run in self._actions():
            yield DiscoveryHit(Content(words), run, words)

    async def search(self, query: str) -> Hits:
        """Find actions, then tasks, then themes."""
        words = query.casefold().split()
        found = 0
        for text, run in (*self._actions(), *self._tasks(query), *self._themes()):
            low = text.casefold()
            if words and all(word in low for word in words):
                found += 1
                yield Hit(1.0 - found / (2 * _MOST), Content(text), run, text)
                if found >= _MOST:
                    return

    @property
    def _run(self) -> RunActions:
        return cast(RunActions, self.app)

    def _actions(self) -> list[tuple[str, Callable[[], Any]]]:
        """The actions of all bindings that work now."""
        seen: dict[str, tuple[str, Callable[[], Any]]] = {}
        for active in self.screen.active_bindings.values():
            binding = active.binding
            if active.enabled and binding.description and not binding.system and _offered(binding.id or ""):
                run = partial(self.app.run_action, binding.action, active.node)
                key = key_name(binding.key_display or binding.key)
                _, colon, more = told(binding).partition(": ")
                seen.setdefault(
                    binding.action, (f"{plain(binding.description)}  {key}{'  ' if colon else ''}{more}", run)
                )
        return list(seen.values())

    def _tasks(self, query: str) -> list[tuple[str, Callable[[], Any]]]:
        tasks = self._run.model.cascade.tasks
        ids = self._run.finder.find(query)[:_MOST]
        return [(f"go to {i}  {plain(tasks[i].name)}", partial(self._run.go_to, i)) for i in ids]

    def _themes(self) -> list[tuple[str, Callable[[], Any]]]:
        return [(f"theme {name}", partial(setattr, self.app, "theme", name)) for name in self.app.available_themes]


def _offered(name: str) -> bool:
    """Returns True if the action deserves an entry: not cursor movements, nor the palette itself."""
    return bool(name) and not name.startswith("move.") and name != "app.palette"
