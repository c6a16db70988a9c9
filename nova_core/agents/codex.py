"""Codex: `codex exec --json`, also without `--json`."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Any

from nova_core.agents.codex_text import CodexText, command_of
from nova_core.agents.fields import rows, table, text, word
from nova_core.agents.log import AgentLog
from nova_core.agents.outcome import Ending, Verdict, was_killed
from nova_core.agents.records import codex_usage
from nova_core.agents.signs import is_race, verdict_of_words
from nova_core.model import TokenUsage

_MOST_DETAILS = 4000  # characters
_REJECTED = "rejected: "
_UNKNOWN = re.compile(r"unsupported call|unknown (?:tool|server)|no such tool|tool not found", re.IGNORECASE)


class CodexLog(AgentLog):
    """Codex's output. Usage comes once, at the end of a turn, for the whole thread; that of earlier runs is subtracted.

    A run that fails or is killed reports no usage, so it is unknown.
    """

    noise = re.compile(r"Reading additional input from stdin|WARNING: proceeding, even though|warning: Codex could not")

    def __init__(self, previous: TokenUsage | None = None) -> None:
        super().__init__(previous)
        self._total: TokenUsage | None = None
        self._open = False  # a turn is running
        self._failed: str | None = None
        self._unknown = False  # work was done in a turn that reported no usage
        self._text = CodexText(self)
        self._last_error: str | None = None  # the last event, if it is an error and no notice of a retry
        self._torn = False  # an answer broke off and was requested again

    def event(self, event: dict[str, Any]) -> bool:
        kind = event.get("type")
        if not isinstance(kind, str) or (kind == "error" and not isinstance(event.get("message"), str)):
            return False  # also the server's answer within a text
        self._last_error = None
        if kind == "thread.started":
            self.session_id = word(event.get("thread_id")) or self.session_id
        elif kind == "turn.started":
            self._open, self._failed = True, None
        elif kind == "turn.completed":
            self._open, self._unknown, self.problem = False, False, None
            self._total = codex_usage(table(event.get("usage")))
        elif kind == "turn.failed":
            self._open = False
            self.details = str(event.get("error") or "")[:_MOST_DETAILS]
            self._failed = text(table(event.get("error")).get("message")) or "the turn failed"
        elif kind == "error":
            self._error(text(event.get("message")))
        elif kind.startswith("item."):
            self._item(kind, table(event.get("item")))
        return True

    def _error(self, message: str) -> None:
        """An error is not the end: codex retries."""
        self._torn |= "stream disconnected" in message
        self._last_error = None if message.startswith("Reconnecting") else message
        verdict = verdict_of_words(message)
        if verdict is not None:
            self.problem = Ending(verdict, message)
            if verdict is Verdict.BAD_CREDENTIALS and not is_race(message):
                self.hopeless = self.problem
        self.say(message)

    def _item(self, kind: str, item: dict[str, Any]) -> None:
        what = text(item.get("type"))
        if what == "error":
            return
        self._unknown = self._open
        self.problem = None
        done = kind == "item.completed"
        if what == "agent_message":
            words = text(item.get("text"))
            self.said(words)
            self.say(words)
        elif what == "command_execution":
            self._command(item, done)
        elif what == "file_change":
            self._change(item, done)
        elif what == "mcp_tool_call":
            self._call(item, done)

    def _command(self, item: dict[str, Any], done: bool) -> None:
        command = text(item.get("command"))
        self.say(command_of(command))
        if done and item.get("status") == "declined":
            self.deny("a command")
        elif done:
            self.tools_run += 1

    def _change(self, item: dict[str, Any], done: bool) -> None:
        paths = [text(table(change).get("path")) for change in rows(item.get("changes"))]
        if paths:
            self.say("edit " + ", ".join(PurePath(path).name for path in paths[:3]))
        if done and item.get("status") == "completed":
            self.tools_run += 1
            for path in paths:
                self.changed(path)
        elif done and item.get("status") == "declined":
            self.tools_refused += 1
            self.deny("a file change")
        elif done:
            self.tools_run += 1

    def _call(self, item: dict[str, Any], done: bool) -> None:
        given = table(item.get("arguments"))
        self.say(text(given.get("step")) or f"{text(item.get('server'))} {text(item.get('tool'))}")
        if not done:
            return
        error = item.get("error")
        message = text(error) or text(table(error).get("message"))
        if "approval" in message:
            self.tools_refused += 1
            self.deny(text(item.get("tool")) or "a tool")
        elif _UNKNOWN.search(message):
            self.tools_refused += 1
        else:
            self.tools_run += 1

    def plain(self, line: str) -> None:
        """Ignore codex's own log on stderr, except where it reports tools that failed without an event."""
        if "codex_core" in line and "patch " + _REJECTED in line:
            self.deny("a file change: " + line.partition("patch " + _REJECTED)[2][:100])
        elif "codex_core::tools" in line and " error=" in line:
            if _UNKNOWN.search(line):
                self.tools_refused += 1
            else:
                self.tools_run += 1
        elif not self.began:
            self._text.take(line)

    @property
    def usage(self) -> TokenUsage:
        if self._total is None:
            known = self.previous.total - self.previous.cache_read_tokens
            return TokenUsage(max(0, self._text.tokens - known))
        return self._total - self.previous

    @property
    def unsure(self) -> bool:
        untold = self._total is None and self._failed is None
        return self._unknown or self._torn or self._open or untold

    @property
    def is_final(self) -> bool:
        return not self._open and (self._total is not None or self._failed is not None)

    def ending(self, exit_code: int | None) -> Ending | None:
        if not self.began and self._text.interrupted:
            return Ending(Verdict.INTERRUPTED, "it was interrupted")
        if not self.began and self._text.began and exit_code == 0:
            return Ending(Verdict.DONE, "exit code 0")
        if self._failed is not None:
            return Ending(verdict_of_words(self._failed) or Verdict.FAILED, self._failed)
        if self._last_error and self._total is None and not was_killed(exit_code or 0):
            return Ending(verdict_of_words(self._last_error) or Verdict.FAILED, self._last_error)
        if self._open or self._total is None:
            return self.hopeless if exit_code else None
        return Ending(Verdict.DONE, "it finished its work")
