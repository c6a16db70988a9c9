"""Tasks in trees of their own: each works from what is merged, and is merged in the order of its end."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from engines import add_criteria, killed, make_engine, on, tasks_of, write_plan
from fake_git import MAIN, MARK, FakeRepo
from fakes import FakeClock, FakeExecutor, exits, ok

from nova_core.command import Command, CommandKind
from nova_core.config import AgentConfig, Config
from nova_core.config.git import GitConfig
from nova_core.engine.trees.generated import generators
from nova_core.engine.trees.steps import Steps
from nova_core.errors import EnvironmentProblem
from nova_core.executors.base import Ended, EndReason, Job
from nova_core.isolation.values import NotTaken
from nova_core.orchestrator import Orchestrator
from nova_core.state.events import EventKind
from nova_core.state.schema import Reason, TaskStatus

DIAMOND = [("A", "-"), ("B", "A"), ("C", "A"), ("D", "B, C")]
Work = Callable[[dict[str, str]], object]


class Workers(FakeExecutor):
    """Workers whose tasks change the files of their trees: `work` by task id, once per attempt."""

    def __init__(self, repo: FakeRepo, work: dict[str, Work]) -> None:
        super().__init__(FakeClock(), ok)
        self.repo = repo
        self.work = work
        self.seen: dict[str, dict[str, str]] = {}
        self.prompts: dict[str, str] = {}

    def submit(self, job: Job) -> None:
        super().submit(job)
        task_id = job.key.partition("@")[0]
        if "+" not in job.key:
            self.seen[job.key] = dict(self.repo.trees[task_id])
            if job.stdin:
                self.prompts[job.key] = Path(job.stdin).read_text()
            self.work.get(task_id, writes(task_id.lower()))(self.repo.trees[task_id])


def writes(name: str, text: str = "x") -> Work:
    return lambda files: files.__setitem__(name, text)


def engine_on(
    folder: Path, repo: FakeRepo, work: dict[str, Work] | None = None, rows: Any = DIAMOND, *, config: Any = None,
    extra: Any = None, **settings: Any,
) -> tuple[Orchestrator, Workers]:  # fmt: skip
    """An engine whose tasks have trees in `repo`; settings are those of `git:`, `config` has others."""
    workers = Workers(repo, work or {})
    given = Config(**{"isolation": "tree", "git": GitConfig(**settings), **(config or {})})
    engine, _ = make_engine(folder, rows, executor=workers, config=given, gits=repo.gits(), extra=extra, max_workers=3)
    return engine, workers


def line(number: int, text: str) -> Work:
    """Changes one line of the file f."""

    def work(files: dict[str, str]) -> None:
        lines = files["f"].split("\n")
        lines[number] = text
        files["f"] = "\n".join(lines)

    return work


def messages(engine: Orchestrator) -> list[str]:
    return [event.message for event in engine.store.database.events_since(0)]


def test_a_diamond_is_merged_in_the_order_of_its_ends(tmp_path: Path) -> None:
    """Four commits in a line; each task starts from all that it depends on, and the user's folder is the end."""
    repo = FakeRepo({"base": "1"})
    engine, workers = engine_on(tmp_path, repo)
    assert engine.run().exit_code == 0
    assert repo.log() == ["base", "A: Task A", "B: Task B", "C: Task C", "D: Task D"]
    assert workers.seen["D@1"] == {"base": "1", "a": "x", "b": "x", "c": "x"}
    assert repo.folder == {"base": "1", "a": "x", "b": "x", "c": "x", "d": "x"}
    tasks = tasks_of(tmp_path)
    assert [tasks[i].files_changed for i in "ABCD"] == [("a",), ("b",), ("c",), ("d",)]
    assert [repo.commits[tasks[i].commit_sha or ""].subject[0] for i in "ABCD"] == list("ABCD")
    assert repo.trees == {}
    assert repo.refs.keys() == {MAIN}


def test_nothing_is_checked_again_where_nothing_else_was_merged(tmp_path: Path) -> None:
    """The tree of the task is the one that was checked, and its commit is what is merged."""
    repo = FakeRepo({"f": "1"})
    write_plan(tmp_path, [("A", "-")])
    add_criteria(tmp_path, "A", "true")
    engine, workers = engine_on(tmp_path, repo, rows=None)
    assert engine.run().exit_code == 0
    assert [job.key for job in workers.jobs] == ["A@1", "A@1+1"]
    assert {job.cwd for job in workers.jobs} == {str(Path(workers.jobs[0].cwd))}
    assert workers.jobs[0].cwd != str(tmp_path)
    state = tasks_of(tmp_path)["A"]
    assert state.commit_sha == state.taken


def test_the_same_file_is_merged_and_its_criteria_are_checked_again(tmp_path: Path) -> None:
    """Other lines of one file merge; the criteria run again on what the merge has made."""
    repo = FakeRepo({"f": "1\n2\n3"})
    write_plan(tmp_path, [("A", "-"), ("B", "-")])
    add_criteria(tmp_path, "B", "true")
    engine, workers = engine_on(tmp_path, repo, {"A": line(0, "A"), "B": line(2, "B")}, rows=None)
    assert engine.run().exit_code == 0
    assert repo.folder["f"] == "A\n2\nB"
    assert len([job for job in workers.jobs if job.key.startswith("B@1+")]) == 2


