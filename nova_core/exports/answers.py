"""The JSON of `nova plan`, `why`, `logs`, `context` and `list` (docs/output.schema.json); fields may be added. Pure."""

from __future__ import annotations

import inspect
from typing import Any

import msgspec

from nova_core.launch.prompt import Done
from nova_core.state.schema import PastAttempt


class PlannedTask(msgspec.Struct, frozen=True):
    """What the next run does with a task: `action` is "run", "gate" (it opens), "wait" or "skip"; `why` says why.

    `lacking` lists what it cannot start without, if that is why it waits. `approval` says when it needs a person's
    approval: "before" it starts, "after" its work, or "".
    """

    id: str
    name: str
    action: str
    why: str
    lacking: tuple[str, ...] = ()
    approval: str = ""


class PlanAnswer(msgspec.Struct, frozen=True):
    """`nova plan --json`: the selected tasks, first those that would run, in order; what changed since the last run.

    `stay_done` are edited tasks that stay finished without --rerun-changed.
    """

    name: str
    plan: str
    tasks: tuple[PlannedTask, ...]
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    edited: tuple[str, ...] = ()
    stay_done: tuple[str, ...] = ()


class WhyAnswer(msgspec.Struct, frozen=True):
    """`nova why --json`: the state of a task, why it is so, and the commands to type next.

    `state` is one of the keys of `counts` in `nova status --json`; `log` is the path of the latest log, null if nothing
    was printed, and `log_end` its last lines.
    """

    id: str
    name: str
    state: str
    why: tuple[str, ...]
    next: tuple[str, ...]
    attempts: int = 0
    log: str | None = None
    log_end: tuple[str, ...] = ()


class ContextAnswer(msgspec.Struct, frozen=True):
    """`nova context --json`: what a task's agent is given besides its task; `text` is how its prompt says it.

    `past` are its failed attempts, oldest first; `note` is what a person wrote for the next one.
    """

    id: str
    dependencies: tuple[Done, ...]
    past: tuple[PastAttempt, ...]
    note: str
    text: str


class LogLine(msgspec.Struct, frozen=True):
    """A line of `nova logs --json`: `line` counts from 1; `continues`: the next object continues a long line."""

    task: str
    attempt: int
    line: int
    text: str
    continues: bool = False


class ListedPlan(msgspec.Struct, frozen=True):
    """A plan of the project. `state` is what its run is doing, or "not run"; `started_at` is ISO 8601, or null.

    `run` is the id of its run; the counts are of its tasks, `done` with skipped ones.
    """

    plan: str
    name: str = ""
    state: str = "not run"
    run: str = ""
    total: int = 0
    done: int = 0
    failed: int = 0
    running: int = 0
    started_at: str | None = None


class PlanList(msgspec.Struct, frozen=True):
    """`nova list --json`."""

    plans: tuple[ListedPlan, ...]


ANSWERS = {"plan": PlanAnswer, "why": WhyAnswer, "logs": LogLine, "context": ContextAnswer, "list": PlanList}
"""The type of each command's JSON."""


def answers_schema() -> dict[str, Any]:
    """Returns the JSON Schema of all answers (docs/output.schema.json): each command's is in `$defs`, by its type."""
    _, definitions = msgspec.json.schema_components(ANSWERS.values())
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(definitions))
    for definition in plain.values():
        if "properties" in definition:
            definition["required"] = list(definition["properties"])
        definition["description"] = inspect.cleandoc(definition["description"])
    text = msgspec.json.encode(plain).decode().replace("#/components/schemas/", "#/$defs/")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "nova plan, why, logs, context and list --json",
        "oneOf": [{"$ref": f"#/$defs/{answer.__name__}"} for answer in ANSWERS.values()],
        "$defs": msgspec.json.decode(text),
    }
