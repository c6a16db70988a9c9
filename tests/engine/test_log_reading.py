"""Workers' output never stops the engine: not by its size, nor by its end, nor by a reader that fails."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from cli_process import nova
from engines import make_engine
from fakes import FakeClock, FakeExecutor, ok

from nova_core.agents.claude import ClaudeLog
from nova_core.agents.log import AgentLog
from nova_core.config import AgentConfig, Config
from nova_core.executors.base import Ended, Job
from nova_core.orchestrator import Orchestrator
from nova_core.state.events import Event, EventKind
from nova_core.state.schema import TaskStatus

CONFIG = Config(agents={"a": AgentConfig(command=("true", "{prompt}"), parser="claude")})
CUT = "[nova: 123456 bytes of this log were cut here]\n"
DONE = {"type": "result", "subtype": "success", "is_error": False, "result": "done", "modelUsage": {},
        "model_usage_since_last_result": {"m": {"inputTokens": 10, "outputTokens": 1, "costUSD": 0.5}}}  # fmt: skip
NOISE = json.dumps({"type": "user", "message": {"content": [{"type": "tool_result", "content": "y" * 100_000}]}}) + "\n"


def engine_for(
    folder: Path, logs: dict[str, Iterable[str]], *, agents: str = "A", outcome: Callable[[Job], Ended | None] = ok,
) -> tuple[Orchestrator, FakeExecutor, list[Event]]:  # fmt: skip
    """Tasks A and B, done by an agent or by a command, that print the given text and end."""

    def print_and_end(job: Job) -> Ended | None:
        with (folder / "logs" / job.log).open("a") as file:
            file.writelines(logs.get(job.key.partition("@")[0], ()))
        return outcome(job)

    executor = FakeExecutor(FakeClock(), print_and_end)
    columns = {"Agent": dict.fromkeys(agents, "a"), "Command": dict.fromkeys(agents, "")}
    engine, _ = make_engine(folder, [("A", "-"), ("B", "-")], executor=executor, extra=columns, config=CONFIG)
    events: list[Event] = []
    engine.subscribe(events.append)
    return engine, executor, events


def ended(events: list[Event]) -> list[str | None]:
    return [event.task for event in events if event.kind in (EventKind.TASK_COMPLETED, EventKind.TASK_FAILED)]


def test_the_rest_of_a_long_log_is_read_while_the_run_continues(tmp_path: Path) -> None:
    """An agent that printed forty megabytes before its end is judged by all of it; other tasks do not wait for that."""
    engine, _, events = engine_for(tmp_path, {"A": [NOISE] * 400 + [json.dumps(DONE)]})
    assert engine.run().exit_code == 0
    assert ended(events) == ["B", "A"]
    state = engine.store.tasks["A"]
    assert (state.verdict, state.cost_usd, state.estimated) == ("done", 0.5, False)


def test_a_run_that_is_stopped_reads_only_the_end_of_a_long_log(tmp_path: Path) -> None:
    """Its worker has ended already: its exit code counts, and the figures are estimated."""

    def b_last(job: Job) -> Ended | None:
        return ok(job) if job.key.startswith("A") or engine.active["A"].ended else None

    engine, executor, events = engine_for(tmp_path, {"A": [NOISE] * 4000 + [json.dumps(DONE)]}, outcome=b_last)
    engine.subscribe(lambda event: engine.stop() if ended([event]) == ["B"] else None)
    before = executor.clock.monotonic()
    engine.run()
    assert ended(events) == ["B", "A"]
    assert executor.clock.monotonic() - before < 0.05, "of a hundred looks at a thousandth each"
    state = engine.store.tasks["A"]
    assert (state.status, state.cost_usd, state.estimated) == (TaskStatus.COMPLETED, 0.5, True)
    assert executor.cancelled == [], "there is nothing left to end"


def test_one_look_takes_in_a_part_of_what_a_talkative_worker_prints(tmp_path: Path) -> None:
    """The loop takes its turns however much is printed, and everything is read in the end."""
    offsets: list[int] = []

    def talk(job: Job) -> Ended | None:
        if not job.key.startswith("A"):
            return ok(job)
        offsets.append(engine.active["A"].tail.offset)
        return ok(job) if len(offsets) == 12 else None

    engine, _, events = engine_for(tmp_path, {"A": [NOISE] * 80}, outcome=talk)
    engine.run()
    looks = [later - earlier for earlier, later in pairwise(offsets)]
    assert max(looks) <= 5 << 20
    assert sum(look > 0 for look in looks) > 5, "who is behind looks again soon"
    assert ended(events) == ["B", "A"]
    assert len(NOISE) * 80 * 12 == (tmp_path / "logs" / "A.log").stat().st_size


@pytest.mark.parametrize("part", ["feed", "finish", "outcome", "cost"])
@pytest.mark.parametrize("error", [RuntimeError("odd"), MemoryError(), RecursionError("deep")])
def test_a_reader_that_fails_fails_alone(
    part: str, error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error in reading one agent's log gives a warning on its task and estimated figures; the run continues."""

    def fail(*_: Any) -> Any:
        raise error

    monkeypatch.setattr(AgentLog, part, fail)
    engine, _, events = engine_for(tmp_path, {"A": [json.dumps(DONE)]})
    engine.run()
    warnings = [event.message for event in events if event.kind is EventKind.WARNING and event.task == "A"]
    assert [type(error).__name__ in warning for warning in warnings] == [True]
    assert engine.store.tasks["A"].estimated
    assert engine.store.tasks["B"].status is TaskStatus.COMPLETED


