"""Whole plans: what becomes a task, where it belongs, and the contents of its optional columns and its section."""

from __future__ import annotations

from pathlib import Path

import pytest

from nova_core.parser import Cascade, parse_cascade, parse_text

HEAD = "| Task ID | Task Name | What Changes | Depends On |\n|---|---|---|---|\n"
FIELD_PLAN = f"""\
# Photo Archive

## L1: Storage & Import

### L2: Catalogue
{HEAD}| C1 | Schema | Create catalogue.py with photos, albums -- and <id> columns | - |
| C2 | Hash Files | Read a file, return its digest (sha256, size, mtime) | - |
| C3 | Duplicate Filter | Given a digest, return True only for a new photo | C2 |

### L2: Import
{HEAD}| I1 | Single Import | Read one photo's EXIF data, insert it | C1, C2, C3 |
| I2 | Folder Import | Walk a folder for .jpg/.heic, skip known photos | C1,C3, I1 |
| I3 | Watch Folder | Import what appears while running | I1, I2 |
| I4 | Import CLI | `import.py` with --all or a folder | I3 |

## L1: Search

### L2: Index

{HEAD}| X1 | Tokens | Split captions into words | - |
| X2 | Ranking | Weigh words -- title over caption | - |
| X3 | Index File | Write the index as .jsonl | X2 |

### L2: Queries
{HEAD}| Q1 | Query Parser | Understand (a, b, c) and quotes | C1, X1, X2, X3 |
| Q2 | Paging | Return 50 results at a time | Q1 |
| Q3 | Search CLI | `search.py` <words> | Q1, Q2 |
| Q4 | Saved Searches | Keep a search under a name | Q3 |

## L1: Web & Release

### L2: Pages
{HEAD}| WB1 | Templates | Base page | - |
| WB2 | Grid | Show photos in a grid | C1 |
| WB3 | Album Page | Show one album | X1, WB1, WB2 |

### L2: Release Work
{HEAD}| RW1 | Package | Build a wheel | WB3 |
| RW2 | Changelog | Collect what changed | RW1 |
| RW3 | Announce | Write the post | RW1, RW2 |
"""


def plan(rows: str, head: str = HEAD) -> Cascade:
    """The plan of one table below an H1."""
    return parse_text(f"# P\n\n{head}{rows}\n", "plan.md")


