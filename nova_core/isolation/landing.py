"""Brings the run's branch to the user's branch and folder: files first, then the index, then the branch."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from nova_core.isolation.half_landed import adopt
from nova_core.isolation.in_the_way import changed_by_user, standing
from nova_core.isolation.included import start_of
from nova_core.isolation.merge import merge_tree, require_free
from nova_core.isolation.put import marks, put, stage
from nova_core.isolation.repository import Repository, changed
from nova_core.isolation.survey import branch_of, busy_with
from nova_core.isolation.values import Conflict, Followed, GitFailed, Landed, Landing, Nothing, Postponed

_WAIT = 1.0  # seconds for a lock of the user's git
_PAUSE = 0.02
UNRESOLVED = "conflicts of yours are not resolved"
_VERDICTS = ("not uptodate", "would be overwritten", "would be removed", "would lose untracked", "would overwrite", "cannot merge")  # fmt: skip # noqa: E501


def land(repository: Repository, landing: Landing) -> Landed | Postponed | Nothing:
    """Bring commit `landing.new` to the user's branch and folder, unless something of the user's is in the way.

    Never stashes, resets or forces. Raises GitFailed, OSError: then it may have begun, and is to be called again with
    `is_open`.
    """
    at = repository.read_ref(landing.branch)
    if landing.old == landing.new and not landing.is_open:
        return Nothing(landing.new)
    postponed = _not_now(repository, landing, at)
    if postponed:
        return postponed
    if at == landing.new and not landing.is_open:
        return Nothing(landing.new)
    with _locked(repository) as is_locked:
        if not is_locked:
            return Postponed("another git is at work in your folder (index.lock)")
        return _move(repository, landing, at)


def has_landed(repository: Repository, branch: str, tip: str) -> bool:
    """Returns True if the user's branch contains the commit `tip`, as after a merge by hand. Raises GitFailed."""
    at = repository.read_ref(branch)
    return at is not None and repository.is_ancestor(tip, at)


def _not_now(repository: Repository, landing: Landing, at: str | None) -> Postponed | None:
    """Why nothing can land now, by what the user's branch and folder are."""
    name, head = landing.branch.removeprefix("refs/heads/"), branch_of(repository.place.git_dir)
    if head is None:
        return Postponed(f"your folder is on no branch; it lands on {name}")
    if head != landing.branch:
        return Postponed(f"your folder is on {head.removeprefix('refs/heads/')}; it lands on {name}")
    if at not in (landing.old, landing.new):
        return Postponed(f"{name} has other commits than the run left there", moved=True)
    if not os.path.exists(repository.place.index):
        return Postponed("your folder has no index")
    busy = busy_with(repository.place.git_dir)
    return Postponed(f"you are in the middle of {busy}") if busy else None


def _in_the_way(repository: Repository, names: Iterable[bytes]) -> Postponed:
    shown_names = tuple(repository.relative(name) or "." for name in names)
    return Postponed("files of yours are in the way", shown_names)


@contextmanager
def _locked(repository: Repository) -> Iterator[bool]:
    """Hold git's own lock on the user's index: a second name of a file of ours, so that it is known as ours."""
    place, disk = repository.place, repository.disk
    mark, lock = Path(place.run_file("mark")), f"{place.index}.lock"
    if not mark.exists():
        disk.make_dir(mark.parent)
        disk.replace(mark, b"", sync=False)
    end = time.monotonic() + _WAIT
    while not _is_ours(mark, lock):
        disk.link(mark, lock)
        if _is_ours(mark, lock):
            break
        if time.monotonic() > end:
            yield False
            return
        time.sleep(_PAUSE)
    try:
        yield True
    finally:
        disk.unlink(lock)


def _is_ours(mark: Path, lock: str) -> bool:
    try:
        return os.path.samestat(os.stat(mark), os.stat(lock))
    except FileNotFoundError:
        return False


def _move(repository: Repository, landing: Landing, at: str | None) -> Landed | Postponed:
    """Under the lock: the files, the index, the branch."""
    place, disk = repository.place, repository.disk
    index = repository.fresh(place.run_file("landing.index"))
    postponed = _write_files(repository, landing, index)
    if postponed:
        return postponed
    disk.rename(index, place.index)
    if at != landing.new and not repository.move_ref(landing.branch, landing.new, landing.old, "nova: landed"):
        raise GitFailed(f"somebody moved {landing.branch} while the run landed on it")
    return Landed(landing.new)


