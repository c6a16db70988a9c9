"""What `nova acp-run` prints: the messages of the protocol, without what nobody needs, and with long texts cut."""

from __future__ import annotations

import os
from collections.abc import Mapping
from time import monotonic
from typing import Any

import msgspec

_MOST_TEXT = 4000  # characters of one text
_MOST_WORDS = 100_000  # characters of what the agent says
_MOST_ROWS = 100
_MOST_DEPTH = 12
_TOGETHER = 0.5  # seconds for which pieces of a message are collected
_MOST_TOGETHER = 3000  # characters
_PIECES = ("agent_message_chunk", "agent_thought_chunk")
# Shown by editors, of no use here; they may be long and come often.
_LEFT_OUT = ("available_commands_update", "config_option_update", "session_info_update", "user_message_chunk")
_SAYS_MORE = ("status", "title", "kind", "rawInput", "locations")
_OUTPUT_PAUSE = 1.0  # seconds between two lines that only say that a tool prints something


class Journal:
    """Writes to standard output, a line at once. Pieces of a text that follow each other become one line."""

    def __init__(self, descriptor: int = 1) -> None:
        self._fd = descriptor
        self._first: dict[str, Any] | None = None  # the first of the pieces that are not written yet
        self._texts: list[str] = []
        self._size = 0
        self._since = 0.0
        self._printed_at = 0.0

    def write(self, message: Mapping[str, Any]) -> None:
        """Write one message."""
        self.flush()
        self._line(message)

    def note(self, method: str, **params: Any) -> None:
        """Write a message of Nova's own."""
        self.write({"jsonrpc": "2.0", "method": f"_nova/{method}", "params": params})

    def update(self, message: dict[str, Any]) -> None:
        """Write a `session/update` of the agent."""
        params = message.get("params")
        update = params.get("update") if isinstance(params, dict) else None
        if not isinstance(update, dict):
            return
        kind = update.get("sessionUpdate")
        if kind in _LEFT_OUT or (kind == "usage_update" and not update.get("cost")):
            return
        if kind in _PIECES and self._collect(message, update):
            return
        if kind == "tool_call_update" and not any(name in update for name in _SAYS_MORE):
            if monotonic() - self._printed_at < _OUTPUT_PAUSE:
                return
            self._printed_at = monotonic()
        self.write(message)

    def _collect(self, message: dict[str, Any], update: dict[str, Any]) -> bool:
        content = update.get("content")
        text = content.get("text") if isinstance(content, dict) else None
        if not isinstance(text, str) or "_meta" in update:
            return False
        if self._first is not None and not _is_same(self._first, update):
            self.flush()
        if self._first is None:
            self._first, self._since = message, monotonic()
        self._texts.append(text)
        self._size += len(text)
        if self._size > _MOST_TOGETHER:
            self.flush()
        return True

    def tick(self) -> None:
        """Write what was collected long enough."""
        if self._first is not None and monotonic() - self._since >= _TOGETHER:
            self.flush()

    def flush(self) -> None:
        """Write what was collected."""
        first, texts = self._first, self._texts
        if first is None:
            return
        self._first, self._texts, self._size = None, [], 0
        update = {**first["params"]["update"], "content": {"type": "text", "text": "".join(texts)}}
        self._line({**first, "params": {**first["params"], "update": update}}, _MOST_WORDS)

    def _line(self, message: Mapping[str, Any], most: int = _MOST_TEXT) -> None:
        data = msgspec.json.encode(_cut(message, most, 0)) + b"\n"
        while data:
            data = data[os.write(self._fd, data) :]


def _is_same(first: dict[str, Any], update: dict[str, Any]) -> bool:
    """Returns True if the update continues the message of the first piece."""
    one = first["params"]["update"]
    return all(one.get(name) == update.get(name) for name in ("sessionUpdate", "messageId"))


def _cut(value: Any, most: int, depth: int) -> Any:
    if isinstance(value, str):
        return value if len(value) <= most else f"{value[:most]}… ({len(value):,} characters)"
    if depth > _MOST_DEPTH:
        return None
    if isinstance(value, dict):
        return {name: _cut(item, most, depth + 1) for name, item in list(value.items())[:_MOST_ROWS]}
    if isinstance(value, list):
        return [_cut(item, most, depth + 1) for item in value[:_MOST_ROWS]]
    return value