def test_a_plan_of_the_field_is_read_whole() -> None:
    """Twenty tasks in six groups of three branches keep their order, texts, lines and dependencies."""
    cascade = parse_text(FIELD_PLAN, "CASCADE.md")
    assert cascade.name == "Photo Archive"
    assert cascade.path == "CASCADE.md"
    assert len(cascade.tasks) == len(cascade.dag) == 20
    assert list(cascade.tasks)[:5] == ["C1", "C2", "C3", "I1", "I2"]
    assert {branch: list(groups) for branch, groups in cascade.branches.items()} == {
        "Storage & Import": ["Catalogue", "Import"],
        "Search": ["Index", "Queries"],
        "Web & Release": ["Pages", "Release Work"],
    }
    assert cascade.branches["Storage & Import"]["Import"] == ("I1", "I2", "I3", "I4")
    task = cascade.tasks["I2"]
    assert (task.id, task.name, task.description) == (
        "I2",
        "Folder Import",
        "Walk a folder for .jpg/.heic, skip known photos",
    )
    assert (task.depends_on, task.group, task.branch) == (("C1", "C3", "I1"), "Import", "Storage & Import")
    assert FIELD_PLAN.splitlines()[task.line - 1].startswith("| I2 |")
    assert cascade.dag.get_task_depth("I4") == 5
    assert cascade.warnings == ()


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "\ufeff" + text,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("\n", "\r"),
        lambda text: text.replace("|---|---|---|---|", "| :--- | :---: | ---: | - |"),
        lambda text: text.replace("L1: ", "").replace("L2: ", ""),
        lambda text: text.replace("Task ID |", "task id |").replace("Depends On", "DEPENDS ON"),
        lambda text: text.replace(" |\n", "\n"),
        lambda text: text.replace("| ", "|\t").replace(" |", "\t|"),
        lambda text: text.replace("| - |", "| None |"),
        lambda text: text.replace("\n| C3", "\n<!-- | C9 | off | x | - | -->\n| C3").replace("| I1 |", "| **I1** |"),
        lambda text: text.replace("### L2: ", "### L2:").replace("## L1: Search", "## L1 - Search ##"),
    ],
)
def test_variants_of_the_same_plan_mean_the_same(change: object) -> None:
    """Line ends, separators, decoration, missing `L1:` or pipes do not change the tasks."""
    assert callable(change)
    plain, changed = parse_text(FIELD_PLAN, "p"), parse_text(change(FIELD_PLAN), "p")
    assert [(t.id, t.name, t.depends_on, t.group, t.branch) for t in changed.tasks.values()] == [
        (t.id, t.name, t.depends_on, t.group, t.branch) for t in plain.tasks.values()
    ]
    assert changed.branches == plain.branches


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (f"{HEAD}| A | a | x | - |", ("plan", "plan", "plan")),
        (f"# P\n{HEAD}| A | a | x | - |", ("P", "P", "P")),
        (f"# P\n## B\n{HEAD}| A | a | x | - |", ("P", "B", "B")),
        (f"# P\n### G\n{HEAD}| A | a | x | - |", ("P", "P", "G")),
        (f"# P\n## B\n### G\n#### Notes\n{HEAD}| A | a | x | - |", ("P", "B", "G")),
        (f"# P\n## B\n### G\n## C\n{HEAD}| A | a | x | - |", ("P", "C", "C")),
        (f"# P\n# Q\n{HEAD}| A | a | x | - |", ("P", "Q", "Q")),
        (f"# P\n#### L1: B\n##### L2: G\n{HEAD}| A | a | x | - |", ("P", "B", "G")),
        (f"# **P**\n## [B](b.md)\n### `G`\n{HEAD}| A | a | x | - |", ("P", "B", "G")),
        (f"# P\n```\n# No\n## No\n```\n## B\n{HEAD}| A | a | x | - |", ("P", "B", "B")),
    ],
)
def test_branch_and_group_come_from_the_headings(text: str, place: tuple[str, str, str]) -> None:
    """A table belongs to the nearest H2 and H3; a missing name falls back to the branch, the project, the file's
    name."""
    cascade = parse_text(text, "docs/plan.md")
    task = cascade.tasks["A"]
    assert (cascade.name, task.branch, task.group) == place


@pytest.mark.parametrize(
    ("header", "row", "expected"),
    [
        ("ID | Task | Status | Dependencies", "A | Do it | done | -", ("A", "Do it", "")),
        ("Depends On | What Changes | Task Name | Task ID", "- | text | Name | A", ("A", "Name", "text")),
        ("\\# | Phase | Description | Depends", "A | Name | text | —", ("A", "Name", "text")),
        ("Task | What to Do | Depends On", "**2.1 Build it** | text | None", ("2.1", "Build it", "text")),
        ("PR | Title | What Changes | Depends On", "~~**0**~~ | Name | text | -", ("0", "Name", "text")),
        ("Task ID | Task Name | What Changes", "A | Name | text", ("A", "Name", "text")),
        ("**Task ID** | Title | Blocked by:", "`A` | **Name** | -", ("A", "Name", "")),
        ("ID | Name | Description | Command", "A | Name | text | make", ("A", "Name", "text")),
        ("Task ID | Depends On", "A | -", ("A", "A", "")),
    ],
)
def test_columns_are_found_by_name(header: str, row: str, expected: tuple[str, str, str]) -> None:
    """Headers of the field are recognised in any order, case and decoration."""
    dashes = "|".join(["---"] * (header.count("|") + 1))
    (task,) = parse_text(f"| {header} |\n|{dashes}|\n| {row} |\n", "p").tasks.values()
    assert (task.id, task.name, task.description) == expected


