"""Brings a task's commit onto the run's branch, one task at a time, without a work tree."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from contextlib import suppress
from glob import escape, glob
from pathlib import Path

import msgspec

from nova_core.isolation.borrowed import copy_index, note_base, write_repository
from nova_core.isolation.kinds import refined
from nova_core.isolation.program import shown
from nova_core.isolation.repository import Repository, changed, is_sha
from nova_core.isolation.survey import branch_of
from nova_core.isolation.take import message_of
from nova_core.isolation.values import Candidate, CheckedOut, Conflict, GitFailed, Nothing, Stale, Taken, Words

_SEPARATOR = "\x01"


class Merged(msgspec.Struct, frozen=True):
    """What git makes of two commits: a tree object, and if they conflict, entries for the index and kinds by name.

    `put` is how the tree differs from `ours`: mode and object by name. `marked` are the files with marks of conflict;
    `groups` are the names that are one conflict together, as in a file that both have renamed.
    """

    tree: str
    stages: list[bytes]
    kinds: dict[bytes, str]
    put: dict[bytes, tuple[str, str]] = {}
    marked: frozenset[bytes] = frozenset()
    groups: list[frozenset[bytes]] = []


def merge_tree(repository: Repository, ours: str, theirs: str, task_id: str = "") -> Merged:
    """Merge two commits into a tree object, with marks where they conflict. Raises GitFailed.

    Git reads attributes, such as `merge=union`, from the tree of the task, if it is there.
    """
    place = repository.place
    tree = place.tree(task_id) if task_id and os.path.isdir(place.tree(task_id)) else place.top
    done = repository.git("merge-tree", "--write-tree", "-z", "--messages", ours, theirs, tree=tree, ok=(0, 1))
    fields = done.out.split(b"\0")
    if not is_sha(fields[0]):  # 1 is also the code for a name that git does not know
        raise GitFailed(f"git merge-tree made no tree: {done.error.strip()[-200:]}")
    if done.code == 0:
        return Merged(fields[0].decode(), [], {})
    end = fields.index(b"", 1) if b"" in fields[1:] else len(fields)
    stages, said = fields[1:end], _said(fields[end + 1 :])
    names = {stage.partition(b"\t")[2] for stage in stages}
    kinds = {name: kind for paths, kind in said for name in paths if name in names}
    kinds |= {name: "file/directory" for name in names if is_beside(name, ours, theirs)}
    put = entries(repository, ours, fields[0].decode())
    marked = _marked(repository, ours, {name: put[name][1] for name in names if name in put})
    return Merged(
        fields[0].decode(), stages, refined(dict.fromkeys(sorted(names), "contents") | kinds, stages, marked), put,
        marked, [frozenset(paths) & names for paths, _ in said],
    )  # fmt: skip


def _said(fields: list[bytes]) -> list[tuple[list[bytes], str]]:
    """Paths and kinds of conflicts from git's messages: a count, so many paths, `CONFLICT (kind)`, a sentence."""
    found: list[tuple[list[bytes], str]] = []
    at = 0
    while at < len(fields) and fields[at].isdigit():
        count = int(fields[at])
        paths, kind = fields[at + 1 : at + 1 + count], shown(b"".join(fields[at + 1 + count : at + 2 + count]))
        if kind.startswith("CONFLICT"):
            found.append((paths, kind.partition("(")[2].rstrip(")") or "contents"))
        at += count + 3
    return found


def is_beside(name: bytes, *commits: str) -> bool:
    """Returns True for a name that git gives to a file beside a folder, or another file, of the same name."""
    return any(re.search(rb"~%b(_\d+)?\Z" % commit.encode(), name) for commit in commits)


def entries(repository: Repository, old: str, new: str) -> dict[bytes, tuple[str, str]]:
    """How `new`, a commit or tree object, differs from `old`: mode and object by name, zeros for what is gone."""
    fields = repository.git("diff-tree", "-r", "-z", "--raw", "--no-renames", old, new).fields
    return {name: (mode, sha) for name, _, mode, sha in changed(fields)}


def _marked(repository: Repository, label: str, objects: dict[bytes, str]) -> frozenset[bytes]:
    """Those of the files in which git has put marks of a conflict."""
    found = blobs(repository, objects.values())
    mark = re.compile(rb"^<{7,} " + label.encode(), re.MULTILINE)
    return frozenset(name for name, sha in objects.items() if mark.search(found.get(sha, b"")))


def blobs(repository: Repository, names: Iterable[str]) -> dict[str, bytes]:
    """The contents of the objects that are files and are there. Raises GitFailed."""
    asked = sorted({name for name in names if name.strip("0")})
    if not asked:
        return {}
    out, found, at = repository.git("cat-file", "--batch", stdin="\n".join([*asked, ""]).encode()).out, {}, 0
    for name in asked:
        end = out.find(b"\n", at)
        head = out[at:end].split()
        if end < 0 or len(head) not in (2, 3) or head[0] != name.encode():
            raise GitFailed("git cat-file printed something unexpected")
        at = end + 1
        if len(head) == 3:
            size = int(head[2])
            if head[1] == b"blob":
                found[name] = out[at : at + size]
            at += size + 1
    return found


