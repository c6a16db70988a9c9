"""Finds the question at the end of what a program printed: it waits for a person, or got no answer. Pure."""

from __future__ import annotations

import re

from nova_core.text import clean

MOST_TAIL = 4096  # bytes at the end of a log that can hold it
_MOST = 200  # characters of a question
_LINES = 40  # at the end of a log, among which a question without an answer is looked for
_CHOICE = r"[\[(]\s*(?:y|yes|n|no|[a-z]\w{0,11}(?:\s*[/|,]\s*[\[\]\w?]{1,14})+)\s*[\])]"  # [y/N], (yes/no), (y)
_ASKING = (
    r"(?:pass(?:word|phrase|code)|user ?name|login|e-?mail|token|otp|pin|code|name|answer|choice|select|choose|enter"
    r"|type|input|confirm|continue|proceed|overwrite|replace|press|value|number|version|directory|path)"
)
_DEFAULT = r"[\[(][^\])]{0,60}[\])]"  # (foo)
_PROMPTS = (
    r"\?",
    rf"{_CHOICE}\s*[:>?]?",
    rf"\?\s*{_DEFAULT}\s*:?",
    rf"\b{_ASKING}\b.{{0,80}}:",
    rf"^[\w .-]{{1,40}}:\s*{_DEFAULT}\s*:?",
    r"^[\w ]{1,30}>",
    r"^\?\s.{1,120}",
    r"\bpress\b.{0,60}\b(?:key|enter|return)\b.{0,40}",
)
_QUESTION = re.compile(rf"(?:{'|'.join(_PROMPTS)})\Z", re.IGNORECASE)
# What programs print right behind a question when their standard input is at its end.
_CUT_SHORT = re.compile(r"\s*(?:(?P<trace>Traceback \(most recent call last\):)|Abort(?:ed|ing)?[.!]?|EOF\b.{0,60})\Z")


def question_of(tail: str) -> str:
    """The question in the unfinished last line of `tail`, the end of what a program printed; empty if there is none."""
    line = tail[tail.rfind("\n") + 1 :].rstrip(" \t")
    return _question(line[line.rfind("\r") + 1 :])


def unanswered(tail: str) -> str:
    """The question to which a program that has ended got no answer, because its input was at its end; or empty."""
    lines = tail.replace("\r\n", "\n").split("\n")
    last = next((line for line in reversed(lines) if line.strip()), "")
    for line in reversed(lines[-_LINES:]):
        found = _CUT_SHORT.search(line)
        if found and (not found["trace"] or last.startswith("EOFError")):
            question = _question(line[: found.start()].rpartition("\r")[2])
            if question:
                return question
    return question_of(tail)


def _question(line: str) -> str:
    text = clean(line).strip()
    return text if 1 < len(text) <= _MOST and _QUESTION.search(text) else ""
