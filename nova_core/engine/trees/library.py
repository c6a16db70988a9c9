"""What the engine asks of git: the functions of `nova_core.isolation` for one run, so that tests can do without git."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec

from nova_core.files.disk import Disk
from nova_core.isolation import carry, conflict, held, keep, landing, merge, needs, restored, survey, sweep, take, trees
from nova_core.isolation.kinds import Rest
from nova_core.isolation.repository import Repository
from nova_core.isolation.values import (
    Candidate,
    Carried,
    Cleared,
    Conflict,
    Followed,
    Landed,
    Landing,
    Limits,
    Needs,
    Nothing,
    Place,
    Postponed,
    Restored,
    Survey,
    Taken,
    Words,
)


class Library(Protocol):
    """The git steps of one run; `nova_core.isolation` says what each does and raises. Each may be repeated."""

    def begin(self, base: str, uncommitted: tuple[str, ...], at: int) -> str: ...
    def restore(self, tip: str, landed: str, commits: dict[str, str]) -> Restored | None: ...
    def tip(self, known: str) -> str: ...
    def make_tree(self, task_id: str, base: str, needs: Needs) -> object: ...
    def note_written(self, task_id: str, names: tuple[str, ...]) -> object: ...
    def take(self, task_id: str, base: str, words: Words, limits: Limits) -> Taken: ...
    def keep(self, task_id: str, number: int, base: str, words: Words) -> str | None: ...
    def restored(self, task_id: str, taken: Taken, words: Words, limits: Limits) -> Taken: ...
    def clear(self, task_id: str, number: int, base: str, words: Words) -> Cleared: ...
    def merge(self, task_id: str, known: str, taken: Taken, words: Words) -> Candidate | Conflict | Nothing: ...
    def bring(self, task_id: str, candidate: Candidate) -> object: ...
    def advance(self, task_id: str, candidate: Candidate) -> bool: ...
    def merged_already(self, task_id: str, known: str, taken: Taken) -> str | None: ...
    def put_conflict(self, task_id: str, taken: Taken, tip: str) -> str: ...
    def rest_of(self, task_id: str, taken: Taken, tip: str, commit: str) -> Rest: ...
    def hold(self, task_id: str, commit: str) -> object: ...
    def hold_left(self, task_id: str) -> object: ...
    def away(self, task_id: str) -> object: ...
    def carry_out(self, task_id: str, outputs: tuple[str, ...], commit: str, number: int, words: Words) -> Carried: ...
    def forget(self, task_ids: tuple[str, ...]) -> object: ...
    def land(self, landed: Landing) -> Landed | Postponed | Nothing: ...
    def has_landed(self, branch: str, tip: str) -> bool: ...
    def follow(self, landed: Landing, at: int) -> Followed | Conflict | Postponed: ...
    def dirty(self) -> tuple[str, ...]: ...
    def sweep(self, landed: Landing | None) -> object: ...
    def finish(self, landed: str | None) -> object: ...
    def interrupt(self) -> object: ...
    def close(self) -> object: ...


class RunGit:
    """The steps on a repository."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository

    def begin(self, base: str, uncommitted: tuple[str, ...], at: int) -> str:
        return trees.begin(self._repository, base, uncommitted, at)

    def restore(self, tip: str, landed: str, commits: dict[str, str]) -> Restored | None:
        return trees.restore(self._repository, tip, landed, commits)

    def tip(self, known: str) -> str:
        return merge.tip_of(self._repository, known)

    def make_tree(self, task_id: str, base: str, needs: Needs) -> None:
        trees.make_tree(self._repository, task_id, base, needs)

    def note_written(self, task_id: str, names: tuple[str, ...]) -> None:
        needs.note_written(self._repository, task_id, names)

    def take(self, task_id: str, base: str, words: Words, limits: Limits) -> Taken:
        return take.take(self._repository, task_id, base, words, limits)

    def keep(self, task_id: str, number: int, base: str, words: Words) -> str | None:
        return keep.keep(self._repository, task_id, number, base, words)

    def clear(self, task_id: str, number: int, base: str, words: Words) -> Cleared:
        return keep.clear(self._repository, task_id, number, base, words)

    def restored(self, task_id: str, taken: Taken, words: Words, limits: Limits) -> Taken:
        return restored.restored(self._repository, task_id, taken, words, limits)

    def merge(self, task_id: str, known: str, taken: Taken, words: Words) -> Candidate | Conflict | Nothing:
        return merge.merge(self._repository, task_id, known, taken, words)

    def bring(self, task_id: str, candidate: Candidate) -> None:
        merge.bring(self._repository, task_id, candidate)

    def advance(self, task_id: str, candidate: Candidate) -> bool:
        return merge.advance(self._repository, task_id, candidate)

    def merged_already(self, task_id: str, known: str, taken: Taken) -> str | None:
        return merge.merged_already(self._repository, task_id, known, taken)

    def put_conflict(self, task_id: str, taken: Taken, tip: str) -> str:
        return conflict.put_conflict(self._repository, task_id, taken, tip)

    def rest_of(self, task_id: str, taken: Taken, tip: str, commit: str) -> Rest:
        return conflict.rest_of(self._repository, task_id, taken, tip, commit)

    def hold(self, task_id: str, commit: str) -> None:
        self._repository.move_ref(self._repository.place.ref(task_id), commit)

    def hold_left(self, task_id: str) -> None:
        held.hold_replaced(self._repository, task_id)

    def away(self, task_id: str) -> None:
        trees.away(self._repository, task_id)

    def carry_out(self, task_id: str, outputs: tuple[str, ...], commit: str, number: int, words: Words) -> Carried:
        return carry.carry_out(self._repository, task_id, outputs, commit, number, words)

    def forget(self, task_ids: tuple[str, ...]) -> None:
        sweep.forget(self._repository, task_ids)

    def land(self, landed: Landing) -> Landed | Postponed | Nothing:
        return landing.land(self._repository, landed)

    def has_landed(self, branch: str, tip: str) -> bool:
        return landing.has_landed(self._repository, branch, tip)

    def follow(self, landed: Landing, at: int) -> Followed | Conflict | Postponed:
        return landing.follow(self._repository, landed, at)

    def dirty(self) -> tuple[str, ...]:
        place = self._repository.place
        return survey.dirty(f"{place.top}/{place.prefix}".rstrip("/"), place.prefix)

    def sweep(self, landed: Landing | None) -> None:
        sweep.sweep(self._repository, landed)

    def finish(self, landed: str | None) -> None:
        sweep.finish(self._repository, landed)

    def interrupt(self) -> None:
        self._repository.interrupt()

    def close(self) -> None:
        self._repository.close()


def _open(place: Place, disk: Disk) -> Library:
    return RunGit(Repository(place, disk))


class Gits(msgspec.Struct, frozen=True):
    """How a host looks at repositories: `look` at one, choose a run's `place` in it, `open` that for its steps."""

    look: Callable[[str], Survey] = survey.survey
    choose_place: Callable[[Survey, str, str | None], Place] = survey.choose_place
    open: Callable[[Place, Disk], Library] = _open
