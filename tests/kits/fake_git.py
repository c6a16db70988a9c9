"""A repository in memory with the git steps of a run, for tests of the engine that start no git."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import sha1
from pathlib import Path

import msgspec

from nova_core.engine.trees.library import Gits
from nova_core.files.disk import Disk
from nova_core.isolation.kinds import Rest
from nova_core.isolation.values import (
    Candidate,
    Carried,
    CheckedOut,
    Cleared,
    Conflict,
    Followed,
    GitFailed,
    Landed,
    Landing,
    Limits,
    Needs,
    Nothing,
    NotTaken,
    Place,
    Postponed,
    Restored,
    Stale,
    Survey,
    Taken,
    Words,
)

Files = Mapping[str, str]
MAIN = "refs/heads/main"
MARK = "<<<<<<<"


class Commit(msgspec.Struct, frozen=True):
    """A commit: its parent, its files, its first line."""

    parent: str
    files: dict[str, str]
    subject: str
    at: int = 0

    @property
    def name(self) -> str:
        return sha1(msgspec.json.encode(self), usedforsecurity=False).hexdigest()


class FakeRepo:
    """What outlives an engine: commits, refs, the user's folder, the trees. `calls` are the steps that were begun.

    `step` is called before and after each step with its name; it may raise. A tree is a dict of files.
    """

    def __init__(self, files: Files) -> None:
        self.commits: dict[str, Commit] = {}
        first = self.commit("", files, "base")
        self.refs = {MAIN: first}
        self.head: str | None = MAIN
        self.folder = dict(files)
        self.trees: dict[str, dict[str, str]] = {}
        self.calls: list[str] = []
        self.step: Callable[[str], object] = lambda name: None
        self.problem = ""
        self.busy = ""
        self.dirty: tuple[str, ...] = ()
        self.in_the_way = ""
        self.carried = Carried()
        self.is_checked_out = False
        self.is_open = 0

    def commit(self, parent: str, files: Files, subject: str, at: int = 0) -> str:
        one = Commit(parent, dict(files), subject, at)
        self.commits[one.name] = one
        return one.name

    def files(self, commit: str) -> dict[str, str]:
        return self.commits[commit].files

    def log(self, ref: str = MAIN) -> list[str]:
        """The first lines of a ref's history, oldest first."""
        found, name = [], self.refs[ref]
        while name:
            found.append(self.commits[name].subject)
            name = self.commits[name].parent
        return found[::-1]

    def history(self, commit: str) -> list[str]:
        found = []
        while commit:
            found.append(commit)
            commit = self.commits[commit].parent
        return found

    def gits(self) -> Gits:
        """For an engine's host."""

        def open_it(place: Place, disk: Disk) -> FakeGit:
            return FakeGit(self, place)

        return Gits(self._look, self._choose, open_it)

    def _look(self, root: str) -> Survey:
        git = f"{root}/.git"
        return Survey(self.problem, git, git, root, "", self.refs[MAIN], self.head, self.dirty, self.busy)

    def _choose(self, found: Survey, run: str, trees: str | None) -> Place:
        where = f"{trees or found.top + '.nova'}/{run}"
        return Place(found.git_dir, found.common, found.top, found.prefix, run, f"refs/heads/nova/{run}", where)


