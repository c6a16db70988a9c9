"""A worker on a terminal is answered from the command line, by the next engine too if the first was killed."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

from cli_plans import task_in, wait_until
from cli_process import nova, start

PLAN = """# Demo

| Task ID | Task Name | Depends On | Command | Terminal |
| --- | --- | --- | --- | --- |
| F1 | Asks | - | `python3 asks.py` | yes |
"""
ASKS = """
import getpass
print("name", input("Name? "))
print("length", len(getpass.getpass("Password: ")))
"""


def says(folder: Path, text: str) -> Callable[[], bool]:
    """Whether the worker has printed the text."""
    log = folder / "logs" / "F1.log"
    return lambda: log.exists() and text in log.read_text()


def test_a_killed_engine_leaves_the_terminal_to_the_next(tmp_path: Path) -> None:
    """The first answer goes to the first engine, the second to the next one; the history has no password."""
    (tmp_path / "CASCADE.md").write_text(PLAN)
    (tmp_path / "asks.py").write_text(ASKS)
    engine = start("run", "--no-ui", cwd=tmp_path)
    try:
        wait_until(says(tmp_path, "Name? "))
        wait_until(lambda: bool(task_in(tmp_path, "F1").question))
        assert "nova type F1 ANSWER" in nova("why", "F1", cwd=tmp_path).stdout
        assert nova("type", "F1", "Zoë", cwd=tmp_path).stdout == "typed into F1\n"
        wait_until(says(tmp_path, "Password: "))
    finally:
        engine.kill()
        engine.wait()
    engine = start("run", "--no-ui", cwd=tmp_path)
    try:
        wait_until(lambda: nova("type", "F1", "s3cret", cwd=tmp_path).returncode == 0)
        assert engine.wait(60) == 0
    finally:
        engine.kill()
        engine.wait()
    log = (tmp_path / "logs" / "F1.log").read_text()
    assert "name Zoë\n" in log
    assert "length 6\n" in log
    with sqlite3.connect(tmp_path / ".nova" / "nova.db") as database:
        history = json.dumps(database.execute("SELECT * FROM events").fetchall(), default=str)
    assert "typed" in history
    assert "s3cret" not in history + log + (tmp_path / "cascade_state.json").read_text()
