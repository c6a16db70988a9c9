"""The line scanner, compared with a whole Markdown parser and on its own cases."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from nova_core.parser.blocks import Heading, Table, hide_comments, scan, split_lines
from nova_core.parser.cells import split_row
from nova_core.parser.criteria import checklist

WORDS = st.text("abAB01 .,:*_<>()[]#!+-=~'\"&äß—", max_size=12).map(str.strip)
CODE = st.text("ab1 .|-_=", min_size=1, max_size=8).map(lambda text: f"`{text.replace('|', chr(92) + '|')}`")
CELL = st.one_of(WORDS, WORDS.map(lambda w: f"{w}\\|x"), CODE, st.just("\\|"), st.just(""))
MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable("table")
Found = list[tuple[object, ...]]


def report_nothing(line: int, what: str) -> None:
    """Do nothing for what is never closed."""


def ours(text: str) -> Found:
    """Headings and tables with the text of their cells, as the scanner finds them."""
    lines = split_lines(text)
    hidden = hide_comments(lines, report_nothing)
    found: Found = []
    for block in scan(lines, hidden, report_nothing):
        if isinstance(block, Heading):
            found.append(("heading", block.line, block.level, block.text))
        elif block.header:
            rows = [[cell.strip() for cell in split_row(lines[at])] for at in block.rows]
            width = block.width
            found.append(("table", block.line, list(block.header), [(r + [""] * width)[:width] for r in rows]))
    return found


def theirs(text: str) -> Found:
    """The same from the reference parser."""
    found: Found = []
    tokens = iter(MARKDOWN.parse(text))
    for token in tokens:
        if token.type == "heading_open" and token.map:
            found.append(("heading", token.map[0] + 1, int(token.tag[1]), next(tokens).content))
        elif token.type == "table_open" and token.map:
            header, *rows = table_rows(tokens)
            found.append(("table", token.map[0] + 1, header, rows))
    return found


def table_rows(tokens: Iterator[Token]) -> list[list[str]]:
    """The cells of each row up to the end of the table."""
    rows: list[list[str]] = []
    for token in tokens:
        if token.type == "table_close":
            break
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline":
            rows[-1].append(token.content)
    return rows


def heading(level: int, text: str, closing: str) -> str:
    """An ATX heading."""
    return f"{'#' * level} {text}{closing}"


@st.composite
def tables(draw: st.DrawFn) -> str:
    """A well-formed GFM table, with or without outer pipes, aligned or not."""
    width = draw(st.integers(2, 5))
    dashes = draw(st.sampled_from(["---", ":---", "---:", ":-:", "-"]))
    start, end = draw(st.sampled_from([("| ", " |"), ("|", "|"), ("  | ", " |  "), ("| ", "")]))
    rows = draw(st.lists(st.lists(CELL, min_size=width, max_size=width + 1), max_size=4))
    head = draw(st.lists(WORDS.filter(bool), min_size=width, max_size=width))
    lines = [head, [dashes] * width, *rows]
    return "\n".join(f"{start}{' | '.join(cells)}{end if end or cells[-1] else '|'}" for cells in lines)


def fence(mark: str, body: list[str], indent: int) -> str:
    """A code fence around lines that would have a meaning outside."""
    return "\n".join([f"{' ' * indent}{mark}md", *body, mark])


PARAGRAPH = st.lists(
    st.text("abc .,`*", min_size=1, max_size=20).map(lambda w: "w" + w.strip()), min_size=1, max_size=3
)
INSIDE = st.lists(st.sampled_from(["# no", "| a | b |", "|---|---|", "", "``", "~~", "<!-- x", "-->"]), max_size=5)
BLOCKS = st.one_of(
    st.builds(heading, st.integers(1, 7), WORDS, st.sampled_from(["", " #", " ###", "#", " \\#"])),
    tables(),
    st.builds(fence, st.sampled_from(["```", "~~~", "`````", "~~~~"]), INSIDE, st.integers(0, 3)),
    PARAGRAPH.map("\n".join),
    st.builds(lambda body: "<!-- " + "\n".join(body) + "\n-->", INSIDE.map(lambda b: [x for x in b if x != "-->"])),
    st.sampled_from(["    # code", "    | a | b |\n    |---|---|", "> quote", "***", "#no heading", "\\# no"]),
)


@given(st.lists(BLOCKS, max_size=6), st.sampled_from(["\n", "\r\n", "\r"]))
def test_headings_and_cells_agree_with_markdown(blocks: list[str], line_end: str) -> None:
    """On well-formed documents the scanner finds what the reference parser finds, line for line."""
    text = "\n\n".join(blocks)
    assert ours(text.replace("\n", line_end)) == theirs(text)


@pytest.mark.parametrize(
    "text",
    [
        "text\n| a | b |\n|---|---|\n| 1 | 2 |\ntail | x",
        "| a | b |\n|---|---|\n# h\n| 1 | 2 |",
        "| a | b |\n|---|---|\n```\n| 1 | 2 |\n```",
        "| a | b |\n|---|---|\n> quote | x",
        "| a | b |\n|---|---|\n- item | x",
        "a | b\n-|-\n1 | 2",
        "# a\n## b ##\n### c\\#\n#\n##\ttab",
        "````\n```\n# no\n````\n# yes",
        "``` a`b\n# yes\n",
        "~~~ a`b\n# no\n",
        "   # three\n    # four",
        "<!-- # no -->\n# yes",
        "<!--\n# no\n--> # no\n# yes",
        "```\n<!--\n```\n# yes",
        "text <!-- open\n# yes",
    ],
)
def test_where_blocks_meet_it_agrees_too(text: str) -> None:
    """Blocks that follow each other without an empty line end where Markdown ends them."""
    assert ours(text) == theirs(text)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("\ufeffa\nb", ["a", "b"]),
        ("a\r\nb\rc\nd", ["a", "b", "c", "d"]),
        ("a\fb\u2028c\x85d", ["a\fb\u2028c\x85d"]),
        ("", [""]),
    ],
)
def test_lines_are_counted_as_editors_count_them(text: str, lines: list[str]) -> None:
    """CR, LF and CR LF end a line, a byte order mark is dropped, nothing else counts."""
    assert split_lines(text) == lines


def test_front_matter_is_passed_over() -> None:
    """YAML between `---` at the very top holds no headings."""
    found = ours("---\ntitle: x\n# comment\n---\n# Project\n")
    assert found == [("heading", 5, 1, "Project")]


@pytest.mark.parametrize(("text", "what"), [("a\n```\n# x", "code fence"), ("a\n<!--\n# x", "comment")])
def test_what_is_never_closed_is_reported(text: str, what: str) -> None:
    """An open fence or comment hides the rest of the file, so its line is reported."""
    told: list[tuple[int, str]] = []
    lines = split_lines(text)
    hidden = hide_comments(lines, lambda line, kind: told.append((line, kind)))
    assert list(scan(lines, hidden, lambda line, kind: told.append((line, kind)))) == []
    assert told == [(2, what)]


def test_rows_without_a_header_stop_before_the_next_table() -> None:
    """A run of stray rows does not absorb the table below it."""
    lines = split_lines("| stray | row |\n| more | rows |\n| a | b |\n|---|---|\n| 1 | 2 |")
    stray, table = scan(lines, set(), report_nothing)
    assert isinstance(stray, Table)
    assert isinstance(table, Table)
    assert (stray.header, stray.rows) == ((), [0, 1])
    assert (table.header, table.rows) == (("a", "b"), [4])


def test_boxes_below_a_fence_are_criteria() -> None:
    """The line that closes a fence opens no other one."""
    text = "\n".join(["```sh", "- [ ] no", "```", "- [ ] `make a` succeeds", "```", "- [ ] no", "```", "- [ ] b"])
    assert [c.text for c in checklist(text.split("\n"), 1)] == ["`make a` succeeds", "b"]
