"""Runs jobs on this machine: one shared holder for shell tasks, one holder per agent, recovered after any crash."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from nova_core.errors import EnvironmentProblem
from nova_core.executors.base import Ended, EndReason, GivenBack, Job, News, Report
from nova_core.executors.folders import make_folder
from nova_core.executors.held_jobs import HeldJobs
from nova_core.executors.holder_link import AttemptFolder, HolderLink
from nova_core.executors.jobs_ahead import JobsAhead
from nova_core.executors.journal_reader import Begun, End, Facts, Hello, Typing, Undone, Withdrawn, as_started
from nova_core.executors.links import Links, lose
from nova_core.executors.wire import cancel_of, encode_job, start_of, wire, wire_env
from nova_core.holder.messages import BaseMessage
from nova_core.holder.safe_open import is_passing, names_passing

MAX_TRIES = 3


class LocalExecutor:
    """`Executor` for the local machine; base.py defines the contract.

    `nova_dir/attempts` holds journals and sockets; logs are created in `log_dir`. `run_id` makes the marker in each
    job's environment unique, with the first of `places` (`Project.place_id`). Records of places that are not among them
    are copies from elsewhere: they are removed, and nothing of them is adopted or ended. Folders are created with mode
    0700. Raises `EnvironmentProblem` if they cannot be used, or if a holder of an earlier engine does not answer. Not
    thread-safe except `wake`, but not bound to a particular thread.
    """

    def __init__(
        self, nova_dir: Path, log_dir: Path, *, run_id: str, base_env: Mapping[str, str] | None = None,
        cwd: Path | None = None, places: tuple[str, ...] = (),
    ) -> None:  # fmt: skip
        self._folder = AttemptFolder(nova_dir, run_id, places)
        self.foreign: set[str] = set()
        base: BaseMessage = {
            "env": wire_env(os.environ if base_env is None else base_env),
            "logs": wire(str(make_folder(log_dir))),
            "root": wire(os.path.abspath(cwd or ".")),
        }
        self._base = msgspec.json.encode(("base", base))
        self._links = Links()
        self._past: list[HolderLink] = []  # released or dead, their journals not yet released
        self._shared: HolderLink | None = None
        self._link_of: dict[str, HolderLink | None] = {}  # every key ever seen
        self._tries: dict[str, int] = {}
        self._cancelled: dict[str, float] = {}  # with the grace period; until the end is reported
        self._held = HeldJobs()
        self._ahead = JobsAhead(self._links)
        self._reports: list[News] = []

    def prepare(self) -> HolderLink:
        """Start the shared holder now, so that its start (10 ms) overlaps with the engine's next steps."""
        if self._shared is None:
            self._shared = self._start_holder(own=False)
        return self._shared

    def keep_records(self) -> bool:
        """See `Executor.keep_records`. Holders whose journals were deleted keep their jobs, and get no others."""
        lost = self._folder.restore()
        if lost:
            idle, self._shared = self._shared, None
            if idle:
                self._let_go_if_idle(idle)
        for link in (*self._links.by_fd.values(), *self._past):
            link.keep_journal()
        return lost

    def _start_holder(self, *, own: bool) -> HolderLink:
        link = self._folder.start(own=own)
        self._links.add(link)
        link.send(self._base)
        return link

    def recover(self) -> list[Report]:
        """See `Executor.recover`. Released jobs may be reported again while their journal also holds others."""
        reports: list[Report] = []
        links, self.foreign = self._folder.find()
        for link in links:
            link.keys = (facts := link.read()).keys()
            if not self._folder.owns(facts):  # the folder was moved, or is a backup of one that is gone
                self.foreign.update(facts.unended())
                link.keys.difference_update(facts.unended())
            self._link_of.update(dict.fromkeys(link.keys, link))
            reports += facts.ends.values()
            if link.alive:
                self._links.add(link)
                link.jobs = dict.fromkeys(facts.unended())
                reports += [as_started(facts.processes[key]) for key in link.jobs if key in facts.processes]
                self._let_go_if_idle(link)
            else:
                self._past.append(link)
                reports += lose(link, facts, [key for key in facts.unended() if key in link.keys])
                self._forget_if_released(link)
        return reports

    def submit(self, job: Job) -> None:
        """See `Executor.submit`. Raises ValueError for a key that is not short, plain ASCII."""
        self._take(job, 0)

    def hand_ahead(self, job: Job, slots: int) -> None:
        """See `Executor.hand_ahead`."""
        if self._shared is None or self._held.jobs:
            self._reports.append(GivenBack(job.key))
        else:
            self._take(job, slots)

    def recall(self) -> EnvironmentProblem | None:
        """See `Executor.recall`."""
        return self._ahead.recall(self._serve)

    def _take(self, job: Job, slots: int) -> None:
        key = job.key
        if key in self._link_of:
            return
        if not (key.isascii() and key.isprintable() and 0 < len(key) <= 128) or '"' in key or "\\" in key:
            raise ValueError(f"job key {key!r} is not plain ASCII of 1 to 128 characters")
        self._link_of[key] = None
        if key in self._cancelled:
            self._refuse(key, EndReason.CANCELLED, "cancelled before it started")
        else:
            self._send_job(job, slots)

    def _refuse(self, key: str, reason: EndReason, detail: str) -> None:
        self._cancelled.pop(key, None)
        self._reports.append(Ended(key, reason, ended_at=time.time(), detail=detail))

    def _send_job(self, job: Job, slots: int = 0) -> None:
        """Send a job; with `slots`, hand it ahead."""
        try:
            message = encode_job(job) if slots else start_of(job)
        except UnicodeEncodeError as error:
            self._refuse(job.key, EndReason.SPAWN_ERROR, f"cannot be passed to a process: {error.object!a:.200}")
            return
        try:
            link = self._start_holder(own=True) if job.own_holder or job.terminal else self.prepare()
        except EnvironmentProblem as problem:
            if is_passing(problem.__cause__):
                self._hold(job, problem.message)
            else:  # a full disk
                self._refuse(job.key, EndReason.SPAWN_ERROR, problem.message)
            return
        link.jobs[job.key] = job
        link.keys.add(job.key)
        self._link_of[job.key] = link
        if slots:
            self._ahead.add(link, job.key, message, slots)
        else:
            self._links.send(link, message)

    def _hold(self, job: Job, why: str) -> None:
        """Keep a job until the machine has something to spare for it; say so once."""
        self._link_of[job.key] = None
        if news := self._held.add(job, why):
            self._reports.append(news)

    def wait(self, timeout: float | None) -> list[News]:
        """See `Executor.wait`."""
        deadline = None if timeout is None else time.monotonic() + timeout
        if self._ahead.keys:
            self._ahead.send()
        while True:
            until = self._held.limit(deadline) if self._held.jobs else deadline
            left = None if until is None else max(0.0, until - time.monotonic()) * 1000
            for link in self._links.poll(0 if self._reports else left):
                self._serve(link)
            if self._held.jobs:
                for job in self._held.due():
                    self._send_job(job)
            if self._reports or self._links.woken or (left == 0 and until == deadline):
                self._links.woken = False
                reports, self._reports = self._reports, []
                return reports

    def _serve(self, link: HolderLink) -> None:
        records = link.receive()
        if records is None:
            self._mourn(link)
            return
        for record in records:
            if isinstance(record, End):
                if link.jobs.pop(record.key, self) is not self:
                    self._end(link, record)
            elif isinstance(record, Begun) and record.key in link.jobs:
                self._start(link, record)
            elif isinstance(record, Undone):
                self._take_back(link, [record.key], record.why)
            elif isinstance(record, Withdrawn):
                self._take_back(link, record.keys, "")
            elif isinstance(record, Typing):
                self._reports.append(record)
            elif isinstance(record, Hello):
                link.greeted = True
        self._let_go_if_idle(link)

    def _start(self, link: HolderLink, record: Begun) -> None:
        if link is self._shared:  # an agent's process is reported before its program is executed
            self._held.is_told = False
        link.begun.add(record.key)
        self._ahead.keys.pop(record.key, None)
        self._reports.append(as_started(record))

    def _end(self, link: HolderLink, record: Ended) -> None:
        if record.pid is not None:
            self._held.is_told = False
        link.begun.discard(record.key)
        self._ahead.keys.pop(record.key, None)
        self._cancelled.pop(record.key, None)
        self._reports.append(record)

    def _take_back(self, link: HolderLink, keys: list[str], why: str) -> None:
        """Take back jobs that have not started, or could not for lack of processes, descriptors or memory."""
        for key in keys:
            job = link.jobs.pop(key, None)
            link.keys.discard(key)
            if job is None or self._give_back(key):
                continue
            if key in self._cancelled:
                self._refuse(key, EndReason.CANCELLED, "cancelled before it started")
            else:
                self._hold(job, why)

    def _give_back(self, key: str) -> bool:
        """Report a job that was handed ahead and has not started; returns False if it was not, or was cancelled."""
        if self._ahead.keys.pop(key, None) is None or key in self._cancelled:
            return False
        del self._link_of[key]
        self._reports.append(GivenBack(key))
        return True

    def _let_go_if_idle(self, link: HolderLink) -> None:
        """Disconnect from a holder that has no job and will get none."""
        if not link.jobs and link is not self._shared:
            self._hang_up(link)

    def _hang_up(self, link: HolderLink) -> None:
        self._links.drop(link)
        self._past.append(link)

    def _mourn(self, link: HolderLink) -> None:
        """Handle the death of a holder that had or could get jobs: it was killed.

        A guard may have taken its place. Otherwise the journal says what it had done.
        """
        self._links.drop(link)
        if link is self._shared:
            self._shared = None
        link.adopt()
        facts = link.read()
        jobs, link.jobs = link.jobs, {}
        link.keys = facts.keys()
        for key in jobs:
            if key in facts.ends:
                self._end(link, facts.ends[key])
        unended = [key for key in facts.unended() if key in jobs]
        if link.alive:
            self._go_on(link, facts, {key: jobs[key] for key in unended})
        else:
            self._past.append(link)
            self._reports += lose(link, facts, unended)
        self._ahead.forget(unended)
        for key, job in jobs.items():
            if job and key not in link.keys and not self._give_back(key):
                self._try_again(link, job)

    def _go_on(self, link: HolderLink, facts: Facts, jobs: dict[str, Job | None]) -> None:
        """Continue with a guard in the place of its holder, which may have missed a cancel."""
        self._links.add(link)
        link.jobs = jobs
        for key in jobs:
            if key in facts.processes and key not in link.begun:
                self._start(link, facts.processes[key])
            if key in self._cancelled:
                self._links.send(link, cancel_of(key, self._cancelled[key]))
        self._let_go_if_idle(link)

    def _try_again(self, link: HolderLink, job: Job) -> None:
        """Submit a job again that never started; at most `MAX_TRIES` times, if it may be what ends holders.

        A holder that served and was killed without a last word was killed by something else.
        """
        if job.key in self._cancelled:
            self._refuse(job.key, EndReason.CANCELLED, "cancelled before it started")
            return
        words = link.last_words()
        if names_passing(words):  # it could not even begin
            self._hold(job, words)
            return
        tries = self._tries.get(job.key, 1) + (not link.greeted or bool(words))
        self._tries[job.key] = tries
        if tries <= MAX_TRIES:
            self._send_job(job)
        else:
            self._refuse(job.key, EndReason.SPAWN_ERROR, f"its holder died {MAX_TRIES} times: {words}")

    def wake(self) -> None:
        """See `Executor.wake`."""
        self._links.wake()

    def cancel(self, key: str, grace: float) -> None:
        """See `Executor.cancel`. A key that is not yet submitted is cancelled when it is."""
        grace = max(0.0, grace)
        if self._held.remove(key):
            self._refuse(key, EndReason.CANCELLED, "cancelled before it started")
        elif self._tell(key, cancel_of(key, grace)) or key not in self._link_of:
            self._cancelled[key] = min(grace, self._cancelled.get(key, grace))

    def to_terminal(self, key: str, word: str, *values: str | int) -> bool:
        """See `Executor.to_terminal`."""
        return self._tell(key, msgspec.json.encode((word, key, *values)))

    def _tell(self, key: str, message: bytes) -> bool:
        link = self._link_of.get(key)
        runs = link is not None and link.alive and key in link.jobs
        if link and runs:
            self._links.send(link, message)
        return runs

    def release(self, keys: Iterable[str]) -> None:
        """See `Executor.release`. A journal is deleted with its last key, if its holder can get no more jobs."""
        for key in keys:
            link = self._link_of.get(key)
            if link:
                link.released.add(key)
        for link in list(self._past):
            self._forget_if_released(link)

    def _forget_if_released(self, link: HolderLink) -> None:
        if link.keys <= link.released:
            link.unlink()
            self._past.remove(link)

    def close(self) -> None:
        """See `Executor.close`."""
        for link in list(self._links.by_fd.values()):
            link.flush()
            self._hang_up(link)
            self._forget_if_released(link)
        for link in self._past:
            link.journal.close()
        self._links.close()
        self._folder.close()
