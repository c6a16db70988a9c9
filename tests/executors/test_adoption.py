"""What an engine knows of an attempt that an earlier engine started: its parser, its totals, how it must end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from engines import make_engine
from fakes import FakeClock, FakeExecutor, ok, running

from nova_core.agents.pricing import Price
from nova_core.command import Command, CommandKind
from nova_core.config import AgentConfig, Config
from nova_core.executors.base import Ended, EndReason, Job
from nova_core.files.inbox import attempt_token, load_secret
from nova_core.orchestrator import Orchestrator
from nova_core.state import StateManager
from nova_core.state.schema import Reason, TaskState, TaskStatus

PRICES = {"cheap": Price(1.0, 1.0, 1.0, 1.0), "dear": Price(100.0, 100.0)}


class Killed(BaseException):
    """Stands for a kill: nothing catches it."""


def agent(**fields: Any) -> AgentConfig:
    return AgentConfig(**{"command": ("true", "{prompt}"), **fields})


def begin(folder: Path, names: str = "A", agents: dict[str, str] | None = None, **options: Any) -> FakeExecutor:
    """Start all tasks, then kill the engine. Returns the next engine's processes, none of which has ended."""
    given = agents or {}
    extra = {"Agent": given, "Command": dict.fromkeys(names, "") if given else {}, **options.pop("extra", {})}
    rows = [(name, "-") for name in names]
    engine, _ = make_engine(folder, rows, outcome=lambda job: None, extra=extra, max_workers=4, **options)
    engine.run(max_iterations=2)
    return next_executor(engine)


def next_executor(engine: Orchestrator) -> FakeExecutor:
    """Processes that continued while no engine ran, and end normally when they are waited for."""
    executor = FakeExecutor(FakeClock())
    keys = [state.worker_id or "" for state in engine.store.tasks.values() if state.status is TaskStatus.IN_PROGRESS]
    executor.found = [running(key) for key in keys]
    executor.running = {key: Job(key, argv=("true",)) for key in keys}
    return executor


def prints(folder: Path, task: str, *events: dict[str, Any] | str) -> None:
    lines = (event if isinstance(event, str) else json.dumps(event) for event in events)
    with (folder / "logs" / f"{task}.log").open("a") as log:
        log.write("".join(f"{line}\n" for line in lines))


def tell(engine: Orchestrator, **fields: Any) -> None:
    """A report of the worker of A's first attempt."""
    run = engine.store.run.id
    token = attempt_token(load_secret(engine.project.secret_file), run, "A", 1)
    body = {"kind": "report", "run": run, "task": "A", "attempt": 1, "token": token, **fields}
    new = engine.project.inbox_dir / "new"
    (new / f"{len(list(new.iterdir())):04}").write_text(json.dumps(body))
    engine._run.inbox.read()


def finish(folder: Path, executor: FakeExecutor, **options: Any) -> TaskState:
    """Run the next engine to its end; A's state then."""
    make_engine(folder, executor=executor, **options)[0].run()
    return StateManager(folder / "cascade_state.json").load().tasks["A"]


def codex_turn(tokens: int) -> list[dict[str, Any]]:
    done = {"type": "item.completed", "item": {"type": "agent_message", "text": "hi"}}
    usage = {"input_tokens": tokens, "output_tokens": 0}
    begun = {"type": "thread.started", "thread_id": "t-12345678"}
    return [begun, {"type": "turn.started"}, done, {"type": "turn.completed", "usage": usage}]


@pytest.mark.parametrize("now", [agent(parser="codex", model="dear"), agent(model="cheap"), None])
def test_an_attempt_is_read_as_it_was_started(now: AgentConfig | None, tmp_path: Path) -> None:
    """Its settings were changed or removed while no engine ran: parser and model of the running attempt stay."""
    config = Config(agents={"mine": agent(parser="codex", model="cheap")}, prices=PRICES)
    executor = begin(tmp_path, agents={"A": "mine"}, config=config)
    prints(tmp_path, "A", *codex_turn(900_000))
    plan = tmp_path / "CASCADE.md"
    plan.write_text(plan.read_text().replace("| mine |", "| other |"))
    agents = {"other": agent()} | ({"mine": now} if now else {})
    state = finish(tmp_path, executor, config=Config(agents=agents, prices=PRICES))
    assert (state.status, state.verdict, state.model) == (TaskStatus.COMPLETED, "done", "cheap")
    assert (state.token_usage.input_tokens, state.cost_usd) == pytest.approx((900_000, 0.9))


def test_a_pattern_stays_the_attempts_own(tmp_path: Path) -> None:
    """This applies to a pattern from the settings, too."""
    config = Config(agents={"mine": agent(line="cost (?P<cost>[0-9.]+)")})
    executor = begin(tmp_path, agents={"A": "mine"}, config=config)
    prints(tmp_path, "A", "cost 0.25")
    state = finish(tmp_path, executor, config=Config(agents={"mine": agent(line="price (?P<cost>[0-9.]+)")}))
    assert state.cost_usd == 0.25


