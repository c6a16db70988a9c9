"""Real agents that speak the Agent Client Protocol, against a scripted model server on loopback, with dummy keys."""

from __future__ import annotations

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


def by_protocol(agent: str) -> dict[str, Any]:
    """The settings with which an agent asks before it does something."""
    return {"use": agent, "kind": "acp", "permissions": "ask", "env": {"IS_SANDBOX": "1"}}


@pytest.mark.parametrize("allow", [True, False])
@pytest.mark.parametrize("agent", PROGRAMS)
def test_an_agent_asks_and_a_person_answers(agent: str, allow: bool, lab: AgentLab) -> None:
    """The command runs only if it is allowed; the totals are those that the server served."""
    require(PROGRAMS[agent])
    lab.settings(by_protocol=by_protocol(agent))
    lab.plan("T1 | @mock:acp do it | - | by_protocol | ")
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


@pytest.mark.parametrize("agent", ["claude", "copilot", "opencode"])
def test_the_next_attempt_resumes_the_session(agent: str, lab: AgentLab) -> None:
    """The output is missing after the first attempt; the second one learns that where it left off."""
    require(PROGRAMS[agent])
    late = [
        {"text": "NOVA-FINAL: nothing was to do."}, {"text": "Writing.", "tools": [{"sh": "echo late > late.txt"}]},
        WORK[1],
    ]  # fmt: skip
    lab.server.script.scenarios.update(late=late)
    lab.settings({"retries": 1, "retry_delay": "0s"}, asks={**by_protocol(agent), "permissions": "shell"})
    lab.plan("T1 | @mock:late do it | - | asks | late.txt")
    done = lab.nova("run", "--no-ui")
    assert done.returncode == 0, done.stdout + done.stderr
    task, mine, truth = lab.tasks()["T1"], lab.usage("T1"), lab.served("late")
    assert (task["status"], task["attempt"], task["estimated"]) == ("completed", 2, False)
    assert (mine.total, mine.output_tokens) == (truth.total, truth.output_tokens)
    assert [request["step"] for request in lab.asked("late")] == [0, 1, 2], "the session began again"


NATIVE = ("claude", "codex", "copilot", "pi")


def test_nine_agents_in_one_plan(lab: AgentLab) -> None:
    """Five by protocol: each is asked for, one is denied; all totals are those that the server served."""
    require(*NATIVE, *PROGRAMS.values())
    asking = {f"{agent}_asks": by_protocol(agent) for agent in PROGRAMS}
    names = [*NATIVE, *asking]
    for name in names:
        command = f"python3 -c \"open('{name}.txt','w')\""
        lab.server.script.scenarios[f"of_{name}"] = [{"text": "Writing.", "tools": [{"sh": command}]}, WORK[1]]
    lab.settings(**asking)
    lab.plan(*(f"{name} | @mock:of_{name} do it | - | {name} | " for name in names))
    engine, denied = lab.start("-j", "3"), "copilot_asks"
    answers: dict[str, list[str]] = {}

    def is_over() -> bool:
        for task, state in lab.tasks().items():
            if state.get("asks"):
                said = lab.nova("approve", task, *(["--deny"] if task == denied else []))
                answers.setdefault(task, []).append(said.stdout)
        return engine.poll() is not None

    lab.until(is_over, "the end of the run")
    tasks = lab.tasks()
    assert set(answers) == set(asking)
    assert {name: tasks[name]["verdict"] for name in names} == {
        **dict.fromkeys(names, "done"),
        denied: "permission_denied",
    }
    assert engine.returncode == 1
    for name in names:
        mine, truth = lab.usage(name), lab.served(f"of_{name}")
        assert (name, mine.total, mine.output_tokens) == (name, truth.total, truth.output_tokens)
        assert (lab.root / f"{name}.txt").exists() is (name != denied)
