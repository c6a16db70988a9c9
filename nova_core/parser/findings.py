"""Collects what is wrong with one input file, so that a user hears of everything at once."""

from __future__ import annotations

from nova_core.errors import InputError, Problem
from nova_core.model import Note, NoteKind

MAX_SHOWN = 100
MAX_QUOTED = 60


def shown(value: str) -> str:
    """`value` cut to a line's worth and made safe to print: no control, escape or direction characters."""
    text = value if len(value) <= MAX_QUOTED else value[: MAX_QUOTED - 1] + "…"
    if text.isprintable():
        return text
    from nova_core.text import clean  # rare: only for text that is not plain

    return clean(text).replace("\n", "\ufffd").replace("\t", " ")


def quoted(value: str) -> str:
    """`shown(value)` in single quotes, as messages name a piece of the plan."""
    return f"'{shown(value)}'"


def shown_path(path: str) -> str:
    """A path as messages show it: whole, but without control characters."""
    if path.isprintable():
        return path
    from nova_core.text import clean

    return clean(path).replace("\t", " ")


class Findings:
    """The problems of one file. Keeps the first `MAX_SHOWN` errors and warnings each, and counts the rest.

    With `lenient` the file is somebody else's: what can be left out or taken for something becomes a note.
    """

    def __init__(self, path: str, *, lenient: bool = False) -> None:
        self.path = shown_path(path)
        self.lenient = lenient
        self.notes: list[Note] = []
        self._errors: list[Problem] = []
        self._warnings: list[Problem] = []
        self._dropped = {False: 0, True: 0}
        self._said: set[str] = set()

    @property
    def failed(self) -> bool:
        """Whether any error was found."""
        return bool(self._errors)

    @property
    def full(self) -> bool:
        """Whether further errors are only counted, so that costly hints can be saved."""
        return len(self._errors) >= MAX_SHOWN

    def error(self, line: int, message: str, hint: str = "", path: str = "") -> None:
        """Note what makes the file unusable; `path` names one file of several."""
        self._add(self._errors, Problem(path or self.path, line, message, hint))

    def warn(self, line: int, message: str, hint: str = "", path: str = "") -> None:
        """Note what is odd, but has one sensible meaning; `path` names one file of several."""
        self._add(self._warnings, Problem(path or self.path, line, message, hint, warning=True))

    def refuse(self, line: int, message: str, hint: str = "", kind: NoteKind = NoteKind.DROPPED) -> None:
        """Note what the plan can do without: an error in a plan of Nova, a note on somebody else's."""
        if self.lenient:
            self.note(kind, line, message)
        else:
            self.error(line, message, hint)

    def note(self, kind: NoteKind, line: int, text: str) -> None:
        """Remember how a piece of somebody else's plan was taken."""
        if self.lenient:
            self.notes.append(Note(kind, self.path, line, text))

    def warn_once(self, key: str, line: int, message: str, hint: str = "") -> None:
        """The same, but only the first time for `key`."""
        if key not in self._said:
            self._said.add(key)
            self.warn(line, message, hint)

    def warnings(self) -> tuple[Problem, ...]:
        """Every warning in file order; the last one tells how many more there are, if there are."""
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
