"""Reads the optional cells of a task row: durations, sizes, paths, words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from nova_core.errors import NovaError
from nova_core.model import Criterion
from nova_core.parser.cells import (
    code_of,
    is_nothing,
    spans,
    split_outside_code,
    undecorated,
    without_remarks,
)
from nova_core.parser.criteria import read_criterion
from nova_core.parser.findings import quoted
from nova_core.text import parse_duration, parse_size

_PRIORITIES = {
    "p0": 2, "critical": 2, "urgent": 2, "highest": 2,
    "p1": 1, "high": 1,
    "p2": 0, "medium": 0, "med": 0, "normal": 0,
    "p3": -1, "low": -1, "p4": -2, "lowest": -2,
}  # fmt: skip
_YES = frozenset(("yes", "y", "true", "x", "[x]", "✓", "✅", "required", "needed", "manual"))
_NO = frozenset(("no", "n", "false", "[ ]", "not needed", "not required"))
_LIST = (",", "<br>", "<br/>", "<br />")
_CRITERIA = (";", "<br>", "<br/>", "<br />")
# Files that are known without a dot or a slash.
_FILES_WITHOUT_DOT = frozenset(
    ("Makefile", "Dockerfile", "Containerfile", "Justfile", "justfile", "Procfile", "Gemfile", "Rakefile",
     "Jenkinsfile", "README", "LICENSE", "CHANGELOG", "CODEOWNERS", "VERSION")
)  # fmt: skip
_LINES = r":\d+(?:[-–]\d+)?\Z"
_TEN_YEARS = 315_360_000.0


class BadValueError(NovaError):
    """A cell that cannot be read; becomes a `Problem` with the place of its row."""


def read_duration(cell: str) -> float:
    """Seconds from `90`, `30s`, `1.5h`, `2h30m`, `10 minutes`; a bare number is seconds."""
    number = cell[:-1]
    if cell[-1:] == "s" and len(number) < 10 and number.isascii() and number.replace(".", "", 1).isdigit():
        return float(number)  # the common form, ten times faster than the patterns
    try:
        seconds = parse_duration(undecorated(cell))
    except ValueError as error:
        raise _refused(error) from None
    if seconds > _TEN_YEARS:
        raise BadValueError(f"{quoted(cell)} is longer than ten years", hint="write seconds, or 90s, 1.5h, 2h30m")
    return seconds


def read_estimate(cell: str) -> float | None:
    """Seconds if the estimate is a span of time (`4 hours`, `0.25d (1 pt)`); None for points, sizes and ranges."""
    text = without_remarks(undecorated(cell)).strip()
    if text[-1:].isdigit():  # `3` in an estimate means points far more often than seconds
        return None
    try:
        return read_duration(text)
    except BadValueError:
        return None


def read_memory(cell: str) -> int:
    """Bytes from `512MB`, `1G` (powers of 1000) or `2GiB` (powers of 1024)."""
    try:
        return parse_size(undecorated(cell))
    except ValueError as error:
        raise _refused(error) from None


def read_cpu(cell: str) -> float:
    """Processors, as `2` or `0.5`."""
    text = undecorated(cell)
    if len(text) < 8 and text.isascii() and text.replace(".", "", 1).isdigit():
        return float(text)
    raise BadValueError(f"{quoted(cell)} is not a number of processors", hint="write a number such as 2 or 0.5")


def read_retries(cell: str) -> int:
    """Number of retries after a failure, 0 to 1000."""
    text = undecorated(cell)
    if text.isascii() and text.isdigit() and len(text) < 5 and int(text) <= 1000:
        return int(text)
    raise BadValueError(f"{quoted(cell)} is not a number of retries", hint="write a whole number from 0 to 1000")


def read_priority(cell: str) -> int:
    """A whole number, larger first; P0 to P4 and critical, high, medium, low are 2, 1, 0, -1, -2."""
    text = undecorated(cell).casefold()
    if text in _PRIORITIES:
        return _PRIORITIES[text]
    digits = text.removeprefix("-").removeprefix("+")
    if digits.isascii() and digits.isdigit() and len(digits) < 7:
        return int(text)
    raise BadValueError(f"{quoted(cell)} is not a priority", hint="write a whole number (larger first), P0-P3 or high")


def read_budget(cell: str) -> float:
    """US dollars."""
    text = undecorated(cell).strip().removeprefix("$").strip()
    if re.fullmatch(r"[0-9]{1,6}(?:\.[0-9]{1,6})?", text) and float(text):
        return float(text)
    raise BadValueError(f"{quoted(cell)} is not a number of dollars", hint="write one such as 2.50")


def read_approval(cell: str) -> str:
    """When a person must approve: `before` the task starts, `after` its work, `yes` (at the usual time), or never."""
    text = undecorated(cell).casefold()
    if text in ("before", "after"):
        return text
    if text in _YES or text in _NO:
        return "yes" if text in _YES else ""
    raise BadValueError(f"{quoted(cell)} is not a time to approve", hint="write before, after, yes or no")


def read_gate(cell: str) -> bool:
    """Returns True if a row is a gate; prose in a column of that name does not make one."""
    return undecorated(cell).casefold() in _YES


def read_terminal(cell: str) -> bool | None:
    """Returns True or False if a task has or lacks a terminal; None if the cell says neither, as in other plans."""
    text = undecorated(cell).casefold()
    return True if text in _YES else False if text in _NO else None


def read_tree(cell: str) -> str:
    """Where a task runs: `project`, the project's own folder, or "" for a tree of its own."""
    text = undecorated(cell).casefold()
    if text in ("project", "own"):
        return "project" if text == "project" else ""
    raise BadValueError(f"{quoted(cell)} is not a place to run", hint="write project, or own for a tree of its own")


