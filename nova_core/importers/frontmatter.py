"""Reads the front matter of Markdown files, even if it is not quite YAML."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from nova_core.errors import InputError, Problem
from nova_core.files.yaml_file import Document, Keys, YamlSyntaxError, parse_yaml
from nova_core.model import Note, NoteKind
from nova_core.parser.blocks import split_lines
from nova_core.parser.findings import quoted, shown_path

_HINT = "write `name: value`, or `name:` and below it lines such as `- item`"
_DEEPEST = 4  # levels outside of YAML
_MOST_LINES = 5_000  # lines outside of YAML
_KEY = re.compile(r"(?P<name>[^\W\d][\w .-]{0,99}?) *:(?: +(?P<rest>.*))?\Z")
_QUOTED = re.compile(r"""(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^']|'')*')\s*(?P<rest>.*)\Z""")
_REMARK = re.compile(r"(?P<value>.*?\S)\s+\((?P<remark>[^()]*)\)\Z")
_SIMPLE = r"""(?P<text>[A-Za-z0-9_./][A-Za-z0-9_./(),+ -]*|"[^"\\]*"|'[^']*'|\[\]|)[ ]*\Z"""
_ITEM = r"""[ ]*(?:"[^"\\,]*"|[A-Za-z0-9_./][A-Za-z0-9_./-]*)[ ]*"""
_SIMPLE_LIST = re.compile(rf"(?P<name>[A-Za-z_]\w{{0,99}}):[ ]+\[(?P<items>{_ITEM}(?:,{_ITEM})*)\][ ]*\Z", re.ASCII)
_SIMPLE_KEY = re.compile(r"(?P<name>[A-Za-z_]\w{0,99}):(?:[ ]+|\Z)" + _SIMPLE, re.ASCII)
_SIMPLE_ITEM = re.compile(r"(?P<indent>[ ]*)-[ ]+" + _SIMPLE)
_ANCHOR = re.compile(r"\s*(?:- +|[\w.-]+: +)&(?P<name>\w+)(?:\s|\Z)")
_NULLS = ("null", "Null", "NULL")


class FrontMatter(msgspec.Struct, frozen=True):
    """The fields between the `---` lines at the head of a file, and the text below them.

    All scalars are text, `""` for an empty value (`~`, `null`); a field is text, a list or a dict, as in YAML. `lines`
    has the line of every value by its keys, such as `("outputs", 2)`. `remarks` has, by the same keys, the text after a
    quoted value: `modified` for `- "a.rs" (modified)`. `notes` (GUESSED) report invalid YAML and how it was read.
    `body_line` is the line of the file on which `body` begins. Without front matter `found` is False, and `body`
    everything.
    """

    fields: dict[str, Any]
    body: str
    body_line: int = 1
    found: bool = False
    lines: dict[Keys, int] = {}
    remarks: dict[Keys, str] = {}
    notes: list[Note] = []

    def text(self, *names: str) -> str:
        """The first existing field of these, if it is text and not empty; else `""`."""
        for name in names:
            value = self.fields.get(name)
            if value and isinstance(value, str):
                return value
        return ""

    def texts(self, *names: str) -> list[str]:
        """The first existing field of these as a list of texts: text is a list of one; other values are left out."""
        for name in names:
            value = self.fields.get(name)
            if value:
                values = value if isinstance(value, list) else [value]
                return [item for item in values if item and isinstance(item, str)]
        return []

    def notes_on(self, *names: str) -> list[Note]:
        """The notes on these fields: notes on unused fields are not needed."""
        lines = {line for keys, line in self.lines.items() if keys and keys[0] in names}
        return [note for note in self.notes if note.line in lines]

    def line_of(self, *keys: str | int) -> int:
        """The line of a field, or of an item of it; of its nearest parent if it does not exist."""
        while keys and keys not in self.lines:
            keys = keys[:-1]
        return self.lines.get(keys, 1)


