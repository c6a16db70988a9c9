"""The holder process: starts jobs, outlives the engine, ends what jobs leave behind, and records how they ended.

Its arguments are the run's id, its own name, and `shared` or `own`; descriptors 0, 3, 4 and 5 are a pipe with the
project's key, the journal, the listening socket and the attempts folder. It exits once it holds no job and no engine is
connected. Standard library only.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from heapq import heappop, heappush
from json import dumps
from math import inf
from select import poll
from time import monotonic

from nova_core.holder.ahead import WaitingJobs
from nova_core.holder.channel import Channel
from nova_core.holder.job import HolderJob
from nova_core.holder.job_setup import JobSetup, close_log, plain
from nova_core.holder.journal import BEGIN, PROCESS, UNDONE, WITHDRAWN, Journal, hello, start_ticks
from nova_core.holder.limits import load_rest, watch
from nova_core.holder.proof import read_key
from nova_core.holder.safe_open import SpawnError, is_passing
from nova_core.holder.signals import wake_by_signals
from nova_core.holder.spawn import PR_SET_CHILD_SUBREAPER, Launch, open_children, prctl, read_children, spawn_gated

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from nova_core.holder.messages import JobMessage
    from nova_core.holder.roster import Roster
    from nova_core.holder.terminal import Terminal

JOURNAL_FD, LISTENER_FD, FOLDER_FD = 3, 4, 5
QUIET = 0.02  # seconds; a job that ends sooner is reported once, with its end: half the messages, a third less journal


class Holder:
    """The holder's only loop: commands of the engine, ends of children, deadlines. It blocks only in poll."""

    def __init__(self, run_id: str, name: str, key: bytes, *, own: bool, roster: Roster | None = None) -> None:
        self.run_id = run_id
        self.name = name
        self.own = own
        self.roster = roster
        self.journal = Journal(JOURNAL_FD, durable=own)
        self.poller = poll()
        self.channel = Channel(LISTENER_FD, self.poller, name, key)
        self.wake = wake_by_signals(self.poller)
        self.setup = JobSetup(run_id)
        self.terminal: Terminal | None = None  # of the only job of an own holder
        self.by_pid: dict[int, HolderJob] = {}  # while the command's own process lives
        self.jobs: dict[str, HolderJob] = {}  # by key, while any process of the job lives
        self.young: list[HolderJob] = []  # jobs not yet announced, in the order they started
        self.timers: list[tuple[float, int, Callable[[Holder, HolderJob], None], HolderJob]] = []
        self.ticket = 0
        self.ahead = WaitingJobs()
        self.urgent = False  # something is to be sent that must not wait for the ends of other jobs
        self.hello = hello(run_id)
        self.head = self.hello + "\n"  # written with the first job; before that there may be no space for it
        self.children = open_children()

    def serve(self) -> None:
        """Run until no job is held and no engine is connected."""
        self.channel.accept()
        while True:
            if self.channel.next():
                self._announce(everything=True)
                self.channel.send(self.hello)
                self._obey(self.channel.early())
                self._tick()
            if self.urgent or self.ahead.lets_report():
                self.urgent, self.ahead.due = False, inf
                self.channel.flush()
            if self.jobs or self.channel.connected:
                self._turn()
            elif not self.channel.accept():  # otherwise an engine connected just now
                break
        with suppress(FileNotFoundError):  # the engine has released everything and removed the file
            os.unlink(f"{self.name}.sock", dir_fd=FOLDER_FD)
        self.journal.finish()

    def _turn(self) -> None:
        """Handle one wake-up."""
        child_ended = False
        for fd, _ in self.poller.poll(self._timeout()):
            if fd == self.wake:
                os.read(fd, 65536)
                child_ended = True
            elif fd == LISTENER_FD:
                self.channel.accept()
            elif self.channel.is_current(fd):
                messages = self.channel.receive()
                if messages is None:
                    self.ahead.withdraw()
                    self.channel.hang_up()
                else:
                    self._obey(messages)
            elif self.terminal and fd == self.terminal.fd:
                self.terminal.serve()
            else:
                self.channel.hear(fd)
        if self.jobs:
            if child_ended:  # a signal came for every child since the last time, so there is nothing else to reap
                self.reap()
            self._tick()
        while (message := self.ahead.next(len(self.jobs))) is not None:
            self._begin(message)

    def _timeout(self) -> float | None:
        """Returns milliseconds to the next deadline, None if there is none."""
        young = self.young
        while young and (young[0].over or young[0].announced):
            del young[0]
        while self.timers and self.timers[0][3].over:
            heappop(self.timers)
        due = self.ahead.due
        if self.timers:
            due = min(due, self.timers[0][0])
        if young:
            due = min(due, young[0].mono + QUIET)
        return None if due == inf else max(0.0, (due - monotonic()) * 1000 + 0.5)

    def _tick(self) -> None:
        if self.young and self.young[0].mono + QUIET <= monotonic():
            self._announce()
        now = monotonic()  # later, as what a job needs once it is announced is due at once
        while self.timers and self.timers[0][0] <= now:
            _, _, action, job = heappop(self.timers)
            if not job.over:
                action(self, job)

    def later(self, delay: float, action: Callable[[Holder, HolderJob], None], job: HolderJob) -> None:
        """Call `action(self, job)` after `delay` seconds, unless the job has ended by then."""
        self.ticket += 1
        heappush(self.timers, (monotonic() + delay, self.ticket, action, job))

    def _announce(self, *, everything: bool = False) -> None:
        """Record and report the processes that have run for `QUIET` seconds, or all of them."""
        limit = monotonic() - QUIET
        for job in self.young:
            if everything or job.mono <= limit:
                self._record_process(job)
        self.young = [job for job in self.young if not job.announced and not job.over]

    def _record_process(self, job: HolderJob) -> None:
        if not job.over and not job.announced:
            job.announced = True
            line = PROCESS.format(key=job.key, pid=job.pid, start=start_ticks(job.pid), at=job.started)
            self.journal.append(line + "\n")
            self.channel.send(line)
            self.urgent = True
            self.later(0.0, load_rest, job)

    def _obey(self, messages: list[Any]) -> None:
        for message in messages:
            if message[0] == "job":
                self._begin(message[1])
            elif message[0] == "cancel":
                job = self.jobs.get(message[1])
                if job:
                    self.stop(job, "cancelled", message[2])
                else:
                    self._withdraw()
            elif message[0] == "ahead":
                self.ahead.add(message[1], message[2])
            elif message[0] == "withdraw":
                self._announce(everything=True)  # the others have started, so the engine learns of each what it does
                self._withdraw()
            elif message[0] in ("type", "size") and self.terminal:
                self.channel.send(self.terminal.obey(message))
            elif message[0] == "base":
                self.setup.set_base(message[1])
                if self.roster:
                    self.roster.set_logs(message[1]["logs"])

    def _withdraw(self) -> None:
        """Give the jobs back that were handed ahead."""
        if keys := self.ahead.withdraw():
            self.channel.send(WITHDRAWN.format(keys=dumps(keys)))
        self.urgent = True

    def _begin(self, message: JobMessage) -> None:
        job = HolderJob(message)
        timeout, idle, limit = message["timeout"], message["idle_timeout"], message["log_limit"]
        if self.roster:
            self.roster.add(job, timeout, idle, limit)
        try:
            line = BEGIN.format(key=job.key, at=job.started)
            self.journal.begin(f"{self.head}{line}\n", len(self.jobs))
            self.head = ""
        except OSError as error:
            job.reason = "spawn_error"
            job.detail = f"cannot record the start: {plain(error)}"
            self.channel.send(job.ending([]))  # not in the journal: for a later engine the job never started
            self._withdraw()
            return
        self.jobs[job.key] = job
        try:
            launch = self.setup.prepare(message)
            if message.get("terminal"):
                from nova_core.holder.terminal import Terminal

                self.terminal = Terminal(self.poller, launch, has_stdin=bool(message["stdin"]))
            self._start(job, launch, keep_log=limit > 0 or idle > 0 or self.terminal is not None)
        except SpawnError as error:
            job.reason = "spawn_error"
            job.detail = str(error)
            if error.passing:
                self.give_back(job)
            else:
                self.finish(job)
            return
        if not job.announced:
            self.young.append(job)
        job.limit = limit
        if timeout or idle:
            watch(self, job, timeout, idle)

    def _start(self, job: HolderJob, launch: Launch, *, keep_log: bool) -> None:
        try:
            job.pid = spawn_gated(launch, lambda pid: self._record_on_disk(job, pid)) if self.own else launch.spawn()
        except (OSError, ValueError) as error:
            job.pid = 0
            keep_log = False
            message = f"cannot run {launch.argv[0] if launch.argv else '/bin/sh'}: {plain(error)}"
            if not is_passing(error):
                os.write(launch.log, f"nova: {message}\n".encode(errors="backslashreplace"))
            raise SpawnError(message, error) from None
        finally:
            self.setup.close_stdin(launch)
            if keep_log:
                job.log_fd = launch.log
            else:
                os.close(launch.log)
        self.by_pid[job.pid] = job
        if self.roster:
            self.roster.note_pid(job)

    def _record_on_disk(self, job: HolderJob, pid: int) -> None:
        job.pid = pid
        self._record_process(job)
        self.journal.sync()

    def reap(self) -> None:
        """Reap every child that ended, jobs and strays, and finish the jobs that left nothing behind."""
        ended = []
        alone = False
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                alone = True
                break
            if not pid:
                break
            job = self.by_pid.pop(pid, None)
            if job and not job.over:
                job.status = status
                job.usage = usage
                ended.append(job)
        if ended:
            self._settle(ended, strays=not alone and self._has_strays())

    def _settle(self, ended: list[HolderJob], *, strays: bool) -> None:
        for job in ended:
            if not strays and not job.reason:
                self.finish(job)
            elif not job.killing_since:
                from nova_core.holder.killing import sweep

                if self.roster and not job.reason:
                    self.roster.note_status(job)
                sweep(self, job)

    def _has_strays(self) -> bool:
        """Returns True if a child is no job, but an orphan of one (PR_SET_CHILD_SUBREAPER)."""
        if self.children >= 0:
            return read_children(self.children).count(b" ") != len(self.by_pid)
        from nova_core.holder.killing import strays

        return bool(strays(self))

    def stop(self, job: HolderJob, reason: str, grace: float) -> None:
        """End a job: TERM to its group, KILL to its tree after `grace` seconds. Another call can only shorten it."""
        from nova_core.holder.killing import stop

        self.reap()
        ended_by_itself = job.status is not None and not job.reason  # what it left behind is being ended already
        if not job.over and not ended_by_itself:
            stop(self, job, reason, grace)

    def give_back(self, job: HolderJob) -> None:
        """Record and report that a job did not start, and may start later: the engine will send it again."""
        self._forget(job)
        line = UNDONE.format(key=job.key, why=dumps(job.detail[:200]))
        self.journal.append(line + "\n")
        self.channel.send(line)
        self._withdraw()

    def _forget(self, job: HolderJob) -> None:
        job.over = True
        del self.jobs[job.key]
        if self.roster:
            self.roster.drop(job)
        if not self.jobs:
            self.setup.go_home()

    def finish(self, job: HolderJob, survivors: tuple[str, ...] = ()) -> None:
        """Record the end of a job of which only `survivors` remain, then report it."""
        self._forget(job)
        if self.terminal:
            job.detail = job.detail or self.terminal.close()
            self.terminal = None
        if job.log_fd >= 0:
            close_log(self.setup, job)
        line = job.ending(list(survivors))
        self.journal.append(line + "\n")
        try:
            self.journal.sync()
        except OSError as error:
            print(f"the exit code of {job.key} may not be on disk: {error}", file=sys.stderr)
        self.channel.send(line)
        if job.reason or job.status:  # after a failure the engine may start nothing
            self._withdraw()
        else:
            self.ahead.hold_report()


def main() -> None:
    """Run the holder that the command line names; a shared one under a guard."""
    os.closerange(FOLDER_FD + 1, 1 << 20)
    for fd in (JOURNAL_FD, LISTENER_FD, FOLDER_FD):
        os.set_inheritable(fd, False)
    run_id, name, mode = sys.argv[-3:]
    key = read_key(0)
    if mode == "own":
        os.fsync(FOLDER_FD)
        prctl(PR_SET_CHILD_SUBREAPER, 1)
        Holder(run_id, name, key, own=True).serve()
    else:
        from nova_core.holder.guard import serve_guarded

        serve_guarded(lambda roster: Holder(run_id, name, key, own=False, roster=roster))
    os._exit(0)  # everything is written: to take the interpreter apart costs 8 ms
