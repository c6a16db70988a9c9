"""`nova history` and `nova stats`: the results of runs, without claiming more than is known."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_process import nova
from engines import make_engine
from fakes import FakeClock, FakeExecutor, exits

from nova_core.cli import history as history_module
from nova_core.cli import stats as stats_module
from nova_core.cli.tables import cost_cell, tokens_cell
from nova_core.command import Command, CommandKind
from nova_core.errors import UsageError
from nova_core.files.project import Project
from nova_core.model import TokenUsage
from nova_core.runs.history import Figures, Run, RunSummary, figures, grouped, load_runs, runs_in
from nova_core.state.database import AttemptRow, Database
from nova_core.state.events import Event, EventKind

PLAN = """\
# Demo

| Task ID | Task Name | Command | Depends On |
|---------|-----------|---------|------------|
| A | One | `echo 'Token usage: input=1200, output=300'` | - |
| B | Two | `exit 3` | A |
| C | Three | `true` | A |
"""


def row(task: str = "A", **fields: object) -> AttemptRow:
    """An attempt of one second that completed and used nothing, except for the given fields."""
    usual: dict[str, object] = {
        "run": "r", "attempt": 1, "started_at": "2026-01-01T00:00:00+00:00", "ended_at": "2026-01-01T00:00:01+00:00",
        "elapsed": 1.0, "status": "completed", "reason": None, "exit_code": 0, "signal": None, "error": None,
        "log": None, "model": None, "cost_usd": None, "input_tokens": 0, "output_tokens": 0, "cache_read_tokens": 0,
        "cache_creation_tokens": 0,
    }  # fmt: skip
    return AttemptRow(task=task, **{**usual, **fields})  # type: ignore[arg-type]


FAILED = {"status": "failed", "reason": "exit_code"}
CANCELLED = {"status": "failed", "reason": "cancelled"}


# sums


def test_sums_over_attempts() -> None:
    """Counts, times, tokens and costs add up; a cancelled attempt is not a failure and does not lower the success
    rate."""
    found = figures(
        [row(cost_usd=0.5, input_tokens=10), row(cost_usd=0.25, output_tokens=5), row(**FAILED), row(**CANCELLED)]
    )
    assert (found.attempts, found.completed, found.failed, found.cancelled, found.seconds) == (4, 2, 1, 1, 4.0)
    assert (found.tokens, found.cost_usd, found.unpriced) == (TokenUsage(10, 5), 0.75, 0)
    assert found.success == pytest.approx(2 / 3)
    assert figures([row(**CANCELLED)]).success is None
    tenths = figures([row(cost_usd=0.1, elapsed=0.1)] * 10)
    assert (tenths.cost_usd, tenths.seconds) == (1.0, 1.0)  # a plain sum says less before Python 3.12


@pytest.mark.parametrize(
    ("rows", "tokens", "cost"),
    [
        ([row()], "-", "-"),
        ([row(cost_usd=0.0, input_tokens=5)], "5", "$0.00"),
        ([row(input_tokens=1500)], "1.5k", "?"),
        ([row(input_tokens=1500), row(input_tokens=500, cost_usd=2.0)], "2.0k", "at least $2.00"),
        ([row(input_tokens=500, cost_usd=2.0, estimated=True)], "~500", "~$2.00"),
        ([row(estimated=True)], "?", "?"),
        ([row(estimated=True), row(input_tokens=500, cost_usd=2.0)], "~500", "at least ~$2.00"),
    ],
)
def test_figures_claim_no_more_than_is_known(rows: list[AttemptRow], tokens: str, cost: str) -> None:
    """An estimate is marked, a lower bound is marked as one, and an unknown value is `?`, never empty or 0."""
    assert (tokens_cell(figures(rows)), cost_cell(figures(rows))) == (tokens, cost)


def test_groups_are_in_order_of_their_cost() -> None:
    """The most expensive first, then the longest; attempts without an agent form a group, too."""
    rows = [row(agent="a", cost_usd=1.0), row(elapsed=9.0), row(agent="b", cost_usd=2.0), row(agent="a", cost_usd=0.5)]
    found = grouped(rows, lambda attempt: attempt.agent)
    assert list(found) == ["b", "a", None]
    assert found["a"] == Figures(2, 2, 0, 0, 2.0, TokenUsage(), 1.5, 0, False)


# runs


def test_a_continued_run_is_one_run(tmp_path: Path) -> None:
    """Every start of an engine counts, each task counts once by how it ended, and time is that during which tasks
    ran."""
    engine, _ = make_engine(tmp_path, [("A", "-"), ("B", "A")], outcome=lambda job: exits(int(job.key == "B@1"))(job))
    assert engine.run().exit_code == 1
    engine, _ = make_engine(tmp_path, executor=FakeExecutor(FakeClock(1_700_000_100.0)))
    engine.apply(Command(CommandKind.RETRY, ids=("B",)))
    assert engine.run().exit_code == 0
    (run,) = load_runs(Project(tmp_path))
    summary = run.summary
    assert (summary.name, summary.starts, summary.done, summary.failed) == ("Test plan", 2, 2, 0)
    assert (summary.figures.attempts, summary.figures.completed, summary.figures.failed) == (3, 2, 1)
    assert [(r.task, r.attempt) for r in run.attempts] == [("A", 1), ("B", 1), ("B", 2)]
    assert summary.wall_seconds == pytest.approx(summary.figures.seconds, abs=0.01)
    assert summary.ended_at is not None


def test_a_task_that_never_ran_counts_by_its_current_status(tmp_path: Path) -> None:
    """A skipped task is done without an attempt; one that left the plan no longer counts."""
    engine, _ = make_engine(tmp_path, [("A", "-"), ("B", "-"), ("C", "-")], outcome=exits(1))
    assert engine.run().exit_code == 1
    engine, _ = make_engine(tmp_path, [("A", "-"), ("B", "-")])
    engine.apply(Command(CommandKind.RETRY, ids=("A",)))
    engine.apply(Command(CommandKind.SKIP, ids=("A",)))
    engine.run()
    (run,) = load_runs(Project(tmp_path))
    assert (run.summary.done, run.summary.failed, run.summary.figures.attempts) == (1, 1, 3)


def test_runs_that_were_moved_aside_come_first(tmp_path: Path) -> None:
    """What `--fresh` put aside is still shown, before the current run; damaged parts of it only cause a warning."""
    for _ in range(2):
        engine, _ = make_engine(tmp_path, [("A", "-")], fresh=True)
        assert engine.run().exit_code == 0
    broken = tmp_path / ".nova" / "old" / "0" / "nova.db"
    broken.parent.mkdir()
    broken.write_text("no database" * 99)
    complaints: list[str] = []
    runs = load_runs(Project(tmp_path), complaints.append)
    assert [run.summary.put_aside is None for run in runs] == [False, True]
    assert len({run.summary.id for run in runs}) == 2
    assert len(complaints) == 1
    assert str(broken) in complaints[0]


def test_two_runs_in_one_database(tmp_path: Path) -> None:
    """Each run has its own name, tasks and attempts; what happened before the first start belongs to the first."""
    kinds = EventKind
    told: list[tuple[EventKind, str | None, dict[str, object]]] = [
        (kinds.TASK_COMPLETED, "S", {"status": "completed", "skipped": True}),
        (kinds.RUN_STARTED, None, {"id": "one", "name": "First"}),
        (kinds.TASK_FAILED, "A", {"status": "failed"}),
        (kinds.RUN_ENDED, None, {}),
        (kinds.RUN_STARTED, None, {"id": "two", "name": "Second"}),
        (kinds.TASK_COMPLETED, "A", {"status": "completed"}),
    ]
    events = [
        Event(rev, f"2026-01-01T00:00:0{rev}.000+00:00", kind, task, "", patch)
        for rev, (kind, task, patch) in enumerate(told, 1)
    ]
    database = Database(tmp_path / "nova.db")
    database.commit(events, [row(run="one", **FAILED), row(run="two")])
    database.close()
    first, second = (run.summary for run in runs_in(tmp_path / "nova.db"))
    assert (first.id, first.name, first.done, first.failed, first.figures.failed) == ("one", "First", 1, 1, 1)
    assert (second.id, second.name, second.done, second.failed, second.figures.failed) == ("two", "Second", 1, 0, 0)
    assert (first.ended_at is None, second.ended_at) == (False, None)


@pytest.mark.parametrize(
    ("attempt", "said"),
    [
        (row(), "completed"),
        (row(**FAILED), "exit code"),
        (row(**CANCELLED), "cancelled"),
        (row(status="failed", reason="agent_error", verdict="permission_denied"), "agent error (permission denied)"),
        (row(status="failed", reason="agent_error", verdict="failed"), "agent error"),
    ],
)
def test_how_an_attempt_ended(attempt: AttemptRow, said: str) -> None:
    """Its reason in plain text, and the verdict on its agent if that says more."""
    assert history_module.result(attempt) == said


def test_hostile_names_are_harmless() -> None:
    """Ids, agents, models and names from a database cannot act on a terminal."""
    bad = "\x1b[2J\u202eX"
    summary = RunSummary(bad, bad, started_at=bad)
    shown = [
        *history_module.run_lines([summary]), history_module.title(summary),
        *history_module.attempt_lines((row(bad, agent=bad, model=bad, reason=bad, status="failed", verdict=bad),)),
        *stats_module.lines(stats_module.By.TASK, {bad: Figures()}, [], None),
    ]  # fmt: skip
    assert not any(c in line for line in shown for c in "\x1b\u202e")


def test_a_long_table_is_cut() -> None:
    """Without `--by` only the first groups are shown and the others counted; the sum is over all."""
    rows = [row(f"T{number}") for number in range(25)]
    found = grouped(rows, lambda attempt: attempt.task)
    lines = stats_module.lines(stats_module.By.TASK, found, rows, 10)
    assert (len(lines), lines[-1]) == (13, "and 15 more: nova stats --by task")
    assert lines[-2].split()[:2] == ["all", "25"]
    assert len(stats_module.lines(stats_module.By.TASK, found, rows, None)) == 27


# the commands


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a run that was put aside, and a run with a failure."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "CASCADE.md").write_text(PLAN)
    for arguments in (["run", "--no-ui"], ["run", "--no-ui", "--fresh"]):
        assert nova(*arguments, cwd=folder).returncode == 1
    return folder


def test_history_lists_the_runs(project: Path) -> None:
    """One line for each run, the newest last, with right-aligned figures."""
    done = nova("history", cwd=project)
    assert (done.returncode, done.stderr) == (0, "")
    heads, old, new = done.stdout.splitlines()
    assert heads.split() == ["RUN", "STARTED", "DONE", "FAILED", "ATTEMPTS", "TIME", "TOKENS", "COST", "PLAN"]
    assert old.endswith("?  Demo (moved aside)")
    assert new.endswith("?  Demo")
    assert new.split()[3:6] == ["2", "1", "3"]
    assert "1.5k" in new


def test_history_of_one_run(project: Path) -> None:
    """`last`, the id and its first letters name a run; its attempts come in the order they ended."""
    runs = json.loads(nova("history", "--json", cwd=project).stdout)["runs"]
    assert [run["put_aside"] is None for run in runs] == [False, True]
    assert (runs[1]["figures"]["attempts"], runs[1]["figures"]["unpriced"]) == (3, 1)
    last = nova("history", "last", cwd=project).stdout
    assert last == nova("history", runs[1]["id"][:8], cwd=project).stdout
    title, empty, _, first, *_ = last.splitlines()
    assert title.startswith(f"{runs[1]['id'][:8]}  Demo, ")
    assert "2 done, 1 failed, 3 attempts" in title
    assert title.endswith("1.5k tokens, cost ?")
    assert (empty, first.split()[2:7]) == ("", ["A", "1", "-", "-", "completed"])
    found = json.loads(nova("history", runs[0]["id"], "--json", cwd=project).stdout)
    assert found["run"] == runs[0]
    assert {(r["task"], r["reason"]) for r in found["attempts"]} == {("A", None), ("B", "exit_code"), ("C", None)}


def test_an_unknown_or_ambiguous_run() -> None:
    """An id that no run has, or a prefix that several runs share, is a usage error."""
    runs = [Run(RunSummary(name), ()) for name in ("abc", "abd")]
    assert history_module.choose(runs, "abd") is runs[1]
    for wanted, said in (("x", "there is no run x"), ("ab", "2 runs begin with ab"), ("", "there is no run")):
        with pytest.raises(UsageError, match=said):
            history_module.choose(runs, wanted)


def test_stats_over_all_runs(project: Path) -> None:
    """Three tables over both runs, each with its sum; `--by` selects one, `--json` gives the same for programs."""
    done = nova("stats", cwd=project)
    assert (done.returncode, done.stderr) == (0, "")
    heads = [line.split()[0] for line in done.stdout.splitlines() if "ATTEMPTS" in line]
    assert heads == ["AGENT", "MODEL", "TASK"]
    one = nova("stats", "--by", "task", cwd=project).stdout.splitlines()
    assert {line.split()[0]: line.split()[1:3] for line in one[1:]} == {
        "A": ["2", "100%"], "B": ["2", "0%"], "C": ["2", "100%"], "all": ["6", "67%"],
    }  # fmt: skip
    (only,) = json.loads(nova("stats", "--by", "agent", "--json", cwd=project).stdout)["agent"]
    assert (only["agent"], only["attempts"], only["cost_usd"], only["unpriced"]) == (None, 6, None, 2)
    assert only["success"] == pytest.approx(4 / 6)


@pytest.mark.parametrize("command", [["history"], ["history", "last"], ["stats"], ["stats", "--json"]])
def test_where_nothing_has_run(tmp_path: Path, command: list[str]) -> None:
    """The command says so and how to start a run."""
    done = nova(*command, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "no plan has been run here yet" in done.stderr
    assert "with nova run" in done.stderr


def test_a_damaged_history(tmp_path: Path) -> None:
    """A history that cannot be read is an environment problem, reported in one line."""
    (tmp_path / ".nova").mkdir()
    (tmp_path / ".nova" / "nova.db").write_text("no database" * 99)
    done = nova("stats", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (8, "")
    assert "cannot read" in done.stderr
