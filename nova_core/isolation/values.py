"""Values of the git steps: where things are, what a step is asked for and what it returns, and how it can fail."""

from __future__ import annotations

import errno

import msgspec

from nova_core.errors import EnvironmentProblem, NovaError
from nova_core.model import is_safe_id

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS})  # of the disk, not of one file


class Place(msgspec.Struct, frozen=True):
    """Where a run keeps its work: all paths are absolute.

    `git_dir` belongs to the user's work tree `top` (`.git`, or `.git/worktrees/x`), `common` holds objects and refs.
    `prefix` is the project's folder in the work tree, `""` for the top. `run` is the short name of the run, `branch`
    the full name of its branch, `trees` the folder of its trees.
    """

    git_dir: str
    common: str
    top: str
    prefix: str
    run: str
    branch: str
    trees: str

    @property
    def own(self) -> str:
        """The folder of Nova's own files, on the file system of `.git`."""
        return f"{self.common}/nova/{self.run}"

    @property
    def busy(self) -> str:
        """The file that every git of this run holds locked while it lives."""
        return f"{self.common}/nova/{self.run}.busy"

    @property
    def index(self) -> str:
        """The index of the user's work tree."""
        return f"{self.git_dir}/index"

    def tree(self, task_id: str) -> str:
        """The tree of a task: the same path in every attempt, because agents find their sessions by it."""
        return f"{self.trees}/{name_of(task_id)}"

    def folder(self, task_id: str) -> str:
        """The project's folder in the tree of a task, where its worker runs."""
        return f"{self.tree(task_id)}/{self.prefix}".rstrip("/")

    def ref(self, task_id: str) -> str:
        """The ref that holds a task's commit until it is merged."""
        return f"refs/nova/{self.run}/{name_of(task_id)}"

    def kept(self, task_id: str, number: int) -> str:
        """The ref that holds what attempt `number` of a task left and no result contains."""
        return f"refs/nova/{self.run}/kept/{name_of(task_id)}.{number}"

    def held(self, task_id: str, commit: str) -> str:
        """The ref that holds a task's work as it was before a conflict of it was resolved."""
        return f"refs/nova/{self.run}/kept/{name_of(task_id)}.{commit[:12]}"

    def aside(self, task_id: str, number: int) -> str:
        """Where the tree of a task goes whose contents git cannot hold; no name of a task begins with `+`."""
        return f"{self.trees}/+{name_of(task_id)}.{number}"

    def task_file(self, task_id: str, kind: str) -> str:
        """One of Nova's own files for a task, such as its `index`."""
        return f"{self.own}/{name_of(task_id)}.{kind}"

    def run_file(self, kind: str) -> str:
        """One of Nova's own files for the run; no name of a task begins with `+`."""
        return f"{self.own}/+{kind}"


def name_of(task_id: str) -> str:
    """A task's name for folders and refs: `a/b` is `a+b`. Raises ValueError for an id that is not safe."""
    if not is_safe_id(task_id):
        raise ValueError(f"{task_id!r} is not a safe task id")
    return "kept+" if task_id == "kept" else task_id.replace("/", "+")


class Survey(msgspec.Struct, frozen=True):
    """What a project's repository is like. `problem` is one line that says why tasks cannot be isolated, else `""`.

    `branch` is the full name of the user's branch, None for a detached HEAD. `dirty` are the changed and untracked
    files, relative to the project's folder. `busy` names what the user is in the middle of, such as `a merge`.
    """

    problem: str = ""
    git_dir: str = ""
    common: str = ""
    top: str = ""
    prefix: str = ""
    head: str = ""
    branch: str | None = None
    dirty: tuple[str, ...] = ()
    busy: str = ""


class Needs(msgspec.Struct, frozen=True):
    """What a tree needs besides tracked files: all names are relative to the project's folder.

    `copy` are patterns as in `.gitignore` for ignored files that every tree gets; `.worktreeinclude` adds to them.
    `link` are ignored folders that all trees share, `outputs` what earlier tasks made, of which git ignores a part.
    """

    copy: tuple[str, ...] = ()
    link: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()


class Limits(msgspec.Struct, frozen=True):
    """What is taken from a tree: no new file over `max_file` bytes, no more than `max_new` new files."""

    max_file: int = 50_000_000
    max_new: int = 5_000


class Words(msgspec.Struct, frozen=True):
    """The first line of a commit, and its recorded time in seconds since the epoch.

    The same words at the same time make the same commit: a step that is repeated changes nothing.
    """

    subject: str
    at: int


