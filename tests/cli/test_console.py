"""What a headless run prints: lines, batches, the live part, the summary, and the output for GitHub."""

from __future__ import annotations

import io
import json
import re
import threading
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
from hostile import MARKUP, RUNNER, SHELL
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from rich.console import Console

from nova_core.clock import iso
from nova_core.console import github, live, summary, tails
from nova_core.console.lines import WORDS, LocalClock, event_line
from nova_core.console.stream import EventStream
from nova_core.model import Task, TokenUsage
from nova_core.parser import Cascade, parse_text
from nova_core.plan.selection import Selection
from nova_core.runs.result import Outcome, RunResult, Snapshot
from nova_core.runs.words import failure_text
from nova_core.runs.worktime import WorkTime
from nova_core.state.events import Event, EventKind
from nova_core.state.schema import Reason, RunState, State, TaskState, TaskStatus
from nova_core.text import clean

PLAN = """\
# Demo

| Task ID | Task Name | What Changes | Depends On |
| --- | --- | --- | --- |
| F1 | First [bold]one[/] | a | - |
| F2 | Second | b | F1 |
| F3 | Third | c | F2 |
"""
NASTY = "a\x1b]0;title\x07b\x1b[2Jc\r\nd\u202e"
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
AT = "2026-01-02T03:04:05.000+00:00"


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> None:
    """Local time is UTC."""
    import time

    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


def plan() -> Cascade:
    """A chain of three tasks."""
    return parse_text(PLAN, "CASCADE.md")


def event(kind: EventKind, task: str | None = "F1", message: str = "", **patch: Any) -> Event:
    """An event at a fixed time."""
    return Event(1, "2026-01-02T03:04:05.678+00:00", kind, task, message, patch)


def snapshot(**tasks: TaskState) -> Snapshot:
    """A snapshot of the plan with these tasks."""
    return Snapshot(plan(), State(tasks=tasks, run=RunState(id="r")), 3, NOW)


def result(**changes: Any) -> RunResult:
    """A result of nothing, with changes."""
    base = RunResult(0, 0, 0, 0, 0, 0, 0, 0, 0.0, 0.0, TokenUsage(), None, False)
    return msgspec.structs.replace(base, **changes)


# lines


@pytest.mark.parametrize(
    ("happened", "line"),
    [
        (event(EventKind.TASK_STARTED, attempt=1), "03:04:05 F1 started  First [bold]one[/]"),
        (event(EventKind.TASK_STARTED, attempt=2), "03:04:05 F1 started (attempt 2)  First [bold]one[/]"),
        (event(EventKind.TASK_COMPLETED, elapsed=65.0), "03:04:05 F1 done in 1m 05s"),
        (event(EventKind.TASK_COMPLETED, skipped=True), "03:04:05 F1 skipped"),
        (event(EventKind.TASK_COMPLETED, message="F1 was approved"), "03:04:05 F1 done: was approved"),
        (event(EventKind.TASK_FAILED, reason="exit_code", error="exit code 3"), "03:04:05 F1 failed: exit code 3"),
        (
            event(EventKind.TASK_ADOPTED, message="F1 still running as pid 7"),
            "03:04:05 F1 still running as pid 7",
        ),
        (event(EventKind.TASK_FAILED, reason="timeout", error="after 3 s"), "03:04:05 F1 failed: timeout: after 3 s"),
        (event(EventKind.TASK_BLOCKED, "F2", "x", blocked_by=("F1", "F9")), "03:04:05 F2 blocked by F1, F9"),
        (event(EventKind.TASK_BLOCKED, "F2", "x", blocked_by=()), "03:04:05 F2 no longer blocked"),
        (event(EventKind.TASK_PROGRESS, current_step="testing"), "03:04:05 F1 step: testing"),
        (event(EventKind.TASK_SAID, message="F1: half of it", current_step="x"), "03:04:05 F1 says: half of it"),
        (
            event(EventKind.TASK_RETRYING, message="F1 retrying in 2.0s: exit code 3"),
            "03:04:05 F1 retrying in 2.0s: exit code 3",
        ),
        (event(EventKind.MILESTONE, None, "Half: way"), "03:04:05 milestone: Half: way"),
        (event(EventKind.RUN_ENDED, None), "03:04:05 run ended"),
        (
            event(EventKind.PLAN_CHANGED, None, "the plan changed: 1 added"),
            "03:04:05 plan changed: 1 added",
        ),
        (event(EventKind.TASK_RUNNING, pid=3), None),
        (event(EventKind.TASK_PROGRESS, progress=3), None),
    ],
)
def test_event_line(happened: Event, line: str | None) -> None:
    """Every event is one line of time, task, word and detail; irrelevant events have none."""
    assert event_line(happened, plan().tasks, LocalClock()) == line


