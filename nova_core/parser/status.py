"""Reads the words plans use for the state of a task: done, dropped or open."""

from __future__ import annotations

import re
from enum import StrEnum
from functools import lru_cache

from nova_core.parser.cells import undecorated, without_links, without_remarks

_DONE = frozenset(
    ("x", "[x]", "done", "complete", "completed", "finished", "merged", "closed", "resolved", "shipped", "implemented",
     "yes", "y", "true", "100%")
)  # fmt: skip
_DROPPED = frozenset(
    ("cancelled", "canceled", "won't do", "wont do", "won’t do", "won't fix", "wont fix", "wontfix", "won’t fix",
     "skipped", "skip", "not needed", "not required", "no longer needed", "dropped", "removed", "obsolete",
     "superseded", "abandoned", "rejected", "duplicate", "out of scope")
)  # fmt: skip
_TICKS = "✓✔✅☑"
_MARKS = _TICKS + "☐⬜🔲⏳⏸🚧🟡🟢🔴🔵🟠⚪📋🔄❌✗✘⏭🚫❓🎉\ufe0f "
# Text that may follow the word without weakening it, as `except for tests` does.
_HARMLESS = r"[0-9(✓✔✅☑🎉—–|/-]|(?:in|by|on|via|with|at|as|pr|#|see|yesterday|today)\b"
_TAKEN_BACK = r"\b(?:except|but|not|partial\w*|missing|fail\w*|to-?do|pending|remain\w*|needs?|almost|mostly|wip)\b"
_LONGEST = 60


class State(StrEnum):
    """A task's state in the plan; DONE and DROPPED are both settled: nothing is left to do."""

    OPEN = "open"
    DONE = "done"
    DROPPED = "dropped"


@lru_cache(1024)  # a plan has few state words and many rows
def read_state(cell: str) -> State:
    """The meaning of a state word: `x`, `✅`, `Done`, `[x]`, `Completed in PR 5`, `Won't Do`, `🟡 in progress`.

    Anything not surely done or dropped is open, also `done except for tests`: work done twice is better than none.
    """
    text = undecorated(without_links(cell) if "](" in cell else cell)
    ticked = text[:1] != "" and text[0] in _TICKS
    text = text.strip(_MARKS).casefold()
    bare = undecorated(without_remarks(text).strip()).rstrip(".! ").strip(_MARKS)
    if not bare:
        return State.DONE if ticked or text == "x" else State.OPEN
    found = _known(bare)
    if found is State.OPEN:
        first, rest = _split(bare)
        found = _known(first) if re.match(_HARMLESS, rest) else State.OPEN
    return State.OPEN if found is State.DONE and re.search(_TAKEN_BACK, text) else found


def shown_state(cell: str) -> str:
    """The word of a cell as the plan has it, without links and formatting, short."""
    text = undecorated(without_links(cell) if "](" in cell else cell).strip()
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _known(word: str) -> State:
    word = " ".join(word.replace("_", " ").replace("-", " ").split()) if len(word) < _LONGEST else ""
    if word in _DONE:
        return State.DONE
    return State.DROPPED if word in _DROPPED else State.OPEN


def _split(text: str) -> tuple[str, str]:
    """A state word and the text after it; the state word of `won't do: too dear` has two words."""
    for at, char in enumerate(text[:_LONGEST]):
        if char in ":;,(—–|" or text.startswith(" - ", at):
            return text[:at].strip(), "-" if char != "," else text[at + 1 :].strip()
    first, _, rest = text.partition(" ")
    return first, rest.strip()
