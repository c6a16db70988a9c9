"""Reading the logs of attempts, a moment at a time: the loop comes round however much is printed."""

from __future__ import annotations

import os

from nova_core.clock import Clock
from nova_core.engine.attempts.attempt import Attempt
from nova_core.files.project import Project, log_name
from nova_core.plan.board import Board
from nova_core.state.events import EventKind

_MOMENT = 0.05  # seconds that one look at the logs may take, of all attempts together
_MOST = 4 << 20  # bytes of one log in one look
_MOST_OPEN = 200  # logs of commands that are held open; those of agents always are


class Reading:
    """Reads on in logs. `unread` are attempts that have ended, with more in their logs than one look takes in."""

    def __init__(self, project: Project, board: Board, clock: Clock) -> None:
        self._folder = os.fspath(project.log_dir)
        self._board = board
        self._clock = clock
        self.unread: dict[str, Attempt] = {}

    def look(self, attempt: Attempt, among: int) -> bool:
        """Take in what it printed since the last look, one of `among` that are looked at; False if that is nothing."""
        until = self._clock.monotonic() + _MOMENT / among
        path = os.path.join(self._folder, log_name(attempt.task_id))
        read = attempt.read_log(path, _MOST, lambda: self._clock.monotonic() >= until)
        if attempt.agent is None and among > _MOST_OPEN:
            attempt.tail.close()
        self.tell_trouble(attempt)
        return read

    def rest(self, attempt: Attempt) -> bool:
        """Go on with the log of one that has ended; whether all is read.

        Of one that somebody wants to end only the last words are still read.
        """
        attempt.tail.end()
        self.unread[attempt.task_id] = attempt
        self.look(attempt, len(self.unread))
        if attempt.cancelled and attempt.tail.behind:
            attempt.tail.hurry(attempt.log)
            self.look(attempt, 1)
        if attempt.tail.behind:
            return False
        del self.unread[attempt.task_id]
        attempt.finish_log()
        return True

    def tell_trouble(self, attempt: Attempt) -> None:
        """Say once that something went wrong in reading its log."""
        if attempt.trouble and not attempt.told_trouble:
            attempt.told_trouble = True
            text = f"{attempt.task_id}: a part of its log cannot be read ({attempt.trouble}); its figures are estimated"
            self._board.record(EventKind.WARNING, attempt.task_id, text)
