"""Tasks that will change the same files: found in their rows and their texts, named, and kept apart."""

from __future__ import annotations

import re
from fnmatch import translate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nova_core.config import Config
from nova_core.config.git import GitConfig
from nova_core.model import Task
from nova_core.parser import Cascade, parse_text
from nova_core.plan.check import find_warnings
from nova_core.plan.overlaps import with_file_locks
from nova_core.plan.phases import with_settings
from nova_core.plan.touched import meet, named_in, touched

HEAD = (
    "| Task ID | Depends On | What Changes | Files | Command | Locks | Outputs | Tree | Status |\n" + "|---" * 9 + "|\n"
)


def plan(*rows: str) -> Cascade:
    """A plan of rows without outer pipes, each filled up with empty cells."""
    return parse_text(HEAD + "\n".join(f"| {row}{' |' * (9 - row.count('|'))}" for row in rows), "p.md")


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("src/a.py", "src/a.py", True),
        ("src/a.py", "src/b.py", False),
        ("src", "src/a.py", True),
        ("src/a", "src/ab", False),
        ("src/*", "src/a.py", True),
        ("src/*", "src/deep/a.py", False),
        ("src/*.py", "src/a.md", False),
        ("src/**", "src/deep/er/a.py", True),
        ("**/*.py", "src/deep/a.py", True),
        ("**/*.py", "a.py", True),
        ("**/*.py", "src/*.md", False),
        ("src/*_test.py", "src/a*", True),
        ("src/[ab].py", "src/a.py", True),
        ("a?.py", "ab.py", True),
        ("*.py", "src/a.py", False),
        ("docs/**/x.md", "docs/*", True),
        ("**", "anything/at/all", True),
        ("/".join(["**"] * 40), "/".join(["*a*"] * 40), True),
    ],
)
def test_paths_and_patterns_that_can_mean_the_same_file(one: str, other: str, expected: bool) -> None:
    """A folder means all that is in it, `**` any number of folders; the order does not matter."""
    assert meet(one, other) is expected
    assert meet(other, one) is expected


@given(st.text("ab*?", min_size=1, max_size=6), st.text("ab", min_size=1, max_size=6))
def test_a_pattern_meets_exactly_the_names_it_matches(pattern: str, name: str) -> None:
    """The comparison of a pattern with a name agrees with that of the standard library."""
    if "**" not in pattern:
        assert meet(f"x/{pattern}", f"x/{name}") is bool(re.match(translate(pattern), name))


@pytest.mark.parametrize(
    ("text", "files"),
    [
        ("Add slugs to src/text.py", ["src/text.py"]),
        ("Update `README.md` and src/app/main.ts.", ["README.md", "src/app/main.ts"]),
        ("Read docs/spec.md and write src/a.py", ["src/a.py"]),
        ("As in src/b.py: a new `c.py`", ["c.py"]),
        ("Use src/util.py; extend src/a.py", ["src/a.py"]),
        ("Do not touch src/a.py", []),
        ("src/a.py must stay unchanged", []),
        ("Tests for src/a.py in tests/test_a.py", []),
        ("Follow https://example.org/a/b.html", []),
        ("Node.js 20, version 1.2.3, e.g. os.path and foo.bar()", []),
        ("Call `os.path.join`", []),
        ("See src/a.py. Change src/b.py.", ["src/b.py"]),
        ("Rename ../other/x.py, /etc/hosts.txt, ~/x.py", []),
        ("```\nsrc/in_code.py\n```\nFix lib/x.rs", ["lib/x.rs"]),
        ("a/b.py " * 9000, ["a/b.py"]),
        ("a+" * 40_000, []),
    ],
)
def test_files_that_a_text_says_will_be_changed(text: str, files: list[str]) -> None:
    """Paths count unless the words around them say that they are only read, or kept as they are."""
    assert named_in(text) == files