def test_work_that_holds_apart_and_fails_together_is_not_merged(tmp_path: Path) -> None:
    """The branch stays as it was, and the failure names with whom it was merged."""
    repo = FakeRepo({"f": "1\n2\n3"})
    write_plan(tmp_path, [("A", "-"), ("B", "-"), ("C", "B")])
    add_criteria(tmp_path, "B", "true")
    engine, workers = engine_on(tmp_path, repo, {"A": line(0, "A"), "B": line(2, "B")}, rows=None)
    workers.outcome = lambda job: (exits(1) if "+merge" in job.key else ok)(job)
    assert engine.run().exit_code == 1
    state = tasks_of(tmp_path)["B"]
    assert (state.status, state.reason) == (TaskStatus.FAILED, Reason.CHECK_FAILED)
    assert "after the merge with A" in (state.error or "")
    assert repo.folder["f"] == "A\n2\n3"
    assert state.kept
    kept = [repo.files(commit)["f"] for ref, commit in repo.refs.items() if "/kept/B." in ref]
    assert "1\n2\nB" in kept, "its own work, beside what was merged for the check"
    assert tasks_of(tmp_path)["C"].blocked_by == ("B",)


def test_a_command_whose_work_conflicts_runs_again_once(tmp_path: Path) -> None:
    """It starts from what is merged; a second conflict fails it, and keeps up nobody else."""
    repo = FakeRepo({"f": "1"})
    again = [("A", "-"), ("B", "-"), ("C", "A"), ("D", "C")]
    engine, workers = engine_on(tmp_path, repo, {"A": line(0, "A"), "B": line(0, "B")}, rows=again)
    assert engine.run().exit_code == 0
    assert [job.key for job in workers.jobs if job.key[0] == "B"] == ["B@1", "B@2"]
    assert workers.seen["B@2"]["f"] == "A"
    assert repo.folder["f"] == "B"


def conflict_twice(folder: Path, repo: FakeRepo, **settings: Any) -> tuple[Orchestrator, Workers]:
    """A and B change the same line; so does a person, on the run's branch, while B resolves that."""
    rows = [("A", "-"), ("B", "-"), ("C", "B"), ("D", "A"), ("E", "D")]
    engine, workers = engine_on(folder, repo, {"A": line(0, "A")}, rows=rows, **settings)

    def work(files: dict[str, str]) -> None:
        if files["f"] == "A":
            ref = next(ref for ref in repo.refs if ref.startswith("refs/heads/nova/"))
            repo.refs[ref] = repo.commit(repo.refs[ref], {**repo.files(repo.refs[ref]), "f": "P"}, "person")
        line(0, "B")(files)

    workers.work["B"] = work
    return engine, workers


@pytest.mark.parametrize("how", ["resolve", "stop"])
def test_a_conflict_that_stays_is_a_failure_with_its_ref(tmp_path: Path, how: str) -> None:
    """The work is kept under the task's ref, what depends on it is blocked, and all else is merged."""
    repo = FakeRepo({"f": "1"})
    engine, workers = conflict_twice(tmp_path, repo, conflicts=how)
    assert engine.run().exit_code == 1
    tasks = tasks_of(tmp_path)
    assert (tasks["B"].reason, tasks["B"].merge) == (Reason.MERGE_CONFLICT, "conflict")
    assert tasks["B"].conflict == {"f": "contents"}
    assert len([job for job in workers.jobs if job.key[0] == "B"]) == (2 if how == "resolve" else 1)
    assert any(ref.endswith("/B") for ref in repo.refs)
    assert tasks["C"].blocked_by == ("B",)
    assert tasks["D"].status is TaskStatus.COMPLETED
    assert "d" in repo.folder


@pytest.mark.parametrize("by", ["merge", "pick", "skip", "retry"])
def test_a_person_settles_a_conflict(tmp_path: Path, by: str) -> None:
    """A merge or a cherry-pick on the run's branch counts; so do `nova skip` and `nova retry`."""
    repo = FakeRepo({"f": "1"})
    conflict_twice(tmp_path, repo)[0].run()
    ref = next(ref for ref in repo.refs if ref.startswith("refs/heads/nova/"))
    tip, engine = repo.refs[ref], engine_on(tmp_path, repo, rows=None)[0]
    files = {**repo.files(tip), "f": "PB", "b": "x"}
    if by in ("merge", "pick"):
        subject = "B: Task B" if by == "pick" else "B: merged"
        repo.refs[ref] = repo.commit(tip, files, subject)
    else:
        engine.apply(Command(CommandKind.SKIP if by == "skip" else CommandKind.RETRY, ("B",)))
    engine._run.parts.executor.work["B"] = lambda files: files.__setitem__("f", "PB")  # type: ignore[attr-defined]
    assert engine.run().exit_code == 0
    assert repo.folder["f"] == ("P" if by == "skip" else "PB")
    assert "c" in repo.folder
    assert tasks_of(tmp_path)["C"].blocked_by == ()
    assert repo.trees == {}
    assert [name for name in repo.refs if "/kept/" not in name] == [MAIN]


