"""The words for what a task and a run are doing. Every face takes them from here, so that no two differ. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

from nova_core.clock import local_time
from nova_core.model import Task
from nova_core.state.run_clock import wait_left
from nova_core.state.schema import Reason, TaskState, TaskStatus
from nova_core.text import clean, duration, first_of

LOST = "lost"
CONFLICT = "conflict"
RATE_LIMITED = "rate limited"
TO_BE_CHECKED = "to be checked"
LEFT_UNCHECKED = "its command ended well; the next run checks its criteria"
MOST_CAUSES = 3
_OWN_WORDS = {Reason.LOST: LOST, Reason.MERGE_CONFLICT: CONFLICT}


def go_on_line(plan: str) -> str:
    """The command that continues the run of a plan."""
    if plan in ("", "CASCADE.md"):
        return "nova run"
    import shlex

    return f"nova run {shlex.quote(plan)}"


class Shown(StrEnum):
    """What a task is doing: one word for each state, finer than the four on disk."""

    @property
    def key(self) -> str:
        """The name of the state in JSON and in styles, which stays when the word changes."""
        return self.name.lower()

    WAITING = "waiting"
    READY = "ready"
    RUNNING = "running"
    VERIFYING = "checking"
    MERGING = "merging"
    ASKS = "asks"
    APPROVAL = "needs approval"
    RETRYING = "retrying"
    COMPLETED = "done"
    SKIPPED = "skipped"
    FAILED = "failed"
    CANCELLED = "cancelled"
    BLOCKED = "blocked"


class RunWord(StrEnum):
    """What a run is doing."""

    RUNNING = "running"
    PAUSED = "paused"
    FINISHED = "finished"
    FAILED = "failed"
    STOPPED = "stopped"
    NO_ENGINE = "no engine running"


# One cell each and no two alike: the meaning must not depend on a colour.
GLYPHS = {
    Shown.WAITING: "·", Shown.READY: "○", Shown.RUNNING: "▶", Shown.VERIFYING: "◎", Shown.MERGING: "⊞",
    Shown.APPROVAL: "◆", Shown.ASKS: "◇",
    Shown.RETRYING: "↻", Shown.COMPLETED: "✓", Shown.SKIPPED: "»", Shown.FAILED: "✗", Shown.CANCELLED: "⊘",
    Shown.BLOCKED: "■",
}  # fmt: skip
ASCII_GLYPHS = {
    Shown.WAITING: ".", Shown.READY: "o", Shown.RUNNING: ">", Shown.VERIFYING: "=", Shown.MERGING: "&",
    Shown.APPROVAL: "?", Shown.ASKS: "<",
    Shown.RETRYING: "~", Shown.COMPLETED: "+", Shown.SKIPPED: "-", Shown.FAILED: "x", Shown.CANCELLED: "/",
    Shown.BLOCKED: "#",
}  # fmt: skip
COUNTED = (
    Shown.RUNNING, Shown.VERIFYING, Shown.MERGING, Shown.ASKS, Shown.APPROVAL, Shown.FAILED, Shown.CANCELLED,
    Shown.BLOCKED, Shown.RETRYING, Shown.READY, Shown.WAITING, Shown.COMPLETED, Shown.SKIPPED,
)  # fmt: skip
"""The order in which tasks are counted."""
AT_WORK = (Shown.RUNNING, Shown.VERIFYING, Shown.ASKS)
"""States of tasks that have a worker, or a command that checks its work."""
STARTABLE = (Shown.READY, Shown.RETRYING, Shown.MERGING, *AT_WORK)
"""States from which an engine could continue; the last ones may have outlived their engine."""


def shown_status(state: TaskState, ready: bool) -> Shown:
    """What a task is doing; `ready` says that all its dependencies are completed."""
    if state.status == TaskStatus.COMPLETED:
        return Shown.SKIPPED if state.skipped else Shown.COMPLETED
    if state.status == TaskStatus.FAILED:
        return Shown.CANCELLED if state.was_cancelled else Shown.FAILED
    if state.awaits_approval:
        return Shown.APPROVAL
    if state.is_merging:
        return Shown.MERGING
    if state.is_unchecked:
        return Shown.READY
    if state.status == TaskStatus.IN_PROGRESS:
        if state.asks:
            return Shown.APPROVAL
        return Shown.VERIFYING if state.verifying else Shown.ASKS if state.awaits_answer else Shown.RUNNING
    if state.is_blocked:
        return Shown.BLOCKED
    if state.retry_at or state.waits_for:
        return Shown.RETRYING
    return Shown.READY if ready else Shown.WAITING


def word(state: TaskState, shown: Shown) -> str:
    """The word for a task: that of `shown`, or `lost`, `conflict`, `rate limited` or `to be checked`."""
    if shown is Shown.FAILED and state.reason in _OWN_WORDS:
        return _OWN_WORDS[state.reason]
    if shown is Shown.READY and state.is_unchecked:
        return TO_BE_CHECKED
    return RATE_LIMITED if shown is Shown.RETRYING and state.waits_for else shown.value


def phrase(state: TaskState, shown: Shown, now: float, turn: int = 0) -> str:
    """The word with what belongs to it: `blocked by F3`, `retrying in 40s`, `rate limited until 15:00`.

    `now` is seconds on the run's clock, `turn` the task's place in the queue of merges (from 1), if it is known.
    """
    said = word(state, shown)
    if shown is Shown.MERGING:
        return merge_step(state, turn)
    if shown is Shown.BLOCKED:
        if state.blocked_by:
            return f"{said} {by(state.blocked_by)}"
        return f"{said}: missing {clean(', '.join(state.missing[:MOST_CAUSES]))}"
    if shown is Shown.ASKS:
        return f"{said} `{clean(state.question or '')}`"
    if shown is Shown.APPROVAL and state.status == TaskStatus.PENDING:
        return f"{said} to start"
    if shown is Shown.APPROVAL and state.asks:
        return f"{said}: {clean(state.asks)}"
    if shown is Shown.RETRYING:
        return limited(state.retry_at, now) if state.waits_for else f"{said} {wait(state, now)}"
    return said


def merge_step(state: TaskState, turn: int = 0) -> str:
    """How far the merge of a task is: `in the queue (2nd)`, `merging` or `checking the merge`."""
    if state.merge == "checking" or state.verifying:
        return "checking the merge"
    if state.merge != "queued":
        return Shown.MERGING.value
    return f"in the queue ({ordinal(turn)})" if turn else "in the queue"


def ordinal(number: int) -> str:
    """`1st`, `2nd`, `11th`."""
    end = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number:,}{end}"


def turns(tasks: Mapping[str, TaskState]) -> dict[str, int]:
    """The place of each task in the queue of merges, from 1; the first is the one that is being merged."""
    found = sorted((state.merge == "queued", state.place, i) for i, state in tasks.items() if state.is_merging)
    return {task_id: at for at, (_, _, task_id) in enumerate(found, 1)}


def approval_note(task: Task, state: TaskState) -> str:
    """When a task that is not done will need approval; empty if it will not, or needs it now."""
    if not task.approval or state.is_over or state.awaits_approval:
        return ""
    if task.approval != "before":
        return "needs approval when its work is done"
    if state.status == TaskStatus.IN_PROGRESS:
        return ""
    return "approved to start" if state.approval == "approved" else "needs approval before it starts"


def limited(until: str | None, now: float) -> str:
    """`rate limited until 15:00`; without a time, for the rest of the run."""
    shown = local_time(until, now) if until else ""
    return f"{RATE_LIMITED} until {shown}" if shown else f"{RATE_LIMITED} for this run"


def wait(state: TaskState, now: float) -> str:
    """`in 40s`; `now` when the time is past or cannot be read."""
    seconds = wait_left(state.retry_due, state.retry_at, now) or 0.0
    return f"in {duration(seconds)}" if seconds > 0 else "now"


def by(causes: Sequence[str], most: int = MOST_CAUSES) -> str:
    """`by F1, F2 and 3 more`."""
    return f"by {clean(first_of(causes, most))}"


def count(number: int, shown: Shown) -> str:
    """`3 running`, `needs you 2`."""
    return f"needs you {number:,}" if shown is Shown.APPROVAL else f"{number:,} {shown.value}"


def tally(number: int, shown: Shown) -> str:
    """`running 3`, `needs you 2`: the word first, for a row of figures."""
    return f"{'needs you' if shown is Shown.APPROVAL else shown.value} {number:,}"


def counts(numbers: Mapping[Shown, int]) -> list[str]:
    """The counts that are not 0, in the order of `COUNTED`."""
    return [count(number, shown) for shown in COUNTED if (number := numbers.get(shown, 0))]


def counts_text(numbers: Mapping[Shown, int]) -> str:
    """`3/10 done, 2 running, needs you 1, 1 failed`; skipped tasks count as done."""
    done = numbers.get(Shown.COMPLETED, 0) + numbers.get(Shown.SKIPPED, 0)
    over = (Shown.COMPLETED, Shown.SKIPPED)
    others: dict[Shown, int] = {shown: number for shown, number in numbers.items() if shown not in over}
    return ", ".join([f"{done:,}/{sum(numbers.values()):,} done", *counts(others)])


def failure_text(reason: object, error: object) -> str:
    """`reason: error` in one clean line, without repetition."""
    words, text = clean(str(reason or "")).replace("_", " "), clean(str(error or ""))
    if not words or words.removesuffix("s") in text.lower():  # `missing outputs` and `missing output: a.md`
        return text
    return f"{words}: {text}" if text else words


def run_word(
    *, engine: bool, paused: bool = False, finished: bool = False, failed: bool = False, stopped: bool = False
) -> RunWord:
    """What a run is doing. `finished`: all tasks are done. `failed`: some failed, and nothing else can start."""
    if engine:
        return RunWord.PAUSED if paused else RunWord.RUNNING
    if finished:
        return RunWord.FINISHED
    if stopped:
        return RunWord.STOPPED
    return RunWord.FAILED if failed else RunWord.NO_ENGINE
