"""Runs commands in a thread beside the engine when an event happens: the base of hooks and notifications."""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import msgspec

from nova_core.config.hooks import EVENTS
from nova_core.engine.observers.hook_data import HookData, RunWords, names_of, task_words
from nova_core.engine.observers.observer import Observer
from nova_core.files.project import Project
from nova_core.launch.launcher import DROPPED
from nova_core.parser import Cascade
from nova_core.plan.blocked import blocked_tasks
from nova_core.runs.result import RunResult
from nova_core.state.events import Event, EventKind
from nova_core.state.schema import NEW
from nova_core.state.store import Store

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future
    from subprocess import Popen

MOST_WAITING = 1000
_HANDING_OVER = 5.0  # seconds for waiting hooks when another engine will continue the run
_SLACK = 10.0  # seconds beyond its timeout for a hook's guard, which ends a whole process tree
MARGIN = 2.0  # seconds the guard usually needs
_LOOK = 0.1
ROOT = str(Path(__file__).resolve().parents[3])


class Target(msgspec.Struct, frozen=True):
    """What gets an event: a shell line, its name in warnings, and variables beside those of the event."""

    line: str
    name: str
    variables: Mapping[str, str] = {}


class Reporting(Observer):
    """Runs commands for the store's events, one after another, in a thread.

    A command starts only after its event is on disk, and at most once per event, even after a kill. It cannot change
    the run: its first failure is recorded as a warning. `timeout` is the longest time of one command in seconds.
    """

    KIND = "hook"  # in warnings

    def __init__(self, project: Project, cascade: Cascade, store: Store, timeout: float) -> None:
        self._project = project
        self._cascade = cascade
        self._store = store
        self._timeout = timeout
        self._listens = False
        self._pool: Executor | None = None
        self._given: list[Future[None]] = []
        self._process: Popen[bytes] | None = None
        self._complaints: deque[str] = deque()
        self._bad: set[str] = set()
        self._is_over = threading.Event()

    # what subclasses decide

    def _targets(self, name: str) -> tuple[Target, ...]:
        """What gets the event of this name."""
        raise NotImplementedError

    @property
    def _patience(self) -> float:
        """The longest time in seconds for which the end of the run waits."""
        return self._timeout + MARGIN

    def _deliver(self, target: Target, data: HookData, about: str) -> str:
        """Give the data to the target; returns what went wrong, empty if nothing. Called in the thread."""
        raise NotImplementedError

    # the engine's thread

    def begin(self) -> None:
        """Listen to events from now on, if anything is configured for any of them."""
        self._listens = any(map(self._targets, EVENTS))

    def take_plan(self, cascade: Cascade) -> None:
        self._cascade = cascade

    def see(self, event: Event) -> None:
        if not self._listens:
            return
        state = self._store.tasks.get(event.task, NEW) if event.task is not None else NEW
        names = names_of(event, state.verdict)
        if not names or (event.kind is EventKind.RUN_STARTED and self._is_takeover()):
            return
        for name in names:
            self._store.when_published(partial(self._give_away, self._data(name, event)))

    def _is_takeover(self) -> bool:
        """Returns True if this engine continues the run of an engine that was killed or handed it over."""
        before = self._store.database.last_of(EventKind.RUN_STARTED, EventKind.RUN_ENDED)
        return before is not None and (before.kind is EventKind.RUN_STARTED or bool(before.patch.get("handed_over")))

    def _data(self, name: str, event: Event) -> HookData:
        data = self._about(name, event.at, event.message)
        if event.task is not None:
            if name == "asked":
                error = self._store.tasks.get(event.task, NEW).error or ""
                data = msgspec.structs.replace(data, message=f"{event.task}: {error.removeprefix('asked: ')}")
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
        if data.task is None or data.event != "failed":
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

        self._pool = self._pool or ThreadPoolExecutor(1, f"{self.KIND}s")
        self._given = self._unfinished()
        for target in self._targets(data.event):
            if len(self._given) <= MOST_WAITING:  # one of them runs
                try:
                    self._given.append(self._pool.submit(self._carry_out, target, data))
                except RuntimeError as error:  # no thread to spare: it waits in the pool until the next one can start
                    self._complain(target.name, f"will run late: {error}")
            else:
                self._complain("", f"more than {MOST_WAITING:,} {self.KIND}s are waiting: some will not run")

    def _unfinished(self) -> list[Future[None]]:
        return [future for future in self._given if not future.done()]

    def look(self) -> None:
        """Record the failures since the last call."""
        while self._complaints:
            self._store.record(EventKind.WARNING, None, self._complaints.popleft())

    def finish(self, result: RunResult | None, hurry: Callable[[], bool]) -> None:
        """Wait for what is pending, then for what gets the end of the run.

        Each wait lasts at most about `_patience` seconds, and ends once `hurry()` is True. Without a result, another
        engine continues the run: then nothing gets its end.
        """
        self._drain(self._patience if result else _HANDING_OVER, hurry)
        if result is not None and self._targets("finished"):
            about = self._about("finished", result.ended_at, f"{self._store.project.name}: {result.line()}")
            self._offer(msgspec.structs.replace(about, result=result))
            self._drain(self._patience, hurry)
        if self._complaints:
            self.look()
            self._store.flush()

    def _drain(self, patience: float, hurry: Callable[[], bool]) -> None:
        """Wait up to `patience` seconds for all of them; then end the running one and cancel the others."""
        deadline = monotonic() + patience
        while self._unfinished() and monotonic() < deadline and not hurry():
            self._wait()
        number = self._end_all()
        if number:
            were = f"{self.KIND} was" if number == 1 else f"{self.KIND}s were"
            self._complain("", f"{number:,} {were} not run: out of time")

    def _wait(self) -> None:
        from concurrent.futures import wait

        wait(self._unfinished(), _LOOK)

    def _end_all(self) -> int:
        """End the running one and cancel the others; returns the number of cancelled ones."""
        if not (unfinished := self._unfinished()):
            return 0
        cancelled = sum(future.cancel() for future in unfinished)
        self._is_over.set()
        deadline = monotonic() + _SLACK
        while self._unfinished() and monotonic() < deadline:
            process = self._process  # None while it starts: the next iteration finds it
            if process is not None:
                process.terminate()
            self._wait()
        self._is_over.clear()
        return cancelled

    def close(self) -> None:
        """End the running one and cancel the others."""
        self._end_all()
        if self._pool is not None:
            self._pool.shutdown(wait=False)

    # the thread

    def _carry_out(self, target: Target, data: HookData) -> None:
        about = f"{data.event} {data.task.id}" if data.task else data.event
        try:
            wrong = self._deliver(target, data, about)
        except OSError as error:
            wrong = f"could not start: {error.strerror}"
        if wrong:
            what = f"the {self.KIND} for {about} {wrong}: {target.name} (see .nova/hooks.log)"
            self._complain(f"{data.event} {target.line}", what)

    def _run(self, line: str, title: str, given: bytes, environment: Mapping[str, str]) -> int:
        """Run one line to its end under a guard, which enforces the time limit; returns its exit code."""
        import subprocess  # with tempfile 4 ms, and most projects have no hooks
        import tempfile

        from nova_core.holder.hook_guard import CODE

        words = [str(self._project.hooks_log), title, line]
        with tempfile.TemporaryFile() as file:
            file.write(given)
            file.seek(0)
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", CODE, ROOT, str(self._timeout), *words],
                stdin=file, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self._project.root,
                env=self._environment(environment), start_new_session=True,
            )  # fmt: skip
        self._process = process
        try:
            return process.wait(self._timeout + _SLACK)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()
        finally:
            self._process = None

    def _said(self, code: int) -> str:
        """What an exit code of a guard means, empty for success."""
        from nova_core.holder.hook_guard import ENDED, TIMED_OUT

        words = {0: "", TIMED_OUT: f"took longer than {self._timeout:g} s", ENDED: "was stopped"}
        return words.get(code, f"failed with exit code {code}")

    def _environment(self, own: Mapping[str, str]) -> dict[str, str]:
        """Returns the engine's environment without settings and git's variables; `own` variables take precedence."""
        kept = {k: v for k, v in os.environ.items() if k not in DROPPED and not k.startswith("NOVA_")}
        return {**kept, **own, "NOVA_PROJECT_ROOT": str(self._project.root)}

    def _complain(self, what: str, text: str) -> None:
        if what not in self._bad:
            self._bad.add(what)
            self._complaints.append(text)