def test_an_agent_resolves_a_conflict_in_its_own_tree(tmp_path: Path) -> None:
    """It is shown both versions and who made the other one; what it leaves is merged on top of the tip."""
    repo = FakeRepo({"f": "1\n2"})
    plain = AgentConfig(command=("true",), line="^STEP (?P<step>.*)")
    engine, workers = engine_on(
        tmp_path, repo, {"A": line(0, "A")}, rows=[("A", "-"), ("B", "-")],
        config={"agents": {"a": plain}}, extra={"Agent": {"B": "a"}, "Command": {"B": ""}},
    )  # fmt: skip

    def work(files: dict[str, str]) -> None:
        files["f"] = "AB\n2" if MARK in files["f"] else "B\n2"

    workers.work["B"] = work
    said = log_of_agents(tmp_path, workers)
    assert engine.run().exit_code == 0
    assert [key for key in said if key[0] == "B"] == ["B@1", "B@2"]
    assert MARK in workers.seen["B@2"]["f"]
    assert "conflicts with another task" in workers.prompts["B@2"]
    assert (
        "- `f`: both changed the same lines; make of them what both want, and remove the marks"
        in workers.prompts["B@2"]
    )
    assert 'A ("Task A")' in workers.prompts["B@2"]
    assert "git show MERGE_HEAD:./FILE > FILE" in workers.prompts["B@2"]
    assert "a copy of the project of its own" in workers.prompts["B@1"]
    assert repo.folder["f"] == "AB\n2"
    assert repo.log() == ["base", "A: Task A", "B: Task B"]


def log_of_agents(folder: Path, workers: Workers) -> list[str]:
    """Lets agents end well; returns the keys of their jobs."""
    keys: list[str] = []

    def outcome(job: Job) -> Ended:
        if job.own_holder:
            keys.append(job.key)
            (folder / "logs" / job.log).write_text("STEP reading\nI have done it.\n")
        return ok(job)

    workers.outcome = outcome
    return keys


@pytest.mark.parametrize("how", ["marks", "nothing", "exit", "criterion"])
def test_a_conflict_that_its_worker_does_not_resolve(tmp_path: Path, how: str) -> None:
    """Marks are never merged. The conflict is open again: the task's ref has its work, and what was tried is kept."""
    repo = FakeRepo({"f": "1\n2"})
    plain = AgentConfig(command=("true",), line="^STEP (?P<step>.*)")
    write_plan(tmp_path, [("A", "-"), ("B", "-")], extra={"Agent": {"B": "a"}, "Command": {"B": ""}})
    add_criteria(tmp_path, "B", "true")
    engine, workers = engine_on(
        tmp_path, repo, {"A": line(0, "A")}, rows=None, config={"agents": {"a": plain}}
    )  # fmt: skip
    left = {"marks": f"{MARK} marks", "nothing": "A\n2"}.get(how, "AB\n2")
    workers.work["B"] = lambda files: files.update(f=left if MARK in files["f"] else "B\n2")
    log_of_agents(tmp_path, workers)
    well = workers.outcome

    def outcome(job: Job) -> Any:
        bad = {"exit": "B@2", "criterion": "B@2+1"}.get(how) == job.key
        return exits(3)(job) if bad else well(job)

    workers.outcome = outcome
    assert engine.run().exit_code == 1
    state = tasks_of(tmp_path)["B"]
    assert (state.reason, state.merge, state.conflict) == (Reason.MERGE_CONFLICT, "conflict", {"f": "contents"})
    said = {
        "marks": "marks of the conflict are left in f", "nothing": "nothing of the task's work is left",
        "exit": "exit code 3", "criterion": "criterion not met",
    }  # fmt: skip
    assert (state.error or "").startswith("its conflict is not resolved: ")
    assert said[how] in (state.error or "")
    held = next(commit for ref, commit in repo.refs.items() if ref.endswith("/B"))
    assert state.taken == held
    assert repo.files(held)["f"] == "B\n2"
    tried = [left] if how != "nothing" else []
    assert [repo.files(repo.refs[ref])["f"] for ref in state.kept] == ["B\n2", *tried], (
        "what it was, and what was tried"
    )
    assert repo.folder["f"] == "A\n2"
    assert engine_on(tmp_path, repo, rows=None, config={"agents": {"a": plain}})[0].run().exit_code == 1
    assert tasks_of(tmp_path)["B"].kept == state.kept, "once"


@pytest.mark.parametrize("end", ["fails", "is cancelled", "times out", "says nothing", "is lost"])
def test_what_a_failed_attempt_left_is_kept_and_nowhere_else(tmp_path: Path, end: str) -> None:
    """Case 14: its files are in a ref, not in the user's folder, and its tree is gone."""
    repo, ends = FakeRepo({"f": "1"}), {"times out": "timeout", "says nothing": "idle_timeout", "is lost": "lost"}
    engine, workers = engine_on(tmp_path, repo, rows=[("A", "-")])
    workers.outcome = exits(3) if end == "fails" else lambda job: None
    if end in ends:
        workers.outcome = lambda job: Ended(job.key, EndReason(ends[end]))
    if end == "is cancelled":
        on(engine, EventKind.TASK_RUNNING, "A", lambda: engine.post(Command(CommandKind.CANCEL, ("A",))))
        running = workers.submit

        def submit(job: Job) -> None:
            running(job)
            engine.post(Command(CommandKind.CANCEL, ("A",)))

        workers.submit = submit  # type: ignore[method-assign]
    assert engine.run().exit_code == 1
    state = tasks_of(tmp_path)["A"]
    assert [repo.files(repo.refs[ref])["a"] for ref in state.kept] == ["x"]
    assert repo.folder == {"f": "1"}
    assert repo.trees == {}


