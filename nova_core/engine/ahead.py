"""Hands short commands to the holder ahead of a free slot, so that it fills a slot without waiting for the engine."""

from __future__ import annotations

from nova_core.engine.admission import Admission
from nova_core.engine.attempts.parts import Parts
from nova_core.engine.attempts.starter import Starter
from nova_core.errors import EnvironmentProblem
from nova_core.executors.base import Ended, GivenBack, News, Report, Started, Typed, Waiting
from nova_core.state.events import EventKind

_SHORT = 0.02  # seconds; a task that runs longer gains nothing
_MOST = 32  # tasks handed ahead at once
_LEAST = 2
_REPORTS = (Started, Ended)
_PATIENCE = 10.0  # seconds without an answer of the holder until this is reported


class Ahead:
    """Knows the jobs that were handed ahead: of each the holder will say that it runs, has ended, or is given back.

    Until then its task has not started. It counts for the board as running, so it is not started twice. While there are
    such jobs the engine starts nothing else; before anything but the end of a job is handled, they are recalled. `most`
    such jobs are useful at once: it grows with each short command in succession.
    """

    def __init__(self, parts: Parts, admission: Admission, starter: Starter) -> None:
        self._parts = parts
        self._board = parts.board
        self._executor = parts.executor
        self._admission = admission
        self._starter = starter
        self._got: list[Report | Waiting | Typed] = []
        self.most = 0
        self.tasks: dict[str, tuple[str, float]] = {}  # by the keys of their jobs, with the time (run's clock)
        self._has_heard = False
        self._silent_since: float | None = None  # monotonic
        self._is_told = False

    def wait(self, timeout: float | None) -> list[Report | Waiting | Typed]:
        """Does what `Executor.wait` does; the start of a job that was handed ahead is recorded first."""
        self._take(self._executor.wait(0.0 if self._got else timeout))
        got, self._got = self._got, []
        return got

    @property
    def is_silent(self) -> bool:
        """True if the holder did not answer the last recall in time: it is frozen, or the machine is very busy."""
        return self._silent_since is not None

    def is_quiet(self) -> bool:
        """Returns True if nothing was reported since the last call while such jobs wait: what runs is not short."""
        heard, self._has_heard = self._has_heard, False
        return bool(self.tasks) and not heard

    def recall(self) -> bool:
        """Take back what has not started; if True, every task either runs or waits for the engine.

        If False, that is not known yet: nothing may be handled that could change what starts.
        """
        problem = None
        if self.tasks:
            most = self.most
            problem = self._executor.recall()
            self._take(self._executor.wait(0.0))
            self.most = most if problem is None else 0
        if problem is None:
            self._silent_since, self._is_told = None, False
        else:
            self._say(problem)
        return problem is None

    def _say(self, problem: EnvironmentProblem) -> None:
        """Warn once that the holder has not answered for long."""
        now = self._parts.clock.monotonic()
        if self._silent_since is None:
            self._silent_since = now
        if now - self._silent_since >= _PATIENCE and not self._is_told:
            self._is_told = True
            text = f"{problem.message}: no new tasks start until it does; {problem.hint}"
            self._parts.store.record(EventKind.WARNING, None, text)

    def _take(self, news: list[News]) -> None:
        self._has_heard |= bool(news)
        for one in news:
            if isinstance(one, GivenBack):
                self.most = 0
                if handed := self.tasks.pop(one.key, None):
                    self._admission.put_back(handed[0])
                continue
            if isinstance(one, _REPORTS):
                self._learn(one)
                if handed := self.tasks.pop(one.key, None):
                    self._starter.begin(*handed, one)
            self._got.append(one)

    def _learn(self, report: Report) -> None:
        if isinstance(report, Started):
            self.most //= 2
        elif report.code == 0 and report.elapsed is not None and report.elapsed < _SHORT:
            self.most = min(self.most + 1, _MOST)
        else:
            self.most = 0

    def fill(self) -> None:
        """Hand ahead the tasks that will start next, if all that run are short commands."""
        board, most = self._board, self._admission.jobs + self.most
        if self.most < _LEAST or not board.queue or len(board.running) >= most or not self._admission.may_start():
            return
        if not all(attempt.is_plain for attempt in self._parts.active.values()):
            return  # it needs its slot after its command, too
        while board.queue and len(board.running) < most:
            task_id = board.pop()
            if task_id is None:
                return
            job = self._starter.job_ahead(task_id)
            if job is None:
                self._admission.put_back(task_id)
                return
            self.tasks[job.key] = task_id, self._parts.store.time()
            self._executor.hand_ahead(job, self._admission.jobs)
