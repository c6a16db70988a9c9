"""What a run has left in git, in words, and whether any of it is work that is nowhere else."""

from __future__ import annotations

import os

from nova_core.git.repository import is_contained
from nova_core.isolation.survey import choose_trees
from nova_core.isolation.values import Leftover, Survey
from nova_core.text import clean, size

_HEADS = "refs/heads/"


def is_spent(found: Survey, left: Leftover) -> bool:
    """Returns True if nothing is lost with it: no trees, no refs of kept work, and its branch is in the user's."""
    if left.trees or left.refs:
        return False
    return not left.branch or is_contained(found.top, left.branch, "HEAD")


def described(found: Survey, left: Leftover, trees: str | None, plan: str) -> list[str]:
    """The run, its branch, its trees and its refs, each with its size."""
    lines = [f"run {clean(left.run)}" + (f" of {clean(plan)}" if plan else "")]
    if left.branch:
        merged = is_contained(found.top, left.branch, "HEAD")
        state = "merged into your branch" if merged else "not in your branch"
        lines.append(f"  branch {clean(left.branch.removeprefix(_HEADS))}: {state}")
    folder = f"{choose_trees(found.top, trees)}/{left.run}"
    lines += [f"  tree {clean(f'{folder}/{name}')}: {size(disk_usage(f'{folder}/{name}'))}" for name in left.trees]
    lines += [f"  {clean(kept.ref)}: {size(kept.size)}" for kept in left.refs]
    return lines


def disk_usage(folder: str) -> int:
    """The bytes of the files below a folder, without following links; what cannot be read does not count."""
    total, folders = 0, [folder]
    while folders:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    else:
                        total += entry.stat(follow_symlinks=False).st_size
        except OSError:
            continue
    return total