def test_a_retry_starts_from_what_is_merged_now(tmp_path: Path) -> None:
    """In a clean tree at the same path."""
    repo = FakeRepo({"f": "1"})
    engine, workers = engine_on(
        tmp_path, repo, rows=[("A", "-"), ("B", "-")], config={"retries": 1, "retry_delay": 1.0}
    )
    workers.outcome = lambda job: (exits(1) if job.key == "A@1" else ok)(job)
    assert engine.run().exit_code == 0
    assert workers.seen["A@2"] == {"f": "1", "b": "x"}
    assert len({job.cwd for job in workers.jobs if job.key[0] == "A"}) == 1
    assert len(tasks_of(tmp_path)["A"].kept) == 1


@pytest.mark.parametrize("how", ["refuse", "ignore", "include"])
def test_files_that_are_not_committed(tmp_path: Path, how: str) -> None:
    """A start is rejected with their names, or goes without them, or takes them along; the plan does not count."""
    repo = FakeRepo({"f": "1"})
    repo.folder["new"] = "mine"
    repo.dirty = ("CASCADE.md", "cascade_state.json", "logs/", ".nova/", "new")
    if how == "include":
        repo.dirty += ("app/",)  # another repository, of which a commit would have only a link
    engine, workers = engine_on(tmp_path, repo, rows=[("A", "-")], uncommitted=how)
    if how == "refuse":
        with pytest.raises(EnvironmentProblem, match=r"1 file not committed.*: new") as caught:
            engine.run()
        assert "--uncommitted" in (caught.value.hint or "")
        return
    assert engine.run().exit_code == 0
    assert ("new" in workers.seen["A@1"]) == (how == "include")


@pytest.mark.parametrize("how", ["tree", "auto"])
def test_a_project_that_cannot_be_isolated(tmp_path: Path, how: str) -> None:
    """`tree` insists, `auto` says why in one line and shares the folder; commands alone need no trees."""
    repo = FakeRepo({"f": "1"})
    repo.problem = "it is not in a git repository"
    agents = {"a": AgentConfig(command=("true",), line="^STEP (?P<step>.*)")}
    engine, workers = engine_on(
        tmp_path, repo, rows=[("A", "-")], config={"isolation": how, "agents": agents},
        extra={"Agent": {"A": "a"}, "Command": {"A": ""}},
    )  # fmt: skip
    workers.submit = lambda job: FakeExecutor.submit(workers, job)  # type: ignore[method-assign]
    log_of_agents(tmp_path, workers)
    if how == "tree":
        with pytest.raises(EnvironmentProblem, match="not in a git repository"):
            engine.run()
        return
    assert engine.run().exit_code == 0
    assert any(repo.problem in text for text in messages(engine_on(tmp_path, repo, rows=None)[0]))
    assert workers.jobs[0].cwd == str(tmp_path)


def test_nothing_starts_in_the_middle_of_a_merge(tmp_path: Path) -> None:
    """Nothing starts in the middle of a person's merge."""
    repo = FakeRepo({"f": "1"})
    repo.busy = "a merge"
    with pytest.raises(EnvironmentProblem, match="in the middle of a merge"):
        engine_on(tmp_path, repo)[0].run()


@pytest.mark.parametrize("how", ["off", "auto"])
def test_commands_alone_have_no_trees(tmp_path: Path, how: str) -> None:
    """Nothing is asked of git."""
    repo = FakeRepo({"f": "1"})
    engine, workers = engine_on(tmp_path, repo, config={"isolation": how})
    workers.submit = lambda job: FakeExecutor.submit(workers, job)  # type: ignore[method-assign]
    assert engine.run().exit_code == 0
    assert repo.calls == []


@pytest.mark.parametrize("answer", [CommandKind.APPROVE, CommandKind.REJECT])
def test_approval_comes_before_the_merge(tmp_path: Path, answer: CommandKind) -> None:
    """Approved work is merged; rejected work is kept in a ref."""
    repo = FakeRepo({"f": "1"})
    engine, _ = engine_on(tmp_path, repo, rows=[("A", "-")], extra={"Approval": {"A": "after"}})
    assert engine.run().exit_code == 4
    assert repo.folder == {"f": "1"}
    engine, _ = engine_on(tmp_path, repo, rows=None)
    engine.apply(Command(answer, ("A",)))
    assert engine.run().exit_code == (0 if answer is CommandKind.APPROVE else 1)
    assert ("a" in repo.folder) == (answer is CommandKind.APPROVE)
    assert bool(tasks_of(tmp_path)["A"].kept) == (answer is CommandKind.REJECT)


def test_a_task_that_deletes_most_files_waits_for_approval(tmp_path: Path) -> None:
    """Whatever the plan says, a person looks at it first."""
    repo = FakeRepo(dict.fromkeys("pqrs", "1"))
    engine, _ = engine_on(tmp_path, repo, {"A": lambda files: files.clear()}, rows=[("A", "-")])
    assert engine.run().exit_code == 4
    assert tasks_of(tmp_path)["A"].awaits_approval
    assert len(repo.folder) == 4


def test_a_task_that_changes_nothing(tmp_path: Path) -> None:
    """It is completed without a commit."""
    repo = FakeRepo({"f": "1"})
    engine, _ = engine_on(tmp_path, repo, {"A": lambda files: None}, rows=[("A", "-"), ("B", "A")])
    assert engine.run().exit_code == 0
    assert tasks_of(tmp_path)["A"].commit_sha is None
    assert repo.log() == ["base", "B: Task B"]