class FakeGit:
    """The steps of one run on a `FakeRepo`."""

    def __init__(self, repo: FakeRepo, place: Place) -> None:
        self.repo = repo
        self.place = place
        repo.is_open += 1

    def _step(self, name: str) -> None:
        self.repo.calls.append(name)
        self.repo.step(name)

    def _over(self, name: str) -> None:
        self.repo.step(f"{name} over")

    def begin(self, base: str, uncommitted: tuple[str, ...], at: int) -> str:
        self._step("begin")
        refs = self.repo.refs
        if self.place.branch not in refs:
            more = {name: self.repo.folder[name] for name in uncommitted}
            files = self.repo.files(base)
            refs[self.place.branch] = self.repo.commit(base, {**files, **more}, "uncommitted", at) if more else base
        self._over("begin")
        return refs[self.place.branch]

    def restore(self, tip: str, landed: str, commits: dict[str, str]) -> Restored | None:
        self._step("restore")
        if self.place.branch in self.repo.refs:
            return None
        is_there = tip in self.repo.commits
        self.repo.refs[self.place.branch] = tip if is_there else landed
        lost = () if is_there else tuple(task_id for task_id, one in commits.items() if one not in self.repo.commits)
        return Restored(self.repo.refs[self.place.branch], lost)

    def tip(self, known: str) -> str:
        at = self.repo.refs.get(self.place.branch)
        if at is None or known not in self.repo.history(at):
            raise Stale("the branch was moved", hint="move it back")
        return at

    def make_tree(self, task_id: str, base: str, needs: Needs) -> None:
        self._step(f"make {task_id}")
        self.repo.trees[task_id] = dict(self.repo.files(base))
        Path(self.place.folder(task_id)).mkdir(parents=True, exist_ok=True)
        self._over(f"make {task_id}")

    def note_written(self, task_id: str, names: tuple[str, ...]) -> None:
        """Nothing but a task's work is in a tree in memory."""

    def take(self, task_id: str, base: str, words: Words, limits: Limits) -> Taken:
        self._step(f"take {task_id}")
        if task_id not in self.repo.trees:
            raise NotTaken("its folder is gone")
        files, old = self.repo.trees[task_id], self.repo.files(base)
        commit = self.repo.commit(base, files, words.subject, words.at) if files != old else None
        if commit:
            self.repo.refs[self.place.ref(task_id)] = commit
        changed = _changed(old, files)
        gone = len(old.keys() - files.keys())
        self._over(f"take {task_id}")
        return Taken(base, commit, "", changed, deleted_most=gone >= 2 and gone * 2 > len(old))

    def keep(self, task_id: str, number: int, base: str, words: Words) -> str | None:
        self._step(f"keep {task_id}")
        files = self.repo.trees.get(task_id)
        ref = self.place.kept(task_id, number)
        if files is None or files == self.repo.files(base):
            return None
        self.repo.refs[ref] = self.repo.commit(base, files, words.subject, words.at)
        self._over(f"keep {task_id}")
        return ref

    def restored(self, task_id: str, taken: Taken, words: Words, limits: Limits) -> Taken:
        self._step(f"restored {task_id}")
        return taken

    def clear(self, task_id: str, number: int, base: str, words: Words) -> Cleared:
        return Cleared(self.keep(task_id, number, base, words))

    def merge(self, task_id: str, known: str, taken: Taken, words: Words) -> Candidate | Conflict | Nothing:
        self._step(f"merge {task_id}")
        tip = self.repo.refs.get(self.place.branch, "")
        if known not in self.repo.history(tip):
            raise Stale(f"{self.place.branch} was moved")
        assert taken.commit is not None
        if tip == taken.base:
            return Candidate(tip, taken.commit, taken.files, is_checked=True)
        merged, conflicts = merge3(*map(self.repo.files, (taken.base, tip, taken.commit)))
        if conflicts:
            return Conflict(tip, conflicts)
        commit = self.repo.commit(tip, merged, words.subject, words.at)
        self._over(f"merge {task_id}")
        return Candidate(tip, commit, _changed(self.repo.files(tip), merged))

    def bring(self, task_id: str, candidate: Candidate) -> None:
        self._step(f"bring {task_id}")
        self.repo.trees[task_id] = dict(self.repo.files(candidate.commit))
        self._over(f"bring {task_id}")

    def advance(self, task_id: str, candidate: Candidate) -> bool:
        self._step(f"advance {task_id}")
        if self.repo.is_checked_out:
            raise CheckedOut("the branch is checked out in /there")
        if self.repo.refs[self.place.branch] not in (candidate.tip, candidate.commit):
            return False
        self.repo.refs[self.place.branch] = candidate.commit
        self._over(f"advance {task_id}")
        return True

    def merged_already(self, task_id: str, known: str, taken: Taken) -> str | None:
        found = self.repo.history(self.repo.refs[self.place.branch])
        new = found[: found.index(known)] if known in found else []
        for commit in new:
            if commit == taken.commit or self.repo.commits[commit].subject.split(":")[0] == task_id:
                return commit
        return None

    def put_conflict(self, task_id: str, taken: Taken, tip: str) -> str:
        self._step(f"put {task_id}")
        assert taken.commit is not None
        merged, conflicts = merge3(*map(self.repo.files, (taken.base, tip, taken.commit)))
        self.repo.trees[task_id] = {**merged, **dict.fromkeys(conflicts, MARK)}
        held = self.place.held(task_id, taken.commit)
        self.repo.refs[held] = taken.commit
        self._over(f"put {task_id}")
        return held

    def rest_of(self, task_id: str, taken: Taken, tip: str, commit: str) -> Rest:
        assert commit in self.repo.commits
        marks = tuple(name for name, text in self.repo.files(taken.commit or tip).items() if MARK in text)
        return Rest(marks, is_empty=taken.commit is None)

    def hold(self, task_id: str, commit: str) -> None:
        self.repo.refs[self.place.ref(task_id)] = commit

    def hold_left(self, task_id: str) -> None:
        refs, mine = self.repo.refs, self.repo.refs.get(self.place.ref(task_id))
        kept = [self.repo.files(commit) for ref, commit in refs.items() if f"/kept/{task_id}." in ref]
        if mine and self.repo.files(mine) not in kept:
            refs[self.place.held(task_id, mine)] = mine

    def away(self, task_id: str) -> None:
        self._step(f"away {task_id}")
        self.repo.trees.pop(task_id, None)
        self._over(f"away {task_id}")

    def carry_out(self, task_id: str, outputs: tuple[str, ...], commit: str, number: int, words: Words) -> Carried:
        self._step(f"carry out {task_id}")
        return self.repo.carried

    def forget(self, task_ids: tuple[str, ...]) -> None:
        for task_id in task_ids:
            self.repo.refs.pop(self.place.ref(task_id), None)

    def land(self, landed: Landing) -> Landed | Postponed | Nothing:
        self._step("land")
        repo = self.repo
        if repo.in_the_way:
            return Postponed("files of yours are in the way", (repo.in_the_way,))
        at = repo.refs[MAIN]
        if repo.head != landed.branch or at not in (landed.old, landed.new):
            return Postponed("your branch has moved", moved=repo.head == landed.branch)
        repo.folder = {**repo.folder, **repo.files(landed.new)}
        for name in repo.files(landed.old).keys() - repo.files(landed.new).keys():
            repo.folder.pop(name, None)
        self.repo.step("landing")
        repo.refs[MAIN] = landed.new
        self._over("land")
        return Landed(landed.new)

    def has_landed(self, branch: str, tip: str) -> bool:
        return tip in self.repo.history(self.repo.refs.get(branch, ""))

    def follow(self, landed: Landing, at: int) -> Followed | Conflict | Postponed:
        self._step("follow")
        repo, mine = self.repo, self.repo.refs[MAIN]
        tip = repo.refs[self.place.branch]
        merged, conflicts = merge3(*map(repo.files, (landed.old, tip, mine)))
        if conflicts:
            return Conflict(tip, conflicts)
        repo.refs[self.place.branch] = repo.commit(tip, merged, "Merge main", at)
        self._over("follow")
        return Followed(repo.refs[self.place.branch], mine)

    def dirty(self) -> tuple[str, ...]:
        return self.repo.dirty

    def sweep(self, landed: Landing | None) -> None:
        self._step("sweep")

    def finish(self, landed: str | None) -> None:
        self._step("finish")
        if landed == self.repo.refs.get(self.place.branch):
            self.repo.refs.pop(self.place.branch, None)

    def interrupt(self) -> None:
        self._step("interrupt")

    def close(self) -> None:
        self.repo.is_open -= 1


