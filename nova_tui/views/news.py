"""The line of news: the answer to a key, then what happened last, with its time."""

from __future__ import annotations

from textual.content import Content

from nova_tui.glyphs import ERROR, MUTED, WARNING, chars, glyph, style_of
from nova_tui.news import Item, News
from nova_tui.views.line import line, shorten

_LEAST = 16  # cells below which a second item is left out
_HINT = "e events"
_STYLES = {"error": ERROR, "warning": WARNING, "information": ""}


def draw(news: News, width: int, *, rule: bool = True, events: bool = True) -> Content:
    """As many items as fit, the newest first; with `rule`, in a rule, which names the key for all `events`
    if it works here."""
    rest = chars().rest
    head = (f"{rest} ", MUTED) if rule else (" ", "")
    tail = f"{rest * 2} {_HINT} {rest}" if rule and events and width >= 60 else rest if rule else ""
    found = line(head)
    room = width - found.cell_length - len(tail) - 1
    answer = news.answered
    for number, item in enumerate([*([answer] if answer else []), *news.items]):
        if number and room < _LEAST + 3:
            break
        between = (f" {chars().dot} ", MUTED) if number else ("", "")
        piece = line(between, _item(item, room - len(between[0])))
        found, room = line(found, piece), room - piece.cell_length
    if not rule:
        return line(found, width=width)
    said = line(found, " ") if answer or news.items else Content()
    return line(said, (rest * max(0, width - said.cell_length - len(tail)) + tail, MUTED), width=width)


def _item(item: Item, width: int) -> Content:
    at = (f"{item.at} ", MUTED) if item.at else ("", "")
    mark = (f"{glyph(item.shown)} ", style_of(item.shown)) if item.shown else ("", "")
    if item.milestone:
        mark = (f"{chars().star} ", WARNING)
    room = max(1, width - len(at[0]) - len(mark[0]))
    return line(at, mark, (shorten(item.said, room), _STYLES[item.severity]))
