"""A run by root in somebody's project leaves no file that locks the owner out."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from cli_process import nova

OWNER = 64124


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run in the project of another user")
@pytest.mark.parametrize("plan", ["CASCADE.md", "other.md"])
def test_what_root_makes_belongs_to_the_owner(tmp_path: Path, plan: str) -> None:
    """State, history, logs, lock, inbox and journals, at every place; also after the owner's files were replaced."""
    for name in ("CASCADE.md", "other.md"):
        rows = "| A | A | `true` | - |\n| B | B | `echo x; false` | A |\n"
        (tmp_path / name).write_text(
            f"# P\n\n| Task ID | Task Name | Command | Depends On |\n|---|---|---|---|\n{rows}"
        )
    for path in (tmp_path, *tmp_path.iterdir()):
        os.chown(path, OWNER, OWNER)
    for words in (("run", "--no-ui", plan), ("retry", "B", "--plan", plan), ("run", "--no-ui", plan)):
        nova(*words, cwd=tmp_path)
    made = [path for path in tmp_path.rglob("*") if path.name != "__pycache__"]
    assert len(made) > 10
    assert [str(path) for path in made if path.lstat().st_uid != OWNER and path.suffix != ".sock"] == []
