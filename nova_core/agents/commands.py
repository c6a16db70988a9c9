"""Commands without their own format: the exit code is the verdict, and lines that match a pattern are data."""

from __future__ import annotations

import re
from typing import Any

from nova_core.agents.fields import added, number, whole, word
from nova_core.agents.log import AgentLog
from nova_core.agents.outcome import CostBasis, Ending, Verdict
from nova_core.agents.signs import verdict_of_words
from nova_core.agents.tokens import TokenCounter
from nova_core.model import TokenUsage

# The meaning of each named group of a line pattern; `docs/agents.md` explains them.
GROUPS = (
    "step", "input", "output", "cache_read", "cache_creation", "cost", "model", "session", "file", "text", "error",
)  # fmt: skip
_MOST_LINE = 2000  # characters of a line that the user's pattern sees


def check_pattern(text: str) -> str:
    """The text, if it is a regular expression whose named groups are known. Raises `ValueError` otherwise."""
    try:
        names = set(re.compile(text).groupindex)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"is not a regular expression: {error}") from None
    if not names or names - set(GROUPS):
        known = ", ".join(GROUPS)
        raise ValueError(f"has {'no' if not names else 'unknown'} named groups: write (?P<step>...), known are {known}")
    return text


class CommandLog(AgentLog):
    """Any command: the lines `Token usage: input=1, output=2, cache_read=3, cache_creation=4` are summed."""

    judges = False

    def __init__(self, previous: TokenUsage | None = None) -> None:
        super().__init__(previous)
        self._counter = TokenCounter()

    def feed(self, data: bytes) -> None:
        """Look for token lines only: a build's megabytes are not searched line by line."""
        self._counter.feed(data)
        end = data[-4000:].decode("utf-8", "replace").splitlines()
        self.tail.extend(line for line in end if line.strip())

        self.gap = self._counter.gap

    def skip(self) -> None:
        self._counter.skip()
        self.gap = True

    def finish(self) -> None:
        self._counter.finish()
        self.gap |= self._counter.gap
        self.began = bool(self._counter.usage.total)

    @property
    def usage(self) -> TokenUsage:
        return self._counter.usage

    def ending(self, exit_code: int | None) -> Ending | None:
        if exit_code == 0:
            return Ending(Verdict.DONE, "exit code 0")
        return None if exit_code is None else self._by_exit(exit_code)

    def _doubt(self) -> Ending | None:
        """None: a command that prints nothing and exits with 0 succeeded."""
        return None

    def _by_words(self, fallback: str) -> Ending:
        """Use the exit code only: a build's output may contain any words."""
        return Ending(Verdict.FAILED, fallback)


class PatternLog(AgentLog):
    """A custom agent: lines that match `pattern` give a step, tokens, a file and so on by group name."""

    def __init__(self, pattern: re.Pattern[str], previous: TokenUsage | None = None) -> None:
        super().__init__(previous)
        self._pattern = pattern
        self._counter = TokenCounter()
        self._matched = TokenUsage()
        self._dollars: float | None = None
        self._error: str | None = None
        self._unsure = False  # a cost was not a number

    def feed(self, data: bytes) -> None:
        self._counter.feed(data)
        super().feed(data)

    def skip(self) -> None:
        self._counter.skip()
        super().skip()

    def finish(self) -> None:
        self._counter.finish()
        super().finish()

    def event(self, event: dict[str, Any]) -> bool:
        """Always False: JSON is text like any other here."""
        return False

    def plain(self, line: str) -> None:
        found = self._pattern.search(line[:_MOST_LINE])
        if found is None:
            return
        given = {name: value for name, value in found.groupdict().items() if value}
        self._matched += TokenUsage(*(whole(given.get(name, "")) for name in GROUPS[1:5]))
        self.say(given.get("step", ""))
        self.changed(given.get("file", "").strip())
        if "text" in given:
            self.said(given["text"])
        self.model = word(given.get("model")) or self.model
        self.session_id = word(given.get("session")) or self.session_id
        self._error = given.get("error", self._error)
        if "cost" in given:
            dollars = number(given["cost"])
            self._unsure |= dollars is None
            self._dollars = self._dollars if dollars is None else added(self._dollars, dollars)

    @property
    def usage(self) -> TokenUsage:
        return self._counter.usage + self._matched

    @property
    def unsure(self) -> bool:
        return self._unsure

    @property
    def told_cost(self) -> tuple[float | None, CostBasis]:
        return (None, CostBasis.UNPRICED) if self._dollars is None else (self._dollars, CostBasis.AGENT)

    def _doubt(self) -> Ending | None:
        return None

    def ending(self, exit_code: int | None) -> Ending | None:
        if self._error is not None:
            return Ending(verdict_of_words(self._error) or Verdict.FAILED, f"it said: {self._error}")
        return Ending(Verdict.DONE, "exit code 0") if exit_code == 0 else None

    def _error_words(self) -> str:
        """Only the text that the pattern marks as an error; the rest is about the agent's work."""
        return ""
