"""Words about merging: what a conflict is, where the work is, and what a person can do. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from nova_core.model import is_safe_id
from nova_core.state.git_run import GitRun
from nova_core.state.schema import Reason, TaskState, TaskStatus
from nova_core.text import clean, first_of, number_of

if TYPE_CHECKING:
    from nova_core.parser.cascade import Cascade

MOST_FILES = 10
MOST_OVERLAPS, MOST_TASKS = 5, 5
_HEADS = "refs/heads/"
IN_THE_WAY, CHANGED_SAME = "files of yours are in the way", "commits of yours changed the same"


def branch_of(git: GitRun) -> str:
    """The short name of the run's branch, such as `nova/1a2b3c4d`."""
    return git.ref.removeprefix(_HEADS)


def user_branch(git: GitRun) -> str:
    """The short name of the user's branch; empty for a detached HEAD."""
    return (git.branch or "").removeprefix(_HEADS)


def ref_of(git: GitRun, task_id: str) -> str:
    """The ref that holds the work of a task that is not merged; empty for an id that is not safe."""
    from nova_core.isolation.values import name_of  # `nova status` of a run without trees starts faster

    return f"refs/nova/{git.name}/{name_of(task_id)}" if is_safe_id(task_id) else ""


def in_conflict(task: TaskState) -> bool:
    """Returns True if the task's work could not be merged, and a person must decide."""
    return task.status is TaskStatus.FAILED and task.reason is Reason.MERGE_CONFLICT and bool(task.conflict)


def conflict_lines(task_id: str, task: TaskState, git: GitRun) -> list[str]:
    """Each file of a conflict with its kind, and where the work is kept."""
    return [*first_lines(task.conflict), f"its work is kept: {clean(ref_of(git, task_id))}"]


def first_lines(files: Mapping[str, str]) -> list[str]:
    """The first files of a conflict by their kinds, each with what has happened and what settles it."""
    from nova_core.isolation.kinds import meaning, to_do

    shown, more = list(files.items())[:MOST_FILES], len(files) - MOST_FILES
    lines = [f"  {clean(path)}: {clean(kind)}: {meaning(kind)}; {to_do(kind, path)}" for path, kind in shown]
    return [*lines, f"  and {more:,} more"] if more > 0 else lines


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


class Overlap(msgspec.Struct, frozen=True):
    """A file that several tasks changed, of which at least two could run at the same time."""

    path: str
    tasks: tuple[str, ...]


def overlaps(cascade: Cascade, tasks: Mapping[str, TaskState]) -> list[Overlap]:
    """The files that tasks in trees of their own really changed side by side, also those in conflict; by path.

    Without trees, it is unknown whose change a file is.
    """
    changed: dict[str, list[str]] = {}
    for task_id, task in tasks.items():
        if task_id in cascade.tasks and (task.merge == "merged" or in_conflict(task)):
            for path in dict.fromkeys((*task.files_changed, *task.conflict)):
                changed.setdefault(path, []).append(task_id)
    shared = {path: ids for path, ids in sorted(changed.items()) if len(ids) > 1}
    if not shared:
        return []
    from nova_core.plan.side_by_side import SideBySide

    apart = SideBySide(cascade)
    return [Overlap(path, tuple(ids)) for path, ids in shared.items() if next(apart.pairs(ids), None)]


def overlap_lines(found: Sequence[Overlap]) -> list[str]:
    """What tasks changed side by side, in one line; nothing if they did not."""
    if not found:
        return []
    names = [f"{clean(one.path)} ({clean(first_of(one.tasks, MOST_TASKS))})" for one in found]
    return [f"changed side by side: {first_of(names, MOST_OVERLAPS)}"]


def landing_lines(git: GitRun | None) -> list[str]:
    """What is merged and not in the user's branch, and how it gets there; nothing if all has landed."""
    if git is None or git.tip == git.landed:
        return []
    home = clean(user_branch(git)) or "your branch"
    why = f": {clean(git.waits)}" if git.waits else ""
    return [f"not landed: the work is not yet in {home}{why}", f"  {landing_step(git, git.waits)}"]


def landing_step(git: GitRun, why: str) -> str:
    """What a person does so that the run's branch lands, which did not because of `why`."""
    import shlex

    branch, home = shlex.quote(clean(branch_of(git))), shlex.quote(clean(user_branch(git)))
    if not user_branch(git):
        return f"git switch to a branch, then: git merge {branch}"
    steps = {
        IN_THE_WAY: "commit these files or move them away, then: nova land",
        CHANGED_SAME: f"git merge {branch} (settle the conflict in the files and commit), then: nova land",
        "conflicts of yours": "resolve these files and git add them, then: nova land",
        "your folder is on": f"git switch {home}, then: nova land",
        "you are in the middle of": "finish or abort that, then: nova land",
    }
    return next((step for start, step in steps.items() if why.startswith(start)), f"nova land, or: git merge {branch}")