def read_word(cell: str) -> str:
    """The name of an agent or a model: one printable word or a few."""
    text = undecorated(cell)
    if len(text) > 100 or not text.isprintable():
        raise BadValueError(f"{quoted(text)} is not a name", hint="write at most 100 plain characters")
    return text


def read_command(cell: str) -> str | None:
    """The shell line: a cell that is one code span loses its backticks, any other is kept byte for byte."""
    if not cell.startswith("`"):
        return cell
    if not cell.strip("`"):
        return None
    pieces = list(spans(cell))
    if len(pieces) == 1 and pieces[0][1]:
        return code_of(cell)
    raise BadValueError(
        f"the command {quoted(cell)} is not one code span",  # a shell would run each span and execute its output
        hint="write the whole command in one pair of backticks, or in none",
    )


def read_names(cell: str) -> tuple[str, ...]:
    """A comma separated list, without its backticks and repetitions."""
    parts = (undecorated(part) for part in split_outside_code(cell, _LIST))
    return tuple(dict.fromkeys(part for part in parts if part))


def read_outputs(cell: str) -> tuple[str, ...]:
    """A comma separated list of paths inside the project; a path with a space is in backticks."""
    return _inside(_paths(cell, "output"), "output")


def read_inputs(cell: str) -> tuple[str, ...]:
    """The same for the inputs of a task."""
    return _inside(_paths(cell, "input"), "input")


def _paths(cell: str, noun: str) -> list[str]:
    paths = []
    for part in split_outside_code(cell, _LIST):
        if part[0] != "`":
            part = without_remarks(part).strip()
            if " " in part:
                raise BadValueError(
                    f"the {noun} {quoted(part)} is not a path", hint="separate paths by commas; spaces need backticks"
                )
        paths.append(undecorated(part))
    return paths


def read_files(cell: str) -> tuple[str, ...]:
    """The paths and patterns in a `Files` column, which may also hold prose; line numbers are left out."""
    parts = (without_remarks(part).strip() for part in split_outside_code(cell, _LIST))
    return _inside((re.sub(_LINES, "", undecorated(part)) for part in parts if _is_path(part)), "file")


def _is_path(part: str) -> bool:
    return part[:1] == "`" or (" " not in part and ("/" in part or "." in part or part in _FILES_WITHOUT_DOT))


def _inside(paths: Iterable[str], noun: str) -> tuple[str, ...]:
    outputs = tuple(dict.fromkeys(path for path in paths if path))
    for path in outputs:
        if not is_inside(path):
            raise BadValueError(
                f"the {noun} {quoted(path)} is outside the project",
                hint="write paths relative to the project folder, without `..`",
            )
    return outputs


def is_inside(path: str) -> bool:
    """Returns True if a path, on any system, stays below the folder it is relative to."""
    parts = path.replace("\\", "/").split("/")
    return path.isprintable() and bool(parts[0]) and parts[0][0] != "~" and ":" not in parts[0] and ".." not in parts


def read_criteria(cell: str, line: int) -> tuple[Criterion, ...]:
    """The criteria of one cell, separated by `;` or `<br>`."""
    texts = split_outside_code(cell, _CRITERIA)
    return tuple(read_criterion(text, line) for text in texts if not is_nothing(text))


_READERS: dict[str, Callable[[str], object]] = {
    "agent": read_word,
    "budget": read_budget,
    "command": read_command,
    "outputs": read_outputs,
    "timeout": read_duration,
    "retries": read_retries,
    "priority": read_priority,
    "locks": read_names,
    "model": read_word,
    "approval": read_approval,
    "gate": read_gate,
    "terminal": read_terminal,
    "files": read_files,
    "tree": read_tree,
    "inputs": read_inputs,
    "duration": read_duration,
    "cpu": read_cpu,
    "memory": read_memory,
}


# Columns of these names hold more than Nova can use; an unreadable cell is not a mistake.
_LENIENT_READERS: dict[str, Callable[[str], object]] = {
    "estimate": read_estimate,
    "estimated duration": read_estimate,
    "est": read_estimate,
    "effort": read_estimate,
}


def reader_of(field: str, title: str) -> Callable[[str], object]:
    """The reader for the cells of a column, given the field of Task it fills and its folded header."""
    return _LENIENT_READERS.get(title) or _READERS[field]


def _refused(error: ValueError) -> BadValueError:
    message, _, hint = str(error).partition(": ")
    return BadValueError(message, hint=hint)
