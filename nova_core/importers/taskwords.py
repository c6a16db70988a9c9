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
    r"depend|deps?\b|after|before|block|requir|need|prereq|wait|follow|preced|once|until|unless|\bif\b|when|→|->|=>|←|<-"
    r"|依|dépend|hängt|abhäng|\bnach\b|après|después|depois|завис|после|의존|之后|以后|后\b|の後",
    re.IGNORECASE,
)
_LINK = re.compile(r"\[([^\[\]()]{2,200})\]\([^()\s]{0,300}\)")
_BRACKETS = re.compile(r"(?<!\])[(（\[{]([^()（）\[\]{}]{4,400})[)）\]}](?!\()")
_HARD = re.compile(r"\s[-–—]+\s|[;|]|[.:](?=\s|\Z)(?<!on:)(?<!by:)(?<!ps:)(?<!ds:)(?<!es:)")
_OR = re.compile(r"\s+or\s+(?=#?T-?\d|\d+\.\d)", re.IGNORECASE)
_SOFT = re.compile(r",\s+|;\s+")
# `depends on`, `after` in other languages, before and behind the id.
_FOREIGN = re.compile(
    r"(?<!\w)(?:(?:依赖于?|依存|의존)|(?:depende\s+de|dépend\s+de|hängt\s+ab\s+von|abhängig\s+von|зависит\s+от|nach|après"
    r"|después\s+de|depois\s+de|после)(?!\w))\s*[:：]?\s*(?=T-?\d|\d+\.\d)",
    re.IGNORECASE,
)
_FOREIGN_BEHIND = re.compile(
    r"(?:hängt\s+von\s+(?P<de>T-?\d{1,6}|\d+(?:\.\d+)+)\s+ab\b|(?<![\w.])(?P<id>T-?\d{1,6}[a-z]?|\d+(?:\.\d+)+)\s*"
    r"(?:に依存(?!し?ない|しま?せん)(?:する|します)?|の?後に?(?![\w])|之后|以后|에\s*의존|이후))"
)
_KEYS = r"(?:depends(?:[-_ ]?on)?|deps?|dependenc(?:y|ies)|blocked(?:[-_ ]?by)?|blocks|requires|needs|after)"
_MARKED = re.compile(rf"\s(?:\*\*|__|_|\*)(?={_KEYS}\b)|\s[#@]?(?={_KEYS}[:：=])", re.IGNORECASE)
_EMPHASIS = re.compile(r"(?<!\w)[*_]+|[*_]+(?!\w)")
_CALL = re.compile(r"@?\b(?:depends(?:[- _]?on)?|deps|after|requires|blocked[- _]by)\(([^()]{1,200})\)", re.IGNORECASE)
_SURE = re.compile(r"\bdepends?\s+on\b", re.IGNORECASE)
_ARROW = re.compile(r"(?<!\d)(?<!\d )(?:→|->|=>)(?!\s*#?(?:T-?\d|\d+\.\d))")
_CONDITION = re.compile(r"\b(?:if|when)\b", re.IGNORECASE)
_ALL = re.compile(
    r"\W*(?:(?:must\s+)?(?:runs?|starts?)\s+)?(?:depends\s+on|after|once|needs|requires|waits\s+for|blocked\s+by)\s+"
    r"(?:all|every\w*|the\s+(?:rest|others?)|previous|above)\b(?:\s+\w+){0,3}\W*\Z",
    re.IGNORECASE,
)
_LEFT = re.compile(
    r"(\bon|\bby|\bfor|\bafter|\bneeds|\brequires|[:=])(?:\s*[,;&]\s*(?=\S)|\s*(?=[)\]}]|\Z))", re.IGNORECASE
)


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
    text = _plain(text[:_LONGEST])
    rest, done = [], 0
    for bracket in islice(_BRACKETS.finditer(text), _MOST):
        if _take(bracket[1], line, found, bracket=True):
            rest.append(text[done : bracket.start()])
            done = bracket.end()
    text = "".join([*rest, text[done:]])
    for part in _HARD.split(text)[:_MOST]:
        _take(part, line, found)
    return found


def says_all(phrase: str) -> bool:
    """Returns True for `after everything else`."""
    return _ALL.match(phrase) is not None


def _plain(text: str) -> str:
    """A text without emphasis, links and what is struck out, and with the usual words of other languages in English."""
    if "~~" in text:  # `depends on ~~T002~~, T003`
        text = _LEFT.sub(
            lambda left: f"{left[1]} {'' if left[0].strip()[-1:] in ',;&' else 'nothing'}", without_struck(text)
        )
    if "](" in text:
        text = _LINK.sub(lambda link: f"({link[1]})" if _MAY_SAY.search(link[1]) else link[1], text)
    text = _FOREIGN.sub("depends on ", text.replace("`", ""))
    text = _FOREIGN_BEHIND.sub(lambda match: f"depends on {match['de'] or match['id']}", text)
    return _CALL.sub(r"(depends on \1)", _EMPHASIS.sub("", _MARKED.sub("; ", text)))


def _take(phrase: str, line: int, found: Words, *, bracket: bool = False) -> bool:
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
    arrows = _ARROW.sub(" ", phrase)  # `Run the tests → all fail`
    told = sounds(arrows) or (bracket and _CONDITION.search(phrase))
    if (told and (grammar().names(phrase) or _SURE.search(phrase))) or says_all(phrase):
        found.unread.append((line, phrase.strip()))
        return True
    return False
