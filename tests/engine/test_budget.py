"""Budgets: nothing starts that would exceed the cap, whatever is running, ends at the same time, or ran before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from engines import make_engine, on
from fakes import FakeClock, FakeExecutor, ok, running

from nova_core.agents.adapters import Permissions
from nova_core.agents.pricing import Price, default_prices
from nova_core.config import AgentConfig, Config
from nova_core.executors.base import Ended, EndReason, Job
from nova_core.launch.warnings import cautions
from nova_core.model import Task
from nova_core.orchestrator import Orchestrator
from nova_core.state.events import EventKind
from nova_core.state.schema import TaskStatus

AGENT = {"a": AgentConfig(command=("true", "{prompt}"), parser="claude", provider="north")}


def costing(folder: Path, executor: Patient, dollars: float | dict[str, float], together: int = 1) -> None:
    """Every agent costs the same amount; jobs end only when `together` of them run, or no more can start."""

    def outcome(job: Job) -> Ended | None:
        task = job.key.partition("@")[0]
        if len(executor.running) < together and executor.patience > 0:
            executor.patience -= 1
            return None
        own = dollars[task] if isinstance(dollars, dict) else dollars
        used = {"m": {"inputTokens": 10, "outputTokens": 1, "costUSD": own}}
        line = {"type": "result", "subtype": "success", "is_error": False, "result": "ok", "modelUsage": used,
                "model_usage_since_last_result": used}  # fmt: skip
        (folder / "logs" / job.log).write_text(json.dumps(line) + "\n")
        executor.clock.advance(1.0)
        return ok(job)

    executor.outcome = outcome


class Patient(FakeExecutor):
    """Waits a few turns for more jobs."""

    patience = 20


def engine_of(folder: Path, names: str, config: Config, executor: FakeExecutor, **options: Any) -> Orchestrator:
    agents = dict.fromkeys(names, "a")
    extra = {"Agent": agents, "Command": dict.fromkeys(names, ""), **options.pop("extra", {})}
    rows = [(name, "-") for name in names]
    return make_engine(folder, rows, executor=executor, extra=extra, config=config, **options)[0]


@pytest.mark.parametrize(("budget", "runs"), [(3.0, 3), (3.5, 3), (2.99, 2), (0.5, 1), (10.0, 6)])
def test_the_cap_is_kept_with_four_at_once(budget: float, runs: int, tmp_path: Path) -> None:
    """Six tasks of a dollar each: as many run as the budget holds; the first runs alone, because its cost is
    unknown."""
    executor = Patient(FakeClock())
    costing(tmp_path, executor, 1.0, together=4)
    result = engine_of(tmp_path, "ABCDEF", Config(agents=AGENT, budget=budget), executor, max_workers=4).run()
    assert len(executor.jobs) == runs
    assert result.cost_usd == pytest.approx(float(runs))
    assert result.exit_code == (0 if runs == 6 else 5)
    assert executor.most_running <= 4


def test_a_cap_per_task_is_set_aside(tmp_path: Path) -> None:
    """With caps in the plan tasks may start together at once, as many as fit."""
    executor = Patient(FakeClock())
    costing(tmp_path, executor, 1.0, together=3)
    extra = {"Budget": dict.fromkeys("ABCDEF", "$1.50")}
    engine = engine_of(tmp_path, "ABCDEF", Config(agents=AGENT, budget=4.5), executor, max_workers=4, extra=extra)
    result = engine.run()
    assert executor.most_running == 3
    assert result.cost_usd is not None
    assert result.cost_usd <= 4.5
    assert len(executor.jobs) == 4, "1 + 1 + 1, then 1.50 fits once more"


def test_the_cap_holds_after_a_resume(tmp_path: Path) -> None:
    """Money spent before the restart counts, and the cost of tasks is known from then on."""
    executor = Patient(FakeClock())
    costing(tmp_path, executor, 1.0)
    engine_of(tmp_path, "ABCDEF", Config(agents=AGENT, budget=2.0), executor).run()
    assert len(executor.jobs) == 2
    again = Patient(executor.clock)
    costing(tmp_path, again, 1.0, together=2)
    engine, _ = make_engine(tmp_path, executor=again, config=Config(agents=AGENT, budget=5.5), max_workers=4)
    result = engine.run()
    assert (len(again.jobs), again.most_running, result.exit_code) == (3, 2, 5)
    assert result.cost_usd == pytest.approx(5.0)


def test_running_agents_are_stopped_when_the_budget_is_used_up(tmp_path: Path) -> None:
    """Running agents stop soon after the cap is reached; their sessions can be resumed."""
    executor = FakeExecutor(FakeClock())
    usage = {"input_tokens": 5_000_000, "output_tokens": 1}
    inner = {"id": "m1", "model": "claude-opus-5", "content": [], "usage": usage}
    message = {"type": "assistant", "session_id": "s", "message": inner}

    def outcome(job: Job) -> Ended | None:
        (tmp_path / "logs" / job.log).write_text(json.dumps(message) + "\n")
        return None

    executor.outcome = outcome
    config = Config(agents=AGENT, budget=5.0, prices={"claude-opus-5": Price(3.0, 15.0)})
    engine = engine_of(tmp_path, "A", config, executor)
    result = engine.run()
    assert executor.cancelled == ["A@1"]
    assert result.exit_code in (1, 5)
    state = engine.store.tasks["A"]
    assert (state.reason, state.verdict, state.estimated) == ("budget", "over_budget", True)
    assert "spent" in (state.error or "")


def test_agents_at_work_are_ended_by_a_budget_that_was_lowered(tmp_path: Path) -> None:
    """Each is far from its own cap; together they have spent the budget of the next engine, which says so once."""
    executor = FakeExecutor(FakeClock())
    usage = {"input_tokens": 1_000_000, "output_tokens": 0}
    inner = {"id": "m1", "model": "m", "content": [], "usage": usage}
    line = json.dumps({"type": "assistant", "session_id": "s", "message": inner}) + "\n"

    def outcome(job: Job) -> Ended | None:
        (tmp_path / "logs" / job.log).write_text(line)
        return None

    executor.outcome = outcome
    prices, caps = {"m": Price(2.0, 2.0)}, {"Budget": dict.fromkeys("AB", "$5")}
    engine = engine_of(tmp_path, "AB", Config(agents=AGENT, budget=10.0, prices=prices), executor, extra=caps)
    engine.run(max_iterations=3)
    assert executor.running.keys() == {"A@1", "B@1"}
    after = FakeExecutor(executor.clock, lambda job: None)
    after.found = [running(key) for key in executor.running]
    after.running = dict(executor.running)
    lower = Config(agents=AGENT, budget=3.0, prices=prices)
    engine = engine_of(tmp_path, "AB", lower, after, extra=caps)
    reached: list[str] = []
    engine.subscribe(lambda e: reached.append(e.message) if e.kind is EventKind.BUDGET_REACHED else None)
    assert engine.run().exit_code == 5
    assert sorted(after.cancelled) == ["A@1", "B@1"]
    assert reached == ["$4.00 of $3.00 spent: no new tasks will start"]
    assert {engine.store.tasks[i].reason for i in "AB"} == {"budget"}


def test_a_run_that_continues_over_its_budget_starts_nothing(tmp_path: Path) -> None:
    """Not even a command, which costs nothing: the budget ends the run."""
    executor = Patient(FakeClock())
    costing(tmp_path, executor, 2.0)
    rows = [("A", "-"), ("B", "A")]
    extra = {"Agent": {"A": "a"}, "Command": {"A": "", "B": "true"}}
    engine, _ = make_engine(tmp_path, rows, executor=executor, extra=extra, config=Config(agents=AGENT))
    on(engine, EventKind.TASK_COMPLETED, "A", engine.stop)
    engine.run()
    after = FakeExecutor(executor.clock)
    engine, _ = make_engine(tmp_path, executor=after, config=Config(agents=AGENT, budget=1.0))
    assert engine.run().exit_code == 5
    assert not after.jobs


def test_an_attempt_of_unknown_cost_does_not_stop_a_resume(tmp_path: Path) -> None:
    """It counts as nothing in the sum of what was spent; what is known counts."""
    config = Config(agents={"a": AgentConfig(command=("true", "{prompt}"))}, budget=2.0, allow_unpriced=True)
    executor = FakeExecutor(FakeClock())
    engine = engine_of(tmp_path, "AB", config, executor, max_workers=1)
    on(engine, EventKind.TASK_COMPLETED, "A", engine.stop)
    engine.run()
    assert engine.store.tasks["A"].cost_usd is None
    after = FakeExecutor(executor.clock)
    assert make_engine(tmp_path, executor=after, config=config)[0].run().exit_code == 0
    assert [job.key for job in after.jobs] == ["B@1"]


def test_of_several_agents_the_most_expensive_is_expected(tmp_path: Path) -> None:
    """Either may have to do the task: it does not start beside another one, but alone it may have the rest."""
    agents = {**AGENT, "b": AgentConfig(command=("true", "{prompt}"), parser="claude", provider="south")}
    executor = Patient(FakeClock())
    costing(tmp_path, executor, {"A": 0.2, "B": 2.0, "C": 0.2, "D": 0.2}, together=2)
    rows, columns = [("A", "-"), ("B", "A"), ("C", "B"), ("D", "B")], {"A": "a", "B": "b", "C": "a, b", "D": "a, b"}
    extra = {"Agent": columns, "Command": dict.fromkeys(columns, "")}
    config = Config(agents=agents, budget=3.0)
    assert make_engine(tmp_path, rows, executor=executor, extra=extra, config=config)[0].run().exit_code == 0
    assert ([job.key for job in executor.jobs], executor.most_running) == (["A@1", "B@1", "C@1", "D@1"], 1)


def test_an_agent_with_a_cost_option_gets_its_share(tmp_path: Path) -> None:
    """claude stops by itself: it gets the task's cap, or else the remaining budget."""
    program = tmp_path / "claude"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    config = Config(agents={"a": AgentConfig(use="claude", env={"PATH": str(tmp_path)})}, budget=4.0)
    for budgets, share in (({}, 4.0), ({"A": "1.25"}, 1.25)):
        executor = Patient(FakeClock())
        costing(tmp_path, executor, 1.0)
        engine_of(tmp_path, "A", config, executor, extra={"Budget": budgets}, fresh=True).run()
        assert told(executor.jobs[0]) == share