def _changed(old: Files, new: Files) -> tuple[str, ...]:
    return tuple(sorted(name for name in {*old, *new} if old.get(name) != new.get(name)))


def merge3(base: Files, ours: Files, theirs: Files) -> tuple[dict[str, str], dict[str, str]]:
    """The merge of two versions, file by file and line by line; and the conflicts, each with its kind."""
    merged, conflicts = {}, {}
    for name in sorted({*base, *ours, *theirs}):
        old, one, two = (files.get(name) for files in (base, ours, theirs))
        found = one if two == old or one == two else two if one == old else None
        if found is None and one is not None and two is not None:
            found = _lines(old or "", one, two)
        if found is not None:
            merged[name] = found
        elif not (one == two or (two == old and one is None) or (one == old and two is None)):
            conflicts[name] = "contents" if one and two else "modify/delete"
    return merged, conflicts


def _lines(old: str, one: str, two: str) -> str | None:
    rows = [text.split("\n") for text in (old, one, two)]
    if len({len(row) for row in rows}) > 1:
        return None
    found = []
    for before, a, b in zip(*rows, strict=True):
        if a != before and b != before and a != b:
            return None
        found.append(a if a != before else b)
    return "\n".join(found)


__all__ = ["MAIN", "MARK", "FakeRepo", "GitFailed", "merge3"]
