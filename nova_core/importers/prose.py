"""Turns the prose of other tools into fields of a task."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from nova_core.importers.draft import Draft, Item, ItemState
from nova_core.model import Criterion, NoteKind
from nova_core.parser.blocks import split_lines
from nova_core.parser.criteria import checklist, read_criterion
from nova_core.parser.findings import quoted
from nova_core.parser.status import State, read_state
from nova_core.parser.values import BadValueError, read_priority
from nova_core.text import head_and_tail

_BULLET = re.compile(r"\s*(?:[-*+]|\d{1,9}[.)])\s+(?=\S)")
_BLOCK = re.compile(r"\s*(?:#{1,6}\s|[-*+]\s|\d{1,9}[.)]\s|>|\||```|~~~|<)")
_LONGEST_DESCRIPTION = 500
_LONGEST_CONTEXT = 2_000  # characters of a container's text, copied to each of its tasks


def one_line(text: str) -> str:
    """A title: all of it on one line."""
    return " ".join(text.split())


def split_prose(text: str) -> tuple[str, str]:
    """A text as its first paragraph on one line, if that is plain prose, and the rest."""
    if not text.strip():
        return "", ""
    lines = split_lines(text.strip())
    end = next((at for at, line in enumerate(lines) if not line.strip()), len(lines))
    first = one_line(" ".join(lines[:end]))
    if len(first) > _LONGEST_DESCRIPTION or any(map(_BLOCK.match, lines[:end])):
        return "", "\n".join(lines).strip()
    return first, "\n".join(lines[end:]).strip()


def with_parts(details: str, parts: Iterable[tuple[str, str]]) -> str:
    """Details, and below them each part that is not empty with its title."""
    texts = [details.strip(), *(f"**{title}**\n\n{text.strip()}" for title, text in parts if text.strip())]
    return "\n\n".join(filter(None, texts))


def context_of(key: str, title: str, text: str) -> str:
    """A container's text for its tasks, shortened: it may hold a thousand of them."""
    return head_and_tail(f"Part of {key}: {title}\n\n{text.strip()}".strip(), _LONGEST_CONTEXT)


def criteria_of(text: str, line: int) -> tuple[Criterion, ...]:
    """The criteria in a text: its boxes; without boxes its bullets; without bullets its lines.

    A command in backticks is run as a check under the rules for criteria of CASCADE.md, see `parser.criteria`.
    """
    if not text.strip():
        return ()
    lines = split_lines(text.strip())
    if boxes := checklist(lines, line):
        return tuple(boxes)
    bullets = [item for item in lines if _BULLET.match(item)]
    found = (_BULLET.sub("", item, count=1).strip() for item in bullets or lines)
    return tuple(read_criterion(item, line) for item in found if item and not item.startswith(("#", "```", "~~~")))


def listed_criteria(texts: Sequence[str], line: int) -> tuple[Criterion, ...]:
    """The criteria of a list of texts."""
    return tuple(read_criterion(text, line) for text in map(one_line, texts) if text)


def priority_of(draft: Draft, item: Item, word: str) -> int:
    """The priority of a word; 0, with a note, for an unknown word."""
    if not word:
        return 0
    try:
        return read_priority(word)
    except BadValueError:
        draft.note(NoteKind.DROPPED, item.line, f"{item.key} has the unknown priority {quoted(word)}", item.file)
        return 0


_POSTPONED = ("deferred", "postponed", "on hold", "someday", "backlogged")
_OPEN = (
    "pending", "open", "todo", "to do", "in progress", "doing", "started", "not started", "ready", "planned", "new",
    "backlog", "hooked", "draft", "drafted", "contexted", "ready for dev", "",
)  # fmt: skip


def state_of(word: str) -> ItemState:
    """The meaning of a state word. Deferred work is not done in this run; anything unclear is open."""
    state = read_state(word)
    if state is State.OPEN and _bare(word) in _POSTPONED:
        return ItemState.DROPPED
    return ItemState(state.value)


def set_state(draft: Draft, item: Item, word: str) -> None:
    """Set an item's state from its word, with a note if there is a choice.

    Deferred work (`deferred`) is not done, and no task waits for it. Work that is `blocked` or in `review` is open: its
    dependencies decide when it can start, and checking finished work again costs less than missing it.
    """
    item.word, item.state = word, state_of(word)
    bare = _bare(word)
    if bare in _POSTPONED:
        text = f"{item.key} is {bare}: it will not run, and nothing waits for it"
        draft.note(NoteKind.GUESSED, item.line, text, item.file)
    elif item.state is ItemState.OPEN and bare not in _OPEN:
        draft.note(NoteKind.GUESSED, item.line, f"{item.key} is {quoted(word)}: it will run", item.file)


@lru_cache(1024)  # a plan has few state words and many tasks
def _bare(word: str) -> str:
    return " ".join(word.casefold().replace("_", " ").replace("-", " ").split())


def miss(draft: Draft, item: Item, word: str, why: str = "") -> None:
    """Note that a dependency of an item is not in the plan; for settled work that does not matter."""
    if item.state is ItemState.OPEN:
        item.missing.append(word)
        text = f"{item.key} depends on {quoted(word)}, which is not in the plan{why}"
        draft.note(NoteKind.UNRESOLVED, item.line, text, item.file)


class Keys:
    """Assigns unique keys: a key in use gets a number after it."""

    def __init__(self) -> None:
        self._used: dict[str, int] = {}

    def free(self, key: str) -> str:
        """`key`, or `key (2)` and so on."""
        found = key
        while found in self._used:
            self._used[key] += 1
            found = f"{key} ({self._used[key]})"
        self._used[found] = 1
        return found