def test_event_lines_cut_long_names() -> None:
    """A name of any length leaves the line readable, and the cut is marked."""
    tasks = {"F1": Task("F1", "x" * 100_000)}
    line = event_line(event(EventKind.TASK_STARTED, attempt=1), tasks, LocalClock())
    assert line == f"03:04:05 F1 started  {'x' * 199}…"


@pytest.mark.parametrize("kind", list(EventKind))
def test_event_lines_are_safe(kind: EventKind) -> None:
    """No text of a plan or a worker reaches the terminal as more than one line of visible text."""
    patch = {"error": NASTY, "current_step": NASTY, "blocked_by": (NASTY,), "reason": NASTY}
    line = event_line(
        Event(1, "2026-01-02T03:04:05", kind, NASTY, NASTY, patch), {NASTY: Task(NASTY, NASTY)}, LocalClock()
    )
    assert line is None or line.isprintable()


def test_clock_with_an_invalid_time() -> None:
    """An unreadable time is shown as it is."""
    assert LocalClock()("yesterday") == "--:--:--"


def test_failure_text_says_nothing_twice() -> None:
    """The reason is left out if the error begins with it or contains it."""
    assert failure_text(Reason.EXIT_CODE, "exit code 1") == "exit code 1"
    assert failure_text(Reason.LOST, "") == "lost"
    assert failure_text(Reason.MISSING_OUTPUTS, "missing output: a.md") == "missing output: a.md"
    assert failure_text(None, "odd") == "odd"


# stream


class SlowStream(io.BytesIO):
    """Blocks until it is released; counts its writes."""

    def __init__(self) -> None:
        super().__init__()
        self.open = threading.Event()
        self.entered = threading.Event()
        self.writes = 0

    def write(self, data: Any) -> int:
        """Block, then write."""
        self.entered.set()
        assert self.open.wait(60)
        self.writes += 1
        return super().write(data)


def form(happened: Event) -> bytes:
    """The number of the event."""
    return b"%d\n" % happened.rev


def test_stream_keeps_order_and_batches_while_the_reader_sleeps() -> None:
    """A reader that blocks does not delay the engine; later it gets every line, in order, in few writes."""
    stream = SlowStream()
    events = EventStream(stream, form)
    events(Event(0, "", EventKind.WARNING))
    assert stream.entered.wait(60)
    for number in range(1, 10_000):
        events(Event(number, "", EventKind.WARNING))
    stream.open.set()
    events.close()
    assert stream.getvalue() == b"".join(b"%d\n" % number for number in range(10_000))
    assert stream.writes == 2


def test_stream_survives_a_reader_that_left() -> None:
    """A closed pipe drops the output and nothing else."""

    class Broken(io.BytesIO):
        def write(self, data: Any) -> int:
            raise BrokenPipeError

    events = EventStream(Broken(), form)
    events(Event(0, "", EventKind.WARNING))
    events.close()
    assert events.broken