@pytest.mark.parametrize("parser", ["/(/", "no such", "/", ""])
def test_an_unknown_parser_stops_no_engine(parser: str, tmp_path: Path) -> None:
    """Another program wrote its own values into the state: the exit code decides."""
    executor = begin(tmp_path, agents={"A": "mine"}, config=Config(agents={"mine": agent(parser="codex")}))
    path = tmp_path / "cascade_state.json"
    state = json.loads(path.read_text())
    state["tasks"]["A"]["parser"] = parser
    path.write_text(json.dumps(state))
    assert finish(tmp_path, executor, config=Config(agents={"mine": agent()})).status is TaskStatus.COMPLETED


def test_what_a_command_reported_is_not_forgotten(tmp_path: Path) -> None:
    """Tokens and files that it reported to the engine before, class by class, and what it prints after that."""
    config = Config(prices=PRICES)
    engine, _ = make_engine(
        tmp_path, [("A", "-")], outcome=lambda job: None, extra={"Model": {"A": "cheap"}}, config=config
    )
    engine.start_worker("A")
    tell(engine, tokens={"input_tokens": 500_000}, files=["x.txt"])
    tell(engine, tokens={"cache_read_tokens": 7}, output="y.txt")
    engine.store.flush()
    assert engine.store.tasks["A"].token_usage.input_tokens == 500_000, "a class that is left out stays"
    executor = next_executor(engine)
    engine.close()
    prints(tmp_path, "A", "Token usage: input=3, output=11")
    state = finish(tmp_path, executor, config=config)
    usage = state.token_usage
    assert (usage.input_tokens, usage.output_tokens, usage.cache_read_tokens) == (500_000, 11, 7)
    assert state.cost_usd == pytest.approx(0.500_011, abs=1e-5)
    assert state.files_changed == ("x.txt", "y.txt")


def test_reports_of_one_attempt_are_not_the_nexts(tmp_path: Path) -> None:
    """A retry starts with no tokens and no files."""
    engine, executor = make_engine(tmp_path, [("A", "-")], config=Config(retries=1))

    def outcome(job: Job) -> Ended:
        if job.key == "A@1":
            tell(engine, tokens={"input_tokens": 5}, files=["x.txt"])
        return Ended(job.key, EndReason.EXIT, code=int(job.key == "A@1"))

    executor.outcome = outcome
    assert engine.run().exit_code == 0
    state = engine.store.tasks["A"]
    assert (state.token_usage.input_tokens, state.reported, state.files_changed) == (5, {}, ())


def claude(folder: Path) -> dict[str, AgentConfig]:
    program = folder / "claude"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    return {"a": AgentConfig(use="claude", env={"PATH": str(folder)})}


def test_a_session_that_is_gone_is_started_again_after_a_kill(tmp_path: Path) -> None:
    """The next engine knows that an attempt resumes a session: a session that is gone costs no retry there either."""
    config = Config(agents=claude(tmp_path), quota_delay=1.0)
    used = {"m": {"inputTokens": 100, "outputTokens": 10, "costUSD": 1.0}}
    end = {"type": "result", "subtype": "success", "is_error": True, "session_id": "s", "modelUsage": {}}
    cut = {**end, "result": "429", "api_error_status": 429, "model_usage_since_last_result": used}

    def outcome(job: Job) -> Ended | None:
        if job.key != "A@1":
            return None
        prints(tmp_path, "A", cut)
        return Ended(job.key, EndReason.EXIT, code=1)

    extra = {"Agent": {"A": "a"}, "Command": {"A": ""}}
    engine, executor = make_engine(tmp_path, [("A", "-")], outcome=outcome, extra=extra, config=config)
    engine.run(max_iterations=30)
    assert "--resume" in executor.jobs[1].argv
    after = next_executor(engine)
    gone = {**end, "subtype": "error_during_execution", "errors": ["No conversation found with session ID"]}
    prints(tmp_path, "A", {**gone, "model_usage_since_last_result": {}})

    def end_of(job: Job) -> Ended:
        if job.key == "A@3":
            prints(tmp_path, "A", {**end, "is_error": False, "result": "done", "model_usage_since_last_result": {}})
        return Ended(job.key, EndReason.EXIT, code=int(job.key == "A@2"))

    after.outcome = end_of
    state = finish(tmp_path, after, config=config)
    assert [job.key for job in after.jobs] == ["A@3"]
    assert "--resume" not in after.jobs[0].argv
    assert (state.status, state.failures, state.token_usage.input_tokens) == (TaskStatus.COMPLETED, 0, 100)


