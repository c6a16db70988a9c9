"""The words of a plan: tasks, criteria, token counts; frozen values without behaviour."""

from __future__ import annotations

import re
from enum import StrEnum

import msgspec

MAX_ID = 200
_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
_MAX_PARTS = 8
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|\Z)", re.IGNORECASE)


def is_safe_id(task_id: str) -> bool:
    """Whether `task_id` may become a file name on any system: no absolute path, `..`, option, device or hidden file.

    Slashes part the levels of a folder of tasks, as in `01-analysis/03-audit`; no level but the last may be taken for a
    log.
    """
    if "/" not in task_id:
        return _is_safe_part(task_id)
    parts = task_id.split("/")
    return (
        len(parts) <= _MAX_PARTS
        and len(task_id) <= MAX_ID
        and all(map(_is_safe_part, parts))
        and not any(part.endswith(".log") for part in parts[:-1])
    )


def _is_safe_part(part: str) -> bool:
    return (
        _PART.match(part) is not None
        and ".." not in part
        and not part.endswith((".", ".lock", ".tmp"))
        and _RESERVED.match(part) is None
    )


def places_of(path: str, workspace: str) -> str:
    """Where an output may be, as `a|b`: in the task's own folder `workspace`, if it has one, or in the project."""
    return f"{workspace}/{path}|{path}" if workspace and not path.startswith("workspace/") else path


class Criterion(msgspec.Struct, frozen=True, gc=False):
    """One `- [ ]` line; `command` is the backticked shell line that proves it, if it has one."""

    text: str
    command: str | None = None
    line: int = 0


class NoteKind(StrEnum):
    """What a reader did with a piece of somebody else's plan."""

    RESOLVED = "resolved"  # it had one meaning, which is not what it says word for word
    GUESSED = "guessed"  # it may mean something else
    DROPPED = "dropped"  # it has no place in a plan of Nova
    UNRESOLVED = "unresolved"  # it names something that is not there


class Note(msgspec.Struct, frozen=True, gc=False):
    """One such piece; `line` counts from 1, 0 means the file as a whole."""

    kind: NoteKind
    path: str
    line: int
    text: str

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}" if self.line else self.path
        return f"{place}: {self.kind}: {self.text}"


class Mark(msgspec.Struct, frozen=True, gc=False):
    """A checkbox in the line `line` of a file: to be ticked when all of `ids` are completed.

    `text` is what stood behind it: by that it is found again in a file that was edited.
    """

    path: str
    line: int
    ids: tuple[str, ...]
    text: str = ""


class PlanOptions(msgspec.Struct, frozen=True):
    """How to read a plan: `format` names its kind where that cannot be told, `tag` picks one of several lists of tasks
    (Taskmaster), with `optional` those that the plan calls optional are to be done too, and with `lenient` a table was
    not written for Nova, see `parse_text`.
    """

    format: str = ""
    tag: str = ""
    optional: bool = False
    lenient: bool = False


class Task(msgspec.Struct, frozen=True):
    """One row of the plan. Times are seconds, `memory` is bytes, `budget` US dollars, `line` counts from 1.

    `inputs` are paths that must exist before it starts. `settled` says that there is nothing to do, in the plan's own
    word: it was "done", or is not to be done. `dropped` tells the two apart. `missing` are words for dependencies that
    are not in the plan: the task cannot start. A `gate` has no work of its own: it is completed with its dependencies.
    `file` is where the task is written, if that is not the plan's own path. `workspace` is a folder of its own,
    which its outputs may be in, too; they only have to exist then. An input `a|b` may be at either place.
    `barriers` are those of `depends_on` that come from the settings, not from the plan.
    """

    id: str
    name: str
    description: str = ""
    depends_on: tuple[str, ...] = ()
    group: str = ""
    branch: str = ""
    line: int = 0
    details: str = ""
    command: str | None = None
    agent: str | None = None
    model: str | None = None
    outputs: tuple[str, ...] = ()
    criteria: tuple[Criterion, ...] = ()
    timeout: float | None = None
    retries: int | None = None
    priority: int = 0
    locks: tuple[str, ...] = ()
    approval: bool = False
    duration: float | None = None
    cpu: float = 0.0
    memory: int = 0
    budget: float | None = None
    inputs: tuple[str, ...] = ()
    settled: str = ""
    dropped: bool = False
    missing: tuple[str, ...] = ()
    gate: bool = False
    file: str = ""
    workspace: str = ""
    barriers: tuple[str, ...] = ()


class TokenUsage(msgspec.Struct, frozen=True, gc=False):
    """Four disjoint classes of tokens: uncached input, output, cache reads, cache writes."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_creation_tokens: int = 0

    def __add__(self, other: TokenUsage) -> TokenUsage:
        return TokenUsage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cache_read_tokens + other.cache_read_tokens,
            self.cache_creation_tokens + other.cache_creation_tokens,
        )

    def __sub__(self, other: TokenUsage) -> TokenUsage:
        """What is left of each class, never less than nothing."""
        return TokenUsage(
            max(0, self.input_tokens - other.input_tokens),
            max(0, self.output_tokens - other.output_tokens),
            max(0, self.cache_read_tokens - other.cache_read_tokens),
            max(0, self.cache_creation_tokens - other.cache_creation_tokens),
        )

    @property
    def total(self) -> int:
        """All tokens of all classes."""
        return self.input_tokens + self.output_tokens + self.cache_read_tokens + self.cache_creation_tokens
