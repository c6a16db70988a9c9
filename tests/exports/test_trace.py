"""Traces: in the format that viewers open, with each attempt once, and never two at the same time in a lane."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trace_format
from cli_process import nova
from hostile import NAMES
from hypothesis import example, given
from hypothesis import strategies as st

from nova_core.clock import iso
from nova_core.exports.trace import Told, lanes_of, load_told, trace_document
from nova_core.runs.history import Run, RunSummary
from nova_core.state.database import AttemptRow, Database
from nova_core.state.events import Event, EventKind

HEAD = "# Demo\n\n| Task ID | Task Name | Command | Depends On |\n| --- | --- | --- | --- |\n"
EPOCH = 1_767_322_800


def row(task: str, attempt: int, start: int | None, took: int, **more: Any) -> AttemptRow:
    """An attempt that started `start` milliseconds after the epoch of these tests."""
    began = None if start is None else iso(EPOCH + start / 1000)
    ended = None if start is None else iso(EPOCH + (start + took) / 1000)
    base = AttemptRow(
        "r", task, attempt, began, ended, took / 1000, "completed", None, 0, None, None, None, None, None, 1, 2, 3, 4
    )
    return msgspec.structs.replace(base, **more)


def parsed(rows: list[AttemptRow], told: Told | None = None, name: str = "Demo") -> trace_format.Trace:
    """The trace of a run with these attempts."""
    document = trace_document(Run(RunSummary("r", name), tuple(rows)), told or Told())
    return trace_format.parse(msgspec.json.encode(document).decode())


attempts = st.lists(
    st.tuples(st.integers(0, 40) | st.integers(0, 10**10), st.integers(0, 20) | st.integers(0, 10**8)), max_size=40
)


@given(attempts)
def test_every_attempt_is_there_once_and_alone_in_its_lane(spans: list[tuple[int, int]]) -> None:
    """Each attempt has one bar of its own length, bars of a lane never overlap, and there is no unnecessary lane."""
    rows = [row(f"F{number}", 1, start, took) for number, (start, took) in enumerate(spans)]
    trace = parsed(rows)
    assert Counter(found.args["task"] for found in trace.slices) == Counter(one.task for one in rows)
    first = min((start for start, _ in spans), default=0)
    shown = {found.args["task"]: (found.start, found.end) for found in trace.slices}
    for number, (start, took) in enumerate(spans):
        assert shown[f"F{number}"] == ((start - first) * 1000, (start - first + took) * 1000)
    for lane in {found.lane for found in trace.slices}:
        own = sorted((found.start, found.end) for found in trace.slices if found.lane == lane)
        assert all(before[1] <= after[0] for before, after in pairwise(own))
    busy = (sum(s < at < s + t or (s == at and t > 0 and took > 0) for s, t in spans) for at, took in spans)
    room = (1 if took == 0 else 0 for _, took in spans)
    most = max((count + own for count, own in zip(busy, room, strict=True)), default=0)
    assert len({found.lane for found in trace.slices}) == most


@example([(0.0, 0.0006), (0.0, 0.0006)], 0.0006)
@given(st.lists(st.tuples(st.floats(0, 3), st.floats(0, 3)), max_size=20), st.floats(0, 1))
def test_what_ran_one_after_the_other_is_in_one_lane(steps: list[tuple[float, float]], at: float) -> None:
    """Times are rounded to milliseconds, which never makes two bars of one slot overlap."""
    rows = []
    for number, (gap, took) in enumerate(steps):
        at += gap
        rows.append(row(f"F{number}", 1, 0, 0, began=EPOCH + at, elapsed=round(took, 3)))
        at += took
    assert {found.lane for found in parsed(rows).slices} <= {(1, 1)}


@given(st.text(), st.text(), st.text())
def test_any_text_makes_a_trace(name: str, error: str, message: str) -> None:
    """No name, error or message breaks the document or adds a control character to it."""
    moment = Event(1, iso(EPOCH), EventKind.MILESTONE, None, message)
    told = Told({"F1": name}, (moment,))
    trace = parsed([row("F1", 1, 0, 5, error=error, status="failed", reason="exit_code")], told, name)
    words = [trace.slices[0].name, trace.slices[0].args["error"], trace.processes[1]]
    assert not re.search("[\x00-\x08\x0a-\x1f\x7f-\x9f]", "".join(words))
    assert [word for _, word, _ in trace.instants] == ["milestone"]


def test_attempts_carry_what_they_came_to() -> None:
    """Status, reason, error, tokens and cost are in the arguments; a retry is a second bar of the same task."""
    failed = row("F1", 1, 0, 5, status="failed", reason="exit_code", error="exit code 3", cost_usd=0.5, exit_code=3)
    first, second = parsed([row("F1", 2, 9, 5), failed], Told({"F1": "Parse"})).slices
    assert (first.name, first.args["attempt"], second.args["attempt"]) == ("F1 Parse", 1, 2)
    assert first.args == {
        "status": "failed", "reason": "exit_code", "error": "exit code 3", "cost_usd": 0.5, "exit_code": 3,
        "task": "F1", "attempt": 1, "estimated": False, "input_tokens": 1, "output_tokens": 2,
        "cache_read_tokens": 3, "cache_creation_tokens": 4,
    }  # fmt: skip
    assert second.args["status"] == "completed"


@pytest.mark.parametrize(
    "damage",
    [
        {"started_at": None},
        {"ended_at": None},
        {"started_at": None, "ended_at": None},
        {"started_at": "nonsense"},
        {"started_at": iso(EPOCH + 100), "ended_at": iso(EPOCH)},
    ],
)
def test_times_that_are_missing_lose_no_attempt(damage: dict[str, Any]) -> None:
    """An attempt without a start or an end, or with a clock that was set back, still has its bar."""
    trace = parsed([msgspec.structs.replace(row("F1", 1, 0, 5), **damage), row("F2", 1, 3, 5)])
    assert sorted(found.args["task"] for found in trace.slices) == ["F1", "F2"]


def test_times_and_names_are_those_of_the_run(tmp_path: Path) -> None:
    """If a history covers several runs, each has its own milestones and names."""
    events = [
        Event(1, iso(EPOCH), EventKind.RUN_STARTED, None, "", {"id": "old"}),
        Event(2, iso(EPOCH), EventKind.TASK_STARTED, "F1", "", {"name": "Old"}),
        Event(3, iso(EPOCH), EventKind.MILESTONE, None, "old"),
        Event(4, iso(EPOCH), EventKind.RUN_STARTED, None, "", {"id": "new"}),
        Event(5, iso(EPOCH), EventKind.TASK_STARTED, "F1", "", {"name": "New"}),
        Event(6, iso(EPOCH), EventKind.TASK_PROGRESS, "F1", "", {}),
    ]
    database = Database(tmp_path / "nova.db")
    database.commit(events, [])
    database.close()
    old, new = load_told(tmp_path / "nova.db", "old"), load_told(tmp_path / "nova.db", "new")
    assert (old.names, [event.rev for event in old.moments]) == ({"F1": "Old"}, [1, 3])
    assert (new.names, [event.rev for event in new.moments]) == ({"F1": "New"}, [4])


def test_lanes_are_as_few_as_can_be() -> None:
    """The lowest free lane is used, and one that has just become free is free."""
    assert lanes_of([(0, 10), (0, 5), (5, 8), (10, 12), (11, 12)]) == [1, 2, 2, 1, 2]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda event: event.pop("dur"),
        lambda event: event.update(ts=-1),
        lambda event: event.update(ts=1.5),
        lambda event: event.update(tid=77),
        lambda event: event.update(ph="Q"),
        lambda event: event.update(ts=4000),
    ],
)
def test_the_reader_of_these_tests_is_strict(spoil: Callable[[dict[str, Any]], Any]) -> None:
    """A bar without a length, with a bad time, in a lane without a name or over another bar is rejected."""
    run = Run(RunSummary("r", "Demo"), (row("F1", 1, 0, 5), row("F2", 1, 5, 5)))
    document = trace_document(run, Told())
    trace_format.parse(json.dumps(document))
    spoil(document["traceEvents"][-1])
    with pytest.raises(ValueError, match="not as the format has it"):
        trace_format.parse(json.dumps(document))


def test_a_real_run(tmp_path: Path) -> None:
    """`nova run --trace` writes every attempt of the run, retries and hostile names too, with its times."""
    rows = "".join(f"| {task_id} | {name} | `exit {number % 2}` | - |\n" for number, (task_id, (name, _)) in enumerate(
        NAMES.items()
    ))  # fmt: skip
    (tmp_path / "CASCADE.md").write_text(HEAD + rows)
    (tmp_path / "milestones.yaml").write_text("milestones:\n  - id: bad\n    trigger: {type: any_task_failed}\n")
    (tmp_path / "nova.yaml").write_text("retry_delay: 0.01s\n")
    done = nova("run", "-j", "2", "--retries", "1", "--trace", "trace.json", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    text = (tmp_path / "trace.json").read_text()
    assert all(line.isprintable() for line in text.splitlines())
    trace = trace_format.parse(text)
    with sqlite3.connect(tmp_path / ".nova" / "nova.db") as history:
        told = history.execute("SELECT task, attempt, status FROM attempts").fetchall()
    assert sorted((s.args["task"], s.args["attempt"], s.args["status"]) for s in trace.slices) == sorted(told)
    assert len({found.lane for found in trace.slices}) <= 2
    words = [word for _, word, _ in trace.instants]
    assert (words[0], words[-1], words.count("milestone")) == ("run started", "run ended", 1)
    assert not list(tmp_path.glob("pwned*"))


@pytest.mark.skipif("NOVA_TEST_TRACE_ENGINE" not in os.environ, reason="needs `make test-trace`")
def test_the_engine_of_devtools_opens_it(tmp_path: Path) -> None:
    """Chrome's own reader finds the process, the lanes by their names, and in each the bars with their times."""
    rows = "".join(f"| F{n} | {name} | `exit {n % 2}` | - |\n" for n, (name, _) in enumerate(NAMES.values()))
    (tmp_path / "CASCADE.md").write_text(HEAD + rows)
    nova("run", "-j", "2", "--trace", "trace.json", cwd=tmp_path)
    script = [str(Path(__file__).with_name("trace_engine.mjs")), os.environ["NOVA_TEST_TRACE_ENGINE"]]
    done = subprocess.run(["node", *script, tmp_path / "trace.json"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    trace = trace_format.parse((tmp_path / "trace.json").read_text())
    lanes: dict[str, list[list[Any]]] = {}
    for one in sorted(trace.slices, key=lambda one: one.start):
        lanes.setdefault(trace.threads[one.lane], []).append([one.name, one.start, one.end - one.start])
    assert found == {"process": ["Demo"], "lanes": lanes}


def test_past_runs(tmp_path: Path) -> None:
    """`nova trace` writes any run by its id, even one that was put aside, to a file or to standard output."""
    (tmp_path / "CASCADE.md").write_text(HEAD + "| F1 | One | `true` | - |\n")
    assert nova("run", cwd=tmp_path).returncode == 0
    old = json.loads(nova("history", "--json", cwd=tmp_path).stdout)["runs"][0]["id"]
    (tmp_path / "CASCADE.md").write_text(HEAD + "| G1 | Two | `true` | - |\n| G2 | Two | `true` | G1 |\n")
    assert nova("run", "--fresh", cwd=tmp_path).returncode == 0
    assert nova("trace", "-o", "new.json", cwd=tmp_path).stdout == ""
    new = trace_format.parse((tmp_path / "new.json").read_text())
    assert [found.name for found in new.slices] == ["G1 Two", "G2 Two"]
    found = trace_format.parse(nova("trace", old[:6], cwd=tmp_path).stdout)
    assert [one.name for one in found.slices] == ["F1 One"]
    assert found.about["run"] == old


def test_a_run_that_is_not_there(tmp_path: Path) -> None:
    """Without a history, or with an unknown run id, one line says so."""
    assert nova("trace", cwd=tmp_path).returncode == 2
    (tmp_path / "CASCADE.md").write_text(HEAD + "| F1 | One | `true` | - |\n")
    nova("run", cwd=tmp_path)
    done = nova("trace", "zzz", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "there is no run zzz" in done.stderr
