"""The screen of a project, a branch or a group; enter opens a member, escape goes back."""

from __future__ import annotations

from collections.abc import Sequence

from nova_core.watch.view_model import Dirty, ViewModel
from nova_tui.screens import open_task
from nova_tui.screens.base import ViewScreen
from nova_tui.screens.leading import tell_leading
from nova_tui.views import members
from nova_tui.views.line import plain
from nova_tui.views.members import Place
from nova_tui.widgets.lines_view import LinesView


class GroupScreen(ViewScreen):
    """Shows the members of the project (no branch given), of a branch or of its group, with totals."""

    AXIS = True
    STANDS_FOR = True

    def __init__(self, model: ViewModel, branch: str | None = None, group: str | None = None) -> None:
        super().__init__(model)
        self.place = Place(branch, group)
        self._members = members.members(model, self.place)

    @property
    def is_gone(self) -> bool:
        """True if the branch or group is no longer in the plan."""
        branch, group = self.place.branch, self.place.group
        branches = self.model.cascade.branches
        return branch is not None and (branch not in branches or (group is not None and group not in branches[branch]))

    def take(self, dirty: Dirty, tick: bool) -> None:
        if dirty.everything:
            self._members = [] if self.is_gone else members.members(self.model, self.place)
        super().take(dirty, tick)

    @property
    def selected_task(self) -> str | None:
        """The task under the cursor, if it is on one."""
        return self.view.key.task if isinstance(self.view.key, Place) else None

    @property
    def acts_on(self) -> str | None:
        """The task under the cursor, if it is on one."""
        return self.selected_task

    def scope(self) -> tuple[Sequence[str], str]:
        """The tasks of the group under the cursor."""
        place = self.view.key
        if not isinstance(place, Place) or place.task is not None:
            return (), ""
        name = place.group if place.group is not None else place.branch
        return members.tasks_of(self.model, place), plain(name) if name else ""

    def look_at(self) -> str | None:
        """The task to open; for a group, its representative task, named in an answer, as is that there is none."""
        place = self.view.key if isinstance(self.view.key, Place) else self.place
        if place.task is not None or self.is_gone:
            return place.task
        return tell_leading(self, place)

    @property
    def subject(self) -> str:
        """The name of the group, or of the branch."""
        return self.place.group or self.place.branch or ""

    def draw(self) -> None:
        """Draw the current totals."""
        width = self.view.room
        self.say(members.title(self.model, self.place, self.room))
        self.axis.show(members.header(width))
        self.view.show(members.lines(self.model, self._members, width), self._members)

    def on_lines_view_opened(self, message: LinesView.Opened) -> None:
        """Open a member."""
        if not isinstance(message.key, Place):
            return
        if message.key.task is None:
            self.app.push_screen(GroupScreen(self.model, message.key.branch, message.key.group))
        else:
            self.app.push_screen(open_task(self.model, message.key.task))
