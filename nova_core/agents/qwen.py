"""Qwen Code: `qwen -o stream-json`, in the shapes of Claude Code."""

from __future__ import annotations

import re
from typing import Any

from nova_core.agents.claude import ClaudeLog
from nova_core.agents.claude_parts import as_told
from nova_core.agents.fields import count, rows, table, text

# The names of its tools in Claude Code.
_TOOLS = {
    "run_shell_command": "Bash",
    "write_file": "Write",
    "edit": "Edit",
    "read_file": "Read",
    "ask_user_question": "AskUserQuestion",
}
_ERROR = re.compile(r"\[API Error: (?:(\d{3})\b)?")


class QwenLog(ClaudeLog):
    """Qwen's output. Its input includes the cache, and it calls an error of the model server a success.

    It says nothing while it retries after a limit, and does not give up: the idle limit ends it.
    """

    def event(self, event: dict[str, Any]) -> bool:
        kind = event.get("type")
        if kind == "assistant":
            message = table(event.get("message"))
            content = [_renamed(table(block)) for block in rows(message.get("content"))]
            event = {**event, "message": {**message, "content": content, "usage": _uncached(message.get("usage"))}}
        elif kind == "result":
            event = {**event, "usage": self._of_this_run(_uncached(event.get("usage")))}
            if found := _ERROR.match(text(event.get("result"))):
                event |= {"is_error": True, "api_error_status": int(found[1] or 0)}
        return super().event(event)

    def _of_this_run(self, usage: dict[str, Any]) -> dict[str, Any]:
        """A resumed session keeps counting."""
        before = as_told(self.previous)
        return {name: max(0, count(usage.get(name)) - known) for name, known in before.items()}


def _renamed(block: dict[str, Any]) -> dict[str, Any]:
    name = text(block.get("name"))
    return {**block, "name": _TOOLS.get(name, name)} if block.get("type") == "tool_use" else block


def _uncached(usage: object) -> dict[str, Any]:
    told = table(usage)
    cached = count(told.get("cache_read_input_tokens")) + count(told.get("cache_creation_input_tokens"))
    return {**told, "input_tokens": max(0, count(told.get("input_tokens")) - cached)}
