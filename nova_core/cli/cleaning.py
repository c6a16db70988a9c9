"""`nova clean`: lists what runs have left in git, and removes it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from nova_core.cli.choosing import all_places
from nova_core.cli.options import Directory, here, load_state
from nova_core.cli.output import note, out, out_lines
from nova_core.errors import NovaError, UsageError

if TYPE_CHECKING:
    from nova_core.watch.leftovers import Cleaning, Saved

Runs = Annotated[
    list[str] | None,
    typer.Argument(metavar="RUN...", help="Only these runs, such as 1a2b3c4d.", show_default=False),
]


def clean(
    runs: Runs = None,
    force: Annotated[bool, typer.Option("--force", help="Also remove trees and kept work.")] = False,
    directory: Directory = None,
) -> int:
    """List and remove what runs have left in git.

    Shows the branches, trees and refs of all runs in this repository, with their sizes. What is merged into your branch
    is removed; trees and kept work of failed attempts only with --force. A branch with work that has not landed is
    removed only if you name its run, too. A run that is running, or whose workers still run, is never touched.

    \b
    Examples:  nova clean
               nova clean --force
               nova clean 1a2b3c4d --force
    """
    from nova_core.config import load_config
    from nova_core.isolation import look
    from nova_core.watch.leftovers import Cleaning
    from nova_core.watch.task_diff import surveyed

    trees = load_config(None, environ=os.environ).git.trees
    found = surveyed(here().root)
    saved = saved_runs()
    left = look.leftovers(found, trees, {run: one.trees for run, one in saved.items() if one.trees})
    known = {one.run for one in left}
    wanted = {name.removeprefix("nova/") for name in runs or ()}
    if unknown := wanted - known:
        raise UsageError(f"no run {min(unknown)} has left anything", hint="list them with nova clean")
    if not left:
        out("nothing is left of any run")
        return 0
    chosen = [Cleaning(found, one, saved.get(one.run)) for one in left if not wanted or one.run in wanted]
    for one in chosen:
        clean_one(one, force=force, is_named=bool(wanted))
    for hint in dict.fromkeys(hint for one in chosen for hint in one.hints(force=force)):
        note(f"hint: {hint}")
    return 0


def clean_one(one: Cleaning, *, force: bool, is_named: bool) -> None:
    """Remove what may go of a run, and say what that is."""
    from nova_core.text import clean as cleaned

    out_lines(one.described())
    try:
        removed, kept = one.remove(force=force, is_named=is_named)
    except (NovaError, OSError) as error:
        hint = getattr(error, "hint", None)
        out(f"  kept: {cleaned(str(error))}" + (f" ({cleaned(hint)})" if hint else ""))
        return
    if removed:
        out(f"  removed: {removed}" if kept else "  removed")
    if kept:
        out(f"  kept: {kept}")


def saved_runs() -> dict[str, Saved]:
    """The saved runs of this folder, by their short names."""
    from nova_core.watch.leftovers import Saved

    found = {}
    for project in all_places():
        try:
            state = load_state(project)
        except (NovaError, OSError):
            continue
        if state.run.git is not None:
            found[state.run.git.name] = Saved(project, state)
    return found
