"""The engine's loop: it starts ready tasks, sleeps in `executor.wait`, and handles what happened meanwhile."""

from __future__ import annotations

from typing import Any

from nova_core.clock import iso
from nova_core.engine.admission import Wait
from nova_core.engine.attempts.budget import Grant
from nova_core.engine.renewal import used_up_since
from nova_core.engine.run import Run
from nova_core.engine.startup import require_disk
from nova_core.runs.result import RunResult, summarize
from nova_core.state.events import EventKind
from nova_core.state.schema import TaskStatus

_LOOK = 0.1  # seconds between checks of the inbox and the state file
_TAIL = 1.0  # seconds between reads of the logs of running tasks
_WATCH = 0.2  # the same, if they cost money of a budget
_SLOT = 0.02  # seconds between looks for a free job slot of make
_PATIENCE = 1.0  # longest turn, in seconds, that waits for the disk
_PAUSED = "the run is paused and nothing is running; it waits for nova resume, in another terminal"


class Loop:
    """Begins a run and continues it, turn by turn.

    `stopping` counts the requests to end the run that were carried out; setting `detached` ends the loop and leaves the
    workers running.
    """

    def __init__(self, run: Run, *, attended: bool = True) -> None:
        self._run = run
        self._attended = attended
        self._board = run.parts.board
        self._store = run.parts.store
        self._admission = run.admission
        self._attempts = run.attempts
        self._slots = run.parts.slots
        self._trees = run.trees
        self._next_look = self._next_tail = 0.0
        self._began_paused = self._said_paused = False
        self._has_begun = False
        self.stopping = 0
        self.detached = False

    def begin(self, *, announced: bool = True) -> None:
        """Take over what an earlier engine left, once; `announced` is False if the run is only taken over to end it."""
        if self._has_begun:
            return
        if announced:
            self._run.require_commands()
        self._trees.look(announced=announced)
        if announced and not self._trees.is_wanted:
            self._run.parts.launcher.prepare(self._run.open_tasks())
        self._has_begun = True
        self._began_paused = self._store.run.paused
        self._run.begin(announced=announced)

    def run(self, longest: float, most: int | None) -> RunResult:
        """Turn until the run is over, at most `most` times, and finish it; a turn sleeps at most `longest` seconds.

        Raises `EnvironmentProblem` if the project's folder is moved or deleted meanwhile.
        """
        began = self._run.parts.clock.monotonic()
        self.begin()
        turns = 0
        try:
            while not (self.detached or self.is_over()) and (most is None or turns < most):
                self.turn(longest)
                turns += 1
            return self._finish(began)
        except FileNotFoundError:
            self._run.belongings.require_folder()
            raise

    def turn(self, longest: float, *, start: bool = True) -> None:
        """Start ready tasks if `start` is set, then wait up to `longest` seconds for something to happen."""
        run = self._run
        if start:
            self._start_ready()
        else:
            run.ahead.recall()
        self._settle_slots()
        reports = run.ahead.wait(self._timeout(longest))
        if reports:
            run.inbox.read()  # a worker's messages are handled before its end
        for report in reports:
            self._attempts.handle(report)
        if reports:
            self._look_for_inputs()
            if start:
                self._start_ready()
        self._obey_stop()
        if self._attempts.unread:
            self._attempts.read_rests()
        if self._trees.work is not None:
            self._trees.work.turn(stopping=bool(self._admission.stops))
            if start:
                self._start_ready()
        self._look_around()
        if run.retries.waiting:
            run.retries.try_due()
        run.observers.turn()
        self._store.tick()

    def is_over(self) -> bool:
        """Returns True if no task runs, no more will start, and what is merged has landed, or has to wait.

        A stopped run does not wait for tasks whose holder, or git, does not answer: the next run takes them over.
        """
        if self.stopping and (self._run.ahead.is_silent or self._trees.is_given_up):
            return True
        if (self._board.running or (self._run.parts.active and not self.stopping)) and not self._only_waits_for_disk():
            return False
        if self._trees.work is not None and self._trees.work.is_busy and self._store.disk_error is None:
            return False
        hopeless = self._admission.disk_is_hopeless()
        if self._store.disk_error:
            return hopeless
        if self._admission.is_final():
            return self._has_landed()
        self._look_for_inputs()
        if not self._board.queue and self._run.retries.next() is None:
            return self._has_landed() and not self._run.replanner.look(last=True)
        return self._is_paused_for_good() and self._has_landed()

    def _has_landed(self) -> bool:
        """Returns True if nothing is left to land; begins that otherwise."""
        return self._trees.work is None or self._trees.work.has_landed()

    def _is_paused_for_good(self) -> bool:
        """Returns True if the run is paused and does not wait; if it waits, this is reported once per pause."""
        if not self._store.run.paused:
            self._said_paused = False
            return False
        if self._began_paused or not self._attended:
            return True
        if not self._said_paused:
            self._said_paused = True
            self._store.record(EventKind.WARNING, None, _PAUSED)
        return False

    def _only_waits_for_disk(self) -> bool:
        """Returns True if the start of every active attempt cannot be written to disk."""
        unsent = self._run.starter.unsent
        active = self._run.parts.active.values()
        return self._store.disk_error is not None and all(attempt.key in unsent for attempt in active)

    def _timeout(self, longest: float) -> float:
        if self._attempts.unread:
            return 0.0
        retries = self._run.retries
        look = _SLOT if self._slots.is_short or self._attempts.terminals.is_lively else _LOOK * 2
        waits = (longest, look, self._store.next_tick(), retries.next() if retries.waiting else None)
        return min(wait for wait in waits if wait is not None)

    def _start_ready(self) -> None:
        if self._store.merged and self._run.ahead.recall():
            self._board.keep_up()
        if not self._run.ahead.tasks:
            self._start_admitted()
        if self._run.ahead.most:
            self._run.ahead.fill()

    def _settle_slots(self) -> None:
        self._slots.hold(len(self._board.running), self._admission.jobs)

    def _start_admitted(self) -> None:
        board, admission, slots = self._board, self._admission, self._slots
        while board.queue and admission.is_open() and slots.hold(len(board.running) + 1, admission.jobs):
            task_id = board.pop()
            if task_id is None:
                return
            if board.cascade.tasks[task_id].gate:
                self._run.finisher.open_gate(task_id)
                continue
            answer = self._admission.admit(task_id)
            if answer is Wait.BUDGET:
                return
            if isinstance(answer, Grant):
                self._start(task_id, answer)

    def _start(self, task_id: str, grant: Grant) -> None:
        try:
            self._run.starter.start(task_id, grant.cap)
        except OSError as error:
            if not self._run.belongings.look():
                self._store.refuse(error)
            self._admission.put_back(task_id)

    def _look_for_inputs(self) -> None:
        if self._run.inputs.waiting:
            self._run.inputs.look()

    def _obey_stop(self) -> None:
        if self._admission.stops > self.stopping:
            self.stopping = self._admission.stops
            self._run.ahead.recall()
            self._attempts.interrupt(kill=self.stopping > 1)

    def _look_around(self) -> None:
        """Check what does not wake the loop: deleted files, commands, the inbox, the state file, the plan, the logs."""
        run, now = self._run, self._run.parts.clock.monotonic()
        if now >= self._next_look:
            self._next_look = now + (_SLOT if self._attempts.terminals.is_lively else _LOOK)
            run.belongings.look()
            if run.ahead.is_quiet():
                run.ahead.recall()
            self._look_for_changes()
            self._attempts.terminals.turn()
            run.observers.look()
        if now >= self._next_tail:
            self._look_for_inputs()
            more = self._attempts.read_logs()
            if watched := run.budget.is_watched:
                self._admission.watch_budget()
            self._next_tail = now + (_LOOK if more else _WATCH if watched else _TAIL)

    def _look_for_changes(self) -> None:
        """Handle what may change which task starts next, once what was handed ahead is recalled."""
        run = self._run
        if run.commands.posted and run.ahead.recall():
            run.commands.apply_posted()
        run.inbox.read()
        if (self._store.merged or self._store.changed_outside()) and run.ahead.recall():
            self._board.merge_outside()
        run.replanner.look()

    def _finish(self, began: float) -> RunResult:
        """Record the result of the run and return it once it is on disk; `began` is a monotonic time."""
        parts, observers = self._run.parts, self._run.observers
        self._run.ahead.recall()
        self._run.belongings.look()
        observers.turn()
        observers.look()
        now = parts.clock.now()
        result = summarize(
            self._board.counted, self._store.snapshot(), parts.clock.monotonic() - began, now,
            stopped=bool(self.stopping), over_budget=self._run.budget.is_over,
        )  # fmt: skip
        done = all(self._board.state(i).status is TaskStatus.COMPLETED for i in self._board.cascade.tasks)
        left: dict[str, Any] = {"handed_over": True} if self.detached else {}
        over = iso(now) if done else None
        left["used_up"] = used_up_since(self._board.cascade, self._store, parts.project.root, self._board.missed)
        self._store.record(
            EventKind.RUN_ENDED, None, result.line(), completed_at=over, run_time=self._store.time(), **left
        )
        while not self._store.finish() and not self._admission.disk_is_hopeless():
            self.turn(_PATIENCE, start=False)
        require_disk(self._store, not self._store.disk_error)
        asked = self._asked_to_end()
        observers.finish(None if self.detached else result, lambda: self._asked_to_end() > asked)
        return result

    def _asked_to_end(self) -> int:
        """Returns the number of requests to end or leave the run."""
        return self._admission.stops + self.detached
