"""Git steps beside the engine's loop: each runs in a thread, and its result is handled on the engine's thread."""

from __future__ import annotations

import errno
import os
from collections import Counter, deque
from collections.abc import Callable
from threading import Thread
from typing import Any, TypeVar

import msgspec

from nova_core.clock import Clock
from nova_core.errors import NovaError
from nova_core.isolation.values import FULL, DiskFull, NotTaken, Stale
from nova_core.threads import start_thread

_T = TypeVar("_T")
_TRIES = 3  # of a step that fails; something beside us may have been in its way
_PAUSE = 1.0  # seconds before a step that the disk has refused is repeated
_ANSWERS = (NotTaken, Stale)  # of the step itself: no other try would give another one


class Step(msgspec.Struct):
    """One step: `work` runs in a thread; then its result goes to `then`, or what it raised last to `failed`."""

    key: str
    work: Callable[[], Any]
    then: Callable[[Any], object]
    failed: Callable[[Exception], object]
    tries: int = 0
    due: float = 0.0  # monotonic
    result: Any = None
    error: Exception | None = None


class Steps:
    """Runs steps, those with the same key one after the other, at most `threads` at once.

    Without `background` they run in `turn`, on the engine's thread. `refuse` hears of a full disk: its step is repeated
    again until there is room.
    """

    def __init__(
        self, clock: Clock, wake: Callable[[], object], refuse: Callable[[OSError], object], *, background: bool
    ) -> None:
        self._clock = clock
        self._wake = wake
        self._refuse = refuse
        self._background = background
        self._threads = max(2, min(4, os.cpu_count() or 1))
        self._waiting: deque[Step] = deque()
        self._running: dict[str, Thread | None] = {}
        self._over: deque[Step] = deque()
        self.held: Counter[str] = Counter()  # keys whose steps must wait
        self._is_given_up = False

    @property
    def is_busy(self) -> bool:
        """True if a step runs, waits, or has a result that is not handled."""
        return not self._is_given_up and bool(self._waiting or self._running or self._over)

    def has(self, key: str) -> bool:
        """Returns True if a step with this key is not handled yet."""
        return key in self._running or any(step.key == key for step in (*self._waiting, *self._over))

    def post(
        self, key: str, work: Callable[[], _T], then: Callable[[_T], object], failed: Callable[[Exception], object]
    ) -> None:
        """Run `work` as soon as the steps of the key posted before are over."""
        self._waiting.append(Step(key, work, then, failed))
        self._start()

    def turn(self) -> None:
        """Handle the steps that are over, and start what can start now."""
        if self._is_given_up:
            return
        if not self._background:
            self._run_here()
        while self._over:
            step = self._over.popleft()
            self._running.pop(step.key, None)
            self._settle(step)
        self._start()

    def give_up(self) -> None:
        """Handle no other result: what the steps did, and what they did not, is found by the next engine."""
        self._is_given_up = True
        self._waiting.clear()

    def close(self) -> None:
        """Wait for the steps that run; what they did is found by the next engine."""
        self._waiting.clear()
        for thread in list(self._running.values()):
            if thread is not None:
                thread.join()

    def _run_here(self) -> None:
        for _ in range(len(self._waiting)):
            step = self._next()
            if step is None:
                return
            self._running[step.key] = None
            self._run(step)

    def _next(self) -> Step | None:
        """Returns a step that may run now, and takes it out."""
        now, seen = self._clock.monotonic(), set(self._running)
        for step in self._waiting:
            if step.key not in seen and step.due <= now and not self.held[step.key]:
                self._waiting.remove(step)
                return step
            seen.add(step.key)
        return None

    def _start(self) -> None:
        while (
            self._background and not self._is_given_up and len(self._running) < self._threads and (step := self._next())
        ):
            thread = Thread(target=self._run, args=(step,), name=f"git {step.key}")
            self._running[step.key] = thread
            start_thread(thread)

    def _run(self, step: Step) -> None:
        step.tries += 1
        try:
            step.result, step.error = step.work(), None
        except RecursionError:
            step.error = NotTaken("its folders are nested too deeply")
        except Exception as error:
            step.error = error
        self._over.append(step)
        if self._background:
            self._wake()

    def _settle(self, step: Step) -> None:
        error = step.error
        if error is None:
            step.then(step.result)
        elif not isinstance(error, OSError | NovaError):
            raise error
        elif _is_full(error):
            self._refuse(error if isinstance(error, OSError) else OSError(errno.ENOSPC, str(error)))
            step.due = self._clock.monotonic() + _PAUSE
            self._waiting.appendleft(step)
        elif isinstance(error, _ANSWERS) or step.tries >= _TRIES:
            step.failed(error)
        else:
            self._waiting.appendleft(step)


def _is_full(error: Exception) -> bool:
    return isinstance(error, DiskFull) or (isinstance(error, OSError) and error.errno in FULL)
