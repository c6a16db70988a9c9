"""The words of sentences about order, by their kind."""

from __future__ import annotations

import re
from functools import lru_cache

_ID = r"(?:tasks?\s+)?#?(?:T-?\d{1,6}[a-z]{0,2}(?:\.\d{1,6})*|\d{1,6}(?:\.\d{1,6})+[a-z]?)(?![\w.]*\w)"
_NOUN = (
    r"(?:phases?|fases?|sections?|stages?|groups?|task\s+groups?|milestones?|parts?|tasks?|steps?"
    r"|(?:user\s+)?stor(?:y|ies)|US)"
)
_NUMBER = r"\d{1,4}(?:\.\d{1,4})*(?![\w.]*\w)"
_SPAN = r"\s*(?:-|–|—|\bto\b|\bthrough\b|\bthru\b)\s*"
_AND = r"(?:\s*,\s*(?:and\s+)?|\s+and\s+|\s*&\s*|\s*\+\s*)"
NAMES = (
    rf"{_ID}(?:{_SPAN}{_ID})?"
    rf"|\b{_NOUN}\s*[-#]?\s*{_NUMBER}(?:{_SPAN}(?:{_NOUN}\s*)?{_NUMBER})?(?:{_AND}{_NUMBER})*\+?"
    r"|\b(?:(?:all|every|each|any|both|other|the|desired|remaining|P\d)\s+)*(?:user\s+)?stor(?:y|ies)\b(?!\s*\d)"
)
_DONE = r"complete[ds]?|completion|done|finished|finishes|merged|ready|in place|approved|implemented|exists?|landed"
_MUST = r"(?:(?:must|should|will|shall|ha(?:s|ve) to|needs? to|can|may)\s+(?:also\s+)?(?:only\s+)?)?"
_HAS_TO = r"(?:(?:must|should|will|shall|ha(?:s|ve) to|needs? to)\s+(?:also\s+)?)?"  # `can` only permits
_WILL = r"(?:(?:all|both|each|also|still|only|directly|must|should|will)\s+)*"
_COMES = (
    rf"{_HAS_TO}(?:be\s+)?(?:comes?|goes?|runs?|starts?|finish(?:es)?|lands?|ships?|done|built|implemented|completed|merged"
    r"|is|are)\s+(?:(?:done|built|implemented|completed|merged|the|very)\s+)*"
)
# The kinds of words, the first that fits: `N` names, `A` after, `B` before, `L` last, `E` first, `F` free, `X` not,
# `S` may start, `Z` nothing, `>` arrow, `J` joins names or clauses, `+` only names.
_KINDS = (
    ("A", r"(?:must|can|may|should|shall|will)(?:\s*not|n['’]t)\s+(?:be\s+)?"
          r"(?:start(?:ed)?|begin|run|proceed|merged?)\s+(?:until|before)\b|(?:and\s+)?not\s+(?:before|until)\b"),
    ("L", rf"{_COMES}(?:last|at\s+the\s+end)\b"),
    ("E", rf"{_COMES}(?:first|at\s+the\s+beginning)\b(?!,?\s*(?:\band\s+)?\bthen\b)"),
    ("F", r"(?:(?:has|have|with)\s+)?no\s+(?:(?:direct|hard|further|known|blocking|external|inter-story)\s+)*"
          r"(?:dependency|dependencies|dependence|prerequisites?)\b(?:\s+(?:on|to|with|between)\b)?"),
    ("F", r"(?:(?:is|are|be|should|must|remain|fully|completely|entirely|each)\s+)*"
          r"independent(?:ly)?(?:\s+(?:of|from)\b|\s+(?:testable|deployable|deliverable|completable)\b)?"),
    ("F", r"(?:(?:can|may|should|will|could|must|then|all|both|be)\s+)*"
          r"(?:(?:run|start|proceed|progress|go|execute|done|implemented|developed|worked on|started)\s+)?"
          r"(?:in\s+parallel|parallel|alongside|concurrently)\b(?:\s+(?:with|to)\b)?"
          r"(?:\s+(?:each\s+other|one\s+another)\b(?:\s+and\s+with\b)?)?"),
    ("F", r"(?:(?:can|may)\s+)?start\s+(?:immediately|at\s+once|at\s+any\s+time|here|first)\b"
          r"|may\s+integrate\s+with\b"),
    ("A", rf"{_WILL}(?:depends?\s+(?:only\s+|directly\s+|also\s+)?(?:up)?on"
          r"|(?:(?:is|are)\s+)?dependent\s+(?:up)?on)\b\s*:?"),
    ("A", r"(?:depends|deps?|dependenc(?:y|ies)|prereq(?:uisite)?s?|requires?|needs|after|waits?(?:[- ]for)?)"
          r"\s*[:：=]"),
    ("A", r"deps?\b|(?:depends[-_ ]?on|blocked[-_ ]?by)\b\s*[:：=]?"),
    ("A", rf"{_MUST}(?:be\s+)?(?:start|begin|run|proceed|come|happen|go|started|done|implemented|begun)s?\s+"
          rf"(?:only\s+|directly\s+|right\s+)?(?:after|once|as\s+soon\s+as|when(?=[^,;]*\b(?:{_DONE})\b))\b"),
    ("A", rf"(?:{_MUST}|only\s+)(?:wait(?:s|ing)?\s+(?:for|on|until)|follows?|after)\b"),
    ("A", rf"(?:only\s+)?(?:once|as\s+soon\s+as|when(?=[^,;]*\b(?:{_DONE})\b))\b"),
    ("A", rf"{_WILL}(?:requires?|needs?)\b(?!\s+to\b)\s*:?|(?:(?:is|are|remains?)\s+)?blocked\s+(?:by|on|until)\b\s*:?"
          rf"|{_WILL}builds?\s+(?:up)?on\b"),
    ("B", rf"{_HAS_TO}(?:be\s+(?:fully\s+)?)?"
          rf"(?:(?:complete|finish|run|come|happen|go|land|start|{_DONE})(?:e?s)?\s+)?before\b"),
    ("B", rf"(?:(?:will|also|directly|must|should)\s+)*(?:un)?blocks?\b\s*:?|{_HAS_TO}precedes?\b"
          r"|(?:(?:is|are)\s+)?(?:a\s+)?(?:prerequisites?|required|needed)\s+(?:of|for|by)\b"),
    ("X", r"(?:does|do|did|is|are|will|must|should|need|can|may|has|have)(?:\s*not|n['’]t)\b(?:\s+be\b)?"
          r"|not\b|never\b|no\s+longer\b"),
    ("Z", r"nothing\b|none\b|no\s+other\s+(?:tasks?|phases?|stor(?:y|ies)|work)\b"),
    (">", r"(?:--+>|==+>|->|=>|→|⟶|⇒|➜|,?\s*(?:\band\s+)?\bthen\b)"),
    ("J", r",?\s*\band\b"),
    ("+", r"&|\+|/|∥|‖|\|\||\bplus\b|\bas well as\b|、|，"),
    (",", r","),
    (";", r";|\bbut\b|\bwhile\b|\bwhereas\b|\bthough\b|\balthough\b|\bhowever\b|(?<=\s)[-–—](?=\s)"),
    (":", r":"),
    ("S", rf"(?:(?:can|may|should|must|will)\s+)?(?:(?:then|also|only)\s+)?(?:starts|begins|proceeds)\b"
          r"|(?:can|may|should|must|will)\s+(?:(?:then|also|only)\s+)?(?:start|begin|proceed)\b"
          r"|(?:then\s+)?(?:start|begin)(?=\s+(?:the\s+)?(?:T-?\d|US|user|phase|stor|task|section|\d+\.\d))"
          rf"|(?:must|should|ha(?:s|ve)\s+to|needs?\s+to)\s+be\s+(?:fully\s+)?(?:{_DONE}|started)\b"),
    ("D", rf"(?:(?:is|are|has|have|been|being|be|gets?|fully)\s+)*(?:{_DONE})\b(?:\s+of\b)?"
          r"|(?:phases?|tasks|work|first)\b"),
    (" ", r"(?:all|every(?:thing)?)\s+(?:of|in|tasks\s+(?:of|in|from))\b|(?:the|a|all|both|only)\b"
          r"|(?:is|are)\s+(?:both\s+|all\s+)?P\d\b|[\s\"'“”’.!️🎯⚠✅🔴🟡🟢]+"),
)  # fmt: skip
# The name of an order before a colon is no part of it.
LABEL = re.compile(
    r"\s*(?:the\s+)?(?:(?:user|story|stories|phase|task|execution|implementation|build|completion|critical|dependency"
    r"|priority|overall|strict|required)\s+)*(?:order|path|chain|sequence|flow|graph)"
    r"(?:\s+(?:follows|is|by|of)(?:\s+(?:the|this|by))?(?:\s+(?:priority|priorities|phases|stories|tasks|order))?)?\s*:\s*",
    re.IGNORECASE,
)
_DENIES = re.compile(
    r"\b(?:not|no|never|nor|neither|cannot|without|unless|except|if|when|optional(?:ly)?|maybe|might|could|may|or|either"
    r"|only|instead|rather|wrong|unlike|ideally|preferably|soft|later)\b|n['’]t\b",
    re.IGNORECASE,
)
_ORDERS = re.compile(
    r"\b(?:dep(?:s|end\w*)?|after|before|blocks?|block(?:ed|ing)\w*|requires?|needs?|once|until"
    r"|wait(?:s|ing)?|prerequisites?|follows?|precedes?|sequenced?|then|unless|(?:required|needed)\s+(?:by|for))\b|依赖|依存|→|->|=>|⇒|←|<-",
    re.IGNORECASE,
)
_RANKS = re.compile(r"\b(?:first|last|at\s+the\s+(?:very\s+)?(?:end|beginning))\b", re.IGNORECASE)
_FREE = re.compile(r"\bno (?:\w+ )?dependenc|\bindependent|in parallel\b|can start immediately", re.IGNORECASE)


def sounds(text: str) -> bool:
    """Returns True if a text has words about order."""
    return _ORDERS.search(text) is not None


def ranks(text: str) -> bool:
    """Returns True if a text says that something is first or last."""
    return _RANKS.search(text) is not None


def is_free(text: str) -> bool:
    """Returns True if a text says that something is independent."""
    return _FREE.search(text) is not None


def denies(text: str) -> bool:
    """Returns True if a text denies something, or sets a condition."""
    return _DENIES.search(text) is not None


@lru_cache(1)
def _keywords() -> re.Pattern[str]:
    return re.compile("|".join(f"(?P<k{at}>(?:{pattern}))" for at, (_, pattern) in enumerate(_KINDS)), re.IGNORECASE)


def keyword(text: str, at: int) -> tuple[str, re.Match[str] | None]:
    """The kind of the words at a place and their match; "" and None for a word that is not known."""
    inside = at and text[at - 1].isalnum() and text[at].isalnum()
    match = None if inside else _keywords().match(text, at)
    if match is None or match.lastgroup is None:
        return "", None
    return _KINDS[int(match.lastgroup[1:])][0], match
