"""The next attempt learns why the last one failed, from its prompt or in its session; a ladder climbs on evidence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from engines import add_criteria, killed, make_engine, on, tasks_of
from fakes import FakeClock, FakeExecutor, exits, ok

from nova_core.command import Command, CommandKind
from nova_core.config import AgentConfig, Config, RetryConfig
from nova_core.executors.base import Ended, EndReason, Job
from nova_core.orchestrator import Orchestrator
from nova_core.state.events import EventKind
from nova_core.state.schema import Reason, TaskStatus

PLAIN = {name: AgentConfig(command=("true", name, "{model}"), line="^STEP (?P<step>.*)") for name in ("a", "b")}
CONFIG = Config(agent=("a",), agents=PLAIN, retries=1, retry_delay=0.01)


class Stub:
    """An agent that `works` (its prompt, its attempt) decides to succeed, and a check that prints `printed`.

    `prompts` are those it was given, `argv` its commands; `write` is called when it succeeds.
    """

    def __init__(self, folder: Path, works: Callable[[str], bool] = lambda prompt: False) -> None:
        self.folder = folder
        self.works = works
        self.prompts: list[str] = []
        self.argv: list[tuple[str, ...]] = []
        self.printed: Callable[[int], str] = lambda attempt: "boom: 17 is not 4"
        self.ended: list[Ended] = []
        self.exit = 0
        self.passes = False
        self.write: Callable[[], object] = lambda: None
        self.executor = FakeExecutor(FakeClock())
        self.executor.outcome = self

    def __call__(self, job: Job) -> Ended:
        self.ended.append(self._end(job))
        return self.ended[-1]

    def _end(self, job: Job) -> Ended:
        log = self.folder / "logs" / job.log
        if "+" in job.key:
            log.write_text("" if self.passes else self.printed(len(self.prompts)) + "\n")
            return (ok if self.passes else exits(1))(job)
        self.prompts.append(Path(job.stdin).read_text())
        self.argv.append(tuple(job.argv))
        self.passes = self.works(self.prompts[-1])
        if self.passes:
            self.write()
        log.write_text("STEP reading\nI have done it.\n")
        return exits(self.exit)(job)

    def engine(self, *rows: str, config: Config = CONFIG, **extra: dict[str, str]) -> Orchestrator:
        """An engine whose tasks this agent does; without rows, on the plan that is there."""
        columns = {"Command": dict.fromkeys(rows, ""), **extra}
        plan = [(task_id, "-") for task_id in rows] if rows else None
        engine, _ = make_engine(self.folder, plan, executor=self.executor, extra=columns, config=config)
        return engine


def test_a_check_that_failed_is_in_the_next_prompt(tmp_path: Path) -> None:
    """The agent reads what the criterion's command printed, and succeeds at the second attempt."""
    stub = Stub(tmp_path, lambda prompt: "> boom: 17 is not 4" in prompt)
    killed(stub.engine("A"))
    add_criteria(tmp_path, "A", "make test")
    assert stub.engine().run().exit_code == 0
    first, second = stub.prompts
    assert "What failed before" not in first
    assert "1 earlier attempt of this task failed" in second
    assert "criterion 1 is not met" in second
    assert "The end of what the command of criterion 1 printed (`logs/A.check-1.log`):" in second
    assert "> reading" in second
    state = tasks_of(tmp_path)["A"]
    assert (state.past, state.rung) == ((), 0), "it succeeded: there is nothing to learn from any more"


def test_missing_outputs_are_in_the_next_prompt(tmp_path: Path) -> None:
    """The agent reads which file it has not written."""
    stub = Stub(tmp_path, lambda prompt: "> output `report.txt` does not exist" in prompt)
    stub.write = lambda: (tmp_path / "report.txt").write_text("x")
    assert stub.engine("A", Outputs={"A": "report.txt"}).run().exit_code == 0
    assert len(stub.prompts) == 2


