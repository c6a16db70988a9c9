"""`nova diff`: what a task changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from nova_core.cli.choosing import PlanOf, chosen
from nova_core.cli.folder import from_user
from nova_core.cli.options import Directory, TaskId, check_ids, load_state
from nova_core.cli.output import coloured, columns, note, out, out_lines, painted
from nova_core.errors import UsageError

if TYPE_CHECKING:
    from nova_core.runs.patch import Patch

COLOURS = {"file": "bold", "head": "dim", "hunk": "blue", "added": "green", "removed": "red", "same": ""}

Files = Annotated[
    list[str] | None,
    typer.Argument(metavar="FILE...", help="Only these files.", show_default=False, callback=from_user),
]


def diff(
    task: TaskId,
    files: Files = None,
    stat: Annotated[bool, typer.Option("--stat", help="Only the files, with the number of lines.")] = False,
    raw: Annotated[bool, typer.Option("--raw", help="Print it unchanged, for git apply.")] = False,
    plan: PlanOf = None,
    directory: Directory = None,
) -> int:
    """Show what a task changed.

    That is its commit; while it runs, the files in its tree; after a failure or a conflict, the work that was kept.
    Escape sequences are removed, unless you say --raw.

    \b
    Examples:  nova diff F3
               nova diff F3 --stat
               nova diff F3 src/app.py
               nova diff F3 --raw | git apply
    """
    from nova_core.runs.merging import diff_of
    from nova_core.runs.patch import read_patch
    from nova_core.text import clean
    from nova_core.watch.task_diff import patch_text

    project = chosen(plan)
    state = load_state(project)
    check_ids([task], state.tasks, state)
    found = diff_of(task, state.tasks[task], state.run.git)
    if found is None:
        raise nothing_to_show(task, state.tasks[task].files_changed)
    text = patch_text(project.root, state.run.git, task, found, tuple(files or ()))
    if raw:
        print_raw(text)
        return 0
    patch = read_patch(text)
    note(f"{clean(task)}: {found.what}; {patch.total()}")
    out_lines(patch_lines(patch, stat=stat))
    return 0


def print_raw(text: str) -> None:
    """Print a patch as it is."""
    if text:
        out(text.removesuffix("\n"))


def nothing_to_show(task: str, files: tuple[str, ...]) -> UsageError:
    """Why there is no difference to show for a task."""
    from nova_core.text import clean, first_of

    if files:
        seen = f"git diff -- {clean(first_of(files, 3))}"
        return UsageError(f"{clean(task)} has no commit; it changed files in your folder", hint=f"see {seen}")
    return UsageError(f"{clean(task)} has no commit to show", hint=f"see what it did with nova logs {clean(task)}")


def patch_lines(patch: Patch, *, stat: bool) -> list[str]:
    """The lines of a patch, with colours if they are on; with `stat` only its files with their counts."""
    from nova_core.runs.patch import stat_rows

    if stat:
        return columns(stat_rows(patch.files))
    if not coloured():
        return [line.text for line in patch.lines]
    return [painted(line.text, COLOURS[line.kind]) for line in patch.lines]
