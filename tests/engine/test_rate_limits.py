"""Limits of providers: one is rate limited, the others continue; no work is lost, no retry used, no server flooded."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from engines import make_engine
from fakes import FakeClock, FakeExecutor, exits, ok

from nova_core.clock import seconds
from nova_core.command import Command, CommandKind
from nova_core.config import AgentConfig, Config
from nova_core.executors.base import Ended, Job
from nova_core.plan.selection import Selection
from nova_core.state.events import Event, EventKind
from nova_core.state.schema import Hold, Reason, TaskStatus

AGENTS = {
    "a": AgentConfig(command=("true", "{prompt}"), parser="claude", provider="north"),
    "b": AgentConfig(command=("true", "{prompt}"), parser="claude", provider="south"),
}
DONE = {"type": "result", "subtype": "success", "is_error": False, "result": "done", "modelUsage": {},
        "model_usage_since_last_result": {"m": {"inputTokens": 10, "outputTokens": 1, "costUSD": 0.5}}}  # fmt: skip


def api_error(status: int, words: str = "no") -> dict[str, Any]:
    return {"type": "result", "subtype": "success", "is_error": True, "result": words, "api_error_status": status,
            "terminal_reason": "api_error", "modelUsage": {}, "model_usage_since_last_result": {}}  # fmt: skip


class Script:
    """Agents that print the given text per agent and attempt; then `DONE`. `began` has the time of each start."""

    def __init__(self, folder: Path, **lines: list[Any]) -> None:
        self.folder = folder
        self.lines = lines
        self.executor = FakeExecutor(FakeClock(), least=1.0)  # hours pass in these tests, a second per turn
        self.executor.outcome = self
        self.began: list[tuple[str, float]] = []

    def __call__(self, job: Job) -> Ended:
        task = job.key.partition("@")[0]
        self.began.append((task, self.executor.clock.now()))
        left = self.lines.get(task, [])
        events = left.pop(0) if left else DONE
        events = events if isinstance(events, list) else [events]
        log = self.folder / "logs" / job.log
        log.write_text("".join(json.dumps({"session_id": f"s-{task}", **event}) + "\n" for event in events))
        self.executor.clock.advance(1.0)
        return exits(1)(job) if events[-1].get("is_error") else ok(job)

    def starts(self, task: str) -> list[float]:
        return [at for name, at in self.began if name == task]


@pytest.fixture
def build(tmp_path: Path) -> Callable[..., Any]:
    """Make an engine over a script; `agents` names each task's."""

    def make(script: Script, agents: dict[str, str], **options: Any) -> Any:
        rows = [(task, "-") for task in agents]
        columns = {"Agent": agents, "Command": dict.fromkeys(agents, "")}
        config = options.pop("config", Config(agents=AGENTS, quota_delay=30.0))
        return make_engine(
            tmp_path, rows, executor=script.executor, extra=columns, config=config, max_workers=1, **options
        )[0]

    return make


def test_a_limit_with_its_time_is_waited_for(tmp_path: Path, build: Callable[..., Any]) -> None:
    """One provider is not used until its reset time, the other continues, and no person has to act."""
    words = "You've hit your limit, try again in 2 hours"
    script = Script(tmp_path, A=[api_error(429, words)])
    script.executor.least = 30.0
    engine = build(script, {"A": "a", "B": "b", "C": "a"})
    events: list[Event] = []
    engine.subscribe(events.append)
    result = engine.run()
    assert result.exit_code == 0
    first, second = script.starts("A")
    assert second - first >= 7200
    assert script.starts("B")[0] - first < 60
    assert script.starts("C")[0] - first >= 7200, "its provider was held before it began"
    state = engine.store.tasks["A"]
    assert (state.attempt, state.failures, state.waits_for, state.retry_at) == (2, 0, None, None)
    paused = next(event for event in events if event.kind is EventKind.PROVIDER_PAUSED)
    assert paused.message.startswith("north rate limited for 2h")
    assert engine.store.run.quotas == {}