def test_an_agent_whose_log_cannot_be_judged_has_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nova does not guess that the task is done."""
    monkeypatch.setattr(ClaudeLog, "ending", property())
    engine, _, _ = engine_for(tmp_path, {"A": [json.dumps(DONE)]})
    engine.run()
    state = engine.store.tasks["A"]
    assert (state.status, state.verdict) == (TaskStatus.FAILED, "failed")
    assert str(state.error).startswith("its output cannot be judged (AttributeError")


@pytest.mark.parametrize(
    ("text", "estimated"),
    [(CUT, False), ("Token usage: input=5, output=0\n", False), ("Token usage: input=5, output=0\n" + CUT, True)],
)
def test_what_a_command_says_of_itself_is_estimated_if_a_part_is_missing(
    text: str, estimated: bool, tmp_path: Path
) -> None:
    """Its token lines may be in what was cut; a build that counts no tokens has nothing to estimate."""
    engine, _, _ = engine_for(tmp_path, {"A": [text]}, agents="")
    assert engine.run().exit_code == 0
    assert engine.store.tasks["A"].estimated is estimated


def test_counts_without_end_can_be_written_down(tmp_path: Path) -> None:
    """Twenty thousand messages of a quadrillion tokens exceed what a database can store."""
    message = {"type": "assistant", "message": {"id": "m", "usage": {"input_tokens": 10**15}, "content": []}}
    told = [json.dumps(message).replace('"m"', f'"m{i}"') + "\n" for i in range(20_000)]
    engine, _, _ = engine_for(tmp_path, {"A": [*told]})
    engine.run()
    assert engine.store.tasks["A"].token_usage.input_tokens == 10**15


TALKER = """\
import json, sys, time
from pathlib import Path

def say(**event):
    print(json.dumps(event), flush=True)

sys.stdin.read()
say(type="system", subtype="init", session_id="s1", model="m")
for _ in range(200):
    say(type="user", message={"content": [{"type": "tool_result", "content": "y" * 2000}]})
while '"s1"' not in Path("cascade_state.json").read_text():  # until the engine has read that far
    time.sleep(0.01)
say(**json.loads(sys.argv[1]))
"""


def test_an_agent_with_a_log_over_the_limit_is_judged_by_its_end(tmp_path: Path) -> None:
    """Its holder cuts the log before the engine's last look, which still finds the end."""
    (tmp_path / "talker.py").write_text(TALKER)
    agent = {"command": [sys.executable, "talker.py", json.dumps(DONE).replace("{", "{{").replace("}", "}}")]}
    settings = {"agent": ["mine"], "log_limit": "100KB", "agents": {"mine": {**agent, "parser": "claude"}}}
    (tmp_path / "nova.yaml").write_text(json.dumps(settings))
    (tmp_path / "CASCADE.md").write_text("# P\n\n| Task ID | Task Name | Depends On |\n|---|---|---|\n| A | a | - |\n")
    done = nova("run", "--no-ui", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    state = json.loads((tmp_path / "cascade_state.json").read_text())["tasks"]["A"]
    assert (state["verdict"], state["cost_usd"]) == ("done", 0.5)
    assert b"bytes of this log were cut here]" in (tmp_path / "logs" / "A.log").read_bytes()
