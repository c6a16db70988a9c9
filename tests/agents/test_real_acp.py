"""Real agents that speak the Agent Client Protocol, against a scripted model server on loopback, with dummy keys."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from agent_lab import AgentLab, require

pytestmark = pytest.mark.agents
PROGRAMS = {
    "claude": "claude-agent-acp", "copilot": "copilot", "gemini": "gemini", "opencode": "opencode", "qwen": "qwen",
}  # fmt: skip
WORK = [{"text": "Writing.", "tools": [{"sh": "python3 -c \"open('s.txt','w')\""}]}, {"text": "NOVA-FINAL: did it."}]


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[AgentLab]:
    made = AgentLab(tmp_path, {"acp": WORK})
    yield made
    made.close()


def settings(lab: AgentLab, agent: str) -> dict[str, Any]:
    """How the agent is pointed at the server."""
    openai = {"OPENAI_BASE_URL": f"{lab.url}/v1", "OPENAI_API_KEY": "dummy", "OPENAI_MODEL": "m1"}
    known: dict[str, dict[str, Any]] = {
        "claude": {"env": {"ANTHROPIC_BASE_URL": lab.url, "ANTHROPIC_API_KEY": "dummy", "IS_SANDBOX": "1"}},
        "copilot": {
            "env": {
                "COPILOT_OFFLINE": "true", "COPILOT_PROVIDER_BASE_URL": f"{lab.url}/v1",
                "COPILOT_PROVIDER_API_KEY": "dummy", "COPILOT_MODEL": "gpt-4o",
            },
        },
        "gemini": {"env": {"GEMINI_API_KEY": "dummy", "GOOGLE_GEMINI_BASE_URL": lab.url}, "model": "gemini-2.5-pro"},
        "opencode": {"model": "mock/m1"},
        "qwen": {"args": ["--auth-type", "openai"], "env": openai},
    }  # fmt: skip
    return known[agent]


@pytest.mark.parametrize("allow", [True, False])
@pytest.mark.parametrize("agent", PROGRAMS)
def test_an_agent_asks_and_a_person_answers(agent: str, allow: bool, lab: AgentLab) -> None:
    """The command runs only if it is allowed; the totals are those that the server served."""
    require(PROGRAMS[agent])
    known = {"use": agent, "kind": "acp", "permissions": "ask", **settings(lab, agent)}
    (lab.root / "nova.yaml").write_text(json.dumps({"agents": {"by-protocol": known}}))
    lab.plan("T1 | @mock:acp do it | - | by-protocol | ")
    engine = lab.start()
    lab.until(lambda: bool(lab.tasks().get("T1", {}).get("asks")), "a question")
    assert "python3 -c" in lab.tasks()["T1"]["asks"]
    lab.nova("approve", "T1", *([] if allow else ["--deny"]))
    engine.wait(120)
    task = lab.tasks()["T1"]
    assert task["verdict"] == ("done" if allow else "permission_denied")
    assert (lab.root / "s.txt").exists() is allow
    mine, truth = lab.usage("T1"), lab.served("acp")
    assert (mine.total, mine.output_tokens) == (truth.total, truth.output_tokens)
    assert task["estimated"] is False