def test_a_tree_is_set_up_before_the_worker(tmp_path: Path) -> None:
    """The project's line runs first, in the tree; if it fails, so does the attempt, with its log."""
    repo = FakeRepo({"f": "1"})
    engine, workers = engine_on(tmp_path, repo, rows=[("A", "-")], setup="npm ci")
    assert engine.run().exit_code == 0
    assert [(job.key, job.shell) for job in workers.jobs] == [("A@1+setup", "npm ci"), ("A@1", "true")]
    assert workers.jobs[0].cwd == workers.jobs[1].cwd
    engine, workers = engine_on(tmp_path, repo, rows=[("B", "-")], setup="npm ci")
    workers.outcome = exits(1)
    assert engine.run().exit_code == 1
    assert [job.key for job in workers.jobs] == ["B@1+setup"]
    assert "logs/B.setup.log" in (tasks_of(tmp_path)["B"].error or "")


def test_a_task_in_the_projects_folder_runs_after_landing(tmp_path: Path) -> None:
    """What it needs is there; it has no tree, and what it depends on is on the user's branch."""
    repo, seen = FakeRepo({"f": "1"}), list[str]()
    engine, workers = engine_on(
        tmp_path, repo, rows=[("A", "-"), ("B", "A"), ("C", "B")], extra={"Tree": {"B": "project"}}
    )
    submit = workers.submit

    def spy(job: Job) -> None:
        if job.key == "B@1":
            seen.extend(repo.log())
            FakeExecutor.submit(workers, job)
        else:
            submit(job)

    workers.submit = spy  # type: ignore[method-assign]
    assert engine.run().exit_code == 0
    assert seen == ["base", "A: Task A"]
    assert {job.key: job.cwd == str(tmp_path) for job in workers.jobs} == {"A@1": False, "B@1": True, "C@1": False}


@pytest.mark.parametrize("land", ["end", "each", "no"])
def test_when_the_users_branch_moves(tmp_path: Path, land: str) -> None:
    """Once at the end, after each merge, or not at all: then a merge by hand is seen by the next run."""
    repo, moves = FakeRepo({"f": "1"}), list[str]()
    repo.step = lambda name: moves.append(name) if name == "landing" else None
    engine, _ = engine_on(tmp_path, repo, rows=[("A", "-"), ("B", "A")], land=land)
    assert engine.run().exit_code == 0
    assert len(moves) == {"end": 1, "each": 2, "no": 0}[land]
    assert ("b" in repo.folder) == (land != "no")
    git = engine.store.run.git
    assert git is not None
    assert (git.ref in repo.refs) == (land == "no")
    repo.refs[MAIN] = git.tip
    engine, workers = engine_on(tmp_path, repo, rows=None, land=land)
    assert engine.run().exit_code == 0
    assert workers.jobs == []
    assert (engine.store.run.git or git).landed == git.tip
    assert git.ref not in repo.refs


def test_landing_waits_for_a_file_in_the_way(tmp_path: Path) -> None:
    """The run says what it waits for, and the next one lands."""
    repo = FakeRepo({"f": "1"})
    repo.in_the_way = "f"
    engine, _ = engine_on(tmp_path, repo, rows=[("A", "-")])
    assert engine.run().exit_code == 4  # all is done, but not there
    git = engine.store.run.git
    assert git is not None
    assert git.waits == "files of yours are in the way: f"
    assert repo.folder == {"f": "1"}
    repo.in_the_way = ""
    engine, workers = engine_on(tmp_path, repo, rows=None)
    assert engine.run().exit_code == 0
    assert workers.jobs == []
    assert repo.folder == {"f": "1", "a": "x"}


def test_commits_of_the_user_are_followed(tmp_path: Path) -> None:
    """They are merged into the run's branch, which then lands."""
    repo = FakeRepo({"f": "1"})
    engine, workers = engine_on(tmp_path, repo, rows=[("A", "-")])

    def commit(files: dict[str, str]) -> None:
        repo.folder["mine"] = "1"
        repo.refs[MAIN] = repo.commit(repo.refs[MAIN], {**repo.files(repo.refs[MAIN]), "mine": "1"}, "mine")
        files["a"] = "x"

    workers.work["A"] = commit
    assert engine.run().exit_code == 0
    assert repo.folder == {"f": "1", "mine": "1", "a": "x"}


def test_a_branch_that_was_moved_back_stops_the_queue(tmp_path: Path) -> None:
    """Nothing more is merged, nothing is lost, and the run says so."""
    repo = FakeRepo({"f": "1"})
    engine, workers = engine_on(tmp_path, repo, rows=[("A", "-"), ("B", "A")])

    def back(files: dict[str, str]) -> None:
        ref = next(ref for ref in repo.refs if ref.startswith("refs/heads/nova/"))
        repo.refs[ref] = repo.commit("", {}, "other")
        files["b"] = "x"

    workers.work["B"] = back
    assert engine.run().exit_code == 4
    state = tasks_of(tmp_path)["B"]
    assert state.is_merging
    assert state.taken in repo.commits
    again, _ = engine_on(tmp_path, repo, rows=None)
    with pytest.raises(EnvironmentProblem, match="the branch was moved"):
        again.run()


