"""The state of each task and of the project, as stored in `cascade_state.json`."""

import inspect
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from typing import Any, TypeVar

import msgspec

from nova_core.model import Moment, Real, TokenUsage, Whole
from nova_core.state.git_run import GitRun

SCHEMA_VERSION = 1
NEEDED = "needed"  # in TaskState.approval: whatever the plan says, a person must look at the work
_S = TypeVar("_S", bound=msgspec.Struct)


class TaskStatus(StrEnum):
    """The four states on disk; finer states (blocked, retrying, needs approval) follow from other fields."""

    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"


class Reason(StrEnum):
    """Why a task failed, so that programs need not parse `error`."""

    EXIT_CODE = "exit_code"
    SIGNAL = "signal"
    TIMEOUT = "timeout"
    IDLE_TIMEOUT = "idle_timeout"
    MISSING_OUTPUTS = "missing_outputs"
    CHECK_FAILED = "check_failed"
    AGENT_ERROR = "agent_error"
    RATE_LIMITED = "rate_limited"
    BUDGET = "budget"
    SPAWN_ERROR = "spawn_error"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    LOST = "lost"
    MERGE_CONFLICT = "merge_conflict"
    NOT_TAKEN = "not_taken"


class PastAttempt(msgspec.Struct, frozen=True):
    """A failed attempt, as the next one learns of it; texts are cut.

    `model` is the one that was asked for; `check` is the number of the criterion that was not met, 0 for none. `steps`,
    `files` and `said` are the last steps of its agent, the files it changed and its last message; `note` is what a
    person had written for it. Two attempts with the same `mark` failed for the same reason.
    """

    attempt: Whole = 0
    reason: Reason | None = None
    error: str = ""
    agent: str | None = None
    model: str | None = None
    verdict: str | None = None
    check: Whole = 0
    steps: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    said: str = ""
    note: str = ""
    mark: str = ""


class Hold(msgspec.Struct, frozen=True):
    """Why a provider is held, and until when (ISO 8601; None: for the rest of the run).

    `due` is the same time on the run's clock, which decides. The hold is for all agents of the provider, or only for
    those with one of `models`; `agents` are those that have met it without a model of their own.
    """

    until: str | None
    reason: str
    tries: Whole = 1
    due: Moment | None = None
    models: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()


class Window(msgspec.Struct, frozen=True):
    """How much of a provider's limit was used when it was reported last: from 0 to 1; None: unknown.

    `resets_at` is when the next one begins, in ISO 8601.
    """

    used: Real | None = None
    resets_at: str | None = None


class RunClock(msgspec.Struct, frozen=True):
    """The clock of a run: in the boot `boot` it shows the seconds since the machine started, plus `offset`.

    See `nova_core.state.run_clock`.
    """

    boot: str
    offset: Moment


