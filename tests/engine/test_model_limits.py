"""Limits of one model, resets far away, and logins that several agents renew at once."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from engines import make_engine
from fakes import FakeClock, FakeExecutor, exits

from nova_core.clock import seconds
from nova_core.config import AgentConfig, Config
from nova_core.executors.base import Ended, EndReason, Job
from nova_core.state.events import Event, EventKind
from nova_core.state.holds import covers, is_same_model
from nova_core.state.schema import Hold, TaskStatus

DAY = 86400.0
DONE = {"type": "result", "subtype": "success", "is_error": False, "result": "done", "modelUsage": {},
        "model_usage_since_last_result": {"m": {"inputTokens": 10, "outputTokens": 1, "costUSD": 0.5}}}  # fmt: skip


def refused(words: str, status: int = 429, **fields: Any) -> dict[str, Any]:
    return {"type": "result", "subtype": "success", "is_error": True, "result": words, "api_error_status": status,
            "modelUsage": {}, "model_usage_since_last_result": {}, **fields}  # fmt: skip


def agent(name: str, model: str | None = None) -> AgentConfig:
    return AgentConfig(command=("true", name, "{prompt}"), parser="claude", provider="north", model=model)


class World:
    """Agents whose answers depend on their name and the time; `began` has agent, task and time of each start."""

    def __init__(self, folder: Path, answer: Callable[[str, str, float], dict[str, Any]]) -> None:
        self.folder = folder
        self.answer = answer
        self.executor = FakeExecutor(FakeClock(), outcome=self, least=30.0)
        self.began: list[tuple[str, str, float]] = []

    def __call__(self, job: Job) -> Ended:
        now, name, task = self.executor.clock.now(), job.argv[1], job.key.partition("@")[0]
        self.began.append((name, task, now))
        event = self.answer(name, task, now)
        (self.folder / "logs" / job.log).write_text(json.dumps({"session_id": "s", **event}) + "\n")
        self.executor.clock.advance(1.0)
        return exits(1 if event["is_error"] else 0)(job)

    def engine(self, tasks: dict[str, str], agents: dict[str, AgentConfig], **columns: dict[str, str]) -> Any:
        config = Config(agents=agents, quota_delay=30.0)
        extra = {"Agent": tasks, "Command": dict.fromkeys(tasks, ""), **columns}
        rows = [(task, "-") for task in tasks]
        return make_engine(self.folder, rows, executor=self.executor, extra=extra, config=config, max_workers=2)[0]

    def again(self, agents: dict[str, AgentConfig]) -> Any:
        """The engine that continues the run."""
        return make_engine(self.folder, executor=self.executor, config=Config(agents=agents), max_workers=2)[0]

    def starts(self, name: str) -> list[float]:
        return [at for found, _, at in self.began if found == name]


def limited_until(at: float, words: str, *names: str) -> Callable[[str, str, float], dict[str, Any]]:
    """These agents are rate limited until a time."""
    return lambda name, _, now: refused(words) if name in names and now < at else DONE


WORDS = "You've reached your Opus limit, try again in 2 days"


@pytest.mark.parametrize(
    "agents",
    [
        {"big": agent("big", "opus"), "small": agent("small", "sonnet")},
        {"big": agent("big", "claude-opus-5-5"), "small": agent("small")},
        {"big": agent("big"), "small": agent("small")},
    ],
)
def test_a_limit_of_one_model_leaves_the_others(tmp_path: Path, agents: dict[str, AgentConfig]) -> None:
    """The fallback with another model continues at once; what only the limited model can do waits for its reset."""
    world = World(tmp_path, limited_until(1_700_000_000.0 + 2 * DAY, WORDS, "big"))
    world.executor.least = 600.0  # two days pass
    engine = world.engine({"A": "big, small", "B": "big", "C": "small"}, agents)
    assert engine.run().exit_code == 0
    assert engine.store.tasks["A"].agent == "small"
    assert all(at - world.began[0][2] < 120 for at in world.starts("small"))
    early = [at for at in world.starts("big") if at < 1_700_000_000.0 + 2 * DAY]
    assert len(early) <= 2, "one of each worker, before the limit was known"
    assert (engine.store.tasks["B"].refusals, engine.store.run.quotas) == (0, {})


def test_a_limit_of_a_tasks_model_leaves_tasks_of_other_models(tmp_path: Path) -> None:
    """One agent, three models: by the task, by another task, and its own default."""
    world = World(
        tmp_path, lambda _, task, now: refused(WORDS) if task in "AB" and now < 1_700_000_000 + 2 * DAY else DONE
    )
    models = {"A": "opus", "B": "claude-opus-5-5", "C": "sonnet", "D": ""}
    world.executor.least = 55.0  # two days pass
    engine = world.engine(dict.fromkeys("ABCD", "x"), {"x": agent("x")}, Model=models)
    assert engine.run().exit_code == 0
    times = {task: [at for _, found, at in world.began if found == task] for task in "ABCD"}
    assert [times[task][0] - 1_700_000_000 < 120 for task in "CD"] == [True] * 2
    assert times["A"][-1] >= 1_700_000_000 + 2 * DAY
    assert [at for at in times["B"] if 120 < at - 1_700_000_000 < 2 * DAY] == []


def test_a_default_that_is_the_limited_model_is_learnt(tmp_path: Path) -> None:
    """Two agents without a model meet the limit of one: each waits once it has met it, for the same hold."""
    world = World(tmp_path, limited_until(1_700_000_000.0 + 2 * DAY, WORDS, "x", "y"))
    engine = world.engine({"A": "x", "B": "y"}, {"x": agent("x"), "y": agent("y")})
    engine.run(max_iterations=12)
    hold = engine.store.run.quotas["north opus"]
    assert (hold.models, set(hold.agents), list(engine.store.run.quotas)) == (("opus",), {"x", "y"}, ["north opus"])
    assert {state.waits_for for state in engine.store.tasks.values()} == {"north opus"}
    assert {state.retry_at for state in engine.store.tasks.values()} == {hold.until}


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("You have exhausted your capacity on this model. Your quota will reset after 3h", "north m-2.5"),
        ("You've hit your usage limit for GPT-5.3-Codex, try again in 3 hours", "north gpt-5.3-codex"),
        ("You've hit your session limit, try again in 3 hours", "north"),
        ("You've hit your weekly limit, try again in 3 hours", "north"),
    ],
)
def test_the_hold_is_for_what_the_words_name(tmp_path: Path, words: str, name: str) -> None:
    """A model by its name, the one that was asked, or the whole provider."""
    world = World(tmp_path, lambda *_: refused(words))
    engine = world.engine({"A": "x"}, {"x": agent("x", "m-2.5")})
    engine.run(max_iterations=6)
    assert list(engine.store.run.quotas) == [name]
    assert engine.store.tasks["A"].waits_for == name


def test_the_event_of_a_window_names_its_model(tmp_path: Path) -> None:
    """claude's `seven_day_opus`; the words beside it may name none."""
    info = {"status": "rejected", "resetsAt": 1_700_000_000 + 3 * DAY, "rateLimitType": "seven_day_opus"}
    world = World(tmp_path, limited_until(0, ""))
    world.answer = lambda *_: {**refused("limit"), "x": 0}
    engine = world.engine({"A": "x"}, {"x": agent("x", "opus")})
    event = {"type": "rate_limit_event", "rate_limit_info": info}
    answer = json.dumps(event) + "\n" + json.dumps(refused("API Error: limit"))

    def outcome(job: Job) -> Ended:
        (tmp_path / "logs" / job.log).write_text(answer + "\n")
        return exits(1)(job)

    world.executor.outcome = outcome
    engine.run(max_iterations=6)
    hold = engine.store.run.quotas["north opus"]
    assert seconds(hold.until or "") == pytest.approx(1_700_000_000 + 3 * DAY, abs=5)


