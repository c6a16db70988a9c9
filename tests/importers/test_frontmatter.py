"""Front matter: YAML if it is valid, the probable meaning if not, and always the line."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sampling import some

from nova_core.errors import InputError
from nova_core.files.yaml_file import parse_yaml
from nova_core.importers import frontmatter
from nova_core.importers.frontmatter import FrontMatter, read_front_matter, split_remark
from nova_core.model import NoteKind


def read(*lines: str) -> FrontMatter:
    """The front matter of a file with these lines between its `---`."""
    return read_front_matter("\n".join(("---", *lines, "---", "Body")), "t.md")


@pytest.mark.parametrize(
    ("lines", "fields"),
    [
        (["id: 1.10", "plan: 01", "ok: no", "at: 12:30:45"],
         {"id": "1.10", "plan": "01", "ok": "no", "at": "12:30:45"}),
        (["deps: [001, 008, 010]"], {"deps": ["001", "008", "010"]}),
        (["deps:", "  - 001", "  - a b"], {"deps": ["001", "a b"]}),
        (["deps:", "- a", "- 'b'", "x: y"], {"deps": ["a", "b"], "x": "y"}),
        (["deps: []", "empty:", "none: null", "tilde: ~"], {"deps": [], "empty": "", "none": "", "tilde": ""}),
        (["title: >-", "  one", "  two", "x: y"], {"title": "one two", "x": "y"}),
        (["tasks:", "  - id: A", "    n: 1", "  - id: B"], {"tasks": [{"id": "A", "n": "1"}, {"id": "B"}]}),
        (["# comment", "", "a: b # c"], {"a": "b"}),
        (['a: "x: y"', "b: 'it''s'"], {"a": "x: y", "b": "it's"}),
    ],
)  # fmt: skip
def test_yaml_is_read_as_text(lines: list[str], fields: dict[str, Any]) -> None:
    """Valid YAML is read as it is, with every scalar as text and without guesses."""
    found = read(*lines)
    assert found.fields == fields
    assert found.notes == []
    assert found.found


@pytest.mark.parametrize(
    ("lines", "fields", "remarks", "guessed"),
    [
        (["who:", "  - @codex", "  - '@x'"], {"who": ["@codex", "@x"]}, {}, [3]),
        (["who: @codex"], {"who": "@codex"}, {}, [2]),
        (["who: [@codex, 'a, b']"], {"who": ["@codex", "a, b"]}, {}, [2]),
        (["who: [@codex, it's]"], {"who": ["@codex", "it's"]}, {}, [2]),
        (["out:", '  - "a.rs" (modified)', "  - b"], {"out": ["a.rs", "b"]}, {("out", 0): "modified"}, [3]),
        (["in:", "  - 'tests/' (21,065 test files)"], {"in": ["tests/"]}, {("in", 0): "21,065 test files"}, [3]),
        (["in:", '  - "a" - the old one'], {"in": ["a"]}, {("in", 0): "the old one"}, [3]),
        (["in:", '  - "a" (b) # c'], {"in": ["a"]}, {("in", 0): "b"}, [3]),
        (["title: Fix: the thing"], {"title": "Fix: the thing"}, {}, [2]),
        (["title: [WIP] do it"], {"title": "[WIP] do it"}, {}, [2]),
        (["title: [a] and [b]"], {"title": "[a] and [b]"}, {}, [2]),
        (['title: "a" and "b"'], {"title": '"a" and "b"'}, {}, [2]),
        (["title: 'it's'"], {"title": "it's"}, {}, [2]),
        (['title: "\\d"'], {"title": "\\d"}, {}, [2]),
        (["title: *.py files"], {"title": "*.py files"}, {}, [2]),
        (["title: !important"], {"title": "!important"}, {}, [2]),
        (["title: &co"], {"title": "&co"}, {}, [2]),
        (["title: `code` first"], {"title": "`code` first"}, {}, [2]),
        (["c: {d: [e"], {"c": "{d: [e"}, {}, [2]),
        (["c: {{ name }}"], {"c": "{{ name }}"}, {}, [2]),
        (["title: Fix: a", "  thing", "x: y"], {"title": "Fix: a thing", "x": "y"}, {}, [2]),
        (["deps: # of it", "  - @a", "other: [", "  a ]"], {"deps": ["@a"], "other": ["a"]}, {}, [3]),
        (["a:", "\t- @b"], {"a": ["@b"]}, {}, [3]),
        (["must:", "  truths:", "    - @a", "  n: 1"], {"must": {"truths": ["@a"], "n": "1"}}, {}, [4]),
        (["t:", "  - id: A", "    title: Fix: it", "  - id: B"],
         {"t": [{"id": "A", "title": "Fix: it"}, {"id": "B"}]}, {}, [4]),
        (["who: @a", "n: 010", "title: >-", "  one", "  two"], {"who": "@a", "n": "010", "title": "one two"}, {}, [2]),
    ],
)  # fmt: skip
def test_invalid_yaml(
    lines: list[str], fields: dict[str, Any], remarks: dict[tuple[Any, ...], str], guessed: list[int]
) -> None:
    """Only the invalid field or item is read as text, with a note on its line; remarks are separate."""
    found = read(*lines)
    assert found.fields == fields
    assert found.remarks == remarks
    assert [(note.kind, note.path, note.line) for note in found.notes] == [
        (NoteKind.GUESSED, "t.md", n) for n in guessed
    ]


@pytest.mark.parametrize(
    ("lines", "line", "said"),
    [
        (["a: b", "a: c"], 3, "twice"),
        (["a: @b", "a: c"], 3, "twice"),
        (["a: @b", "what is this"], 3, "not a field"),
        (["c: [[@a]]"], 2, "cannot be read"),
        (["c:", "  - @a", "  what"], 4, "not an item"),
        (["c:", "  - a", "  b: c", "  what"], 5, "not an item"),
        (["a: " + "[" * 50], 2, "nested"),
        (["a: b", "c: d\x07"], 3, "not allowed"),
        (["a: [" + "x," * 30_000 + "]"], 2, "values"),
        (["<<: x", "a: b"], 2, "merge keys"),
        (["t: x", "a: &a [x, x]", "b: [*a, *a]"], 3, "anchors"),
        (["a:", "  - &a x", "b: [*a]"], 3, "anchors"),
    ],
)
def test_what_makes_no_sense_is_rejected_with_its_line(lines: list[str], line: int, said: str) -> None:
    """A repeated field, an unreadable line and YAML bombs are errors with file and line."""
    with pytest.raises(InputError) as raised:
        read(*lines)
    problem = raised.value.problems[0]
    assert said in problem.message
    assert (problem.path, problem.line) == ("t.md", line)


def test_a_field_in_the_midst_of_a_list() -> None:
    """Such a field is left out with a note; the rest of the file is read."""
    found = read("batches:", "  one:", "    - A-1", "    - A-2", "    why: both at once", "  two:", "    - A-3")
    assert found.fields == {"batches": {"one": ["A-1", "A-2"], "two": ["A-3"]}}
    assert [(note.kind, note.line) for note in found.notes] == [(NoteKind.DROPPED, 6)]


def test_lines_of_fields_and_items() -> None:
    """Every value has its line, in simple YAML, in other YAML, and in invalid YAML."""
    for title in ("plain", "'x: y'", "a: @b"):
        found = read(f"title: {title}", "deps:", "  - a", "  - b")
        assert [found.line_of("title"), found.line_of("deps", 0), found.line_of("deps", 1)] == [2, 4, 5]
        assert found.line_of("deps", 7) == found.line_of("deps") == 3
        assert found.body == "Body"
        assert found.body_line == 7


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Body",
        "---\na: b\n",
        "---\n---\nBody",
        "---\nonly words\n---\n",
        "# T\n---\na: b\n---\n",
        "----\na: b\n----",
    ],
)
def test_no_front_matter(text: str) -> None:
    """Without two lines of dashes, the first at the head of the file, and a field between them, everything is body."""
    found = read_front_matter(text, "t.md")
    assert (found.found, found.fields, found.body, found.body_line) == (False, {}, text, 1)


def test_mark_and_line_ends() -> None:
    """A byte order mark and the line ends of Windows change nothing."""
    found = read_front_matter("\ufeff---\r\na: b\r\n---\r\none\r\ntwo", "t.md")
    assert (found.fields, found.body, found.body_line) == ({"a": "b"}, "one\ntwo", 4)


def test_notes_on_fields() -> None:
    """Notes are available for the fields in use."""
    found = read("who:", "  - @a", "title: x: y")
    assert [note.line for note in found.notes_on("title")] == [4]
    assert [note.line for note in found.notes_on("who", "no")] == [3]


def test_text_and_texts() -> None:
    """Fields are requested by several names, as text or as a list of texts, whatever their value."""
    found = read("a: x", "b: [y, {z: 1}, '']", "c:")
    assert found.text("c", "b", "a") == "x"
    assert found.text("b") == ""
    assert found.texts("b") == ["y"]
    assert found.texts("no", "a") == ["x"]
    assert found.texts("c") == []


@pytest.mark.parametrize(
    ("value", "expected"),
    [("a.rs (new)", ("a.rs", "new")), ("a.rs", ("a.rs", "")), ("f(x)", ("f(x)", "")), ("(x)", ("(x)", "")),
     ("", ("", "")), ("a (b) (c)", ("a (b)", "c")), ("a (b))", ("a (b))", ""))],
)  # fmt: skip
def test_split_remark(value: str, expected: tuple[str, str]) -> None:
    """A remark is in parentheses, after a space, at the end."""
    assert split_remark(value) == expected


_word = st.text("ab0.~-'\"[]()#:,@!&*|>{} null\t\\é", max_size=12)
_item = st.sampled_from(["a", "a.py", "01-02", '"b"', '"b c"', "null", "1", "-", "x/y", "d e", "~", ""])
_line = st.one_of(
    st.builds("{}:{}{}".format, st.sampled_from("abc"), st.sampled_from([" ", "", "  "]), _word),
    st.builds("{}- {}".format, st.sampled_from(["", "  ", "    "]), _word),
    st.builds("{}: [{}]".format, st.sampled_from("abc"), st.lists(_item, min_size=1, max_size=3).map(", ".join)),
    _word,
)


@given(st.lists(_line, max_size=8))
def test_the_quick_way_is_the_same_as_yaml(lines: list[str]) -> None:
    """What is read without the YAML parser equals that parser's result, with the same lines."""
    places: dict[Any, int] = {}
    fields = frontmatter._simple(lines, places)
    if fields:
        document = parse_yaml("\n".join(lines), "t.md", first_line=2)
        assert fields == frontmatter._texts(document.data)
        assert places == document.lines


