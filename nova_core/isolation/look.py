"""For people: the diff of a task, and what runs have left; changes nothing but by `remove`."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from nova_core.errors import EnvironmentProblem
from nova_core.isolation.borrowed import remove_all
from nova_core.isolation.contents import look, record
from nova_core.isolation.own_commits import read_plain
from nova_core.isolation.program import Result, run_program
from nova_core.isolation.repository import Repository, environment, git_program
from nova_core.isolation.survey import choose_trees
from nova_core.isolation.sweep import delete
from nova_core.isolation.values import GitFailed, Kept, Leftover, Limits, Place, Survey

_LIMIT = 120.0  # seconds for one git
_PATCH = ("-p", "-r", "-M", "--no-ext-diff", "--no-textconv", "--ignore-submodules=dirty")
_NO_LIMITS = Limits(max_file=1 << 62, max_new=1 << 62)


def diff(place: Place, base: str, commit: str, files: tuple[str, ...] = (), *, colour: bool = False) -> str:
    """The difference between two commits as a patch, of some files only if they are named. Raises GitFailed.

    Names are relative to the project's folder. It is text of a worker's: clean it before it reaches a terminal.
    """
    names = [os.path.normpath(os.path.join(place.prefix, name)) for name in files]
    command = ("diff-tree", *_PATCH, _colour(colour), base, commit, "--", *names)
    return _git(place, *command).out.decode("utf-8", "replace")


def _colour(colour: bool) -> str:
    return "--color=always" if colour else "--no-color"


def tree_diff(place: Place, task_id: str, base: str, *, colour: bool = False) -> str:
    """How the files in a tree differ from `base`, new ones included, while its worker runs. Raises GitFailed, NotTaken.

    Nothing is written into the user's repository but files of our own, which are removed.
    """
    view = _View(msgspec.structs.replace(place, run=f"view.{os.getpid()}"))
    try:
        for kind in ("index", "copied", "written"):
            with suppress(FileNotFoundError):
                shutil.copy2(place.task_file(task_id, kind), view.place.task_file(task_id, kind))
        contents = look(view, task_id, _NO_LIMITS)
        tree, _ = record(view, task_id, contents)
        return view.git("diff-tree", *_PATCH, _colour(colour), base, tree).out.decode("utf-8", "replace")
    finally:
        remove_all(view, view.place.own)
        view.disk.unlink(view.place.busy)
        view.close()


class _View(Repository):
    """Writes objects to a folder of its own."""

    def start(self, command: list[str], where: str, environ: dict[str, str], stdin: bytes = b"") -> Result:
        objects = f"{self.place.own}/objects"
        os.makedirs(objects, exist_ok=True)
        more = {
            "GIT_OBJECT_DIRECTORY": objects, "GIT_ALTERNATE_OBJECT_DIRECTORIES": f'"{self.place.common}/objects"',
        }  # fmt: skip
        return super().start(command, where, environ | more, stdin)


def leftovers(
    found: Survey, trees: str | None = None, recorded: Mapping[str, str] | None = None
) -> tuple[Leftover, ...]:
    """What the runs of this repository have left, those that are at work included. Raises GitFailed.

    `recorded` are the folders in which runs, by their short names, have their trees on record; those of the others are
    where the settings say, in `trees`.
    """
    place = Place(found.git_dir, found.common, found.top, found.prefix, "", "", choose_trees(found.top, trees))
    rows = _git(place, "for-each-ref", "--format=%(objectname) %(refname)", "refs/nova", "refs/heads").out
    refs = [os.fsdecode(row).split(" ", 1) for row in rows.splitlines()]
    kept: dict[str, list[Kept]] = {}
    for commit, ref in refs:
        if ref.startswith("refs/nova/"):
            kept.setdefault(ref.split("/")[2], []).append(Kept(ref, commit, _size(place, ref)))
    branches = {run: ref for _, ref in refs if (run := _run_of(ref))}
    own = {run for name in _names(f"{place.common}/nova") if _is_run(run := name.removesuffix(".busy"))}
    known = {*kept, *branches, *own}  # a folder of another name, or of no run of this repository, is not Nova's
    folders = {run: f"{(recorded or {}).get(run, place.trees)}/{run}" for run in sorted(known)}
    names = {run: sorted(_names(folder)) for run, folder in folders.items()}
    return tuple(
        Leftover(
            run, branches.get(run, ""), folder, () if _of_others(place, folder, names[run]) else tuple(names[run]),
            tuple(kept.get(run, ())),
        )
        for run, folder in folders.items()
    )  # fmt: skip


def remove(found: Survey, left: Leftover, *, is_all: bool = True) -> None:
    """Remove these parts of what a run has left; `is_all`: neither its branch nor a tree stays.

    Raises EnvironmentProblem if the run is at work, GitFailed, OSError.
    """
    folder, run = left.folder, left.run
    place = Place(found.git_dir, found.common, found.top, found.prefix, run, left.branch, folder)
    repository = Repository(place)
    try:
        try:
            fcntl.flock(repository.busy, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise EnvironmentProblem(f"the run {run} is at work") from None
        delete(repository, [*(kept.ref for kept in left.refs), *filter(None, [left.branch])])
        if left.trees:
            remove_all(repository, folder)  # else it may be another repository's
        if is_all:
            remove_all(repository, place.own)
            repository.disk.unlink(place.busy)
        for empty in (folder, os.path.dirname(folder), os.path.dirname(place.own)):
            if empty == folder or empty.endswith(".nova") or empty == f"{place.common}/nova":
                with suppress(OSError):
                    os.rmdir(empty)
    finally:
        repository.close()


def _of_others(place: Place, folder: str, names: Iterable[str]) -> bool:
    """Returns True if trees in a folder borrow the objects of another repository: a copy has the same names."""
    for name in names:
        with suppress(OSError, ValueError):
            objects = read_plain(Path(folder, name, ".git/objects/info/alternates")).strip()
            if os.path.isdir(objects) and not os.path.samefile(objects, f"{place.common}/objects"):
                return True
    return False


def _is_run(name: str) -> bool:
    return len(name) == 8 and all(letter in "0123456789abcdef" for letter in name)


def _run_of(ref: str) -> str:
    """The run whose branch this is, "" if it is another one."""
    name = ref.removeprefix("refs/heads/")
    run = name.removeprefix("nova/").removeprefix("nova-")
    return run if name != run and _is_run(run) else ""


def _names(folder: str) -> list[str]:
    return os.listdir(folder) if os.path.isdir(folder) else []


def _size(place: Place, ref: str) -> int:
    """The bytes on disk of objects that no branch, tag or remote branch holds."""
    options = ("rev-list", "--objects", "--disk-usage", ref, "--not", "--branches", "--tags", "--remotes")
    out = _git(place, *options, ok=(0, 128)).out.strip()
    return int(out) if out.isdigit() else 0


def _git(place: Place, *arguments: str, ok: tuple[int, ...] = (0,)) -> Result:
    environ = environment(place) | {"GIT_WORK_TREE": place.top}
    done = run_program([git_program(), *arguments], place.top, environ, limit=_LIMIT)
    if done.code not in ok:
        raise GitFailed(f"git {arguments[0]} failed with {done.code}: {done.error.strip()[-200:]}")
    return done
