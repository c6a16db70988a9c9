"""The folder a command works in: that of the project around the user's folder; and the user's paths, seen from it."""

from __future__ import annotations

import os
import stat
from typing import Annotated, Any

import typer

from nova_core.errors import EnvironmentProblem

MARKS = (".nova", "cascade_state.json", "nova.yaml", "nova.yml", "CASCADE.md")
_STARTS_HERE = {"demo", "init"}  # commands that make a project of the current folder
_moved: list[str] = []  # the user's folder, seen from the project's; empty if these are the same


def enter(context: typer.Context, directory: str | None) -> str | None:
    """Change into `directory` before anything is read, like `make -C`; without one, to the project around this folder.

    Raises `EnvironmentProblem` for a folder that cannot be entered.
    """
    is_group = hasattr(context.command, "commands")
    if directory:
        change_to(directory)
    if not is_group:
        _moved.clear()
        before = context.parent.params.get("directory") if context.parent else None
        if not (directory or before or context.info_name in _STARTS_HERE):
            go_to_project(quietly=context.resilient_parsing)
    return directory


def change_to(directory: str) -> None:
    """Make it the current directory."""
    try:
        os.chdir(directory)
    except OSError as error:
        from nova_core.text import clean

        raise EnvironmentProblem(
            f"cannot change to {clean(directory)}: {error.strerror}", hint="name the folder of a project with -C"
        ) from None


def go_to_project(*, quietly: bool) -> None:
    """Change to the project that holds the current directory, if it is above, and say so unless `quietly`."""
    try:
        here = os.getcwd()
    except OSError:  # it was deleted; the command reports it
        return
    found = project_above(here, os.path.expanduser("~"))
    if found is None:
        return
    change_to(found)
    _moved.append(os.path.relpath(here, found))
    if not quietly:
        from nova_core.cli.output import note
        from nova_core.text import clean

        note(f"nova: using the project in {clean(found)}")


def project_above(folder: str, home: str) -> str | None:
    """The nearest folder above `folder` that is a project; None if `folder` is one itself, or there is none.

    As with git, the search ends at the top of a repository or a file system. It also ends at the home directory, and
    before folders of other users or that others may write to, because a plan is a list of commands to run.
    """
    if is_project(folder):
        return None
    here = folder
    while not os.path.lexists(os.path.join(here, ".git")):
        above = os.path.dirname(here)
        if above == here or os.path.realpath(above) == os.path.realpath(home) or not is_trusted(above, here):
            return None
        if is_project(above):
            return above
        here = above
    return None


def is_project(folder: str) -> bool:
    """Returns True if Nova has worked in the folder, or it has a plan or settings."""
    return any(os.path.lexists(os.path.join(folder, mark)) for mark in MARKS)


def is_trusted(above: str, below: str) -> bool:
    """Returns True if only this user can have put a project into `above`, and it is on the file system of `below`."""
    try:
        found, device = os.stat(above), os.stat(below).st_dev
    except OSError:
        return False
    mine = found.st_uid in (os.geteuid(), int(os.environ.get("SUDO_UID") or os.geteuid()))
    return mine and found.st_dev == device and not found.st_mode & (stat.S_IWOTH | stat.S_ISVTX)


def from_user(value: Any) -> Any:
    """A path, or a list of paths, that the user gave: seen from the folder in which the command works."""
    if value is None or not _moved:
        return value
    if isinstance(value, list):
        return [from_user(path) for path in value]
    if str(value) in ("", "-"):
        return value
    return type(value)(os.path.normpath(os.path.join(_moved[0], value)))


def to_user(path: str) -> str:
    """The same path as the user would type it."""
    return os.path.relpath(path, _moved[0]) if _moved and not os.path.isabs(path) else path


Directory = Annotated[
    str | None,
    typer.Option(
        "-C", "--directory", metavar="DIR", help="Work in DIR instead of here.", callback=enter, is_eager=True
    ),
]
