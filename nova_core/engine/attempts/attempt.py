"""One attempt in flight: who it is, what it has printed so far, which tokens it has used."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from nova_core.agents import AgentLog, Outcome, Verdict
from nova_core.agents.fields import first_line
from nova_core.agents.outcome import CostBasis, Ending
from nova_core.agents.pricing import Price, cost
from nova_core.agents.records import Records
from nova_core.executors.base import Ended
from nova_core.files.inbox import WorkerReport
from nova_core.files.log_tail import LogTail
from nova_core.model import TokenUsage
from nova_core.state.database import AttemptRow
from nova_core.state.schema import TaskState

MOST_TEXT = 500
MOST_NOTE = 4000
MOST_FILES = 1000
_MOST_TOKENS = 10**15  # of a class; what JSON readers and SQLite hold, with room for sums
_T = TypeVar("_T")


class Attempt:
    """A task's worker at work. `check` is 0 while the command runs, else the number of the criterion being proved.

    `cancelled`: somebody wants it to end; `interrupted`: only because the run ends, so that it is to run again;
    `doomed`: Nova itself ends it, for the reason given. `log` reads what it prints, by `parser`; `agent` and
    `provider` are None for a command. `cap` is what it may cost at most, in US dollars, and what is set aside for it.
    """

    __slots__ = (
        "agent", "base_cost", "base_estimated", "base_sha", "base_usage", "cancelled", "cap", "check", "doomed",
        "ended", "files", "interrupted", "key", "log", "model", "number", "parser", "pid", "provider", "records",
        "reported", "session", "started", "step", "tail", "task_id", "told_trouble", "trouble_of_own", "verdict",
    )  # fmt: skip
    log: AgentLog  # opened as soon as it is known what it goes on from

    def __init__(self, task_id: str, number: int, started: float, state: TaskState) -> None:
        self.task_id = task_id
        self.number = number
        self.key = f"{task_id}@{number}"
        self.started = started
        self.pid: int | None = None
        self.check = 0
        self.ended: Ended | None = None
        self.cancelled = False
        self.interrupted = False
        self.doomed: Ending | None = None
        self.base_sha = state.base_sha
        self.base_usage = state.token_usage
        self.base_cost = state.cost_usd
        self.base_estimated = state.estimated
        self.agent: str | None = None
        self.provider: str | None = None
        self.model = state.model
        self.parser = "shell"
        self.cap: float | None = None
        self.session: str | None = None  # that it goes on with
        self.step: str | None = None
        self.verdict: Verdict | None = None
        self.records: Records | None = None
        self.tail = LogTail()
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
        if state.parser is not None:
            self.parser, self.model = state.parser, state.model
        self.session = state.session_id if state.session_usage.total else None
        # Without a cap, or from an older Nova: nobody knows what it will come to, so that all that is left is its own.
        self.cap = math.inf if state.cap is None and (self.agent or self.model) else state.cap
        self.interrupted = state.interrupted
        self.reported, self.files = state.reported, state.files_changed

    @property
    def usage(self) -> TokenUsage:
        """Tokens of this attempt, by its log, or by the agent's own records where the log stops too soon.

        What a command reports of itself counts before that, class by class.
        """
        return self.safely(self._usage, TokenUsage())

    def _usage(self) -> TokenUsage:
        found = self._told_usage()
        if found.total <= _MOST_TOKENS:
            return found
        return TokenUsage(*(min(getattr(found, name), _MOST_TOKENS) for name in TokenUsage.__struct_fields__))

    def _told_usage(self) -> TokenUsage:
        if self.records is not None:
            return self.records.usage
        if not self.reported or self.agent is not None:
            return self.log.usage
        given = {k: self.reported[k] for k in TokenUsage.__struct_fields__ if k in self.reported}
        return msgspec.structs.replace(self.log.usage, **given)

    def cost(self, prices: Mapping[str, Price]) -> float | None:
        """US dollars of this attempt, None if nobody knows."""
        dollars = self.safely(lambda: self._cost(prices), None)
        return dollars if dollars is not None and math.isfinite(dollars) and dollars >= 0 else None

    def _cost(self, prices: Mapping[str, Price]) -> float | None:
        if self.records is not None:
            return cost(self.records.usage, self.records.model or self.model, prices)
        if self.reported and self.agent is None:
            return cost(self.usage, self.model, prices) if self.usage.total else None
        return self.log.cost(prices, self.model)[0] if self.usage.total else self.log.told_cost[0]

    def cost_basis(self, prices: Mapping[str, Price]) -> CostBasis:
        """Where its cost comes from."""
        if self.records is not None:
            return CostBasis.PRICE_TABLE
        return self.safely(lambda: self.log.cost(prices, self.model)[1], CostBasis.UNPRICED)

    @property
    def estimated(self) -> bool:
        """Whether its tokens and cost are less than certain; a command's are what it says, as far as that was read."""
        if self.records is not None:
            return not self.records.exact
        told = self.agent is not None or bool(self.usage.total)
        return told and (bool(self.trouble) or self.safely(lambda: self.log.estimated, True))

    # what it prints; a reader that fails is a fault of its own, and never the run's

    @property
    def trouble(self) -> str:
        """What went wrong in reading the log, if anything did."""
        return self.trouble_of_own or self.log.trouble

    def read_log(self, path: str, most: int, is_late: Callable[[], bool]) -> bool:
        """Read what was printed since the last look, as far as bytes and time allow; False if nothing was."""
        return self.safely(lambda: self.tail.read(path, self.log, most, is_late), True)

    def finish_log(self) -> None:
        """All is read."""
        self.safely(self.log.finish, None)
        self.tail.close()

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


def patch_of(report: WorkerReport) -> dict[str, Any]:
    """The fields of the task that a worker's report changes, its tokens apart; `report` is for the history alone."""
    patch: dict[str, Any] = {}
    if report.step is not None:
        patch["current_step"] = report.step[:MOST_TEXT]
    if report.percent is not None:
        patch["progress"] = max(0, min(100, report.percent))
    if report.criterion is not None:
        patch["current_step"] = f"reports criterion {report.criterion} met"
    if report.note is not None:
        patch["handoff"] = report.note[:MOST_NOTE]
    if report.question is not None:
        patch["current_step"] = f"asks: {report.question[:MOST_TEXT]}"
    if told := _told(report):
        patch["report"] = told
    return patch


def _told(report: WorkerReport) -> dict[str, Any]:
    """What a worker did or claims, as the history keeps it."""
    texts = {name: getattr(report, name) for name in ("action", "output", "question")}
    told: dict[str, Any] = {name: text[:MOST_TEXT] for name, text in texts.items() if text}
    if report.criterion is not None:
        told["criterion"] = report.criterion
    if report.files:
        told["files"] = report.files[:MOST_FILES]
    return told


def words_of(report: WorkerReport, patch: Mapping[str, Any]) -> str:
    """A report in a few words, for the list of events."""
    wrote = f"wrote {report.output}" if report.output else None
    changed = f"changed {', '.join(report.files)}" if report.files else None
    percent = f"{patch['progress']} %" if "progress" in patch else None
    words = (report.message, report.action, patch.get("current_step"), wrote, percent, changed, "left a note")
    return str(next(text for text in words if text))[:MOST_TEXT]
