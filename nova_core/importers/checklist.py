"""Reads a Markdown checklist: its headings, its boxes and the content of each, without fences and comments."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from nova_core.parser.blocks import (
    Heading,
    after_front_matter,
    end_of_fence,
    hide_comments,
    opening_fence,
    read_heading,
    split_lines,
)
from nova_core.parser.cells import without_comments

# A box is a bullet and one mark in brackets, also with spaces around it; `[]` is a common mistake for `[ ]`. After it
# come `*` or `\*` (Kiro: optional; Prettier escapes it) and a space. `[P]`, `[1]` and `[link](url)` are not boxes.
# Also `-[ ] A`, `- [ ]T001 A`, `[ ] A`, `- \[ ] A`, `- ☐ A` and full-width brackets, as people write them.
_SPACE = r"[ \t\u3000\xa0]"
_BOX = re.compile(
    rf"\s*(?:#{{1,6}}[ \t]+)?(?P<bullet>(?:(?:[-*+]|\d{{1,9}}[.)]){_SPACE}+|[-+](?=\[)))?"
    rf"(?:\\?[\[［](?P<mark>(?(bullet){_SPACE}{{0,3}}(?:[^\w\s\[\]\\☐☑☒]|[xX_]"
    r"|[A-OQ-Za-z](?=\][ \t]+\W{0,3}(?:T-?\d|\d{1,6}\.\d)))?"
    rf"[\ufe0f \t\u3000\xa0]{{0,3}}|[ xX]))\\?[\]］](?P<star>\\?\*(?!\*))?(?=[\s*~]|\Z|T-?\d|\d{{1,6}}\.\d)"
    r"|(?(bullet)(?P<ballot>[☐☑☒])(?=\s)|(?!)))"
)
_TIGHT = re.compile(r"[-+]\[")
_BULLET = re.compile(r"(?:[-*+]|\d{1,9}[.)])[ \t\u3000]")
_NO_CONTINUATION = ("*", "_", "|", "<", ">", "---", "===")  # a field or another block, not a continued sentence
_LONGEST = 4_000  # characters that continue an item: more is not a sentence
_SPACES = " \t\u3000\xa0\ufe0f"
DONE_MARKS = frozenset("xX✓✔√✅☑")


class Box(msgspec.Struct, gc=False):
    """A checkbox; `line` counts from 1, `head` is the text after it on that line, `text` adds the `more` lines after.

    `mark` is without spaces. `heading` is the index of its heading, `inside` of the box around it, both -1 for none.
    `body` holds the indexes of the lines of its details.
    """

    line: int
    indent: int
    mark: str
    star: bool
    head: str
    heading: int
    inside: int
    text: str = ""
    more: int = 0
    body: list[int] = []


class Loose(msgspec.Struct, frozen=True, gc=False):
    """A line outside of every box; `text` is without its bullet."""

    line: int
    text: str
    heading: int
    bullet: bool


class Fence(msgspec.Struct, frozen=True, gc=False):
    """A code fence: the indexes of its first and closing lines."""

    start: int
    end: int
    heading: int


class Checklist(msgspec.Struct):
    """A file split into parts. `above` is the parent of each heading, -1 for none.

    `fenced` are the indexes of the lines of fences that belong to a box, `unclosed` the fences and comments that never
    end: line and kind.
    """

    lines: list[str]
    headings: list[Heading] = []
    above: list[int] = []
    boxes: list[Box] = []
    loose: list[Loose] = []
    fences: list[Fence] = []
    fenced: set[int] = set()
    unclosed: list[tuple[int, str]] = []

    def around(self, heading: int) -> Iterator[int]:
        """The index of a heading and of those around it, innermost first."""
        while heading >= 0:
            yield heading
            heading = self.above[heading]

    def titles(self, heading: int) -> Iterator[Heading]:
        """A heading and those around it, innermost first."""
        return (self.headings[at] for at in self.around(heading))

    def details(self, box: Box) -> str:
        """The lines of its body, without their common indent; gaps stay as one empty line."""
        return dedented(self.lines, box.body)


def match_box(line: str) -> re.Match[str] | None:
    """The checkbox at the start of a line, with the groups `mark` or `ballot`, and `star`."""
    return _BOX.match(line)


def _mark(box: re.Match[str]) -> str:
    """The mark in a box, without spaces; an empty ballot box (`☐`) has none."""
    return (box["mark"] or box["ballot"] or "").strip(_SPACES).strip("☐")


def read_checklist(text: str) -> Checklist:
    """Split the file into parts, in linear time."""
    found = Checklist(split_lines(text))
    if "<!--" in text:
        hide_comments(found.lines, lambda line, what: found.unclosed.append((line, what)))
    _Reader(found).read()
    return found


def dedented(lines: list[str], indexes: list[int]) -> str:
    """Those lines as one text, without their common indent."""
    kept = [lines[at].expandtabs(4).rstrip() for at in indexes]
    shift = min((len(line) - len(line.lstrip()) for line in kept if line), default=0)
    out: list[str] = []
    before = indexes[0] if indexes else 0
    for at, line in zip(indexes, kept, strict=True):
        if at > before + 1:
            out.append("")
        out.append(line[shift:])
        before = at
    return "\n".join(out).strip("\n")


def _indent(line: str) -> int:
    """The indent of a line in columns; a tab reaches the next multiple of four, a full-width space counts two."""
    space = line[: len(line) - len(line.lstrip())]
    if not space.strip(" "):
        return len(space)
    return len(space.expandtabs(4)) + space.count("\u3000")


class _Reader:
    """Reads the lines once. `_open` are the boxes and bullets that the next line may be a part of."""

    def __init__(self, found: Checklist) -> None:
        self._found = found
        self._open: list[tuple[int, int]] = []  # indent, index of the box (for a bullet: of the box around it)
        self._levels: list[int] = []  # indexes of the enclosing headings
        self._continues = False  # True if the last line was text of the innermost box

    def read(self) -> None:
        lines = self._found.lines
        flush = [line.lstrip() for line in lines]  # a fence inside an item is indented with it
        at, end = _start(lines), len(lines)
        while at < end:
            text = flush[at].rstrip()
            if not text:
                self._continues = False
            elif text.startswith(("```", "~~~")) and (fence := opening_fence(text)):
                at = self._fence(at, end_of_fence(flush, at, fence))
            else:
                self._line(at, lines[at], text)
            at += 1

    def _line(self, at: int, line: str, text: str) -> None:
        if text[0] == "#" and (heading := read_heading(at + 1, text)):
            self._heading(heading)
            return
        bullet = _BULLET.match(text) or _TIGHT.match(text)
        indent = _indent(line)
        may_be = "[" in text[:16] or text[0] in "［\\" or (bullet and not text[2:16].isascii())
        box = _BOX.match(text) if may_be else None
        if bullet or box:
            self._close(indent)
            if box:
                self._box(at, indent, box, text)
            elif bullet:
                self._bullet(at, indent, text[bullet.end() :].strip())
        else:
            self._text(at, indent, text)

    def _box(self, at: int, indent: int, box: re.Match[str], text: str) -> None:
        inside = self._open[-1][1] if self._open else -1
        head = text[box.end() :].strip()
        if "<!--" in head:
            head = without_comments(head).strip()
        found = Box(at + 1, indent, _mark(box), bool(box["star"]), head, self._place, inside, head)
        self._found.boxes.append(found)
        self._open.append((indent, len(self._found.boxes) - 1))
        self._continues = True

    def _bullet(self, at: int, indent: int, text: str) -> None:
        inside = self._open[-1][1] if self._open else -1
        self._open.append((indent, inside))
        self._continues = False
        self._keep(at, text, bullet=True)

    def _text(self, at: int, indent: int, text: str) -> None:
        if self._continues and not text.startswith(_NO_CONTINUATION):
            box = self._found.boxes[self._open[-1][1]]
            if len(box.text) < _LONGEST:
                box.text += " " + text
                box.more += 1
            else:
                box.body.append(at)
            return
        self._continues = False
        if indent == 0:
            self._open.clear()
        else:
            self._close(indent)
        self._keep(at, text, bullet=False)

    def _keep(self, at: int, text: str, *, bullet: bool) -> None:
        box = self._open[-1][1] if self._open else -1
        if box >= 0:
            self._found.boxes[box].body.append(at)
        else:
            self._found.loose.append(Loose(at + 1, text, self._place, bullet))

    def _fence(self, at: int, closed: int) -> int:
        """Skip a fence: part of the box under whose text it is indented, else separate."""
        end = len(self._found.lines)
        self._continues = False
        if closed == end:
            self._found.unclosed.append((at + 1, "code fence"))
        indent = _indent(self._found.lines[at])
        if indent == 0:
            self._open.clear()
        else:
            self._close(indent)
        box = self._open[-1][1] if self._open else -1
        if box >= 0:
            span = range(at, min(closed + 1, end))
            self._found.boxes[box].body.extend(span)
            self._found.fenced.update(span)
        self._found.fences.append(Fence(at, closed, self._place))
        return closed

    def _heading(self, heading: Heading) -> None:
        headings = self._found.headings
        while self._levels and headings[self._levels[-1]].level >= heading.level:
            self._levels.pop()
        box = _BOX.match(heading.text)
        text = heading.text[box.end() :].strip() if box else heading.text
        self._found.above.append(self._levels[-1] if self._levels else -1)
        headings.append(Heading(heading.line, heading.level, text))
        self._levels.append(len(headings) - 1)
        if box:  # `### - [x] T001 Title` is real
            self._found.boxes.append(Box(heading.line, 0, _mark(box), bool(box["star"]), text, self._place, -1, text))
        self._open.clear()
        self._continues = False

    def _close(self, indent: int) -> None:
        while self._open and self._open[-1][0] >= indent:
            self._open.pop()

    @property
    def _place(self) -> int:
        return self._levels[-1] if self._levels else -1


def _start(lines: list[str]) -> int:
    """The end of the front matter. Two rules with headings or boxes between them are not front matter."""
    start = after_front_matter(lines)
    if any((line.startswith("#") and read_heading(0, line)) or _BOX.match(line) for line in lines[:start]):
        return 0
    return start
