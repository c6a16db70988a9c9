"""The loop of an engine: it starts what may start, sleeps in `executor.wait`, and takes in what happened meanwhile."""

from __future__ import annotations

from collections.abc import Callable

from nova_core.clock import Clock
from nova_core.engine.admission import Brakes
from nova_core.engine.attempts.lifecycle import Attempts
from nova_core.engine.inbox_reader import Mail
from nova_core.engine.observers.observers import Observers
from nova_core.engine.replan import Growth
from nova_core.executors.base import Executor
from nova_core.plan.board import Board
from nova_core.state.events import EventKind

_LOOK = 0.1  # seconds between looks at the inbox and at the state file
_TAIL = 1.0  # seconds between looks at the logs of running tasks


class Loop:
    """Goes on turn by turn. `workers` tells how many may run at once; `obey` carries out what was asked for inside
    this process. `stopping` counts the requests to end the run that were obeyed."""

    def __init__(
        self, board: Board, executor: Executor, attempts: Attempts, mail: Mail, growth: Growth, observers: Observers,
        brakes: Brakes, clock: Clock, *, workers: Callable[[], int], obey: Callable[[], None],
    ) -> None:  # fmt: skip
        self._board = board
        self._store = board.store
        self._executor = executor
        self._attempts = attempts
        self._growth = growth
        self._observers = observers
        self._brakes = brakes
        self._clock = clock
        self._workers = workers
        self._obey = obey
        self._next_look = self._next_tail = 0.0
        self._began_paused = board.store.run.paused
        self.mail = mail
        self.stopping = 0

    def turn(self, longest: float, *, start: bool = True) -> None:
        """Start what may start, if that is wanted, and wait up to `longest` seconds for something to happen."""
        if start:
            self._start_ready()
        reports = self._executor.wait(self._timeout(longest))
        if reports:
            self.mail.read()  # what a worker said before it ended comes before its end
        for report in reports:
            self._attempts.handle(report)
            self._attempts.needs.look()
            if start:
                self._start_ready()
        self._obey_stop()
        self._attempts.read_rests()
        self._look_around()
        self._try_again()
        self._observers.turn()
        self._store.tick()

    def is_over(self) -> bool:
        """Whether nothing runs and nothing more will start."""
        if self._board.running or (self._attempts.active and not self.stopping):
            return False
        hopeless = self._brakes.disk_is_hopeless()
        if self._store.disk_error:
            return hopeless
        if self._brakes.are_final(self._attempts):
            return True
        self._attempts.needs.look()
        if not self._board.queue and self._attempts.retries.next() is None:
            return not self._growth.look(last=True)
        return self._store.run.paused and self._began_paused

    def _timeout(self, longest: float) -> float:
        if self._attempts.has_unread:
            return 0.0
        waits = [longest, _LOOK * 2]
        for wait in (self._store.next_tick(), self._attempts.retries.next()):
            if wait is not None:
                waits.append(wait)
        return min(waits)

    def _start_ready(self) -> None:
        self._board.keep_up()
        while self._free() > 0 and self._board.queue and not self._brakes.hold(self._attempts):
            task_id = self._board.pop()
            if task_id is None:
                return
            if self._board.task(task_id).gate:
                self._attempts.open_gate(task_id)
            elif self._attempts.may_start(task_id) and not self._start(task_id):
                return

    def _start(self, task_id: str) -> bool:
        """Start a task that was taken from the queue, or put it back: False if the budget lets nothing start now."""
        grant = self._brakes.grant(task_id, self._attempts, self._free() + 1)
        if grant is not None:
            try:
                self._attempts.start(task_id, grant.cap)
                return True
            except OSError as error:
                self._store.refuse(error)
        self._board.leave(task_id)
        self._board.offer(task_id)
        return grant is not None

    def _free(self) -> int:
        return self._workers() - len(self._board.running)

    def _obey_stop(self) -> None:
        if self._brakes.stops > self.stopping:
            self.stopping = self._brakes.stops
            self._attempts.interrupt(kill=self.stopping > 1)

    def _look_around(self) -> None:
        """Look at what does not wake the loop: commands, the inbox, the state file, the plan, the logs."""
        now = self._clock.monotonic()
        if now >= self._next_look:
            self._next_look = now + _LOOK
            self._obey()
            self.mail.read()
            self._board.merge_outside()
            self._growth.look()
            self._observers.look()
        if now >= self._next_tail:
            self._attempts.needs.look()
            more = self._attempts.read_logs()
            self._next_tail = self._clock.monotonic() + (_LOOK if more else _TAIL)
            self._brakes.watch(self._attempts)

    def _try_again(self) -> None:
        for task_id in self._attempts.retries.due():
            text = f"{task_id} is tried again"
            self._board.record(EventKind.TASK_RESET, task_id, text, retry_at=None, waits_for=None)
            self._board.offer(task_id)
