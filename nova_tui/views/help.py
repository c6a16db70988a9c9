"""The keys that do something now, in columns, and the footer that names the most useful of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec
from rich.cells import cell_len
from textual.binding import ActiveBinding, Binding
from textual.content import Content

from nova_tui.glyphs import MUTED, TITLE, is_ascii
from nova_tui.views.line import fit, line, plain, shorten

_NAMES = {
    "up": "↑", "down": "↓", "left": "←", "right": "→", "escape": "esc", "enter": "⏎", "question_mark": "?",
    "slash": "/",
    "exclamation_mark": "!", "dollar_sign": "$", "plus": "+", "minus": "-", "colon": ":", "pageup": "pgup",
    "pagedown": "pgdn", "left_square_bracket": "[", "right_square_bracket": "]", "space": "space", "full_stop": ".",
    "comma": ",", "number_sign": "#", "at": "@", "asterisk": "*", "equals_sign": "=", "underscore": "_",
}  # fmt: skip
_PLAIN = {"up": "up", "down": "down", "left": "left", "right": "right", "enter": "enter"}
_GROUPS = {
    "move": "Move", "view": "Views", "task": "The task", "run": "The run", "log": "The log", "copy": "Copy",
    "time": "Time", "app": "Nova",
}  # fmt: skip
_OTHER = "Here"


class Entry(msgspec.Struct, frozen=True):
    """The keys of one action, and what it does."""

    keys: tuple[str, ...]
    words: str


class Group(msgspec.Struct, frozen=True):
    """Keys that belong together."""

    title: str
    entries: tuple[Entry, ...]


def key_name(key: str) -> str:
    """How a key is written: `^d`, `⏎`, `?`."""
    if key.startswith("ctrl+"):
        return "^" + key_name(key.removeprefix("ctrl+"))
    names = {**_NAMES, **_PLAIN} if is_ascii() else _NAMES
    return plain(names.get(key, key))


def usable(active: Iterable[ActiveBinding]) -> list[Binding]:
    """The bindings that would do something now; those without an id are Textual's own."""
    return [a.binding for a in active if a.enabled and a.binding.id]


def groups(bindings: Iterable[Binding]) -> list[Group]:
    """Bindings by the first word of their id (`task.retry`), those of one action together, in order of appearance."""
    found: dict[str, dict[str, tuple[str, list[str]]]] = {name: {} for name in (_OTHER, *_GROUPS.values())}
    for binding in bindings:
        if not binding.description:
            continue
        prefix, dot, _ = (binding.id or "").partition(".")
        title = _GROUPS.get(prefix, _OTHER) if dot else _OTHER
        _, keys = found[title].setdefault(binding.action, (binding.description, []))
        name = key_name(binding.key)
        if name not in keys:
            keys.append(name)
    return [
        Group(title, tuple(Entry(tuple(keys), plain(words)) for words, keys in entries.values()))
        for title, entries in found.items()
        if entries
    ]


def lines(found: Sequence[Group], width: int, height: int | None = None) -> list[Content]:
    """The groups in as many columns as the height asks for and the width allows."""
    blocks = [_block(group) for group in found]
    for count in range(1, max(1, width // 24) + 1):
        columns = _columns(blocks, count)
        if height is None or max((len(c) for c in columns), default=0) <= height:
            break
    return _beside(columns, width) if blocks else []


def _block(group: Group) -> list[tuple[str, str]]:
    """A group as pairs of keys and words; its head has no keys."""
    return [("", group.title), *((" ".join(entry.keys), entry.words) for entry in group.entries)]


def _columns(blocks: Sequence[list[tuple[str, str]]], count: int) -> list[list[tuple[str, str]]]:
    """The blocks one below the other, cut into columns of about the same height; a head never stands last."""
    flat = [row for block in blocks for row in [*block, ("", "")]][:-1]
    size = -(-len(flat) // count) if flat else 1
    columns = []
    while flat:
        cut = min(size, len(flat))
        while 1 < cut < len(flat) and not flat[cut - 1][0] and flat[cut - 1][1]:
            cut -= 1
        columns.append(flat[:cut])
        flat = flat[cut:]
        while flat and flat[0] == ("", ""):
            flat = flat[1:]
    return columns


def _beside(columns: Sequence[Sequence[tuple[str, str]]], width: int) -> list[Content]:
    room = max(12, width // max(1, len(columns)))
    rows = []
    for number in range(max(map(len, columns))):
        cells = [_cell(*(column[number] if number < len(column) else ("", "")), room) for column in columns]
        rows.append(line(*cells, width=width))
    return rows


def _cell(keys: str, words: str, room: int) -> Content:
    if not keys:
        return line((fit(f" {words}", room), TITLE))
    width = max(9, room // 3)
    return line(" ", (fit(keys, width), "bold $text-accent"), fit(f" {words}", room - width - 1))


def footer(bindings: Iterable[Binding], width: int) -> Content:
    """One line of `key words`, as many as fit; those with `show=False` are only in the help."""
    pieces: list[str | tuple[str, str]] = []
    used = 0
    shown: Mapping[str, Binding] = {b.action: b for b in reversed([b for b in bindings if b.show and b.description])}
    for binding in reversed(list(shown.values())):
        key, words = key_name(binding.key_display or binding.key), shorten(binding.description, 28)
        used += cell_len(key) + cell_len(words) + 3
        if used > width:
            break
        pieces += [" ", (key, "bold $text-accent"), f" {words} "]
    return line(*pieces, width=width)


def title(width: int) -> Content:
    """The name of the screen."""
    return line((" Keys", TITLE), ("  what works here and now; esc goes back", MUTED), width=width)