# tails


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"", []),
        (b"one\n\ntwo\nthree\n", ["two", "three"]),
        (b"10%\r50%\r100%\r\ndone", ["100%", "done"]),
        (b"\xff\x1b[31mred\x1b[0m", ["\ufffdred"]),
        (b"x" * 1_000_000 + b"\nlast", ["last"]),
        (
            b"the reason\n" + b"x" * 70_000 + b"y\n",
            ["the reason", "x" * 130 + " … 69,741 characters left out … " + "x" * 129 + "y"],
        ),
        (b"head\n" + b"\0" * 200_000 + b"one\ntwo\n", ["one", "two"]),
    ],
)
def test_tail(tmp_path: Path, data: bytes, lines: list[str]) -> None:
    """The last lines of a log are cleaned, without empty ones, whatever its size."""
    path = tmp_path / "F1.log"
    path.write_bytes(data)
    assert tails.tail(path, 2)[-len(lines) or 2 :] == lines


def test_tail_reads_only_regular_files(tmp_path: Path) -> None:
    """A link or a pipe in place of the log is not read."""
    (tmp_path / "secret").write_text("secret\n")
    (tmp_path / "link.log").symlink_to(tmp_path / "secret")
    import os

    os.mkfifo(tmp_path / "pipe.log")
    assert tails.tail(tmp_path / "link.log", 5) == []
    assert tails.tail(tmp_path / "pipe.log", 5) == []
    assert tails.tail(tmp_path / "none.log", 5) == []


@given(st.binary(max_size=300))
def test_shown_line_is_safe(data: bytes) -> None:
    """No raw bytes of a log reach the terminal."""
    line = tails.shown_line(data.decode("utf-8", "replace").replace("\n", ""))
    assert clean(line) == line


# summary


def test_summary_of_a_failure() -> None:
    """The summary shows the failure with its last lines, what it blocks, the time that was saved, the next step."""
    state = snapshot(
        F1=TaskState(
            status=TaskStatus.FAILED,
            reason=Reason.EXIT_CODE,
            error="exit code 3",
            completed_at=iso(1150),
            elapsed=150.0,
        ),
        F2=TaskState(blocked_by=("F1",)),
        F3=TaskState(status=TaskStatus.COMPLETED, completed_at=iso(1110), elapsed=100.0),
    )
    ended = result(
        exit_code=1, total=5, completed=3, failed=1, blocked=1, outcome=Outcome.FAILED, wall_seconds=60.0,
        task_seconds=250.0, tokens=TokenUsage(1200, 30), cost_usd=0.5, unpriced=True,
    )  # fmt: skip
    time = WorkTime(tasks=state.state.tasks)
    text = "\n".join(summary.summary(ended, state, time, lambda task_id: [f"last words of {task_id}"]))
    assert "Demo: failed, 3/5 done, 1 failed, 1 blocked" in text
    assert "time: 2m 30s for 4m 10s of work (1m 40s saved" in text
    assert summary.time_line(1.0, 0.0, 4.0) == "time: 1.0s; merging: 4.0s"
    assert "tokens: 1.2k in, 30 out" in text
    assert "cost: at least $0.50 (some models have no price)" in text
    assert "F1 failed: exit code 3; blocks 1 task\n    | last words of F1" in text
    assert "F2 by F1" in text
    assert "nova retry F1 && nova run" in text
    for only, is_shown in (("F2", True), ("F3", False)):  # what was not selected counts only if it blocks
        text = "\n".join(summary.summary(ended, state, time, lambda _: [], Selection(only=(only,))))
        assert ("F1 failed" in text, "F2 by F1" in text) == (is_shown, is_shown)


class Walked(dict[str, TaskState]):
    """Tasks that count how often all of them are walked through."""

    walks = 0

    def items(self) -> Any:
        self.walks += 1
        return super().items()


