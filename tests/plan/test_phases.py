"""The phases of a plan by its settings: gates, limits, times; and the progress of each phase."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from cli_process import nova
from engines import host
from fakes import FakeClock, FakeExecutor, ok
from hypothesis import given
from hypothesis import strategies as st
from protocol_kit import PHASES, UNWRITTEN, settings, statuses, task_file, weather_station

from nova_core.command import Command, CommandKind
from nova_core.config import AgentConfig, Config, PhaseConfig
from nova_core.engine.observers.status_files import status_of
from nova_core.engine.startup import limits_of
from nova_core.errors import InputError, UsageError
from nova_core.executors.base import Ended, EndReason, Job
from nova_core.importers.formats import read_plan
from nova_core.model import PlanOptions
from nova_core.orchestrator import Orchestrator
from nova_core.parser import Cascade, parse_text
from nova_core.plan.changes import fingerprint
from nova_core.plan.phases import gate_id, phase_named, unknown_phases, with_phases, with_settings
from nova_core.plan.selection import Selection
from nova_core.state.events import Event, EventKind
from nova_core.state.schema import TaskStatus

BARRIER = PhaseConfig(gate="barrier")


def plan_of(folder: Path, **phases: PhaseConfig) -> Cascade:
    """The folder's plan with these phases."""
    return with_phases(read_plan(folder / "tasks", PlanOptions()), phases)


def three_phases(folder: Path) -> None:
    """a in 01-p, b in 02-q, c in 03-r, with no dependency between them."""
    for task_id in ("01-p/a", "02-q/b", "03-r/c"):
        task_file(folder, task_id, outputs=["out.txt", "workspace/outputs/shared.txt"])


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("01-analysis", "01-analysis"), ("analysis", "01-analysis"), ("Analysis", "01-analysis"), ("check", None),
        ("3", "3"), ("7-analysis", "01-analysis"), ("", None), ("build", None),
    ],
)  # fmt: skip
def test_names_of_phases(name: str, found: str | None) -> None:
    """With or without the number, if that identifies one phase."""
    assert phase_named(name, ["01-analysis", "02-build", "03-build", "3"]) == found


def test_a_barrier_stands_between_phases(tmp_path: Path) -> None:
    """All tasks behind the gate wait for it, and it waits for all tasks before it and for all outputs."""
    three_phases(tmp_path)
    cascade = plan_of(tmp_path, p=BARRIER, q=PhaseConfig(gate="advice"), r=BARRIER)
    assert {i: t.depends_on for i, t in cascade.tasks.items()} == {
        "01-p/a": (), "02-q/b": ("gate-01-p",), "03-r/c": ("gate-01-p",), "gate-01-p": ("01-p/a",),
        "gate-02-q": ("gate-01-p", "02-q/b"), "gate-03-r": ("gate-01-p", "03-r/c"),
    }  # fmt: skip
    assert cascade.tasks["gate-01-p"].outputs == (
        "workspace/outputs/01-p/a/out.txt|out.txt", "workspace/outputs/shared.txt",
    )  # fmt: skip
    assert [gate_id(cascade, branch) for branch in ("01-p", "02-q", "none")] == ["gate-01-p", "gate-02-q", None]


def test_a_gate_needs_no_outputs_of_tasks_that_will_not_be_done(tmp_path: Path) -> None:
    """No task will write them."""
    (tmp_path / "CASCADE.md").write_text(
        "## A\n\n| Task ID | Task Name | Outputs | Status | Depends On |\n|---|---|---|---|---|\n"
        "| F0 | a | o0.txt | - | - |\n| F1 | b | o1.txt | cancelled | - |\n"
    )
    plan = with_phases(read_plan(tmp_path / "CASCADE.md"), {"A": PhaseConfig(gate="barrier")})
    assert plan.tasks["gate-A"].outputs == ("o0.txt",)


