"""The tokens of a turn from the agent's own records.

By the protocol opencode reports only those of its last message, Droid none.
"""

from __future__ import annotations

import os
from glob import escape
from pathlib import Path
from time import time
from typing import Any

import msgspec

_PLACE = "opencode/opencode.db"
_DROID = {
    "inputTokens": "inputTokens", "outputTokens": "outputTokens", "cachedReadTokens": "cacheReadTokens",
    "cachedWriteTokens": "cacheCreationTokens",
}  # fmt: skip
_SUM = "SELECT data FROM message WHERE session_id = ? AND time_created >= ?"


class OwnRecords:
    """What an agent itself keeps of a session. Made before a turn begins, which `tokens` then counts alone."""

    def __init__(self, agent: str, session: str) -> None:
        self._agent, self._session, self._since = agent.lower(), session, time()
        self._before = self._droids()

    def tokens(self) -> dict[str, int] | None:
        """The tokens since then, in the names of the protocol; None for other agents, and without such records."""
        if "opencode" in self._agent:
            return tokens_since(self._session, self._since)
        after, before = self._droids(), self._before or {}
        return after and {name: max(0, count - before.get(name, 0)) for name, count in after.items()}

    def _droids(self) -> dict[str, int] | None:
        """The tokens of a session of Droid, with those of its sub-agents."""
        if not self._agent.startswith("@factory/"):
            return None
        home = Path(os.environ.get("HOME", "/nonexistent"), ".factory", "sessions")
        try:
            path = next(home.glob(f"*/{escape(self._session)}.settings.json"))
            told = msgspec.json.decode(path.read_bytes())
            told = told.get("inclusiveTokenUsage") or told["tokenUsage"]
            return {name: int(told[own]) for name, own in _DROID.items()}
        except (OSError, StopIteration, msgspec.MsgspecError, TypeError, ValueError, KeyError, AttributeError):
            return None  # another version of it


def tokens_since(session: str, since: float) -> dict[str, int] | None:
    """Returns the tokens of a session of opencode since a time (seconds since the epoch); None without records."""
    data = os.environ.get("XDG_DATA_HOME") or os.path.join(os.environ.get("HOME", "/nonexistent"), ".local", "share")
    path = os.path.join(data, _PLACE)
    if not os.path.isfile(path):
        return None
    import sqlite3
    from urllib.parse import quote

    try:
        connection = sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True, timeout=1.0)
        try:
            rows = connection.execute(_SUM, (session, int(since * 1000))).fetchall()
        finally:
            connection.close()
        return _sum([msgspec.json.decode(data) for (data,) in rows])
    except (sqlite3.Error, msgspec.MsgspecError, TypeError, ValueError, KeyError, AttributeError):
        return None  # another version of opencode


def _sum(messages: list[Any]) -> dict[str, int] | None:
    found = [message["tokens"] for message in messages if message.get("role") == "assistant" and "tokens" in message]
    if not found:
        return None
    return {
        "inputTokens": sum(int(row["input"]) for row in found),
        "outputTokens": sum(int(row["output"]) + int(row["reasoning"]) for row in found),
        "cachedReadTokens": sum(int(row["cache"]["read"]) for row in found),
        "cachedWriteTokens": sum(int(row["cache"]["write"]) for row in found),
    }