def test_a_summary_of_a_large_plan_is_made_in_linear_time() -> None:
    """However many tasks a plan has, its summary walks through all of them the same few times."""

    def walks(size: int) -> int:
        rows = "".join(f"| t{i} | Task | a | {f't{i - 1}' if i else '-'} |\n" for i in range(size))
        cascade = parse_text(PLAN[: PLAN.index("| F1")] + rows, "CASCADE.md")
        tasks = Walked({i: TaskState(blocked_by=("t0",)) for i in cascade.tasks})
        tasks["t0"] = TaskState(status=TaskStatus.FAILED, error="exit code 3")
        state = Snapshot(cascade, State(tasks=tasks), 4, NOW)
        assert summary.summary(result(exit_code=1, failed=1, blocked=size - 1), state, WorkTime(), lambda _: [])
        return tasks.walks

    assert walks(200) == walks(20) > 0


@pytest.mark.parametrize(
    ("state", "code", "line"),
    [
        (snapshot(F1=TaskState(status=TaskStatus.COMPLETED)), 0, None),
        (snapshot(F1=TaskState(status=TaskStatus.IN_PROGRESS, approval="waiting")), 4, "next: nova approve F1"),
        (snapshot(), 4, "next: nova run"),
        (Snapshot(plan(), State(run=RunState(id="r", paused=True)), 3, NOW), 4, "next: nova resume && nova run"),
    ],
)
def test_next_step(state: Snapshot, code: int, line: str | None) -> None:
    """What to type next depends on how the run ended; after success there is nothing."""
    lines = summary.summary(result(exit_code=code), state, WorkTime(), lambda _: [])
    assert next((text for text in lines if text.startswith("next:")), None) == line


def test_unpriced_is_never_free() -> None:
    """Tokens without a price cost an unknown amount, not 0."""
    lines = summary.token_lines(result(tokens=TokenUsage(5), cost_usd=None, unpriced=True))
    assert lines[1].startswith("cost: unknown")


def test_many_failures_are_cut() -> None:
    """Of a thousand failures all are counted and twenty are shown."""
    failed = {f"F{i}": TaskState(status=TaskStatus.FAILED, error="x") for i in range(1000)}
    lines = summary.failure_lines(failed, lambda _: [])
    assert sum(" failed: " in line for line in lines) == summary.MAX_SHOWN
    assert lines[-1] == "and 980 more failed"


def test_what_a_person_cancelled_did_not_fail() -> None:
    """A cancelled task is counted and listed separately, in the summary and in the lines of a run."""
    ended = TaskState(status=TaskStatus.FAILED, reason=Reason.CANCELLED, error="cancelled")
    told = result(total=4, completed=1, failed=3, cancelled=2)
    assert summary.counts(told) == "1/4 done, 1 failed, 2 cancelled"
    assert told.line().startswith("1/4 done, 1 failed, 2 cancelled")
    assert summary.failure_lines({"F1": ended}, lambda _: [])[1] == "F1 cancelled"
    line = event_line(event(EventKind.TASK_FAILED, reason="cancelled", error="cancelled"), {}, LocalClock())
    assert line is not None
    assert line.endswith("F1 cancelled")


def test_summary_object_is_json() -> None:
    """The last object of the JSON stream holds every field of the result."""
    found = json.loads(json.dumps(summary.summary_object(result(completed=2))))
    assert found["kind"] == "summary"
    assert found["completed"] == 2
    assert set(found) == {"kind", *RunResult.__struct_fields__}


# live


def draw(shown: Snapshot) -> str:
    """The lower part of the screen as text."""
    console = Console(file=io.StringIO(), width=80, force_terminal=False, color_system=None)
    console.print(live.lower_part(shown, 90.0, 80))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert isinstance(text, str)
    return text


def test_live_shows_running_tasks_without_markup() -> None:
    """A running task is shown with its time, its name as it is written in the plan, and its step."""
    task = TaskState(
        status=TaskStatus.IN_PROGRESS, started_at="2026-01-02T03:03:00+00:00", current_step=NASTY, progress=40
    )
    text = draw(snapshot(F1=task, F2=TaskState(status=TaskStatus.FAILED), F3=TaskState(blocked_by=("F2",))))
    assert "F1  1m 05s  First [bold]one[/]" in text
    assert "40% abc" in text
    assert "\x1b" not in text
    assert "0/3 done  1 running  1 failed  1 blocked  at least 1m 30s left" in text


