"""What a command loads before it answers: the readers of other tools' plans and of logs take tens of milliseconds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from cli_process import SOURCE, environment

PLAN = "| ID | Name | Depends On |\n|---|---|---|\n| A | One | - |\n| B | Two | A |\n"
NOT_FOR_A_TABLE = {
    "nova_core.importers.sentences", "nova_core.importers.lists", "nova_core.importers.build",
    "nova_core.agents.claude", "textual", "rich", "sqlite3",
}  # fmt: skip
NOT_TO_LOOK = {
    "nova_core.agents.log", "nova_core.agents.signs", "nova_core.engine.run", "nova_core.console.summary",
    "nova_core.plan.touched", "nova_core.isolation.values",
}  # fmt: skip


@pytest.mark.parametrize(
    ("words", "absent"),
    [(("check",), NOT_FOR_A_TABLE - {"sqlite3"}), (("status",), NOT_FOR_A_TABLE | NOT_TO_LOOK)],
    ids=["check", "status"],
)
def test_a_command_loads_only_what_it_needs(tmp_path: Path, words: tuple[str, ...], absent: set[str]) -> None:
    """Looking at a table of tasks loads no reader of other plans, no agent's log format and no screen."""
    (tmp_path / "CASCADE.md").write_text(PLAN)
    run = [sys.executable, "-m", "nova_core", "run", "--no-ui", "--command", "true"]
    subprocess.run(run, cwd=tmp_path, env=environment(), check=True, capture_output=True)
    program = (
        f"import sys; sys.argv = ['nova', *{words!r}]\n"
        "from nova_core.__main__ import main\n"
        "try:\n    main()\n"
        "finally:\n    print('loaded:', *sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment(), capture_output=True, text=True
    )
    loaded = set(done.stdout.rpartition("loaded:")[2].split())
    assert "nova_core.parser.cascade" in loaded
    assert not absent & loaded


def test_a_holder_loads_nothing_that_is_slow_to_import() -> None:
    """There may be one for each task, and each has two guards: also what ends its jobs does without."""
    modules = ", ".join(f"nova_core.holder.{name}" for name in ("holder", "guard", "killing", "takeover", "terminal"))
    program = f"import sys; sys.path.append({SOURCE!r}); import {modules}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=True)
    assert not {"typing", "dataclasses", "subprocess", "pathlib", "logging", "msgspec"} & set(done.stdout.split())
