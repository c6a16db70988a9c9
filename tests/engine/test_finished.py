"""An agent that says that it is done is done: it need not exit, and whatever ends it afterwards changes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from engines import add_criteria, killed, make_engine, on, tasks_of, write_plan
from fakes import FakeClock, FakeExecutor, exits, ok, running
from printed import INIT, of_model, result, step

from nova_core.agents import FORMATS
from nova_core.command import Command, CommandKind
from nova_core.config import AGENT_IDLE, AgentConfig, Config
from nova_core.executors.base import Ended, EndReason, Job
from nova_core.orchestrator import Orchestrator
from nova_core.state.events import EventKind
from nova_core.state.schema import TaskStatus

AGENTS = {"a": AgentConfig(command=("true", "{prompt}"), parser="claude")}
DONE = result(uuid="u1", model_usage_since_last_result=of_model(100, 10))
AGAIN = result(uuid="u2", model_usage_since_last_result=of_model(100, 10))
ABORTED = result(uuid="u3", subtype="error_during_execution", is_error=True, terminal_reason="aborted_tools", result="",
                 model_usage_since_last_result={})  # fmt: skip
FAILED = result(
    is_error=True, api_error_status=400, result="API Error: 400 mock: bad", model_usage_since_last_result={}
)
TURN = {"type": "assistant", "message": {"id": "m", "model": "claude-opus-5-5", "content": [], "usage": {}}}
NOTICE = {"type": "system", "subtype": "task_notification", "status": "completed"}


class Talking(FakeExecutor):
    """Each agent prints its lines at their times, in seconds since its start, then hangs or ends as `end` says."""

    def __init__(self, folder: Path, lines: list[tuple[float, Any]], end: Callable[[Job], Ended | None]) -> None:
        super().__init__(FakeClock(), self._talk)
        self._folder = folder
        self._lines = lines
        self._end = end
        self._since: dict[str, float] = {}
        self._said: dict[str, int] = {}

    def _talk(self, job: Job) -> Ended | None:
        if not job.own_holder:
            return ok(job)
        since = self._since.setdefault(job.key, self.clock.time)
        due = [line for at, line in self._lines if self.clock.time >= since + at]
        with (self._folder / "logs" / job.log).open("a") as log:
            for line in due[self._said.get(job.key, 0) :]:
                log.write(line + "\n" if isinstance(line, str) else json.dumps(line) + "\n")
        self._said[job.key] = len(due)
        return self._end(job) if len(due) == len(self._lines) else None


def hangs(job: Job) -> Ended | None:
    return None


def engine_of(folder: Path, executor: FakeExecutor, config: Config | None = None, *checks: str) -> Orchestrator:
    """One task of one agent, with a criterion for each of `checks`; an existing plan stays."""
    if not (folder / "CASCADE.md").exists():
        write_plan(folder, [("A", "-")], extra={"Agent": {"A": "a"}, "Command": {"A": ""}})
        add_criteria(folder, "A", *checks)
    return make_engine(folder, executor=executor, config=config or Config(agents=AGENTS))[0]


@pytest.mark.parametrize(
    ("lines", "least", "most"),
    [
        ([(0, INIT), (1, DONE)], 30, 34),
        ([(0, INIT), (1, DONE), (20, NOTICE), (21, INIT), (40, TURN), (50, AGAIN)], 79, 84),
        ([(0, INIT), (1, DONE), (10, "GET / 200"), (25, "GET / 200"), (40, "GET / 200")], 30, 34),
        ([(0, INIT), (1, DONE), (25, NOTICE)], 54, 59),
    ],
    ids=["a server keeps it", "a background task ends", "what it started prints", "an event is not quiet"],
)
def test_an_agent_that_does_not_exit_is_done_after_a_quiet_time(
    lines: list[tuple[float, Any]], least: float, most: float, tmp_path: Path
) -> None:
    """Its own events count, not what it left running prints: then it is ended, and its criteria are checked."""
    executor = Talking(tmp_path, lines, hangs)
    began = executor.clock.time
    assert engine_of(tmp_path, executor, None, "true").run().exit_code == 0
    assert least <= executor.clock.time - began <= most
    state = tasks_of(tmp_path)["A"]
    assert (state.status, state.verdict, state.attempt) == (TaskStatus.COMPLETED, "done", 1)
    assert state.criteria_met == (1,)
    assert executor.cancelled == ["A@1"]


def test_a_failure_that_does_not_exit_is_judged_by_its_log(tmp_path: Path) -> None:
    """The last event decides, whatever it says."""
    executor = Talking(tmp_path, [(0, INIT), (0, FAILED)], hangs)
    engine = engine_of(tmp_path, executor)
    assert engine.run().exit_code == 1
    assert executor.cancelled == ["A@1"]
    assert engine.store.tasks["A"].reason == "agent_error"


def test_the_quiet_time_is_a_setting(tmp_path: Path) -> None:
    """0 waits for the agent to exit."""
    executor = Talking(tmp_path, [(0, DONE)], hangs)
    engine_of(tmp_path, executor, Config(agents=AGENTS, quiet_timeout=0.0)).run(max_iterations=600)
    assert not executor.cancelled
    assert list(executor.running) == ["A@1"]
    assert executor.clock.time > 1_700_000_060


ENDS = {
    "a time limit": lambda job: Ended(job.key, EndReason.TIMEOUT, signal=15),
    "a limit of silence": lambda job: Ended(job.key, EndReason.IDLE_TIMEOUT, signal=9),
    "kill -9": lambda job: Ended(job.key, EndReason.EXIT, signal=9),
    "its shell, killed": lambda job: Ended(job.key, EndReason.EXIT, code=143),
    "a lost holder": lambda job: Ended(job.key, EndReason.LOST),
    "a request while no engine ran": lambda job: Ended(job.key, EndReason.CANCELLED, code=1),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_a_success_in_the_log_is_a_success(end: Callable[[Job], Ended], tmp_path: Path) -> None:
    """Whatever ended the process, the work is not paid twice."""
    executor = Talking(tmp_path, [(0, INIT), (0, DONE)], end)
    engine = engine_of(tmp_path, executor, Config(agents=AGENTS, retries=3), "true")
    assert engine.run().exit_code == 0
    state = engine.store.tasks["A"]
    assert (state.status, state.attempt, state.criteria_met) == (TaskStatus.COMPLETED, 1, (1,))


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_a_turn_that_began_after_a_success_is_not_done(end: Callable[[Job], Ended], tmp_path: Path) -> None:
    """A background task opened it: its work is cut off."""
    executor = Talking(tmp_path, [(0, DONE), (0, INIT), (0, TURN)], end)
    engine = engine_of(tmp_path, executor)
    assert engine.run().exit_code == 1
    assert engine.store.tasks["A"].status is TaskStatus.FAILED


@pytest.mark.parametrize("lines", [[DONE], [DONE, ABORTED]], ids=["silent", "reports the interruption"])
@pytest.mark.parametrize("checks", [(), ("true",)], ids=["no criteria", "a criterion"])
def test_a_run_that_is_stopped_keeps_a_success(lines: list[Any], checks: tuple[str, ...], tmp_path: Path) -> None:
    """Ctrl-C: what is done stays done, or is only checked by the next run; the agent does not run again."""
    executor = Talking(tmp_path, [(0, INIT), (0, lines[0])], hangs)
    engine = engine_of(tmp_path, executor, None, *checks)
    on(engine, EventKind.TASK_PROGRESS, "A", engine.stop)
    cancel = executor.cancel

    def interrupted(key: str, grace: float) -> None:
        with (tmp_path / "logs" / executor.running[key].log).open("a") as log:
            log.writelines(json.dumps(line) + "\n" for line in lines[1:])
        cancel(key, grace)

    executor.cancel = interrupted  # type: ignore[method-assign]
    engine.run()
    if checks:
        after = FakeExecutor(executor.clock)
        after.found = [Ended("A@1", EndReason.CANCELLED, signal=15)]
        assert engine_of(tmp_path, after).run().exit_code == 0
        assert [job.key for job in after.jobs] == ["A@1+1"]
    state = tasks_of(tmp_path)["A"]
    assert (state.status, state.attempt, state.verdict) == (TaskStatus.COMPLETED, 1, "done")


def test_the_next_engine_ends_what_has_finished(tmp_path: Path) -> None:
    """The engine was killed while an agent that is done did not exit."""
    executor = Talking(tmp_path, [(0, INIT), (0, DONE)], hangs)
    engine = engine_of(tmp_path, executor)
    engine.run(max_iterations=20)
    killed(engine)
    after = FakeExecutor(executor.clock, hangs)
    after.found, after.running = [running("A@1")], dict(executor.running)
    assert engine_of(tmp_path, after).run().exit_code == 0
    assert (after.cancelled, after.jobs) == (["A@1"], [])
    assert tasks_of(tmp_path)["A"].cost_usd == 0.01


def test_a_person_may_cancel_what_has_finished(tmp_path: Path) -> None:
    """`nova cancel` means the task, not the process."""
    executor = Talking(tmp_path, [(0, INIT), (0, DONE)], hangs)
    engine = engine_of(tmp_path, executor)
    on(engine, EventKind.TASK_PROGRESS, "A", lambda: engine.post(Command(CommandKind.CANCEL, ("A",))))
    assert engine.run().exit_code == 1
    assert engine.store.tasks["A"].reason == "cancelled"


CODEX = [{"type": "thread.started", "thread_id": "t"}, {"type": "turn.started"}]
USED = {"type": "turn.completed", "usage": {"input_tokens": 10, "output_tokens": 1}}
GEMINI = {"type": "result", "status": "success", "stats": {}}
EXITS = {"event": "exit", "properties": {}}


@pytest.mark.parametrize(
    ("agent", "lines", "final"),
    [
        ("claude", [INIT], False),
        ("claude", [INIT, DONE], True),
        ("claude", [INIT, DONE, NOTICE], True),
        ("claude", [INIT, DONE, INIT], False),
        ("claude", [INIT, FAILED], True),
        ("codex", CODEX, False),
        ("codex", [*CODEX, USED], True),
        ("codex", [*CODEX, USED, {"type": "turn.started"}], False),
        ("codex", [*CODEX, {"type": "turn.failed", "error": {"message": "no"}}], True),
        ("gemini", [{"type": "init", "session_id": "s"}], False),
        ("gemini", [{"type": "init", "session_id": "s"}, GEMINI], True),
        ("opencode", step("tool-calls"), False),
        ("opencode", step("stop"), True),
        ("opencode", [*step("stop"), {"type": "step_start", "part": {}}], False),
        ("aider", [{"event": "message_send", "properties": {}}], False),
        ("aider", [{"event": "message_send", "properties": {}}, EXITS], True),
        ("shell", ["done"], False),
    ],
)
def test_which_event_is_the_last(agent: str, lines: list[Any], final: bool) -> None:
    """Each agent has one that says that its run is over; a new turn takes it back."""
    log = FORMATS[agent]()
    log.feed("".join(json.dumps(line) + "\n" for line in lines).encode())
    assert log.is_final is final


@pytest.mark.parametrize(("config", "limits"), [(Config(agents=AGENTS), (AGENT_IDLE, 0.0)),
                                                (Config(agents=AGENTS, idle_timeout=60.0), (60.0, 60.0)),
                                                (Config(agents=AGENTS, idle_timeout=0.0), (0.0, 0.0))])  # fmt: skip
def test_an_agent_has_a_limit_of_silence_by_default(
    config: Config, limits: tuple[float, float], tmp_path: Path
) -> None:
    """Twenty minutes, which the start of the run says; a command has none, and a setting is for both."""
    executor = FakeExecutor(FakeClock(), exits(0))
    columns = {"Agent": {"A": "a"}, "Command": {"A": "", "B": "true"}}
    engine, _ = make_engine(tmp_path, [("A", "-"), ("B", "-")], executor=executor, extra=columns, config=config)
    said = on(engine, EventKind.RUN_STARTED, None, lambda: None)
    engine.run()
    assert tuple(job.idle_timeout for job in sorted(executor.jobs, key=lambda job: job.key)) == limits
    assert ("20m" in said[0].message) is (limits[0] == AGENT_IDLE)
