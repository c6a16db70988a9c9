"""A permission that an agent waits for: shown as `needs approval`, answered by a person, asked again after a crash."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from acp_messages import Message, asked, began, call, chosen, ended, said
from engines import killed, make_engine, on, order, tasks_of, write_plan
from fakes import FakeClock, FakeExecutor, ok, running

from nova_core.acp import answers
from nova_core.command import Command, CommandKind
from nova_core.config import AgentConfig, Config
from nova_core.executors.base import Ended, Job
from nova_core.files.project import Project
from nova_core.orchestrator import Orchestrator
from nova_core.runs.words import Shown, phrase, shown_status
from nova_core.state.events import EventKind
from nova_core.state.schema import Reason, TaskStatus
from nova_core.watch.offline import apply_offline

CONFIG = Config(agents={"a": AgentConfig(command=("true",), kind="acp")})
QUESTION = [
    *began(model="unpriced"), asked(7, "c1", "execute"),
    call("_nova/question", number=1, key="k1", words="run: make all", seconds=600),
]  # fmt: skip


class Asking(FakeExecutor):
    """An agent that asks for one permission, and ends its turn when it has an answer."""

    def __init__(self, folder: Path) -> None:
        super().__init__(FakeClock(), self._ask)
        self._log = folder / "logs" / "A.log"
        self._inbox = folder / ".nova" / "inbox"

    def _print(self, *messages: Message) -> None:
        with self._log.open("a") as log:
            log.writelines(json.dumps(message) + "\n" for message in messages)

    def _ask(self, job: Job) -> Ended | None:
        if not self._log.exists():
            self._print(*QUESTION)
        answer = answers.read(str(self._inbox), "A", 1, "k1")
        if answer is None:
            return None
        self._print(call("_nova/answer", number=1, allow=answer, by="person"), chosen(7, "a" if answer else "r"))
        self._print(said("All done."), ended(inputTokens=5, outputTokens=1))
        return ok(job)


def engine_of(folder: Path, executor: FakeExecutor) -> Orchestrator:
    if not (folder / "CASCADE.md").exists():
        write_plan(folder, [("A", "-")], extra={"Agent": {"A": "a"}, "Command": {"A": ""}})
    return make_engine(folder, executor=executor, config=CONFIG)[0]


def says(engine: Orchestrator, kind: CommandKind) -> Callable[[], object]:
    return lambda: order(engine, Command(kind, ("A",)))


@pytest.mark.parametrize(
    ("kind", "status", "verdict", "words"),
    [
        (CommandKind.APPROVE, TaskStatus.COMPLETED, "done", "A may run: make all"),
        (CommandKind.REJECT, TaskStatus.FAILED, "permission_denied", "A may not run: make all"),
        (CommandKind.CANCEL, TaskStatus.FAILED, "interrupted", "A needs approval: run: make all"),
    ],
)
def test_a_person_answers(kind: CommandKind, status: TaskStatus, verdict: str, words: str, tmp_path: Path) -> None:
    """The question is an event and the task needs approval; the answer reaches the agent; it can be cancelled, too."""
    engine = engine_of(tmp_path, Asking(tmp_path))
    events = on(engine, EventKind.TASK_WAITING, "A", says(engine, kind))
    engine.run()
    state = tasks_of(tmp_path)["A"]
    assert (state.status, state.verdict, state.asks) == (status, verdict, None)
    assert any(event.message.startswith(words) for event in events)
    assert next(e.patch for e in events if e.kind is EventKind.TASK_WAITING) == {"asks": "run: make all"}
    assert (state.reason is Reason.CANCELLED) is (kind is CommandKind.CANCEL)


def test_the_next_engine_asks_again(tmp_path: Path) -> None:
    """The agent waits on while no engine runs; its question is in its log."""
    executor = Asking(tmp_path)
    engine = engine_of(tmp_path, executor)
    engine.run(max_iterations=20)
    killed(engine)
    left = tasks_of(tmp_path)["A"]
    assert shown_status(left, ready=True) is Shown.APPROVAL
    assert phrase(left, Shown.APPROVAL, 0.0) == "needs approval: run: make all"
    reply = apply_offline(Project(tmp_path), Command(CommandKind.APPROVE, ("A",)))
    assert (reply.ok, "`nova run`" in reply.message) == (False, True)
    after = Asking(tmp_path)
    after.clock, after.found, after.running = executor.clock, [running("A@1")], dict(executor.running)
    second = engine_of(tmp_path, after)
    events = on(second, EventKind.TASK_WAITING, "A", says(second, CommandKind.APPROVE))
    assert second.run().exit_code == 0
    kinds = [event.kind for event in events]
    assert (kinds.count(EventKind.TASK_WAITING), EventKind.RUN_PAUSED in kinds) == (1, False)
    assert (tasks_of(tmp_path)["A"].attempt, after.jobs) == (1, [])


def test_what_nobody_answered_is_no_question_any_more(tmp_path: Path) -> None:
    """The agent's side denies it after a time: the task no longer needs approval."""
    executor = Asking(tmp_path)
    engine = engine_of(tmp_path, executor)

    def too_late() -> None:
        executor._print(call("_nova/answer", number=1, allow=False, by="time"), chosen(7, "r"), said("Oh."))

    events = on(engine, EventKind.TASK_WAITING, "A", too_late)
    engine.run(max_iterations=30)
    assert tasks_of(tmp_path)["A"].asks is None
    assert any("was not answered" in event.message for event in events)
    engine.close()
