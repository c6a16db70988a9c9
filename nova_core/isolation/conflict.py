"""Puts a conflict into the tree of its task, where it is resolved, and finds marks that were left."""

from __future__ import annotations

import os
import shutil

from nova_core.isolation.borrowed import copy_index, write_repository
from nova_core.isolation.merge import merge_tree, put
from nova_core.isolation.repository import Repository
from nova_core.isolation.values import Taken


def put_conflict(repository: Repository, task_id: str, taken: Taken, tip: str) -> None:
    """Put the merge of a task's commit with `tip` into its tree, with git's marks; from now on `tip` is its base.

    In the tree, `git status` names the conflicts and `git diff` shows them. Raises GitFailed, OSError.
    """
    commit = taken.commit or taken.base
    merged = merge_tree(repository, tip, commit, task_id)
    put(repository, task_id, merged.tree)
    write_repository(repository, task_id, tip, merging=commit)
    index = repository.fresh(repository.place.task_file(task_id, "conflict"))
    shutil.copy2(repository.place.task_file(task_id, "index"), index)
    gone = [b"0 " + b"0" * len(tip) + b"\t" + name for name in merged.kinds]
    if merged.stages:
        repository.git("update-index", "-z", "--index-info", index=index, stdin=b"\0".join([*gone, *merged.stages, b""]))  # fmt: skip # noqa: E501
    copy_index(repository, task_id, index)
    os.unlink(index)


def marks_left(repository: Repository, taken: Taken, tip: str, before: str) -> tuple[str, ...]:
    """The files of what was taken that still hold marks of the conflict of `before`, the earlier commit, with `tip`.

    Names are relative to the project's folder. Raises GitFailed.
    """
    options = ("grep", "-l", "-z", "-F", "--no-color", "--full-name", "--no-recurse-submodules")
    done = repository.git(*options, "-e", f"< {tip}", "-e", f"> {before}", taken.tree, ok=(0, 1))
    return tuple(repository.relative(name.partition(b":")[2]) for name in done.fields)
