"""The result of a broken, hostile or missing plan: every problem at once, with its place and a hint, in little time."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nova_core.errors import InputError, InputNotFoundError
from nova_core.parser import parse_cascade, parse_text
from nova_core.parser import source as source_module

HEAD = "| Task ID | Task Name | What Changes | Depends On |\n|---|---|---|---|\n"
MANY = 25_000


def error_of(text: str) -> InputError:
    """The error that `text` raises."""
    with pytest.raises(InputError) as raised:
        parse_text(text, "p.md")
    return raised.value


@pytest.mark.parametrize(
    ("rows", "line", "message", "hint"),
    [
        ("| A | a | x | - |\n| A | b | x | - |", 4, "duplicate task id A: the id is used in line 3", "rename"),
        ("| A | a | x | - |\n| a | b | x | - |", 4, "duplicate task id a: the id A, but for its case", "rename"),
        ("| ../x | a | x | - |", 3, "'../x' cannot be a task id", "letters"),
        ("| -rf | a | x | - |", 3, "'-rf' cannot be a task id", "letters"),
        ("| con | a | x | - |", 3, "'con' cannot be a task id", "letters"),
        ("| a b | a | x | - |", 3, "'a b' cannot be a task id", "letters"),
        ("|  | and more text | x | - |", 3, "the row has no task id", "one line"),
        ("| A |" + " x |" * 70, 3, "more than 64 cells", "\\|"),
        ("| \x1b]0;x\x07\u202e | a | x | - |", 3, "cannot be a task id", "letters"),
    ],
)
def test_bad_rows(rows: str, line: int, message: str, hint: str) -> None:
    """Each bad row is reported with its line, and safe to print."""
    error = error_of(HEAD + rows)
    problem = error.problems[0]
    assert (problem.line, problem.warning) == (line, False)
    assert message in problem.message
    assert hint in problem.hint
    assert str(problem).isprintable()
    assert str(error) == f"p.md:{line}: {problem.message}"


@pytest.mark.parametrize(
    ("column", "cell", "message"),
    [
        ("Timeout", "soon", "'soon' is not a duration"),
        ("Timeout", "-5", "is not a duration"),
        ("Timeout", "9999999d", "longer than ten years"),
        ("Duration", "2 pts", "is not a duration"),
        ("Retries", "many", "is not a number of retries"),
        ("Retries", "-1", "is not a number of retries"),
        ("Priority", "P9", "is not a priority"),
        ("Approval", "perhaps", "is not a time to approve"),
        ("CPU", "two", "is not a number of processors"),
        ("Memory", "lots", "is not a size"),
        ("Outputs", "/etc/passwd", "is outside the project"),
        ("Outputs", "a/../../b", "is outside the project"),
        ("Outputs", "~/x", "is outside the project"),
        ("Outputs", "C:\\x", "is outside the project"),
        ("Outputs", "\\x", "is outside the project"),
        ("Files", "`../x`", "is outside the project"),
        ("Files", "/etc/hosts.txt", "is outside the project"),
        ("Tree", "projct", "is not a place to run"),
        ("Outputs", "the whole module", "is not a path"),
        ("Command", "`make` and `test`", "is not one code span"),
        ("Agent", "a\u202eb", "is not a name"),
    ],
)
def test_wrong_values_in_optional_columns(column: str, cell: str, message: str) -> None:
    """An impossible value is an error with a line and a hint."""
    error = error_of(f"| Task ID | Depends On | {column} |\n|---|---|---|\n| A | - | {cell} |")
    (problem,) = error.problems
    assert message in problem.message
    assert problem.line == 3
    assert problem.hint


def test_a_torn_row_is_an_error_where_commands_are_run() -> None:
    """Half of a command that was cut by an unescaped pipe is never run."""
    head = "| Task ID | Name | Depends On | Command |\n|---|---|---|---|\n"
    assert "5 cells" in error_of(f"{head}| A | a | - | cat x | sh |").message
    assert parse_text(f"{head}| A | a | - | `cat x | sh` |", "p").tasks["A"].command == "cat x | sh"


def test_empty_backticks_are_warned_of() -> None:
    """An empty command or criterion is not a command, and is reported."""
    cascade = parse_text("| Task ID | Depends On | Command |\n|---|---|---|\n| A | - | `` |", "p")
    assert cascade.tasks["A"].command is None
    assert [w.line for w in cascade.warnings] == [3]


def test_every_problem_is_reported_at_once() -> None:
    """Errors come first, then warnings, each in file order; the message is that of the first error."""
    error = error_of("| Task ID | Depends On | Who |\n|---|---|---|\n| A | Z | me |\n| A | - | me |\n| B | B | me |\n")
    assert [(p.line, p.warning) for p in error.problems] == [(3, False), (4, False), (5, False), (1, True)]
    assert error.message.startswith("p.md:3: ")


def test_many_problems_are_counted() -> None:
    """The first hundred problems are shown, then how many more there are."""
    error = error_of(HEAD + "| A | a | x | - |\n" * 251)
    assert len(error.problems) == 101
    assert error.problems[-1].message == "and 150 more errors"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the plan is empty"),
        (" \n\t\n", "the plan is empty"),
        ("# P\n\nhello\n", "no tasks found"),
        (HEAD, "no tasks found"),
        (f"```\n{HEAD}| A | a | x | - |\n```", "no tasks found"),
        ("a\0b", "not text"),
        ("| Task ID | Task Name | What Changes | Depends On |\n| A | a | x | - |", "no line of dashes"),
    ],
)
def test_plans_without_tasks(text: str, message: str) -> None:
    """A plan without a task says so, and shows an example."""
    error = error_of(text)
    assert message in error.message
    assert "|" in error.hint


def test_an_open_fence_that_hides_tasks_is_reported() -> None:
    """Tasks below a fence that is never closed are not lost silently."""
    cascade = parse_text(f"{HEAD}| A | a | x | - |\n\n```\n\n{HEAD}| B | b | x | - |", "p")
    assert list(cascade.tasks) == ["A"]
    assert [(w.line, "never closed" in w.message) for w in cascade.warnings] == [(5, True)]


def test_a_missing_plan_is_a_file_not_found_error(tmp_path: Path) -> None:
    """It can be caught as Python's own error, and as Nova's."""
    with pytest.raises(FileNotFoundError, match="there is no such plan") as raised:
        parse_cascade(tmp_path / "no.md")
    assert isinstance(raised.value, InputNotFoundError)
    assert raised.value.hint


@pytest.mark.parametrize(
    ("content", "message", "line"),
    [
        (b"# P\n\n\xff\xfe bad", "byte 0xff is not valid UTF-8", 3),
        ("# P".encode("utf-16"), "not valid UTF-8", 1),
        (b"\x7fELF\x02\0\0\xff\x80", "binary file", 0),
        (b"text\0" * 10, "not text", 1),
    ],
)
def test_files_that_are_not_text(tmp_path: Path, content: bytes, message: str, line: int) -> None:
    """Binary files and other encodings are rejected with the line of the first bad byte."""
    path = tmp_path / "p.md"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as raised:
        parse_cascade(path)
    assert raised.value.problems[0].line == line


def test_a_folder_and_a_bad_path_are_rejected(tmp_path: Path) -> None:
    """A path that cannot be opened as a file gives one clear line."""
    with pytest.raises(InputError, match="a folder, not a plan"):
        parse_cascade(tmp_path)
    with pytest.raises(InputError, match="cannot be read"):
        parse_cascade("a\0b")
    with pytest.raises(InputError, match="cannot be read"):
        parse_cascade(tmp_path / ("x" * 5000))


def test_a_plan_too_large_is_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more than the limit is ever read, whatever size the file claims."""
    monkeypatch.setattr(source_module, "MAX_BYTES", 1000)
    path = tmp_path / "p.md"
    path.write_bytes(b"x" * 1001)
    with pytest.raises(InputError, match="larger than"):
        parse_cascade(path)