@pytest.mark.parametrize(
    "other",
    [
        "| Risk | Impact | Mitigation |\n|---|---|---|\n| R1 | High | Tests |",
        "| ID | Name | Description |\n|---|---|---|\n| R1 | Library | MIT |",
        "| File | Depends On |\n|---|---|\n| a.py | b.py |",
        "    | Task ID | Depends On |\n    |---|---|\n    | R1 | - |",
        f"```\n{HEAD}| R1 | a | x | - |\n```",
        f"~~~~\n```\n{HEAD}| R1 | a | x | - |\n~~~~",
        f"<!--\n{HEAD}| R1 | a | x | - |\n-->",
        "> | Task ID | Depends On |\n> |---|---|\n> | R1 | - |",
    ],
)
def test_other_tables_are_ignored_silently(other: str) -> None:
    """Tables without tasks, and tables in code, comments or quotes, add nothing and cause no warning."""
    cascade = plan(f"| A | a | x | - |\n\n{other}\n")
    assert list(cascade.tasks) == ["A"]
    assert cascade.warnings == ()


def test_an_overview_beside_task_tables_is_ignored_with_a_warning() -> None:
    """A table of phases is not a list of tasks if another table has task ids."""
    cascade = parse_text(
        f"# P\n| Phase | Scope | Depends on |\n|---|---|---|\n| 1 | x | - |\n\n{HEAD}| A | a | x | - |", "p"
    )
    assert list(cascade.tasks) == ["A"]
    assert [(w.line, "'Phase'" in w.message) for w in cascade.warnings] == [(2, True)]


@pytest.mark.parametrize(
    ("column", "cell", "field", "value"),
    [
        ("Agent", "`claude`", "agent", "claude"),
        ("Agent", "-", "agent", None),
        ("Model", "opus", "model", "opus"),
        ("Command", "`make test`", "command", "make test"),
        ("Command", "make  test >out", "command", "make  test >out"),
        ("Command", "`grep a \\| wc -l`", "command", "grep a | wc -l"),
        ("Command", "`` echo `date` ``", "command", "echo `date`"),
        ("Command", "echo '<b>' \\| cat", "command", "echo '<b>' | cat"),
        ("Command", "`echo '<!-- x -->'`", "command", "echo '<!-- x -->'"),
        ("Command", "none", "command", None),
        ("Outputs", "`a b.txt`, src/c.py (new), ./d/", "outputs", ("a b.txt", "src/c.py", "./d/")),
        ("Files", "several modules, src/a.py, `b`", "files", ("src/a.py", "b")),
        ("Files", "src/**, `*.md` (new)<br>Makefile, tests", "files", ("src/**", "*.md", "Makefile")),
        ("Files", "src/a.py:10-20, b.py:7", "files", ("src/a.py", "b.py")),
        ("Touches", "-", "files", ()),
        ("Tree", "project", "tree", "project"),
        ("Tree", "`Project`", "tree", "project"),
        ("Worktree", "own", "tree", ""),
        ("Tree", "", "tree", ""),
        ("Locks", "db, `schema`,db", "locks", ("db", "schema")),
        ("Timeout", "30s", "timeout", 30.0),
        ("Timeout", "1.5h", "timeout", 5400.0),
        ("Timeout", "2h30m", "timeout", 9000.0),
        ("Timeout", "90", "timeout", 90.0),
        ("Timeout", "250ms", "timeout", 0.25),
        ("Duration", "2d", "duration", 172800.0),
        ("Duration", "0.5s", "duration", 0.5),
        ("Estimate", "0.25d (1 pt)", "duration", 21600.0),
        ("Estimate", "4 hours", "duration", 14400.0),
        ("Estimate", "2 pts", "duration", None),
        ("Effort", "3-5 hours", "duration", None),
        ("Est", "3", "duration", None),
        ("Retries", "2", "retries", 2),
        ("Retries", "0", "retries", 0),
        ("Priority", "P0", "priority", 2),
        ("Priority", "low", "priority", -1),
        ("Priority", "-7", "priority", -7),
        ("Approval", "yes", "approval", "yes"),
        ("Approval", "Before", "approval", "before"),
        ("Approval", "after", "approval", "after"),
        ("Approval", "no", "approval", ""),
        ("Approval", "", "approval", ""),
        ("CPU", "0.5", "cpu", 0.5),
        ("Memory", "512MB", "memory", 512_000_000),
        ("RAM", "2GiB", "memory", 2 << 30),
    ],
)
def test_optional_columns_fill_their_fields(column: str, cell: str, field: str, value: object) -> None:
    """Each optional column is read in the usual forms; an empty cell means the default."""
    head = f"| Task ID | Task Name | Depends On | {column} |\n|---|---|---|---|\n"
    cascade = plan(f"| A | a | - | {cell} |", head)
    assert getattr(cascade.tasks["A"], field) == value
    assert cascade.warnings == ()


