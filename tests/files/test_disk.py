"""What the real disk does; the tests replace its waits (`quick_disk`), so they are looked at here."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest
import quick_disk

from nova_core.files.disk import Disk
from nova_core.state.database import Database


def test_a_replaced_file_and_its_new_name_are_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The data before the rename, the folder after it."""
    calls: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda fd: calls.append(os.readlink(f"/proc/self/fd/{fd}")))
    monkeypatch.setattr(os, "rename", lambda *names: calls.append("rename"))
    Disk().replace(tmp_path / "a", b"x")
    assert calls == [f"{tmp_path}/a.tmp", "rename", str(tmp_path)]


def test_a_commit_is_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite waits for the disk at every commit (synchronous=FULL)."""
    monkeypatch.setattr(sqlite3, "connect", quick_disk.real_connect)
    database = Database(tmp_path / "nova.db")
    assert database._connection.execute("PRAGMA synchronous").fetchone() == (2,)
    database.close()
