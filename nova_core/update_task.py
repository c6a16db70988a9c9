"""`python -m nova_core.update_task TASK_ID`: report on a task by its id, from a worker or by hand in the project.

Inside a worker it is `nova report`. By hand, it sends the report to the live engine or, if none runs, edits the saved
state.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from nova_core.report import (
    ENVIRONMENT,
    OPTIONS,
    TEXT,
    ReportError,
    complain,
    deliver,
    from_worker,
    printable,
    read_options,
)

if TYPE_CHECKING:
    from nova_core.files.project import Project
    from nova_core.state.manager import StateManager

STATUSES = ("in_progress", "completed", "failed")
ALL_OPTIONS = {
    **OPTIONS,
    "--status": ("status", TEXT),
    "--current-step": ("step", TEXT),
    "--error": ("error", TEXT),
    "--plan": ("plan", TEXT),
}
HELP = """\
usage: python -m nova_core.update_task TASK_ID [OPTIONS]

Report the progress of a task to Nova. In a worker this is `nova report`; by hand, run it in the project's directory.

options:
  --status STATUS             in_progress, completed or failed; only without a live engine, which else decides itself
  --plan PLAN                 the plan, if several plans that have run here have the task
  --step TEXT                 what is being done now (also --current-step)
  --error TEXT                why it failed, with --status failed
  --percent, --criterion, --input-tokens, --output-tokens, --cache-read-tokens, --cache-creation-tokens, --file,
  --message                   as in `nova report --help`
"""


def update(task_id: str, fields: dict[str, object]) -> None:
    """Send the report to the engine or write it into the saved state. Raises `ReportError`."""
    environ = os.environ
    if all(environ.get(name) for name in ENVIRONMENT) and environ["NOVA_TASK_ID"] == task_id:
        deliver(environ["NOVA_INBOX"], from_worker(fields))
        return
    from nova_core.files.lock import engine_alive
    from nova_core.files.own_task import require_person

    project = project_with(task_id, fields.pop("plan", None))
    require_person(project)
    if engine_alive(project.lock_file):
        tell_engine(project, task_id, fields)
    else:
        edit_state(project, task_id, fields)


def project_with(task_id: str, plan: object) -> Project:
    """The project, at the place of `plan`, or of the only plan that has the task. Raises `ReportError`."""
    from pathlib import Path

    from nova_core.files.lock import engine_alive
    from nova_core.files.project import Project
    from nova_core.places import places_in

    project = Project(Path.cwd())
    if not project.plans_dir.exists():
        return project
    found = {place.plan: own for own, place in places_in(project.root) if has(own, task_id)}
    if plan is not None:
        found = {name: own for name, own in found.items() if name == plan}
    if len(found) > 1:
        found = {plan: own for plan, own in found.items() if engine_alive(own.lock_file)} or found
    if len(found) > 1:
        said = f"several plans have the task {printable(task_id)}: {printable(', '.join(found))}"
        raise ReportError(said, "choose one with --plan PLAN")
    return next(iter(found.values()), project)


def has(project: Project, task_id: str) -> bool:
    """Returns True if the state at this place has the task."""
    from nova_core.errors import StateError
    from nova_core.state.manager import StateManager

    try:
        return task_id in StateManager(project.state_file).load().tasks
    except (OSError, StateError):
        return False


def tell_engine(project: Project, task_id: str, fields: dict[str, object]) -> None:
    """Send the live engine a report with the token of the running attempt, which the project's key gives."""
    from nova_core.files.inbox import attempt_token, read_secret

    state = manager_of(project, task_id).load()
    if "status" in fields:
        sys.stderr.write("update_task: the running engine decides how the task ends; --status has no effect\n")
    run, attempt = state.run.id, state.tasks[task_id].attempt
    token = attempt_token(read_secret(project.secret_file), run, task_id, attempt)
    whose = {"kind": "report", "run": run, "task": task_id, "attempt": attempt, "token": token}
    deliver(str(project.inbox_dir), {**whose, **fields})


def manager_of(project: Project, task_id: str) -> StateManager:
    """The project's state. Raises `ReportError` if it does not hold the task."""
    from nova_core.state.manager import StateManager

    manager = StateManager(project.state_file)
    try:
        known = task_id in manager.load().tasks
    except FileNotFoundError:
        raise ReportError("there is no cascade_state.json here", "run it in the project's directory") from None
    if not known:
        raise ReportError(f"there is no task {printable(task_id)}", "list the tasks with nova status")
    return manager


def edit_state(project: Project, task_id: str, fields: dict[str, object]) -> None:
    """Write the given fields into the saved state. No engine may be running."""
    import time

    from nova_core.clock import iso
    from nova_core.state.schema import TaskStatus

    manager = manager_of(project, task_id)
    now = iso(time.time())
    status = fields.get("status")
    step = fields.get("step")
    tokens = fields.get("tokens")
    if isinstance(step, str):
        manager.update_task(task_id, current_step=step)
    if isinstance(tokens, Mapping):
        manager.update_task_tokens(task_id, **tokens)
    if status == "in_progress":
        manager.update_task(task_id, status=TaskStatus.IN_PROGRESS, started_at=now)
    elif status == "completed":
        files = fields.get("files")
        manager.complete_task(task_id, completed_at=now, files_changed=files if isinstance(files, list) else None)
    elif status == "failed":
        manager.fail_task(
            task_id, error=str(fields.get("error") or fields.get("message") or "marked as failed by a person")
        )


def read(arguments: list[str]) -> tuple[str, dict[str, object]]:
    """The task id and the fields of the report."""
    fields, words = read_options(arguments, ALL_OPTIONS)
    if len(words) != 1:
        raise ReportError("name one task", "python -m nova_core.update_task TASK_ID --step TEXT")
    if fields.get("status") not in (None, *STATUSES):
        raise ReportError(f"--status: {printable(str(fields['status']))} is none of {', '.join(STATUSES)}")
    if not fields:
        raise ReportError("nothing to report", "list the options with `--help`")
    return words[0], fields


def main(arguments: list[str]) -> int:
    """Run the update; return 0, 2 (usage) or 8 (the state or the inbox cannot be used)."""
    from nova_core.errors import NovaError, UsageError

    if "-h" in arguments or "--help" in arguments:
        sys.stdout.write(HELP)
        return 0
    try:
        update(*read(arguments))
    except ReportError as error:
        return complain(error)
    except (NovaError, OSError) as error:
        sys.stderr.write(f"update_task: {printable(str(error))}\n")
        return 2 if isinstance(error, UsageError) else 8
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
