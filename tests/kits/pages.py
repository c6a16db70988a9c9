"""The pages of the documentation, their tables and their code blocks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path
    for pattern in ("*.md", "docs/*.md", "examples/**/*.md")
    for path in ROOT.glob(pattern)
    if path.name not in ("CASCADE.md", "AGENTS.md")
)
NAMES = [str(path.relative_to(ROOT)) for path in PAGES]
_FENCE = re.compile(r"^(?P<fence>`{3,})(?P<language>\w*)\n(?P<body>.*?)^(?P=fence)$", re.M | re.S)


class Block(msgspec.Struct, frozen=True):
    """A fenced block: the page, its number on the page from 0, its language ("" if none is given) and its text."""

    page: str
    number: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}-{self.number}-{self.language}"


def text_of(name: str) -> str:
    """A page by its path from the root."""
    return ROOT.joinpath(name).read_text(encoding="utf-8")


def all_blocks(*names: str) -> list[Block]:
    """Every block of these pages, or of all."""
    return [
        Block(name, number, found["language"], found["body"])
        for name in names or NAMES
        for number, found in enumerate(_FENCE.finditer(text_of(name)))
    ]


def blocks(name: str, language: str) -> list[str]:
    """The texts of a page's blocks in one language."""
    return [block.text for block in all_blocks(name) if block.language == language]


def prose(name: str) -> str:
    """A page without its code blocks."""
    return _FENCE.sub("", text_of(name))


def rows(name: str) -> Iterator[list[str]]:
    """The cells of every table row of a page."""
    for line in prose(name).splitlines():
        if line.startswith("|"):
            yield [cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def first_words(name: str, pattern: str) -> set[str]:
    """Everything in backticks in the first column of a page's tables that matches the pattern."""
    cells = " ".join(row[0] for row in rows(name))
    return {word for word in re.findall(r"`([^`]+)`", cells) if re.fullmatch(pattern, word)}
