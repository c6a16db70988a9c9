"""The line of a log that says why its task failed."""

from __future__ import annotations

import pytest

from nova_core.console.last_words import telling


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([], ""),
        (["reading", "no space left on device"], "no space left on device"),
        (["reading", "ERROR: tests failed: expected 3 rows"], "tests failed: expected 3 rows"),
        (["fatal: not a git repository", "cleaning up"], "not a git repository"),
        (["Traceback (most recent call last):", '  File "a.py"', "ValueError: bad"], "ValueError: bad"),
        (["FAILED a.py::b - assert 1 == 2", "=== 1 failed in 0.1s ==="], "FAILED a.py::b - assert 1 == 2"),
        (["error[E0425]: cannot find `x`", "error: aborting due to 1 previous error"], "error[E0425]: cannot find `x`"),
        (["cc: no such file: a.c", "make: *** [all] Error 1"], "cc: no such file: a.c"),
        (["make: *** [all] Error 1"], "make: *** [all] Error 1"),
        (["12 passed, 0 failed", "uploading"], "uploading"),
        (["sh: 1: frob: not found"], "sh: 1: frob: not found"),
    ],
)  # fmt: skip
def test_the_telling_line(lines: list[str], said: str) -> None:
    """The last one that speaks of an error, unless it adds nothing to the exit code; else the last one."""
    assert telling(lines) == said
