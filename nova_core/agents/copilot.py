"""GitHub Copilot CLI: `copilot --output-format json`."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from nova_core.agents.fields import count, first_line, http_status, rows, table, text, word
from nova_core.agents.log import AgentLog
from nova_core.agents.outcome import Ending, Verdict
from nova_core.agents.signs import verdict_of
from nova_core.model import TokenUsage


class CopilotLog(AgentLog):
    """Copilot's output. It has no tokens: these are in its own records of the session, see `CopilotRecords`.

    It names its session in its last event, `result`. A refusal of the model, and a limit of output tokens, look like
    success.
    """

    counts = False

    def __init__(self, previous: TokenUsage | None = None) -> None:
        super().__init__(previous)
        self._exit: int | None = None  # the exit code that its last event names
        self._tools: dict[str, str] = {}  # tools in work, by call

    def event(self, event: dict[str, Any]) -> bool:
        kind = event.get("type")
        if not isinstance(kind, str):
            return False
        data = table(event.get("data"))
        if kind == "assistant.turn_start":
            self._exit, self.problem = None, None
        elif kind == "assistant.message":
            self.model = word(data.get("model")) or self.model
            if words := text(data.get("content")):
                self.said(words)
                self.say(words)
        elif kind == "tool.execution_start":
            self._start_tool(data)
        elif kind == "tool.execution_complete":
            self._end_tool(data)
        elif kind == "session.error":
            self._fail(data)
        elif kind == "result":
            self.session_id = word(event.get("sessionId")) or self.session_id
            self._exit = count(event.get("exitCode"))
        return True

    def _start_tool(self, data: dict[str, Any]) -> None:
        name, given = text(data.get("toolName")), table(data.get("arguments"))
        self._tools[word(data.get("toolCallId"))] = name
        if path := text(given.get("path")):
            self.say(f"{'read' if name == 'view' else 'edit'} {PurePath(path).name}")
        else:
            what = text(given.get("description")) or first_line(text(given.get("command")))
            self.say(what or text(data.get("toolTitle")) or name)

    def _end_tool(self, data: dict[str, Any]) -> None:
        name = self._tools.pop(word(data.get("toolCallId")), "") or "a tool"
        for edit in rows(data.get("fileEdits")):
            self.changed(text(table(edit).get("path")))
        error = table(data.get("error"))
        if data.get("success") is not False:
            self.tools_run += 1
        elif error.get("code") == "denied":
            self.tools_refused += 1
            self.deny(name)
        elif "does not exist" in text(error.get("message"))[:500]:
            self.tools_refused += 1  # it does not have such a tool
        else:
            self.tools_run += 1

    def _fail(self, data: dict[str, Any]) -> None:
        words = first_line(text(data.get("message")), 1000) or "an error without a message"
        self.details = text(data.get("message"))[:4000]
        verdict = verdict_of(http_status(data.get("statusCode")), f"{text(data.get('errorType'))} {words}")
        self.problem = Ending(verdict or Verdict.FAILED, words)

    @property
    def unsure(self) -> bool:
        return True

    @property
    def is_final(self) -> bool:
        return self._exit is not None

    def ending(self, exit_code: int | None) -> Ending | None:
        if self.problem is not None:
            return self.problem
        if self._exit is None:
            return None
        if self._exit:
            return Ending(Verdict.FAILED, f"it ended with exit code {self._exit}")
        return Ending(Verdict.DONE, "it finished its work")