def test_a_gate_changes_no_task(tmp_path: Path) -> None:
    """Gates added to a plan between two runs are not an edit: nothing runs again for them."""
    three_phases(tmp_path)
    plain, gated = plan_of(tmp_path), plan_of(tmp_path, p=BARRIER)
    assert gated.tasks["02-q/b"].depends_on != plain.tasks["02-q/b"].depends_on
    assert all(fingerprint(plain.tasks[i]) == fingerprint(gated.tasks[i]) for i in plain.tasks)


def test_a_gate_that_could_never_open_is_rejected(tmp_path: Path) -> None:
    """A task before the gate depends on one behind it; as advice the gate is accepted."""
    task_file(tmp_path, "01-p/a", needs=["02-q/b"])
    task_file(tmp_path, "02-q/b")
    with pytest.raises(InputError, match=r"01-p/a of phase 01-p waits for 02-q/b of the later phase 02-q"):
        plan_of(tmp_path, p=BARRIER)
    assert "gate-01-p" in plan_of(tmp_path, p=PhaseConfig(gate="advice")).tasks


def test_timeouts_limits_and_demands(tmp_path: Path) -> None:
    """A task's own figures override those of its phase and of its agent; `limits.branches` overrides the phase."""
    task_file(tmp_path, "01-p/a")
    task_file(tmp_path, "01-p/b", timeout="5s", cpu="2", memory="1GB")
    config = Config(
        agent=("claude",), phases={"p": PhaseConfig(timeout=60.0, max_parallel=2), "q": PhaseConfig(max_parallel=1)},
        agents={"claude": AgentConfig(cpu=4.0, memory=8_000_000_000)},
    )  # fmt: skip
    cascade = with_settings(read_plan(tmp_path / "tasks", PlanOptions()), config)
    a, b = cascade.tasks["01-p/a"], cascade.tasks["01-p/b"]
    assert (a.timeout, a.cpu, a.memory) == (60.0, 4.0, 8_000_000_000)
    assert (b.timeout, b.cpu, b.memory) == (5.0, 2.0, 1_000_000_000)
    assert limits_of(config, cascade).branches == {"01-p": 2}
    assert unknown_phases(cascade, config) == ["nova.yaml: the plan has no phase 'q'; it has 01-p"]


def test_an_unknown_phase_in_the_settings_is_reported_once(tmp_path: Path) -> None:
    """With its line, when the run starts."""
    task_file(tmp_path, "01-p/a")
    settings(tmp_path, "command: 'true'\nphases:\n  analysis: {gate: true}\n")
    done = nova("run", "tasks", "--no-ui", cwd=tmp_path)
    assert done.returncode == 0
    line = next(n for n, text in enumerate((tmp_path / "nova.yaml").read_text().split("\n"), 1) if "analysis" in text)
    assert done.stdout.count(f"nova.yaml:{line}: the plan has no phase 'analysis'; it has 01-p") == 1


def test_a_run_of_one_phase(tmp_path: Path) -> None:
    """By its name with or without the number; for an unknown name the nearest is suggested."""
    three_phases(tmp_path)
    cascade = plan_of(tmp_path)
    assert Selection(phases=("q", "03-r")).ids(cascade) == ["02-q/b", "03-r/c"]
    with pytest.raises(UsageError, match="the plan has no phase '02-z'") as raised:
        Selection(phases=("02-z",)).ids(cascade)
    assert raised.value.hint == "did you mean '02-q'?"


