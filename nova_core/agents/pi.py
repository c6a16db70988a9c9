"""pi: `pi -p --mode json`."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from nova_core.agents.fields import added, amount, count, first_line, table, text, word
from nova_core.agents.log import AgentLog
from nova_core.agents.outcome import CostBasis, Ending, Verdict, cost_of_agent
from nova_core.agents.signs import verdict_of
from nova_core.model import TokenUsage

_EDITS = ("write", "edit")
_MOST_DIGITS = 3  # of an HTTP status


class PiLog(AgentLog):
    """pi's output. Usage and cost come with each message of the model and are summed; exit code 0 means nothing.

    How it ended is the `stopReason` of the last message. Input leaves out the cache. A message that an error or a kill
    interrupts is not reported.
    """

    def __init__(self, previous: TokenUsage | None = None) -> None:
        super().__init__(previous)
        self._used = TokenUsage()
        self._dollars = 0.0
        self._stop = ""  # of the last message of the model
        self._at_work = False  # a message is being written, or a tool runs
        self._called: dict[str, str] = {}  # paths that tools in work write to, by call

    def event(self, event: dict[str, Any]) -> bool:
        kind = event.get("type")
        if not isinstance(kind, str):
            return False
        if kind == "session":
            self.session_id = word(event.get("id")) or self.session_id
        elif kind in ("turn_start", "auto_retry_start"):
            self._begin(kind, event)
        elif kind == "message_end":
            self._message(table(event.get("message")))
        elif kind == "tool_execution_start":
            self._start_tool(event)
        elif kind == "tool_execution_end":
            self._end_tool(event)
        elif kind == "agent_end":
            self._at_work = False
        elif kind == "auto_retry_end" and event.get("success") is False:
            self._fail(text(event.get("finalError")))
        return True

    def _begin(self, kind: str, event: dict[str, Any]) -> None:
        self._at_work, self._stop, self.problem = True, "", None
        if kind == "auto_retry_start":
            tries = f"{count(event.get('attempt'))}/{count(event.get('maxAttempts'))}"
            self.say(f"retry {tries}: {first_line(text(event.get('errorMessage')), 100)}")

    def _message(self, message: dict[str, Any]) -> None:
        if message.get("role") != "assistant":
            return
        self.model = word(message.get("model")) or self.model
        self._stop = word(message.get("stopReason"))
        words = "\n".join(text(part.get("text")) for part in _parts(message) if part.get("type") == "text")
        if words.strip():
            self.said(words)
            self.say(words)
        if self._stop == "error":
            self._fail(text(message.get("errorMessage")))
        if self.again(word(message.get("responseId"))):
            return
        usage = table(message.get("usage"))
        names = "input", "output", "cacheRead", "cacheWrite"
        self._used += TokenUsage(*(count(usage.get(name)) for name in names))
        self._dollars = added(self._dollars, amount(table(usage.get("cost")).get("total")) or 0.0)

    def _fail(self, words: str) -> None:
        """The model server failed; `words` begin with its HTTP status, if it gave one."""
        self._stop = "error"
        digits = words[:_MOST_DIGITS]
        status = int(digits) if len(digits) == _MOST_DIGITS and digits.isascii() and digits.isdigit() else 0
        verdict = verdict_of(status, words) or Verdict.FAILED
        self.problem = Ending(verdict, words or "an error without a message")

    def _start_tool(self, event: dict[str, Any]) -> None:
        name, given = text(event.get("toolName")), table(event.get("args"))
        path = text(given.get("path"))
        if path:
            self.say(f"{'edit' if name in _EDITS else name} {PurePath(path).name}")
        else:
            self.say(first_line(text(given.get("command"))) or name)
        if name in _EDITS and path:
            self._called[word(event.get("toolCallId"))] = path

    def _end_tool(self, event: dict[str, Any]) -> None:
        path = self._called.pop(word(event.get("toolCallId")), "")
        name, words = text(event.get("toolName")), _words(event)
        if event.get("isError") is True and name in words and "not found" in words:
            self.tools_refused += 1  # it does not have such a tool
            return
        self.tools_run += 1
        if event.get("isError") is not True:
            self.changed(path)

    @property
    def usage(self) -> TokenUsage:
        return self._used

    @property
    def unsure(self) -> bool:
        return self._at_work or not self.began

    @property
    def told_cost(self) -> tuple[float | None, CostBasis]:
        """pi reports 0 for a model of unknown price."""
        return cost_of_agent(self._dollars)

    @property
    def is_final(self) -> bool:
        return not self._at_work and self._stop in ("stop", "length", "error")

    def ending(self, exit_code: int | None) -> Ending | None:
        if self.problem is not None:
            return self.problem
        if self._at_work:
            return None
        if self._stop == "stop":
            return Ending(Verdict.DONE, "it finished its work")
        if self._stop == "length":
            return Ending(Verdict.LIMIT_REACHED, "it reached the limit of output tokens")
        return None


def _parts(message: dict[str, Any]) -> list[dict[str, Any]]:
    content = message.get("content")
    return [table(part) for part in content] if isinstance(content, list) else []


def _words(event: dict[str, Any]) -> str:
    """The beginning of what a tool returned."""
    return " ".join(text(part.get("text")) for part in _parts(table(event.get("result"))))[:500]
