"""People type into terminals through the engine: it records who typed what, and finds what waits for an answer."""

from __future__ import annotations

from pathlib import Path

import pytest
from engines import make_engine
from fakes import FakeClock, FakeExecutor, exits, ok

from nova_core.command import Command, CommandKind
from nova_core.engine.attempts.terminals import QUIET
from nova_core.executors.base import Ended, EndReason, Job, Typed
from nova_core.orchestrator import Orchestrator
from nova_core.state.events import Event, EventKind
from nova_core.state.schema import Reason


class Lab:
    """An engine with a running task A, on a terminal by default."""

    def __init__(self, folder: Path, *, terminal: str = "yes") -> None:
        self.folder = folder
        self.outcome: Ended | None = None
        self.executor = FakeExecutor(FakeClock(), lambda _: self.outcome)
        extra = {"Terminal": {"A": terminal}}
        self.engine: Orchestrator = make_engine(folder, [("A", "-")], executor=self.executor, extra=extra)[0]
        self.events: list[Event] = []
        self.engine.subscribe(self.events.append)
        self.engine.start_worker("A")

    def prints(self, text: str) -> None:
        """The worker prints."""
        with (self.folder / "logs" / "A.log").open("a", newline="") as file:
            file.write(text)

    def turns(self, seconds: float) -> None:
        """The engine works for some time."""
        until = self.executor.clock.time + seconds
        while self.executor.clock.time < until:
            self.engine.monitor_workers(0.2)

    def types(self, text: str | None, *, who: str = "ada", count: int = 1, taken: bool = True) -> None:
        """The holder reports what was typed."""
        self.executor.reports.append(Typed("A@1", who, text, count, taken))
        self.turns(0.2)

    def of(self, kind: EventKind) -> list[str]:
        """The messages of the events of a kind."""
        return [event.message for event in self.events if event.kind is kind]


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """The lab with a terminal."""
    return Lab(tmp_path)


def test_a_command_types_into_the_running_worker(lab: Lab) -> None:
    """Text has one character per byte; the size is checked."""
    assert lab.engine.apply(Command(CommandKind.TYPE, ("A",), "y\xc3\r", by="ada")).ok
    assert lab.engine.apply(Command(CommandKind.RESIZE, ("A",), "80x24")).ok
    assert lab.executor.typed == [("A@1", "type", "ada", "y\xc3\r"), ("A@1", "size", 80, 24)]
    for size in ("", "80", "80x", "x24", "-1x5", "80x24x1", "99999x1", "aaxbb"):
        assert not lab.engine.apply(Command(CommandKind.RESIZE, ("A",), size)).ok


def test_typing_is_rejected_where_nothing_can_take_it(tmp_path: Path) -> None:
    """A task without a terminal, one that does not run, and several at once."""
    lab = Lab(tmp_path, terminal="no")
    assert "has no terminal" in lab.engine.apply(Command(CommandKind.TYPE, ("A",), "y")).message
    assert "name one task" in lab.engine.apply(Command(CommandKind.TYPE, (), "y")).message
    lab.outcome = Ended("A@1", EndReason.EXIT, code=0)
    lab.turns(1.0)
    assert "is not running" in lab.engine.apply(Command(CommandKind.TYPE, ("A",), "y")).message
    assert lab.executor.typed == []


def test_a_typed_line_is_one_event(lab: Lab) -> None:
    """Keys are gathered up to Enter, or to a pause."""
    for key in "yes\r":
        lab.types(key)
    lab.types("n")
    assert lab.of(EventKind.TASK_TYPED) == ["A: ada typed `yes`"]
    lab.turns(3.0)
    assert lab.of(EventKind.TASK_TYPED) == ["A: ada typed `yes`", "A: ada typed `n`"]
    typed = [event.patch["typed"] for event in lab.events if event.kind is EventKind.TASK_TYPED]
    assert typed[0] == {"who": "ada", "text": "yes", "bytes": 4}


