"""Conflicts in generated files: merged by making these files again, with the project's own commands."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from functools import partial

from nova_core.engine.trees.base import Base
from nova_core.engine.trees.checks import MergeChecks
from nova_core.engine.trees.conflicts import Conflicts
from nova_core.isolation.values import Conflict, Limits, Taken
from nova_core.model import Criterion
from nova_core.state.events import EventKind
from nova_core.state.git_run import QUEUED

Then = Callable[[str, bool], object]


class Generated:
    """Puts a conflict into the task's tree, makes its files again there, and takes what that gives."""

    def __init__(self, base: Base, checks: MergeChecks, conflicts: Conflicts) -> None:
        self._base = base
        self._checks = checks
        self._conflicts = conflicts

    def make(self, task_id: str, taken: Taken, conflict: Conflict, lines: list[str], then: Then) -> None:
        """Run the commands `lines`; `then` is called with the task, and whether what it conflicted in is made."""
        commands = [(0, Criterion(line, line)) for line in lines]
        over = partial(self._over, task_id, taken, conflict, then)
        self._base.steps.post(
            task_id, lambda: self._base.git.put_conflict(task_id, taken, conflict.tip),
            lambda _: self._checks.begin(task_id, commands, over, what="making generated files again"),
            lambda error: self._give_up(task_id, str(error), then),
        )  # fmt: skip

    def _over(self, task_id: str, taken: Taken, conflict: Conflict, then: Then, failed: str | None) -> None:
        if failed is not None:
            self._give_up(task_id, f"generated files could not be made again: {failed}", then)
            return
        base, git = self._base, self._base.parts.config.git
        words, limits = base.words_of_end(task_id), Limits(git.max_file, git.max_new)

        def work() -> tuple[Taken, tuple[str, ...]]:
            made = base.git.take(task_id, conflict.tip, words, limits)
            return made, base.git.rest_of(task_id, made, conflict.tip, taken.commit or "").marks

        base.steps.post(
            task_id, work, partial(self._taken, task_id, taken, conflict, then),
            lambda error: self._give_up(task_id, str(error), then),
        )  # fmt: skip

    def _taken(
        self, task_id: str, taken: Taken, conflict: Conflict, then: Then, found: tuple[Taken, tuple[str, ...]]
    ) -> None:
        made, marks = found
        if marks:
            self._give_up(task_id, f"marks of the conflict are left in {', '.join(marks[:5])}", then)
            return
        self._base.store.record(
            EventKind.TASK_TAKEN, task_id, f"{task_id}: generated files are made again", merge=QUEUED,
            taken=made.commit or made.base, base_sha=conflict.tip, files_changed=made.files, unmerged=taken.commit,
        )  # fmt: skip
        then(task_id, True)

    def _give_up(self, task_id: str, why: str, then: Then) -> None:
        self._conflicts.fail_for_good(task_id, why)
        then(task_id, False)


def generators(generated: Mapping[str, str], files: Iterable[str]) -> list[str]:
    """Returns the commands that make all of these files again; none if one of them is not generated. Pure."""
    found: dict[str, None] = {}
    for path in files:
        line = next((line for pattern, line in generated.items() if _fits(path, pattern)), None)
        if line is None:
            return []
        found[line] = None
    return list(found)


def _fits(path: str, pattern: str) -> bool:
    """Returns True if the pattern names the file; without a slash in any folder, `gen/**` all below that folder."""
    name = path if "/" in pattern else path.rpartition("/")[2]
    return fnmatchcase(name, pattern.replace("**", "*"))
