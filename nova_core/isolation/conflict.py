"""Puts a conflict into the tree of its task, where it is resolved, and finds what is left of it there."""

from __future__ import annotations

import os
import re
import shutil
from contextlib import suppress
from pathlib import Path

from nova_core.isolation.borrowed import copy_index, note_base, write_repository
from nova_core.isolation.held import hold_work
from nova_core.isolation.kinds import Rest
from nova_core.isolation.merge import Merged, blobs, entries, is_beside, merge_tree, put
from nova_core.isolation.own_commits import borrowing, copy_plain, read_plain
from nova_core.isolation.repository import Repository, is_sha
from nova_core.isolation.values import Taken

_MOST_INDEX = 200_000_000  # bytes


def put_conflict(repository: Repository, task_id: str, taken: Taken, tip: str) -> str:
    """Put the merge of a task's commit with `tip` into its tree, with git's marks; from now on `tip` is its base.

    In the tree, `git status` names the conflicts and `git diff` shows them. Returns the ref that holds the task's
    commit from now on, whatever is made of the conflict. Raises GitFailed, OSError.
    """
    commit = taken.commit or taken.base
    held = hold_work(repository, task_id, commit)
    merged = merge_tree(repository, tip, commit, task_id)
    put(repository, task_id, merged.tree)
    _name_sides(repository, task_id, merged, tip, commit)
    note_base(repository, task_id, tip)
    write_repository(repository, task_id, tip, merging=commit)
    index = repository.fresh(repository.place.task_file(task_id, "conflict"))
    shutil.copy2(repository.place.task_file(task_id, "index"), index)
    gone = [b"0 " + b"0" * len(tip) + b"\t" + name for name in merged.kinds]
    if merged.stages:
        repository.git("update-index", "-z", "--index-info", index=index, stdin=b"\0".join([*gone, *merged.stages, b""]))  # fmt: skip # noqa: E501
    copy_index(repository, task_id, index)
    os.unlink(index)
    return held


def sides(repository: Repository, task_id: str) -> tuple[str, str]:
    """What marks of a conflict call the two sides: what is merged, and the task's work."""
    branch = repository.place.branch.removeprefix("refs/heads/")
    return f"merged by the run ({branch})", f"{task_id} (this task)"


def _name_sides(repository: Repository, task_id: str, merged: Merged, tip: str, commit: str) -> None:
    """Name the two sides in the marks, which git could only give the names of commits."""
    top, (ours, theirs) = os.fsencode(repository.place.tree(task_id)), sides(repository, task_id)
    for name in merged.marked:
        path = os.path.join(top, name)
        with suppress(FileNotFoundError):  # outside of a sparse checkout
            fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
            with open(fd, "r+b") as file:
                text = file.read()
                for sign, sha, side in (("<", tip, ours), (">", commit, theirs)):
                    mark = rb"^(%b{7,} )%b" % (sign.encode(), sha.encode())
                    name_of = os.fsencode(side).replace(b"\\", b"\\\\")
                    text = re.sub(mark, rb"\g<1>" + name_of, text, flags=re.MULTILINE)
                file.seek(0)
                file.write(text)
                file.truncate()


def rest_of(repository: Repository, task_id: str, taken: Taken, tip: str, commit: str) -> Rest:
    """What is left in `taken` of the conflict of `commit`, the task's earlier work, with `tip`.

    A file without marks counts as settled once it differs from what `put_conflict` has put there, or once its conflict
    is settled in the index of the tree, as `git add` and `git rm` do, in the same merge. Raises GitFailed.
    """
    merged = merge_tree(repository, tip, commit, task_id)
    made = entries(repository, tip, taken.tree)
    settled = _with_groups(merged, _settled(repository, task_id, merged, commit))
    changed = {name for name in merged.kinds if made.get(name) != merged.put.get(name)}
    decided = _with_groups(merged, changed | settled)
    open_names = {name for name in merged.kinds if name not in decided | merged.marked}
    for name in merged.kinds:  # what git has put beside a folder of its name
        if is_beside(name, tip, commit) and _is_there(made, name):
            open_names.add(name)
    dropped = sorted(name for name in merged.put if name not in merged.kinds and name not in made)
    relative = repository.relative
    return Rest(
        tuple(map(relative, _marks(repository, task_id, taken, merged, made, (tip, commit)))),
        {relative(name): merged.kinds[name] for name in sorted(open_names)}, tuple(map(relative, dropped)),
        is_empty=not made and bool(dropped or merged.kinds.keys() - settled),
    )  # fmt: skip


