"""Words about merging: what a conflict is, where the work is, and what a person can do. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from nova_core.isolation.values import name_of
from nova_core.model import is_safe_id
from nova_core.state.git_run import GitRun
from nova_core.state.schema import Reason, TaskState, TaskStatus
from nova_core.text import clean, number_of

MOST_FILES = 10
_HEADS = "refs/heads/"


def branch_of(git: GitRun) -> str:
    """The short name of the run's branch, such as `nova/1a2b3c4d`."""
    return git.ref.removeprefix(_HEADS)


def user_branch(git: GitRun) -> str:
    """The short name of the user's branch; empty for a detached HEAD."""
    return (git.branch or "").removeprefix(_HEADS)


def ref_of(git: GitRun, task_id: str) -> str:
    """The ref that holds the work of a task that is not merged; empty for an id that is not safe."""
    return f"refs/nova/{git.name}/{name_of(task_id)}" if is_safe_id(task_id) else ""


def in_conflict(task: TaskState) -> bool:
    """Returns True if the task's work could not be merged, and a person must decide."""
    return task.status is TaskStatus.FAILED and task.reason is Reason.MERGE_CONFLICT and bool(task.conflict)


def conflict_lines(task_id: str, task: TaskState, git: GitRun) -> list[str]:
    """Each file of a conflict with its kind, and where the work is kept."""
    shown = [f"  {clean(path)}: {clean(kind)}" for path, kind in list(task.conflict.items())[:MOST_FILES]]
    more = len(task.conflict) - MOST_FILES
    return [*shown, *([f"  and {more:,} more"] if more > 0 else []), f"its work is kept: {clean(ref_of(git, task_id))}"]


def conflict_steps(task_id: str, git: GitRun) -> list[str]:
    """The commands that settle a conflict, each with what it does."""
    import shlex

    name, ref, branch = clean(task_id), shlex.quote(ref_of(git, task_id)), shlex.quote(branch_of(git))
    back = shlex.quote(user_branch(git)) or "-"
    return [
        f"nova resolve {name} (puts both into one tree; edit there, then: nova resolve {name} --done)",
        f"git switch {branch} && git merge {ref} (with git alone; commit, then: git switch {back} && nova run)",
        f"nova retry {name} && nova run (does it again from what is merged now)",
        f"nova skip {name} (leaves it out)",
    ]


class DiffOf(msgspec.Struct, frozen=True):
    """Which commits show what a task changed: `what` says which work it is; an empty `commit` means its tree, now."""

    base: str
    commit: str
    what: str


def diff_of(task_id: str, task: TaskState, git: GitRun | None) -> DiffOf | None:
    """The commits that show what a task changed; None if there are none, as when all work in the user's folder.

    Nova makes one commit of each task's work, so the difference is that to its parent.
    """
    if task.status is TaskStatus.COMPLETED and task.commit_sha:
        base = f"{task.commit_sha}^" if task.merge else task.base_sha
        return DiffOf(base, task.commit_sha, "its commit") if base else None
    if git is None:
        return None
    if task.tree and task.base_sha and not task.taken and not in_conflict(task):
        return DiffOf(task.base_sha, "", "the files in its tree, not yet a commit")
    if task.taken and task.taken == task.base_sha:
        return None
    if task.taken or in_conflict(task):
        commit = task.taken or ref_of(git, task_id)
        return DiffOf(f"{commit}^", commit, "its work, not merged")
    if task.kept:
        return DiffOf(f"{task.kept[-1]}^", task.kept[-1], "what its last failed attempt left")
    return None


def kept_lines(task: TaskState) -> list[str]:
    """Where the work of failed attempts is."""
    if not task.kept:
        return []
    refs = ", ".join(map(clean, task.kept[-MOST_FILES:]))
    return [f"what {'its failed attempts' if len(task.kept) > 1 else 'a failed attempt'} left is kept: {refs}"]


def run_line(git: GitRun | None, tasks: Mapping[str, TaskState]) -> str:
    """`9 merged into main (nova/1a2b3c4d), 1 conflict (F3)`; empty for a run without trees of its own."""
    if git is None:
        return ""
    merged = sum(task.commit_sha is not None and task.merge == "merged" for task in tasks.values())
    stuck = [clean(i) for i, task in tasks.items() if in_conflict(task)]
    branch, home = clean(branch_of(git)), clean(user_branch(git))
    landed = home if home and git.landed == git.tip else ""
    where = f"{landed} ({branch})" if landed else branch
    parts = [f"{merged:,} merged into {where}"] if merged or not stuck else []
    if stuck:
        names = ", ".join(stuck[:MOST_FILES]) + (", ..." if len(stuck) > MOST_FILES else "")
        parts.append(f"{number_of(len(stuck), 'conflict')} ({names})")
    return ", ".join(parts)


def landing_lines(git: GitRun | None) -> list[str]:
    """What is merged and not in the user's branch, and how it gets there; nothing if all has landed."""
    if git is None or git.tip == git.landed:
        return []
    branch, home = clean(branch_of(git)), clean(user_branch(git)) or "your branch"
    why = f": {clean(git.waits)}" if git.waits else ""
    return [f"not yet in {home}{why}", f"  nova land, or: git merge {branch}"]
