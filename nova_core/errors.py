"""Errors a user can cause: each says where and what it is, and how to fix it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import msgspec


class Problem(msgspec.Struct, frozen=True, gc=False):
    """One finding in an input file. `line` counts from 1; 0 means the file as a whole."""

    path: str
    line: int
    message: str
    hint: str = ""
    warning: bool = False

    @property
    def place(self) -> str:
        """`path:line`, or the path alone if the problem has no line."""
        return f"{self.path}:{self.line}" if self.line else self.path

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"


class NovaError(Exception):
    """Base of every error a user can cause; shown as one line plus an optional `hint:` line, never as a traceback.

    `exit_code` is the documented exit code of the command line (docs/exit-codes.md).
    """

    exit_code: ClassVar[int] = 70

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(NovaError):
    """The command line is not valid."""

    exit_code = 2


class InputError(NovaError, ValueError):
    """A plan, `nova.yaml` or `milestones.yaml` cannot be used; `problems` holds every finding, errors first."""

    exit_code = 3

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        first = next((p for p in self.problems if not p.warning), self.problems[0])
        super().__init__(str(first), hint=first.hint)


class InputNotFoundError(InputError, FileNotFoundError):
    """A plan or settings file does not exist."""


class EnvironmentProblem(NovaError):  # noqa: N818 - `EnvironmentError` is Python's
    """The machine, the disk or a missing program prevents the work."""

    exit_code = 8


class UncommittedError(EnvironmentProblem):
    """The tasks of a run would lack the user's `files`, which are not committed."""

    def __init__(self, message: str, files: Sequence[str], *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.files = tuple(files)


class StateError(EnvironmentProblem, ValueError):
    """`cascade_state.json` is damaged, or from a newer Nova."""


class NewerStateError(StateError):
    """`cascade_state.json` is from a newer Nova."""


class RunLockedError(NovaError):
    """Another live engine holds the run."""

    exit_code = 7
