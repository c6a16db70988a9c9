"""Cline: `cline --json`."""

from __future__ import annotations

import re
from typing import Any

from nova_core.agents.fields import amount, count, first_line, rows, table, text, word
from nova_core.agents.log import AgentLog
from nova_core.agents.outcome import CostBasis, Ending, Verdict, cost_of_agent
from nova_core.agents.signs import verdict_of_words
from nova_core.model import TokenUsage

_CLASSES = {
    "auth": Verdict.BAD_CREDENTIALS,
    "rate_limit": Verdict.RATE_LIMITED,
    "overloaded": Verdict.OVERLOADED,
    "context_window": Verdict.LIMIT_REACHED,
}
# How a run ended that has no error of its own.
_REASONS = (
    (re.compile(r"completed"), Verdict.DONE, "it finished its work"),
    (
        re.compile(r"max_?(?:iterations|turns|steps)|iteration_?limit"),
        Verdict.MAX_TURNS,
        "its limit of turns was reached",
    ),
    (re.compile(r"abort|cancel|interrupt"), Verdict.INTERRUPTED, "it was interrupted"),
)
_DENIED = re.compile(r"requires approval|was (?:denied|rejected) by", re.IGNORECASE)
_UNKNOWN = re.compile(
    r"(?:unknown|no such|unregistered) tool|tool \S{1,80} (?:not found|does not exist)", re.IGNORECASE
)
_PATCHED = re.compile(r"^\*\*\* (?:Add|Update|Delete) File: (.{1,4000})$", re.MULTILINE)


class ClineLog(AgentLog):
    """Cline's output: usage per message of the model, and of the run at its end. Its input includes the cache.

    A refusal of the model looks like success. A tool that needs approval is denied, as nobody is asked.
    """

    def __init__(self, previous: TokenUsage | None = None) -> None:
        super().__init__(previous)
        self._used = TokenUsage()
        self._dollars = 0.0
        self._finish: str | None = None  # how its last event says that it ended
        self._at_work = False
        self._writes: dict[str, list[str]] = {}  # the files of tools in work, by call

    def event(self, event: dict[str, Any]) -> bool:
        kind = event.get("type")
        if not isinstance(kind, str):
            return False
        if kind == "agent_event":
            self._inner(table(event.get("event")))
        elif kind == "run_result":
            self._end(event)
        elif kind == "hook_event":
            self.session_id = word(event.get("taskId")) or self.session_id
        return True

    def _inner(self, event: dict[str, Any]) -> None:
        kind, what = text(event.get("type")), text(event.get("contentType"))
        if kind == "iteration_start":
            self._at_work, self._finish, self.problem = True, None, None
        elif kind == "usage":
            self.messages += 1
            self._at_work = False
            self._used += _uncached(event)
            self._dollars = max(self._dollars, amount(event.get("totalCost")) or 0.0)
        elif kind == "content_end" and what == "text":
            self.said(text(event.get("text")))
            self.say(text(event.get("text")))
        elif kind == "content_start" and what == "tool":
            self._start_tool(event)
        elif kind == "content_end" and what == "tool":
            self._end_tool(event)
        elif kind == "error" and event.get("recoverable") is not True:
            self._fail(text(table(event.get("error")).get("message")), word(event.get("errorClass")))
        elif kind == "notice":
            self.say(text(event.get("message")))

    def _start_tool(self, event: dict[str, Any]) -> None:
        given = table(event.get("input"))
        path = text(given.get("path"))
        patch = _PATCHED.findall(text(given.get("input"))[:100_000])
        writes = [path] if path and event.get("toolName") != "read_files" else patch
        if writes:
            self._writes[word(event.get("toolCallId"))] = writes
        commands = [text(given.get("command")), *map(text, rows(given.get("commands")))]
        what = first_line(next(filter(None, commands), ""))
        self.say(f"edit {writes[0].rpartition('/')[2]}" if writes else what or text(event.get("toolName")))

    def _end_tool(self, event: dict[str, Any]) -> None:
        name, error = text(event.get("toolName")) or "a tool", text(event.get("error"))[:1000]
        writes = self._writes.pop(word(event.get("toolCallId")), [])
        if _DENIED.search(error):
            self.tools_refused += 1
            self.deny(name)
        elif _UNKNOWN.search(error):
            self.tools_refused += 1
        else:
            self.tools_run += 1
            for path in writes if not error and table(event.get("output")).get("success") is not False else ():
                self.changed(path)

    def _fail(self, words: str, kind: str = "") -> None:
        self.details = words[:4000]
        verdict = _CLASSES.get(kind) or verdict_of_words(words) or Verdict.FAILED
        self.problem = Ending(verdict, first_line(words, 1000) or "an error without a message")

    def _end(self, event: dict[str, Any]) -> None:
        self._finish = word(event.get("finishReason")) or "error"
        self._at_work = False
        self.model = word(table(event.get("model")).get("id")) or self.model
        told = table(event.get("aggregateUsage")) or table(event.get("usage"))  # with those of its sub-agents
        if (total := _uncached(told)).total >= self._used.total:
            self._used = total
        self._dollars = max(self._dollars, amount(told.get("totalCost")) or 0.0)
        if self._finish == "error" and self.problem is None:
            self._fail(text(event.get("text")))
        elif text(event.get("text")):
            self.said(text(event.get("text")))

    @property
    def usage(self) -> TokenUsage:
        return self._used

    @property
    def unsure(self) -> bool:
        return self._at_work or not self.began

    @property
    def told_cost(self) -> tuple[float | None, CostBasis]:
        """Cline reports 0 for a model of unknown price."""
        return cost_of_agent(self._dollars)

    @property
    def is_final(self) -> bool:
        return self._finish is not None

    def ending(self, exit_code: int | None) -> Ending | None:
        if self.problem is not None or self._finish is None:
            return self.problem
        known = ((verdict, words) for pattern, verdict, words in _REASONS if pattern.search(self._finish.lower()))
        return Ending(*next(known, (Verdict.FAILED, f"it ended with: {self._finish}")))


def _uncached(told: dict[str, Any]) -> TokenUsage:
    read, written = count(told.get("cacheReadTokens")), count(told.get("cacheWriteTokens"))
    uncached = max(0, count(told.get("inputTokens")) - read - written)
    return TokenUsage(uncached, count(told.get("outputTokens")), read, written)
