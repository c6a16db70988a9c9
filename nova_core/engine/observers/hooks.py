"""Hooks: commands of `nova.yaml` that run beside the engine when an event happens."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import msgspec

from nova_core.config import HooksConfig
from nova_core.engine.observers.hook_data import (
    HookData,
    RunWords,
    standard_input,
    task_words,
    variables,
)
from nova_core.engine.observers.observer import Observer
from nova_core.files.project import Project
from nova_core.launch.launcher import DROPPED
from nova_core.parser import Cascade
from nova_core.plan.blocked import blocked_tasks
from nova_core.runs.result import RunResult
from nova_core.state.events import Event, EventKind
from nova_core.state.schema import NEW
from nova_core.state.store import Store
from nova_core.text import clean, head_and_tail

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future
    from subprocess import Popen

MOST_WAITING = 1000
_HANDING_OVER = 5.0  # seconds for waiting hooks when another engine will continue the run
_SLACK = 10.0  # seconds beyond its timeout for a hook's guard, which ends a whole process tree
_MARGIN = 2.0  # seconds the guard usually needs
_LOOK = 0.1
_ROOT = str(Path(__file__).resolve().parents[3])
_NAMES = {EventKind.RUN_STARTED: "started", EventKind.TASK_FAILED: "failed", EventKind.MILESTONE: "milestone"}


class Hooks(Observer):
    """Runs hooks for the store's events, one after another, in a thread.

    A hook starts only after its event is on disk, and at most once per event, even after a kill. A hook cannot change
    the run: the first failure of each hook is recorded as a warning.
    """

    def __init__(self, project: Project, cascade: Cascade, store: Store, config: HooksConfig) -> None:
        self._project = project
        self._cascade = cascade
        self._store = store
        self._config = config
        self._listens = False
        self._pool: Executor | None = None
        self._given: list[Future[None]] = []
        self._process: Popen[bytes] | None = None
        self._complaints: deque[str] = deque()
        self._bad: set[str] = set()

    # the engine's thread

    def begin(self) -> None:
        """Listen to events from now on, if any hook is configured."""
        self._listens = any(map(self._lines, (*_NAMES.values(), "blocked")))

    def take_plan(self, cascade: Cascade) -> None:
        self._cascade = cascade

    def _lines(self, name: str) -> tuple[str, ...]:
        lines: tuple[str, ...] = getattr(self._config, name)
        return lines

    def see(self, event: Event) -> None:
        if not self._listens or event.kind not in _NAMES:
            return
        if event.kind is EventKind.RUN_STARTED and self._is_takeover():
            return
        self._store.when_published(partial(self._give_away, self._data(event)))

    def _is_takeover(self) -> bool:
        """Returns True if this engine continues the run of an engine that was killed or handed it over."""
        before = self._store.database.last_of(EventKind.RUN_STARTED, EventKind.RUN_ENDED)
        return before is not None and (before.kind is EventKind.RUN_STARTED or bool(before.patch.get("handed_over")))

    def _data(self, event: Event) -> HookData:
        data = self._about(_NAMES[event.kind], event.at, event.message)
        if event.task is not None:
            task, state = self._cascade.tasks.get(event.task), self._store.tasks.get(event.task, NEW)
            return msgspec.structs.replace(data, task=task_words(event.task, task, state, self._project.logs))
        fired = event.patch.get("milestones")
        return msgspec.structs.replace(data, milestone=fired[-1]) if fired else data

    def _about(self, name: str, at: str, message: str, **more: Any) -> HookData:
        store = self._store
        root = os.fsencode(self._project.root).decode("utf-8", "replace")
        run = RunWords(store.run.id, store.project.name, store.project.cascade_file, root)
        return HookData(name, at, message, run, **more)

    def _give_away(self, data: HookData) -> None:
        if data.task is None:
            self._offer(data)
            return
        below = blocked_tasks(self._cascade.dag, self._store.tasks, data.task.id)
        blocked = tuple(i for i in below if not self._cascade.tasks[i].gate)
        self._offer(msgspec.structs.replace(data, blocked=blocked))
        if blocked:
            text = f"{data.task.id} blocks {len(blocked):,} {'task' if len(blocked) == 1 else 'tasks'}"
            self._offer(self._about("blocked", data.at, text, task=data.task, blocked=blocked))

    def _offer(self, data: HookData) -> None:
        from concurrent.futures import ThreadPoolExecutor  # the import takes 10 ms, and most projects have no hooks

        self._pool = self._pool or ThreadPoolExecutor(1, "hooks")
        self._given = self._unfinished()
        for line in self._lines(data.event):
            if len(self._given) <= MOST_WAITING:  # one of them runs
                try:
                    self._given.append(self._pool.submit(self._carry_out, line, data))
                except RuntimeError as error:  # no thread to spare: it waits in the pool until the next one can start
                    self._complain(line, f"will run late: {error}")
            else:
                self._complain("", f"more than {MOST_WAITING:,} hooks are waiting: some will not run")

    def _unfinished(self) -> list[Future[None]]:
        return [future for future in self._given if not future.done()]

    def look(self) -> None:
        """Record the failures of hooks since the last call."""
        while self._complaints:
            self._store.record(EventKind.WARNING, None, self._complaints.popleft())

    def finish(self, result: RunResult | None, hurry: Callable[[], bool]) -> None:
        """Wait for pending hooks, then run and await those for the end of the run.

        Each wait lasts at most about `timeout` seconds, and ends once `hurry()` is True. Without a result, another
        engine continues the run: then the hooks of the end do not run.
        """
        self._drain(self._config.timeout + _MARGIN if result else _HANDING_OVER, hurry)
        if result is not None and self._config.finished:
            about = self._about("finished", result.ended_at, f"{self._store.project.name}: {result.line()}")
            self._offer(msgspec.structs.replace(about, result=result))
            self._drain(self._config.timeout + _MARGIN, hurry)
        if self._complaints:
            self.look()
            self._store.flush()

    def _drain(self, patience: float, hurry: Callable[[], bool]) -> None:
        """Wait up to `patience` seconds for all hooks; then end the running one and cancel the others."""
        deadline = monotonic() + patience
        while self._unfinished() and monotonic() < deadline and not hurry():
            self._wait()
        number = self._end_all()
        if number:
            self._complain("", f"{number:,} {'hook was' if number == 1 else 'hooks were'} not run: out of time")

    def _wait(self) -> None:
        from concurrent.futures import wait

        wait(self._unfinished(), _LOOK)

    def _end_all(self) -> int:
        """End the running hook and cancel the others; returns the number of cancelled hooks."""
        cancelled = sum(future.cancel() for future in self._unfinished())
        deadline = monotonic() + _SLACK
        while self._unfinished() and monotonic() < deadline:
            process = self._process  # None while it starts: the next iteration finds it
            if process is not None:
                process.terminate()
            self._wait()
        return cancelled

    def close(self) -> None:
        """End the running hook and cancel the others."""
        self._end_all()
        if self._pool is not None:
            self._pool.shutdown(wait=False)

    # the thread of the hooks

    def _carry_out(self, line: str, data: HookData) -> None:
        about = f"{data.event} {data.task.id}" if data.task else data.event
        try:
            wrong = self._run(line, data, about)
        except OSError as error:
            wrong = f"could not start: {error.strerror}"
        if wrong:
            shown = clean(head_and_tail(line, 60))
            self._complain(f"{data.event} {line}", f"the hook for {about} {wrong}: {shown} (see .nova/hooks.log)")

    def _run(self, line: str, data: HookData, about: str) -> str:
        """Run one line to its end; returns what was wrong, empty if nothing."""
        import subprocess  # with tempfile 4 ms, and most projects have no hooks
        import tempfile

        from nova_core.holder.hook_guard import CODE, ENDED, TIMED_OUT

        timeout = self._config.timeout
        words = [str(self._project.hooks_log), about, line]
        with tempfile.TemporaryFile() as given:
            given.write(standard_input(data))
            given.seek(0)
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", CODE, _ROOT, str(timeout), *words],
                stdin=given, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self._project.root,
                env=self._environment(data), start_new_session=True,
            )  # fmt: skip
        self._process = process
        try:
            code = process.wait(timeout + _SLACK)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        finally:
            self._process = None
        words_of = {0: "", TIMED_OUT: f"took longer than {timeout:g} s", ENDED: "was stopped"}
        return words_of.get(code, f"failed with exit code {code}")

    def _environment(self, data: HookData) -> dict[str, str]:
        """Returns the engine's environment without settings and git's variables; the event's data take precedence."""
        kept = {k: v for k, v in os.environ.items() if k not in DROPPED and not k.startswith("NOVA_")}
        return {**kept, **variables(data), "NOVA_PROJECT_ROOT": str(self._project.root)}

    def _complain(self, what: str, text: str) -> None:
        if what not in self._bad:
            self._bad.add(what)
            self._complaints.append(text)
