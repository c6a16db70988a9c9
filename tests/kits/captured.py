"""The captured output of real agents, and what the model server of that run really served.

Each capture was made by the real program against a scripted server (see `mock_llm.py`): claude 2.1.329, codex 0.169.0,
gemini 0.61.0, opencode 1.18.33, aider 0.86.2. `served.json` has the command, the exit code and the served tokens.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from nova_core.agents import FORMATS
from nova_core.agents.log import AgentLog
from nova_core.agents.outcome import Outcome
from nova_core.agents.pricing import default_prices
from nova_core.model import TokenUsage

FOLDER = Path(__file__).parents[1] / "agents" / "captures"
SERVED: dict[str, dict[str, Any]] = json.loads((FOLDER / "served.json").read_text())


def path_of(case: str) -> Path:
    """What the agent printed on stdout."""
    return next(path for ending in ("jsonl", "json", "txt") if (path := FOLDER / f"{case}.{ending}").exists())


def read(case: str, data: bytes | None = None, previous: TokenUsage | None = None) -> Outcome:
    """The outcome of a capture, or of other data under its name."""
    log = read_log(case, data, previous)
    return log.outcome(SERVED[case]["exit_code"], default_prices())


def read_log(case: str, data: bytes | None = None, previous: TokenUsage | None = None) -> AgentLog:
    """The log of a capture, read to its end."""
    log = FORMATS[case.partition("/")[0]](previous)
    log.feed(path_of(case).read_bytes() if data is None else data)
    log.finish()
    return log


def served(case: str, which: str = "main") -> TokenUsage:
    """The tokens that the server served: in the conversation itself (`main`), or next to it (`side`)."""
    truth = SERVED[case][f"served_{which}"]
    return TokenUsage(truth["input"], truth["output"], truth["cache_read"], truth["cache_creation"])