def test_a_limit_says_when_in_an_event(tmp_path: Path, build: Callable[..., Any]) -> None:
    """A reset time in seconds since the epoch overrides the text."""
    script = Script(tmp_path)
    at = script.executor.clock.now() + 1000
    limit = {"type": "rate_limit_event", "rate_limit_info": {"status": "rejected", "resetsAt": at}}
    script.lines["A"] = [[limit, api_error(429)]]
    assert build(script, {"A": "a"}).run().exit_code == 0
    assert script.starts("A")[1] >= at


def step_of(pause: float) -> int:
    """The pause without a reset time, in seconds, that this one is with its jitter of a quarter and a second's work."""
    return next((wanted for wanted in (30, 60, 120, 240) if 0.75 * wanted <= pause < 1.4 * wanted), 0)


def test_without_a_time_the_pauses_grow(tmp_path: Path, build: Callable[..., Any]) -> None:
    """Backoff with jitter: about 30, 60, 120 seconds, and again from 30 after a success."""
    script = Script(tmp_path, A=[api_error(429)] * 3, B=[api_error(429)])
    assert build(script, {"A": "a", "B": "a"}).run().exit_code == 0
    a = script.starts("A")
    gaps = [later - earlier for earlier, later in pairwise(a)]
    assert [step_of(gap) for gap in gaps] == [30, 60, 120]


def test_a_hold_survives_a_restart(tmp_path: Path, build: Callable[..., Any]) -> None:
    """The next engine waits until the same time."""
    script = Script(tmp_path, A=[api_error(429, "try again in 1 hour")])
    engine = build(script, {"A": "a"})
    engine.run(max_iterations=6)
    until = engine.store.run.quotas["north"].until
    state = engine.store.tasks["A"]
    assert (state.status, state.waits_for, state.retry_at) == (TaskStatus.PENDING, "north", until)
    again, _ = make_engine(tmp_path, executor=script.executor, config=Config(agents=AGENTS), max_workers=1)
    assert again.store.run.quotas["north"].until == until
    assert again.run().exit_code == 0
    assert script.starts("A")[1] >= seconds(until) - 0.01


@pytest.mark.parametrize("kind", [CommandKind.RETRY, CommandKind.RESUME])
def test_a_person_can_try_again_now(kind: CommandKind, tmp_path: Path, build: Callable[..., Any]) -> None:
    """`nova retry ID` and `nova resume` lift the limit, for all tasks that wait for it."""
    script = Script(tmp_path, A=[api_error(429, "try again in 5 hours")])
    engine = build(script, {"A": "a", "B": "a"})
    start = script.executor.clock.now()

    def act(event: Any) -> None:
        if event.kind is EventKind.TASK_HELD and event.task == "B":
            engine.post(Command(kind, ("A",) if kind is CommandKind.RETRY else ()))

    engine.subscribe(act)
    assert engine.run().exit_code == 0
    assert script.executor.clock.now() - start < 600


def test_a_person_can_give_up(tmp_path: Path, build: Callable[..., Any]) -> None:
    """`nova cancel ID` ends the wait."""
    script = Script(tmp_path, A=[api_error(429, "try again in 5 hours")])
    engine = build(script, {"A": "a"})
    engine.subscribe(lambda e: e.kind is EventKind.TASK_HELD and engine.post(Command(CommandKind.CANCEL, ("A",))))
    assert engine.run().exit_code == 1
    assert engine.store.tasks["A"].reason is Reason.CANCELLED


def test_bad_credentials_stop_the_provider(tmp_path: Path, build: Callable[..., Any]) -> None:
    """No retry and no other task with that key; the next run tries it again."""
    script = Script(tmp_path, A=[api_error(401, "invalid key")])
    engine = build(script, {"A": "a", "B": "a", "C": "b"}, config=Config(agents=AGENTS, retries=3))
    assert engine.run().exit_code == 1
    state = engine.store.tasks
    assert (state["A"].status, state["A"].attempt, state["A"].verdict) == (TaskStatus.FAILED, 1, "bad_credentials")
    assert (state["B"].status, state["B"].attempt, state["B"].waits_for) == (TaskStatus.PENDING, 0, "north")
    assert state["C"].status is TaskStatus.COMPLETED
    again, _ = make_engine(tmp_path, executor=script.executor, config=Config(agents=AGENTS), max_workers=1)
    again.apply(Command(CommandKind.RETRY, ("A",)))
    assert again.run().exit_code == 0