def _with_groups(merged: Merged, names: set[bytes]) -> set[bytes]:
    """The names, and those that are one conflict with them."""
    return names.union(*(group for group in merged.groups if group & names))


def _is_there(made: dict[bytes, tuple[str, str]], name: bytes) -> bool:
    return bool(made.get(name, ("", "0"))[1].strip("0"))


def _marks(
    repository: Repository, task_id: str, taken: Taken, merged: Merged, made: dict[bytes, tuple[str, str]],
    commits: tuple[str, str],
) -> list[bytes]:  # fmt: skip
    """The files with marks of this conflict: by the names of its sides anywhere, in its own files any that are new."""
    options = ("grep", "-l", "-z", "-F", "--no-color", "--full-name", "--no-recurse-submodules")
    named = (commits, sides(repository, task_id))
    words = [word for ours, theirs in named for word in ("-e", f"< {ours}", "-e", f"> {theirs}")]
    done = repository.git(*options, *words, taken.tree, ok=(0, 1))
    found = {name.partition(b":")[2] for name in done.fields}
    objects = {name: made[name][1] for name in merged.marked if name in made}
    before: dict[bytes, set[str]] = {}
    for stage in merged.stages:
        head, _, name = stage.partition(b"\t")
        before.setdefault(name, set()).add(head.split()[1].decode())
    contents = blobs(repository, {*objects.values(), *(sha for name in objects for sha in before[name])})
    for name, sha in objects.items():
        known = {line for one in before[name] for line in _like_marks(contents.get(one, b""))}
        if _like_marks(contents.get(sha, b"")) - known:
            found.add(name)
    return sorted(found)


def _like_marks(text: bytes) -> set[bytes]:
    """The lines that look like marks of a conflict."""
    return set(re.findall(rb"^(?:<{7,}|>{7,}|\|{7,})(?: [^\r\n]*)?(?=\r?$)|^={7}(?=\r?$)", text, re.MULTILINE))


def _settled(repository: Repository, task_id: str, merged: Merged, commit: str) -> set[bytes]:
    """The files whose conflict is settled in the index of the tree, if that is still in the merge or has ended it."""
    git = Path(repository.place.tree(task_id), ".git")
    if read_plain(git / "MERGE_HEAD").strip() != commit and not _contains(repository, task_id, _head(git), commit):
        return set()
    copy = repository.fresh(repository.place.task_file(task_id, "conflict"))
    if not copy_plain(git / "index", copy, _MOST_INDEX):
        return set()
    done = repository.git("ls-files", "-u", "-z", index=copy, ok=(0, 1, 128))
    os.unlink(copy)
    if done.code:
        return set()
    return set(merged.kinds) - {row.partition(b"\t")[2] for row in done.fields}


def _head(git: Path) -> str:
    """The commit that a worker's repository is at; "" if that cannot be read."""
    name = read_plain(git / "HEAD").strip()
    if name.startswith("ref: refs/") and ".." not in name:
        ref = name.removeprefix("ref: ")
        packed = (row.partition(" ") for row in read_plain(git / "packed-refs").splitlines())
        name = read_plain(git / ref).strip() or next((sha for sha, _, one in packed if one == ref), "")
    return name if is_sha(name) else ""


def _contains(repository: Repository, task_id: str, head: str, commit: str) -> bool:
    if not head:
        return False
    environ = borrowing(repository, f"{repository.place.tree(task_id)}/.git/objects")
    return repository.git("merge-base", "--is-ancestor", commit, head, environ=environ, ok=(0, 1, 128)).code == 0
