"""The tokens of a turn from opencode's own records: by the protocol it reports only those of its last message."""

from __future__ import annotations

import os
from typing import Any

import msgspec

_PLACE = "opencode/opencode.db"
_SUM = "SELECT data FROM message WHERE session_id = ? AND time_created >= ?"


def tokens_of_turn(agent: str, session: str, since: float) -> dict[str, int] | None:
    """Returns the tokens of the session since a time (seconds since the epoch), in the names of the protocol.

    None for other agents, and if there are no such records.
    """
    if "opencode" not in agent.lower():
        return None
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
