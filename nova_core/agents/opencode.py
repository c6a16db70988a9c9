"""opencode: `opencode run --format json`."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Any

from nova_core.agents.fields import added, amount, count, first_line, http_status, table, text, word
from nova_core.agents.log import AgentLog
from nova_core.agents.outcome import CostBasis, Ending, Verdict, cost_of_agent
from nova_core.agents.signs import verdict_of
from nova_core.model import TokenUsage

_REASONS = {
    "length": Ending(Verdict.LIMIT_REACHED, "it reached the limit of output tokens"),
    "content-filter": Ending(Verdict.REFUSED, "the model refused"),
}
_NAMES = {
    "MessageOutputLengthError": Verdict.LIMIT_REACHED,
    "ContextOverflowError": Verdict.LIMIT_REACHED,
    "ProviderAuthError": Verdict.BAD_CREDENTIALS,
    "MessageAbortedError": Verdict.INTERRUPTED,
}
_MOST_BROKEN = 12
_RESETS = ("retry-after-ms", "retry-after", "anthropic-ratelimit-unified-reset", "x-ratelimit-reset-requests")
_MOST_WORDS = 4000  # characters of a message that are examined
_EDITS = ("write", "edit", "patch", "multiedit", "apply_patch")
_DENIED = re.compile(
    r"reject\w{0,10} permission|permission.{0,20}(?:denied|reject)|prevents you from using", re.IGNORECASE
)


class OpencodeLog(AgentLog):
    """opencode's output. Usage and cost come per step and are summed; it ended well if its last step ended with `stop`.

    Input leaves out the cache, output the reasoning. Steps that an error or a kill interrupts, and those of a
    sub-agent, are not reported. There is no final event.
    """

    def __init__(self, previous: TokenUsage | None = None) -> None:
        super().__init__(previous)
        self._used = TokenUsage()
        self._dollars = 0.0
        self._open = False  # a step is running, or the next one will begin
        self._last = ""
        self._broken = 0  # failed steps in a row
        self._helped = False  # by a sub-agent, in its own session

    def event(self, event: dict[str, Any]) -> bool:
        kind = event.get("type")
        if not isinstance(kind, str):
            return False
        session = event.get("sessionID")
        if session != self.session_id:
            self.session_id = word(session) or self.session_id
        part = table(event.get("part"))
        if kind == "step_start":
            self._open, self.problem = True, None
        elif kind == "text":
            words = text(part.get("text"))
            self.said(words)
            self.say(words)
        elif kind == "tool_use":
            self._tool(text(part.get("tool")), table(part.get("state")))
        elif kind == "step_finish":
            self._finish_step(part)
        elif kind == "error":
            self._error(table(event.get("error")))
        return True

    def _tool(self, tool: str, state: dict[str, Any]) -> None:
        given = table(state.get("input"))
        path = text(given.get("filePath")) or text(table(state.get("metadata")).get("filepath"))
        if path:
            self.say(f"{'edit' if tool in _EDITS else 'read'} {PurePath(path).name}")
        else:
            self.say(text(given.get("step")) or text(state.get("title")) or first_line(text(given.get("command"))))
        if tool == "question":
            self.asked = first_line(str(given.get("questions") or given.get("question") or "")) or "a question"
        self._helped |= tool == "task"
        if state.get("status") == "completed" and tool != "invalid":  # `invalid` stands for a tool that does not exist
            self.tools_run += 1
            if tool in _EDITS:
                self.changed(path)
            return
        if _DENIED.search(text(state.get("error"))[:_MOST_WORDS]):
            self.tools_refused += 1
            self.deny(tool)
        elif tool == "invalid":
            self.tools_refused += 1
        else:
            self.tools_run += 1

    def _finish_step(self, part: dict[str, Any]) -> None:
        if self.again(word(part.get("id"))):
            self._open = False
            return
        self.messages += 1
        tokens = table(part.get("tokens"))
        cache = table(tokens.get("cache"))
        self._used += TokenUsage(
            count(tokens.get("input")), count(tokens.get("output")) + count(tokens.get("reasoning")),
            count(cache.get("read")), count(cache.get("write")),
        )  # fmt: skip
        self._dollars = added(self._dollars, amount(part.get("cost")) or 0.0)
        self._open = False
        self._last = word(part.get("reason"))
        self._broken = self._broken + 1 if self._last == "unknown" and not count(tokens.get("output")) else 0
        if self._broken >= _MOST_BROKEN:  # it retries for ever, and each try may be billed
            words = "the model's answer broke off repeatedly"
            self.hopeless = self.problem = Ending(Verdict.OVERLOADED, words)

    def _error(self, error: dict[str, Any]) -> None:
        data = table(error.get("data"))
        status, said = http_status(data.get("statusCode")), text(data.get("message")) or text(error.get("name"))
        headers = {str(name).lower(): text(value) for name, value in table(data.get("responseHeaders")).items()}
        told = [f"{name}: {headers[name][:100]}" for name in _RESETS if headers.get(name)]
        body, name = text(data.get("responseBody"))[:_MOST_WORDS], word(error.get("name"))
        body = body if body.startswith("{") else ""  # else it is a page of some server on the way
        self.details = "\n".join((*told, body))
        verdict = _NAMES.get(name) or verdict_of(status, f"{name} {said} {body}") or Verdict.FAILED
        self.problem = Ending(verdict, f"{said} ({status})" if status else said or "an error without a message")

    def plain(self, line: str) -> None:
        """A refused permission is reported on stderr before it ends the run."""
        if "permission requested:" in line and "auto-rejecting" in line:
            what = line.partition("permission requested:")[2].partition(";")[0].strip()
            if not self.denied:
                self.deny(what[:100])

    @property
    def usage(self) -> TokenUsage:
        return self._used

    @property
    def unsure(self) -> bool:
        ended = self._last in ("stop", *_REASONS) or self.problem is not None or self.denied
        return self._open or not self.began or not ended or self._broken > 0 or self._helped

    @property
    def told_cost(self) -> tuple[float | None, CostBasis]:
        """opencode reports 0 for a model of unknown price."""
        return cost_of_agent(self._dollars)

    @property
    def is_final(self) -> bool:
        return not self._open and (self._last == "stop" or self._last in _REASONS)

    def ending(self, exit_code: int | None) -> Ending | None:
        if self.problem is not None:
            return self.problem
        if self._open:
            return None
        if self._last == "stop":
            return Ending(Verdict.DONE, "it finished its work")
        if self._last in _REASONS:
            return _REASONS[self._last]
        if self._last == "tool-calls" and self.denied:
            return self._doubt()
        return None