def test_live_counts_what_does_not_fit() -> None:
    """More running tasks than lines are counted."""
    running = TaskState(status=TaskStatus.IN_PROGRESS)
    assert "and 3 more running" in draw(snapshot(**{f"T{i}": running for i in range(live.MAX_RUNNING + 3)}))


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (Event(1, AT, EventKind.RUN_PAUSED, None, WORDS[EventKind.RUN_PAUSED]), WORDS[EventKind.RUN_PAUSED]),
        (Event(1, AT, EventKind.RUN_RESUMED, None, "resumed"), "resumed"),
        (Event(1, AT, EventKind.PROVIDER_PAUSED, None, "x rate limited for 40s: no"), "rate limited: x for 40s: no"),
        (Event(1, AT, EventKind.PROVIDER_RESUMED, None, "x no longer rate limited"), "no longer rate limited: x"),
        (Event(1, AT, EventKind.WARNING, "F1", "F1: tokens unknown"), "F1 warning: tokens unknown"),
        (Event(1, AT, EventKind.WARNING, "F1", "F1 stopped: over budget"), "F1 warning: stopped: over budget"),
        (Event(1, AT, EventKind.TASK_STARTED, "S", "S started: S", {"attempt": 1}), "S started"),
        (
            Event(1, AT, EventKind.TASK_WAITING, "F1", "F1 needs approval to start: `nova approve F1`"),
            "F1 needs approval to start: `nova approve F1`",
        ),
        (
            Event(
                1, AT, EventKind.TASK_FAILED, "F1", "F1 failed: x", {"reason": Reason.REJECTED, "error": "rejected: x"}
            ),
            "F1 failed: rejected: x",
        ),
        (
            Event(1, AT, EventKind.TASK_FAILED, "F1", "F1 lost: gone", {"reason": Reason.LOST, "error": "gone"}),
            "F1 lost: gone",
        ),
    ],
)
def test_no_line_says_a_thing_twice(event: Event, line: str) -> None:
    """The word of an event, its task and its message are not repeated in one line."""
    tasks = {"S": Task("S", "S"), "F1": Task("F1", "First")}
    found = event_line(event, tasks, LocalClock())
    assert found is not None
    assert found.partition(" ")[2] == line


def test_live_view_prints_finished_lines_and_leaves_a_clean_screen() -> None:
    """Events are printed in order above the live part, each once; starts are not among them."""
    out = io.StringIO()
    view = live.LiveView(snapshot, Console(file=out, width=80, force_terminal=True, color_system=None, markup=False))
    view.event(event(EventKind.TASK_STARTED))
    view.event(event(EventKind.TASK_COMPLETED, elapsed=1.0))
    view.event(event(EventKind.TASK_FAILED, "F2", error="[red]boom"))
    view.close()
    text = out.getvalue()
    assert text.index("F1 done in 1.0s") < text.index("F2 failed: [red]boom")
    assert "started" not in text
    assert text.count("F1 done") == 1


# github


def test_github_lines_cannot_be_forged() -> None:
    """Task output never becomes a workflow command or a property of one."""
    failed = {"F1": TaskState(status=TaskStatus.FAILED, error="100%\n::set-output name=x::y")}
    lines = github.error_commands(failed, "a,b:c.md", {"F1": 5})
    assert lines[0].startswith("::error file=a%2Cb%3Ac.md,line=5,title=F1::100%25")
    assert len(lines) == 1
    assert "\n" not in lines[0]


def step(states: dict[str, TaskState], name: str = "Demo", log: str = "", **changes: Any) -> str:
    """The summary of a step in which these tasks failed."""
    tasks = {task_id: Task(task_id, f"n {name}") for task_id in states}
    cascade = SimpleNamespace(name=name, tasks=tasks)
    found = Snapshot(cast("Cascade", cascade), State(tasks=states, run=RunState(id="r")), 3, NOW)
    return github.step_summary(found, result(**changes), lambda _: [log] if log else [])


