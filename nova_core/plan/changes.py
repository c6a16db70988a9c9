"""Compares a plan with the one the state was written for. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from nova_core.digest import blake2b
from nova_core.model import Task
from nova_core.state.schema import TaskState

_WORDS = 12  # hexadecimal digits of a fingerprint for the task's text; as many follow for its dependencies
_encode = msgspec.json.Encoder().encode


class Changes(msgspec.Struct, frozen=True):
    """The differences between the plan and the state, by task id in plan order."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    edited: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.edited)

    def __str__(self) -> str:
        parts = (("added", self.added), ("removed", self.removed), ("edited", self.edited))
        return "; ".join(f"{len(ids)} {word} ({_some(ids)})" for word, ids in parts if ids)


def _some(ids: tuple[str, ...]) -> str:
    return ", ".join(ids[:5]) + (", ..." if len(ids) > 5 else "")


def fingerprint(task: Task) -> str:
    """Returns a hash of the task's meaning, without its place in the file, priority, limits, estimates or barriers."""
    depends_on = tuple(i for i in task.depends_on if i not in task.barriers) if task.barriers else task.depends_on
    words = (
        task.name, task.description, task.details, task.command, task.agent, task.model, task.outputs,
        [(c.text, c.command) for c in task.criteria], bool(task.approval),
    )  # fmt: skip
    return _hash(words) + _hash(depends_on)


def same_words(one: str | None, other: str | None) -> bool:
    """Returns True if two fingerprints are of tasks with the same text, whatever they depend on."""
    return one is not None and other is not None and one[:_WORDS] == other[:_WORDS]


def _hash(value: object) -> str:
    return blake2b(_encode(value), digest_size=_WORDS // 2).hexdigest()


def compare(plan: Mapping[str, Task], tasks: Mapping[str, TaskState], prints: Mapping[str, str]) -> Changes:
    """Returns the tasks added, removed and edited since the state was written; `prints` are the plan's fingerprints.

    A task that the plan marks as done does not count as edited.
    """
    known = {i: t.fingerprint for i, t in tasks.items()}
    return Changes(
        tuple(i for i in plan if i not in known) if known else (),
        tuple(i for i in known if i not in plan),
        tuple(i for i, task in plan.items() if not task.settled and known.get(i) not in (None, prints[i])),
    )