def test_what_a_task_touches() -> None:
    """`Files` replaces the text, outputs always count; the text of a command does not."""
    text = "Change src/a.py"
    assert touched(Task("A", "a", text)) == ("src/a.py",)
    assert touched(Task("A", "a", text, files=("./src/b.py",), outputs=("o.txt",))) == ("o.txt", "src/b.py")
    assert touched(Task("A", "a", text, command="make")) == ()
    assert touched(Task("A", "a", text, files=("x",), tree="project")) == ()
    assert touched(Task("A", "a", text, settled="done")) == ()
    assert touched(Task("A", "a", outputs=("x",), gate=True)) == ()


PAIRS = [
    (("A | - | | src/a.py", "B | - | | src/a.py"), ["B and A, 'src/a.py'"]),
    (("A | - | | src/a.py", "B | A | | src/a.py"), []),
    (("A | - | | src/a.py", "M | A", "B | M | | src/**"), []),
    (("A | - | | src/**", "B | - | | src/x/a.py, b.md"), ["B and A, 'src/x/a.py'"]),
    (("A | - | | src/", "B | - | | src/a.py"), ["B and A, 'src/a.py'"]),
    (("A | - | | a.py, b.py", "B | - | | b.py, a.py, c.py"), ["B and A, 'a.py' and 1 more"]),
    (("A | - | Change src/a.py", "B | - | Extend src/a.py"), ["B and A, 'src/a.py'"]),
    (("A | - | Change src/a.py", "B | - | Read src/a.py"), []),
    (("A | - | | a.py | | x", "B | - | | a.py | | x"), []),
    (("A | - | | a.py", "B | - | | a.py | | | | project"), []),
    (("A | - | | a.py", "B | - | | a.py | | | | | done"), []),
    (("A | - | | | | | o/x.txt", "B | - | | o/*"), ["B and A, 'o/x.txt'"]),
    (("A | - | | a.py", "B | - | | a.py", "C | - | | a.py"), ["B and A, 'a.py'", "C and B, 'a.py'"]),
]


@pytest.mark.parametrize(("rows", "expected"), PAIRS)
def test_pairs_that_will_change_the_same_files_are_named(rows: tuple[str, ...], expected: list[str]) -> None:
    """Only tasks that can run at the same time are named, with the file, a line and a hint."""
    found = find_warnings(plan(*rows))
    said = [w.message.replace(" can run at the same time, and both will change", ",") for w in found]
    assert said == expected
    assert all(w.warning and w.hint and w.line > 2 for w in found)


def test_two_tasks_with_one_output_are_named_once() -> None:
    """There is one warning, not another one for the same file."""
    assert len(find_warnings(plan("A | - | | | | | x.txt", "B | - | | | | | x.txt"))) == 1


def test_files_learned_from_earlier_runs() -> None:
    """They count where the plan does not name any."""
    cascade = plan("A | - | | src/a.py", "B | -", "C | - | | src/c.py")
    assert find_warnings(cascade) == ()
    learned = {"B": ("src/a.py",), "C": ("src/a.py",)}
    assert [w.message.partition(" can")[0] for w in find_warnings(cascade, learned)] == ["B and A"]


def test_many_pairs_are_counted() -> None:
    """A plan in which everything overlaps gets a short list."""
    found = find_warnings(plan(*(f"T{i} | - | | a.py" for i in range(500))))
    assert len(found) == 21
    assert found[-1].message == "and 479 more pairs of tasks that will change the same files"


def test_locks_keep_them_apart() -> None:
    """With `conflicts: avoid` such tasks have a lock in common; others, and tasks of other folders, have none."""
    cascade = plan("A | - | | src/**", "B | - | | src/b.py", "C | - | | src/c.py", "D | - | | docs/d.md | | x")
    tasks = with_file_locks(cascade).tasks
    assert {i: set(task.locks) for i, task in tasks.items()} == {
        "A": {"src/b.py", "src/c.py"}, "B": {"src/b.py"}, "C": {"src/c.py"}, "D": {"x"},
    }  # fmt: skip
    assert find_warnings(with_file_locks(cascade)) == ()
    assert with_settings(cascade, Config()).tasks["A"].locks == ()
    assert with_settings(cascade, Config(git=GitConfig(conflicts="avoid"))).tasks["B"].locks == ("src/b.py",)
