"""A plan that is written as CASCADE.md is read back as the same plan, whatever its texts contain."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nova_core.dag import DAG
from nova_core.errors import InputError
from nova_core.importers.write import to_markdown
from nova_core.model import Criterion, Task
from nova_core.parser import Cascade, parse_text
from nova_core.parser.cascade import branches_of
from nova_core.parser.criteria import read_criterion

HOSTILE = [
    "|", "\\|", "\\", "\n", "\r\n", "`", "``", "*", "**", "_", "~~", "[", "](x)", "<br>", "<!--", "-->", "#", " # ",
    ";", ",", "(", ")", "- [ ] x", "```", "~~~", "# H", "## L1: A", "#### A1", "| Task ID | Task Name | Depends On |",
    "|---|---|---|", "| A1 | x | - |", "L1:", "L2: ", "none", "-", ":", " ", "a", "B", "é", "✓", "\0", "\u2028",
    "\ufeff", "---", "> ", "    ", "\t", "make test", "run ", "\ud800",
]  # fmt: skip
TEXT = st.lists(st.sampled_from(HOSTILE), max_size=8).map("".join)
LINE = TEXT.map(lambda text: " ".join(text.replace("\0", "").replace("\ud800", "").split()))
PATHS = st.lists(st.sampled_from(["a.txt", "b/c d.md", "**/*.py", "*/*", "x,y", "a(b).c", "none", "_x_", "[a].b", "-"]),
                 unique=True, max_size=3).map(tuple)  # fmt: skip
SECONDS = st.one_of(st.none(), st.sampled_from([0.1, 1.0, 90.5, 0.333333, 86400.0, 1e7]))


def criterion(text: str) -> Criterion:
    return read_criterion(text, 0)


FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "name": TEXT,
    "description": TEXT,
    "details": st.lists(TEXT, max_size=5).map("\n".join),
    "criteria": st.lists(LINE.filter(bool).map(criterion), max_size=3).map(tuple),
    "command": st.one_of(st.none(), LINE.filter(bool)),
    "agent": st.sampled_from([None, "claude", "claude, codex", "a_b_*"]),
    "model": st.sampled_from([None, "x/y-1.5", "`m`"]),
    "outputs": PATHS,
    "inputs": PATHS,
    "timeout": SECONDS,
    "duration": SECONDS,
    "retries": st.sampled_from([None, 0, 3, 1000]),
    "priority": st.integers(-99999, 99999),
    "locks": st.sampled_from([(), ("db",), ("a b", "c,d"), ("none",)]),
    "approval": st.sampled_from(("", "yes", "before", "after")),
    "cpu": st.sampled_from([0.0, 0.5, 4.0]),
    "memory": st.sampled_from([0, 1, 2**30]),
    "budget": st.sampled_from([None, 2.5, 0.01, 100000.0]),
    "terminal": st.sampled_from([None, True, False]),
    "files": st.sampled_from([(), ("src/a.py",), ("src/**/*.py", "a b.md"), ("Makefile", "none", "x,y"), ("src",)]),
    "tree": st.sampled_from(["", "project"]),
    "gate": st.booleans(),
}
STATES = st.sampled_from(
    [("", False), ("done", False), ("✅", False), ("Won't do", True), ("struck out", True), ("passes", False)]
)


@st.composite
def cascades(draw: st.DrawFn, *names: str) -> Cascade:
    """A plan of a few tasks that have some of these fields set."""
    ids = ["A1", "no", "t-2.1", "01-x/02-y", "Done", "task", "x_y"][: draw(st.integers(1, 7))]
    tasks = {}
    for at, task_id in enumerate(ids):
        fields = {field: draw(FIELDS[field]) for field in names}
        settled, dropped = draw(STATES)
        needs = tuple(draw(st.lists(st.sampled_from(ids[:at]), unique=True))) if at else ()
        group, branch = draw(LINE), draw(LINE)
        tasks[task_id] = Task(task_id, fields.pop("name", ""), depends_on=needs, group=group, branch=branch,
                              settled=settled, dropped=dropped, **fields)  # fmt: skip
    name = draw(LINE.filter(bool))
    return Cascade(
        name, "p.md", tasks, DAG({i: t.depends_on for i, t in tasks.items()}), (), branches_of(tasks.values())
    )


def same(cascade: Cascade) -> Cascade:
    """The plan read back, after all that must be equal exactly was compared."""
    text = to_markdown(cascade)
    text.encode()
    back = parse_text(text, "p.md")
    assert back.name == cascade.name
    assert list(back.tasks) == list(cascade.tasks)
    for task_id, task in cascade.tasks.items():
        found = back.tasks[task_id]
        branch = task.branch or cascade.name
        assert (found.depends_on, found.branch, found.group) == (task.depends_on, branch, task.group or branch)
        assert (bool(found.settled), found.dropped) == (bool(task.settled), task.dropped)
    assert to_markdown(back) == text
    return back


@given(cascades())
def test_graph_and_headings(cascade: Cascade) -> None:
    """Ids, dependencies, branches, groups and their order are read back, whatever the names of groups."""
    same(cascade)


@given(cascades("command", "agent", "model", "outputs", "inputs", "timeout", "retries", "priority"))
def test_columns(cascade: Cascade) -> None:
    """Every optional field is read back exactly; commands, which are run, matter most."""
    back = same(cascade)
    for task_id, task in cascade.tasks.items():
        found = back.tasks[task_id]
        for field in ("agent", "model", "outputs", "inputs", "timeout", "retries", "priority"):
            assert getattr(found, field) == getattr(task, field), field
        assert found.command in (task.command, f"{task.command};")


@given(cascades("locks", "approval", "cpu", "memory", "budget", "gate", "duration"))
def test_more_columns(cascade: Cascade) -> None:
    """The rarer fields, too."""
    back = same(cascade)
    for task_id, task in cascade.tasks.items():
        found = back.tasks[task_id]
        for field in ("locks", "approval", "cpu", "memory", "budget", "gate", "duration"):
            assert getattr(found, field) == getattr(task, field), field


@given(cascades("name", "description", "details", "criteria", "command"))
def test_texts(cascade: Cascade) -> None:
    """Hostile texts change neither the graph nor the criteria, and no text is lost."""
    back = same(cascade)
    for task_id, task in cascade.tasks.items():
        found = back.tasks[task_id]
        assert [(c.text, c.command) for c in found.criteria] == [(c.text, c.command) for c in task.criteria]
        assert found.command in (task.command, f"{task.command};")
        name = " ".join(task.name.replace("\0", "\ufffd").replace("\ud800", "\ufffd").split())
        assert " ".join(found.name.replace("'", "`").split()) in (name.replace("'", "`") or task_id,)
        kept = found.details.splitlines()
        lines = task.details.replace("\0", "\ufffd").replace("\ud800", "\ufffd").splitlines()
        assert [line.strip() for line in lines if line.strip() and line.strip() not in map(str.strip, kept)] == []


def cascade_of(*tasks: Task) -> Cascade:
    found = {task.id: task for task in tasks}
    return Cascade("P", "p.md", found, DAG({t.id: t.depends_on for t in tasks}), (), branches_of(tasks))


@pytest.mark.parametrize(
    ("details", "criteria", "expected"),
    [
        ("Plain.\n\n    code", (), "Plain.\n\n    code"),
        ("```sh\n# code\n- [ ] no\n```", (), "```sh\n# code\n- [ ] no\n```"),
        ("##### Deep\ntext", (), "##### Deep\ntext"),
        ("| a | b |\n|---|---|\n| c | d |", (), "| a | b |\n|---|---|\n| c | d |"),
        ("---\na: b\n---", (), "---\na: b\n---"),
        ("# Head", (), "```text\n# Head\n```"),
        ("#### A", (), "```text\n#### A\n```"),
        ("##### B more", (), "```text\n##### B more\n```"),
        ("<!-- note -->", (), "```text\n<!-- note -->\n```"),
        ("````\nopen", (), "`````text\n````\nopen\n`````"),
        ("- [ ] step", (), "```text\n- [ ] step\n```"),
        ("- [ ] step", (criterion("step"),), "- [ ] step"),
        ("- [ ] step", (criterion("a; b"), criterion("step")), "- [ ] a; b\n\n- [ ] step"),
        ("| Task ID | Task Name | Depends On |\n|---|---|---|\n| Z | z | - |", (),
         "```text\n| Task ID | Task Name | Depends On |\n|---|---|---|\n| Z | z | - |\n```"),
    ],
)  # fmt: skip
def test_details(details: str, criteria: tuple[Criterion, ...], expected: str) -> None:
    """Details are unchanged unless they would be read as something else; then they are in a fence."""
    back = same(cascade_of(Task("A", "a", details=details, criteria=criteria), Task("B", "b")))
    assert back.tasks["A"].details == expected
    assert [c.text for c in back.tasks["A"].criteria] == [c.text for c in criteria]
    assert len(back.tasks) == 2


def test_only_columns_that_are_used() -> None:
    """A plan without commands has no column for them."""
    assert to_markdown(cascade_of(Task("A", "a", "x"), Task("B", "b", "y", ("A",), priority=1))) == (
        "# P\n\n| Task ID | Task Name | What Changes | Depends On | Priority |\n|---|---|---|---|---|\n"
        "| A | a | x | - | - |\n| B | b | y | A | 1 |\n"
    )


def test_groups_in_plan_order() -> None:
    """A group whose tasks are apart appears twice, and is one group again when it is read."""
    tasks = [
        Task(i, i, group=g, branch=b)
        for i, g, b in (("A", "g", "b"), ("B", "h", "b"), ("C", "g", "b"), ("D", "b", "b"))
    ]
    back = same(cascade_of(*tasks))
    assert back.branches == {"b": {"g": ("A", "C"), "h": ("B",), "b": ("D",)}}


def test_what_is_missing_is_an_error_until_it_is_fixed() -> None:
    """An unresolved name stays where it was, and never becomes a dependency on something else."""
    plan = cascade_of(Task("A-1", "a"), Task("A-2", "b", depends_on=("A-1",), missing=("design doc", "1", "the a|b")))
    text = to_markdown(plan)
    assert "| A-1, design doc, missing: 1, the a\\|b |" in text
    with pytest.raises(InputError, match="design doc"):
        parse_text(text, "p.md")
    back = parse_text(text, "p.md", lenient=True)
    assert (back.tasks["A-2"].depends_on, back.tasks["A-2"].missing) == (
        ("A-1",),
        ("design doc", "missing: 1", "the a|b"),
    )
    assert to_markdown(back) == text


@pytest.mark.parametrize(
    ("given_one", "expected"),
    [
        (Criterion("x", "make"), "Run `make` (x)"),
        (Criterion("", "make"), "`make`"),
        (Criterion("`make` passes", None), "'make' passes"),
        (Criterion("two\nlines"), "two lines"),
    ],
)
def test_criteria_whose_text_does_not_say_their_command(given_one: Criterion, expected: str) -> None:
    """The text is written so that it gives the same command: a check is neither lost nor invented."""
    back = same(cascade_of(Task("A", "a", criteria=(given_one,))))
    assert [(c.text, c.command) for c in back.tasks["A"].criteria] == [(expected, given_one.command)]


def test_a_command_of_several_lines() -> None:
    """The command becomes one line with the same meaning to a shell."""
    import subprocess

    script = "echo 'a b'\nif true; then\n  printf '%s\\n' \"100%\" '\\n'\nfi"
    command = parse_text(to_markdown(cascade_of(Task("A", "a", command=script))), "p.md").tasks["A"].command
    assert command
    assert "\n" not in command
    run = [
        subprocess.run(["/bin/sh", "-c", line], capture_output=True, check=True).stdout for line in (script, command)
    ]
    assert run[0] == run[1]


def test_every_field_of_a_task_is_written_or_has_no_place() -> None:
    """A new field of Task must be written here, too."""
    written = {"id", "depends_on", "group", "branch", "settled", "dropped", "missing", *FIELDS}
    assert set(msgspec.structs.asdict(Task("A", "a"))) - written == {"line", "file", "workspace", "barriers"}
