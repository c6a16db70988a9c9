"""A running attempt: its agent, its phase, what it has printed, and the tokens it has used."""

from __future__ import annotations

import math
import os
import stat
from collections.abc import Callable, Collection, Mapping, Sequence
from enum import Enum
from typing import TypeVar

import msgspec

from nova_core.agents.fields import first_line
from nova_core.agents.log import AgentLog
from nova_core.agents.outcome import CostBasis, Ending, Outcome, Verdict
from nova_core.agents.pricing import Price, estimate
from nova_core.agents.records import Records
from nova_core.clock import Clock
from nova_core.engine.attempts.past_costs import Meter
from nova_core.executors.base import Ended
from nova_core.files.log_tail import LogTail
from nova_core.files.project import log_name
from nova_core.launch.invocation import open_log
from nova_core.launch.launcher import Assignment
from nova_core.model import Task, TokenUsage, attempt_key
from nova_core.state.database import AttemptRow
from nova_core.state.schema import TaskState

_MOST_TOKENS = 10**15  # per class of tokens; JSON readers and SQLite hold this, with room for sums
_MOMENT = 0.05  # seconds that one read of the logs may take, all attempts together
_MOST_READ = 4 << 20  # bytes of one log per read
_MOST_OPEN = 200  # open logs of commands; those of agents always stay open
_T = TypeVar("_T")


def _is_empty(path: str) -> bool:
    """Returns True if there is nothing to read; False also for what is not a regular file."""
    try:
        found = os.stat(path, follow_symlinks=False)
    except OSError:
        return True
    return stat.S_ISREG(found.st_mode) and not found.st_size


class Figures(msgspec.Struct, frozen=True):
    """The figures of an attempt: tokens, and cost in US dollars (None if unknown)."""

    usage: TokenUsage
    tokens: int
    cost: float | None
    estimated: bool


_NONE = Figures(TokenUsage(), 0, None, False)


class EndedBy(Enum):
    """Who asked for the attempt to end, unless Nova decided it from the log."""

    PERSON = "cancelled"
    QUIET = "finished, but did not exit"  # its log decides
    STOP = "interrupted"  # only the run ends: the task will run again
    EARLIER_STOP = "interrupted before"  # an earlier engine asked, to end its run; the attempt may still succeed


