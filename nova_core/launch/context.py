"""What a task's agent is given besides its task: by its dependencies, and by its own failed attempts."""

from __future__ import annotations

from collections.abc import Callable, Collection

from nova_core.files.plain_file import end_of
from nova_core.files.project import Project, check_log_name
from nova_core.launch.feedback import Printed, feedback
from nova_core.launch.prompt import Briefing, Done
from nova_core.model import Task
from nova_core.state.schema import PastAttempt, Reason, TaskState

_END = 16_000  # bytes of a log that are read; a part of them is quoted
_PRINTS_NOTHING = frozenset({Reason.REJECTED, Reason.MISSING_OUTPUTS, Reason.CANCELLED, Reason.LOST})


def briefing(
    project: Project, task: Task, state_of: Callable[[str], TaskState], name_of: Callable[[str], str],
    ids: Collection[str], *, learns: bool = True, afresh: bool = False,
) -> Briefing:  # fmt: skip
    """Returns what the agent of `task` is given now; `ids` are all tasks of the plan.

    Without `learns`, its own past is left out. `afresh`: it begins without what its failed attempts changed.
    """
    done = tuple(_done(task_id, name_of(task_id), state_of(task_id)) for task_id in task.depends_on)
    state = state_of(task.id)
    return Briefing(
        done, feedback(state, _printed(project, task, state, ids), afresh=afresh) if learns else "", state.error or ""
    )


def _done(task_id: str, name: str, state: TaskState) -> Done:
    return Done(task_id, name, state.files_changed, state.commit_sha, state.handoff)


def _printed(project: Project, task: Task, state: TaskState, ids: Collection[str]) -> Printed | None:
    """Returns the end of the log that shows the last failure; None if no log does."""
    if not state.past:
        return None
    path = _log_of(project, task, state, state.past[-1], ids)
    if path is None:
        return None
    try:
        text = end_of(project.log_dir / path, _END).decode("utf-8", "replace")
    except OSError:
        return None
    return Printed(f"{project.logs}/{path}", text)


def _log_of(project: Project, task: Task, state: TaskState, last: PastAttempt, ids: Collection[str]) -> str | None:
    if last.check:
        return check_log_name(task.id, last.check, ids)
    if last.said or last.reason in _PRINTS_NOTHING:
        return None
    return str(project.attempt_log(task.id, last.attempt, state.attempt, ids).relative_to(project.log_dir))