class Taken(msgspec.Struct, frozen=True):
    """What a task made. `commit` is None if it changed nothing; `files` are relative to the project's folder.

    `deleted_most`: over half of the files, and 20 at least. `own_commits`: commits of the worker's own that the result
    does not contain. `left_out`: folders that were not taken, because they are worktrees of the tree. `withheld`: files
    that were not taken, because they were copied or linked into the tree.
    """

    base: str
    commit: str | None
    tree: str
    files: tuple[str, ...] = ()
    deleted_most: bool = False
    own_commits: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    withheld: tuple[str, ...] = ()


class Cleared(msgspec.Struct, frozen=True):
    """Where the contents of a tree are, which may be removed now: in the ref, and if that lacks something, for which
    `why` gives the reason, in the folder `aside`. Nothing at all if there was nothing to keep."""

    ref: str | None = None
    aside: str = ""
    why: str = ""


class Candidate(msgspec.Struct, frozen=True):
    """The commit that would follow `tip` on the run's branch. `is_checked`: its files are those that were checked.

    `files` are what it changes, relative to the project's folder.
    """

    tip: str
    commit: str
    files: tuple[str, ...] = ()
    is_checked: bool = False


class Conflict(msgspec.Struct, frozen=True):
    """A task's commit does not merge with `tip`. `files` are paths, relative to the project's folder, and the kind of
    each one's conflict (`isolation.kinds`)."""

    tip: str
    files: dict[str, str]


class Nothing(msgspec.Struct, frozen=True):
    """There is nothing to do: what was to be brought is there already. `tip` is the commit that has it."""

    tip: str


class Landing(msgspec.Struct, frozen=True):
    """From commit `old` to `new` on the user's `branch` (full name). `is_open`: announced before, and maybe begun.

    `included` is the commit of what the user had not committed before the run, or any that `old` contains.
    """

    branch: str
    old: str
    new: str
    is_open: bool = False
    included: str = ""


class Landed(msgspec.Struct, frozen=True):
    """The user's branch, index and files are at `commit`."""

    commit: str


class Postponed(msgspec.Struct, frozen=True):
    """Nothing was touched; `why` is a line for people, `files` are those in the way, relative to the project's folder.

    `moved`: the user has committed on the branch; `follow` can bring that into the run's branch.
    """

    why: str
    files: tuple[str, ...] = ()
    moved: bool = False


class Followed(msgspec.Struct, frozen=True):
    """The user's commits up to `landed` are in the run's branch, which is at `tip`."""

    tip: str
    landed: str


class Carried(msgspec.Struct, frozen=True):
    """The outputs that git ignores and that are in the user's folder now; `stayed` are those in whose place a file of
    the user's stands: they are held by `ref`. Names are relative to the project's folder."""

    files: tuple[str, ...] = ()
    stayed: tuple[str, ...] = ()
    ref: str | None = None


class Restored(msgspec.Struct, frozen=True):
    """The run's branch was gone and is at `tip` again; the commits of the tasks `lost` do not exist any more."""

    tip: str
    lost: tuple[str, ...] = ()


class Kept(msgspec.Struct, frozen=True):
    """A ref of an earlier run: its full name, its commit and the size in bytes of what only it holds."""

    ref: str
    commit: str
    size: int


class Leftover(msgspec.Struct, frozen=True):
    """What is left of a run: its short name, its branch if there is one, its trees in `folder`, and its refs."""

    run: str
    branch: str
    folder: str
    trees: tuple[str, ...] = ()
    refs: tuple[Kept, ...] = ()


class GitFailed(EnvironmentProblem):
    """A git command failed, took too long or printed something unexpected; the step may be repeated from the start."""


class DiskFull(GitFailed):
    """Git found no room on the disk."""


class NotTaken(NovaError):  # noqa: N818 - a result, not a bug
    """What is in a tree cannot be taken; the tree stays as it is. `names` are the files, relative to the project.

    `is_lost_by_retry`: another attempt would lose what cannot be kept elsewhere.
    """

    def __init__(self, why: str, names: tuple[str, ...] = (), *, is_lost_by_retry: bool = False) -> None:
        super().__init__(why)
        self.names = names
        self.is_lost_by_retry = is_lost_by_retry


class Stale(NovaError):  # noqa: N818 - a result, not a bug
    """Somebody moved the run's branch back, aside or away: nothing is merged until a person has looked at it."""


class CheckedOut(Stale):
    """The run's branch is checked out somewhere: nothing is merged while it is."""
