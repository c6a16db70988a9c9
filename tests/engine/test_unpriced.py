"""No budget is inert: where a price is unknown nothing starts, or the run is paused, unless that is allowed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from engines import make_engine, on
from fakes import FakeClock, FakeExecutor, ok

from nova_core.agents.pricing import Price
from nova_core.command import Command, CommandKind
from nova_core.config import AgentConfig, Config, RetryConfig
from nova_core.errors import EnvironmentProblem
from nova_core.executors.base import Ended, Job
from nova_core.orchestrator import Orchestrator
from nova_core.state.events import EventKind

LINE = ("true", "{prompt}")
STEP = {"type": "step_finish", "sessionID": "s", "part": {"reason": "tool-calls", "tokens": {"input": 9}, "cost": 0}}


def engine_of(folder: Path, executor: FakeExecutor, config: Config, names: str = "A", **columns: str) -> Orchestrator:
    cells = {"Agent": dict.fromkeys(names, "a"), "Command": dict.fromkeys(names, "")}
    extra = {**cells, **{column: dict.fromkeys(names, value) for column, value in columns.items()}}
    return make_engine(folder, [(name, "-") for name in names], executor=executor, extra=extra, config=config)[0]


@pytest.mark.parametrize(
    ("agent", "columns", "budget", "words"),
    [
        (AgentConfig(LINE, model="odd-1"), {}, 1.0, "a: no price is known for model odd-1"),
        (AgentConfig(LINE, parser="codex", model="odd-1"), {}, 1.0, "a: no price is known for model odd-1"),
        (AgentConfig(LINE), {}, 1.0, "a: no model is named"),
        (AgentConfig(LINE), {"Model": "odd-2"}, 1.0, "a: no price is known for model odd-2"),
        (AgentConfig(LINE, budget=1.0), {}, None, "a: no model is named"),
        (AgentConfig(LINE), {"Budget": "1"}, None, "a: no model is named"),
        (AgentConfig(LINE, models=("m", "odd-5")), {}, 1.0, "a: no price is known for model odd-5"),
        (AgentConfig(LINE, models=("m", "odd-5")), {"Model": "m"}, 1.0, "a: no price is known for model odd-5"),
        (
            AgentConfig(LINE),
            {"Command": "true", "Model": "odd-3"},
            1.0,
            "the command of A: no price is known for model",
        ),
    ],
)
def test_nothing_starts_without_a_price(
    agent: AgentConfig, columns: dict[str, str], budget: float | None, words: str, tmp_path: Path
) -> None:
    """Exit code 8 names the model and the setting; with `--allow-unpriced` it starts."""
    executor = FakeExecutor(FakeClock())
    config = Config(agents={"a": agent}, budget=budget, prices={"m": Price(1.0, 1.0)})
    with pytest.raises(EnvironmentProblem, match=words) as problem:
        engine_of(tmp_path, executor, config, **columns).run()
    assert problem.value.exit_code == 8
    assert "`prices:`" in (problem.value.hint or "")
    assert not executor.jobs
    allowed = Config(agents={"a": agent}, budget=budget, allow_unpriced=True)
    engine_of(tmp_path, executor, allowed, **columns).run()
    assert len(executor.jobs) == 1


def test_a_stronger_model_needs_a_price_too(tmp_path: Path) -> None:
    """`retry.then` may name a model that no task begins with."""
    agents, prices = {"a": AgentConfig(LINE, model="m")}, {"m": Price(1.0, 1.0)}
    config = Config(agents=agents, budget=1.0, prices=prices, retry=RetryConfig(then=("odd-6",)))
    with pytest.raises(EnvironmentProblem, match="a: no price is known for model odd-6"):
        engine_of(tmp_path, FakeExecutor(FakeClock()), config).run()


@pytest.mark.parametrize(
    ("agent", "columns", "budget"),
    [
        (AgentConfig(LINE), {}, None),
        (AgentConfig(LINE, model="m"), {}, 1.0),
        (AgentConfig(LINE, model="m-2.1"), {}, 1.0),
        (AgentConfig(LINE, parser="claude", model="odd"), {}, 1.0),
        (AgentConfig(LINE, line="(?P<cost>[0-9.]+) spent"), {}, 1.0),
        (AgentConfig(LINE), {"Command": "true"}, 1.0),
    ],
)
def test_what_has_a_price_starts(
    agent: AgentConfig, columns: dict[str, str], budget: float | None, tmp_path: Path
) -> None:
    """Its own, or that of another version of the model; or the agent reports its cost; or there is no budget."""
    executor = FakeExecutor(FakeClock())
    prices = {"m": Price(1.0, 1.0), "m-2": Price(1.0, 1.0)}
    engine = engine_of(tmp_path, executor, Config(agents={"a": agent}, budget=budget, prices=prices), **columns)
    engine.run()
    assert len(executor.jobs) == 1


class Steps(FakeExecutor):
    """Agents whose log says that they use tokens of a model without a price; they end when `over`."""

    def __init__(self, folder: Path, *, over: bool = False) -> None:
        super().__init__(FakeClock(), self._step)
        self._folder = folder
        self.over = over

    def _step(self, job: Job) -> Ended | None:
        last = {**STEP, "part": {**STEP["part"], "reason": "stop"}}  # type: ignore[dict-item]
        words = {"type": "text", "part": {"text": "Done."}}
        lines = [words, last] if self.over else [STEP]
        (self._folder / "logs" / job.log).write_text("".join(json.dumps(line) + "\n" for line in lines))
        return ok(job) if self.over else None


CONFIG = Config(agents={"a": AgentConfig(LINE, parser="opencode", model="odd-1")}, budget=1.0)


@pytest.mark.parametrize("over", [False, True], ids=["while it runs", "at its end"])
def test_a_price_that_turns_out_to_be_unknown_pauses_the_run(over: bool, tmp_path: Path) -> None:
    """opencode knows most prices: its log shows whether it does. What is at work is held until somebody resumes."""
    executor = Steps(tmp_path, over=over)
    engine = engine_of(tmp_path, executor, CONFIG, "AB")
    started: list[str] = []

    def resume() -> None:
        started.extend(job.key for job in executor.jobs)
        executor.over = True
        engine.post(Command(CommandKind.RESUME))

    said = on(engine, EventKind.RUN_PAUSED, None, resume)
    assert engine.run().exit_code == 0
    asked = [event.message for event in said if event.kind is EventKind.RUN_PAUSED]
    assert len(asked) == 1, "it is asked once"
    assert "no price is known for model odd-1" in asked[0]
    assert "`prices:`" in asked[0]
    assert started == ["A@1"]
    held = [event.task for event in said if event.kind is EventKind.TASK_HELD]
    assert held == ([] if over else ["A"])


def test_unknown_prices_may_be_allowed(tmp_path: Path) -> None:
    """Then the run continues, with a warning at its start."""
    executor = Steps(tmp_path, over=True)
    config = Config(agents=CONFIG.agents, budget=1.0, allow_unpriced=True)
    engine = engine_of(tmp_path, executor, config, "AB")
    assert engine.run().exit_code == 0
    assert not engine.store.run.paused
