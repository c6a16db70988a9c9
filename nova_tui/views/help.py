"""The help, which lists keys in columns, and the footer, which names the most useful of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec
from rich.cells import cell_len
from textual.binding import ActiveBinding, Binding
from textual.content import Content

from nova_core.runs.words import Shown
from nova_core.watch.allowed import WHEN
from nova_tui.glyphs import MUTED, TITLE, glyph, is_ascii, style_of
from nova_tui.views.line import fit, line, plain, shorten

_NAMES = {
    "up": "↑", "down": "↓", "left": "←", "right": "→", "escape": "esc", "enter": "⏎", "question_mark": "?",
    "slash": "/",
    "exclamation_mark": "!", "dollar_sign": "$", "plus": "+", "minus": "-", "colon": ":", "pageup": "pgup",
    "vertical_line": "|",
    "pagedown": "pgdn", "left_square_bracket": "[", "right_square_bracket": "]", "space": "space", "full_stop": ".",
    "comma": ",", "number_sign": "#", "at": "@", "asterisk": "*", "equals_sign": "=", "underscore": "_",
}  # fmt: skip
_PLAIN = {"up": "up", "down": "down", "left": "left", "right": "right", "enter": "enter"}
_GROUPS = {
    "move": "Move", "view": "Views", "task": "The task", "run": "The run", "log": "The log", "copy": "Copy",
    "time": "Time", "app": "The program",
}  # fmt: skip
# Additions to the names of actions; both together must fit half the width of a screen.
_TOLD = {
    "move.open": "go deeper", "task.retry": "run it again", "task.cancel": "with a grace period",
    "task.kill": "at once", "task.skip": "mark it as done", "task.approve": "its work",
    "task.reject": "its work", "run.pause": "no new tasks start", "run.resume": "start tasks again",
    "run.stop": "asks as q does", "view.log": "on the whole screen", "view.why": "all about the task",
    "view.diff": "what the task changed",
    "view.timeline": "what ran when", "view.deps": "what needs what", "view.events": "what happened",
    "view.cost": "tokens and dollars", "view.summary": "result of the run", "view.filter": "failed, running, ...",
    "view.two_logs": "beside each other", "view.stream": "in one stream", "log.copy_mode": "mark lines, then copy",
    "copy.lines": "in copy mode",
    "copy.log": "of its file", "copy.pager": "$PAGER, or less", "app.palette": "any action by name",
    "app.theme": "colours", "app.help": "these keys", "log.follow": "show new lines",
    "log.times": "when lines appeared",
}  # fmt: skip
_OTHER = "Here"
_FIRST_RUNNING = "view.run_1"  # stands for the keys of all running tasks


class Entry(msgspec.Struct, frozen=True):
    """The keys of one action, and what it does or, if it does not work now, when it works."""

    keys: tuple[str, ...]
    words: str
    works: bool = True


class Group(msgspec.Struct, frozen=True):
    """A titled group of keys."""

    title: str
    entries: tuple[Entry, ...]


def key_name(key: str) -> str:
    """The display form of a key: `^d`, `⏎`, `?`."""
    if key.startswith("ctrl+"):
        return "^" + key_name(key.removeprefix("ctrl+"))
    names = {**_NAMES, **_PLAIN} if is_ascii() else _NAMES
    return plain(names.get(key, key))


def usable(active: Iterable[ActiveBinding]) -> list[Binding]:
    """The bindings that work now; those without an id are Textual's own."""
    return [a.binding for a in active if a.enabled and a.binding.id]


def listed(active: Iterable[ActiveBinding]) -> list[tuple[Binding, bool]]:
    """The bindings of the help, and whether each works now."""
    return [(a.binding, a.enabled) for a in active if a.binding.id]


def told(binding: Binding, works: bool = True) -> str:
    """What an action does, in a few words, or, if it does not work now, the tasks it applies to."""
    more = _TOLD.get(binding.id or "", "") if works else f"for {WHEN.get(binding.action, 'others')}"
    return plain(f"{binding.description}: {more}" if more else binding.description)


def groups(bindings: Iterable[tuple[Binding, bool]]) -> list[Group]:
    """Bindings grouped by the first word of their id (`task.retry`); keys of one action are merged, in order."""
    found: dict[str, dict[str, Entry]] = {name: {} for name in (_OTHER, *_GROUPS.values())}
    for binding, works in bindings:
        if not binding.description:
            continue
        prefix, dot, _ = (binding.id or "").partition(".")
        entries = found[_GROUPS.get(prefix, _OTHER) if dot else _OTHER]
        known = entries.get(binding.action)
        if known and binding.key.startswith("shift+"):  # same as the key without shift
            continue
        name = binding.key_display if binding.id == _FIRST_RUNNING else None  # as long as it has its usual key
        keys = dict.fromkeys([*(known.keys if known else ()), key_name(name or binding.key)])
        entries[binding.action] = Entry(tuple(keys), told(binding, works), works)
    return [Group(title, tuple(entries.values())) for title, entries in found.items() if entries]


