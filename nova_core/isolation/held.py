"""Holds a task's work by a ref that nothing moves, before the one that it has gets other work."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from nova_core.isolation.repository import Repository
from nova_core.isolation.values import name_of


def hold_work(repository: Repository, task_id: str, commit: str) -> str:
    """Hold a task's commit by a ref of its own; returns the ref. Raises GitFailed."""
    ref = repository.place.held(task_id, commit)
    repository.move_ref(ref, commit)
    return ref


def hold_replaced(repository: Repository, task_id: str, commit: str = "") -> None:
    """Hold what the task's ref has now, unless that is `commit`, its next, or kept already. Raises GitFailed."""
    place = repository.place
    old = repository.read_ref(place.ref(task_id)) if _may_exist(repository, place.ref(task_id)) else None
    if old is None or old == commit:
        return
    its_tree = repository.git("rev-parse", f"{old}^{{tree}}", ok=(0, 128)).out.strip()
    options = ("for-each-ref", "--format=%(tree)")
    kept = repository.git(*options, f"refs/nova/{place.run}/kept/{name_of(task_id)}.*").out.split()
    if its_tree not in kept:
        hold_work(repository, task_id, old)


def is_held(repository: Repository, task_id: str, commit: str) -> bool:
    """Returns True if the commit is one of the task's that a ref of its own holds. Raises GitFailed."""
    ref = repository.place.held(task_id, commit)
    return _may_exist(repository, ref) and repository.read_ref(ref) == commit


def _may_exist(repository: Repository, ref: str) -> bool:
    """Returns False for a ref that does not exist, as those of most tasks, without starting git."""
    common = repository.place.common
    if os.path.exists(f"{common}/reftable") or os.path.exists(f"{common}/{ref}"):
        return True
    with suppress(FileNotFoundError):
        return os.fsencode(f" {ref}\n") in Path(common, "packed-refs").read_bytes()
    return False
