"""Collects the problems of one input file, so that the user sees all of them at once."""

from __future__ import annotations

from collections.abc import Iterable

from nova_core.errors import InputError, Problem
from nova_core.model import Note, NoteKind

MAX_SHOWN = 100
MAX_QUOTED = 60
_MAX_GUESSES = 10
_MAX_CANDIDATES = 2_000


def shown(value: str) -> str:
    """`value` cut to a line's length and made safe to print: no control, escape or direction characters."""
    text = value if len(value) <= MAX_QUOTED else value[: MAX_QUOTED - 1] + "…"
    if text.isprintable():
        return text
    from nova_core.text import clean  # rare: only for text that is not plain

    return clean(text).replace("\n", "\ufffd").replace("\t", " ")


def quoted(value: str) -> str:
    """`shown(value)` in single quotes, for a part of the plan in a message."""
    return f"'{shown(value)}'"


def shown_path(path: str) -> str:
    """A path for messages: whole, but without control characters."""
    if path.isprintable():
        return path
    from nova_core.text import clean

    return clean(path).replace("\t", " ")


class Findings:
    """The problems of one file. Keeps the first `MAX_SHOWN` errors and warnings each, and counts the rest.

    With `lenient` another tool wrote the file: what can be left out or interpreted becomes a note.
    """

    def __init__(self, path: str, *, lenient: bool = False) -> None:
        self.path = shown_path(path)
        self.lenient = lenient
        self.notes: list[Note] = []
        self._errors: list[Problem] = []
        self._warnings: list[Problem] = []
        self._dropped = {False: 0, True: 0}
        self._said: set[str] = set()
        self._guesses = 0

    @property
    def failed(self) -> bool:
        """Returns True if an error was found."""
        return bool(self._errors)

    @property
    def full(self) -> bool:
        """Returns True if further errors are only counted, so that costly hints can be skipped."""
        return len(self._errors) >= MAX_SHOWN

    def error(self, line: int, message: str, hint: str = "", path: str = "") -> None:
        """Record an error, which makes the file unusable; `path` names one file of several."""
        self._add(self._errors, Problem(path or self.path, line, message, hint))

    def no_plan(self, message: str, hint: str) -> None:
        """Record that the file is no plan: what is odd in it does not matter then."""
        self._warnings.clear()
        self._dropped[True] = 0
        self.error(0, message, hint)

    def warn(self, line: int, message: str, hint: str = "", path: str = "") -> None:
        """Record something odd with one sensible meaning; `path` names one file of several."""
        self._add(self._warnings, Problem(path or self.path, line, message, hint, warning=True))

    def refuse(self, line: int, message: str, hint: str = "", kind: NoteKind = NoteKind.DROPPED) -> None:
        """Record something the plan can do without: an error in a Nova plan, a note in another tool's."""
        if self.lenient:
            self.note(kind, line, message)
        else:
            self.error(line, message, hint)

    def note(self, kind: NoteKind, line: int, text: str) -> None:
        """Record how a part of another tool's plan was interpreted."""
        if self.lenient:
            self.notes.append(Note(kind, self.path, line, text))

    def warn_once(self, key: str, line: int, message: str, hint: str = "") -> None:
        """Record a warning, but only once for `key`."""
        if key not in self._said:
            self._said.add(key)
            self.warn(line, message, hint)

    def near(self, word: str, ids: Iterable[str]) -> str:
        """A hint for a dependency that does not exist: the id most like it."""
        if len(word) <= 64 and self._guesses < _MAX_GUESSES and not self.full:
            self._guesses += 1
            from difflib import get_close_matches  # only for mistakes: importing it costs 10 ms

            like = [task_id for task_id in ids if abs(len(task_id) - len(word)) < 4][:_MAX_CANDIDATES]
            if matches := get_close_matches(word, like, n=1):
                return f"did you mean {matches[0]}?"
        return "name a task id, a group or a branch of this plan; write `-` for no dependency"

    def warnings(self) -> tuple[Problem, ...]:
        """Every warning in file order; the last one counts the others, if there are more."""
        return self._listed(self._warnings, warning=True)

    def raise_errors(self) -> None:
        """Raise `InputError` with every finding (errors, then warnings, each in file order) if there is an error."""
        if self._errors:
            raise InputError((*self._listed(self._errors, warning=False), *self.warnings()))

    def _add(self, found: list[Problem], problem: Problem) -> None:
        if len(found) < MAX_SHOWN:
            found.append(problem)
        else:
            self._dropped[problem.warning] += 1

    def _listed(self, found: list[Problem], *, warning: bool) -> tuple[Problem, ...]:
        listed = sorted(found, key=lambda p: (p.path, p.line))
        more = self._dropped[warning]
        if more:
            noun = "warning" if warning else "error"
            listed.append(Problem(self.path, 0, f"and {more} more {noun}{'s' if more > 1 else ''}", warning=warning))
        return tuple(listed)