def test_criteria_of_a_cell_are_split_outside_of_code() -> None:
    """`;` and `<br>` separate criteria, but not inside a command."""
    head = "| Task ID | Depends On | Acceptance Criteria |\n|---|---|---|\n"
    task = plan("| A | - | `make a; make b` passes; shows `x;y`<br>works |", head).tasks["A"]
    assert [(c.text, c.command, c.line) for c in task.criteria] == [
        ("`make a; make b` passes", "make a; make b", 5),
        ("shows `x;y`", None, 5),
        ("works", None, 5),
    ]


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("`pytest -q`", "pytest -q"),
        ("`make`", "make"),
        ("`make` passes", "make"),
        ("`pytest -q` passes on Linux", "pytest -q"),
        ("`test -f out.txt`.", "test -f out.txt"),
        ("`CI=1 npm test` is green", "CI=1 npm test"),
        ("`grep -q done log.txt` finds the line", "grep -q done log.txt"),
        ("Tests pass: `uv run pytest tests/`", "uv run pytest tests/"),
        ("Run `make`, then look", "make"),
        ("check: `make lint`", "make lint"),
        ("Verify: `make`", "make"),
        ("the command `./x` prints 3", "./x"),
        ("$ `ls`", "ls"),
        ("`src/db.py` exists", None),
        ("`to_dict()` returns all fields", None),
        ('`KIND = "a"` was added', None),
        ("`class Foo` is public", None),
        ("`import x` is gone", None),
        ("`GET /items/{id}` answers 404", None),
        ("`readOnly: boolean` is a prop", None),
        ("`list[A] | None` is accepted", None),
        ("All tests in `tests/` pass", None),
        ("Exports: `parse_text`", None),
        ("Uses `rm -rf build` nowhere", None),
        ("no code at all", None),
        ("`` is empty", None),
    ],
)
def test_only_code_that_should_run_becomes_a_command(text: str, command: str | None) -> None:
    """A file name, an identifier or a signature in backticks is never run."""
    task = plan(f"| A | a | x | - |\n\n#### A\n- [ ] {text}\n").tasks["A"]
    assert [(c.text, c.command, c.line) for c in task.criteria] == [(text, command, 8)]


def test_a_section_holds_the_long_text_and_the_criteria() -> None:
    """The text runs to the next heading of its level; boxes count outside of fences, with their lines."""
    text = f"""\
# P
## B
### G
{HEAD}| A | a | x | - |
| B-2 | b | x | A |

#### A: First
Do **this**.

- [ ] one
  and more
* [x] two

##### Detail

| Key | Value |
|---|---|
| a | b |

```
#### B-2
- [ ] no box
```
#### Task `B-2` - second
- [ ] three
#### Notes
not of B
### H
{HEAD}| C | c | x | - |
"""
    tasks = parse_text(text, "p").tasks
    details = tasks["A"].details
    assert details.startswith("Do **this**.")
    assert details.endswith("- [ ] no box\n```")
    assert [(c.text, c.line) for c in tasks["A"].criteria] == [("one and more", 12), ("two", 14)]
    assert tasks["B-2"].details == "- [ ] three"
    assert [(t.id, t.group) for t in tasks.values()] == [("A", "G"), ("B-2", "G"), ("C", "H")]