def told(job: Job) -> float:
    """The limit on spending that claude gets."""
    return float(job.argv[job.argv.index("--max-budget-usd") + 1])


def test_shares_never_exceed_the_budget(tmp_path: Path) -> None:
    """Three agents that spend their whole share at the same time stay within the budget."""
    program = tmp_path / "claude"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    config = Config(agents={"a": AgentConfig(use="claude", env={"PATH": str(tmp_path)})}, budget=1.0)
    executor = Patient(FakeClock())
    costs = {"A": 0.05}
    costing(tmp_path, executor, costs, together=3)
    submit = executor.submit

    def spend_all(job: Job) -> None:
        task = job.key.partition("@")[0]
        costs.setdefault(task, told(job))
        submit(job)

    executor.submit = spend_all  # type: ignore[method-assign]
    result = engine_of(tmp_path, "ABCD", config, executor, max_workers=3).run()
    assert executor.most_running == 3
    assert [round(told(job), 3) for job in executor.jobs] == [1.0, 0.1, 0.1, 0.1], "each leaves room for a message"
    assert result.cost_usd is not None
    assert result.cost_usd <= 1.0001


def test_the_last_task_may_have_the_remaining_budget(tmp_path: Path) -> None:
    """Free workers without a task reserve no share."""
    executor = Patient(FakeClock())
    costing(tmp_path, executor, 1.0)
    engine = engine_of(tmp_path, "AB", Config(agents=AGENT, budget=10.0), executor, max_workers=4)
    caps: list[float | None] = []
    fine = executor.outcome

    def outcome(job: Job) -> Ended | None:
        caps.append(engine.active[job.key.partition("@")[0]].cap)
        return fine(job)

    executor.outcome = outcome
    assert engine.run().exit_code == 0
    assert caps == [10.0, 9.0]