def test_a_person_and_a_restart_find_the_hold_of_a_model(tmp_path: Path) -> None:
    """The next engine waits for the same time; `nova retry` lifts it by the name under which the task waits."""
    world = World(tmp_path, limited_until(1_700_000_000.0 + 2 * DAY, WORDS, "x"))
    engine = world.engine({"A": "x"}, {"x": agent("x", "opus")})
    engine.run(max_iterations=6)
    until = engine.store.run.quotas["north opus"].until
    again = world.again({"x": agent("x", "opus")})
    again.run(max_iterations=6)
    assert (again.store.tasks["A"].status, again.store.tasks["A"].retry_at) == (TaskStatus.PENDING, until)
    assert len(world.began) == 1
    again._run.rate_limits.lift("north opus")
    assert again.store.run.quotas == {}
    last = world.again({"x": agent("x", "opus")})
    world.executor.least = 600.0  # two days pass
    assert last.run().exit_code == 0
    assert world.starts("x")[-1] >= 1_700_000_000 + 2 * DAY


@pytest.mark.parametrize("days", [1, 12, 31, 200])
@pytest.mark.parametrize("how", ["words", "epoch", "date"])
def test_a_known_reset_is_waited_for_however_far_it_is(tmp_path: Path, days: int, how: str) -> None:
    """No attempt before it, no refusal counted, across a restart."""
    at = 1_700_000_000.0 + days * DAY
    date = time.strftime("%b %d, %Y %H:%M (UTC)", time.gmtime(at))
    words = {"words": f"Usage limit: try again in {days} days", "epoch": f"usage limit reached|{at:.0f}",
             "date": f"You've hit your monthly limit · resets {date}"}[how]  # fmt: skip
    world = World(tmp_path, limited_until(at, words, "x"))
    world.executor.least = DAY * days / 50
    world.engine({"A": "x"}, {"x": agent("x")}).run(max_iterations=6)
    engine = world.again({"x": agent("x")})
    assert engine.run().exit_code == 0
    first, second = world.starts("x")
    assert second >= at > first
    assert second - at < 4 * world.executor.least, "it wakes so rarely, and twice before a start"
    assert engine.store.tasks["A"].refusals == 0