def merge(
    repository: Repository, task_id: str, known: str, taken: Taken, words: Words
) -> Candidate | Conflict | Nothing:
    """The commit that would bring a task's work onto the run's branch; moves nothing.

    `known` is where the run last knew its branch. If somebody has added commits since, they are merged with. Raises
    Stale if the branch is anywhere else, GitFailed.
    """
    tip = tip_of(repository, known)
    if taken.commit is None:
        return Nothing(tip)
    if tip == taken.base:
        return _whole(repository, task_id, Candidate(tip, taken.commit, taken.files, is_checked=True))
    merged = merge_tree(repository, tip, taken.commit, task_id)
    if merged.kinds:
        return Conflict(tip, {repository.relative(name): kind for name, kind in merged.kinds.items()})
    options = ("diff-tree", "-r", "-z", "--raw", "--no-renames")
    files = [name for name, _, _, _ in changed(repository.git(*options, tip, merged.tree).fields)]
    if not files:
        return Nothing(tip)
    commit = repository.commit(merged.tree, [tip], message_of(repository, task_id, words), words.at)
    names = tuple(repository.relative(name) for name in files)
    return _whole(repository, task_id, Candidate(tip, commit, names, is_checked=merged.tree == taken.tree))


def _whole(repository: Repository, task_id: str, candidate: Candidate) -> Candidate:
    if not repository.is_whole(candidate.commit, candidate.tip):
        repository.disk.unlink(repository.place.task_file(task_id, "index"))  # taking again reads all files
        raise GitFailed("objects of the task's commit have been removed from the repository")
    return candidate


def tip_of(repository: Repository, known: str) -> str:
    """Where the run's branch is. Raises Stale unless that is `known`, or further on."""
    tip, name = repository.read_ref(repository.place.branch), repository.place.branch.removeprefix("refs/heads/")
    if tip is None:
        raise Stale(f"the branch {name} is gone", hint=f"restore it with: git branch {name} {known}")
    if tip != known and not repository.is_ancestor(known, tip):
        raise Stale(
            f"the branch {name} was moved from {known[:10]} to {tip[:10]}",
            hint=f"move it back with: git branch -f {name} {known}",
        )
    return tip


def require_free(repository: Repository) -> None:
    """Raise CheckedOut if the run's branch is: files there would not follow, and a commit would undo merges."""
    place = repository.place
    for folder in (place.common, *glob(f"{escape(place.common)}/worktrees/*")):
        if branch_of(folder) == place.branch:
            name = place.branch.removeprefix("refs/heads/")
            where = place.top if folder == place.git_dir else _work_tree(folder)
            raise CheckedOut(f"the branch {name} is checked out in {where}: git switch to another one there")


def _work_tree(git_dir: str) -> str:
    """Where the work tree of a git directory is, as far as that is known."""
    with suppress(OSError):
        return os.path.dirname(Path(git_dir, "gitdir").read_text("utf-8", "replace").strip())
    return os.path.dirname(git_dir)


def bring(repository: Repository, task_id: str, candidate: Candidate) -> None:
    """Put the files of a candidate into the task's tree, for the second check. Raises GitFailed, OSError."""
    put(repository, task_id, candidate.commit)
    note_base(repository, task_id, candidate.tip)
    write_repository(repository, task_id, candidate.commit)
    copy_index(repository, task_id)


def put(repository: Repository, task_id: str, tree_object: str) -> None:
    """Make the files in a tree those of a commit or tree object. All that was in it is in a commit already."""
    place = repository.place
    index = repository.fresh(place.task_file(task_id, "index"))
    repository.git("read-tree", "--reset", "-u", tree_object, tree=place.tree(task_id), index=index)
    os.makedirs(place.folder(task_id), exist_ok=True)


def advance(repository: Repository, task_id: str, candidate: Candidate) -> bool:
    """Move the run's branch to the candidate; returns False if it is not at `candidate.tip`: merge again.

    So too if a `git gc --prune=now` has removed the candidate, which merging makes again. Raises CheckedOut, GitFailed.
    """
    branch = repository.place.branch
    require_free(repository)
    try:
        is_moved = repository.move_ref(branch, candidate.commit, candidate.tip, f"nova: {task_id}")
    except GitFailed:
        if repository.is_whole(candidate.commit, candidate.tip):
            raise
        return False
    if is_moved and repository.outlive_gc() and not repository.is_whole(candidate.commit, candidate.tip):
        repository.move_ref(branch, candidate.tip, candidate.commit, f"nova: {task_id} again")
        return False
    return is_moved


def merged_already(repository: Repository, task_id: str, known: str, taken: Taken) -> str | None:
    """The commit after `known` on the run's branch with which somebody merged the task's work, if there is one.

    That is one that contains the task's commit, or has the line `Nova-Task: ID`. Raises GitFailed, Stale.
    """
    tip = tip_of(repository, known)
    if tip == known:
        return None
    if taken.commit is not None and repository.is_ancestor(taken.commit, tip):
        path = repository.git("rev-list", "--first-parent", "--ancestry-path", f"{taken.commit}..{tip}").out.split()
        first = [sha for sha in path if repository.is_ancestor(taken.commit, sha.decode())]
        return first[-1].decode() if first else taken.commit
    keys = (f"%(trailers:key={key},valueonly,separator=%x02)" for key in ("Nova-Task", "Nova-Run"))
    log = repository.git("log", "-z", f"--format=%H%x01{'%x01'.join(keys)}", f"{known}..{tip}").fields
    for row in log:
        sha, tasks, runs = [*shown(row).split(_SEPARATOR), "", ""][:3]
        if task_id in tasks.split("\x02") and repository.place.run in runs.split("\x02"):
            return sha.strip()
    return None