def test_phase_is_an_option_of_run(tmp_path: Path) -> None:
    """Tasks in other phases do not start."""
    three_phases(tmp_path)
    (tmp_path / "nova.yaml").write_text('command: mkdir -p "$NOVA_OUTPUT_DIR"; touch "$NOVA_OUTPUT_DIR/out.txt"\n')
    (tmp_path / "workspace" / "outputs").mkdir(parents=True)
    (tmp_path / "workspace" / "outputs" / "shared.txt").write_text("x")
    done = nova("run", "tasks", "--no-ui", "--phase", "p", "--phase=03-r", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert statuses(tmp_path) == {"01-p/a": "completed", "03-r/c": "completed"}
    assert nova("run", "tasks", "--no-ui", "--phase", "nothing", cwd=tmp_path).returncode == 2


# what would happen


def test_a_dry_run_shows_gates_limits_and_what_is_missing(tmp_path: Path) -> None:
    """A gate is not work, an input that a task will write is not missing, and nothing is written."""
    weather_station(tmp_path)
    settings(tmp_path, PHASES)
    before = sorted(tmp_path.rglob("*"))
    done = nova("run", "tasks", "-n", cwd=tmp_path)
    assert done.returncode == 0
    shown, _, lacking = done.stdout.partition("\ncannot start:\n")
    assert [line.split()[0] for line in shown.splitlines() if "(gate)" in line] == ["gate-01-survey"]
    assert len(shown.splitlines()) == 7
    assert lacking.splitlines() == [f"  02-design/01-rank without input {UNWRITTEN} (no task writes it)"]
    assert "  01-survey: 2 at once, 8h 00m for a task, gate: barrier" in done.stderr
    assert "6 workers" in done.stderr
    assert " cpu" in done.stderr
    assert sorted(tmp_path.rglob("*")) == before


def test_the_reasons_of_a_dry_run(tmp_path: Path) -> None:
    """Tasks marked done, tasks that wait for a file, and which task would write it."""
    task_file(tmp_path, "01-p/a", outputs=["a.txt"])
    task_file(tmp_path, "01-p/b", inputs=["workspace/outputs/01-p/a/a.txt"])
    task_file(tmp_path, "01-p/c", needs=["gone"])
    settings(tmp_path, "phases: {p: {gate: advice}}\n")
    done = nova("run", "tasks", "--explain", cwd=tmp_path)
    rows = {line.split()[0]: line.split(maxsplit=2)[1:] for line in done.stdout.splitlines()}
    assert [rows[i][0] for i in ("01-p/a", "01-p/b", "01-p/c", "gate-01-p")] == ["run", "run", "wait", "wait"]
    assert rows["01-p/c"][1] == "blocked: missing dependency gone, which is not in the plan"
    only = nova("run", "tasks", "-n", "--only", "01-p/b", cwd=tmp_path)
    assert only.stdout.splitlines()[-1].endswith("a.txt (01-p/a would write it)")


def test_tasks_marked_done_will_not_run(tmp_path: Path) -> None:
    """A ticked box counts without a run."""
    (tmp_path / "tasks.md").write_text("# Tasks\n\n## Phase 1: Setup\n\n- [x] T001 Done already\n- [ ] T002 To do\n")
    done = nova("run", "tasks.md", "--explain", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "the plan says x" in next(line for line in done.stdout.splitlines() if line.startswith("T001")).lower()
    assert next(line for line in done.stdout.splitlines() if line.startswith("T002")).split()[1] == "run"


# progress


def progress(folder: Path) -> dict[str, Any]:
    """The data of `nova progress --json`."""
    done = nova("progress", "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_progress_of_phases(tmp_path: Path) -> None:
    """Counts, percent and the gate of each phase, and of the whole; the estimate uses the limits and the plan's
    durations."""
    task_file(tmp_path, "01-p/a", command="exit 0")
    for name in "bcd":
        task_file(tmp_path, f"02-q/{name}", needs=["01-p/a"], command="exit 1", estimated_duration='"1-3 hours"')
    task_file(tmp_path, "03-r/e", needs=["02-q/b"])
    settings(tmp_path, "phases: {p: {gate: true}, q: {max_parallel: 1}}\n")
    assert nova("run", "tasks", "--no-ui", "--phase", "p", cwd=tmp_path).returncode == 0
    found = progress(tmp_path)
    first, second, third = found["phases"]
    assert (first["phase"], first["completed"], first["percent"], first["gate"]) == ("01-p", 1, 100, "open")
    assert (second["total"], second["pending"], second["eta_seconds"], second["gate"]) == (3, 3, 3 * 2 * 3600.0, None)
    assert found["all"]["total"] == 5
    assert found["all"]["percent"] == 20
    assert found["all"]["eta_seconds"] >= second["eta_seconds"]
    assert nova("run", "tasks", "--no-ui", "--only", "02-q/b", cwd=tmp_path).returncode == 1
    second, third = progress(tmp_path)["phases"][1:]
    assert (second["failed"], second["eta_seconds"]) == (1, 2 * 2 * 3600.0)
    assert (third["blocked"], third["pending"], third["eta_seconds"]) == (1, 0, None)
    table = nova("progress", cwd=tmp_path).stdout.splitlines()
    assert [line.split()[0] for line in table] == ["PHASE", "01-p", "02-q", "03-r", "all"]
    assert nova("-C", "tasks", "progress", cwd=tmp_path).returncode == 2


# any folder at all

IDS = [f"{phase}/{name}" for phase in ("01-p", "02-q", "03-r") for name in "abcd"]


@st.composite
def folders(draw: st.DrawFn) -> dict[str, Any]:
    """Tasks with dependencies on earlier ones, settings of their phases, and which of them fail or forget an output."""
    ids = draw(st.lists(st.sampled_from(IDS), min_size=1, unique=True).map(sorted))
    some = st.lists(st.sampled_from(IDS), max_size=3, unique=True)
    return {
        "needs": {i: sorted(n for n in draw(some) if n in ids and n < i) for i in ids},
        "fail": set(draw(some)),
        "forget": set(draw(some)),
        "jobs": draw(st.integers(1, 5)),
        "phases": {
            name: PhaseConfig(
                gate=draw(st.sampled_from([None, "barrier", "advice"])),
                max_parallel=draw(st.sampled_from([None, 1, 2])),
            )
            for name in "pqr"
        },
    }


class Watched:
    """A run of such a folder; `events` are all of it, and after each the status files are compared with the state."""

    def __init__(self, folder: Path, made: dict[str, Any]) -> None:
        for task_id, needs in made["needs"].items():
            task_file(folder, task_id, needs=needs, outputs=["out.txt"])
        self.folder, self.made = folder, made
        fake = FakeExecutor(FakeClock(), self._end)
        self.engine = Orchestrator(
            folder / "tasks", folder / "cascade_state.json", made["jobs"], host=host(fake),
            config=Config(command="true", phases=made["phases"]),
        )  # fmt: skip
        self.events: list[Event] = []
        self.engine.subscribe(self._see)
        self.result = self.engine.run()
        self.words = {i: t.status for i, t in self.engine.store.tasks.items()}

    def _end(self, job: Job) -> Ended:
        task_id = job.key.partition("@")[0]
        if task_id in self.made["fail"]:
            return Ended(job.key, EndReason.EXIT, code=3)
        if task_id not in self.made["forget"]:
            out = self.folder / "workspace" / "outputs" / task_id / "out.txt"
            out.write_text("x")
        return ok(job)

    def _see(self, event: Event) -> None:
        self.events.append(event)
        expected = {i: status_of(i, t) for i, t in self.engine.store.tasks.items() if i in self.made["needs"]}
        assert statuses(self.folder) == {i: s["status"] for i, s in expected.items() if s}


@given(folders())
def test_any_folder_runs_as_its_phases_say(made: dict[str, Any]) -> None:
    """Dependencies, gates and limits hold at all times; a failure blocks its descendants and nothing else."""
    with tempfile.TemporaryDirectory() as name:
        run = Watched(Path(name), made)
    tasks, dag = run.engine.cascade.tasks, run.engine.cascade.dag
    limits = {f"0{n}-{name}": made["phases"][name].max_parallel or 99 for n, name in enumerate("pqr", 1)}
    done: set[str] = set()
    running: list[str] = []
    for event in run.events:
        if event.kind is EventKind.TASK_STARTED:
            assert event.task is not None
            assert set(tasks[event.task].depends_on) <= done
            running.append(tasks[event.task].branch)
            assert len(running) <= made["jobs"]
            assert all(running.count(branch) <= most for branch, most in limits.items())
        elif event.kind in (EventKind.TASK_COMPLETED, EventKind.TASK_FAILED) and not tasks[event.task or ""].gate:
            running.remove(tasks[event.task or ""].branch)
        if event.kind is EventKind.TASK_COMPLETED:
            done.add(event.task or "")
    failed = {i for i, word in run.words.items() if word is TaskStatus.FAILED}
    assert failed <= made["fail"] | made["forget"]
    blocked = {i for i, t in run.engine.store.tasks.items() if t.blocked_by}
    assert blocked == dag.descendants(failed)
    assert done == set(tasks) - failed - blocked
    alerts = [event for event in run.events if event.kind is EventKind.TASK_FAILED]
    assert sorted(event.task or "" for event in alerts) == sorted(failed)
    for event in alerts:
        below = {i for i in dag.descendants([event.task or ""]) if not tasks[i].gate}
        assert event.patch.get("blocks", 0) <= len(below)
    assert sum(event.patch.get("blocks", 0) for event in alerts) >= len([i for i in blocked if not tasks[i].gate])


def test_a_shut_gate_names_what_is_missing_and_opens_when_tried_again(tmp_path: Path) -> None:
    """Outputs removed after their task was completed keep the next phase waiting, unless that task may run again."""
    task_file(tmp_path, "01-p/a", outputs=["out.txt"])
    task_file(tmp_path, "02-q/b", outputs=["out.txt"])
    settings(tmp_path, "command: mkdir -p $NOVA_OUTPUT_DIR && touch $NOVA_OUTPUT_DIR/out.txt\n")
    assert nova("run", "tasks", "--no-ui", "--phase", "p", cwd=tmp_path).returncode == 0
    out = tmp_path / "workspace" / "outputs" / "01-p" / "a" / "out.txt"
    out.unlink()
    with (tmp_path / "nova.yaml").open("a") as file:
        file.write("phases: {p: {gate: true}}\n")
    refused = nova("run", "tasks", "--no-ui", "--phase", "q", cwd=tmp_path)
    assert refused.returncode == 1
    assert "gate-01-p failed: missing outputs: workspace/outputs/01-p/a/out.txt; blocks 1 task" in refused.stdout
    out.write_text("x")
    assert nova("retry", "gate-01-p", cwd=tmp_path).returncode == 0
    assert nova("run", "tasks", "--no-ui", cwd=tmp_path).returncode == 0
    out.unlink()
    assert "1 done task will run again: 01-p/a" in nova("run", "tasks", "--no-ui", cwd=tmp_path).stdout
    assert out.exists()


def test_a_skipped_gate_lets_everybody_through(tmp_path: Path) -> None:
    """Approval by a person is enough."""
    three_phases(tmp_path)
    fake = FakeExecutor(FakeClock(), ok)
    run = Orchestrator(
        tmp_path / "tasks", tmp_path / "cascade_state.json", 3, host=host(fake),
        config=Config(command="true", phases={"p": BARRIER}),
    )  # fmt: skip
    assert run.apply(Command(CommandKind.SKIP, ("gate-01-p",))).ok
    assert "02-q/b" in run.get_ready_tasks()
    run.close()


def test_gates_of_a_usual_plan() -> None:
    """The branches of CASCADE.md are phases, too."""
    text = "## One\n\n{0}| A | a | - |\n\n## Two\n\n{0}| B | b | - |\n".replace(
        "{0}", "| Task ID | Task Name | Depends On |\n|---|---|---|\n"
    )
    cascade = with_phases(parse_text(text, "CASCADE.md"), {"One": BARRIER})
    assert cascade.tasks["B"].depends_on == ("gate-One",)
