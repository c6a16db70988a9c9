"""Reads what a task says in its own text about its order: `[depends: T2]`, `(after T001)`, `— blocked by T003`."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import islice

import msgspec

from nova_core.importers.grammar import Grammar
from nova_core.importers.lexicon import denies, sounds
from nova_core.importers.refs import Asked
from nova_core.parser.cells import without_struck

_LONGEST = 10_000  # characters of a task's text
_MOST = 20  # phrases in one text
_MAY_SAY = re.compile(
    r"depend|deps?\b|after|before|block|require|need|prereq|wait|follow|preced|依|dépend|hängt", re.IGNORECASE
)
_BRACKETS = re.compile(r"(?<!\])[(（\[]([^()（）\[\]]{4,400})[)）\]](?!\()")
_HARD = re.compile(r"\s[-–—]+\s|[;|]|[.:](?=\s|\Z)(?<!on:)(?<!by:)(?<!ps:)(?<!ds:)(?<!es:)")
_OR = re.compile(r"\s+or\s+(?=#?T-?\d|\d+\.\d)", re.IGNORECASE)
_SOFT = re.compile(r",\s+|;\s+")
_FOREIGN = re.compile(r"(?:依赖于?|依存|depende\s+de|dépend\s+de|hängt\s+ab\s+von)\s*[:：]?", re.IGNORECASE)
_MARKED = re.compile(r"\s(?:\*\*|__|_)(?=(?:depends|deps|dependenc|blocked|blocks|requires|after)\b)", re.IGNORECASE)
_CALL = re.compile(r"@?\b(?:depends(?:[- _]?on)?|deps|after|requires|blocked[- _]by)\(([^()]{1,200})\)", re.IGNORECASE)
_SURE = re.compile(r"\bdepends?\s+on\b", re.IGNORECASE)


class Words(msgspec.Struct):
    """What a text says: what its task waits for, what waits for it, and phrases that were not understood."""

    asked: list[Asked] = []
    blocks: list[Asked] = []
    unread: list[tuple[int, str]] = []


@lru_cache(1)
def grammar() -> Grammar:
    """The grammar of texts that name tasks, stories and phases, but no headings."""
    return Grammar()


def words_on(text: str, line: int) -> Words:
    """The words about order in the text of a task."""
    found = Words([], [], [])
    if not _MAY_SAY.search(text):
        return found
    text = _MARKED.sub("; ", _FOREIGN.sub("depends on ", without_struck(text[:_LONGEST])))
    text = _CALL.sub(r"(depends on \1)", text.replace("`", "").replace("**", ""))
    rest, done = [], 0
    for bracket in islice(_BRACKETS.finditer(text), _MOST):
        if _take(bracket[1], line, found):
            rest.append(text[done : bracket.start()])
            done = bracket.end()
    text = "".join([*rest, text[done:]])
    for part in _HARD.split(text)[:_MOST]:
        _take(part, line, found)
    return found


def _take(phrase: str, line: int, found: Words) -> bool:
    """Read a phrase, or what follows a comma in it. Returns True if it says something about the order."""
    if not _MAY_SAY.search(phrase):
        return False
    for at in (0, *(match.end() for match in islice(_SOFT.finditer(phrase), _MOST))):
        reading = None if denies(phrase[:at]) else grammar().read(_OR.sub(", ", phrase[at:]), ("",))
        if reading is None:
            continue
        joint = " or " if _OR.search(phrase) else ", "
        if any(link.users != ("",) and link.needs != ("",) for link in reading.links):
            break
        found.asked += (
            Asked(line, joint.join(link.needs), field=False) for link in reading.links if link.users == ("",)
        )
        found.blocks += (
            Asked(line, ", ".join(link.users), field=False) for link in reading.links if link.users != ("",)
        )
        return True
    if sounds(phrase) and (grammar().names(phrase) or _SURE.search(phrase)):
        found.unread.append((line, phrase.strip()))
        return True
    return False
