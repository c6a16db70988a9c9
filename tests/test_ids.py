"""Ids of tasks, which become parts of paths."""

from __future__ import annotations

import pytest

from nova_core.model import is_safe_id

SAFE = ["F1", "1.1", "T001a", "Nova-06q.1.2", "01-analysis/03-audit-ast", "a/b/c/d/e/f/g/h", "x" * 64, "log", "a/b.log"]
UNSAFE = [
    "", ".", "..", "-a", ".a", "a.", "a..b", "a b", "a\n", "a\0", "x" * 65, "con", "nul.txt", "a.lock", "a.tmp", "é",
    "/a", "a/", "a//b", "a/../b", "../a", "a/.b", "a/-b", "a.log/b", "con/a", "a/b.lock", "a\\b", "a/b/c/d/e/f/g/h/i",
    "/".join(["x" * 60] * 4),
]  # fmt: skip


@pytest.mark.parametrize("task_id", SAFE)
def test_ids_that_can_be_file_names(task_id: str) -> None:
    """Words, numbers, and levels of a folder of tasks."""
    assert is_safe_id(task_id)


@pytest.mark.parametrize("task_id", UNSAFE)
def test_ids_that_cannot(task_id: str) -> None:
    """Nothing absolute, hidden, reserved, or that leads outside its folder or replaces a log."""
    assert not is_safe_id(task_id)