@pytest.mark.parametrize("seconds", [2, 50, 1_000])
def test_merging_waits_while_the_branch_is_checked_out(tmp_path: Path, seconds: int) -> None:
    """It continues by itself once the branch is free; the run ends in order if it stays, and the next one merges."""
    repo = FakeRepo({"base": "1"})
    engine, workers = engine_on(tmp_path, repo, rows=[("A", "-"), ("B", "A")])
    repo.is_checked_out, end = True, workers.clock.monotonic() + seconds

    def step(name: str) -> None:
        repo.is_checked_out = workers.clock.monotonic() < end

    repo.step, said = step, list[str]()
    engine.store.listeners.append(lambda event: said.append(event.message) if "checked out" in event.message else None)
    code = engine.run().exit_code
    assert said[0] == "merging waits, because the branch is checked out in /there"
    if seconds > 100:
        left = "nothing more is merged: the branch is checked out in /there; 1 task will be merged by the next nova run"
        assert (code, said[1:], repo.log()) == (4, [left], ["base"])
        assert workers.clock.monotonic() < end - 800
        end = 0.0
        engine = engine_on(tmp_path, repo, rows=None)[0]
        assert engine.run().exit_code == 0
    else:
        assert (code, said[1:]) == (0, [])
    assert repo.log() == ["base", "A: Task A", "B: Task B"]
    assert engine.store.run.git is not None
    assert engine.store.run.git.merging < 2


@pytest.mark.parametrize("work", [True, False])
def test_commits_that_others_add_to_the_branch_land(tmp_path: Path, work: bool) -> None:
    """At the end of the run, also after its last merge, or if it has merged nothing."""
    repo = FakeRepo({"f": "1"})
    engine, workers = engine_on(tmp_path, repo, rows=[("A", "-"), ("B", "A")])

    def add(files: dict[str, str]) -> None:
        ref = next(ref for ref in repo.refs if ref.startswith("refs/heads/nova/"))
        repo.refs[ref] = repo.commit(repo.refs[ref], {**repo.files(repo.refs[ref]), "theirs": "1"}, "theirs")

    workers.work |= {"A": writes("a") if work else dict, "B": add}
    assert engine.run().exit_code == 0
    assert repo.folder == {"f": "1", "theirs": "1", **({"a": "x"} if work else {})}


def test_the_time_of_merges_is_counted(tmp_path: Path) -> None:
    """From the turn of each task until it is merged, checks included; one after the other."""
    repo = FakeRepo({"f": "1"})
    engine = engine_on(tmp_path, repo, rows=[("A", "-"), ("B", "A")])[0]
    clock = engine.clock
    assert isinstance(clock, FakeClock)
    repo.step = lambda name: clock.advance(100.0) if name in ("advance A", "advance B") else None
    assert engine.run().exit_code == 0
    assert engine.store.run.git is not None
    assert round(engine.store.run.git.merging, -2) == 200.0


def test_a_stopped_run_continues_with_its_queue(tmp_path: Path) -> None:
    """What was done and not merged is merged by the next run; nothing runs twice."""
    repo = FakeRepo({"f": "1"})
    engine, workers = engine_on(tmp_path, repo, rows=[("A", "-"), ("B", "A")])
    on(engine, EventKind.TASK_QUEUED, "A", engine.stop)
    assert engine.run().exit_code != 0
    engine, workers = engine_on(tmp_path, repo, rows=None)
    assert engine.run().exit_code == 0
    assert [job.key for job in workers.jobs] == ["B@1"]
    assert repo.log() == ["base", "A: Task A", "B: Task B"]


@pytest.mark.parametrize("pruned", [False, True])
def test_a_branch_that_was_deleted_is_restored(tmp_path: Path, pruned: bool) -> None:
    """It is made again where it was; once git has removed its commits, the run says whose work is lost."""
    repo = FakeRepo({"f": "1"})
    engine, _ = engine_on(tmp_path, repo, rows=[("A", "-"), ("B", "A")], land="no")
    assert engine.run().exit_code == 0
    ref = next(ref for ref in repo.refs if ref.startswith("refs/heads/nova/"))
    tip = repo.refs.pop(ref)
    for name in repo.commits.keys() - set(repo.refs.values()) if pruned else ():
        del repo.commits[name]
    engine, _ = engine_on(tmp_path, repo, rows=None, land="no")
    engine.run()
    engine, _ = engine_on(tmp_path, repo, rows=None)
    said = messages(engine)
    engine.close()
    if pruned:
        assert ref not in repo.refs, "nothing is on it"
        assert any("lost is the work of A, B; do it again with nova retry A B" in text for text in said)
        engine, _ = engine_on(tmp_path, repo, rows=None, land="end")
        assert engine.apply(Command(CommandKind.RETRY, ("A", "B"))).ok
        assert engine.run().exit_code == 0
        assert repo.folder["b"] == "x"
    else:
        assert repo.refs[ref] == tip
        assert any(f"was gone, and is at {tip[:10]} again" in text for text in said)


def test_a_full_disk_stops_new_tasks_and_loses_nothing(tmp_path: Path) -> None:
    """A step for which there is no room is repeated until there is room."""
    import errno

    repo, left = FakeRepo({"f": "1"}), [5]

    def step(name: str) -> None:
        if name.startswith(("take", "make", "merge")) and not name.endswith("over") and left[0]:
            left[0] -= 1
            raise OSError(errno.ENOSPC, "No space left on device")

    repo.step = step
    engine, _ = engine_on(tmp_path, repo, rows=[("A", "-"), ("B", "A")])
    assert engine.run().exit_code == 0
    assert repo.log() == ["base", "A: Task A", "B: Task B"]


def test_a_step_that_fails_is_repeated_then_fails_its_task(tmp_path: Path) -> None:
    """Three times; then the work stays in its tree, and others continue."""
    from nova_core.isolation.values import GitFailed

    repo = FakeRepo({"f": "1"})

    def step(name: str) -> None:
        if name == "take A":
            raise GitFailed("git add failed with 128: x")

    repo.step = step
    engine, _ = engine_on(tmp_path, repo, rows=[("A", "-"), ("B", "-")])
    assert engine.run().exit_code == 1
    assert repo.calls.count("take A") == 3
    assert tasks_of(tmp_path)["A"].reason is Reason.NOT_TAKEN
    assert "A" in repo.trees
    assert repo.folder == {"f": "1", "b": "x"}