@pytest.mark.parametrize("status", [401, 429])
def test_a_task_with_two_agents_continues_with_the_other(
    status: int, tmp_path: Path, build: Callable[..., Any]
) -> None:
    """The fallback is used at once, and the first agent again when its provider serves."""
    script = Script(tmp_path, A=[api_error(status, "try again in 1 hour")])
    engine = build(script, {"A": "a, b"})
    assert engine.run().exit_code == 0
    assert engine.store.tasks["A"].agent == "b"
    assert script.starts("A")[1] - script.starts("A")[0] < 60


def said(engine: Any) -> list[str]:
    """The messages of the next run."""
    messages: list[str] = []
    engine.subscribe(lambda event: messages.append(event.message))
    return messages


def limited(at: float) -> list[Any]:
    """A limit with a reset time (seconds since the epoch)."""
    limit = {"type": "rate_limit_event", "rate_limit_info": {"status": "rejected", "resetsAt": at}}
    return [limit, api_error(429)]


def test_a_reset_time_in_the_past_counts_as_none(tmp_path: Path, build: Callable[..., Any]) -> None:
    """After a reset time a minute ago, a provider is not tried every second: the pauses grow as without a time."""
    script = Script(tmp_path)
    at = script.executor.clock.now() - 60
    script.lines["A"] = [limited(at) for _ in range(3)]
    assert build(script, {"A": "a"}).run().exit_code == 0
    gaps = [later - earlier for earlier, later in pairwise(script.starts("A"))]
    assert [step_of(gap) for gap in gaps] == [30, 60, 120]


def test_a_wrong_reset_time_is_believed_once(tmp_path: Path, build: Callable[..., Any]) -> None:
    """A provider that says "in 1 s" and rejects requests again after it is limited for longer."""
    script = Script(tmp_path, A=[api_error(429, "try again in 1 s")] * 3)
    assert build(script, {"A": "a"}).run().exit_code == 0
    first, second, third = (later - earlier for earlier, later in pairwise(script.starts("A")))
    assert first < 5
    assert second > 40
    assert third > 80


def test_a_later_reset_time_extends_the_limit(tmp_path: Path) -> None:
    """The limit of a running attempt counts, even if its provider is limited already; a rejected key always does."""
    engine, executor = make_engine(tmp_path, [("A", "-")], config=Config(quota_delay=30.0))
    quotas = engine._run.rate_limits
    start = executor.clock.now()
    guessed = quotas.strike("north", Hold(None, "429"), None)
    assert quotas.strike("north", Hold(None, "429"), None) == guessed
    assert quotas.strike("north", Hold(None, "429"), 1.0) == guessed
    named = quotas.strike("north", Hold(None, "resets in 5 hours"), 18_000.0)
    assert (seconds(named.until or ""), named.tries) == pytest.approx((start + 18_000, 1))
    assert quotas.strike("north", Hold(None, "resets in 5 hours"), 18_000.4) == named
    quotas.block("north", "invalid key")
    assert quotas.strike("north", Hold(None, "resets in 9 hours"), 32_400.0).until is None
    held = quotas.held("north")
    assert held is not None
    assert held.until is None
    engine.close()


def test_a_later_time_after_a_wrong_one_is_believed(tmp_path: Path) -> None:
    """A provider that rejects again names three hours: they count, because they are more than Nova would guess."""
    engine, executor = make_engine(tmp_path, [("A", "-")], config=Config(quota_delay=30.0))
    quotas = engine._run.rate_limits
    quotas.strike("north", Hold(None, "429"), 1.0)
    executor.clock.advance(2.0)
    hold = quotas.strike("north", Hold(None, "resets in 3 hours"), 10_800.0)
    assert (seconds(hold.until or "") - executor.clock.now(), hold.tries) == pytest.approx((10_800, 2))
    engine.close()


