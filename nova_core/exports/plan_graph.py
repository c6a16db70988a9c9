"""Draws a plan's graph as plain text, Mermaid, Graphviz DOT or JSON: pure functions from a plan to a string."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum

import msgspec

from nova_core.errors import UsageError
from nova_core.model import Task
from nova_core.parser.cascade import Cascade
from nova_core.state.schema import TaskStatus
from nova_core.text import clean, number_of

WIDTH = 80
_MARKS = {
    TaskStatus.PENDING: " ",
    TaskStatus.IN_PROGRESS: ">",
    TaskStatus.COMPLETED: "x",
    TaskStatus.FAILED: "!",
}
_COLOURS = {
    TaskStatus.PENDING: "#e5e7eb",
    TaskStatus.IN_PROGRESS: "#bfdbfe",
    TaskStatus.COMPLETED: "#bbf7d0",
    TaskStatus.FAILED: "#fecaca",
}
# Mermaid has no backslash escapes: inside quotes it takes `#code;`, and reads a leading backtick as Markdown.
_MERMAID = str.maketrans({char: f"#{ord(char)};" for char in '#"&<>`;\\[]{}()|'})
_DOT = str.maketrans({"\\": "\\\\", '"': '\\"'})

Statuses = Mapping[str, str]


class Format(StrEnum):
    """The output formats of a graph."""

    ASCII = "ascii"
    MERMAID = "mermaid"
    DOT = "dot"
    JSON = "json"


class _Node(msgspec.Struct, frozen=True):
    id: str
    name: str
    branch: str
    group: str
    depends_on: tuple[str, ...]
    depth: int
    status: str


class _Graph(msgspec.Struct, frozen=True):
    name: str
    depth: int
    tasks: list[_Node]


def render(cascade: Cascade, fmt: str, statuses: Statuses | None = None) -> str:
    """The graph of `cascade` as text without a final line break; `fmt` is one of `Format`, `statuses` are by id.

    Raises `UsageError` for another format.
    """
    try:
        draw = _RENDERERS[Format(fmt)]
    except ValueError:
        known = ", ".join(Format)
        raise UsageError(f"unknown graph format: {clean(str(fmt))[:40]}", hint=f"choose one of {known}") from None
    return draw(cascade, statuses or {})


def render_ascii(cascade: Cascade, statuses: Statuses) -> str:
    """One line per task in layers: everything a task waits for is in a layer above it. At most `WIDTH` columns."""
    layers: list[list[Task]] = [[] for _ in range(cascade.dag.depth)]
    for task in cascade.tasks.values():
        layers[cascade.dag.get_task_depth(task.id)].append(task)
    column = min(24, max(map(len, cascade.tasks), default=0))
    lines = [_cut(_one_line(cascade.name), WIDTH)]
    for depth, layer in enumerate(layers):
        lines += ["", f"layer {depth} ({number_of(len(layer), 'task')})"]
        lines += [_ascii_line(task, statuses, column) for task in layer]
    return "\n".join(lines)


def _ascii_line(task: Task, statuses: Statuses, column: int) -> str:
    mark = _MARKS[_status(task, statuses)]
    start = f"  [{mark}] {task.id:<{column}}  "
    room = WIDTH - len(start)
    name, after = _one_line(task.name), _ascii_dependencies(task, max(room // 2, 12))
    if not after:
        return start + _cut(name, room)
    return f"{start}{_cut(name, room - len(after) - 2)}  {after}"


def _ascii_dependencies(task: Task, room: int) -> str:
    """`<- F1, F2, +3`: as many ids as fit into `room` columns, and the number of the others."""
    if not task.depends_on:
        return ""
    text, rest = f"<- {task.depends_on[0]}", len(task.depends_on) - 1
    for task_id in task.depends_on[1:]:
        longer = f"{text}, {task_id}"
        if len(longer) + 6 > room:
            break
        text, rest = longer, rest - 1
    return _cut(f"{text}, +{rest}" if rest else text, max(room, 12))


def _cut(text: str, width: int) -> str:
    """`text` in at most `width` columns; wide characters (Chinese, emoji) take two."""
    if len(text) <= width and text.isascii():
        return text
    from unicodedata import east_asian_width  # only for names beyond ASCII

    kept: list[str] = []
    used = 0
    for char in text:
        columns = 2 if east_asian_width(char) in "WF" else 1
        if used + columns > width:
            while kept and used > width - 2:
                used -= 2 if east_asian_width(kept.pop()) in "WF" else 1
            return "".join(kept).rstrip() + ".."
        kept.append(char)
        used += columns
    return text


def render_mermaid(cascade: Cascade, statuses: Statuses) -> str:
    """A Mermaid flowchart. Nodes are `n0`, `n1`, ...: task ids may be keywords of its grammar, such as `end`."""
    lines = ["flowchart LR"]
    index = cascade.dag.index
    for number, (title, ids) in enumerate(_groups(cascade)):
        lines.append(f'  subgraph g{number}["{_mermaid(title)}"]')
        for task_id in ids:
            task = cascade.tasks[task_id]
            lines.append(f'    n{index[task_id]}["{_mermaid(_label(task))}"]{_mermaid_class(task, statuses)}')
        lines.append("  end")
    lines += [f"  n{index[d]} --> n{index[t.id]}" for t in cascade.tasks.values() for d in t.depends_on]
    if statuses:
        lines += [f"  classDef {status} fill:{colour},color:#111827" for status, colour in _COLOURS.items()]
    return "\n".join(lines)


def _mermaid(text: str) -> str:
    return _one_line(text).translate(_MERMAID)


def _mermaid_class(task: Task, statuses: Statuses) -> str:
    return f":::{_status(task, statuses)}" if statuses else ""


def render_dot(cascade: Cascade, statuses: Statuses) -> str:
    """A Graphviz digraph, one cluster per group."""
    lines = [f'digraph "{_dot(cascade.name)}" {{', "  rankdir=LR;", '  node [shape=box, style="rounded,filled"];']
    for number, (title, ids) in enumerate(_groups(cascade)):
        lines += [f"  subgraph cluster_{number} {{", f'    label="{_dot(title)}";']
        lines += [_dot_node(cascade.tasks[task_id], statuses) for task_id in ids]
        lines.append("  }")
    lines += [f'  "{d}" -> "{t.id}";' for t in cascade.tasks.values() for d in t.depends_on]
    return "\n".join([*lines, "}"])


def _dot_node(task: Task, statuses: Statuses) -> str:
    colour = _COLOURS[_status(task, statuses)] if statuses else "#ffffff"
    return f'    "{task.id}" [label="{_dot(_label(task))}", fillcolor="{colour}"];'


def _dot(text: str) -> str:
    return _one_line(text).translate(_DOT)


def render_json(cascade: Cascade, statuses: Statuses) -> str:
    """A JSON object with the tasks in plan order, each with its dependencies and its depth (0 for a root)."""
    tasks = [
        _Node(
            task.id,
            _one_line(task.name),
            _one_line(task.branch),
            _one_line(task.group),
            task.depends_on,
            cascade.dag.get_task_depth(task.id),
            _status(task, statuses),
        )
        for task in cascade.tasks.values()
    ]
    encoded = msgspec.json.encode(_Graph(_one_line(cascade.name), cascade.dag.depth, tasks))
    return msgspec.json.format(encoded, indent=2).decode()


def _groups(cascade: Cascade) -> list[tuple[str, tuple[str, ...]]]:
    """Every group with its title: `Branch / Group`, or one name if they are equal."""
    return [
        (branch if branch == group else f"{branch} / {group}", ids)
        for branch, groups in cascade.branches.items()
        for group, ids in groups.items()
    ]


def _label(task: Task) -> str:
    return task.id if task.name == task.id else f"{task.id}: {task.name}"


def _status(task: Task, statuses: Statuses) -> TaskStatus:
    return TaskStatus(statuses.get(task.id, TaskStatus.PENDING))


def _one_line(text: str) -> str:
    return " ".join(clean(text).split())


_RENDERERS: Mapping[Format, Callable[[Cascade, Statuses], str]] = {
    Format.ASCII: render_ascii,
    Format.MERMAID: render_mermaid,
    Format.DOT: render_dot,
    Format.JSON: render_json,
}
