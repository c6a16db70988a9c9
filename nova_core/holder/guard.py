"""The guard: the parent of a shared holder, which takes its place if a job kills it (`kill -9 $PPID`).

A holder's children fall to its guard, the next subreaper, which alone can learn how they end. What the journal does not
have of them (pids of young jobs, limits) the holder writes into a roster in shared memory. After that the guard is a
holder that gets no new jobs. A holder of an agent has no guard: it holds one job, which dies with it.
"""

from __future__ import annotations

import os
from signal import SIGHUP, SIGINT, SIGQUIT, SIGTERM, signal

from nova_core.holder.roster import Roster
from nova_core.holder.spawn import PR_SET_CHILD_SUBREAPER, prctl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from nova_core.holder.holder import Holder


def serve_guarded(make: Callable[[Roster | None], Holder]) -> None:
    """Serve in a child, under the watch of this process, which takes over if the child is killed.

    There are two guards: a job that starts at the moment when another one kills the holder takes the guard for it.
    """
    for number in (SIGTERM, SIGINT, SIGHUP, SIGQUIT):
        signal(number, lambda *_: None)
    try:
        roster = Roster() if prctl(PR_SET_CHILD_SUBREAPER, 1) else None
    except OSError:  # no descriptor or memory for it
        roster = None
    if roster is None:
        make(None).serve()
    else:
        _guard(make, roster, 2)


def _guard(make: Callable[[Roster | None], Holder], roster: Roster, guards: int) -> None:
    try:
        child = os.fork() if guards else 0
    except OSError:  # no process or memory for it
        child = guards = 0
    if child == 0 and guards == 0:
        roster.note_server()
        make(roster).serve()
    elif child == 0:
        os.setsid()  # a signal to the group of one does not reach the others
        prctl(PR_SET_CHILD_SUBREAPER, 1)
        _guard(make, roster, guards - 1)
    else:
        from nova_core.holder import killing, takeover  # noqa: F401 - now: an upgrade may replace the files

        if _is_killed(child, roster):
            roster.note_server()
            holder = make(roster)
            takeover.take_over(holder, roster.fd)
            holder.serve()


def _is_killed(child: int, roster: Roster) -> bool:
    """Wait until the holder is gone, also if only the guard between was killed; returns False if it left by itself."""
    while True:
        try:
            if os.waitpid(child, 0)[1] == 0:
                return False
        except ChildProcessError:  # the guard between had reaped it, and was killed before it took over
            return True
        server = roster.server()
        if server == child:
            return True
        child = server