def test_agents_that_cost_nothing_run_together(tmp_path: Path) -> None:
    """A task known to be free does not wait for the budget; the first runs alone, because its cost is unknown."""
    executor = Patient(FakeClock())
    costing(tmp_path, executor, 0.0, together=3)
    result = engine_of(tmp_path, "ABCD", Config(agents=AGENT, budget=5.0), executor, max_workers=4).run()
    assert (result.exit_code, executor.most_running) == (0, 3)


def test_what_never_worked_is_not_known_to_be_free(tmp_path: Path) -> None:
    """An attempt that failed before its first token says nothing about the cost of the next ones."""
    executor = Patient(FakeClock())
    costing(tmp_path, executor, 1.0, together=2)
    fine = executor.outcome

    def outcome(job: Job) -> Ended | None:
        if job.key != "A@1":
            return fine(job)
        line = {"type": "result", "subtype": "success", "is_error": True, "result": "no", "modelUsage": {},
                "total_cost_usd": 0}  # fmt: skip
        (tmp_path / "logs" / job.log).write_text(json.dumps(line) + "\n")
        return Ended(job.key, EndReason.EXIT, code=1)

    executor.outcome = outcome
    started: list[int] = []
    engine = engine_of(tmp_path, "ABC", Config(agents=AGENT, budget=2.0), executor, max_workers=4)
    engine.subscribe(lambda e: started.append(len(executor.running)) if e.kind is EventKind.TASK_STARTED else None)
    engine.run()
    assert started[:2] == [0, 0], "B is alone, too"