class TaskState(msgspec.Struct, frozen=True):
    """The state of one task. The first eleven fields are the published schema; Nova added the others.

    `duration_seconds` is in whole seconds, as that schema says; `elapsed` is exact. `attempt` counts from 1, 0 means
    never started; `failures` counts failed attempts since the last reset. `approval` is "waiting", "approved",
    "needed" (the work is such that a person must look at it) or None: a pending task waits for it before it starts, a
    task in progress after its work. `asks` is a permission that its
    agent waits for while it works, in words.
    `estimated` means that tokens and cost are uncertain. `session_id` is the agent's session, `session_usage` the
    tokens it had used before the running attempt. `waits_for` is a provider that is held; `refusals` counts how often
    in a row a provider refused the task without stating a time, `overloads` how often it was overloaded. `handoff` is
    the note for tasks that depend on this one. `message_usd` is what its most expensive message cost, in US dollars.
    Of the latest attempt: `parser` reads its log (a name, or a /pattern/), `cap` is its highest cost in US dollars,
    `reported` the token counts it reported itself; `interrupted` means that it
    is ended only because the run ends. `missing` lists what a pending task lacks: inputs, or dependencies that the plan
    does not have. `settled` is the plan's mark on a task that needs no work, once it was applied. `began` is when the
    latest attempt started, and `retry_due` when the next one may, in seconds on the run's clock (`run.clock`), which
    does not jump when the system time is set. `past` are its last failed attempts, oldest first, until it is completed;
    `rung` is how far it has climbed on the ladder of agents and models. `wanted_agent`, `wanted_model` and `note` are
    what a person gave with its last `nova retry`. `terminal`: its latest attempt has a terminal; `question` is what
    that attempt asked and waits for, or got no answer to.
    Of a task with a tree of its own: `tree` is the tree's path while there is one, `taken` the commit that has its
    work, `merge` how far that is merged (queued, merging, checking, conflict, merged), `place` its number in the queue.
    `conflict` names the files in which `unmerged`, an earlier commit, could not be merged, each with the kind of its
    conflict; `resolves` counts the attempts to resolve one. `kept` are the refs of what failed attempts left.
    """

    status: TaskStatus = TaskStatus.PENDING
    worker_id: str | None = None
    pid: Whole | None = None
    started_at: str | None = None
    completed_at: str | None = None
    duration_seconds: Whole = 0
    current_step: str | None = None
    token_usage: TokenUsage = TokenUsage()
    error: str | None = None
    commit_sha: str | None = None
    files_changed: tuple[str, ...] = ()
    reason: Reason | None = None
    blocked_by: tuple[str, ...] = ()
    attempt: Whole = 0
    failures: Whole = 0
    elapsed: Real = 0.0
    progress: Whole | None = None
    approval: str | None = None
    verifying: bool = False
    skipped: bool = False
    retry_at: str | None = None
    exit_code: Whole | None = None
    signal: Whole | None = None
    log: str | None = None
    criteria_met: tuple[Whole, ...] = ()
    cost_usd: Real | None = None
    model: str | None = None
    base_sha: str | None = None
    fingerprint: str | None = None
    agent: str | None = None
    verdict: str | None = None
    estimated: bool = False
    cost_basis: str | None = None
    session_id: str | None = None
    session_usage: TokenUsage = TokenUsage()
    waits_for: str | None = None
    handoff: str | None = None
    missing: tuple[str, ...] = ()
    settled: str = ""
    refusals: Whole = 0
    overloads: Whole = 0
    parser: str | None = None
    cap: Real | None = None
    reported: dict[str, Whole] = {}
    interrupted: bool = False
    began: Moment | None = None
    retry_due: Moment | None = None
    past: tuple[PastAttempt, ...] = ()
    rung: Whole = 0
    wanted_agent: str | None = None
    wanted_model: str | None = None
    note: str | None = None
    message_usd: Real | None = None
    asks: str | None = None
    terminal: bool = False
    question: str | None = None
    tree: str | None = None
    taken: str | None = None
    merge: str | None = None
    place: Whole = 0
    conflict: dict[str, str] = {}
    unmerged: str | None = None
    resolves: Whole = 0
    kept: tuple[str, ...] = ()

    @property
    def is_running(self) -> bool:
        """True if a worker, or a command that checks its work, is running, or its criteria are left to the next run."""
        return self.status is TaskStatus.IN_PROGRESS and self.approval != "waiting" and self.merge is None

    @property
    def is_merging(self) -> bool:
        """True if its work is done, and waits for its merge or is being merged."""
        return self.status is TaskStatus.IN_PROGRESS and self.approval != "waiting" and self.merge is not None

    @property
    def is_unchecked(self) -> bool:
        """True if its command ended well and its run ended before the criteria were checked: the next run does that."""
        has_ended = self.exit_code is not None or self.signal is not None
        return self.is_running and self.interrupted and has_ended and not self.verifying

    @property
    def has_worker(self) -> bool:
        """True if a worker, or a command that checks its work, is running."""
        return self.is_running and not self.is_unchecked

    @property
    def awaits_approval(self) -> bool:
        """True if the task needs a person's approval: to start, or because its work is done."""
        return self.approval == "waiting" and not self.is_over

    @property
    def awaits_answer(self) -> bool:
        """True if its worker waits for an answer that a person can type."""
        return self.terminal and bool(self.question) and self.status is TaskStatus.IN_PROGRESS and not self.verifying

    @property
    def is_blocked(self) -> bool:
        """True if the task cannot start because a task before it failed, or because something is missing."""
        return self.status is TaskStatus.PENDING and bool(self.blocked_by or self.missing)

    @property
    def is_over(self) -> bool:
        """True if the task completed or failed."""
        return self.status is TaskStatus.COMPLETED or self.status is TaskStatus.FAILED

    @property
    def was_cancelled(self) -> bool:
        """True if the task failed because a person cancelled it."""
        return self.status is TaskStatus.FAILED and self.reason is Reason.CANCELLED


NEW = TaskState()  # a task without a recorded state

