"""Labs for the tests with real agents: what these leave running fails the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from agent_lab import AgentLab


@pytest.fixture
def make_lab(tmp_path: Path) -> Iterator[Callable[..., AgentLab]]:
    labs: list[AgentLab] = []

    def make(scenarios: dict[str, Any] | None = None) -> AgentLab:
        labs.append(AgentLab(tmp_path, scenarios))
        return labs[-1]

    yield make
    for lab in labs:
        lab.close()
        assert left_over(lab) == [], "an agent was left running"


@pytest.fixture
def lab(make_lab: Callable[..., AgentLab]) -> AgentLab:
    return make_lab()


def left_over(lab: AgentLab) -> list[str]:
    """Processes that still have this project in their environment."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("NOVA_PROJECT_ROOT") == str(lab.root) and process.status() != "zombie":
                found.append(" ".join(process.cmdline()[:3]))
        except psutil.Error:
            continue
    return found
