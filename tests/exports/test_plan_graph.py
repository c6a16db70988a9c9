"""Pictures of a plan: layers of text, Mermaid, DOT and JSON, with names that try to break the format."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nova_core.errors import UsageError
from nova_core.exports.plan_graph import WIDTH, Format, render
from nova_core.parser import Cascade, parse_text

HEAD = "| Task ID | Task Name | What Changes | Depends On |\n|---|---|---|---|\n"
NASTY = '"] --> x; `end` #quot; <b> {a} \\" \x1b[31m\u202e\\'


def plan(name: str = "Name") -> Cascade:
    """A diamond whose title, group and first task carry `name`."""
    rows = f"| A | {name} | x | - |\n| B | b | x | A |\n| end | c | x | A |\n| D | d | x | B, end |\n"
    return parse_text(f"# Project {name}\n## Branch\n### Group {name}\n{HEAD}{rows}", "p.md")


def test_ascii_shows_layers_with_marks_and_dependencies() -> None:
    """Each layer lists its tasks in plan order, each with its status and its dependencies."""
    statuses = {"A": "completed", "B": "in_progress", "end": "failed"}
    assert render(plan(), "ascii", statuses).splitlines() == [
        "Project Name",
        "",
        "layer 0 (1 task)",
        "  [x] A    Name",
        "",
        "layer 1 (2 tasks)",
        "  [>] B    b  <- A",
        "  [!] end  c  <- A",
        "",
        "layer 2 (1 task)",
        "  [ ] D    d  <- B, end",
    ]


@pytest.mark.parametrize("name", ["n" * 300, "漢字" * 80, "x", "🚀" * 60])
def test_ascii_fits_a_terminal(name: str) -> None:
    """Long names, wide characters and hundreds of dependencies stay within 80 columns."""
    from rich.cells import cell_len

    rows = "".join(f"| T{i:03} | {name} | x | {', '.join(f'T{j:03}' for j in range(i))} |\n" for i in range(120))
    lines = render(parse_text(f"# {name}\n{HEAD}{rows}", "p"), "ascii").splitlines()
    assert len(lines) == 1 + 120 * 3
    assert max(map(cell_len, lines)) <= WIDTH
    assert "+" in lines[-1]


@pytest.mark.parametrize("fmt", list(Format))
@pytest.mark.parametrize("statuses", [None, {"A": "completed"}])
def test_no_form_passes_control_characters_on(fmt: Format, statuses: dict[str, str] | None) -> None:
    """An escape sequence or a direction mark in a name reaches no terminal and no other program."""
    text = render(plan(NASTY), fmt, statuses)
    assert all(line.isprintable() for line in text.splitlines())


def test_mermaid_names_cannot_break_out() -> None:
    """Every label stays inside its quotes, and no id is a keyword of the grammar."""
    lines = render(plan(NASTY), "mermaid", {"A": "failed"}).splitlines()
    assert lines[0] == "flowchart LR"
    patterns = [
        r'  subgraph g0\["[^"\[\]<>`{}()|\\]*"\]',
        r'    n\d\["[^"\[\]<>`{}()|\\]*"\]:::(?:pending|failed)',
        r"  end",
        r"  n\d --> n\d",
        r"  classDef \w+ fill:#[0-9a-f]{6},color:#111827",
    ]
    assert all(any(re.fullmatch(pattern, line) for pattern in patterns) for line in lines[1:])
    assert [line for line in lines if "-->" in line] == ["  n0 --> n1", "  n0 --> n2", "  n1 --> n3", "  n2 --> n3"]
    assert "#35;quot#59;" in lines[2]


def test_dot_names_cannot_break_out() -> None:
    """Quotes and backslashes are escaped, so each line is one statement."""
    lines = render(plan(NASTY), "dot").splitlines()
    string = r'"(?:[^"\\]|\\["\\])*"'
    patterns = [
        rf"digraph {string} \{{",
        r"  rankdir=LR;",
        r'  node \[shape=box, style="rounded,filled"\];',
        r"  subgraph cluster_0 \{",
        rf"    label={string};",
        rf'    {string} \[label={string}, fillcolor="#ffffff"\];',
        rf"  {string} -> {string};",
        r"  \}",
        r"\}",
    ]
    assert [line for line in lines if not any(re.fullmatch(pattern, line) for pattern in patterns)] == []
    assert [line for line in lines if re.fullmatch(patterns[6], line)] == [
        '  "A" -> "B";',
        '  "A" -> "end";',
        '  "B" -> "D";',
        '  "end" -> "D";',
    ]


def test_json_holds_the_graph() -> None:
    """The JSON form names every task with its place, dependencies, depth and status."""
    graph = json.loads(render(plan(), "json", {"A": "completed"}))
    assert (graph["name"], graph["depth"]) == ("Project Name", 3)
    assert graph["tasks"][0] == {
        "id": "A",
        "name": "Name",
        "branch": "Branch",
        "group": "Group Name",
        "depends_on": [],
        "depth": 0,
        "status": "completed",
    }
    assert [(t["id"], t["depends_on"], t["depth"], t["status"]) for t in graph["tasks"][1:]] == [
        ("B", ["A"], 1, "pending"),
        ("end", ["A"], 1, "pending"),
        ("D", ["B", "end"], 2, "pending"),
    ]


def test_an_unknown_form_names_the_known_ones() -> None:
    """A mistyped format is a usage error that lists the choices."""
    with pytest.raises(UsageError, match="svg") as raised:
        render(plan(), "svg")
    assert raised.value.hint == "choose one of ascii, mermaid, dot, json"


@given(st.text(max_size=40).filter(lambda text: not set(text) & set("\0\n\r|")))
def test_json_is_valid_for_any_name(name: str) -> None:
    """Whatever a task is called, the JSON form can be read back."""
    graph = json.loads(render(parse_text(f"{HEAD}| A | x{name} | x | - |", "p"), "json"))
    assert graph["tasks"][0]["id"] == "A"
