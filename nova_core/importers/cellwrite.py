"""Writes values as cells and titles that the parser reads back as the same values."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from nova_core.model import Criterion, Task
from nova_core.parser.blocks import Heading
from nova_core.parser.cells import is_nothing
from nova_core.parser.criteria import checklist, read_criterion
from nova_core.parser.marks import may_be_marked
from nova_core.parser.rows import plain_name
from nova_core.parser.sections import level_and_title
from nova_core.parser.status import State, read_state, shown_state
from nova_core.parser.values import (
    BadValueError,
    read_command,
    read_criteria,
    read_files,
    read_inputs,
    read_names,
    read_outputs,
    read_word,
)

# A literal backslash is never doubled: the parser keeps it if no mark follows.
_SPECIAL = re.compile(r"(?<=\\)[!-/:-@\[\]-`{-~]|[`*~_\[\](<>!#|]")
_UNWRITABLE = re.compile("[\0\ud800-\udfff]")
_BREAK = re.compile(r"\s*(?:\r\n|\r|\n)\s*")
_COMMENT = "<!--"


def plain_text(text: str) -> str:
    """`text` without what no plan can hold: NUL characters, surrogate halves, Windows line ends."""
    return _UNWRITABLE.sub("\ufffd", text).replace("\r\n", "\n").replace("\r", "\n")


def one_line(text: str) -> str:
    """`text` on one line."""
    return _BREAK.sub(" ", plain_text(text)).strip()


def escaped(text: str) -> str:
    r"""`text` with a backslash before every mark that has a meaning, and before a mark that follows a backslash."""
    return _SPECIAL.sub(r"\\\g<0>", text)


def row(cells: Iterable[str]) -> str:
    """A row of a table."""
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def title(text: str, level: int) -> str:
    """A heading that is read as this title, or "" if there is none."""
    text = one_line(text)
    for shown in (text, escaped(text), f"L{level - 1}: {escaped(text)}"):
        closed = re.search(r"(?:^|[ \t])#+$", shown)  # hashes at the end are not part of a title
        if text and not closed and level_and_title(Heading(0, level, shown)) == (level, text):
            return f"{'#' * level} {shown}"
    return f"{'#' * level} {escaped(text)}" if text else ""


def name(text: str) -> str:
    """The cell of a name."""
    text = one_line(text)
    return text if plain_name(text) == text and _COMMENT not in text else escaped(text)


def description(text: str) -> str:
    """The cell of a description, in plain Markdown: breaks become `<br>`, comments are shown as text."""
    return _BREAK.sub("<br>", plain_text(text).strip()).replace(_COMMENT, "&lt;!--")


def status(task: Task) -> str:
    """A word that settles a task the same way: its own if the parser understands it, else a standard one."""
    if not task.settled:
        return "open" if may_be_marked(task.name) or "tatus" in task.details else ""
    wanted = State.DROPPED if task.dropped else State.DONE
    word = "skipped" if task.dropped else "done"
    own = name(task.settled)
    for cell in (own, f"{word} ({own})"):
        if _COMMENT not in cell and read_state(cell) is wanted and shown_state(cell):
            return cell
    return word


def word(text: str) -> str:
    """The cell of an agent or a model."""
    return _first_that_is_read((text, escaped(text)), read_word, text)


def names(values: Sequence[str], reader: Callable[[str], tuple[str, ...]] = read_names) -> str:
    """The cell of a list of names; a name that no cell can hold is left out."""
    cells = [cell for value in values if (cell := _name_in_list(one_line(value), reader))]
    if len(cells) == 1 and is_nothing(cells[0]):
        cells *= 2  # a file named `none` means nothing, unless it is listed twice
    return ", ".join(cells)


def outputs(values: Sequence[str]) -> str:
    """The cell of outputs; a path out of the project is left out."""
    return names(values, read_outputs)


def inputs(values: Sequence[str]) -> str:
    """The cell of inputs."""
    return names(values, read_inputs)


def files(values: Sequence[str]) -> str:
    """The cell of the files that a task will change."""
    return names(values, read_files)


def _name_in_list(value: str, reader: Callable[[str], tuple[str, ...]]) -> str:
    shapes = (value, escaped(value), f"`{value}`", f"`{escaped(value)}`")
    return next((cell for cell in shapes if cell and _reads(reader, cell) == (value,)), "")


def command(text: str) -> str:
    """The cell of a command, in backticks; several lines become one equivalent shell line."""
    text = plain_text(text).strip()
    if "\n" in text:
        inside = text.replace("\\", "\\\\").replace("%", "%%").replace("'", "'\\''").replace("\n", "\\n")
        text = f"eval \"$(printf '{inside}')\""
    if is_nothing(text):
        text += ";"
    ticks = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    shapes = [f"`{text}`", text, f"{ticks} {text} {ticks}"]
    if _COMMENT in text:  # only code keeps it
        shapes.remove(text)
    return _first_that_is_read(shapes, read_command, text)


def criteria(found: Sequence[Criterion]) -> str | None:
    """The cell of criteria; None if no cell can hold them."""
    texts = [criterion_text(criterion) for criterion in found]
    cell = "; ".join(texts)
    read = read_criteria(cell, 0) if _COMMENT not in cell else ()
    return cell if [item.text for item in read] == texts else None


def boxes(found: Sequence[Criterion]) -> list[str]:
    """The lines of criteria in the section of a task."""
    return [f"- [ ] {criterion_text(criterion)}" for criterion in found if criterion_text(criterion)]


def boxes_in(lines: Sequence[str]) -> list[str]:
    """The texts of the criteria in these lines of a section."""
    return [criterion.text for criterion in checklist(lines, 0)]


def criterion_text(criterion: Criterion) -> str:
    """One line that is read as this criterion, with or without its command."""
    text = one_line(criterion.text)
    if read_criterion(text, 0).command == criterion.command:
        return text
    if criterion.command is None:
        return text.replace("`", "'")
    span = command(criterion.command)
    both = f"Run {span} ({text})"
    return both if text and read_criterion(both, 0).command == criterion.command else span


def number(value: float) -> str:
    """A number rounded to the millionth, without trailing zeros."""
    return f"{value:.6f}".rstrip("0").rstrip(".")


def _first_that_is_read(shapes: Iterable[str], reader: Callable[[str], object], value: object) -> str:
    found = ""
    for found in shapes:
        if not is_nothing(found) and _reads(reader, found) == value:
            break
    return found


def _reads(reader: Callable[[str], object], cell: str) -> object:
    try:
        return reader(cell)
    except (BadValueError, IndexError):
        return None