def test_a_rejection_is_in_the_next_prompt(tmp_path: Path) -> None:
    """What a person wrote with the rejection reaches the agent after `nova retry`, and so does a note."""
    stub = Stub(tmp_path)
    engine = stub.engine("A", Approval={"A": "after"}, config=msgspec.structs.replace(CONFIG, retries=0))
    assert engine.run().exit_code == 4
    again = stub.engine()
    assert again.apply(Command(CommandKind.REJECT, ("A",), text="keep the\nold API")).ok
    assert again.apply(Command(CommandKind.RETRY, ("A",), text="see v1.py")).ok
    assert again.run().exit_code == 4
    assert "## The work of attempt 1 (a) was rejected by a person\n\n> keep the\n> old API" in stub.prompts[1]
    assert "# What a person wrote about this task\n\n> see v1.py" in stub.prompts[1]
    third = stub.engine()
    assert third.apply(Command(CommandKind.APPROVE, ("A",))).ok
    assert (third.store.tasks["A"].past, third.store.tasks["A"].note) == ((), None)


def test_an_exit_code_comes_with_the_end_of_the_log(tmp_path: Path) -> None:
    """An agent of whose format nothing is known: its own last lines are the evidence."""
    stub = Stub(tmp_path)
    stub.exit = 3
    assert stub.engine("A").run().exit_code == 1
    assert "> exit code 3" in stub.prompts[1]
    assert "> I have done it." in stub.prompts[1]


@pytest.mark.parametrize("when", [EventKind.TASK_RETRYING, EventKind.TASK_VERIFYING])
def test_the_evidence_survives_a_kill(tmp_path: Path, when: EventKind) -> None:
    """The engine dies after the failure, or before it is known: the next attempt learns it all the same."""
    stub = Stub(tmp_path, lambda prompt: "> boom: 17 is not 4" in prompt)
    killed(stub.engine("A"))
    add_criteria(tmp_path, "A", "make test")
    engine = stub.engine()

    def die() -> None:
        raise KeyboardInterrupt

    on(engine, when, "A", die)
    with pytest.raises(KeyboardInterrupt):
        engine.run()
    killed(engine)
    stub.executor.found = [ended for ended in stub.ended if ended.key not in stub.executor.released]
    stub.executor.running.clear()
    stub.executor.jobs.clear()
    assert stub.engine().run().exit_code == 0
    assert len(stub.prompts) == 2


def test_without_feedback_the_prompt_stays_the_same(tmp_path: Path) -> None:
    """`retry: {feedback: false}`."""
    stub = Stub(tmp_path)
    stub.exit = 1
    stub.engine("A", config=msgspec.structs.replace(CONFIG, retry=RetryConfig(feedback=False))).run()
    assert stub.prompts[0] == stub.prompts[1]


# the ladder


def models(stub: Stub) -> list[str]:
    return [" ".join(argv[1:]) for argv in stub.argv]


LADDER = msgspec.structs.replace(CONFIG, retries=0, retry=RetryConfig(then=("big", "b", "huge")))


def test_the_ladder_is_climbed_on_evidence(tmp_path: Path) -> None:
    """A stronger model, another agent, its stronger model: one for each failure, also without `retries`."""
    stub = Stub(tmp_path)
    killed(stub.engine("A", Model={"A": "small"}))
    add_criteria(tmp_path, "A", "make test")
    stub.printed = lambda attempt: f"{attempt} tests failed"
    engine = stub.engine(config=LADDER)
    events = on(engine, EventKind.TASK_FAILED, "A", lambda: None)
    assert engine.run().exit_code == 1
    assert models(stub) == ["a small", "a big", "b ", "b huge"]
    why = [event.message for event in events if event.kind is EventKind.TASK_RETRYING]
    assert "by a (big): criterion not met" in why[0]
    assert engine.store.tasks["A"].agent == "b"


