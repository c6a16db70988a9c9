"""Gemini CLI: `gemini -o stream-json`, also `-o json`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from nova_core.agents.fields import count, first_line, table, text, word
from nova_core.agents.log import CHARACTERS, AgentLog
from nova_core.agents.outcome import Ending, Verdict
from nova_core.agents.signs import verdict_of, verdict_of_status, verdict_of_words
from nova_core.model import TokenUsage

# Its exit code is the HTTP status modulo 256; these do not mean death by a signal. The others are its own.
_STATUS_OF = {status % 256: status for status in (400, 401, 403, 404, 429, 500, 502, 503, 504, 529)}
_OWN_CODES = {
    41: Ending(Verdict.BAD_CREDENTIALS, "no login is configured"),
    53: Ending(Verdict.MAX_TURNS, "it reached its limit of turns"),
    55: Ending(Verdict.PERMISSION_DENIED, "the folder is not trusted"),
}
_EDITS = ("write_file", "replace", "edit")
_MOST_HEAD = 4000  # characters of a message that are examined
_MOST_TOOLS = 1000  # calls without a result so far
_MOST_MODELS = 100
_CODE = re.compile(r'"code"\s*:\s*(\d{3})')
_STATUS = re.compile(r"failed with status (\d{3})")
_TORN = re.compile(r"stream ended|loop detected", re.IGNORECASE)  # an answer that broke off and is not counted
_ROUND = re.compile(r"loop detected", re.IGNORECASE)
_DENIED = re.compile(r"denied|not allowed|permission|policy|rejected|cancel", re.IGNORECASE)
_UNKNOWN = re.compile(r"not[_ ]registered|unknown tool|tool \S{0,80} not found|no such tool", re.IGNORECASE)
_NO_ANSWER = re.compile(r"model returned (?:an empty|reasoning thoughts)", re.IGNORECASE)


class GeminiLog(AgentLog):
    """Gemini's output. Usage comes with the result, per run and model; retries are reported on stderr only.

    `output_tokens` leaves out thoughts, `total_tokens` includes them.
    """

    noise = re.compile(
        r"Warning: (?:Basic terminal|256-color)|YOLO mode is enabled|Approval mode overridden|Ripgrep is not available"
        r"|\[STARTUP\]|Loaded cached credentials"
    )

    def __init__(self, previous: TokenUsage | None = None) -> None:
        super().__init__(previous)
        self._models: dict[str | None, TokenUsage] = {}
        self._result: dict[str, Any] | None = None
        self._head = ""  # of the current message
        self._error = ""
        self._characters = 0
        self._tools: dict[str, tuple[str, str]] = {}
        self._untold = False  # some usage is in no figure

    def event(self, event: dict[str, Any]) -> bool:
        kind = event.get("type")
        if kind is None and "session_id" in event and ("stats" in event or "error" in event):
            self._whole(event)
            return True
        if not isinstance(kind, str):
            return False
        if kind == "init":
            self.session_id = word(event.get("session_id")) or self.session_id
            self.model = word(event.get("model")) or self.model
        elif kind == "message" and event.get("role") == "assistant":
            self._say(text(event.get("content")))
        elif kind == "tool_use":
            self._tool(event)
        elif kind == "tool_result":
            self._tool_result(event)
        elif kind == "error":
            self._error = text(event.get("message"))[:_MOST_HEAD] or self._error
            self._untold |= _TORN.search(self._error) is not None
        elif kind == "result":
            self._result = event
            self.details = str(event.get("error") or "")[:_MOST_HEAD]
            self._stats(table(event.get("stats")))
        return True

    def _say(self, piece: str) -> None:
        self.problem = None
        self._characters += len(piece)
        head = self._head
        if head:
            self.said_more(piece)
        elif piece.strip():
            self.said(piece)
        else:
            return
        if len(head) < _MOST_HEAD:
            self._head = head + piece
            self.say(self._head)

    def _tool(self, event: dict[str, Any]) -> None:
        self._head = ""
        name, given = word(event.get("tool_name")), table(event.get("parameters"))
        path = text(given.get("file_path"))
        if len(self._tools) < _MOST_TOOLS:
            self._tools[word(event.get("tool_id"))] = name, path[:_MOST_HEAD]
        self._characters += len(str(given))
        if path:
            words = f"{'edit' if name in _EDITS else 'read'} {PurePath(path).name}"
        else:
            words = text(given.get("step")) or text(given.get("description")) or first_line(text(given.get("command")))
        self.say(words or name)
        if name == "ask_user":
            self.asked = first_line(text(given.get("question"))) or "a question"

    def _tool_result(self, event: dict[str, Any]) -> None:
        name, path = self._tools.pop(word(event.get("tool_id")), ("", ""))
        if event.get("status") == "success":
            self.tools_run += 1
            if name in _EDITS:
                self.changed(path)
            return
        error = event.get("error")
        words = text(table(error).get("message")) or text(error)
        said = f"{word(table(error).get('type'))} {words[:_MOST_HEAD]}"
        if _DENIED.search(said):
            self.tools_refused += 1
            self.deny(name or "a tool")
        elif _UNKNOWN.search(said):
            self.tools_refused += 1
        else:
            self.tools_run += 1

    def _stats(self, stats: dict[str, Any]) -> None:
        models: dict[str | None, TokenUsage] = {name: _usage(table(told)) for name, told in _models(stats)}
        self._models = models or {self.model: _usage(stats)}
        self._name_model()

    def _whole(self, event: dict[str, Any]) -> None:
        """Read the single document of `-o json`."""
        self.session_id = word(event.get("session_id")) or self.session_id
        self.said(text(event.get("response")))
        error = event.get("error")
        self._result = {"status": "error", "error": error} if error else {"status": "success"}
        words = text(table(error).get("message"))[:_MOST_HEAD]
        self._untold = "stats" not in event or _TORN.search(words) is not None
        stats = table(event.get("stats"))
        models = {name: table(table(told).get("tokens")) for name, told in _models(stats)}
        self._models = {name: _usage_of_document(told) for name, told in models.items()}
        self._name_model()
        tools = table(stats.get("tools"))
        self.tools_refused = count(table(tools.get("totalDecisions")).get("reject"))
        failed = max(0, count(tools.get("totalFail")) - self.tools_refused)
        self.tools_run = count(tools.get("totalSuccess")) + failed

    def _name_model(self) -> None:
        """Show the model that used the most tokens; `auto` is not a model."""
        used = [(usage.total, name) for name, usage in self._models.items() if name]
        if used and self.model in (None, "auto"):
            self.model = max(used)[1]

    def plain(self, line: str) -> None:
        """Retries are reported on stderr only; so are errors, if it prints no events."""
        if line.startswith("[ERROR] "):
            self._error = line.removeprefix("[ERROR] ")[:_MOST_HEAD]
        if found := _STATUS.search(line):
            verdict = verdict_of_status(int(found[1]))
            if verdict is not None:
                self.problem = Ending(verdict, first_line(line, 200))
                self.say(f"the model server said {found[1]}; it is retrying")

    @property
    def models(self) -> Mapping[str | None, TokenUsage]:
        return self._models if self._result is not None else {self.model: self.usage}

    @property
    def usage(self) -> TokenUsage:
        if self._result is None:
            return TokenUsage(0, self._characters // CHARACTERS)
        return sum(self._models.values(), TokenUsage())

    @property
    def unsure(self) -> bool:
        return self._result is None or self._untold

    @property
    def is_final(self) -> bool:
        return self._result is not None

    def ending(self, exit_code: int | None) -> Ending | None:
        if exit_code in _OWN_CODES:
            return _OWN_CODES[exit_code]
        result = self._result
        if not self.began and (self._error or (self.problem and exit_code)):
            known = self.problem.verdict if self.problem else Verdict.FAILED
            words = self._error or (self.problem.reason if self.problem else "")
            return Ending(verdict_of_words(self._error) or known, first_line(words, 300))
        if result is not None and result.get("status") == "success":
            if _ROUND.search(self._error):
                return Ending(Verdict.FAILED, first_line(self._error, 300))
            if self.final_text.startswith("[API Error: ") and not self.usage.output_tokens:
                return Ending(verdict_of_words(self.final_text) or Verdict.FAILED, first_line(self.final_text, 300))
            return Ending(Verdict.DONE, "it finished its work")
        error = (result or {}).get("error")
        said = text(table(error).get("message")) or text(error) or self._error
        told = said or (" ".join(list(self.tail)[-3:]) if exit_code else "")
        code = _CODE.search(told)
        status = _STATUS_OF.get(exit_code or 0) or (int(code[1]) if code else count(table(error).get("code")))
        by_status = verdict_of_status(status)
        if result is None and by_status is None:
            return None
        verdict = by_status if _NO_ANSWER.search(said) else verdict_of(status, told)
        if verdict is None:
            verdict = self.problem.verdict if self.problem else Verdict.FAILED
        words = f"the model server said {status}" if status else "it ended with an error"
        return Ending(verdict, first_line(said, 300) or words)


def _models(stats: dict[str, Any]) -> list[tuple[str, Any]]:
    return [(name, told) for name, told in table(stats.get("models")).items() if word(name)][:_MOST_MODELS]


def _usage(told: dict[str, Any]) -> TokenUsage:
    everything, cached = count(told.get("input_tokens")), count(told.get("cached"))
    output = count(told.get("output_tokens"))
    thoughts = max(0, count(told.get("total_tokens")) - everything - output)
    return TokenUsage(max(0, everything - cached), output + thoughts, cached, 0)


def _usage_of_document(told: dict[str, Any]) -> TokenUsage:
    cached = count(told.get("cached"))
    uncached = max(0, count(told.get("prompt")) - cached) + count(told.get("tool"))
    return TokenUsage(uncached, count(told.get("candidates")) + count(told.get("thoughts")), cached, 0)