def test_known_resets_are_never_refusals(tmp_path: Path) -> None:
    """Thirty resets in a row, each ten minutes away: a task is not given up for them."""
    left = [refused("try again in 10 minutes")] * 30
    world = World(tmp_path, lambda *_: left.pop() if left else DONE)
    engine = world.engine({"A": "x"}, {"x": agent("x")})
    assert engine.run().exit_code == 0
    assert engine.store.tasks["A"].refusals == 0
    assert min(later - earlier for earlier, later in pairwise(world.starts("x"))) >= 600


def test_a_limit_after_work_is_a_new_one(tmp_path: Path) -> None:
    """The agent worked after each reset, so what was stated was right, and nothing is added to it."""
    worked = {"m": {"inputTokens": 10, "outputTokens": 1, "costUSD": 0.5}}
    left = [refused("try again in 10 minutes", model_usage_since_last_result=worked)] * 12
    world = World(tmp_path, lambda *_: left.pop() if left else DONE)
    assert world.engine({"A": "x"}, {"x": agent("x")}).run().exit_code == 0
    gaps = [later - earlier for earlier, later in pairwise(world.starts("x"))]
    assert max(gaps) < 600 + 60


def test_a_clock_time_counts_from_when_it_was_said(tmp_path: Path) -> None:
    """Read hours later, a time of day that is over is not that of tomorrow."""
    world = World(tmp_path, lambda *_: refused("resets 10:30pm (UTC)"))
    engine = world.engine({"A": "x"}, {"x": agent("x")})  # it is 22:13 there
    play = world.executor.outcome

    def late(job: Job) -> Ended:
        ended = play(job)
        world.executor.clock.advance(3 * 3600)
        return Ended(job.key, EndReason.EXIT, code=1, ended_at=world.began[-1][2] if ended else 0.0)

    world.executor.outcome = late
    waits: list[float] = []

    def note(event: Event) -> None:
        if event.kind is EventKind.PROVIDER_PAUSED:
            waits.append(seconds(engine.store.run.quotas["north"].until or "") - world.executor.clock.now())

    engine.subscribe(note)
    engine.run(max_iterations=6)
    assert waits[0] < 60


RACE = "Your access token could not be refreshed because your refresh token was already used. Please sign in again."