def test_the_same_reason_twice_ends_the_ladder(tmp_path: Path) -> None:
    """Two equal failures in a row: no stronger model is tried, and the task says so; times in the output may differ."""
    stub = Stub(tmp_path)
    killed(stub.engine("A"))
    add_criteria(tmp_path, "A", "make test")
    stub.printed = lambda attempt: f"2 tests failed in 0.{attempt}3s at 12:00:0{attempt}"
    engine = stub.engine(config=LADDER)
    engine.run()
    assert models(stub) == ["a ", "a big"]
    state = tasks_of(tmp_path)["A"]
    assert (state.error or "").endswith("; failed for the same reason twice in a row: b is not tried")
    again = stub.engine(config=LADDER)
    assert again.apply(Command(CommandKind.RETRY, ("A",))).ok
    again.run()
    assert models(stub)[2:] == ["b ", "b huge"], "a person asked for more: it continues where it stopped"


def test_retries_without_a_ladder_are_all_made(tmp_path: Path) -> None:
    """`retries: 3` means three, whatever the reasons."""
    stub = Stub(tmp_path)
    stub.exit = 1
    stub.engine("A", config=msgspec.structs.replace(CONFIG, retries=3)).run()
    assert len(stub.prompts) == 4
    assert stub.prompts[3].count("> Attempt ") == 2


@pytest.mark.parametrize(
    ("ended", "starts"),
    [(EndReason.EXIT, 2), (EndReason.TIMEOUT, 2), (EndReason.IDLE_TIMEOUT, 1), (EndReason.LOST, 1)],
)
def test_only_evidence_against_the_work_climbs(tmp_path: Path, ended: EndReason, starts: int) -> None:
    """A wrong result or a timeout does; a stall, or an unknown end, does not."""
    stub = Stub(tmp_path)
    stub.executor.outcome = lambda job: msgspec.structs.replace(stub(job), reason=ended, code=1)
    stub.engine("A", config=msgspec.structs.replace(LADDER, retry=RetryConfig(then=("big",)))).run()
    assert len(stub.argv) == starts


def test_a_person_chooses_agent_and_model(tmp_path: Path) -> None:
    """`nova retry --agent OTHER --model M` holds until the task is done or retried again; there is no ladder then."""
    stub = Stub(tmp_path)
    stub.exit = 1
    stub.engine("A", Model={"A": "small"}, config=msgspec.structs.replace(LADDER, retry=RetryConfig())).run()
    for agent, model, wanted in (("b", "m", "b m"), ("b", "", "b "), ("", "m", "a m")):
        engine = stub.engine(config=LADDER)
        assert engine.apply(Command(CommandKind.RETRY, ("A",), agent=agent, model=model)).ok
        engine.run()
        assert models(stub)[-1] == wanted
    engine = stub.engine(config=msgspec.structs.replace(LADDER, retry=RetryConfig()))
    assert engine.apply(Command(CommandKind.RETRY, ("A",))).ok
    engine.run()
    assert models(stub)[1:] == ["b m", "b ", "a m", "a small"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"agent": "nobody"}, "there is no agent nobody; known: a, b, claude"),
        ({"text": "x" * 4001}, "a note has at most 4,000 characters"),
        ({"model": "x" * 300}, "a model 200"),
    ],
)
def test_what_cannot_be_wanted_is_rejected(tmp_path: Path, given: dict[str, Any], words: str) -> None:
    """An unknown agent, a note that no prompt has room for."""
    stub = Stub(tmp_path)
    stub.exit = 1
    stub.engine("A").run()
    engine = stub.engine()
    reply = engine.apply(Command(CommandKind.RETRY, ("A",), **given))
    assert (reply.ok, words in reply.message) == (False, True)
    assert engine.store.tasks["A"].status is TaskStatus.FAILED


def test_no_agent_does_the_task_of_a_command(tmp_path: Path) -> None:
    """A task with a Command has no agent to replace."""
    make_engine(tmp_path, [("A", "-")], outcome=exits(1))[0].run()
    engine, _ = make_engine(tmp_path, config=CONFIG)
    reply = engine.apply(Command(CommandKind.RETRY, ("A",), agent="b"))
    assert reply.message == "A runs a command: no agent or model does it"


# sessions

USAGE = {"m": {"inputTokens": 10, "outputTokens": 1, "costUSD": 0.5}}


