"""Builds engines on small plans, with fake processes by default."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec
from fakes import FakeClock, FakeExecutor

from nova_core.command import Command
from nova_core.config import Config
from nova_core.engine.startup import Host, RunOptions
from nova_core.engine.trees.library import Gits
from nova_core.executors.base import Ended, Job
from nova_core.files.disk import Disk
from nova_core.files.inbox import CommandMessage, attempt_token, load_secret
from nova_core.holder.proof import prove
from nova_core.orchestrator import Orchestrator
from nova_core.state import StateManager
from nova_core.state.events import Event, EventKind
from nova_core.state.schema import TaskState

HEADER = "| Task ID | Task Name | What Changes | Depends On | Command |"


def write_plan(
    folder: Path, rows: Iterable[tuple[str, str]], *, extra: dict[str, dict[str, str]] | None = None
) -> Path:
    """A CASCADE.md in `folder`: rows of (id, dependencies); `extra` adds columns: {column: {id: value}}."""
    columns = extra or {}
    header = HEADER + "".join(f" {name} |" for name in columns)
    lines = [
        "# Test plan",
        "",
        "## L1: Branch",
        "",
        "### L2: Group",
        "",
        header,
        "|" + " --- |" * (header.count("|") - 1),
    ]
    for task_id, deps in rows:
        cells = [task_id, f"Task {task_id}", "does it", deps, columns.get("Command", {}).get(task_id, "true")]
        cells += [values.get(task_id, "") for name, values in columns.items() if name != "Command"]
        lines.append("| " + " | ".join(cells) + " |")
    if "Command" in columns:
        lines[6] = HEADER + "".join(f" {name} |" for name in columns if name != "Command")
        lines[7] = "|" + " --- |" * (lines[6].count("|") - 1)
    path = folder / "CASCADE.md"
    path.write_text("\n".join(lines) + "\n")
    return path


def host(fake: FakeExecutor, disk: Disk | None = None, *, background: bool = False, gits: Gits | None = None) -> Host:
    """A host with the fake's time, on which only the fake runs jobs; without `background`, no second thread writes."""
    return Host(fake.clock, disk or Disk(), lambda *_: fake, background, gits)


def make_engine(
    folder: Path,
    rows: Iterable[tuple[str, str]] | None = None,
    *,
    outcome: Callable[[Job], Ended | None] | None = None,
    executor: FakeExecutor | None = None,
    extra: dict[str, dict[str, str]] | None = None,
    config: Config | None = None,
    max_workers: int = 2,
    disk: Disk | None = None,
    background: bool = False,
    gits: Gits | None = None,
    **options: Any,
) -> tuple[Orchestrator, FakeExecutor]:
    """An orchestrator over a fake executor and a fake clock; with `rows` None the existing plan is used."""
    if rows is not None:
        write_plan(folder, rows, extra=extra)
    fake = executor or FakeExecutor(FakeClock(), outcome)
    engine = Orchestrator(
        folder / "CASCADE.md",
        folder / "cascade_state.json",
        max_workers,
        config=config or Config(),
        options=RunOptions(**options),
        host=host(fake, disk, background=background, gits=gits),
    )
    return engine, fake


def report(engine: Orchestrator, task_id: str, attempt: int = 1, **fields: Any) -> Path:
    """A message in the inbox, as the worker of that attempt would write it; returns its path."""
    secret = load_secret(engine.project.secret_file)
    run = engine.store.run.id
    token = attempt_token(secret, run, task_id, attempt)
    body = {"kind": "report", "run": run, "task": task_id, "attempt": attempt, "token": token, **fields}
    return drop(engine, json.dumps(body).encode())


def drop(engine: Orchestrator, data: bytes, name: str = "") -> Path:
    """A file in the inbox, written unchanged; returns its path."""
    new = engine.project.inbox_dir / "new"
    path = new / (name or f"{len(list(new.iterdir())):04}.{os.urandom(4).hex()}")
    path.write_bytes(data)
    return path


def order(engine: Orchestrator, command: Command, *, at: int = 0, key: bytes = b"", name: str = "") -> Path:
    """A command in the inbox, as a person's program sends it `at` (nanoseconds, now by default); returns its path."""
    key = key or load_secret(engine.project.secret_file)
    name = name or f"{at or time.time_ns()}.1.{os.urandom(4).hex()}"
    raw = msgspec.json.encode(command)
    message = CommandMessage(msgspec.Raw(raw), prove(key, "command", name, raw))
    return drop(engine, msgspec.json.encode(message), name)


def tasks_of(folder: Path) -> dict[str, TaskState]:
    """The tasks in the state file of a project."""
    return StateManager(folder / "cascade_state.json").load().tasks


def add_criteria(folder: Path, task_id: str, *commands: str) -> None:
    """Criteria of a task, at the end of the plan."""
    lines = "".join(f"- [ ] `{command}`\n" for command in commands)
    with (folder / "CASCADE.md").open("a") as plan:
        plan.write(f"\n#### {task_id}\n\n{lines}")


def on(engine: Orchestrator, kind: EventKind, task_id: str | None, action: Callable[[], object]) -> list[Event]:
    """Run `action` at the first such event; returns the list that collects all events."""
    seen: list[Event] = []
    armed = [True]

    def listen(event: Event) -> None:
        seen.append(event)
        if armed and event.kind is kind and event.task == task_id:
            armed.clear()
            action()

    engine.subscribe(listen)
    return seen


def killed(engine: Orchestrator) -> None:
    """The result of a kill: the files on disk, and no lock."""
    engine.close()
