"""The base of all formats: verdict, cost and final text from the lines of a log."""

from __future__ import annotations

from collections.abc import Mapping
from math import fsum

import msgspec

from nova_core.agents.fields import first_line
from nova_core.agents.lines import LineReader
from nova_core.agents.outcome import CostBasis, Ending, Outcome, Verdict, exit_words, was_killed
from nova_core.agents.pricing import Price, estimate
from nova_core.agents.signs import clear_verdict, error_lines, only_errors, plain, verdict_of_words
from nova_core.agents.windows import Window
from nova_core.model import TokenUsage

_MOST_STEPS = 1000
_MOST_FILES = 1000
_MOST_FINAL = 100_000
_MOST_PATH = 4096
_MOST_IDS = 10_000
_MOST_DENIED = 100
_MOST_DENIED_WORDS = 200
_QUESTION = ("?", "؟", "⸮")
_CLOSING = " *_`'\")]”»"  # may follow a question mark
CHARACTERS = 4  # per token, roughly, if no count is reported


class Question(msgspec.Struct, frozen=True):
    """A permission that an agent waits for: `words` say what for, `key` identifies exactly that."""

    number: int
    key: str
    words: str


class AgentLog(LineReader):
    """Reads one attempt's log in pieces of any size; every attribute is the current value.

    A format defines the meaning of events (`event`) and other lines (`plain`), the ending (`ending`) and the usage
    (`usage`, `unsure`, `told_cost`). `previous` is the usage of earlier runs of the same session, for agents whose
    totals keep counting when a session is resumed. `judges`: the verdict overrides the exit code. `counts`: it says
    how many tokens were used.
    """

    judges = True
    counts = True
    all_refused = "every tool it called was denied or unknown"

    def __init__(self, previous: TokenUsage | None = None) -> None:
        super().__init__()
        self.previous = previous or TokenUsage()
        self.session_id: str | None = None
        self.model: str | None = None
        self._final = ""
        self._more: list[str] = []  # pieces of the last text, not joined yet
        self._length = 0
        self.step: str | None = None
        self.steps: list[str] = []
        self.files: dict[str, None] = {}
        self.denied: dict[str, None] = {}
        self.asked: str | None = None
        self.messages = 0  # of the model, if the format counts them
        self.tools_run = 0
        self.tools_refused = 0  # denied, or unknown: not those that ran and failed
        self.problem: Ending | None = None  # from the model server; the agent may still recover
        self.hopeless: Ending | None = None  # waiting for the agent to notice is useless
        self.resets_at: float | None = None  # of the limit that was reached, in seconds since the epoch
        self.limited_model: str | None = None  # if the limit is that of one model
        self.windows: dict[str, Window] = {}  # the limits that it has reported, by name
        self.details = ""  # what else came with the last error: it may name the time of the reset
        self._told_ids: set[str] = set()

    # for formats to define

    def ending(self, exit_code: int | None) -> Ending | None:
        """The ending by the printed output; None if the output does not show it."""
        return None

    @property
    def is_final(self) -> bool:
        """True if the agent's last event says that its run is over; a later event may open another turn."""
        return False

    @property
    def question(self) -> Question | None:
        """The permission that the agent waits for now."""
        return None

    @property
    def usage(self) -> TokenUsage:
        """Tokens of this run, without those of earlier runs."""
        return TokenUsage()

    @property
    def unsure(self) -> bool:
        """Returns True if `usage` is an estimate by what was read."""
        return False

    @property
    def estimated(self) -> bool:
        """Returns True if `usage` is an estimate."""
        return self.gap or bool(self.trouble) or self.unsure

    @property
    def told_cost(self) -> tuple[float | None, CostBasis]:
        """US dollars as the agent reports them, and how reliable that is."""
        return None, CostBasis.UNPRICED

    @property
    def models(self) -> Mapping[str | None, TokenUsage]:
        """Usage by model, for prices."""
        return {self.model: self.usage}

    # for formats to use

    def say(self, step: str) -> None:
        """Set the current step."""
        step = first_line(step, 200)
        if step and step != self.step:
            self.step = step
            if len(self.steps) < _MOST_STEPS:
                self.steps.append(step)

    def changed(self, path: str) -> None:
        """Record a file that the agent changed."""
        if path and len(path) <= _MOST_PATH and len(self.files) < _MOST_FILES:
            self.files[path] = None

    def again(self, name: str) -> bool:
        """Returns True if a figure with this id was read before: a log may hold a line twice."""
        if not name or name in self._told_ids:
            return bool(name)
        if len(self._told_ids) < _MOST_IDS:
            self._told_ids.add(name)
        return False

    def deny(self, what: str) -> None:
        """Record that the agent was not allowed to use something."""
        if len(self.denied) < _MOST_DENIED:
            self.denied[what[:_MOST_DENIED_WORDS]] = None

    def said(self, text: str) -> None:
        """Set the agent's last text; an empty one keeps the words before it."""
        if self._final and not text.strip():
            return
        self._final = text[:_MOST_FINAL]
        self._length = len(self._final)
        if self._more:
            self._more = []

    def said_more(self, piece: str) -> None:
        """Append to the agent's last text; pieces are joined on demand, because there may be many."""
        if self._length < _MOST_FINAL:
            self._more.append(piece[:_MOST_FINAL])
            self._length += len(piece)

    @property
    def final_text(self) -> str:
        """The last text, up to a limit."""
        if self._more:
            self.said("".join((self._final, *self._more)))
        return self._final

    # results

    def outcome(
        self, exit_code: int | None = None, prices: Mapping[str, Price] | None = None, model: str | None = None
    ) -> Outcome:
        """The outcome of the log; `model` is the one the agent was started with, used if the log names none."""
        verdict, reason = self._judge(exit_code)
        dollars, basis = self.cost(prices or {}, model)
        estimated = self.estimated or basis is CostBasis.NEAREST_PRICE
        return Outcome(
            verdict, reason, self.usage, estimated, dollars, basis, self.model or model, self.session_id,
            self.final_text or None, tuple(self.files), tuple(self.steps),
        )  # fmt: skip

    def cost(self, prices: Mapping[str, Price], model: str | None = None) -> tuple[float | None, CostBasis]:
        """US dollars and their source: the agent, else the price table, else None."""
        told, basis = self.told_cost
        if told is not None:
            return told, basis
        if not self.usage.total:
            return (None, CostBasis.UNPRICED) if self.estimated or not self.began else (0.0, CostBasis.PRICE_TABLE)
        parts = [estimate(usage, name or model, prices) for name, usage in self.models.items()]
        known = [dollars for dollars, _ in parts if dollars is not None]
        if len(known) < len(parts):
            return None, CostBasis.UNPRICED
        return fsum(known), CostBasis.NEAREST_PRICE if any(near for _, near in parts) else CostBasis.PRICE_TABLE

    def _judge(self, exit_code: int | None) -> Ending:
        found = self.ending(exit_code)
        if found is None:
            return self._without_end(exit_code)
        if found.verdict is not Verdict.DONE:
            return found
        hung = self.is_final and exit_code is not None and was_killed(exit_code)  # it was done before the signal
        if exit_code and not self.denied and not hung:
            return Ending(Verdict.FAILED, f"it said that it was done, but ended with {exit_words(exit_code)}")
        return self._doubt() or found

    def _doubt(self) -> Ending | None:
        """Why an agent that stopped by itself may not have done its work, or None."""
        if self.asked:
            return Ending(Verdict.ASKED, f"it asked: {self.asked}")
        if self.denied:
            names = ", ".join(self.denied)
            return Ending(Verdict.PERMISSION_DENIED, f"it was not allowed to use {names}")
        if self.tools_refused and not self.tools_run and not self.files:
            return Ending(Verdict.NOTHING_DONE, self.all_refused)
        if not self.files and not self.tools_run:
            last = self.final_text.rstrip()
            if not last:
                return Ending(Verdict.NOTHING_DONE, "it used no tool, changed no file and said nothing")
            if plain(last).rstrip(_CLOSING).endswith(_QUESTION):
                return Ending(Verdict.ASKED, f"it asked: {last.splitlines()[-1].strip()[-200:]}")
        return None

    def _without_end(self, exit_code: int | None) -> Ending:
        """The ending if the log has no final event."""
        if not self.began:
            return self._by_exit(exit_code)
        if self.problem and exit_code:
            return self.problem
        if not exit_code or was_killed(exit_code):
            how = f" ({exit_words(exit_code)})" if exit_code else ""
            return Ending(Verdict.INTERRUPTED, f"its log stops before the end{how}")
        found = self._by_words(f"it ended with {exit_words(exit_code)} in the middle of its work")
        return found if found.verdict is not Verdict.FAILED else Ending(Verdict.INTERRUPTED, found.reason)

    def _by_exit(self, exit_code: int | None) -> Ending:
        """The ending if nothing of this format was printed: by the exit code and the last lines."""
        if exit_code is None:
            return Ending(Verdict.UNKNOWN, "the log does not say how it ended, and there is no exit code")
        if exit_code == 0:
            if words := only_errors(self.tail):
                self.details = words
                return Ending(verdict_of_words(words) or Verdict.FAILED, first_line(words, 300))
            if self.tail:
                self.said(self.final_text or "\n".join(self.tail))
                return self._doubt() or Ending(Verdict.DONE, "exit code 0")
            return Ending(Verdict.NOTHING_DONE, "exit code 0, and it printed nothing")
        if was_killed(exit_code):
            return Ending(Verdict.INTERRUPTED, f"ended by {exit_words(exit_code)}")
        return self._by_words(exit_words(exit_code))

    def _error_words(self) -> str:
        """The error text in the last lines; the only line of an output, if it is clear what that means."""
        words = error_lines(self.tail)
        only = self.tail[0] if len(self.tail) == 1 and not (words or self.began) else ""
        return only if clear_verdict(only) else words

    def _by_words(self, fallback: str) -> Ending:
        last = first_line(self.tail[-1], 200) if self.tail else ""
        self.details = self._error_words()
        return Ending(verdict_of_words(self.details) or Verdict.FAILED, f"{fallback}: {last}" if last else fallback)
