"""One worker process for users of the library: start it, watch it, end its whole tree."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from nova_core.executors.base import Ended, EndReason, Job, Started
from nova_core.executors.local import LocalExecutor
from nova_core.model import is_safe_id
from nova_core.threads import start_thread

TERMINATE_GRACE = 5.0
COMMAND_NOT_FOUND = 127
TOKEN_KEYS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_creation_tokens")


class WorkerStatus(StrEnum):
    """The states of a worker."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"


class Worker:
    """Runs one command, once, in its own session, with its output in `log_path`.

    `log_path` is `logs/TASK_ID.log` below the directory that was current when the worker was created; set it before
    `start` to log elsewhere. `status` is the last known state: PENDING, RUNNING from `start` on, then COMPLETED for
    exit code 0 and FAILED for any other, once `is_alive`, `get_exit_code`, `wait` or `terminate` has seen the end.

    Methods may be called from any thread. The process keeps running when this one ends. Raises `ValueError` for an id
    that cannot be a file name.
    """

    def __init__(self, task_id: str, task_description: str = "") -> None:
        if not is_safe_id(task_id):
            raise ValueError(f"{task_id!r} is not a task id: letters, digits, '.', '_' and '-' only, 64 at most")
        self.task_id = task_id
        self.task_description = task_description
        self.log_path = Path.cwd() / "logs" / f"{task_id}.log"
        self.status = WorkerStatus.PENDING
        self.pid: int | None = None
        self.process: Worker | None = None
        self._started_at: float | None = None
        self._end: Ended | None = None
        self._ended = threading.Event()
        self._cancel: float | None = None
        self._executor: LocalExecutor | None = None
        self._lock = threading.Lock()

    def start(self, command: Sequence[str] | str) -> None:
        """Start an argument list, or one line for `/bin/sh`; returns when it is running or could not start.

        A command that cannot run ends with exit code 127, and the log says why. Raises `RuntimeError` on a second call,
        `EnvironmentProblem` if folders or processes cannot be created.
        """
        with self._lock:
            if self._executor is not None:
                raise RuntimeError(f"worker {self.task_id} was already started")
            log = Path(self.log_path)
            home = Path(tempfile.mkdtemp(prefix="nova-"))
            self._executor = LocalExecutor(home, log.parent, run_id=uuid.uuid4().hex)
        shell, argv = (command, ()) if isinstance(command, str) else ("", tuple(map(str, command)))
        executor = self._executor
        executor.submit(Job(key=self.task_id, argv=argv, shell=shell, log=log.name, env={"NOVA_TASK_ID": self.task_id}))
        while self.pid is None and self._end is None:
            self._take(executor)
        self.process = self
        self.status = WorkerStatus.RUNNING
        name = f"worker-{self.task_id}"
        start_thread(threading.Thread(target=self._follow, args=(executor, home), name=name, daemon=True))

    def _take(self, executor: LocalExecutor) -> None:
        for report in executor.wait(None):
            if isinstance(report, Started | Ended):
                self.pid = report.pid
                self._started_at = report.started_at
            if isinstance(report, Ended):
                self._end = report

    def _follow(self, executor: LocalExecutor, home: Path) -> None:
        try:
            while self._end is None:
                if self._cancel is not None:
                    executor.cancel(self.task_id, self._cancel)
                self._take(executor)
            executor.release([self.task_id])
        finally:
            with self._lock:
                executor.close()
                self._ended.set()
            shutil.rmtree(home, ignore_errors=True)

    def _look(self) -> Ended | None:
        """How the worker ended, or None; updates `status`."""
        if not self._ended.is_set():
            return None
        done = self._end is not None and self._end.code == 0 and self._cancel is None
        self.status = WorkerStatus.COMPLETED if done else WorkerStatus.FAILED
        return self._end

    def is_alive(self) -> bool:
        """Returns True while the process, or anything it started, is running."""
        self._look()
        return self.process is not None and not self._ended.is_set()

    def get_exit_code(self) -> int | None:
        """The exit code; None while running or if unknown, the negative signal number if a signal ended the process."""
        end = self._look()
        if end is None:
            return None
        if end.reason is EndReason.SPAWN_ERROR:
            return COMMAND_NOT_FOUND
        return -end.signal if end.signal is not None else end.code

    def wait(self, timeout: float | None = None) -> int | None:
        """Wait up to `timeout` seconds for the end. Returns the exit code, None while running or if never started."""
        if self._executor is None:
            return None
        self._ended.wait(timeout)
        return self.get_exit_code()

    def terminate(self) -> None:
        """Send TERM to the whole process tree, after 5 seconds KILL; returns when no process of it is left.

        A worker that had already ended by itself keeps the status of its exit code.
        """
        with self._lock:
            if self._executor is None:
                return
            if self._end is None and not self._ended.is_set():
                self._cancel = TERMINATE_GRACE
                self._executor.wake()
        self._ended.wait()
        self._look()

    def get_token_usage(self) -> dict[str, int]:
        """The sums of the `Token usage: input=1, output=2, cache_read=3, cache_creation=4` lines in the log so far."""
        from nova_core.agents.tokens import TokenCounter

        counter = TokenCounter()
        try:
            with open(self.log_path, "rb") as log:
                while chunk := log.read(1 << 16):
                    counter.feed(chunk)
        except OSError:  # no log yet
            pass
        if self._look() is not None:
            counter.finish()
        return {name: getattr(counter.usage, name) for name in TOKEN_KEYS}

    def get_status_dict(self) -> dict[str, Any]:
        """The worker's state as plain values; times are ISO 8601 UTC."""
        end = self._look()
        return {
            "task_id": self.task_id,
            "status": self.status.value,
            "pid": self.pid,
            "exit_code": self.get_exit_code(),
            "log_path": str(self.log_path),
            "started_at": _iso(self._started_at),
            "completed_at": _iso(end.ended_at or time.time()) if end else None,
            "token_usage": self.get_token_usage(),
        }


def _iso(seconds: float | None) -> str | None:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds") if seconds else None