class Attempt:
    """An attempt at `task` by the assignment `by`, from its start to its result.

    Its phases: while `ended` is None, its process runs; then its log is read to the end; then its criteria are
    checked, and `check` is the number of the current one (0 before), `checks` the keys of their jobs. In each
    phase, `ending` may hold who asked for its end, or the verdict for which Nova ends it. `cap` is its highest cost
    in US dollars, which the budget reserves for it; `is_held`: it is ended only so that others stay within the budget.
    `live` is what the agent's own records say while it runs. `is_silent` is True for a command of which nothing was
    read yet, `is_plain` for one that leaves its slot free as soon as it has ended.
    `session` is the agent's session it continues. `started`
    is the system time of its start, for comparisons with times that others wrote; `began` the same on the run's clock.
    `before` marks the files that were at its outputs' places before it. `asked` is the key of its
    agent's question that people have been shown. `tree` is the project's folder in its own tree, `preparing` the key of
    the command that sets the tree up.
    """

    __slots__ = (
        "_heard", "_log", "_quiet_since", "_tail", "asked", "base_cost", "base_estimated", "base_sha", "base_usage",
        "before", "began", "by", "cap", "check", "checks", "ended", "ending", "files",
        "is_held", "is_plain", "is_silent", "key", "live",
        "log_name", "meter", "model", "number", "pid", "preparing", "previous", "records", "reported", "session",
        "started", "step", "task", "task_id", "told_trouble", "tree", "trouble_of_own",
        "verdict",
    )  # fmt: skip

    def __init__(
        self, task: Task, number: int, started: float, state: TaskState, by: Assignment, session: str | None
    ) -> None:
        self.task = task
        self.task_id = task.id
        self.number = number
        self.key = attempt_key(task.id, number)
        self.started = self.began = started
        self.by = by
        self.model = by.model
        self.cap: float | None = None
        self.is_held = self.is_plain = False
        self.meter = Meter()
        self.live: Records | None = None
        self.session = session
        self.base_sha = state.base_sha
        self.base_usage = state.token_usage
        self.base_cost = state.cost_usd
        self.base_estimated = state.estimated
        self.previous = state.session_usage if session else None
        self._log: AgentLog | None = None
        self.is_silent = by.agent is None
        self.log_name = log_name(task.id)
        self._tail: LogTail | None = None
        self._heard = 0
        self._quiet_since: float | None = None
        self.pid: int | None = None
        self.ended: Ended | None = None
        self.check = 0
        self.checks: list[str] = []
        self.ending: EndedBy | Ending | None = None
        self.step: str | None = None
        self.verdict: Verdict | None = None
        self.records: Records | None = None
        self.asked = self.preparing = self.trouble_of_own = ""
        self.told_trouble = False
        self.reported: Mapping[str, int] = {}
        self.files: tuple[str, ...] = ()
        self.before: Collection[int] = ()
        self.tree: str | None = None

    def take_up(self, state: TaskState, earlier: Sequence[AttemptRow]) -> None:
        """Restore what an earlier engine knew: the settings, the reports, and a request to end.

        `earlier` are the finished attempts of the task in this run.
        """
        counts = [TokenUsage(*(getattr(row, name) for name in TokenUsage.__struct_fields__)) for row in earlier]
        costs = [row.cost_usd for row in earlier if row.cost_usd is not None]
        self.base_usage = sum(counts, TokenUsage())
        self.base_cost = math.fsum(costs) if costs else None
        self.base_estimated = any(row.estimated for row in earlier)
        # No cap, or a state of an older Nova: the cost is unknown, so the attempt reserves the whole budget.
        self.cap = math.inf if state.cap is None and (self.by.agent or self.model) else state.cap
        self.ending = EndedBy.EARLIER_STOP if state.interrupted else None
        self.reported, self.files = state.reported, state.files_changed

    @property
    def current_key(self) -> str:
        """The key of the job that runs now, or ran last: the attempt's own, or that of a criterion's command."""
        return self.preparing or (self.checks[-1] if self.checks else self.key)

    @property
    def is_asked_to_end(self) -> bool:
        """True if a person, or the end of this run, ends the attempt."""
        return self.ending is EndedBy.PERSON or self.ending is EndedBy.STOP

    @property
    def is_spending(self) -> bool:
        """True until the attempt's process has ended, and its log is read to the end."""
        return self.ended is None or self.is_behind

    @property
    def is_behind(self) -> bool:
        """True if more of its log was there than was read."""
        return self._tail is not None and self._tail.behind

    @property
    def is_live_guess(self) -> bool:
        """True while its figures are those that the agent reports during its work, which may be too low."""
        return self.is_spending and not self.log.is_final

    @property
    def messages(self) -> int:
        """The number of messages that the model has sent so far; 0 if they are not counted."""
        return max(self.log.messages, self.live.messages if self.live else 0)

    @property
    def is_interrupted(self) -> bool:
        """True if the attempt ends only because a run ends: its task will run again."""
        return self.ending is EndedBy.STOP or self.ending is EndedBy.EARLIER_STOP

    # its figures

    def figures(self, prices: Mapping[str, Price]) -> Figures:
        """Returns the attempt's tokens and cost so far."""
        if self.is_silent and not self.reported:
            return _NONE
        usage = self.usage
        tokens = usage.total
        near = self.cost_basis(prices) is CostBasis.NEAREST_PRICE
        return Figures(usage, tokens, self._dollars(usage, tokens, prices), near or self._is_estimated(tokens))

    @property
    def usage(self) -> TokenUsage:
        """Tokens of this attempt, from its log, or from the agent's own records if the log is incomplete.

        A command's own report takes precedence, class by class.
        """
        return self.safely(self._usage, TokenUsage())

    def cost(self, prices: Mapping[str, Price]) -> float | None:
        """Returns the cost of this attempt in US dollars, None if unknown."""
        usage = self.usage
        return self._dollars(usage, usage.total, prices)

    def cost_basis(self, prices: Mapping[str, Price]) -> CostBasis:
        """Returns the source of the cost."""
        if records := self._records:
            near = estimate(records.usage, records.model or self.model, prices)[1]
            return CostBasis.NEAREST_PRICE if near else CostBasis.PRICE_TABLE
        return self.safely(lambda: self.log.cost(prices, self.model)[1], CostBasis.UNPRICED)

    @property
    def estimated(self) -> bool:
        """True if tokens or cost are uncertain; a command's figures are as it reported them."""
        return self._is_estimated(self.usage.total)

    def _usage(self) -> TokenUsage:
        found = self._told_usage()
        if found.total <= _MOST_TOKENS:
            return found
        return TokenUsage(*(min(getattr(found, name), _MOST_TOKENS) for name in TokenUsage.__struct_fields__))

    @property
    def _records(self) -> Records | None:
        """The agent's own records, where they say more than the log: of a killed run, or while it runs."""
        if self.records is not None or self.live is None or self.ended is not None:
            return self.records
        return self.live if self.live.usage.total > self.log.usage.total else None

    def _told_usage(self) -> TokenUsage:
        if records := self._records:
            return records.usage
        if not self.reported or self.by.agent is not None:
            return self.log.usage
        given = {k: self.reported[k] for k in TokenUsage.__struct_fields__ if k in self.reported}
        return msgspec.structs.replace(self.log.usage, **given)

    def _dollars(self, usage: TokenUsage, tokens: int, prices: Mapping[str, Price]) -> float | None:
        dollars = self.safely(lambda: self._cost(usage, tokens, prices), None)
        return dollars if dollars is not None and math.isfinite(dollars) and dollars >= 0 else None

    def _cost(self, usage: TokenUsage, tokens: int, prices: Mapping[str, Price]) -> float | None:
        if records := self._records:
            return estimate(records.usage, records.model or self.model, prices)[0]
        if self.reported and self.by.agent is None:
            return estimate(usage, self.model, prices)[0] if tokens else None
        return self.log.cost(prices, self.model)[0] if tokens else self.log.told_cost[0]

    def _is_estimated(self, tokens: int) -> bool:
        if self.by.reviewed:
            return True
        if records := self._records:
            return not records.exact
        told = self.by.agent is not None or bool(tokens)
        return told and (bool(self.trouble) or self.safely(lambda: self.log.estimated, True))

    # its output; a failing parser never fails the run

    @property
    def log(self) -> AgentLog:
        """What the log says so far; its reader is made when it is needed, because most commands print nothing."""
        if self._log is None:
            self._log = open_log(self.by.parser, self.previous)
            self.is_silent = False
        return self._log

    @property
    def tail(self) -> LogTail:
        """How far the log is read."""
        if self._tail is None:
            self._tail = LogTail()
        return self._tail

    @property
    def trouble(self) -> str:
        """What went wrong in reading the log; empty if nothing."""
        return self.trouble_of_own or ("" if self.is_silent else self.log.trouble)

    def look(self, folder: str, clock: Clock, among: int) -> bool:
        """Read new output; `among` attempts share the time. Returns False if there was none.

        Nothing is opened for a command that has printed nothing.
        """
        path = os.path.join(folder, self.log_name)
        if self.is_silent and _is_empty(path):
            return False
        until = clock.monotonic() + _MOMENT / among
        read = self.safely(lambda: self.tail.read(path, self.log, _MOST_READ, lambda: clock.monotonic() >= until), True)
        if self.by.agent is None and among > _MOST_OPEN:
            self.tail.close()
        return read

    def quiet(self, now: float) -> float:
        """Seconds since the agent's last event if it says that its run is over, otherwise 0; `now` is monotonic.

        Other lines of the log do not count: what an agent leaves running may print.
        """
        if not self.log.is_final or self.tail.behind:
            self._quiet_since = None
        elif self._quiet_since is None or self._heard != self.log.events:
            self._quiet_since, self._heard = now, self.log.events
        return 0.0 if self._quiet_since is None else now - self._quiet_since

    def look_at_rest(self, folder: str, clock: Clock, among: int) -> bool:
        """Continue reading the log of an ended attempt; returns True once all of it is read.

        If the attempt was asked to end, only the end of its log is read.
        """
        if self.is_silent and not self.look(folder, clock, among):
            return True
        self.tail.end()
        self.look(folder, clock, among)
        if self.tail.behind:
            if self.is_asked_to_end:
                self.tail.hurry(self.log)
                self.look(folder, clock, 1)
            if self.tail.behind:
                return False
        self.safely(self.log.finish, None)
        self.tail.close()
        return True

    def outcome(self, exit_code: int | None, prices: Mapping[str, Price]) -> Outcome:
        """Returns the outcome of the attempt according to its log."""
        return self.safely(lambda: self.log.outcome(exit_code, prices, self.model), None) or Outcome(
            Verdict.FAILED, f"its output cannot be judged ({self.trouble})", estimated=True
        )

    def take_records(self, found: Records) -> bool:
        """Use the agent's own records instead of the log if they are more complete; returns True if so."""
        more = found.usage.total - self.log.usage.total
        if not self.estimated or more < 0 or (more == 0 and not self.log.unsure):
            return False
        self.records = found
        return True

    def safely(self, ask: Callable[[], _T], otherwise: _T) -> _T:
        """Returns `ask()`, or `otherwise` if it raises; the error is kept in `trouble_of_own`."""
        try:
            return ask()
        except Exception as error:
            self.trouble_of_own = self.trouble_of_own or f"{type(error).__name__}: {first_line(str(error), 200)}"
            return otherwise
