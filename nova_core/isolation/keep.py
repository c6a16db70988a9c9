"""Keeps what is in a tree before it is removed: in a ref, and what git cannot hold in a folder beside the trees."""

from __future__ import annotations

import os
import shutil
import stat
from contextlib import suppress

import msgspec

from nova_core.isolation.borrowed import open_up
from nova_core.isolation.contents import Contents, index_of, look, record
from nova_core.isolation.own_commits import fetch, own_commits
from nova_core.isolation.program import shown
from nova_core.isolation.repository import Repository, settings
from nova_core.isolation.submodules import require_held
from nova_core.isolation.take import message_of
from nova_core.isolation.trees import base_of
from nova_core.isolation.values import FULL, Cleared, DiskFull, GitFailed, Limits, NotTaken, Words
from nova_core.text import first_of

_NO_LIMITS = Limits(max_file=1 << 62, max_new=1 << 62)
_MOST_BYTES = 1_000_000_000  # of a file that git is to hold: a larger one stays where it is
_FEW = 3
_OFF = {"clean": "", "process": "", "required": "false"}  # a filter of the project


def keep(repository: Repository, task_id: str, number: int, base: str, words: Words) -> str | None:
    """Keep what the tree holds and commits of the worker's own in the ref `place.kept(task_id, number)`.

    Limits do not count. Returns the ref, or None if there is nothing that the commit does not hold from which the tree
    was made, `base` if that is not noted. Raises GitFailed, OSError.
    """
    return _kept(repository, task_id, number, base, words)[0]


def clear(repository: Repository, task_id: str, number: int, base: str, words: Words) -> Cleared:
    """Keep all that is in the tree, so that nothing is lost if it is removed now.

    What cannot be in the ref stays in the tree, which is moved aside: very large files, those that nobody may read,
    changes in submodules, or all if git fails. Raises DiskFull, OSError.
    """
    if not os.path.lexists(repository.place.tree(task_id)):
        return Cleared()
    ref, why = None, ""
    for _ in "12":
        try:
            ref, why = _kept(repository, task_id, number, base, words)
            break
        except DiskFull:
            raise
        except RecursionError:
            why = "its folders are nested too deeply"
        except (GitFailed, OSError) as error:  # objects that the index names may be gone: all files are read again
            if isinstance(error, OSError) and error.errno in FULL:
                raise
            repository.disk.unlink(repository.place.task_file(task_id, "index"))
            why = str(error)
    return Cleared(ref, _set_aside(repository, task_id, number), why) if why else Cleared(ref)


def _kept(repository: Repository, task_id: str, number: int, base: str, words: Words) -> tuple[str | None, str]:
    """The ref that holds the tree now, if there is anything to hold; and what it lacks, in words."""
    if not os.path.isdir(repository.place.tree(task_id)):
        return None, ""
    base = base_of(repository, task_id) or base
    index = repository.fresh(repository.place.task_file(task_id, "keep.index"))
    repository.disk.step("copy", index)
    shutil.copy2(index_of(repository, task_id, base), index)  # the tree may stay
    try:
        tree, lacks = _recorded(repository, task_id, base, index)
    finally:
        repository.disk.unlink(index)
    own = _own(repository, task_id, base, lacks)
    if not own and not repository.git("diff-tree", "-z", "--raw", base, tree).out:
        return None, "; ".join(lacks)
    fetched = fetch(repository, task_id, base, own) if own else ()
    if len(fetched) < len(own):
        lacks.append("commits of its own cannot be read")
    ref = repository.place.kept(task_id, number)
    commit = repository.commit(tree, [base, *fetched], message_of(repository, task_id, words), words.at)
    repository.move_ref(ref, commit)
    repository.outlive_gc()
    if not repository.is_whole(commit, base):
        raise GitFailed("objects of what was kept have been removed from the repository")
    return ref, "; ".join(lacks)


def _own(repository: Repository, task_id: str, base: str, lacks: list[str]) -> tuple[str, ...]:
    """The commits of the worker's own; if git cannot read them, they are among what is lacking."""
    try:
        return own_commits(repository, task_id, base, "")
    except NotTaken as error:
        lacks.append(str(error))
        return ()


def _recorded(repository: Repository, task_id: str, base: str, index: str) -> tuple[str, list[str]]:
    """The tree object with all that differs in the tree, as the files are if a filter fails; and what it lacks."""
    try:
        contents, lacks = _all(repository, task_id, index)
        try:
            tree, ignored = record(repository, task_id, contents)
        except NotTaken:
            tree, ignored = record(repository, task_id, contents, _without_filters(repository))
    except NotTaken as error:
        return repository.object_name("rev-parse", f"{base}^{{tree}}"), [str(error)]
    lacks += [f"git does not store {shown(name)}" for name in ignored[:_FEW]]
    try:
        require_held(repository, task_id, base, index)
    except NotTaken as error:
        lacks.append(str(error))
    return tree, lacks


def _without_filters(repository: Repository) -> dict[str, str]:
    """The variables for a git that stores files as they are."""
    found = repository.git("config", "--null", "--name-only", "--get-regexp", r"^filter\.", ok=(0, 1)).fields
    drivers = sorted({os.fsdecode(name).rpartition(".")[0] for name in found})
    return settings({f"{driver}.{key}": text for driver in drivers for key, text in _OFF.items()})


def _all(repository: Repository, task_id: str, index: str) -> tuple[Contents, list[str]]:
    """What differs in the tree, files of worktrees inside it, too; and what cannot be read or is too large."""
    tree = repository.place.tree(task_id)
    contents = look(repository, task_id, _NO_LIMITS, index, with_worktrees=True)
    if contents.refused:
        open_up(tree, files=True)
        contents = look(repository, task_id, _NO_LIMITS, index, with_worktrees=True)
    refused = {name for names in contents.refused.values() for name in names}
    large = {name for name in (*contents.new, *contents.changed) if _size(tree, name) > _MOST_BYTES}
    lacks = [f"{reason}: {first_of([*map(shown, names)], _FEW)}" for reason, names in contents.refused.items()]
    if large:
        lacks.append(f"files over {_MOST_BYTES:,} bytes: {first_of([*map(shown, sorted(large))], _FEW)}")
    new, old = ([n for n in names if n not in refused | large] for names in (contents.new, contents.changed))
    return msgspec.structs.replace(contents, new=new, changed=old), lacks


def _size(tree: str, name: bytes) -> int:
    with suppress(OSError):
        found = os.lstat(os.path.join(os.fsencode(tree), name))
        return found.st_size if stat.S_ISREG(found.st_mode) else 0
    return 0


def _set_aside(repository: Repository, task_id: str, number: int) -> str:
    """Give the tree another path, which no task has; returns it."""
    place = repository.place
    while os.path.lexists(path := place.aside(task_id, number)):
        number += 1
    repository.disk.rename(place.tree(task_id), path)
    return path
