"""The clock of a run: durations, waits and forecasts are taken from it, as no change of the system time moves it.

It is in seconds since the epoch, as the system clock showed them when the run began, and counts with the boot clock.
After a reboot it continues with the system time, but never goes back. Stamps for people show the system time instead.
"""

from __future__ import annotations

from collections.abc import Iterable

from nova_core.clock import Clock, seconds
from nova_core.state.schema import RunClock, RunState, TaskState


def run_time(run: RunState, clock: Clock) -> float:
    """Now on the run's clock. Without one of this boot (no engine has run since) it is the system time."""
    found = run.clock
    return clock.now() if found is None or found.boot != clock.boot_id() else clock.since_boot() + found.offset


def continued(run: RunState, tasks: Iterable[TaskState], clock: Clock) -> RunClock:
    """The clock of a run that an engine begins or takes over; after a reboot it is not before the run's last end."""
    boot = clock.boot_id()
    if run.clock is not None and run.clock.boot == boot:
        return run.clock
    known = (task.began + task.elapsed for task in tasks if task.began is not None)
    least = max(known, default=0.0) if run.clock is not None else 0.0
    return RunClock(boot, max(clock.now(), least) - clock.since_boot())


def began(task: TaskState) -> float | None:
    """When the task's latest attempt began, on the run's clock; None if unknown.

    A start that another program, or an older Nova, has recorded is known only by its stamp.
    """
    return began_at(task.began, task.started_at)


def began_at(exact: float | None, stamp: str | None) -> float | None:
    """`exact`, or the time of the stamp if there is nothing better; None if it cannot be read."""
    if exact is not None:
        return exact
    try:
        return seconds(stamp) if stamp else None
    except ValueError:
        return None


def ran_for(task: TaskState, now: float) -> float | None:
    """Seconds that a running task has taken up to `now` (on the run's clock); None if its start is unknown."""
    start = began(task)
    return None if start is None else max(0.0, now - start)


def wait_left(due: float | None, stamp: str | None, now: float) -> float | None:
    """Seconds until `due` (on the run's clock), or until the time of the stamp; None if neither is known."""
    end = began_at(due, stamp)
    return None if end is None else end - now
