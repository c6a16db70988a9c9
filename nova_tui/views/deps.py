"""The dependency graph: rails if there are few, else waves by depth; and the tasks above and below one task."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
from textual.content import Content

from nova_core.dag import DAG
from nova_core.runs.words import Shown
from nova_core.watch.view_model import ViewModel
from nova_tui.glyphs import MUTED, TITLE, WARNING, chars, glyph, is_ascii, status, style_of
from nova_tui.views.line import Lazy, Piece, fit, line, plain, shorten

MOST_LANES = 12
_TREE = 200  # most lines of a tree
_NODE = "@"


class Row(msgspec.Struct, frozen=True):
    """A line of the graph: a task after its rails (`@` stands for its mark), or the heading of a wave."""

    task_id: str | None
    rails: str = ""
    wave: int = 0
    members: tuple[str, ...] = ()


def rows(dag: DAG, lanes: int = MOST_LANES) -> list[Row]:
    """The graph, which changes only with the plan: rails if at most `lanes` are needed side by side, else waves."""
    return rail_rows(dag, lanes) or wave_rows(dag)


def wave_rows(dag: DAG) -> list[Row]:
    """Every task below the heading of its wave; its dependencies are in the waves above."""
    waves: list[list[str]] = [[] for _ in range(dag.depth)]
    for task_id in dag.ids:
        waves[dag.get_task_depth(task_id)].append(task_id)
    found = []
    for number, ids in enumerate(waves):
        found.append(Row(None, wave=number, members=tuple(ids)))
        found += [Row(task_id, wave=number) for task_id in ids]
    return found


def rail_rows(dag: DAG, most: int) -> list[Row] | None:
    """One row per task, with a lane for each task that later rows need; None if that takes more than `most` lanes."""
    lanes: list[int | None] = []
    left = [len(below) for below in dag.dependents]
    found = []
    for node in _depth_first(dag):
        needs = dag.dependencies[node]
        for d in needs:
            left[d] -= 1
        sources = {lanes.index(d) for d in needs}
        ended = {column for column in sources if not left[_owner(lanes, column)]}
        column = min(ended) if ended else _free(lanes)
        if len(lanes) > most:
            return None
        found.append(Row(dag.ids[node], _rails(lanes, column, sources, ended)))
        for c in ended:
            lanes[c] = None
        lanes[column] = node if dag.dependents[node] else None
        while lanes and lanes[-1] is None:
            lanes.pop()
    return found


def _owner(lanes: Sequence[int | None], column: int) -> int:
    """The task that owns a lane."""
    node = lanes[column]
    assert node is not None
    return node


def _free(lanes: list[int | None]) -> int:
    """The first free column, or a new one."""
    if None not in lanes:
        lanes.append(None)
    return lanes.index(None)


def _depth_first(dag: DAG) -> Iterable[int]:
    """A topological order that continues with tasks the last one made ready, so that lanes stay short."""
    waiting = [len(deps) for deps in dag.dependencies]
    stack = [i for i in reversed(range(len(dag))) if not waiting[i]]
    while stack:
        node = stack.pop()
        yield node
        for s in reversed(dag.dependents[node]):
            waiting[s] -= 1
            if not waiting[s]:
                stack.append(s)


def _rails(lanes: Sequence[int | None], column: int, sources: set[int], ended: set[int]) -> str:
    """Two cells per lane: the node, and the lanes that pass, join it or end in it."""
    joined = {*sources, column}
    first, last = min(joined), max(joined)
    cells = ""
    for i, lane in enumerate(lanes):
        across = "─" if first <= i < last else " "
        if i == column:
            cells += _NODE + across
        elif i in sources:
            left, right = i > first, i < last
            cells += _joint(left, right, i in ended) + across
        elif lane is not None:
            cells += "│" + across
        else:
            cells += ("─" if first < i < last else " ") + across
    return cells.rstrip()


def _joint(left: bool, right: bool, ended: bool) -> str:
    """The character where a lane joins the line to the node."""
    if ended:
        return "┴" if left and right else "╯" if left else "╰"
    return "┼" if left and right else "┤" if left else "├"


_PLAIN_RAILS = str.maketrans("─│┴╯╰┼┤├", "-|''`|||")


def draw(model: ViewModel, row: Row, width: int, rails: int) -> Content:
    """One line of the graph; `rails` is the width of the widest rails."""
    if row.task_id is None:
        return _wave_head(model, row, width)
    shown = model.shown(row.task_id)
    mark = (glyph(shown), style_of(shown))
    text = row.rails.translate(_PLAIN_RAILS) if is_ascii() else row.rails
    before, _, after = text.partition(_NODE)
    pieces: list[Piece] = [" ", (before, MUTED), mark, (after, MUTED)] if row.rails else ["   ", mark]
    pieces.append(" " * (rails - len(text) + 2))
    task = model.cascade.tasks[row.task_id]
    names = max(10, min(44, (width - rails - 4) // 2))
    pieces += [fit(f"{task.id} {task.name}", names), "  ", (fit(shown.value, 14), style_of(shown))]
    if task.depends_on:
        pieces.append((f" {chars().arrow_left} {plain(', '.join(task.depends_on))}", MUTED))
    return line(*pieces, width=width)


def _wave_head(model: ViewModel, row: Row, width: int) -> Content:
    counts = dict.fromkeys(Shown, 0)
    for task_id in row.members:
        counts[model.shown(task_id)] += 1
    told: list[Piece] = []
    for shown, number in counts.items():
        if number:
            told += ["  ", (f"{glyph(shown)} {number:,} {shown.value}", style_of(shown))]
    many = "task" if len(row.members) == 1 else "tasks"
    return line((f" wave {row.wave + 1}", TITLE), (f"  {len(row.members):,} {many}", MUTED), *told, width=width)


def lines(model: ViewModel, width: int, found: Sequence[Row]) -> Sequence[Content]:
    """The lines of `rows`, drawn on access."""
    rails = max((len(row.rails) for row in found), default=0)
    return Lazy(len(found), lambda i: draw(model, found[i], width, rails))


def title(model: ViewModel, width: int) -> Content:
    """The title, with the size of the graph."""
    dag, gates = model.cascade.dag, sum(task.gate for task in model.cascade.tasks.values())
    shape = f", {dag.depth} deep" if not gates else f", {gates:,} gates"
    return line((" Dependencies", TITLE), f"  {len(dag) - gates:,} tasks{shape}", width=width)


def legend(found: Sequence[Row], width: int) -> Content:
    """The legend above the graph."""
    waves = any(row.task_id is None for row in found)
    told = "dependencies are in waves above" if waves else "a line leads to what depends on the task"
    return line((shorten(f" {told}", width), MUTED), width=width)


def tree(model: ViewModel, task_id: str, width: int, most: int = _TREE) -> list[Content]:
    """The dependents and the dependencies of the task, each as a tree; a repeated task is not expanded again."""
    dag = model.cascade.dag
    name = plain(f"{task_id} {model.cascade.tasks[task_id].name}")
    above = _branches(model, task_id, dag.dependencies, width, most)
    below = _branches(model, task_id, dag.dependents, width, most)
    none = [line(("   nothing", MUTED))]
    return [
        line((f" {name}", TITLE), "  ", status(model.shown(task_id)), width=width),
        line((f" {chars().down} is needed by", MUTED), width=width), *(below or none),
        line((f" {chars().up} needs", MUTED), width=width), *(above or none),
    ]  # fmt: skip


def _branches(model: ViewModel, task_id: str, edges: Sequence[Sequence[int]], width: int, most: int) -> list[Content]:
    """The tree below one task, in at most `most` lines; uses a stack, not recursion: a chain may have 10,000 tasks."""
    dag = model.cascade.dag
    seen: set[int] = set()
    found: list[Content] = []
    stack = _children(edges[dag.index[task_id]], "")
    while stack:
        node, indent, is_last = stack.pop()
        if len(found) >= most:
            return [*found, line((f"   {chars().ellipsis} and more", WARNING), width=width)]
        again = node in seen and bool(edges[node])
        found.append(_leaf(model, dag.ids[node], indent, is_last, again, width))
        if node not in seen:
            seen.add(node)
            stack += _children(edges[node], indent + ("  " if is_last else f"{chars().vertical} "))
    return found


def _children(nodes: Sequence[int], indent: str) -> list[tuple[int, str, bool]]:
    return [(node, indent, n == len(nodes) - 1) for n, node in reversed(list(enumerate(nodes)))]


def _leaf(model: ViewModel, task_id: str, indent: str, is_last: bool, again: bool, width: int) -> Content:
    shown, c = model.shown(task_id), chars()
    room = max(0, width // 2)
    deep = indent if len(indent) <= room else c.ellipsis + indent[-room:]
    head = f"   {deep}{c.corner if is_last else c.tee} "
    name = plain(f"{task_id} {model.cascade.tasks[task_id].name}")
    more = ("  (above)", MUTED) if again else ""
    return line(
        (head, MUTED), (f"{glyph(shown)} ", style_of(shown)), name, "  ", (shown.value, MUTED), more, width=width
    )