def test_a_success_does_not_lift_a_limit_that_began_meanwhile(tmp_path: Path) -> None:
    """An attempt that was at work when another was rejected says nothing about now; one after the limit does."""
    engine, executor = make_engine(tmp_path, [("A", "-")], config=Config(quota_delay=30.0))
    quotas = engine._run.rate_limits
    quotas.strike("north", Hold(None, "429"), 60.0)
    quotas.worked("north")
    assert quotas.is_held("north")
    executor.clock.advance(61.0)
    quotas.worked("north")
    assert engine.store.run.quotas == {}
    engine.close()


def test_a_rejected_key_ends_the_waits_of_others(tmp_path: Path, build: Callable[..., Any]) -> None:
    """No task waits for hours for a provider whose key turns out to be rejected: the run ends."""
    script = Script(tmp_path, A=[api_error(429, "try again in 5 hours")], B=[api_error(401, "invalid key")])
    engine = build(script, {"A": "a", "B": "a"})
    engine.max_workers = 2
    start = script.executor.clock.now()
    assert engine.run().exit_code == 1
    assert script.executor.clock.now() - start < 600
    assert (engine.store.tasks["A"].waits_for, engine.store.tasks["A"].retry_at) == ("north", None)


def test_a_limit_without_a_reset_time_is_not_waited_for_forever(tmp_path: Path, build: Callable[..., Any]) -> None:
    """After twenty rejections in a row a task fails, hours later; the status shows how many are left."""
    script = Script(tmp_path, A=[api_error(429)] * 99)
    script.executor.least = 30.0
    engine = build(script, {"A": "a"})
    messages = said(engine)
    assert engine.run().exit_code == 1
    state = engine.store.tasks["A"]
    assert (state.status, state.reason, state.refusals) == (TaskStatus.FAILED, Reason.RATE_LIMITED, 20)
    starts = script.starts("A")
    assert len(starts) == 20
    assert 5 * 3600 < starts[-1] - starts[0] < 12 * 3600
    assert any("(19 times in a row, of at most 20)" in message for message in messages)
    assert "A given up: rate limited 20 times in a row" in messages


def test_a_limit_with_a_reset_time_uses_no_patience(tmp_path: Path, build: Callable[..., Any]) -> None:
    """Twenty-two limits in a row, each with its reset time, are waited for."""
    script = Script(tmp_path, A=[api_error(429, "try again in 40 minutes")] * 22)
    script.executor.least = 30.0
    engine = build(script, {"A": "a"})
    assert engine.run().exit_code == 0
    assert engine.store.tasks["A"].refusals == 0


def test_a_served_request_restores_all_patience(tmp_path: Path, build: Callable[..., Any]) -> None:
    """Only rejections in a row count: an attempt that ended by itself, even with a failure, was served."""
    failed = {**api_error(400, "bad request"), "api_error_status": 400}
    lines = [*[api_error(429)] * 15, failed, *[api_error(429)] * 15]
    script = Script(tmp_path, A=lines)
    script.executor.least = 30.0
    engine = build(script, {"A": "a"}, config=Config(agents=AGENTS, retries=1))
    assert engine.run().exit_code == 0
    assert engine.store.tasks["A"].refusals == 0


def test_rate_limits_are_not_overloads(tmp_path: Path, build: Callable[..., Any]) -> None:
    """Three rate limits and an overload are not four overloads."""
    script = Script(tmp_path, A=[api_error(429), api_error(429), api_error(429), api_error(529)])
    assert build(script, {"A": "a"}).run().exit_code == 0


def test_a_provider_in_trouble_is_left_for_another(tmp_path: Path, build: Callable[..., Any]) -> None:
    """Each of six tasks meets an overload of the first agent, and none fails: all continue with the second."""
    script = Script(tmp_path, **{name: [api_error(529)] for name in "ABCDEF"})
    engine = build(script, dict.fromkeys("ABCDEF", "a, b"), config=Config(agents=AGENTS, quota_delay=0.01))
    assert engine.run().exit_code == 0
    assert {state.agent for state in engine.store.tasks.values()} == {"b"}


