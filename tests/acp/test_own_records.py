"""The tokens of an opencode session by its own records, which may be missing, broken, or of another version."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from nova_core.acp.own_records import tokens_of_turn


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
    assert tokens_of_turn("OpenCode", "s", 5.0) == dict(zip(names, (300, 33, 4000, 50), strict=True))
    assert tokens_of_turn("OpenCode", "none", 5.0) is None
    assert tokens_of_turn("gemini-cli", "s", 5.0) is None


@pytest.mark.parametrize("data", [None, [], {"role": "assistant", "tokens": 3}, {"role": "assistant", "tokens": {}}])
def test_other_records_are_none(data: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records that nobody can read leave the figures of the protocol."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert tokens_of_turn("OpenCode", "s", 0.0) is None
    keep(tmp_path, ("s", 5_000, data))
    assert tokens_of_turn("OpenCode", "s", 0.0) is None
    (tmp_path / "opencode" / "opencode.db").write_bytes(b"not a database" * 100)
    assert tokens_of_turn("OpenCode", "s", 0.0) is None