@pytest.mark.parametrize(
    "text",
    [
        "|" * MANY * 20,
        "|-" * MANY + "\n" + "|-" * MANY,
        HEAD + "| A | a | b | " + "[" * MANY + " |",
        HEAD + "| A | a | b | " + "](" * MANY + " |",
        HEAD + "| A | a | b | " + "(" * MANY + " |",
        HEAD + "| A | a | b | " + "a-" * MANY + " |",
        HEAD + "| A | a | b | " + "x," * MANY + " |",
        HEAD + "| A | a | b | " + "A and " * MANY + " |",
        HEAD + "| A | " + "*" * MANY + " | b | - |",
        HEAD + "| A | a | " + "<!--" * MANY + " | - |",
        "| Task ID | Criteria | Depends On |\n|---|---|---|\n| A | " + "` `` " * MANY + " | - |",
        "".join("`" * (3 + i % 40) + "\n" for i in range(MANY)),
        "".join("`" * (3000 - i) + "\n" for i in range(2990)),
        "<!--\n" * MANY,
        "| a | b | c |\n\n" * MANY,
        HEAD + "".join(f"| T{i} | a | b | zz{i} |\n" for i in range(MANY // 5)),
        HEAD + "".join(f"#### T{i}: x\n" for i in range(MANY)),
    ],
    ids=range(17),
)
def test_hostile_text_costs_little(text: str) -> None:
    """Depth, width and repetition take linear time: otherwise each of these would take minutes."""
    try:
        found = parse_text(text, "p").warnings
    except InputError as error:
        found = error.problems
    assert len(found) <= 202


SCRAPS = [
    *(
        "#",
        "##",
        " ",
        "\n",
        "|",
        "|---|---|",
        "Task ID",
        "Depends On",
        "A",
        "`",
        "```",
        "~~~",
        "<!--",
        "-->",
        "\\",
        "-",
    ),
    *("\r", "- [ ] ", "\x1b[1m", "\u202e", "#### A", "\t", "L2:", "<br>", "| A | a | - |\n"),
]


@given(st.lists(st.sampled_from(SCRAPS), max_size=60))
def test_any_text_is_a_plan_or_an_input_error(parts: list[str]) -> None:
    """No text makes the parser fail in another way, and every message is safe to print."""
    try:
        found = parse_text("".join(parts), "p.md").warnings
    except InputError as error:
        found = error.problems
    assert all(str(problem).isprintable() and problem.hint.isprintable() for problem in found)