def test_what_the_terminal_did_not_show_is_not_recorded(lab: Lab) -> None:
    """Of a password only its length, and it is not mixed with what others typed."""
    lab.types("a")
    lab.types(None, count=7)
    lab.types("b\r", who="bob")
    assert lab.of(EventKind.TASK_TYPED) == [
        "A: ada typed `a`", "A: ada typed 7 bytes, which its terminal did not show", "A: bob typed `b`",
    ]  # fmt: skip


def test_control_keys_are_named(lab: Lab) -> None:
    """As terminals name them; text that is not UTF-8 is replaced."""
    lab.types("\x03\x1b[A\xff\r", count=5)
    assert lab.of(EventKind.TASK_TYPED) == ["A: ada typed `^C^[[A\ufffd`"]


def test_a_worker_that_does_not_read_is_a_warning(lab: Lab) -> None:
    """What was typed did not reach it."""
    lab.types("x", count=2_000_000, taken=False)
    assert lab.of(EventKind.WARNING) == ["A does not read what is typed: 2,000,000 bytes rejected"]
    assert lab.of(EventKind.TASK_TYPED) == []


def test_a_quiet_worker_with_an_unfinished_question_asks(lab: Lab) -> None:
    """Until it prints again."""
    lab.prints("working\r\nOverwrite? [y/N] ")
    lab.turns(QUIET + 3.0)
    assert lab.of(EventKind.TASK_ASKED) == ["A asks: Overwrite? [y/N]"]
    assert lab.engine.store.tasks["A"].awaits_answer
    lab.prints("y\r\n")
    lab.turns(2.0)
    assert lab.engine.store.tasks["A"].question is None
    assert len(lab.of(EventKind.TASK_ASKED)) == 1


def test_a_worker_without_a_terminal_cannot_be_answered(tmp_path: Path) -> None:
    """It asks, but nobody can answer: it does not count among what needs a person."""
    lab = Lab(tmp_path, terminal="no")
    lab.prints("Overwrite? [y/N] ")
    lab.turns(QUIET + 3.0)
    assert lab.of(EventKind.TASK_ASKED) == ["A asked `Overwrite? [y/N]`, and has no terminal to get an answer"]
    assert not lab.engine.store.tasks["A"].awaits_answer


@pytest.mark.parametrize(
    ("terminal", "reason", "code", "asked"),
    [
        ("no", EndReason.EXIT, 1, True), ("no", EndReason.TIMEOUT, None, True),
        ("no", EndReason.CANCELLED, None, False),
        ("yes", EndReason.TIMEOUT, None, True), ("yes", EndReason.EXIT, 1, False),
    ],
)  # fmt: skip
def test_a_failure_without_an_answer_says_so(
    tmp_path: Path, terminal: str, reason: EndReason, code: int | None, asked: bool
) -> None:
    """On a terminal an answer may leave no trace, so there only a time limit shows that there was none."""
    lab = Lab(tmp_path, terminal=terminal)
    lab.prints("Overwrite? [y/N] ")
    lab.outcome = Ended("A@1", reason, code=code)
    lab.turns(1.0)
    state = lab.engine.store.tasks["A"]
    assert state.error is not None
    assert state.error.startswith("asked `Overwrite? [y/N]` and got no answer (") is asked
    assert state.question == ("Overwrite? [y/N]" if asked else None)
    assert state.reason in (Reason.EXIT_CODE, Reason.TIMEOUT, Reason.CANCELLED)


def test_a_task_that_succeeds_has_no_question(tmp_path: Path) -> None:
    """Its program took the default."""
    lab = Lab(tmp_path, terminal="no")
    lab.prints("Overwrite? [y/N] ")
    lab.turns(QUIET + 3.0)
    lab.outcome = ok(Job("A@1"))
    lab.turns(1.0)
    assert lab.engine.store.tasks["A"].question is None


@pytest.mark.parametrize(("cell", "given"), [("yes", True), ("no", False), ("", False), ("window 2", False)])
def test_the_column_gives_a_terminal(tmp_path: Path, cell: str, given: bool) -> None:
    """Other words in such a column, as other plans have them, mean nothing."""
    engine, executor = make_engine(tmp_path, [("A", "-")], outcome=exits(0), extra={"Terminal": {"A": cell}})
    engine.run()
    assert executor.jobs[0].terminal is given