# Fields a task keeps between attempts; the others belong to one attempt. Tokens and cost are the task's.
_KEPT = {
    "status", "attempt", "failures", "refusals", "overloads", "worker_id", "started_at", "log", "agent", "model",
    "token_usage", "cost_usd", "cost_basis", "estimated", "session_id", "session_usage", "base_sha", "fingerprint",
    "settled", "began", "approval", "past", "rung", "wanted_agent", "wanted_model", "note",
    "message_usd", "tree", "conflict", "unmerged", "resolves", "kept",
}  # fmt: skip
# Patches: reset the fields of one attempt before the next, and reset a whole task, except what the next can learn from.
CLEARED: dict[str, Any] = {name: getattr(NEW, name) for name in TaskState.__struct_fields__ if name not in _KEPT}
RESET: dict[str, Any] = {**CLEARED, "status": TaskStatus.PENDING, "failures": 0, "refusals": 0, "overloads": 0}
RESET |= {
    **dict.fromkeys(("approval", "wanted_agent", "wanted_model", "note", "unmerged")),
    "conflict": {},
    "resolves": 0,
}
_LEARNED: dict[str, Any] = {"past": (), "rung": 0, "wanted_agent": None, "wanted_model": None, "note": None}


def unlearned(state: TaskState) -> dict[str, Any]:
    """Returns the patch with which a task that succeeds forgets its failed attempts; empty if there were none."""
    return {name: value for name, value in _LEARNED.items() if getattr(state, name) != value}


# How a task ended: another program must not change these fields while a worker runs.
OF_THE_END = frozenset({"status", "pid", "completed_at", "duration_seconds", "elapsed", "error", "reason"})


class ProjectState(msgspec.Struct, frozen=True):
    """The state of the project; the first four fields are the published schema."""

    name: str = ""
    cascade_file: str = ""
    started_at: str | None = None
    completed_at: str | None = None


class RunState(msgspec.Struct, frozen=True):
    """The run as a whole: its id, whether it is paused, which milestones have fired, which providers are held.

    `gone` holds completed tasks that left the plan: a task that returns is done already. `used_up` names completed
    tasks whose outputs went away during a run, because a later task moved or deleted them. `clock` relates the run's
    times to this machine's. `windows` are the limits that agents have reported, by provider and name (`five_hour`,
    `seven_day`). `git` is what it has in git, if its tasks work in trees of their own.
    `jobs` is the highest number of workers at once; 0 is unknown.
    """

    id: str = ""
    paused: bool = False
    milestones: tuple[str, ...] = ()
    quotas: dict[str, Hold] = {}
    gone: dict[str, TaskState] = {}
    used_up: tuple[str, ...] = ()
    clock: RunClock | None = None
    windows: dict[str, dict[str, Window]] = {}
    git: GitRun | None = None
    jobs: Whole = 0


class State(msgspec.Struct, frozen=True):
    """The content of `cascade_state.json`. `rev` is the number of its last event, `writes` counts its replacements."""

    version: int = SCHEMA_VERSION
    writes: Whole = 0
    rev: Whole = 0
    project: ProjectState = ProjectState()
    run: RunState = RunState()
    tasks: dict[str, TaskState] = {}


@cache
def _fields_of(struct: type[msgspec.Struct]) -> frozenset[str]:
    return frozenset(struct.__struct_fields__)


def patched(struct: _S, patch: Mapping[str, Any], from_json: bool) -> _S:
    """Returns the struct with those fields of the patch that it has; values from JSON are converted to their types."""
    fields = _fields_of(type(struct))
    known = {k: v for k, v in patch.items() if k in fields}
    if not known:
        return struct
    if from_json:
        return msgspec.convert({**msgspec.to_builtins(struct), **known}, type(struct))
    return msgspec.structs.replace(struct, **known)


def json_schema() -> dict[str, Any]:
    """Returns the JSON Schema of the state file (docs/cascade_state.schema.json): every field is always present."""
    return schema_of(State, "cascade_state.json")


def schema_of(struct: type[msgspec.Struct], title: str) -> dict[str, Any]:
    """Returns the JSON Schema of a document of this type, in which every field is always present.

    Descriptions are docstrings without indentation: Python 3.13 removes it; older versions and msgspec may keep it. The
    order of `anyOf` depends on the version of msgspec, too: here null is the last.
    """
    schema: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(msgspec.json.schema(struct)))
    for definition in schema["$defs"].values():
        if "properties" in definition:
            definition["required"] = list(definition["properties"])
            for field in definition["properties"].values():
                field.get("anyOf", []).sort(key=lambda kind: kind == {"type": "null"})
        if "description" in definition:
            definition["description"] = inspect.cleandoc(definition["description"])
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title, **schema}
