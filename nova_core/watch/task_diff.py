"""The difference that a task made, as a patch: read from the run's repository."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nova_core.errors import EnvironmentProblem
from nova_core.isolation.values import Place, Survey

if TYPE_CHECKING:
    from nova_core.runs.merging import DiffOf
    from nova_core.state.git_run import GitRun


def surveyed(root: str | Path) -> Survey:
    """The repository of the project's folder. Raises `EnvironmentProblem` if there is none that can be used."""
    from nova_core.isolation.survey import survey

    found = survey(root)
    if found.problem:
        raise EnvironmentProblem(found.problem, hint="check the repository with nova doctor")
    return found


def place_of(found: Survey, git: GitRun | None) -> Place:
    """Where a run keeps its work."""
    name, ref = (git.name, git.ref) if git else ("", "")
    trees = f"{git.trees}/{git.name}" if git else ""
    return Place(found.git_dir, found.common, found.top, found.prefix, name, ref, trees)


def patch_text(root: str | Path, git: GitRun | None, task_id: str, wanted: DiffOf, files: tuple[str, ...] = ()) -> str:
    """The patch, as git prints it: not safe for a terminal. Raises `EnvironmentProblem` if git cannot show it."""
    from nova_core.isolation import look

    place = place_of(surveyed(root), git)
    if not wanted.commit:
        return look.tree_diff(place, task_id, wanted.base)
    return look.diff(place, wanted.base, wanted.commit, files)
