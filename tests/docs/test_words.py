"""Messages, documents, docstrings, comments and the names of tests use plain words: none of these phrases is left."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest
from pages import PAGES, ROOT

PHRASES = {
    r"told|tells?": "is reported, shows, says; you are warned",
    r"go(?:es|ing)? on|gone on|went on": "continues",
    r"anew": "again, recreated",
    r"words of (?:a|the|its) task|words an agent gets": "the text of a task, the prompt",
    r"what is so|as things are": "the current state, now",
    r"what (?:became|becomes|is to become) of": "what happened to, what to do with",
    r"mend(?:s|ed|ing)?": "fix",
    r"dearest": "the most expensive",
    r"\d+ (?:more )?to come|more to come": "pending",
    r"nobody (?:can )?knows?": "unknown",
    r"the disk refuses": "cannot write FILE: reason",
    r"(?:is|are) refused": "is rejected, is not accepted: reason",
    r"could not be ended": "processes that could not be stopped are listed",
    r"is yours and": "check its owner, type and permissions",
    r"nothing new is started|nothing new starts": "no new tasks will start",
    r"could not be started": "could not start",
    r"(?:is|are) tried again": "retrying",
    r"never began": "never started",
    r"as like to": "any number of people can watch",
    r"whoever": "what, the program that",
    r"a moment": "a time",
    r"this many|all that is left": "the number of, the remaining",
    r"\(s\)": "1 task, 2 tasks",
}
"""What to write instead of each phrase."""

ALLOWED = {
    # "refused" is the verdict on a model that refuses, and a word of agents and their providers.
    "nova_core/agents/signs.py": "refused",
    "tests/agents": "refused",
    "tests/kits/mock_llm.py": "",
    # The demo plan of the interface's tests has a criterion with this word.
    "tests/kits/scripted_run.py": "is refused",
    "tests/tui/test_view_parts.py": "is refused",
    "tests/docs/test_words.py": "",
}
"""Where a phrase may stand: the phrase by a file or folder, or an empty text for all phrases."""

EVERY = re.compile(rf"\b(?:{'|'.join(PHRASES)})(?!\w)", re.I)
EVERY_IN_LOWER_CASE = re.compile(EVERY.pattern)  # takes a third of the time

FILES = sorted(
    path for folder in ("nova_core", "nova_tui", "tests", "bench", "examples") for path in (ROOT / folder).rglob("*.py")
)


def texts_of(path: Path) -> Iterator[tuple[int, str]]:
    """Line and text of everything in a file that people read: strings, docstrings, comments, names of tests."""
    source = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        yield from enumerate(source.splitlines(), 1)
        return
    if not EVERY_IN_LOWER_CASE.search(re.sub(r"""(?:["'\\\s_]+[bfr]?["']+)|_""", " ", source.lower())):
        return  # nor in a string of several parts; to read the file as Python takes most of the time
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield node.lineno, node.name.replace("_", " ")
    if not EVERY.search(source):
        return  # then no comment has a phrase, either; to find the comments takes most of the time
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def is_allowed(name: str, found: str) -> bool:
    """Whether a phrase may stand in a file."""
    return any(name.startswith(place) and phrase in found for place, phrase in ALLOWED.items())


def instead_of(found: str) -> str:
    """What to write for a phrase that was found."""
    return next(text for phrase, text in PHRASES.items() if re.fullmatch(phrase, found, re.I))


def phrases_in(path: Path) -> list[str]:
    """Each phrase of the list in a file, with its line and what to write instead."""
    name = str(path.relative_to(ROOT))
    return [
        f"{name}:{line}: {found[0]!r}: write {instead_of(found[0])!r}"
        for line, text in texts_of(path)
        for found in EVERY.finditer(text)
        if not is_allowed(name, found[0])
    ]


@pytest.mark.parametrize("folder", ["nova_core", "nova_tui", "tests", "bench", "examples"])
def test_programs_use_plain_words(folder: str) -> None:
    """No message, docstring, comment or name of a test has a phrase of the list."""
    assert [found for path in FILES if path.is_relative_to(ROOT / folder) for found in phrases_in(path)] == []


def test_documents_use_plain_words() -> None:
    """Nor does a page."""
    assert [found for path in PAGES for found in phrases_in(path)] == []


def test_the_list_finds_its_phrases() -> None:
    """Each phrase is found in a sentence, and not inside of another word."""
    sentence = "# A run that goes on is told anew; whoever mends it in a moment, 2 task(s)"
    page = Path(ROOT / "tests" / "docs" / "page.md")
    assert not page.exists()
    every = [phrase for phrase in PHRASES if re.search(rf"\b(?:{phrase})(?!\w)", sentence)]
    assert len(every) == 7
    assert [p for p in PHRASES if re.search(rf"\b(?:{p})(?!\w)", "a momentary amendment; lego on")] == []
