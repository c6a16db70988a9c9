"""The idle limit, whatever the clocks of the system and of the log's file system do meanwhile."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nova_core.holder import limits

IDLE = 10.0
LATE = IDLE * 0.05  # how much later than due a silent job may be stopped


class Watched:
    """A holder that has one job with a log, and whose time passes from timer to timer."""

    def __init__(self, log: Path) -> None:
        self.log_fd = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_TRUNC)
        self.log = "F1.log"
        self.grace = 1.0
        self.now = 100.0
        self.stopped_at: float | None = None
        self.reason = ""
        self._timers: list[tuple[float, Callable[[Any, Any], None]]] = []

    def later(self, delay: float, action: Callable[[Any, Any], None], job: object) -> None:
        self._timers.append((self.now + delay, action))

    def stop(self, job: object, reason: str, grace: float) -> None:
        self.stopped_at, self.reason = self.now, reason

    def run(self, outputs: list[tuple[float, int]]) -> None:
        """Print at these times, each with what the log's clock shows then, until the job is stopped."""
        limits.watch(self, self, 0.0, IDLE)  # type: ignore[arg-type]
        while self._timers:
            at, action = self._timers.pop()
            while outputs and outputs[0][0] <= at:
                self.now, stamp = outputs.pop(0)
                os.write(self.log_fd, b"x")
                os.utime(self.log_fd, (stamp, stamp))
            self.now = at
            action(self, self)
        os.close(self.log_fd)


GAPS = st.lists(st.tuples(st.floats(0.1, 9.0), st.integers(0, 4_000_000_000)), max_size=8)


@given(GAPS)
def test_a_job_is_stopped_when_it_is_silent_and_not_before(
    tmp_path_factory: pytest.TempPathFactory, gaps: list[tuple[float, int]]
) -> None:
    """Not early, however far the log's time jumps with each output, and at most a twentieth of the limit late."""
    holder = Watched(tmp_path_factory.getbasetemp() / "idle.log")
    outputs, at = [], holder.now
    for gap, stamp in gaps:
        at += gap
        outputs.append((at, stamp))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "monotonic", lambda: holder.now)
        holder.run(outputs)
    assert holder.reason == "idle_timeout"
    assert holder.stopped_at is not None
    assert at + IDLE <= holder.stopped_at + 1e-6 <= at + IDLE + 2 * LATE + 1e-3