def read_front_matter(text: str, path: str) -> FrontMatter:
    """The front matter of the Markdown file `text`; `path` is for messages.

    A file that does not start with `---`, has no second such line, or has no fields between them, has no front matter.
    Valid YAML is read as YAML. Otherwise (a third of real files: `- "a.rs" (modified)`, `- @user`, `title: Fix: this`),
    each field and each list item is read separately, and invalid ones become text. Raises `InputError` for what still
    makes no sense, for a repeated field, and for what `parse_yaml` rejects for its size.
    """
    lines = split_lines(text)
    end = _end(lines)
    inside = lines[1:end]
    if not end or not any(_KEY.match(line) for line in inside):
        return FrontMatter({}, "\n".join(lines))
    reader = _Reader(shown_path(path))
    fields = _simple(inside, reader.lines)
    if fields is None:
        if anchor := _anchor(inside):
            raise reader.refusal(anchor, "anchors (`&name`) are not read: a few can stand for millions of values")
        reader.lines.clear()
        fields = reader.block(inside, 2, ())
    if not isinstance(fields, dict):
        raise reader.refusal(2, "the front matter has no fields")
    body = "\n".join(lines[end + 1 :])
    return FrontMatter(fields, body, end + 2, True, reader.lines, reader.remarks, reader.notes)


def _anchor(lines: Sequence[str]) -> int:
    """The line of the first anchor that is used later; 0 if there is none: `title: &co` is only a title."""
    names = {match["name"]: at for at, line in enumerate(lines, 2) if (match := _ANCHOR.match(line))}
    used = set(re.findall(r"\*(\w+)", "\n".join(lines))) if names else set()
    return min((at for name, at in names.items() if name in used), default=0)


def split_remark(value: str) -> tuple[str, str]:
    """`a.rs (modified)` as `a.rs` and `modified`; the remark is empty if there is none."""
    match = _REMARK.match(value) if value.endswith(")") else None
    return (match["value"], match["remark"].strip()) if match else (value, "")


def _end(lines: Sequence[str]) -> int:
    """The index of the line that ends the front matter; 0 if there is none."""
    if lines[0].rstrip() != "---":
        return 0
    return next((at for at in range(1, len(lines)) if lines[at].rstrip() in ("---", "...")), 0)


def _simple(lines: Sequence[str], places: dict[Keys, int]) -> dict[str, Any] | None:
    """The fields, if all are plain words and lists of them; equal to YAML, fifty times faster. None otherwise."""
    fields: dict[str, Any] = {}
    name, indent = "", ""
    items: list[str] | None = None  # of the list that the next line may continue
    empty = False  # True if the line before is a field without a value
    places[()] = next((number for number, line in enumerate(lines, 2) if line), 2)
    for number, line in enumerate(lines, 2):
        if not line:
            continue
        if not line.isprintable():
            return None
        if key := _SIMPLE_KEY.match(line):
            name, items, empty = key["name"], None, not key["text"]
            if name in fields:
                return None
            fields[name] = _plain_value(key["text"])
            places[(name,)] = number
        elif (listed := _SIMPLE_LIST.match(line)) and listed["name"] not in fields:
            name, items, empty = listed["name"], None, False
            fields[name] = [_plain_value(text.strip()) for text in listed["items"].split(",")]
            places[(name,)] = number
            places.update(dict.fromkeys(((name, at) for at in range(len(fields[name]))), number))
        elif item := _SIMPLE_ITEM.match(line):
            if empty:
                items, indent, empty = [], item["indent"], False
                fields[name] = items
            if items is None or item["indent"] != indent or item["text"] == "[]":
                return None
            places[(name, len(items))] = number
            items.append(_plain_value(item["text"]))
        else:
            return None
    return fields


def _plain_value(text: str) -> Any:
    if text[:1] in ("'", '"'):
        return text[1:-1]
    if text == "[]":
        return []
    return "" if text in _NULLS else text.rstrip()