def test_a_run_with_another_agent_does_not_wait_for_the_first(tmp_path: Path, build: Callable[..., Any]) -> None:
    """A task that waits for a provider starts at once in a run with another agent."""
    script = Script(tmp_path, A=[api_error(429, "try again in 5 hours")])
    build(script, {"A": ""}, config=Config(agents=AGENTS, agent=("a",))).run(max_iterations=6)
    start = script.executor.clock.now()
    config = Config(agents=AGENTS, agent=("b",))
    again, _ = make_engine(tmp_path, executor=script.executor, config=config, max_workers=1)
    assert again.run().exit_code == 0
    assert script.executor.clock.now() - start < 60
    assert again.store.tasks["A"].agent == "b"


def test_a_run_does_not_wait_for_what_it_is_not_about(tmp_path: Path, build: Callable[..., Any]) -> None:
    """`--only B` ends with B, though A waits for its provider, and does not change that wait."""
    script = Script(tmp_path, A=[api_error(429, "try again in 5 hours")])
    build(script, {"A": "a", "B": "b"}).run(max_iterations=3)
    start = script.executor.clock.now()
    again, _ = make_engine(
        tmp_path, executor=script.executor, config=Config(agents=AGENTS), selection=Selection(only=("B",))
    )
    before = again.store.tasks["A"]
    assert before.waits_for == "north"
    assert again.run().exit_code == 0
    assert script.executor.clock.now() - start < 60
    assert (again.store.tasks["A"].waits_for, again.store.tasks["A"].retry_at) == ("north", before.retry_at)


@pytest.mark.parametrize("holds", [{}, {"north": {"until": "soon", "reason": "x", "tries": 1}}])
def test_an_unreadable_time_is_now(holds: dict[str, Any], tmp_path: Path, build: Callable[..., Any]) -> None:
    """Another program wrote the times in its own format: the task runs."""
    script = Script(tmp_path, A=[api_error(429, "try again in 5 hours")])
    build(script, {"A": "a"}).run(max_iterations=6)
    path = tmp_path / "cascade_state.json"
    state = json.loads(path.read_text())
    state["tasks"]["A"] |= {"retry_at": "soon"}
    state["run"]["quotas"] = holds
    path.write_text(json.dumps(state))
    start = script.executor.clock.now()
    again, _ = make_engine(tmp_path, executor=script.executor, config=Config(agents=AGENTS))
    assert again.run().exit_code == 0
    assert script.executor.clock.now() - start < 60


def test_after_a_rejected_key_the_task_waits_for_the_other_agent(tmp_path: Path, build: Callable[..., Any]) -> None:
    """The second agent serves later, so the task waits for it, though the key of the first is rejected."""
    script = Script(tmp_path, A=[api_error(429, "try again in 1 hour"), api_error(401, "invalid key")])
    script.executor.least = 10.0
    engine = build(script, {"A": "b, a"})
    assert engine.run().exit_code == 0
    first, second, third = script.starts("A")
    assert second - first < 60
    assert third - first >= 3600
    assert engine.store.tasks["A"].agent == "b"


def test_a_provider_in_trouble_fails_the_task_in_the_end(tmp_path: Path, build: Callable[..., Any]) -> None:
    """Nova waits for an overload only a few times: the task itself may cause it."""
    script = Script(tmp_path, A=[api_error(500)] * 9)
    engine = build(script, {"A": "a"})
    assert engine.run().exit_code == 1
    state = engine.store.tasks["A"]
    assert (state.attempt, state.reason, state.verdict) == (4, Reason.RATE_LIMITED, "overloaded")


def claude_in(folder: Path) -> dict[str, AgentConfig]:
    """Agent "a" is claude, with an existing program."""
    program = folder / "claude"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    return {"a": AgentConfig(use="claude", env={"PATH": str(folder)})}


