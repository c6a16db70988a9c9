"""Makes and removes the tree of a task: a folder with a repository of its own that borrows the user's objects."""

from __future__ import annotations

import os
from pathlib import Path

from nova_core.isolation.borrowed import copy_index, discard, note_base, note_settings, write_repository
from nova_core.isolation.needs import copy, outputs_at, supply
from nova_core.isolation.own_commits import read_plain
from nova_core.isolation.repository import Repository, is_sha
from nova_core.isolation.values import GitFailed, Needs, Restored


def begin(repository: Repository, base: str, uncommitted: tuple[str, ...] = (), at: int = 0) -> str:
    """Create the run's branch at `base`, unless it exists; returns the commit that it is at.

    `uncommitted` are files, relative to the project's folder, that a first commit on the branch takes as they are in
    the user's work tree, at the recorded time `at`. Raises GitFailed.
    """
    branch = repository.place.branch
    there = repository.read_ref(branch)
    if there is None:
        note_settings(repository)
        first = _commit_of_changes(repository, base, uncommitted, at) if uncommitted else base
        if not repository.move_ref(branch, first, ""):
            raise GitFailed(f"somebody has just made {branch}")
        return first
    return there


def restore(repository: Repository, tip: str, landed: str, commits: dict[str, str]) -> Restored | None:
    """Make the branch of a run that continues again if it is gone; returns None if it is there.

    It is made at `tip`, the last commit known of it, or at `landed` if `tip` or something in it does not exist any
    more: then those of the `commits` (by task) that `landed` does not contain are lost. Raises GitFailed.
    """
    at = repository.read_ref(repository.place.branch)
    if at is not None and (at != landed or at == tip):
        return None
    if repository.is_whole(tip, landed):  # at `landed`, it was moved back; otherwise we were killed here
        return None if at else Restored(begin(repository, tip))
    known = ("merge-base", "--is-ancestor")
    lost = [i for i, commit in commits.items() if repository.git(*known, commit, landed, ok=(0, 1, 128)).code]
    return Restored(begin(repository, landed), tuple(lost))


def _commit_of_changes(repository: Repository, base: str, names: tuple[str, ...], at: int) -> str:
    place = repository.place
    index = repository.fresh(place.run_file("include.index"))
    repository.git("read-tree", base, index=index)
    paths = [os.fsencode(os.path.normpath(os.path.join(place.prefix, name))) for name in names]
    repository.git("update-index", "-z", "--add", "--remove", "--replace", "--stdin", index=index, stdin=b"\0".join(paths))  # fmt: skip # noqa: E501
    tree = repository.object_name("write-tree", index=index)
    repository.disk.unlink(index)
    return repository.commit(tree, [base], f"Uncommitted changes before the run\n\nNova-Run: {place.run}\n", at)


def make_tree(repository: Repository, task_id: str, base: str, needs: Needs | None = None) -> None:
    """Make the tree of a task with the files of commit `base`; whatever was at its path is removed first.

    Raises GitFailed, OSError.
    """
    away(repository, task_id)
    try:
        _make(repository, task_id, base, needs or Needs())
    except (GitFailed, OSError):
        away(repository, task_id)  # nobody needs a half of one
        raise


def remake_tree(repository: Repository, task_id: str, base: str, needs: Needs, outputs: tuple[str, ...]) -> None:
    """Make the tree of a task again with the files of commit `base`, and those at `outputs` that git ignores there.

    All else that is in the tree must be kept already. Done again after a kill, or if it fails, it loses none of these.
    Raises GitFailed, OSError.
    """
    place = repository.place
    tree, old = place.tree(task_id), place.aside(task_id, 0)
    if os.path.isdir(tree) and not os.path.lexists(old):
        repository.disk.rename(tree, old)
    make_tree(repository, task_id, base, needs)
    for name in list(outputs_at(repository, old, outputs, tree, place.task_file(task_id, "index"))):
        if os.path.isfile(at := os.path.join(tree, name)) or os.path.islink(at):
            repository.disk.unlink(at)  # a copy of what others have made
        copy(repository, old, tree, name, follow=False)
    discard(repository, old)


def _make(repository: Repository, task_id: str, base: str, needs: Needs) -> None:
    place, disk = repository.place, repository.disk
    tree, index = place.tree(task_id), place.task_file(task_id, "index")
    disk.make_dir(Path(place.own))
    disk.step("mkdir", tree)
    os.makedirs(tree)
    write_repository(repository, task_id, base)
    repository.git("read-tree", "-m", "-u", base, tree=tree, index=index)
    os.makedirs(place.folder(task_id), exist_ok=True)  # nothing may be tracked there
    copy_index(repository, task_id)
    supply(repository, task_id, needs)
    note_base(repository, task_id, base)
    disk.replace(Path(place.task_file(task_id, "made")), b"", sync=False)


def base_of(repository: Repository, task_id: str) -> str | None:
    """The commit whose files the tree had before the worker changed them; None if that is not noted."""
    text = read_plain(Path(repository.place.task_file(task_id, "base"))).strip()
    return text if is_sha(text) else None


def made_at(repository: Repository, task_id: str) -> float | None:
    """When the files of the task's tree were checked out, in seconds since the epoch; None without a whole tree."""
    place = repository.place
    try:
        return os.stat(place.task_file(task_id, "made")).st_mtime if os.path.isdir(place.tree(task_id)) else None
    except FileNotFoundError:
        return None


def away(repository: Repository, task_id: str) -> None:
    """Remove the tree of a task and Nova's files for it; its ref stays until `sweep.forget`. Raises OSError."""
    place = repository.place
    repository.disk.unlink(place.task_file(task_id, "made"))
    discard(repository, place.tree(task_id))
    for kind in ("index", "index.lock", "copied", "carried", "written", "base"):
        repository.disk.unlink(place.task_file(task_id, kind))
