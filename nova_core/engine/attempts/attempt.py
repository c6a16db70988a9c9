"""One attempt in flight: who does it, how far it is, what it has printed so far, which tokens it has used."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import TypeVar

import msgspec

from nova_core.agents import AgentLog, Outcome, Verdict
from nova_core.agents.fields import first_line
from nova_core.agents.outcome import CostBasis, Ending
from nova_core.agents.pricing import Price, cost
from nova_core.agents.records import Records
from nova_core.clock import Clock
from nova_core.executors.base import Ended
from nova_core.files.log_tail import LogTail
from nova_core.files.project import log_name
from nova_core.launch.invocation import open_log
from nova_core.launch.launcher import Assignment
from nova_core.model import Task, TokenUsage
from nova_core.state.database import AttemptRow
from nova_core.state.schema import TaskState

_MOST_TOKENS = 10**15  # of a class; what JSON readers and SQLite hold, with room for sums
_MOMENT = 0.05  # seconds that one look at the logs may take, of all attempts together
_MOST_READ = 4 << 20  # bytes of one log in one look
_MOST_OPEN = 200  # logs of commands that are held open; those of agents always are
_T = TypeVar("_T")


class Figures(msgspec.Struct, frozen=True):
    """What an attempt has come to: tokens, and US dollars, None if nobody knows."""

    usage: TokenUsage
    tokens: int
    cost: float | None
    estimated: bool


class EndedBy(Enum):
    """Who ends an attempt, if it is not Nova itself for what it has seen."""

    PERSON = "cancelled"
    STOP = "interrupted"  # only the run ends: the task is to run again
    EARLIER_STOP = "interrupted before"  # an earlier engine did, for the end of its run; it may still do well


class Attempt:
    """A task's worker at work: `task` by `by`, from its start until it is settled.

    Its phase: while `ended` is None its process runs; then its log is read to the end; then its criteria are proved, of
    which `check` is the number (0 before). In each of these it may be `ending`: by whom, or for which verdict of Nova's
    own. `cap` is what it may cost at most, in US dollars, and what is set aside for it; `session` one of the agent's
    that it goes on with.
    """

    __slots__ = (
        "base_cost", "base_estimated", "base_sha", "base_usage", "by", "cap", "check", "ended", "ending", "files",
        "key", "log", "log_name", "model", "number", "pid", "records", "reported", "session", "started", "step", "tail",
        "task", "task_id", "told_trouble", "trouble_of_own", "verdict",
    )  # fmt: skip

    def __init__(
        self, task: Task, number: int, started: float, state: TaskState, by: Assignment, session: str | None
    ) -> None:
        self.task = task
        self.task_id = task.id
        self.number = number
        self.key = f"{task.id}@{number}"
        self.started = started
        self.by = by
        self.model = by.model
        self.cap: float | None = None
        self.session = session
        self.base_sha = state.base_sha
        self.base_usage = state.token_usage
        self.base_cost = state.cost_usd
        self.base_estimated = state.estimated
        self.log: AgentLog = open_log(by.parser, state.session_usage if session else None)
        self.log_name = log_name(task.id)
        self.tail = LogTail()
        self.pid: int | None = None
        self.ended: Ended | None = None
        self.check = 0
        self.ending: EndedBy | Ending | None = None
        self.step: str | None = None
        self.verdict: Verdict | None = None
        self.records: Records | None = None
        self.trouble_of_own = ""
        self.told_trouble = False
        self.reported: Mapping[str, int] = {}
        self.files: tuple[str, ...] = ()

    def take_up(self, state: TaskState, earlier: Sequence[AttemptRow]) -> None:
        """Take over what an earlier engine knew: what it was started with, what it told, how it is to end.

        `earlier` are the attempts of the task in this run that are over.
        """
        counts = [TokenUsage(*(getattr(row, name) for name in TokenUsage.__struct_fields__)) for row in earlier]
        costs = [row.cost_usd for row in earlier if row.cost_usd is not None]
        self.base_usage = sum(counts, TokenUsage())
        self.base_cost = math.fsum(costs) if costs else None
        self.base_estimated = any(row.estimated for row in earlier)
        # Without a cap, or from an older Nova: nobody knows what it will come to, so that all that is left is its own.
        self.cap = math.inf if state.cap is None and (self.by.agent or self.model) else state.cap
        self.ending = EndedBy.EARLIER_STOP if state.interrupted else None
        self.reported, self.files = state.reported, state.files_changed

    @property
    def is_asked_to_end(self) -> bool:
        """Whether a person, or the end of this run, ends it."""
        return self.ending is EndedBy.PERSON or self.ending is EndedBy.STOP

    @property
    def is_interrupted(self) -> bool:
        """Whether it ends only because a run does: then its task is to run again."""
        return self.ending is EndedBy.STOP or self.ending is EndedBy.EARLIER_STOP

    # what it has come to

    def figures(self, prices: Mapping[str, Price]) -> Figures:
        """What it has come to by now."""
        usage = self.usage
        tokens = usage.total
        return Figures(usage, tokens, self._dollars(usage, tokens, prices), self._is_estimated(tokens))

    @property
    def usage(self) -> TokenUsage:
        """Tokens of this attempt, by its log, or by the agent's own records where the log stops too soon.

        What a command reports of itself counts before that, class by class.
        """
        return self.safely(self._usage, TokenUsage())

    def cost(self, prices: Mapping[str, Price]) -> float | None:
        """US dollars of this attempt, None if nobody knows."""
        usage = self.usage
        return self._dollars(usage, usage.total, prices)

    def cost_basis(self, prices: Mapping[str, Price]) -> CostBasis:
        """Where its cost comes from."""
        if self.records is not None:
            return CostBasis.PRICE_TABLE
        return self.safely(lambda: self.log.cost(prices, self.model)[1], CostBasis.UNPRICED)

    @property
    def estimated(self) -> bool:
        """Whether its tokens and cost are less than certain; a command's are what it says, as far as that was read."""
        return self._is_estimated(self.usage.total)

    def _usage(self) -> TokenUsage:
        found = self._told_usage()
        if found.total <= _MOST_TOKENS:
            return found
        return TokenUsage(*(min(getattr(found, name), _MOST_TOKENS) for name in TokenUsage.__struct_fields__))

    def _told_usage(self) -> TokenUsage:
        if self.records is not None:
            return self.records.usage
        if not self.reported or self.by.agent is not None:
            return self.log.usage
        given = {k: self.reported[k] for k in TokenUsage.__struct_fields__ if k in self.reported}
        return msgspec.structs.replace(self.log.usage, **given)

    def _dollars(self, usage: TokenUsage, tokens: int, prices: Mapping[str, Price]) -> float | None:
        dollars = self.safely(lambda: self._cost(usage, tokens, prices), None)
        return dollars if dollars is not None and math.isfinite(dollars) and dollars >= 0 else None

    def _cost(self, usage: TokenUsage, tokens: int, prices: Mapping[str, Price]) -> float | None:
        if self.records is not None:
            return cost(self.records.usage, self.records.model or self.model, prices)
        if self.reported and self.by.agent is None:
            return cost(usage, self.model, prices) if tokens else None
        return self.log.cost(prices, self.model)[0] if tokens else self.log.told_cost[0]

    def _is_estimated(self, tokens: int) -> bool:
        if self.records is not None:
            return not self.records.exact
        told = self.by.agent is not None or bool(tokens)
        return told and (bool(self.trouble) or self.safely(lambda: self.log.estimated, True))

    # what it prints; a reader that fails is a fault of its own, and never the run's

    @property
    def trouble(self) -> str:
        """What went wrong in reading the log, if anything did."""
        return self.trouble_of_own or self.log.trouble

    def look(self, folder: str, clock: Clock, among: int) -> bool:
        """Take in what it printed since the last look, one of `among` that are looked at; False if that is nothing."""
        until = clock.monotonic() + _MOMENT / among
        path = os.path.join(folder, self.log_name)
        read = self.safely(lambda: self.tail.read(path, self.log, _MOST_READ, lambda: clock.monotonic() >= until), True)
        if self.by.agent is None and among > _MOST_OPEN:
            self.tail.close()
        return read

    def look_at_rest(self, folder: str, clock: Clock, among: int) -> bool:
        """Go on with the log of one that has ended; whether all is read.

        Of one that somebody wants to end only the last words are still read.
        """
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
        """What the log comes to."""
        return self.safely(lambda: self.log.outcome(exit_code, prices, self.model), None) or Outcome(
            Verdict.FAILED, f"what it printed cannot be judged ({self.trouble})", estimated=True
        )

    def take_records(self, found: Records) -> bool:
        """Believe the agent's own records rather than its log, if they tell more."""
        more = found.usage.total - self.log.usage.total
        if not self.estimated or more < 0 or (more == 0 and not self.log.unsure):
            return False
        self.records = found
        return True

    def safely(self, ask: Callable[[], _T], otherwise: _T) -> _T:
        """The answer, or `otherwise` if asking fails: then that is the trouble."""
        try:
            return ask()
        except Exception as error:
            self.trouble_of_own = self.trouble_of_own or f"{type(error).__name__}: {first_line(str(error), 200)}"
            return otherwise
