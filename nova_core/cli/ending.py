"""The end of a run: the summary, the requested files, and the output for GitHub Actions."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

from nova_core.cli.choosing import with_plan
from nova_core.cli.files import log_tail, write_files
from nova_core.cli.output import OutputClosedError, note, out_json, out_lines, tell
from nova_core.console.summary import failed_tasks, summary, summary_object
from nova_core.errors import EnvironmentProblem
from nova_core.text import clean

if TYPE_CHECKING:
    from nova_core.cli.request import RunRequest
    from nova_core.files.project import Project
    from nova_core.runs.result import RunResult, Snapshot
    from nova_core.runs.worktime import WorkTime
    from nova_core.state.schema import State


def finish(snapshot: Snapshot, result: RunResult, request: RunRequest, *, as_json: bool) -> None:
    """Report the result in every requested form.

    A closed reader does not change the result of the run.
    """
    try:
        if as_json:
            out_json(summary_object(result))
        else:
            project = request.project
            time = work_time(project, snapshot.state)
            shown = with_reasons(snapshot, project)
            lines = summary(result, shown, time, lambda task_id: log_tail(project, task_id), request.selection)
            out_lines(with_plan(lines, project, clean(snapshot.state.project.cascade_file)))
        sys.stdout.flush()
    except (OutputClosedError, BrokenPipeError):
        from nova_core.cli.output import abandon_stdout

        abandon_stdout()
    write_files(request, snapshot, result)
    if "GITHUB_ACTIONS" in os.environ:
        tell_github(snapshot, result, request)


def with_reasons(snapshot: Snapshot, project: Project) -> Snapshot:
    """The snapshot to show: failed tasks with what they printed about it."""
    import msgspec

    from nova_core.console.last_words import explained

    return msgspec.structs.replace(snapshot, state=explained(snapshot.state, project.latest_log))


def work_time(project: Project, state: State) -> WorkTime:
    """The time the run spent working, from its history; without a readable history, from the state alone."""
    from nova_core.runs.worktime import WorkTime
    from nova_core.state.database import Database

    try:
        history = Database(project.database, read_only=True)
    except EnvironmentProblem:
        return WorkTime(tasks=state.tasks)
    with contextlib.closing(history):
        return WorkTime(history.spans(state.run.id), state.tasks)


def tell_github(snapshot: Snapshot, result: RunResult, request: RunRequest) -> None:
    """Mark failures at their lines of the plan and write the step's summary."""
    from nova_core.console.github import error_commands, step_summary

    lines = {task_id: task.line for task_id, task in snapshot.cascade.tasks.items()}
    for line in error_commands(failed_tasks(snapshot.state.tasks), from_workspace(request.plan), lines):
        tell(line)
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if path:
        try:
            with open(path, "a", encoding="utf-8") as file:
                file.write(step_summary(snapshot, result, lambda task_id: log_tail(request.project, task_id)))
        except OSError as error:
            note(f"nova: cannot write {clean(path)}: {error.strerror}")


def from_workspace(plan: str) -> str:
    """The plan's path relative to the repository, whose folder may be above the project's."""
    workspace = os.environ.get("GITHUB_WORKSPACE")
    path = os.path.relpath(os.path.realpath(plan), os.path.realpath(workspace)) if workspace else plan
    return plan if path.startswith("..") else path
