"""Which branches and groups of the tree are closed: by a person, or because nothing happens there. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from nova_core.watch.view_model import ViewModel
from nova_tui.views import members
from nova_tui.views.members import Place


class Folds:
    """The `closed` places. Those that were closed because they had not begun open when their first task starts."""

    def __init__(self) -> None:
        self.closed: set[Place] = set()
        self.begun = False
        self._quiet: set[Place] = set()

    @property
    def chosen(self) -> set[Place]:
        """The places that a person closed."""
        return self.closed - self._quiet

    def begin(
        self, model: ViewModel, parents: Collection[Place], chosen: Iterable[Place] | None, *, many: bool
    ) -> None:  # fmt: skip
        """Close the places that a person chose, if that is known; else, if the rows are too `many`, the quiet ones."""
        self.begun = True
        if chosen is not None:
            self.closed = set(parents) & set(chosen)
        elif many:
            self._quiet = {place for place in parents if members.is_quiet(members.rollup(model, place))}
            self.closed |= self._quiet

    def open(self, places: Iterable[Place]) -> bool:
        """Open places; returns True if one of them was closed."""
        found = self.closed & set(places)
        self.closed -= found
        self._quiet -= found
        return bool(found)

    def open_begun(self, model: ViewModel, changed: Iterable[str]) -> bool:
        """Open the places in which one of the `changed` tasks was the first to begin; returns True if there is one."""
        if not self._quiet:
            return False
        tasks = (model.cascade.tasks[i] for i in changed)
        places = {place for task in tasks for place in (Place(task.branch), Place(task.branch, task.group))}
        return self.open({p for p in places & self._quiet if not members.is_quiet(members.rollup(model, p))})

    def toggle(self, place: Place) -> None:
        """Open or close a place."""
        self.closed ^= {place}
        self._quiet.discard(place)
