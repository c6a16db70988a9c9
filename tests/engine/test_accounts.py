"""Several logins of an agent: the one used least is started, each waits for its own limits."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from engines import make_engine, on
from fakes import FakeClock, FakeExecutor, exits

from nova_core.clock import iso
from nova_core.config import AccountConfig, AgentConfig, Config
from nova_core.executors.base import Ended, Job
from nova_core.state.events import Event, EventKind
from nova_core.state.holds import hold_words
from nova_core.state.windows import window_lines

USED = {"m": {"inputTokens": 10, "outputTokens": 1, "costUSD": 0.5}}
RESULT = {"type": "result", "subtype": "success", "is_error": False, "result": "done", "session_id": "s",
          "modelUsage": USED, "model_usage_since_last_result": USED}  # fmt: skip
REFUSED = {**RESULT, "is_error": True, "api_error_status": 429, "result": "You've hit your session limit",
           "modelUsage": {}, "model_usage_since_last_result": {}}  # fmt: skip
HOUR = 3600.0


class World:
    """Agents that report how much of their limit is used, or are rate limited; `began` has login, task, time."""

    def __init__(self, folder: Path, used: Mapping[str, float], refused: frozenset[str] = frozenset()) -> None:
        self.folder = folder
        self.used = dict(used)
        self.refused = refused
        self.executor = FakeExecutor(FakeClock(), outcome=self, least=60.0)
        self.end = self.executor.clock.now() + HOUR
        self.began: list[tuple[str, str, float]] = []
        self.events: list[Event] = []

    def __call__(self, job: Job) -> Ended:
        now, login = self.executor.clock.now(), job.env.get("LOGIN", "")
        self.began.append((login, job.key.partition("@")[0], now))
        refused = login in self.refused and now < self.end
        info = {"status": "rejected" if refused else "allowed", "rateLimitType": "five_hour", "resetsAt": self.end,
                "utilization": self.used.get(login, 0.0)}  # fmt: skip
        lines: list[dict[str, Any]] = [{"type": "system", "subtype": "init", "session_id": "s", "model": "m"}]
        lines += [{"type": "rate_limit_event", "rate_limit_info": info}] if now < self.end else []
        lines.append(REFUSED if refused else RESULT)
        (self.folder / "logs" / job.log).write_text("".join(json.dumps(line) + "\n" for line in lines))
        self.executor.clock.advance(1.0)
        return exits(1 if refused else 0)(job)

    def engine(self, tasks: str, agent: AgentConfig, name: str = "a", jobs: int = 1) -> Any:
        config = Config(agents={"a": agent}, quota_delay=30.0)
        extra = {"Agent": dict.fromkeys(tasks, name), "Command": dict.fromkeys(tasks, "")}
        rows = [(task, "-") for task in tasks]
        engine = make_engine(self.folder, rows, executor=self.executor, extra=extra, config=config, max_workers=jobs)[0]
        engine.subscribe(self.events.append)
        return engine

    @property
    def logins(self) -> list[str]:
        return [login for login, _, _ in self.began]


def agent(*names: str, pause_at: float | None = None) -> AgentConfig:
    logins = {name: AccountConfig(env={"LOGIN": name}) for name in names}
    return AgentConfig(("true", "{prompt}"), parser="claude", provider="north", accounts=logins, pause_at=pause_at)


def test_the_login_that_is_used_least_is_started(tmp_path: Path) -> None:
    """The first in the file as long as nothing is known; `nova status` shows what each has reported."""
    world = World(tmp_path, {"one": 0.6, "two": 0.3, "three": 0.4})
    engine = world.engine("ABCDE", agent("one", "two", "three"))
    assert engine.run().exit_code == 0
    assert world.logins == ["one", "two", "three", "two", "two"]
    assert {engine.store.tasks[i].agent for i in "ABCDE"} == {"a/one", "a/two", "a/three"}
    lines = window_lines(engine.store.run, world.executor.clock.now())
    assert [line.partition(",")[0] for line in lines] == [
        "north/one: 5-hour limit 60% used", "north/three: 5-hour limit 40% used", "north/two: 5-hour limit 30% used",
    ]  # fmt: skip


def test_work_is_spread_over_logins_that_are_used_alike(tmp_path: Path) -> None:
    """Two tasks at once run with two logins."""
    world = World(tmp_path, {})
    engine = world.engine("AB", agent("one", "two"), jobs=2)
    assert engine.run().exit_code == 0
    assert {engine.store.tasks[i].agent for i in "AB"} == {"a/one", "a/two"}


def test_a_limit_of_one_login_leaves_the_others_running(tmp_path: Path) -> None:
    """Its task continues with another login; the hold, and what is said about it, names the login."""
    world = World(tmp_path, {}, frozenset({"one"}))
    engine = world.engine("ABC", agent("one", "two"))
    assert engine.run().exit_code == 0
    assert world.logins == ["one", "two", "two", "two"]
    assert world.executor.clock.now() < world.end, "nothing was waited for"
    name, hold = next(iter(engine.store.run.quotas.items()))
    assert hold_words(name, hold, world.executor.clock.now()).startswith("north/one: rate limited until ")
    assert any("north/one rate limited for" in event.message for event in world.events)


def test_all_logins_limited_is_a_wait_for_the_first(tmp_path: Path) -> None:
    """No attempt is made before that time."""
    world = World(tmp_path, {}, frozenset({"one", "two"}))
    engine = world.engine("A", agent("one", "two"))
    assert engine.run().exit_code == 0
    assert (world.logins[:2], len(world.logins)) == (["one", "two"], 3)
    assert world.began[2][2] >= world.end


@pytest.mark.parametrize(("used", "is_held"), [(0.89, False), (0.9, True), (1.0, True)])
def test_a_login_is_not_started_when_enough_of_its_limit_is_used(used: float, is_held: bool, tmp_path: Path) -> None:
    """`pause_at: 90%`: it is held until the window ends, although every other login waits for its limit."""
    world = World(tmp_path, {"one": used}, frozenset({"two"}))
    engine = world.engine("ABC", agent("one", "two", pause_at=0.9))
    assert engine.run().exit_code == 0
    early = [login for login, _, at in world.began if at < world.end]
    assert early == (["one", "two"] if is_held else ["one", "two", "one", "one"])
    assert len(world.began) == 4


def test_the_only_login_waits_for_the_end_of_its_window(tmp_path: Path) -> None:
    """`pause_at` needs no accounts; the reason is said."""
    world = World(tmp_path, {"": 0.95})
    engine = world.engine("AB", agent(pause_at=0.9))
    assert engine.run().exit_code == 0
    assert [at >= world.end for _, _, at in world.began] == [False, True]
    paused = [event.message for event in world.events if event.kind is EventKind.PROVIDER_PAUSED]
    assert "5-hour limit 95% used; pause_at: 90%" in paused[0]


def test_an_interrupted_task_keeps_its_login(tmp_path: Path) -> None:
    """Only that login knows its session, although another one is used less by now."""
    world = World(tmp_path, {})
    inner = {"id": "m1", "model": "m", "content": [], "usage": {"input_tokens": 5}}
    line = json.dumps({"type": "assistant", "session_id": "s", "message": inner}) + "\n"

    def works(job: Job) -> None:
        (tmp_path / "logs" / job.log).write_text(line)

    world.executor.outcome = works
    engine = world.engine("A", agent("two", "one"))
    on(engine, EventKind.TASK_PROGRESS, "A", engine.stop)
    engine.run()
    assert (engine.store.tasks["A"].agent, engine.store.tasks["A"].status) == ("a/two", "pending")
    world.executor.outcome = world
    assert world.engine("A", agent("one", "two")).run().exit_code == 0
    assert world.logins == ["two"]


def test_a_plan_may_name_a_login(tmp_path: Path) -> None:
    """`a/two` in the Agent column, or with `nova retry --agent`."""
    world = World(tmp_path, {})
    assert world.engine("A", agent("one", "two"), "a/two").run().exit_code == 0
    assert world.logins == ["two"]


def test_reset_times_are_kept(tmp_path: Path) -> None:
    """The window of a login says when it ends."""
    world = World(tmp_path, {"one": 0.5})
    engine = world.engine("A", agent("one"))
    engine.run()
    assert engine.store.run.windows["north/one"]["five_hour"].resets_at == iso(world.end)