def test_step_summary_shows_what_matters() -> None:
    """The status of the tasks, time, tokens and cost, each failure with the end of its log, and what it blocks."""
    tasks = {
        "F1": TaskState(status=TaskStatus.FAILED, reason=Reason.EXIT_CODE, error="exit code 3", attempt=2, elapsed=61),
        "F2": TaskState(blocked_by=("F1",)),
    }
    usage = TokenUsage(1_200, 300, 50_000, 0)
    text = step(
        tasks, log="oops <b>", total=2, failed=1, blocked=1, outcome=Outcome.FAILED, wall_seconds=65.0,
        task_seconds=90.0, tokens=usage, cost_usd=1.5, unpriced=True, estimated=True,
    )  # fmt: skip
    assert text.splitlines() == [
        "### Demo",
        "",
        "**failed**: 0/2 done, 1 failed, 1 blocked",
        "",
        "| Time | Work | Tokens in | out | cache read | cache written | Cost |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        "| 1m 05s | 1m 30s | \\~1.2k | \\~300 | \\~50.0k | \\~0 | \\~at least \\$1.50 (some models have no price) |",
        "",
        "| Failed | Name | Why | Attempts | Time |",
        "| --- | --- | --- | --- | --- |",
        "| F1 | n Demo | exit code 3 | 2 | 1m 01s |",
        "",
        "<details><summary>Log of F1</summary>",
        "",
        "<pre>oops &lt;b&gt;</pre>",
        "",
        "</details>",
        "",
        "| Blocked | By |",
        "| --- | --- |",
        "| F2 | F1 |",
    ]


def test_step_summary_of_a_run_that_succeeds_is_short() -> None:
    """Without failures and tokens the summary has the title, the counts and the time."""
    text = step({}, total=3, completed=3)
    assert text.splitlines()[:3] == ["### Demo", "", "**finished**: 3/3 done"]
    assert "Failed" not in text
    assert "Cost" not in text


def test_step_summary_of_many_failures_is_cut() -> None:
    """A thousand failures with long texts stay far below GitHub's limit, and the summary says how many there are."""
    failed = {f"F{n}": TaskState(status=TaskStatus.FAILED, error="<" * 100_000) for n in range(1000)}
    text = step(failed, log="x" * 300)
    assert len(text.encode()) < 200_000
    assert "and 950 more failed" in text


PRE = r"<pre>(?:[^<>&]|&(?:lt|gt|amp|quot|#x27);)*</pre>\n"
FOLD = r"<details><summary>Log of F1</summary>\n|</details>\n"
markup = (
    st.text(st.sampled_from("<>&|\\`*_[]()!#~-+=:@$\"'\n\r\t x1"))
    | st.sampled_from([*MARKUP, *SHELL, *RUNNER])
    | st.text()
)


@given(markup, markup, markup)
@example("![x](y) <img src=x>", "| --- |\n# x", "</pre>\n\n<script>x</script>")
def test_step_summary_is_plain_markdown(name: str, error: str, log: str) -> None:
    """Whatever a plan, a failure or a log contains, a reader of Markdown finds text, the tables, and the folded log."""
    failed = {"F1": TaskState(status=TaskStatus.FAILED, error=error)}
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(step(failed, name, clean(log), failed=1))
    assert [token.tag for token in tokens if token.type == "heading_open"] == ["h3"]
    assert len([token for token in tokens if token.type == "table_open"]) == 2
    assert len([token for token in tokens if token.type == "tr_open"]) == 4
    html = [token.content for token in tokens if token.type == "html_block"]
    assert [text for text in html if not re.fullmatch(f"{PRE}|{FOLD}", text)] == []
    inner = {child.type for token in tokens for child in token.children or ()}
    assert inner <= {"text", "text_special", "strong_open", "strong_close"}
    assert sum(child.type == "strong_open" for token in tokens for child in token.children or ()) == 1