def test_a_race_for_a_login_is_tried_once_more(tmp_path: Path) -> None:
    """Another agent has renewed it: the tasks run again soon, none fails."""
    left = [refused(RACE, 401)] * 2
    world = World(tmp_path, lambda *_: left.pop() if left else DONE)
    engine = world.engine({"A": "x", "B": "x", "C": "x"}, {"x": agent("x")})
    assert engine.run().exit_code == 0
    assert world.executor.clock.now() - 1_700_000_000 < 300


@pytest.mark.parametrize("words", [RACE, "Your access token could not be refreshed. Please sign in again."])
def test_a_login_that_cannot_be_renewed_stops_the_provider(tmp_path: Path, words: str) -> None:
    """A race that does not end is none; the rest needs a person at once."""
    world = World(tmp_path, lambda *_: refused(words, 401))
    engine = world.engine({"A": "x", "B": "x"}, {"x": agent("x")})
    events: list[Event] = []
    engine.subscribe(events.append)
    assert engine.run().exit_code == 1
    assert len(world.began) <= (4 if words is RACE else 2)
    last = [event.message for event in events if event.kind is EventKind.PROVIDER_PAUSED][-1]
    assert last.startswith("north not used again in this run")


@pytest.mark.parametrize(
    ("name", "model", "same"),
    [
        ("opus", "claude-opus-5-5", True),
        ("opus", "anthropic/claude-opus-4-1-20250805", True),
        ("opus", "opus", True),
        ("opus", "sonnet", False),
        ("claude-opus-5-5", "claude-opus-5-5-20260801", True),
        ("claude-opus-5-5", "claude-opus-4-1", False),
        ("gpt-5", "gpt-5-mini", False),
        ("gpt-5.3-codex", "GPT-5.3-Codex", True),
        ("gemini-2.5-pro", "models/gemini-2.5-pro", True),
        ("gemini-2.5-pro", "gemini-2.5-flash", False),
        ("", "opus", False),
    ],
)
def test_models_have_several_names(name: str, model: str, same: bool) -> None:
    """A family, an alias, a maker in front, a date behind."""
    assert is_same_model(name, model) is same


def test_a_hold_without_models_is_for_all() -> None:
    """As an older Nova recorded them."""
    assert covers(Hold(None, "x"), None, "opus")
    assert not covers(Hold(None, "x", models=("opus",), agents=("a",)), "b", None)
    assert covers(Hold(None, "x", models=("opus",), agents=("a",)), "a", None)


def test_reported_windows_are_kept(tmp_path: Path) -> None:
    """Of each provider the latest of each window, across a restart; the same report again is no news."""
    world = World(tmp_path, lambda *_: DONE)
    engine = world.engine(dict.fromkeys("ABC", "x"), {"x": agent("x")})
    used = {"A": 0.4, "B": 0.4, "C": 0.5}

    def outcome(job: Job) -> Ended:
        info = {"status": "allowed", "rateLimitType": "five_hour", "utilization": used[job.key[0]],
                "resetsAt": 1_700_000_000 + DAY}  # fmt: skip
        lines = [{"type": "rate_limit_event", "rate_limit_info": info}, DONE]
        (tmp_path / "logs" / job.log).write_text("".join(json.dumps(line) + "\n" for line in lines))
        return exits(0)(job)

    world.executor.outcome = outcome
    events: list[Event] = []
    engine.subscribe(events.append)
    assert engine.run().exit_code == 0
    assert [event.message.partition(",")[0] for event in events if event.kind is EventKind.PROVIDER_USAGE] == [
        "north: 5-hour limit 40% used", "north: 5-hour limit 50% used",
    ]  # fmt: skip
    window = world.again({"x": agent("x")}).store.run.windows["north"]["five_hour"]
    assert (window.used, seconds(window.resets_at or "")) == (0.5, 1_700_000_000 + DAY)


@pytest.mark.parametrize("reviewed", [True, False])
def test_figures_without_those_of_a_reviewer_are_estimates(tmp_path: Path, reviewed: bool) -> None:
    """codex does not report what the model that approves its calls has used."""
    world = World(tmp_path, lambda *_: DONE)
    command = ("true", "x", *(["--approve-for-me"] if reviewed else []), "{prompt}")
    engine = world.engine({"A": "x"}, {"x": AgentConfig(command=command, parser="claude", provider="north")})
    assert engine.run().exit_code == 0
    assert engine.store.tasks["A"].estimated is reviewed