def _write_files(repository: Repository, landing: Landing, index: str) -> Postponed | None:
    """Write what differs into the user's folder, and a new index beside the old one; with a reason, nothing.

    What is in the way may be as in `new` already, as it was included, or written by a landing that was killed: that is
    taken into the index first. Git only looks at the folder: it would write over ignored files, and a kill
    would leave a part of one.
    """
    start = start_of(repository, landing)
    differences = ("diff-tree", "-r", "-z", "--raw", "--no-renames", start.tree, landing.new)
    rows = list(changed(repository.git(*differences).fields))
    before = marks(repository, rows)
    found = standing(repository, rows, start.index)
    if found.names:
        return _in_the_way(repository, found.names)
    old = start.tree
    for adopts in (True,) if landing.is_open or found.is_same else (False, True):
        repository.disk.step("copy", index)
        shutil.copy2(start.index, index)
        if adopts:
            old = adopt(repository, index, rows, start.tree)
        options = ("read-tree", "-n", "-m", "-u", old, landing.new)
        done = repository.git(*options, index=repository.fresh(index), ok=(0, 128))
        if done.code == 0:
            put(repository, rows, stage(repository, old, landing.new, index), before, start.index)
            repository.git("update-index", "-q", "--refresh", index=repository.fresh(index), ok=(0, 1))
            return None
    if unmerged := _unmerged(repository, start.index):
        return Postponed(UNRESOLVED, tuple(map(repository.relative, unmerged)))
    if not any(verdict in done.error.lower() for verdict in _VERDICTS):
        raise GitFailed(f"git could not write your folder: {done.error.strip()[-300:]}")
    return _in_the_way(repository, changed_by_user(repository, rows, old, index, done))


def _unmerged(repository: Repository, index: str) -> list[bytes]:
    """The files in which the user has a conflict, as after `git stash pop`."""
    fields = repository.git("ls-files", "-u", "-z", index=index).fields
    return list(dict.fromkeys(field.partition(b"\t")[2] for field in fields))


def drop_landing_locks(repository: Repository, landing: Landing | None) -> None:
    """Remove what a killed landing left locked: the index by our mark, the branch by what its lock holds."""
    place = repository.place
    if _is_ours(Path(place.run_file("mark")), f"{place.index}.lock"):
        repository.disk.unlink(f"{place.index}.lock")
    tip = repository.read_ref(place.branch) or ""
    repository.drop_own_lock(f"{place.common}/{place.branch}.lock", tip, landing.new if landing else "")
    if landing:
        for lock in (f"{place.common}/{landing.branch}.lock", f"{place.git_dir}/HEAD.lock"):
            repository.drop_own_lock(lock, landing.new)


def follow(repository: Repository, landing: Landing, at: int) -> Followed | Conflict | Postponed:
    """Merge the user's own commits on the branch into the run's branch at the recorded time, so that it can land.

    Raises Stale if somebody has checked the run's branch out, GitFailed.
    """
    place, name = repository.place, landing.branch.removeprefix("refs/heads/")
    theirs, tip = repository.read_ref(landing.branch), repository.read_ref(place.branch)
    if theirs is None or tip is None or not repository.is_ancestor(landing.old, theirs):
        return Postponed(f"{name} was moved away from what the run began with")
    if repository.is_ancestor(theirs, tip):
        return Followed(tip, theirs)
    require_free(repository)
    if repository.is_ancestor(tip, theirs):
        moved = repository.move_ref(place.branch, theirs, tip, "nova: follow")
        return Followed(theirs, theirs) if moved else Postponed("somebody moved the run's branch")
    merged = merge_tree(repository, tip, theirs)
    if merged.kinds:
        return Conflict(tip, {repository.relative(path): kind for path, kind in merged.kinds.items()})
    message = f"Merge branch '{name}' into {place.branch.removeprefix('refs/heads/')}\n\nNova-Run: {place.run}\n"
    commit = repository.commit(merged.tree, [tip, theirs], message, at)
    if not repository.move_ref(place.branch, commit, tip, "nova: follow"):
        return Postponed("somebody moved the run's branch")
    return Followed(commit, theirs)