def done(session: str, **fields: Any) -> dict[str, Any]:
    return {"type": "result", "subtype": "success", "is_error": False, "result": "It is all done.", "num_turns": 1,
            "session_id": session, "modelUsage": USAGE, "model_usage_since_last_result": USAGE, **fields}  # fmt: skip


@pytest.fixture
def claude(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Stub]:
    """A stub of claude, which says what `say` (attempt) returns, and whose criterion fails until it passes."""
    monkeypatch.setattr("nova_core.launch.launcher._which", lambda program, path: program)

    def build(say: Callable[[int], dict[str, Any]] = lambda attempt: done(f"s{attempt}")) -> Stub:
        stub = Stub(tmp_path)

        def outcome(job: Job) -> Ended:
            ended = stub(job)
            if "+" not in job.key:
                (tmp_path / "logs" / job.log).write_text(json.dumps(say(len(stub.prompts))) + "\n")
            return ended

        stub.executor.outcome = outcome
        return stub

    return build


def resumed(stub: Stub) -> list[str | None]:
    return [argv[argv.index("--resume") + 1] if "--resume" in argv else None for argv in stub.argv]


CLAUDE = Config(agent=("claude",), retries=3, retry_delay=0.01)


@pytest.mark.parametrize(
    ("config", "printed", "sessions"),
    [
        (CLAUDE, lambda n: f"{n} failed", [None, "s1", "s2", "s3"]),
        (CLAUDE, lambda n: "always", [None, "s1", None, None]),
        (msgspec.structs.replace(CLAUDE, retry=RetryConfig(session="new")), lambda n: f"{n} failed", [None] * 4),
        (
            msgspec.structs.replace(CLAUDE, retry=RetryConfig(then=("opus",))),
            lambda n: f"{n}",
            [None, None, "s2", "s3"],
        ),
    ],
)
def test_the_session_is_continued(
    claude: Callable[..., Stub], tmp_path: Path, config: Config, printed: Callable[[int], str],
    sessions: list[str | None],
) -> None:  # fmt: skip
    """The agent that knows the task gets only what failed; not with another model, nor after two equal failures."""
    stub = claude()
    stub.printed = printed
    killed(stub.engine("A"))
    add_criteria(tmp_path, "A", "make test")
    stub.engine(config=config).run()
    assert resumed(stub) == sessions
    for prompt, session in zip(stub.prompts, sessions, strict=True):
        assert ("# Task A" in prompt) == (session is None)
        assert ("and the task is not done yet" in prompt) == (session is not None)
        assert ("> It is all done." in prompt) == (prompt is not stub.prompts[0])


def test_a_session_with_an_error_of_its_own_is_left(claude: Callable[..., Stub], tmp_path: Path) -> None:
    """An agent that failed by itself begins a new session; one that stopped too early continues."""
    stub = claude(lambda n: done("s", is_error=True, result="I failed") if n == 1 else
                  done("t", subtype="error_max_turns", is_error=True) if n == 2 else done("t"))  # fmt: skip
    engine = stub.engine("A", config=msgspec.structs.replace(CLAUDE, retries=2))
    engine.run()
    assert resumed(stub) == [None, None, "t"]


def test_a_limit_never_climbs(claude: Callable[..., Stub], tmp_path: Path) -> None:
    """A refusal of the provider says nothing about the work: the same model continues."""
    limit = {"is_error": True, "api_error_status": 429, "result": "limit, try again in 1 hour", "modelUsage": {},
             "model_usage_since_last_result": {}}  # fmt: skip
    stub = claude(lambda n: done("s", **limit) if n == 1 else done("s"))
    stub.passes = True
    stub.executor.least = 60.0  # an hour passes
    config = msgspec.structs.replace(CLAUDE, retries=0, retry=RetryConfig(then=("opus",)))
    engine = stub.engine("A", config=config)
    engine.run()
    assert all("opus" not in argv for argv in stub.argv)
    assert engine.store.tasks["A"].rung == 0
    assert engine.store.tasks["A"].reason is not Reason.AGENT_ERROR