def test_what_left_the_plan_has_cost_what_it_cost(tmp_path: Path) -> None:
    """A row that is removed or comes back returns nothing to the budget."""
    executor = Patient(FakeClock())
    costing(tmp_path, executor, 0.95)
    config = Config(agents=AGENT, budget=1.0)
    assert engine_of(tmp_path, "AB", config, executor, max_workers=1).run().exit_code == 5
    for names in ("B", "AB"):
        assert engine_of(tmp_path, names, config, executor, max_workers=1).run().exit_code == 5
    assert [job.key for job in executor.jobs] == ["A@1"]


def test_a_command_stopped_at_its_cap_is_over_budget(tmp_path: Path) -> None:
    """Nobody cancelled the command, whichever parser reads its output."""
    executor = FakeExecutor(FakeClock())

    def outcome(job: Job) -> Ended | None:
        (tmp_path / "logs" / job.log).write_text("Token usage: input=2000000, output=0\n")
        return None

    executor.outcome = outcome
    agents = {"a": AgentConfig(command=("true", "{prompt}"), model="m", budget=1.0)}
    engine = engine_of(tmp_path, "A", Config(agents=agents, prices={"m": Price(1.0, 1.0)}, retries=3), executor)
    assert engine.run().exit_code == 1
    state = engine.store.tasks["A"]
    assert (state.attempt, state.reason, state.verdict) == (1, "budget", "over_budget")
    assert state.error == "over budget: $2.00 of $1.00 spent"


@pytest.mark.parametrize(
    ("name", "agent", "task", "budget", "words"),
    [
        ("claude", AgentConfig(), Task("A", "A"), 5.0, []),
        ("codex", AgentConfig(model="gpt-5"), Task("A", "A", budget=1.0), None, []),
        ("own", AgentConfig(("own",), model="gpt-5"), Task("A", "A", budget=1.0), None, ["cannot stop it"]),
        ("codex", AgentConfig(), Task("A", "A"), 5.0, ["that of gpt-6-sol is used (~)"]),
        ("codex", AgentConfig(model="my-model"), Task("A", "A"), 5.0, ["cannot be kept"]),
        ("codex", AgentConfig(model="gpt-5"), Task("A", "A"), 5.0, []),
        ("aider", AgentConfig(), Task("A", "A", budget=1.0), 5.0, []),
        ("gemini", AgentConfig(max_turns=5), Task("A", "A"), None, ["max_turns is not kept"]),
        ("claude", AgentConfig(permissions=Permissions.BYPASS), Task("A", "A"), None, ["without any check"]),
        ("claude", AgentConfig(), Task("A", "A", command="true"), 5.0, []),
    ],
)
def test_a_cap_that_cannot_be_enforced_is_reported(
    name: str, agent: AgentConfig, task: Task, budget: float | None, words: list[str]
) -> None:
    """No cap is silently ignored: one that cannot be enforced for an agent is reported at the start."""
    found = cautions(Config(agent=(name,), agents={name: agent}, budget=budget), [task], default_prices())
    assert len(found) == len(words)
    assert all(word in line for word, line in zip(words, found, strict=True))


def test_cautions_are_events_of_the_run(tmp_path: Path) -> None:
    """The run itself prints the warnings, not only `nova check`."""
    executor = Patient(FakeClock())
    costing(tmp_path, executor, 1.0)
    agents = {"a": AgentConfig(command=("true",), parser="codex")}
    engine = engine_of(tmp_path, "A", Config(agents=agents, budget=3.0, allow_unpriced=True), executor)
    said: list[str] = []
    engine.subscribe(lambda event: said.append(event.message))
    engine.run()
    assert any("a budget cannot be kept" in message for message in said)
    assert engine.store.tasks["A"].status in TaskStatus