class _Reader:
    """Reads one front matter, splitting it where a part is not valid YAML."""

    def __init__(self, path: str) -> None:
        self.lines: dict[Keys, int] = {}
        self.remarks: dict[Keys, str] = {}
        self.notes: list[Note] = []
        self._path = path

    def refusal(self, line: int, message: str) -> InputError:
        """The error for a line that makes no sense."""
        return InputError([Problem(self._path, line, message, _HINT)])

    def block(self, lines: Sequence[str], first: int, keys: Keys) -> Any:
        """The fields or the list in these lines; `first` is the number of the first line."""
        try:
            document = parse_yaml("\n".join(lines), self._path, first_line=first)
        except YamlSyntaxError as error:
            if len(keys) >= _DEEPEST or len(lines) > _MOST_LINES:
                raise
            return self._parts(lines, first, keys, error.problems[0].line)
        return self._taken(document, keys)

    def _taken(self, document: Document, keys: Keys) -> Any:
        for inner, line in document.lines.items():
            self.lines.setdefault((*keys, *inner), line)
        return _texts(document.data)

    def _parts(self, lines: Sequence[str], first: int, keys: Keys, blamed: int) -> Any:
        """The same, each part separately. `blamed` is the line that the YAML parser did not understand."""
        lines = [_spaced(line) for line in lines]
        starts = _starts(lines)
        if not starts:
            raise self.refusal(blamed, "this is not valid front matter")
        self.lines.setdefault(keys, first + starts[0])
        parts = [(lines[at:end], first + at) for at, end in zip(starts, [*starts[1:], len(lines)], strict=True)]
        if _is_item(lines[starts[0]]):
            items = [(part, line) for part, line in parts if not self._is_stray(part, line, keys)]
            return [self._item(part, line, (*keys, at)) for at, (part, line) in enumerate(items)]
        return self._fields(parts, keys)

    def _is_stray(self, part: Sequence[str], line: int, keys: Keys) -> bool:
        """Returns True if a part of a list is a field: it has no clear owner, and is left out."""
        text = part[0].strip()
        if _is_item(part[0]) or not _KEY.match(text):
            return False
        said = f"{quoted(text)} is in the list `{'.'.join(map(str, keys))}` but is not an item"
        self.notes.append(Note(NoteKind.DROPPED, self._path, line, said))
        return True

    def _fields(self, parts: Sequence[tuple[list[str], int]], keys: Keys) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        for part, line in parts:
            match = _KEY.match(part[0].strip())
            if match is None:
                raise self.refusal(line, f"{quoted(part[0].strip())} is not a field of the front matter")
            name, rest = match["name"], match["rest"] or ""
            if name in fields:
                raise self.refusal(line, f"`{name}` is used twice")
            self.lines[(*keys, name)] = line
            fields[name] = self._field(part, line, (*keys, name), "" if rest.startswith("#") else rest.strip())
        return fields

    def _field(self, lines: Sequence[str], first: int, keys: Keys, rest: str) -> Any:
        try:
            document = parse_yaml("\n".join(lines), self._path, first_line=first)
        except YamlSyntaxError:
            if rest:
                return self._plain([rest, *lines[1:]], first, keys)
            return self.block(lines[1:], first + 1, keys)
        found = self._taken(document, keys[:-1])
        return found[keys[-1]] if isinstance(found, dict) and keys[-1] in found else rest

    def _item(self, lines: Sequence[str], first: int, keys: Keys) -> Any:
        """The item of a list. Its dash becomes a space, so that its content can be read like a block."""
        self.lines[keys] = first
        if not _is_item(lines[0]):
            raise self.refusal(first, f"{quoted(lines[0].strip())} is not an item of the list above it")
        inside = [lines[0].replace("-", " ", 1), *lines[1:]]
        try:
            return self._taken(parse_yaml("\n".join(inside), self._path, first_line=first), keys)
        except YamlSyntaxError:
            if any(map(str.strip, lines[1:])) and _KEY.match(inside[0].strip()) and len(keys) < _DEEPEST:
                return self._parts(inside, first, keys, first)
        return self._plain(inside, first, keys)

    def _plain(self, lines: Sequence[str], first: int, keys: Keys) -> Any:
        """Invalid YAML, as text."""
        text = " ".join(line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#"))
        where = ".".join(map(str, keys))
        if text.startswith(("[", "{")) and text[:2] != "{{" and (inner := _inside_brackets(text)) is not None:
            if text[0] == "{" or inner.lstrip().startswith(("[", "{")):
                raise self.refusal(first, f"`{where}` cannot be read: {quoted(text)}")
            found: Any = [
                self._word(part, (*keys, at)) for at, part in enumerate(filter(str.strip, _split_commas(inner)))
            ]
            self.lines.update(dict.fromkeys(((*keys, at) for at in range(len(found))), first))
        else:
            found = self._word(text, keys)
        remark = f", with the remark {quoted(self.remarks[keys])}" if keys in self.remarks else ""
        value = quoted(", ".join(found) if isinstance(found, list) else found)
        said = f"`{where}` is not valid YAML, and was read as {value}{remark}"
        self.notes.append(Note(NoteKind.GUESSED, self._path, first, said))
        return found

    def _word(self, text: str, keys: Keys) -> str:
        """A text without its quotes; a part after them in parentheses or after a dash is a remark."""
        text = text.strip()
        match = _QUOTED.match(text)
        if match is None:
            return text.partition(" #")[0].rstrip()
        rest = match["rest"].partition(" #")[0].strip()
        if not rest or rest[0] in "(-–—#":
            if remark := rest.lstrip("-–— ").removeprefix("(").removesuffix(")") if rest[:1] != "#" else "":
                self.remarks[keys] = remark
            return _unquoted(match["text"])
        return text[1:-1] if text[-1] == text[0] and text.count(text[0]) % 2 else text


def _unquoted(text: str) -> str:
    try:
        data = parse_yaml(text, "").data
    except InputError:  # an invalid escape, such as "\d"
        return text[1:-1]
    return data if isinstance(data, str) else text[1:-1]


def _inside_brackets(text: str) -> str | None:
    """The text between the bracket at the start of `text` and the one at its end; None if they are not a pair."""
    depth, last = 0, len(text) - 1
    for at, char in enumerate(text):
        depth += (char in "[{") - (char in "]}")
        if not depth:
            return text[1:-1] if at == last else None
    return None


def _split_commas(text: str) -> list[str]:
    """The pieces between commas outside of quotes; a quote opens at the start of a piece only, as in YAML."""
    pieces, start, quote, fresh, before = [], 0, "", True, ""
    for at, char in enumerate(text):
        if quote:
            quote = "" if char == quote and before != "\\" else quote
        elif char == ",":
            pieces.append(text[start:at])
            start, fresh = at + 1, True
        elif not char.isspace():
            quote = char if fresh and char in "\"'" else ""
            fresh = False
        before = char
    return text.split(",") if quote else [*pieces, text[start:]]


def _spaced(line: str) -> str:
    """`line` with its indentation in spaces."""
    text = line.lstrip(" \t")
    return line[: len(line) - len(text)].replace("\t", "  ") + text if "\t" in line else line


def _starts(lines: Sequence[str]) -> list[int]:
    """Indexes where the parts of a block start: lines with the smallest indentation, that of its first line."""
    indents = [(at, len(line) - len(line.lstrip(" "))) for at, line in enumerate(lines) if line.strip()]
    indents = [(at, indent) for at, indent in indents if lines[at][indent] != "#"]
    found = [at for at, indent in indents if indent <= indents[0][1]]
    if found and not _is_item(lines[found[0]]):  # a list may follow its field without indentation
        found = [at for at in found if not _is_item(lines[at])]
    return found


def _is_item(line: str) -> bool:
    return line.lstrip().startswith("- ") or line.strip() == "-"


def _texts(data: Any) -> Any:
    """The same data with `""` for None."""
    if isinstance(data, dict):
        return {name: _texts(value) for name, value in data.items()}
    if isinstance(data, list):
        return [_texts(value) for value in data]
    return data or ""