def test_a_command_that_cannot_resume_starts_again(tmp_path: Path, build: Callable[..., Any]) -> None:
    """A custom command gets the whole prompt again after a limit, and all its tokens and dollars count."""
    end = {"type": "result", "subtype": "success", "is_error": False, "result": "done", "total_cost_usd": 0.5,
           "modelUsage": {"m": {"inputTokens": 1000, "outputTokens": 500, "costUSD": 0.5}}}  # fmt: skip
    script = Script(tmp_path, A=[{**end, "is_error": True, "api_error_status": 429, "result": "429"}, end])
    engine = build(script, {"A": "a"})
    assert engine.run().exit_code == 0
    first, second = script.executor.jobs
    assert first.argv == second.argv
    assert "Task A" in second.argv[1]
    state = engine.store.tasks["A"]
    assert (state.token_usage.input_tokens, state.token_usage.output_tokens, state.cost_usd) == (2000, 1000, 1.0)


def test_an_agent_that_was_cut_off_resumes_its_session(tmp_path: Path, build: Callable[..., Any]) -> None:
    """Paid work is not repeated: the session is resumed, its tokens count once."""
    used = {"m": {"inputTokens": 100, "outputTokens": 10, "costUSD": 1.0}}
    cut = {**api_error(429), "model_usage_since_last_result": used}
    script = Script(tmp_path, A=[cut])
    engine = build(script, {"A": "a"}, config=Config(agents=claude_in(tmp_path)))
    assert engine.run().exit_code == 0
    first, second = (job for job in script.executor.jobs)
    assert "--resume" not in first.argv
    assert second.argv[second.argv.index("--resume") + 1] == "s-A"
    assert "was interrupted" in Path(second.stdin).read_text()
    state = engine.store.tasks["A"]
    assert (state.token_usage.input_tokens, state.cost_usd, state.estimated) == (110, 1.5, False)


def test_a_session_that_is_gone_is_started_again(tmp_path: Path, build: Callable[..., Any]) -> None:
    """A session that cannot be resumed costs no retry."""
    used = {"m": {"inputTokens": 100, "outputTokens": 10, "costUSD": 1.0}}
    cut = {**api_error(429), "model_usage_since_last_result": used}
    gone = {"type": "result", "subtype": "error_during_execution", "is_error": True, "modelUsage": {},
            "errors": ["No conversation found with session ID"], "model_usage_since_last_result": {}}  # fmt: skip
    script = Script(tmp_path, A=[cut, gone])
    engine = build(script, {"A": "a"}, config=Config(agents=claude_in(tmp_path)))
    assert engine.run().exit_code == 0
    assert ["--resume" in job.argv for job in script.executor.jobs] == [False, True, False]
    state = engine.store.tasks["A"]
    assert (state.attempt, state.failures, state.token_usage.input_tokens) == (3, 0, 110)


def test_the_plan_is_kept_when_all_wait(tmp_path: Path, build: Callable[..., Any]) -> None:
    """A plan whose only provider is rate limited does not end: it waits."""
    script = Script(tmp_path, A=[api_error(429, "try again in 9 hours")])
    script.executor.least = 30.0
    engine = build(script, {"A": "a", "B": "a", "C": "a"})
    assert engine.run().exit_code == 0
    assert script.starts("C")[0] - script.starts("A")[0] > 9 * 3600


def test_the_wait_is_shown_in_the_status(tmp_path: Path, build: Callable[..., Any]) -> None:
    """`nova status` counts down, and says what a person can do."""
    from nova_core.cli.status import screen

    script = Script(tmp_path, A=[api_error(429, "try again in 1 hour")])
    engine = build(script, {"A": "a", "B": "a"})
    engine.run(max_iterations=6)
    now = seconds(engine.store.run.quotas["north"].until) - 252
    text = "\n".join(screen(engine.store.snapshot(), engine.cascade, None, now))
    assert "north: rate limited until " in text
    assert "try again now with nova resume" in text
    assert "rate limited until" in text.splitlines()[-2]
