"""Jobs handed to a shared holder ahead of a free slot: it starts the next one itself when a job has ended.

A job that waits here has no line in the journal: it has not started, and is forgotten with the engine's connection.
The engine withdraws all of them before it changes anything; a failure, which may end the run, withdraws them, too.
"""

from __future__ import annotations

from collections import deque
from math import inf
from time import monotonic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nova_core.holder.messages import JobMessage

_LATEST = 0.01  # seconds that the end of a job may wait to be reported with others


class WaitingJobs:
    """The jobs handed ahead, in order; at most `slots` jobs of the holder may run when the next one starts.

    While enough of them wait, no slot is idle, so several ends are reported with one message.
    """

    def __init__(self) -> None:
        self._jobs: deque[JobMessage] = deque()
        self._slots = 0
        self._enough = 0
        self.due = inf  # monotonic; when what is to be reported must be sent

    def add(self, slots: int, jobs: list[JobMessage]) -> None:
        """Let these jobs wait, too."""
        self._slots = slots
        self._jobs += jobs
        self._enough = len(self._jobs) // 2

    def next(self, running: int) -> JobMessage | None:
        """Returns the job that may start beside `running` others, None if there is none."""
        return self._jobs.popleft() if self._jobs and running < self._slots else None

    def withdraw(self) -> list[str]:
        """Forget all jobs; returns their keys."""
        keys = [job["key"] for job in self._jobs]
        self._jobs.clear()
        return keys

    def hold_report(self) -> None:
        """Let the report of an end wait for others, if no slot can become idle meanwhile."""
        if self.due == inf and len(self._jobs) > self._enough:
            self.due = monotonic() + _LATEST

    def lets_report(self) -> bool:
        """Returns True if what is to be reported must not wait any longer."""
        return self.due == inf or len(self._jobs) <= self._enough or self.due <= monotonic()
