"""The footer of the main screen: what can be done with the task first, help and quitting always."""

from __future__ import annotations

from textual.binding import Binding
from textual.screen import Screen

from nova_tui.views import help as help_view
from nova_tui.views.line import line
from nova_tui.widgets.one_line import KeyLine

_ALWAYS = ("app.help", "app.quit")


class Footer(KeyLine):
    """Where not all keys fit, those of the selected task stay longest, and the last two never go."""

    def _renew(self, screen: Screen[object]) -> None:
        if screen is not self.screen or not self.is_attached:
            return
        found = help_view.usable(screen.active_bindings.values())
        width = self.size.width or self.app.size.width
        last = help_view.footer([b for b in found if b.id in _ALWAYS], width)
        first = sorted((b for b in found if b.id not in _ALWAYS), key=_rank)
        self.show(line(help_view.footer(first, width - last.cell_length), last))


def _rank(binding: Binding) -> int:
    if binding.id == "move.open":
        return 0
    group = (binding.id or "").partition(".")[0]
    return {"task": 1, "log": 1}.get(group, 2)
