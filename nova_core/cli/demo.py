"""`nova demo`: runs the quickstart plan of the package in its own folder."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nova_core.cli.interface import Ascii, Theme, is_attended
from nova_core.cli.options import DEFAULT_PLAN, Directory, here
from nova_core.cli.output import note
from nova_core.errors import EnvironmentProblem, NovaError, UsageError

if TYPE_CHECKING:
    from nova_core.files.project import Project

FOLDER = "nova-demo"
SCRIPT = "tools/weather.py"
FILES = (SCRIPT, "milestones.yaml", "README.md", DEFAULT_PLAN)  # the first marks a demo, the last makes it runnable


def demo(
    folder: Annotated[str, typer.Argument(metavar="FOLDER", help="Where to run it.")] = FOLDER,
    ascii_only: Ascii = False,
    theme: Theme = None,
    directory: Directory = None,
) -> int:
    """Run a small plan that needs no keys.

    14 tasks build a weather almanac in FOLDER, which is created. Run it again to continue an interrupted demo, or to
    restart a finished one. A folder with other files is not accepted, and no existing file is overwritten.

    \b
    Examples:  nova demo
               nova demo /tmp/almanac
    """
    from nova_core.text import clean

    write_demo(Path(folder))
    try:
        os.chdir(folder)
    except OSError as error:
        raise EnvironmentProblem(
            f"{clean(folder)}: {error.strerror}", hint="choose another with nova demo FOLDER"
        ) from None
    typed = can_be_typed()
    os.environ["PATH"] = f"{own_folder()}{os.pathsep}{os.environ.get('PATH', os.defpath)}"  # this nova and its python3
    project = here()
    code = run_demo(project, ascii_only=ascii_only, theme=theme)
    note("\n".join(next_steps(clean(folder), typed=typed, finished=is_finished(project))))
    return code


def own_folder() -> str:
    """The folder of this interpreter's programs."""
    return os.path.dirname(sys.executable)


def can_be_typed() -> bool:
    """Returns True if a shell finds `nova`; uv, which sets `UV`, puts it on PATH only while it runs."""
    path = os.environ.get("PATH", os.defpath)
    if "UV" in os.environ:
        path = os.pathsep.join(folder for folder in path.split(os.pathsep) if folder != own_folder())
    return shutil.which("nova", path=path) is not None


def run_demo(project: Project, *, ascii_only: bool, theme: str | None) -> int:
    """Run the plan in the current directory, from the start if it is finished; returns the exit code."""
    from nova_core.cli.request import RunRequest
    from nova_core.cli.run import carry_out, configured

    request = RunRequest(
        DEFAULT_PLAN, project, configured({}), fresh=is_finished(project), attended=is_attended(),
        arguments=("run", "--no-ui", "--", DEFAULT_PLAN),
    )  # fmt: skip
    return carry_out(request, ascii_only=ascii_only, theme=theme)


def source_folder() -> Path:
    """The quickstart folder: in the package if Nova is installed, among the examples in a checkout."""
    package = Path(__file__).parents[1]
    inside = package / "quickstart"
    return inside if inside.is_dir() else package.parent / "examples" / "quickstart"


def write_demo(folder: Path) -> None:
    """Make the folder a demo: write missing files, keep existing ones.

    Raises `UsageError` for a folder with other files, `EnvironmentProblem` if it cannot be written.
    """
    source = source_folder()
    try:
        if folder.exists() and not (is_demo(folder) or is_empty(folder)):
            raise UsageError(f"{folder}: it has other files", hint="choose another folder with nova demo FOLDER")
        for name in FILES:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if not os.path.lexists(path):
                with open(path, "xb") as file:
                    file.write((source / name).read_bytes())
    except OSError as error:
        raise EnvironmentProblem(
            f"{error.filename or folder}: {error.strerror}", hint="choose another folder with nova demo FOLDER"
        ) from None


def is_demo(folder: Path) -> bool:
    """Returns True if the demo script exists, unchanged or changed only below its first line."""
    try:
        with open(folder / SCRIPT, "rb") as script, open(source_folder() / SCRIPT, "rb") as ours:
            line = ours.readline()
            return script.read(len(line)) == line
    except OSError:
        return False


def is_empty(folder: Path) -> bool:
    """Returns True if it is an empty folder."""
    return folder.is_dir() and next(folder.iterdir(), None) is None


def is_finished(project: Project) -> bool:
    """Returns True if every task of the project's run is done."""
    from nova_core.state.manager import StateManager

    try:
        return StateManager(project.state_file).load().project.completed_at is not None
    except (OSError, NovaError):
        return False


def next_steps(folder: str, *, typed: bool, finished: bool) -> list[str]:
    """The commands to try after the run; `typed`: a shell finds `nova`."""
    name = shlex.quote(folder)
    program = "nova" if typed else "uvx nova-tui"
    again = f"{program} demo" if folder == FOLDER else f"{program} demo {name}"
    at = f"nova -C {name}"
    steps = [f"result:   {folder}/out/index.html"] if finished else [f"continue: {again}"]
    steps += [
        f"plan:     {folder}/{DEFAULT_PLAN}",
        f"look:     {at} status; {at} logs PAGE; {at} history last; {at} attach",
        "your own: nova init",
    ]
    return steps if typed else ["install:  pipx install nova-tui, or uv tool install nova-tui", *steps]