@pytest.mark.parametrize("by_hand", [False, True])
def test_what_a_stop_ended_runs_again(by_hand: bool, tmp_path: Path) -> None:
    """Killed right after a stop reached the workers: they run again in the next run, except those that a person
    cancelled."""
    engine, executor = make_engine(tmp_path, [("A", "-")], outcome=lambda job: None)
    engine.run(max_iterations=1)
    engine, executor = make_engine(tmp_path, executor=next_executor(engine))
    executor.outcome = lambda job: None

    def cancel(key: str, grace: float) -> None:
        raise Killed

    executor.cancel = cancel  # type: ignore[method-assign]
    if by_hand:
        engine._begin()
        with pytest.raises(Killed):
            engine.apply(Command(CommandKind.CANCEL, ("A",)))
        engine.close()
    else:
        engine.stop()
        with pytest.raises(Killed):
            engine.run()
    after = FakeExecutor(FakeClock())
    after.found = [Ended("A@1", EndReason.CANCELLED, signal=15)]
    state = finish(tmp_path, after)
    wanted = (TaskStatus.FAILED, Reason.CANCELLED) if by_hand else (TaskStatus.COMPLETED, None)
    assert (state.status, state.reason, state.interrupted) == (*wanted, False)


def test_what_a_stop_ended_with_a_code_of_its_own_runs_again(tmp_path: Path) -> None:
    """A program that answers SIGTERM with exit code 1 has not failed: nobody asked for its result."""
    engine, _ = make_engine(tmp_path, [("A", "-")], outcome=lambda job: None)
    engine.run(max_iterations=1)
    engine, executor = make_engine(tmp_path, executor=next_executor(engine))

    def cancel(key: str, grace: float) -> None:
        executor.running.pop(key)
        executor.reports.append(Ended(key, EndReason.CANCELLED, code=1))

    executor.outcome = lambda job: None
    executor.cancel = cancel  # type: ignore[method-assign]
    engine.stop()
    engine.run()
    state = StateManager(tmp_path / "cascade_state.json").load().tasks["A"]
    assert (state.status, state.failures, state.reason) == (TaskStatus.PENDING, 0, None)
    executor = FakeExecutor(FakeClock())
    assert finish(tmp_path, executor).status is TaskStatus.COMPLETED
    assert [job.key for job in executor.jobs] == ["A@2"]


def test_what_a_person_ends_in_a_stop_stays_ended(tmp_path: Path) -> None:
    """A worker that a stop had reached already is cancelled nevertheless."""
    engine, executor = make_engine(tmp_path, [("A", "-")], outcome=lambda job: None)
    engine.run(max_iterations=1)
    engine, executor = make_engine(tmp_path, executor=next_executor(engine))
    ends: list[str] = []
    executor.cancel = lambda key, grace: ends.append(key)  # type: ignore[method-assign]
    engine._begin()
    engine._run.attempts.interrupt()
    assert engine.store.tasks["A"].interrupted
    engine.store.tick()
    engine.apply(Command(CommandKind.CANCEL, ("A",)))
    assert not engine.store.tasks["A"].interrupted
    assert ends == ["A@1", "A@1"]
    engine.close()


@pytest.mark.parametrize("stopped", [False, True])
def test_a_stop_at_the_cap_is_known_after_a_kill(stopped: bool, tmp_path: Path) -> None:
    """The budget ended it, not a person, unless the run itself was being stopped: then it runs again."""
    config = Config(agents={"mine": agent(model="dear", budget=1.0)}, prices=PRICES)
    executor = begin(tmp_path, agents={"A": "mine"}, config=config)
    prints(tmp_path, "A", "Token usage: input=20000, output=0")
    executor.found = [Ended("A@1", EndReason.CANCELLED, signal=15)]
    path = tmp_path / "cascade_state.json"
    state = json.loads(path.read_text())
    state["tasks"]["A"]["interrupted"] = stopped
    path.write_text(json.dumps(state))
    after = finish(tmp_path, executor, config=config)
    assert (after.attempt, after.reason) == ((2, None) if stopped else (1, Reason.BUDGET))


@pytest.mark.parametrize("known", [True, False])
def test_what_was_set_aside_stays_set_aside(known: bool, tmp_path: Path) -> None:
    """The only attempt so far may cost the whole budget: nothing starts next to it, for any agent and any state file
    version."""
    config = Config(agents={"mine": agent(parser="codex", model="cheap")}, prices=PRICES, budget=1.0)
    executor = begin(tmp_path, "ABC", dict.fromkeys("ABC", "mine"), config=config)
    assert list(executor.running) == ["A@1"]
    if not known:
        path = tmp_path / "cascade_state.json"
        state = json.loads(path.read_text())
        del state["tasks"]["A"]["cap"]
        path.write_text(json.dumps(state))
    turns = [0]

    def outcome(job: Job) -> Ended | None:
        turns[0] += 1
        if turns[0] < 20:
            assert not executor.jobs
            return None
        prints(tmp_path, "A", *codex_turn(900_000))
        return ok(job)

    executor.outcome = outcome
    engine, _ = make_engine(tmp_path, executor=executor, config=config, max_workers=3)
    result = engine.run()
    assert (result.exit_code, len(executor.jobs)) == (5, 0)
    assert result.cost_usd == pytest.approx(0.9)
