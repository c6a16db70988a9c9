"""The cost of the run by branch, model and task, with tokens of each class and their rate."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence

import msgspec
from textual.content import Content

from nova_core.model import TokenUsage
from nova_core.runs.outlook import LEAST
from nova_core.runs.rollup import Rollup, rollup
from nova_core.state.schema import TaskState
from nova_core.text import costs, money, number_of, tokens
from nova_core.watch.view_model import ViewModel
from nova_tui.glyphs import ACTIVE, ERROR, MUTED, TITLE, WARNING, bar, sparkline
from nova_tui.views.line import fit, heading, line, plain

_TOP = 10
_NAMED = 60  # cells below which only totals are shown


class Spent(msgspec.Struct, frozen=True):
    """Tokens and US dollars under one name; `cost` is None if nothing has a price.

    `unpriced` counts the tasks without a price, `estimated` those with estimated figures.
    """

    name: str
    tokens: TokenUsage
    cost: float | None
    unpriced: int
    estimated: int = 0


def of_rollup(name: str, sums: Rollup) -> Spent:
    """The totals of a rollup, under a name."""
    return Spent(name, sums.tokens, sums.cost_usd, sums.unpriced, sums.estimated)


def by_branch(model: ViewModel) -> list[Spent]:
    """Every branch that used tokens, in plan order."""
    found = [of_rollup(branch or "(no branch)", model.rollups.branch(branch)) for branch in model.cascade.branches]
    return [spent for spent in found if spent.tokens.total]


def by_model(model: ViewModel) -> list[Spent]:
    """Every model, the most expensive first; a task counts for the model of its latest attempt. O(tasks)."""
    sums: dict[str, list[TaskState]] = {}
    for task_id in model.cascade.tasks:
        state = model.task(task_id)
        if state.token_usage.total:
            sums.setdefault(state.model or "(unknown)", []).append(state)
    found = [of_rollup(name, rollup(states)) for name, states in sums.items()]
    return sorted(found, key=lambda s: (-(s.cost or 0.0), -s.tokens.total))


def by_task(model: ViewModel, most: int = _TOP) -> list[Spent]:
    """The most expensive tasks; tasks without a price follow, by tokens."""
    states = ((i, model.task(i)) for i in model.cascade.tasks)
    used = [(i, s) for i, s in states if s.token_usage.total]
    top = heapq.nlargest(most, used, key=lambda x: (x[1].cost_usd or 0.0, x[1].token_usage.total))
    names = model.cascade.tasks
    return [Spent(f"{i} {names[i].name}", s.token_usage, s.cost_usd, s.cost_usd is None, s.estimated) for i, s in top]


def amount(spent: Spent) -> str:
    """US dollars; `~` means estimated, `+?` means that a part has no known price."""
    return costs(spent.cost, unpriced=bool(spent.unpriced), estimated=bool(spent.estimated))


def lines(model: ViewModel, width: int) -> list[Content]:
    """The whole screen."""
    project = of_rollup(model.cascade.name, model.rollups.project)
    if not project.tokens.total:
        told = " No tokens reported yet. Shell commands use none; agents report what they used."
        cap = [line(f" budget {money(model.budget)}", width=width)] if model.budget is not None else []
        return [*cap, line((told, MUTED), width=width), *_outlook(model, project, width)]
    return [
        *_total(model, project, width),
        *_rate(model, width),
        *_section("By branch", by_branch(model), project, width),
        *_section("By model", by_model(model), project, width),
        *_section("Most expensive tasks", by_task(model), project, width),
    ]


def _total(model: ViewModel, project: Spent, width: int) -> list[Content]:
    rows = [line((f" {amount(project)}", TITLE), f" spent, {tokens(project.tokens.total)} tokens", width=width)]
    if model.budget:
        share = (project.cost or 0.0) / model.budget
        style = ERROR if share >= 1 else WARNING if share >= 0.8 else ACTIVE
        room = max(8, min(40, width - 36))
        told = f" of {money(model.budget)} budget  "
        rows.append(line(told, bar(share, room, style), f"  {share:.0%}", width=width))
    rows += _outlook(model, project, width)
    if project.unpriced:
        text = f" {project.unpriced} {'tasks use' if project.unpriced > 1 else 'task uses'} a model without a price"
        rows.append(line((f"{text}: set `prices` in nova.yaml", WARNING), width=width))
    return rows


def _outlook(model: ViewModel, project: Spent, width: int) -> list[Content]:
    """What the rest will cost, as far as it is known."""
    left = model.cost_left()
    if left is None:
        return []
    told = f" {number_of(left.tasks, 'task')} left"
    if left.usd is None:
        return [
            line(
                (f"{told}; what the rest will cost is known once {LEAST} tasks have cost something", MUTED), width=width
            )
        ]
    total = money((project.cost or 0.0) + left.usd)
    how = ("  by what tasks have cost so far", MUTED)
    return [line(f"{told}, ~{money(left.usd)} more; ~{total} in all", how, width=width)]


def _rate(model: ViewModel, width: int) -> list[Content]:
    """Tokens per minute, the newest on the right."""
    history = list(model.tokens_per_minute)
    if not history:
        return []
    room = max(8, min(60, width - 30))
    now, most = tokens(history[-1]), tokens(max(history))
    told = (f"  last {now}, most {most}", MUTED)
    return [line((" tokens/min  ", MUTED), (sparkline(history, room), ACTIVE), told, width=width)]


_COLUMNS: tuple[tuple[str, Callable[[TokenUsage], int]], ...] = (
    ("INPUT", lambda t: t.input_tokens),
    ("OUTPUT", lambda t: t.output_tokens),
    ("CACHE READ", lambda t: t.cache_read_tokens),
    ("CACHE WRITE", lambda t: t.cache_creation_tokens),
)


def _section(name: str, found: Sequence[Spent], project: Spent, width: int) -> list[Content]:
    if not found:
        return []
    columns = _COLUMNS if width >= _NAMED else ()
    share = 14 if width >= 100 else 0
    fixed = 12 * len(columns) + 9 + 11 + (share + 2 if share else 0)
    names = max(10, min(40, width - fixed - 2))
    heads = "".join(fit(head, 12, right=True) for head, _ in columns)
    head = f" {fit('', names)}{heads}{fit('TOKENS', 9, right=True)}{fit('COST', 11, right=True)}"
    rows = [heading(name, width), line((head, MUTED), width=width)]
    for spent in found:
        cells = "".join(fit(tokens(count(spent.tokens)), 12, right=True) for _, count in columns)
        told = f" {fit(plain(spent.name), names)}{cells}{fit(tokens(spent.tokens.total), 9, right=True)}"
        rows.append(line(told, fit(amount(spent), 11, right=True), *_share(spent, project, share), width=width))
    return rows


def _share(spent: Spent, project: Spent, room: int) -> list[Content | str]:
    """The share of the total cost."""
    if not room or not project.cost or spent.cost is None:
        return []
    return ["  ", bar(spent.cost / project.cost, room)]


def title(width: int) -> Content:
    """The name of the screen."""
    return line((" Cost", TITLE), ("  tokens by class, dollars at list prices", MUTED), width=width)
