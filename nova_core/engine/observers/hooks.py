"""Hooks: commands of `nova.yaml` that run beside the engine when something happens to the run."""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import msgspec

from nova_core.config import HooksConfig
from nova_core.engine.observers.hook_data import (
    HookData,
    RunWords,
    blocked_tasks,
    standard_input,
    task_words,
    variables,
)
from nova_core.files.project import Project
from nova_core.launch.launcher import DROPPED
from nova_core.parser import Cascade
from nova_core.runs.result import RunResult
from nova_core.state.events import Event, EventKind
from nova_core.state.schema import NEW
from nova_core.state.store import Store
from nova_core.text import clean, head_and_tail

if TYPE_CHECKING:
    from subprocess import Popen

MOST_WAITING = 1000
_HANDING_OVER = 5.0  # seconds for hooks that wait when another engine is to go on with the run
_SLACK = 10.0  # seconds more than its time that the guard of a hook gets: it ends a whole tree of processes
_MARGIN = 2.0  # seconds in which it usually has
_LOOK = 0.1
_ROOT = str(Path(__file__).resolve().parents[3])
_NAMES = {EventKind.RUN_STARTED: "started", EventKind.TASK_FAILED: "failed", EventKind.MILESTONE: "milestone"}


class Hooks:
    """Hears the store's events, and has hooks run for them one after another, in a thread of its own.

    A hook is given away once its event is on disk and never again: at most once for each event, whatever is killed
    when. It cannot change the run: all that comes back is a warning for a line that failed, the first time it did.
    """

    def __init__(self, project: Project, cascade: Cascade, store: Store, config: HooksConfig) -> None:
        self._project = project
        self.cascade = cascade
        self._store = store
        self._config = config
        self._heard: list[HookData] = []
        self._waiting: deque[tuple[str, HookData]] = deque()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._process: Popen[bytes] | None = None
        self._busy = self._closed = self._enough = False
        self._complaints: deque[str] = deque()
        self._bad: set[str] = set()

    # the engine's thread

    def listen(self) -> None:
        """Hear what happens from now on, if there is a hook for anything."""
        if any(map(self._lines, (*_NAMES.values(), "blocked"))):
            self._store.listeners.append(self._hear)

    def _lines(self, name: str) -> tuple[str, ...]:
        lines: tuple[str, ...] = getattr(self._config, name)
        return lines

    def _hear(self, event: Event) -> None:
        if event.kind not in _NAMES or (event.kind is EventKind.RUN_STARTED and self._is_takeover()):
            return
        if not self._heard:
            self._store.when_published(self._give_away)
        self._heard.append(self._data(event))

    def _is_takeover(self) -> bool:
        """Whether the engine before this one was killed, or left the run to this one: then it goes on."""
        before = self._store.database.last_of(EventKind.RUN_STARTED, EventKind.RUN_ENDED)
        return before is not None and (before.kind is EventKind.RUN_STARTED or bool(before.patch.get("handed_over")))

    def _data(self, event: Event) -> HookData:
        data = self._about(_NAMES[event.kind], event.at, event.message)
        if event.task is not None:
            state = self._store.tasks.get(event.task, NEW)
            return msgspec.structs.replace(data, task=task_words(event.task, self.cascade.tasks.get(event.task), state))
        fired = event.patch.get("milestones")
        return msgspec.structs.replace(data, milestone=fired[-1]) if fired else data

    def _about(self, name: str, at: str, message: str, **more: Any) -> HookData:
        store = self._store
        root = os.fsencode(self._project.root).decode("utf-8", "replace")
        run = RunWords(store.run.id, store.project.name, store.project.cascade_file, root)
        return HookData(name, at, message, run, **more)

    def _give_away(self) -> None:
        heard, self._heard = self._heard, []
        for data in heard:
            if data.task is None:
                self._offer(data)
                continue
            below = blocked_tasks(self.cascade.dag, self._store.tasks, data.task.id)
            blocked = tuple(i for i in below if not self.cascade.tasks[i].gate)
            self._offer(msgspec.structs.replace(data, blocked=blocked))
            if blocked:
                text = f"{data.task.id} blocks {len(blocked):,} {'task' if len(blocked) == 1 else 'tasks'}"
                self._offer(self._about("blocked", data.at, text, task=data.task, blocked=blocked))

    def _offer(self, data: HookData) -> None:
        with self._changed:
            for line in self._lines(data.event):
                if len(self._waiting) < MOST_WAITING:
                    self._waiting.append((line, data))
                else:
                    self._complain("", f"more than {MOST_WAITING:,} hooks wait: some are not run")
            self._changed.notify_all()
        if self._waiting and self._thread is None:
            self._thread = threading.Thread(target=self._work, name="hooks", daemon=True)
            self._thread.start()

    def complain(self) -> None:
        """Record what went wrong with hooks since the last time."""
        while self._complaints:
            self._store.record(EventKind.WARNING, None, self._complaints.popleft())

    def finish(self, result: RunResult | None, hurry: Callable[[], bool]) -> None:
        """The run is over, and on disk: wait for the hooks that wait, then for those of the end; all of them together
        get their `timeout` twice, and none once somebody is in a `hurry`. Without a result another engine goes on.
        """
        self._drain(self._config.timeout + _MARGIN if result else _HANDING_OVER, hurry)
        if result is not None and self._config.finished:
            about = self._about("finished", result.ended_at, f"{self._store.project.name}: {result.line()}")
            self._offer(msgspec.structs.replace(about, result=result))
            self._drain(self._config.timeout + _MARGIN, hurry)
        if self._complaints:
            self.complain()
            self._store.flush()

    def _drain(self, patience: float, hurry: Callable[[], bool]) -> None:
        deadline = monotonic() + patience
        with self._changed:
            while (self._busy or self._waiting) and monotonic() < deadline and not hurry():
                self._changed.wait(_LOOK)
            if self._waiting:
                number = len(self._waiting)
                self._complain(
                    "", f"{number:,} {'hook was' if number == 1 else 'hooks were'} not run: no time was left"
                )
                self._waiting.clear()
            if self._busy:
                self._end_running()
                self._changed.wait_for(lambda: not self._busy, _SLACK)
            self._enough = False

    def _end_running(self) -> None:
        self._enough = True
        if self._process is not None:
            self._process.terminate()

    def close(self) -> None:
        """End the hook that runs, and run no other."""
        with self._changed:
            self._closed = True
            self._waiting.clear()
            self._end_running()
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(_SLACK)

    # the thread of the hooks

    def _work(self) -> None:
        while True:
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if self._closed:
                    return
                line, data = self._waiting.popleft()
                self._busy = True
            about = f"{data.event} {data.task.id}" if data.task else data.event
            try:
                wrong = self._run(line, data, about)
            except OSError as error:
                wrong = f"could not be started ({error.strerror})"
            if wrong:
                shown = clean(head_and_tail(line, 60))
                self._complain(f"{data.event} {line}", f"the hook for {about} {wrong}: {shown} (see .nova/hooks.log)")

    def _run(self, line: str, data: HookData, about: str) -> str:
        """Run one line to its end; what was wrong with it, if anything."""
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
        with self._changed:
            self._process = process
            if self._enough:
                process.terminate()
        try:
            code = process.wait(timeout + _SLACK)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        finally:
            self._process = None
        words_of = {0: "", TIMED_OUT: f"took longer than {timeout:g} s", ENDED: "was ended"}
        return words_of.get(code, f"failed with exit code {code}")

    def _environment(self, data: HookData) -> dict[str, str]:
        """What the engine has, but for settings and what a git hook leaves; the data win."""
        kept = {k: v for k, v in os.environ.items() if k not in DROPPED and not k.startswith("NOVA_")}
        return {**kept, **variables(data), "NOVA_PROJECT_ROOT": str(self._project.root)}

    def _complain(self, what: str, text: str) -> None:
        if what not in self._bad:
            self._bad.add(what)
            self._complaints.append(text)
