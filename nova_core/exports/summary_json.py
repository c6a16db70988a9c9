"""`summary.json`: one run in one JSON document, for other programs. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from nova_core.model import Task, TokenUsage
from nova_core.runs.merging import Overlap, branch_of, overlaps, user_branch
from nova_core.runs.result import Counts, Outcome, RunResult, Snapshot
from nova_core.runs.rollup import told
from nova_core.state.git_run import GitRun
from nova_core.state.schema import Reason, TaskState, TaskStatus, schema_of

SUMMARY_VERSION = 1


class Criteria(msgspec.Struct, frozen=True):
    """How many of a task's criteria there are, and how many a command has proved."""

    met: int
    total: int


class TaskSummary(msgspec.Struct, frozen=True):
    """One task of the plan. `seconds` is its last attempt's; tokens and cost are of all attempts; `log` is a path.

    `merge` is how far the work of a task in a tree of its own is merged: queued, merging, checking, conflict, merged.
    """

    id: str
    name: str
    status: TaskStatus
    reason: Reason | None
    error: str | None
    attempts: int
    started_at: str | None
    ended_at: str | None
    seconds: float
    agent: str | None
    model: str | None
    tokens: TokenUsage
    cost_usd: float | None
    estimated: bool
    criteria: Criteria
    blocked_by: tuple[str, ...]
    skipped: bool
    waiting_approval: bool
    log: str | None
    commit_sha: str | None
    merge: str | None


class Landed(msgspec.Struct, frozen=True):
    """Where the merged work is, if tasks had trees of their own: `branch` is the run's, `landed` says that the user's
    branch `into` has all of it. `waits_for` is why it does not, if something is in the way."""

    branch: str
    into: str
    tip: str
    landed: bool
    waits_for: str


class Summary(msgspec.Struct, frozen=True):
    """The document. Times are ISO 8601 UTC, those of the run are of its last start; `milestones` are ids."""

    version: int
    run: str
    name: str
    plan: str
    started_at: str
    ended_at: str
    wall_seconds: float
    task_seconds: float
    exit_code: int
    outcome: Outcome
    counts: Counts
    tokens: TokenUsage
    cost_usd: float | None
    unpriced: bool
    estimated: bool
    milestones: tuple[str, ...]
    tasks: tuple[TaskSummary, ...]
    git: Landed | None
    overlaps: tuple[Overlap, ...]


def summary_of(snapshot: Snapshot, result: RunResult, logs: str = "logs") -> Summary:
    """The document of a finished run; `logs` is the path of its log folder."""
    state, plan = snapshot.state, snapshot.cascade.tasks
    return Summary(
        version=SUMMARY_VERSION, run=state.run.id, name=snapshot.cascade.name, plan=state.project.cascade_file,
        started_at=result.started_at, ended_at=result.ended_at, wall_seconds=round(result.wall_seconds, 3),
        task_seconds=round(result.task_seconds, 3), exit_code=result.exit_code, outcome=result.outcome,
        counts=Counts(**{name: getattr(result, name) for name in Counts.__struct_fields__}),
        tokens=result.tokens, cost_usd=result.cost_usd, unpriced=result.unpriced, estimated=result.estimated,
        milestones=state.run.milestones,
        tasks=tuple(_task(plan[i], task, logs) for i, task in told(plan, state.tasks).items()),
        git=_landed(state.run.git), overlaps=tuple(overlaps(snapshot.cascade, state.tasks)),
    )  # fmt: skip


def _landed(git: GitRun | None) -> Landed | None:
    if git is None:
        return None
    return Landed(branch_of(git), user_branch(git), git.tip, git.tip == git.landed, git.waits)


def _task(task: Task, state: TaskState, logs: str) -> TaskSummary:
    return TaskSummary(
        id=task.id, name=task.name, status=state.status, reason=state.reason, error=state.error,
        attempts=state.attempt, started_at=state.started_at, ended_at=state.completed_at, seconds=state.elapsed,
        agent=state.agent, model=state.model, tokens=state.token_usage, cost_usd=state.cost_usd,
        estimated=state.estimated, criteria=Criteria(len(state.criteria_met), len(task.criteria)),
        blocked_by=state.blocked_by, skipped=state.skipped, waiting_approval=state.awaits_approval,
        log=f"{logs}/{state.log}" if state.log else None, commit_sha=state.commit_sha, merge=state.merge,
    )  # fmt: skip


def summary_schema() -> dict[str, Any]:
    """The JSON Schema of the document (docs/summary.schema.json): every field is always present."""
    schema = schema_of(Summary, "summary.json")
    schema["$defs"]["Summary"]["properties"]["version"] = {"const": SUMMARY_VERSION}
    return schema