Cell = Entry | str  # a string is the heading of a group, or an empty line


def lines(found: Sequence[Group], width: int, height: int | None = None) -> list[Content]:
    """The groups in as many columns as the height requires and the width allows; the view scrolls to the rest."""
    columns = _columns(found, 1)
    for count in range(1, max(1, width // 16) + 1):
        narrower = _columns(found, count)
        if count > 1 and max(map(_widest, narrower)) > width // len(narrower):
            break
        columns = narrower
        if height is None or max((len(c) for c in columns), default=0) <= height:
            break
    return _beside(columns, width) if columns else []


def _columns(found: Sequence[Group], count: int) -> list[list[Cell]]:
    """The groups in sequence, split into columns of similar height; a heading is never last in a column."""
    flat: list[Cell] = []
    for group in found:
        flat += [*([""] if flat else []), group.title, *group.entries]
    size = -(-len(flat) // count) if flat else 1
    columns = []
    while flat:
        cut = min(size, len(flat))
        while 1 < cut < len(flat) and isinstance(flat[cut - 1], str) and flat[cut - 1]:
            cut -= 1
        columns.append(flat[:cut])
        flat = flat[cut:]
        while flat and flat[0] == "":
            flat = flat[1:]
    return columns


def _keys_width(column: Sequence[Cell]) -> int:
    return max((cell_len(" ".join(c.keys)) for c in column if isinstance(c, Entry)), default=0)


def _widest(column: Sequence[Cell]) -> int:
    """Cells of the column, with a space on each side."""
    return _keys_width(column) + max((cell_len(c.words) for c in column if isinstance(c, Entry)), default=0) + 4


def _beside(columns: Sequence[Sequence[Cell]], width: int) -> list[Content]:
    room = max(12, width // max(1, len(columns)))
    widths = [_keys_width(column) for column in columns]
    rows = []
    for number in range(max(map(len, columns))):
        cells = [column[number] if number < len(column) else "" for column in columns]
        rows.append(line(*(_cell(cell, keys, room) for cell, keys in zip(cells, widths, strict=True)), width=width))
    return rows


def _cell(cell: Cell, width: int, room: int) -> Content:
    if isinstance(cell, str):
        return line((fit(f" {cell}", room), TITLE))
    keys = (fit(" ".join(cell.keys), width), "bold $text-accent" if cell.works else MUTED)
    return line(" ", keys, (fit(f"  {cell.words}", room - width - 1), "" if cell.works else MUTED))


def legend(width: int) -> list[Content]:
    """The marks of tasks with their words, in as many lines as needed."""
    rows, pieces = [], line()
    for shown in Shown:
        piece = line(("  " if pieces else " "), (glyph(shown), style_of(shown)), f" {shown.value}")
        if pieces and pieces.cell_length + piece.cell_length > width:
            rows.append(pieces)
            piece, pieces = line(" ", (glyph(shown), style_of(shown)), f" {shown.value}"), line()
        pieces = line(pieces, piece)
    return [line(row, width=width) for row in (*rows, pieces)]


class Part(msgspec.Struct, frozen=True):
    """A key of the footer with its action, as drawn."""

    binding: Binding
    said: Content

    @property
    def width(self) -> int:
        """Cells."""
        return self.said.cell_length


def footer(bindings: Iterable[Binding], width: int) -> list[Part]:
    """Keys and their actions, as many as fit in a line; bindings with `show=False` are only in the help."""
    parts: list[Part] = []
    used = 0
    shown: Mapping[str, Binding] = {b.action: b for b in reversed([b for b in bindings if b.show and b.description])}
    for binding in reversed(list(shown.values())):
        key, words = key_name(binding.key_display or binding.key), shorten(binding.description, 28)
        said = line(" ", (key, "bold $text-accent"), f" {words[:1].lower()}{words[1:]} ")
        used += said.cell_length
        if used > width:
            break
        parts.append(Part(binding, said))
    return parts


def title(width: int) -> Content:
    """The name of the screen."""
    return line((" Keys", TITLE), ("  what works here; esc goes back", MUTED), width=width)
