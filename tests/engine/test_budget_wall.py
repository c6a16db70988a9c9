"""A budget is a wall: whatever agents cost and however runs end, at most one message is spent above it."""

from __future__ import annotations

import tempfile
from copy import deepcopy
from pathlib import Path

import pytest
from engines import killed, make_engine, on
from hypothesis import given
from hypothesis import strategies as st
from spenders import KINDS, PRICE, Spenders, Work

from nova_core.agents.pricing import Price
from nova_core.config import Config
from nova_core.orchestrator import Orchestrator
from nova_core.runs.result import RunResult
from nova_core.state.events import EventKind

DOLLARS = st.integers(min_value=1, max_value=20).map(lambda cents: cents / 100)


def engine_of(folder: Path, executor: Spenders, budget: float, jobs: int, retries: int = 0) -> Orchestrator:
    names = executor.works
    extra = {"Agent": {name: work.agent for name, work in names.items()}, "Command": dict.fromkeys(names, "")}
    config = Config(agents=executor.agents(), budget=budget, prices={"m": Price(PRICE * 1e6, 0.0)}, retries=retries)
    rows = [(name, "-") for name in names]
    return make_engine(folder, rows, executor=executor, extra=extra, config=config, max_workers=jobs)[0]


def run(folder: Path, executor: Spenders, budget: float, jobs: int, **options: int) -> RunResult:
    return engine_of(folder, executor, budget, jobs, **options).run()


@st.composite
def works(draw: st.DrawFn, cost: st.SearchStrategy[float]) -> dict[str, Work]:
    """Two to six tasks; one message of an agent costs the same in all of them."""
    count, prices = draw(st.integers(2, 6)), {kind: draw(cost) for kind in KINDS}
    kinds = [draw(st.sampled_from(KINDS)) for _ in range(count)]
    left = st.integers(1, 8)
    shown = draw(st.sampled_from([1.0, 0.6]))
    return {
        f"T{i}": Work(draw(left), prices[kind], kind, shown if kind == "obeys" else 1.0) for i, kind in enumerate(kinds)
    }


@given(
    works=works(DOLLARS),
    budget=st.integers(10, 300).map(lambda cents: cents / 100),
    jobs=st.integers(1, 8),
    kills=st.lists(st.integers(1, 200), max_size=3),
    crashes=st.sampled_from([0, 5, 20]),
    retries=st.integers(0, 2),
    seed=st.integers(0, 1000),
)
def test_true_spending_exceeds_the_budget_by_one_message_at_most(
    works: dict[str, Work], budget: float, jobs: int, kills: list[int], crashes: int, retries: int, seed: int
) -> None:
    """Agents that keep, ignore, or do not know a cap, or hide what they use; crashes; engines killed at any turn."""
    highest = max(work.cost for work in works.values())
    with tempfile.TemporaryDirectory() as folder:
        executor = Spenders(Path(folder), deepcopy(works), seed, crashes)
        for turns in kills:
            engine = engine_of(Path(folder), executor, budget, jobs, retries)
            engine.run(max_iterations=turns)
            killed(engine)
        run(Path(folder), executor, budget, jobs, retries=retries)
        assert sum(executor.ledger) <= budget + highest + 1e-6
        assert not executor.running


@given(works=works(st.just(0.05)), jobs=st.integers(1, 8), seed=st.integers(0, 1000))
def test_a_plan_that_fits_is_done(works: dict[str, Work], jobs: int, seed: int) -> None:
    """A share that Nova made is no verdict: each task gets another one while the run has money."""
    total = sum(work.cost * work.left for work in works.values())
    with tempfile.TemporaryDirectory() as folder:
        executor = Spenders(Path(folder), deepcopy(works), seed)
        assert run(Path(folder), executor, total + 0.001, jobs).exit_code == 0
        assert sum(executor.ledger) <= total + 1e-6, "nothing is paid twice"


@pytest.mark.parametrize(
    ("agent", "repeats", "spent"),
    [("obeys", False, 1.7), ("ignores", False, 1.7), ("hides", False, 1.7), ("obeys", True, 1.9)],
)
def test_one_dear_task_takes_what_the_others_leave(agent: str, repeats: bool, spent: float, tmp_path: Path) -> None:
    """A plan of $1.70 under a budget of $2.00: no task fails because of the share it first got.

    An agent that does not know its cap is not even ended: its share grows. One that does the whole work again when its
    session is continued does so once.
    """
    works = {f"T{i}": Work(20 if i == 5 else 2, 0.05, agent) for i in range(1, 9)}
    executor = Spenders(tmp_path, works, 1, repeats=repeats)
    result = run(tmp_path, executor, 2.0, 3)
    assert (result.exit_code, round(sum(executor.ledger), 2)) == (0, spent)
    assert executor.most_running == 3
    assert not executor.cancelled


def test_a_task_fails_only_when_the_budget_is_gone(tmp_path: Path) -> None:
    """Then the run ends with exit code 5; the agent that was at work keeps its session."""
    executor = Spenders(tmp_path, {"T1": Work(30, 0.05, "obeys"), "T2": Work(30, 0.05, "lacks")}, 1)
    engine = engine_of(tmp_path, executor, 1.0, 2)
    assert engine.run().exit_code == 5
    assert 0.95 <= sum(executor.ledger) <= 1.05 + 1e-6
    assert "budget" in {task.reason for task in engine.store.tasks.values()}


def test_fewer_agents_start_when_shares_get_small(tmp_path: Path) -> None:
    """Eight workers, but money for two attempts as expensive as the first at once."""
    executor = Spenders(tmp_path, {f"T{i}": Work(6, 0.05, "obeys") for i in range(8)}, 1)
    assert run(tmp_path, executor, 1.0, 8).exit_code == 5
    assert executor.most_running == 2
    assert sum(executor.ledger) <= 1.05 + 1e-6


def test_more_expensive_messages_than_any_before_end_some_agents(tmp_path: Path) -> None:
    """The first task teaches that messages are cheap; agents that would together exceed the budget are held."""
    works = {"T0": Work(20, 0.01, "ignores"), **{f"T{i}": Work(6, 0.1, "ignores") for i in range(1, 9)}}
    executor = Spenders(tmp_path, works, 3)
    engine = engine_of(tmp_path, executor, 2.0, 8)
    said = on(engine, EventKind.WARNING, None, lambda: None)
    assert engine.run().exit_code == 5
    assert sum(executor.ledger) <= 2.1 + 1e-6
    assert any("the rest of the budget is for other tasks" in event.message for event in said)
