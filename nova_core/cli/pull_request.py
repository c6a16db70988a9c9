"""`nova pr`: what opens a pull request from what a run has made."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from nova_core.cli.choosing import PlanOf, chosen
from nova_core.cli.options import Directory, load_state, plan_of
from nova_core.cli.output import flush, note, out
from nova_core.errors import EnvironmentProblem, UsageError

if TYPE_CHECKING:
    from nova_core.exports.pull_request import Opening
    from nova_core.files.project import Project
    from nova_core.state.schema import State

TOOLS = {"gh": "https://cli.github.com", "glab": "https://gitlab.com/gitlab-org/cli"}


def pr(
    body: Annotated[bool, typer.Option("--body", help="Print only the text of the pull request.")] = False,
    open_it: Annotated[bool, typer.Option("--open", help="Run gh or glab, once the branch is pushed.")] = False,
    plan: PlanOf = None,
    directory: Directory = None,
) -> int:
    """Show what opens a pull request.

    Prints two commands: one that pushes a branch, which Nova never does, and one of gh (GitHub) or glab (GitLab)
    that opens the request. Its text says what each task did, its checks, and what it cost. What has not landed is on
    the run's branch; if all has landed on your main branch, the first command pushes it as a new branch.

    \b
    Examples:  nova pr
               nova pr --body
               nova pr --open
    """
    from nova_core.exports.pull_request import body as text_of

    project = chosen(plan)
    state = load_state(project)
    cascade = plan_of(state)
    if cascade is None:
        raise UsageError("the plan cannot be read", hint="check it with nova check")
    text = text_of(cascade, state.tasks)
    if body:
        out(text.removesuffix("\n"))
        return 0
    opening = opening_for(project, state, cascade.name)
    if open_it:
        return run(opening.command(text))
    for line in opening.lines():
        out(line)
    note("hint: nothing was pushed; the text is that of nova pr --body")
    return 0


def opening_for(project: Project, state: State, title: str) -> Opening:
    """The commands for this repository. Raises `UsageError` if there is no branch or no remote repository."""
    from nova_core.exports.pull_request import opening
    from nova_core.git.repository import remotes
    from nova_core.isolation.repository import Repository
    from nova_core.runs.merging import branch_of, user_branch
    from nova_core.watch.task_diff import place_of, surveyed

    found = surveyed(project.root)
    known = remotes(found.top)
    if not known:
        raise UsageError("the repository has no remote to push to", hint="add one with git remote add origin URL")
    remote = "origin" if "origin" in known else next(iter(known))
    kind = tool_for(known[remote])
    git = state.run.git
    if git is not None and git.tip != git.landed:
        repository = Repository(place_of(found, git))
        there = repository.read_ref(git.ref) is not None
        repository.close()
        return opening(kind, remote, branch_of(git), user_branch(git), title, "" if there else git.tip)
    own = (found.branch or "").removeprefix("refs/heads/")
    if git is not None and git.branch:
        own = user_branch(git)
    if not own:
        raise UsageError("no branch is checked out", hint="git switch to the branch with the work")
    return from_own(Asked(kind, remote, title), found.top, own, git.landed if git is not None else found.head)


class Asked(NamedTuple):
    """The tool, the remote repository and the title of a pull request."""

    kind: str
    remote: str
    title: str


def from_own(asked: Asked, top: str, own: str, commit: str) -> Opening:
    """What opens a pull request once all is on the user's branch `own`.

    A branch into which others merge is never pushed: there, a new branch gets the `commit`.
    """
    from nova_core.exports.pull_request import branch_for, opening
    from nova_core.git.repository import default_branch, upstream_of

    kind, remote, title = asked
    base = default_branch(top, remote)
    if own not in {base, "main", "master", "trunk", "develop"}:
        return opening(kind, remote, own, base, title)
    return opening(kind, remote, branch_for(title), upstream_of(top, own, remote) or own, title, commit)


def tool_for(address: str) -> str:
    """`gh` or `glab`: by the address of the remote repository, else the one that is installed."""
    host = address.lower()
    if "gitlab" in host:
        return "glab"
    installed = [name for name in TOOLS if shutil.which(name)]
    return "gh" if "github" in host or not installed else installed[0]


def run(command: list[str]) -> int:
    """Run gh or glab on this terminal; returns its exit code."""
    import subprocess

    program = shutil.which(command[0])
    if program is None:
        raise EnvironmentProblem(f"{command[0]} is not on PATH", hint=f"install it: {TOOLS[command[0]]}")
    flush()
    code = subprocess.run([program, *command[1:]], check=False, stdout=sys.stdout, stderr=sys.stderr).returncode
    if code:
        note("hint: push the branch first; nova pr prints how")
    return code if code >= 0 else 128 - code
