"""The tokens of a session by the agent's own records, which may be missing, broken, or of another version."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from nova_core.acp.own_records import OwnRecords, tokens_since


def message(role: str, *counts: int) -> dict[str, Any]:
    """A message as opencode keeps it: input, output, reasoning, cache read and written."""
    if not counts:
        return {"role": role}
    given, output, reasoning, read, written = counts
    cache = {"read": read, "write": written}
    return {"role": role, "tokens": {"input": given, "output": output, "reasoning": reasoning, "cache": cache}}


def keep(folder: Path, *rows: tuple[str, int, Any]) -> None:
    """Write the records: session, milliseconds, message."""
    path = folder / "opencode" / "opencode.db"
    path.parent.mkdir()
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE message (session_id TEXT, time_created INTEGER, data TEXT)")
        database.executemany("INSERT INTO message VALUES (?, ?, ?)", [(s, at, json.dumps(m)) for s, at, m in rows])


def test_the_messages_of_the_turn_are_summed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of this session since the prompt, and no others."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    keep(
        tmp_path, ("s", 4_000, message("assistant", 1, 1, 1, 1, 1)), ("s", 5_000, message("user")),
        ("s", 5_001, message("assistant", 100, 8, 3, 1000, 50)),
        ("s", 6_000, message("assistant", 200, 16, 6, 3000, 0)),
        ("other", 6_000, message("assistant", 1, 1, 1, 1, 1)),
    )  # fmt: skip
    names = "inputTokens", "outputTokens", "cachedReadTokens", "cachedWriteTokens"
    assert tokens_since("s", 5.0) == dict(zip(names, (300, 33, 4000, 50), strict=True))
    assert tokens_since("none", 5.0) is None
    assert OwnRecords("gemini-cli", "s").tokens() is None


@pytest.mark.parametrize("data", [None, [], {"role": "assistant", "tokens": 3}, {"role": "assistant", "tokens": {}}])
def test_other_records_are_none(data: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records that nobody can read leave the figures of the protocol."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert tokens_since("s", 0.0) is None
    keep(tmp_path, ("s", 5_000, data))
    assert tokens_since("s", 0.0) is None
    (tmp_path / "opencode" / "opencode.db").write_bytes(b"not a database" * 100)
    assert tokens_since("s", 0.0) is None


def test_droid_counts_the_session_and_nova_the_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its sub-agents are included, what it had used before the turn is not; other records are none."""
    monkeypatch.setenv("HOME", str(tmp_path))
    path = tmp_path / ".factory" / "sessions" / "-p" / "s.settings.json"
    path.parent.mkdir(parents=True)
    names = "inputTokens", "outputTokens", "cacheReadTokens", "cacheCreationTokens"
    own, whole = dict(zip(names, (1, 1, 1, 1), strict=True)), dict(zip(names, (2101, 11, 1000, 5), strict=True))
    first = OwnRecords("@factory/cli", "s")
    path.write_text(json.dumps({"tokenUsage": own, "inclusiveTokenUsage": whole}))
    second, told = (
        OwnRecords("@factory/cli", "s"),
        ("inputTokens", "outputTokens", "cachedReadTokens", "cachedWriteTokens"),
    )
    assert first.tokens() == dict(zip(told, (2101, 11, 1000, 5), strict=True))
    path.write_text(json.dumps({"tokenUsage": {name: 3 * count for name, count in whole.items()}}))
    assert second.tokens() == dict(zip(told, (4202, 22, 2000, 10), strict=True))
    for broken in ("", "[]", "{}", '{"tokenUsage": 3}', '{"tokenUsage": {"inputTokens": "x"}}'):
        path.write_text(broken)
        assert second.tokens() is None