def test_steps_that_do_not_end_are_given_up(tmp_path: Path) -> None:
    """What waits is dropped, and no result is handled any more: the next engine finds what was done."""
    steps = Steps(FakeClock(), bool, bool, background=False)
    seen: list[object] = []
    steps.post("A", lambda: 1, seen.append, seen.append)
    steps.give_up()
    steps.turn()
    assert not steps.is_busy
    assert seen == []


def test_very_deep_folders_are_a_verdict_and_no_bug(tmp_path: Path) -> None:
    """A worker can nest folders more deeply than this program can follow."""
    steps = Steps(FakeClock(), bool, bool, background=False)
    seen: list[object] = []

    def work() -> None:
        raise RecursionError

    steps.post("A", work, bool, lambda error: seen.append(str(error)))
    steps.turn()
    assert seen == ["its folders are nested too deeply"]


def test_work_that_another_attempt_would_lose_is_not_tried_again(tmp_path: Path) -> None:
    """The task fails though it has retries, and its tree stays."""
    repo = FakeRepo({"f": "1"})

    def step(name: str) -> None:
        if name == "take A":
            raise NotTaken("submodule mod has changes", is_lost_by_retry=True)

    repo.step = step
    engine, workers = engine_on(tmp_path, repo, rows=[("A", "-")], config={"retries": 2})
    assert engine.run().exit_code == 1
    assert [job.key for job in workers.jobs] == ["A@1"]
    state = tasks_of(tmp_path)["A"]
    assert state.reason is Reason.NOT_TAKEN
    assert "A" in repo.trees
    assert "submodule mod has changes" in (state.error or "")
    assert [ref for ref in repo.refs if "nova" in ref] == []  # nothing is merged


@pytest.mark.parametrize("shared", [False, True])
def test_files_that_change_in_the_users_folder_are_named_once(tmp_path: Path, shared: bool) -> None:
    """Those that were there and stay as they were are not, nor the plan; nothing if a task may work in the folder."""
    repo = FakeRepo({"f": "1"})
    for name in ("same", "more", "mine"):
        (tmp_path / name).write_text("1")
    repo.dirty = ("same", "more", "CASCADE.md")

    def work(files: dict[str, str]) -> None:
        files["a"] = "x"
        (tmp_path / "more").write_text("22")
        repo.dirty = ("same", "more", "mine", "gone", "CASCADE.md", "logs/A.log")

    extra = {"Tree": {"B": "project"}} if shared else None
    engine, _ = engine_on(tmp_path, repo, {"A": work}, rows=[("A", "-"), ("B", "A")], extra=extra, uncommitted="ignore")
    repo.trees["B"] = {}  # if it works in the folder
    seen = on(engine, EventKind.RUN_ENDED, None, bool)
    assert engine.run().exit_code == 0
    said = [event.message for event in seen if "not by landing" in event.message]
    assert said == ([] if shared else ["files in your folder changed during the run, not by landing: more, mine, gone"])


def test_inputs_that_are_merged_and_not_landed_are_there(tmp_path: Path) -> None:
    """A task whose input another one has just made does not wait for the landing."""
    repo = FakeRepo({"f": "1"})
    inputs = {"Inputs": {"B": "a"}}
    engine, _ = engine_on(tmp_path, repo, rows=[("A", "-"), ("B", "A")], extra=inputs, config={"inputs": "required"})
    assert engine.run().exit_code == 0


def test_all_git_is_closed_at_the_end(tmp_path: Path) -> None:
    """The lock by which the next engine knows of running steps is given up."""
    repo = FakeRepo({"f": "1"})
    engine, _ = engine_on(tmp_path, repo)
    engine.run()
    assert repo.is_open == 0
    killed(engine)


USED = {"m": {"inputTokens": 100, "outputTokens": 10, "costUSD": 1.0}}
DONE = {
    "type": "result",
    "is_error": False,
    "subtype": "success",
    "result": "done",
    "session_id": "s1",
    "modelUsage": USED,
}
LIMITED = {
    **DONE, "is_error": True, "api_error_status": 429, "result": "429", "modelUsage": {},
    "model_usage_since_last_result": USED,
}  # fmt: skip