@given(st.lists(_line, max_size=8))
def test_anything_is_read_or_rejected(lines: list[str]) -> None:
    """Any text gives front matter or an error with its place, and the body is never lost."""
    text = "\n".join(("---", *lines, "---", "Body"))
    try:
        found = read_front_matter(text, "t.md")
    except InputError as error:
        line = error.problems[0].line
    else:
        line = found.body_line
    assert 0 < line < len(lines) + 4


@given(st.lists(_line, max_size=8))
def test_nothing_is_lost(lines: list[str]) -> None:
    """The result has the whole body, and its remarks and lines belong to values."""
    text = "\n".join(("---", *lines, "---", "Body"))
    try:
        found = read_front_matter(text, "t.md")
    except InputError:
        return
    assert found.body.endswith("Body")
    assert set(found.remarks) <= set(found.lines)
    assert all(1 < line < len(lines) + 2 for line in found.lines.values())


PIECES = ['"', '\\"', "'", "[", "]", "(", " (", ", ", "- ", "a: ", "#", " #"]


@pytest.mark.parametrize("piece", some(PIECES, '"', "[", " (", "a: "))
def test_one_long_line_is_read_in_linear_time(piece: str) -> None:
    """A long line that stops the YAML parser does not stop this one: eight times the length takes far less than
    sixty-four times the time."""

    def seconds(text: str) -> float:
        start = time.process_time()
        try:
            line = read(text).line_of("a")
        except InputError as error:
            line = error.problems[0].line
        assert line == 2
        return time.process_time() - start

    for start in ("a: @", "a: [@", 'a: "x" ', "a: '"):
        for end in ("", "]"):
            short = min(seconds(start + piece * 1_000 + end) for _ in range(3))
            assert seconds(start + piece * 8_000 + end) < 30 * max(short, 0.002)
