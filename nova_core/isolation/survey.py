"""Looks at a project's repository before a run, and chooses where the run keeps its work; changes nothing."""

from __future__ import annotations

import os
import re
from pathlib import Path

from nova_core.digest import blake2b
from nova_core.errors import EnvironmentProblem
from nova_core.git.repository import find_repository
from nova_core.isolation.program import Result, run_program
from nova_core.isolation.repository import git_program, is_sha
from nova_core.isolation.values import Place, Survey

OLDEST = (2, 38)  # `merge-tree --write-tree`
LIMIT = 120.0  # seconds for one git
# What git leaves in the folder of a work tree while its user is in the middle of something, and its name.
_BUSY = {
    "MERGE_HEAD": "a merge", "rebase-merge": "a rebase", "rebase-apply": "a rebase",
    "CHERRY_PICK_HEAD": "a cherry-pick", "REVERT_HEAD": "a revert", "BISECT_LOG": "a bisect",
}  # fmt: skip
_OPTIONS = ("--no-optional-locks", "-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}")


def survey(root: str | Path) -> Survey:
    """What the repository of the project's folder is like, and why tasks cannot be isolated there, if so.

    Starts git up to four times, none outside of a repository.
    """
    folder = Path(root).resolve()
    if find_repository(folder) is None:
        return Survey(problem="the project is not in a git repository")
    problem = _version_problem()
    if problem:
        return Survey(problem=problem)
    done = _git(
        folder, "rev-parse", "--path-format=absolute", "--is-inside-work-tree", "--git-dir", "--git-common-dir",
        "--show-toplevel", "--verify", "--quiet", "HEAD^{commit}",
    )  # fmt: skip
    lines = done.out.split(b"\n")
    if lines[0] == b"false" and len(lines) > 1:
        return Survey(problem="the repository is bare: it has no work tree")
    if len(lines) < 5 or not is_sha(lines[4]):
        return Survey(problem=_why_unusable(done, len(lines)))
    git_dir, common, top, head = (os.fsdecode(line) for line in lines[1:5])
    prefix = os.path.relpath(folder, os.path.realpath(top))
    found = Survey(git_dir=git_dir, common=common, top=top, prefix="" if prefix == "." else prefix, head=head)
    return _looked_at(found, folder)


def _looked_at(found: Survey, folder: Path) -> Survey:
    """The survey with the branch, what the user is in the middle of, and the uncommitted files."""
    import msgspec

    if found.prefix and _git(folder, "check-ignore", "-q", ".").code == 0:
        return Survey(problem="git ignores the project's folder")
    if any("\n" in path for path in (found.git_dir, found.common, found.top)):
        return Survey(problem="the path of the repository has a line break")
    names = dirty(folder, found.prefix)
    busy, branch = busy_with(found.git_dir), branch_of(found.git_dir)
    return msgspec.structs.replace(found, branch=branch, dirty=names, busy=busy)


def _why_unusable(done: Result, lines: int) -> str:
    if "dubious ownership" in done.error:
        return "the repository belongs to another user (git: safe.directory)"
    if done.code and not done.error.strip() and lines >= 4:
        return "the repository has no commit yet"
    text = next((line for line in done.error.splitlines() if line.startswith("fatal: ")), "git cannot read it")
    return f"the repository cannot be used: {text.removeprefix('fatal: ')[:200]}"


def _version_problem() -> str:
    try:
        text = _git(Path("/"), "version").out.decode("ascii", "replace").strip()
    except EnvironmentProblem:
        return "git is not installed"
    match = re.match(r"git version (\d+)\.(\d+)", text)
    if match is None:
        return f"git does not say its version: {text[:60]!r}"
    if (int(match[1]), int(match[2])) < OLDEST:
        return f"git is {match[1]}.{match[2]}; trees need 2.38 or newer"
    return ""


def dirty(folder: str | Path, prefix: str) -> tuple[str, ...]:
    """The changed and untracked files of the work tree, relative to the project's folder. Raises GitFailed."""
    done = _git(Path(folder), "status", "--porcelain", "-z", "--no-renames", "-uall", "--ignore-submodules=dirty")
    names = (os.fsdecode(entry[3:]) for entry in done.fields)
    return tuple(os.path.relpath(name, prefix) if prefix else name for name in names)


def busy_with(git_dir: str) -> str:
    """What the user of a work tree is in the middle of, such as `a merge`; otherwise ""."""
    return next((name for file, name in _BUSY.items() if os.path.lexists(f"{git_dir}/{file}")), "")


def branch_of(git_dir: str) -> str | None:
    """The full name of the branch that a work tree is on; None for a detached HEAD."""
    try:
        content = Path(git_dir, "HEAD").read_text("utf-8").strip()
    except (OSError, ValueError):
        return None
    if content == "ref: refs/heads/.invalid":  # reftable keeps HEAD elsewhere
        done = _git(Path(git_dir), "symbolic-ref", "-q", "HEAD")
        content = f"ref: {os.fsdecode(done.out.strip())}"
    return content.removeprefix("ref: ") if content.startswith("ref: refs/") else None


def choose_place(found: Survey, run: str, trees: str | None = None) -> Place:
    """Where the run with this short name (8 hexadecimal digits) keeps its work: `../<name>.nova/<run>` for the trees.

    `trees` is the folder of the settings. Raises EnvironmentProblem if trees can be written nowhere.
    """
    taken = _git(Path(found.top), "rev-parse", "--verify", "--quiet", "refs/heads/nova").code == 0
    branch = f"refs/heads/nova-{run}" if taken else f"refs/heads/nova/{run}"
    folder = f"{choose_trees(found.top, trees)}/{run}"
    return Place(found.git_dir, found.common, found.top, found.prefix, run, branch, folder)


def choose_trees(top: str, trees: str | None = None) -> str:
    """The folder for the trees of all runs of a work tree, which needs not exist.

    Not inside the project: tools look up and down from their folder. Raises EnvironmentProblem.
    """
    if trees is not None:
        return os.path.join(top, os.path.expanduser(trees))
    beside = Path(f"{top.rstrip('/')}.nova")
    is_free = not os.path.lexists(beside)
    if beside.is_dir() or (
        is_free and os.access(beside.parent, os.W_OK | os.X_OK) and find_repository(beside.parent) is None
    ):
        return str(beside)
    state = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    if not os.path.isabs(state):
        raise EnvironmentProblem("there is no folder for the trees of tasks", hint="set git.trees in nova.yaml")
    key = blake2b(os.fsencode(top), digest_size=6).hexdigest()
    return f"{state}/nova/trees/{os.path.basename(top)}-{key}"


def _git(folder: Path, *arguments: str) -> Result:
    clean = {key: text for key, text in os.environ.items() if not key.startswith("GIT_")}
    environ = clean | {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    return run_program([git_program(), *_OPTIONS, *arguments], str(folder), environ, limit=LIMIT)