def agent_on(folder: Path, repo: FakeRepo, work: Work, rows: Any, **extra: Any) -> tuple[Orchestrator, list[bool]]:
    """An engine whose task A is an agent's, which is cut off by a limit at first, and whether it resumed a session."""
    said: list[bool] = []
    program = folder / "bin" / "claude"
    program.parent.mkdir(exist_ok=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    agents = {"a": AgentConfig(use="claude", env={"PATH": str(program.parent)})}
    engine, workers = engine_on(
        folder, repo, {"A": work}, rows, config={"agents": agents, "quota_delay": 30.0},
        extra={"Agent": {"A": "a"}, "Command": {"A": ""}, **extra} if rows else None,
    )  # fmt: skip

    def outcome(job: Job) -> Ended:
        if job.own_holder:
            said.append("--resume" in job.argv)
            (folder / "logs" / job.log).write_text(json.dumps(DONE if said[-1] else LIMITED) + "\n")
        return ok(job)

    workers.outcome = outcome
    return engine, said


def test_an_agent_that_was_cut_off_continues_in_its_tree(tmp_path: Path) -> None:
    """Its unfinished files are there, its session is resumed, and it works on from the commit where it began."""
    repo, seen = FakeRepo({"f": "1"}), []

    def work(files: dict[str, str]) -> None:
        seen.append(dict(files))
        files[f"a{len(files)}"] = "x"

    engine, said = agent_on(tmp_path, repo, work, [("A", "-"), ("B", "-")])
    assert engine.run().exit_code == 0
    assert said == [False, True]
    assert seen[1] == {"f": "1", "a1": "x"}
    assert repo.folder == {"f": "1", "a1": "x", "a2": "x", "b": "x"}
    assert tasks_of(tmp_path)["A"].kept == ()


def project_with_an_output(folder: Path) -> tuple[Path, FakeRepo, Callable[[str], object]]:
    """A project whose commit has the output of A; with what writes it into A's tree."""
    project, repo = folder / "project", FakeRepo({"f": "1"})
    project.mkdir()

    def write(text: str) -> None:
        (tree,) = folder.glob("project.nova/*/A")
        (tree / "out").write_text(text)

    repo.step = lambda name: write("as committed") if name == "make A over" else None
    return project, repo, write


@pytest.mark.parametrize("is_made", [False, True])
def test_an_output_that_was_checked_out_does_not_count_for_what_continues(tmp_path: Path, is_made: bool) -> None:
    """Another engine has made the tree, and the attempt that continues in it must still change the output."""
    project, repo, write = project_with_an_output(tmp_path)
    engine, _ = agent_on(project, repo, lambda files: None, [("A", "-")], Outputs={"A": "out"})
    on(engine, EventKind.PROVIDER_PAUSED, None, engine.stop)
    assert engine.run().exit_code != 0
    engine, said = agent_on(project, repo, lambda files: write("made") if is_made else None, None)
    engine.run()
    assert said == [True]
    assert tasks_of(project)["A"].reason is (None if is_made else Reason.MISSING_OUTPUTS)


@pytest.mark.parametrize("is_made", [False, True])
def test_an_output_that_was_checked_out_does_not_count_for_what_is_adopted(tmp_path: Path, is_made: bool) -> None:
    """The engine is killed while A runs; the next one judges its end by what was there before."""
    project, repo, write = project_with_an_output(tmp_path)
    engine, workers = engine_on(project, repo, {"A": lambda files: None}, [("A", "-")], extra={"Outputs": {"A": "out"}})
    workers.outcome = lambda job: None
    engine.start_worker("A")
    while not workers.jobs:
        engine.monitor_workers(timeout=0.1)
    killed(engine)
    if is_made:
        write("made")
    engine, workers = engine_on(project, repo, rows=None)
    workers.found = [Ended("A@1", EndReason.EXIT, code=0, started_at=workers.clock.now() + 1e6)]
    engine.run()
    assert tasks_of(project)["A"].reason is (None if is_made else Reason.MISSING_OUTPUTS)


@pytest.mark.parametrize("works", [True, False])
def test_generated_files_are_made_again(tmp_path: Path, works: bool) -> None:
    """Where only these conflict, their command runs in the task's tree; and the criteria hold again."""
    repo = FakeRepo({"lock": "1", "f": "1"})
    write_plan(tmp_path, [("A", "-"), ("B", "-")])
    add_criteria(tmp_path, "B", "true")
    both = {"A": lambda files: files.update(lock="A", a="x"), "B": lambda files: files.update(lock="B", b="x")}
    engine, workers = engine_on(tmp_path, repo, both, rows=None, generated={"lo*": "make lock"})
    submit = workers.submit

    def spy(job: Job) -> None:
        submit(job)
        if job.shell == "make lock":
            repo.trees["B"]["lock"] = "AB" if works else MARK

    workers.submit = spy  # type: ignore[method-assign]
    assert engine.run().exit_code == (0 if works else 1)
    assert repo.folder["lock"] == ("AB" if works else "A")
    ran = [job.shell for job in workers.jobs if job.key[0] == "B"]
    assert ran == ["true", "true", "make lock", "true"][: 4 if works else 3]
    if not works:
        state = tasks_of(tmp_path)["B"]
        assert state.reason is Reason.MERGE_CONFLICT
        assert state.kept


@pytest.mark.parametrize(
    ("files", "lines"),
    [
        (["package-lock.json"], ["npm i"]),
        (["web/package-lock.json", "gen/a/b.py"], ["npm i", "make gen"]),
        (["package-lock.json", "src/a.py"], []),
        (["src/gen/a.py"], []),
    ],
)
def test_which_command_makes_a_file_again(files: list[str], lines: list[str]) -> None:
    """All files of the conflict must have one."""
    assert generators({"package-lock.json": "npm i", "gen/**": "make gen"}, files) == lines


def test_trees_stay_where_they_were_made(tmp_path: Path) -> None:
    """Another folder in the settings is for the next run that begins."""
    repo = FakeRepo({"f": "1"})
    engine, workers = engine_on(tmp_path, repo, rows=[("A", "-"), ("B", "A")], trees=str(tmp_path / "one"))
    on(engine, EventKind.TASK_QUEUED, "A", engine.stop)
    engine.run()
    engine, again = engine_on(tmp_path, repo, rows=None, trees=str(tmp_path / "two"))
    assert engine.run().exit_code == 0
    assert {Path(job.cwd).parent for job in again.jobs} == {Path(workers.jobs[0].cwd).parent}