def test_a_heading_above_a_table_is_a_group_even_if_it_names_a_task() -> None:
    """`### 2 Backend` above a table is a group, even if a task has the id 2."""
    text = f"# P\n### 1 Front\n{HEAD}| 1 | a | x | - |\n### 2 Back\n{HEAD}| 2 | b | x | 1 |\n### 2\nlong text\n"
    tasks = parse_text(text, "p").tasks
    assert [t.group for t in tasks.values()] == ["1 Front", "2 Back"]
    assert [t.details for t in tasks.values()] == ["", "long text"]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("| B | name | `a|b` and `c` | A |", ("name", "`a|b` and `c`", ("A",))),
        ("| B | name | `a \\| b` | A |", ("name", "`a | b`", ("A",))),
        ("| B | name | one|two|three | A |", ("name", "one|two|three", ("A",))),
        ("| B | name | text | A | ✓ COMPLETE |", ("name", "text", ("A",))),
        ("| B | name | text | A | |", ("name", "text", ("A",))),
        ("| B | name |", ("name", "", ())),
        ("B | name | text | A", ("name", "text", ("A",))),
        ("| B | [name](b.md) | text <!-- no --> | A |", ("name", "text", ("A",))),
    ],
)
def test_rows_with_stray_pipes_are_repaired(row: str, expected: tuple[str, str, tuple[str, ...]]) -> None:
    """In a row with too many cells the id counts from the left and the dependencies from the right."""
    task = plan(f"| A | a | x | - |\n{row}").tasks["B"]
    assert (task.name, task.description, task.depends_on) == expected


def test_a_repaired_row_is_reported() -> None:
    """A note says that the pipe was read as text."""
    (warning,) = plan("| B | name | one|two | - |").warnings
    assert (warning.line, "5 cells" in warning.message, "\\|" in warning.hint) == (5, True, True)


def test_rows_after_an_empty_line_still_count() -> None:
    """An empty line inside a table loses no task."""
    cascade = plan("| A | a | x | - |\n\n| B | b | x | A |\n\n\n| C | c | x | B |")
    assert list(cascade.tasks) == ["A", "B", "C"]
    assert [w.line for w in cascade.warnings] == [7, 10]


def test_each_unused_column_is_reported_once() -> None:
    """An unused column is reported once, however many tables have it."""
    table = "| Task ID | Depends On | Owner | Week |\n|---|---|---|---|\n"
    cascade = parse_text(f"# P\n{table}| A | - | me | 1 |\n\n{table}| B | - | me | 1 |", "p")
    assert [w.message for w in cascade.warnings] == ["the column 'Owner' is not used", "the column 'Week' is not used"]


def test_a_plan_is_read_from_a_file(tmp_path: Path) -> None:
    """A path may be a string or a Path; the file's name replaces a missing title."""
    path = tmp_path / "weekend.md"
    path.write_text(f"{HEAD}| A | a | x | - |\n", encoding="utf-8")
    assert parse_cascade(path).name == "weekend"
    assert parse_cascade(str(path)).path == str(path)


def test_messages_show_a_strange_path_safely() -> None:
    """The plan keeps its real path; problems show it without control characters."""
    text = "| Task ID | Depends On | Owner |\n|---|---|---|\n| A | - | me |"
    cascade = parse_text(text, "a\x1b[2J\nb.md")
    assert cascade.path == "a\x1b[2J\nb.md"
    assert [w.path for w in cascade.warnings] == ["a\ufffdb.md"]
