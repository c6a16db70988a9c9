"""The real command lines of agents, run by Nova against a scripted model server on loopback, with dummy keys."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

import psutil
import pytest
from agent_lab import AgentLab, require

from nova_core.model import TokenUsage

pytestmark = pytest.mark.agents
WORK = {
    "claude": ("tool", "hello_nova.txt"),
    "codex": ("edit", "e.txt"),
    "gemini": ("gwrite", "g.txt"),
    "opencode": ("owrite", "o.txt"),
    "aider": ("aider", "hello_nova.txt"),
    **dict.fromkeys(("copilot", "pi", "qwen", "cline"), ("shwrite", "s.txt")),
}
MCP = {"claude": "cmcp", "codex": "xmcp", "gemini": "gmcp", "opencode": "ocmcp"}


@pytest.mark.parametrize("agent", WORK)
def test_an_agent_does_its_task(agent: str, lab: AgentLab) -> None:
    """The file is there, totals are those the server served, and the verdict says why it counts as done."""
    require(agent)
    scenario, path = WORK[agent]
    lab.settings()
    lab.log_in(agent)
    lab.plan(f"T1 | @mock:{scenario} do it | - | {agent} | {path}")
    done = lab.nova("run", "--no-ui")
    assert done.returncode == 0, done.stdout + done.stderr
    task = lab.tasks()["T1"]
    assert (task["status"], task["verdict"], task["agent"], task["estimated"]) == ("completed", "done", agent, False)
    assert path in task["files_changed"]
    assert (lab.root / path).exists()
    check_total(lab, agent, "T1", scenario)


def check_total(lab: AgentLab, agent: str, task: str, scenario: str) -> None:
    """Input of all kinds and output equal what was served; gemini adds its thoughts, which the server reports
    separately."""
    mine, truth = lab.usage(task), lab.served(scenario)
    thoughts = 3 * truth.output_tokens // 11 if agent == "gemini" else 0
    assert whole_input(mine) == whole_input(truth)
    assert mine.output_tokens == truth.output_tokens + thoughts
    if agent == "claude":
        assert mine == truth


def whole_input(usage: TokenUsage) -> int:
    return usage.input_tokens + usage.cache_read_tokens + usage.cache_creation_tokens


@pytest.mark.parametrize("agent", MCP)
def test_an_agent_reports_through_the_server(agent: str, lab: AgentLab) -> None:
    """Its step, its percentage and its note arrive; the note is in the prompt of the task after it."""
    require(agent)
    lab.settings(gemini={"permissions": "shell"})
    lab.plan(f"T1 | @mock:{MCP[agent]} do it | - | {agent} | ", "T2 | @mock:hello next | T1 | claude | ")
    done = lab.nova("run", "--no-ui", "--only", "T1")
    assert done.returncode == 0, done.stdout + done.stderr
    task = lab.tasks()["T1"]
    assert (task["progress"], task["handoff"]) == (40, f"note of {MCP[agent]}")
    assert f"note of {MCP[agent]}" in lab.nova("prompt", "T2").stdout


def test_six_tasks_of_many_agents(lab: AgentLab) -> None:
    """A plan of all installed agents at once; each hands its work to the last."""
    require("claude", "codex")
    agents = [agent for agent in list(WORK)[:5] if agent in ("claude", "codex") or installed(agent)]
    lab.settings()
    rows = [f"T{i} | @mock:{WORK[agent][0]} do it | - | {agent} | " for i, agent in enumerate(agents)]
    rows += [
        f"L{i} | @mock:hello end | {', '.join(f'T{n}' for n in range(len(agents)))} | claude | "
        for i in range(6 - len(agents))
    ]
    lab.plan(*rows)
    done = lab.nova("run", "--no-ui", "-j", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(lab.tasks()) == 6
    for i, agent in enumerate(agents):
        if agent != "aider" or "claude" not in agents:
            check_total(lab, agent, f"T{i}", WORK[agent][0])


def installed(agent: str) -> bool:
    import shutil

    from agent_lab import search_path

    return shutil.which(agent, path=search_path()) is not None


@pytest.mark.parametrize("agent", ["claude", "codex"])
def test_bad_credentials_end_at_once(agent: str, lab: AgentLab) -> None:
    """No minutes are lost, no retry is used, and no other task of the provider starts."""
    require(agent)
    lab.settings({"retries": 2})
    lab.plan(f"T1 | @mock:err401 do it | - | {agent} | ", f"T2 | @mock:err401 again | - | {agent} | ")
    done = lab.nova("run", "--no-ui", "-j", "1")
    assert done.returncode == 1, done.stdout + done.stderr
    tasks = lab.tasks()
    assert (tasks["T1"]["status"], tasks["T1"]["verdict"]) == ("failed", "bad_credentials")
    assert tasks["T1"]["attempt"] == 1
    assert (tasks["T2"]["status"], tasks["T2"]["attempt"]) == ("pending", 0)
    assert lab.usage("T1") == TokenUsage()


@pytest.mark.parametrize("agent", ["claude", "codex"])
def test_a_limited_provider_is_waited_for(agent: str, lab: AgentLab) -> None:
    """429, then service: the task waits and completes without using a retry."""
    require(agent)
    fast = ["-c", "model_providers.mock.request_max_retries=0", "-c", "model_providers.mock.stream_max_retries=0"]
    lab.settings({"quota_delay": "1s"}, claude={"env": {"CLAUDE_CODE_MAX_RETRIES": "0"}}, codex={"args": fast})
    lab.plan(f"T1 | @mock:limited do it | - | {agent} | ")
    done = lab.nova("run", "--no-ui")
    assert done.returncode == 0, done.stdout + done.stderr
    task = lab.tasks()["T1"]
    assert (task["status"], task["attempt"], task["failures"]) == ("completed", 2, 0)
    assert "rate limited: " in done.stdout
    check_total(lab, agent, "T1", "limited")


def test_a_server_in_trouble_fails_the_task_in_the_end(lab: AgentLab) -> None:
    """500 every time: a few pauses, then a failure that says so; what was served before it counts."""
    require("claude")
    lab.settings({"quota_delay": "0.1s"}, claude={"env": {"CLAUDE_CODE_MAX_RETRIES": "0"}})
    lab.plan("T1 | @mock:tool_then_500 do it | - | claude | ")
    done = lab.nova("run", "--no-ui")
    assert done.returncode == 1, done.stdout + done.stderr
    task = lab.tasks()["T1"]
    assert (task["status"], task["verdict"], task["reason"]) == ("failed", "overloaded", "rate_limited")
    assert lab.usage("T1") == lab.served("tool_then_500")


@pytest.mark.parametrize(
    ("scenario", "settings", "verdict", "reason"),
    [
        ("refusal", {}, "refused", "agent_error"),
        ("askpython", {"permissions": "safe"}, "permission_denied", "agent_error"),
        ("loop", {"max_turns": 3}, "max_turns", "agent_error"),
        ("loop", {"budget": 0.03}, "over_budget", "budget"),
        ("maxtok", {}, "limit_reached", "agent_error"),
        ("err404", {}, "failed", "agent_error"),
    ],
)
def test_what_is_not_done_says_why(
    scenario: str, settings: dict[str, Any], verdict: str, reason: str, lab: AgentLab
) -> None:
    """Rejected, not allowed, out of turns, money or tokens, no such model: totals are exact nevertheless."""
    require("claude")
    lab.settings(claude=settings)
    lab.plan(f"T1 | @mock:{scenario} do it | - | claude | ")
    done = lab.nova("run", "--no-ui")
    assert done.returncode == 1, done.stdout + done.stderr
    task = lab.tasks()["T1"]
    assert (task["status"], task["verdict"], task["reason"], task["estimated"]) == ("failed", verdict, reason, False)
    assert lab.usage("T1") == lab.served(scenario)


def test_cancelling_keeps_the_totals(lab: AgentLab) -> None:
    """SIGINT first: claude ends its tools and reports what it used."""
    require("claude")
    lab.settings()
    lab.plan("T1 | @mock:slowtool do it | - | claude | ")
    engine = lab.start()
    lab.until(lambda: lab.tasks().get("T1", {}).get("token_usage", {}).get("input_tokens", 0) > 0, "work")
    assert lab.nova("cancel", "T1").returncode == 0
    assert engine.wait(60) == 1
    task = lab.tasks()["T1"]
    assert (task["reason"], task["estimated"]) == ("cancelled", False)
    assert lab.usage("T1") == lab.served("slowtool")


@pytest.mark.parametrize("agent", ["claude", "codex"])
def test_an_engine_that_is_killed_loses_nothing(agent: str, lab: AgentLab) -> None:
    """The agent continues, the next engine adopts it, and totals are exact."""
    require(agent)
    short = {
        "short": [
            {"text": "Working.", "tools": [{"sh": "python3 -c 'import time; time.sleep(4)'"}]},
            {"text": "NOVA-FINAL: done."},
        ]
    }
    lab.server.script.scenarios.update(short)
    lab.settings()
    lab.plan(f"T1 | @mock:short do it | - | {agent} | ")
    engine = lab.start()
    lab.until(lambda: len([r for r in lab.server.requests if r.get("scenario") == "short"]) > 0, "the first request")
    lab.until(lambda: lab.tasks().get("T1", {}).get("pid") is not None, "the agent's pid")
    engine.kill()
    engine.wait()
    done = lab.nova("run", "--no-ui")
    assert done.returncode == 0, done.stdout + done.stderr
    task = lab.tasks()["T1"]
    assert (task["status"], task["attempt"], task["estimated"]) == ("completed", 1, False)
    check_total(lab, agent, "T1", "short")


@pytest.mark.parametrize("agent", ["claude", "codex"])
def test_a_killed_agent_is_reported_as_killed(agent: str, lab: AgentLab) -> None:
    """Its tokens are recovered from its own records, or marked estimated; never lost, never reported as exact."""
    require(agent)
    lab.settings()
    lab.plan(f"T1 | @mock:slowtool do it | - | {agent} | ")
    engine = lab.start()
    lab.until(lambda: any(r.get("scenario") == "slowtool" for r in lab.server.requests), "the first request")
    lab.until(lambda: has_tool_child(lab), "the tool at work")
    os.killpg(lab.tasks()["T1"]["pid"], signal.SIGKILL)
    assert engine.wait(60) == 1
    task = lab.tasks()["T1"]
    assert (task["status"], task["reason"]) == ("failed", "signal")
    assert task["estimated"] or lab.usage("T1") == lab.served("slowtool")
    assert agent == "codex" or lab.usage("T1").input_tokens == lab.served("slowtool").input_tokens


def has_tool_child(lab: AgentLab) -> bool:
    pid = lab.tasks().get("T1", {}).get("pid")
    try:
        return any("time.sleep" in " ".join(p.cmdline()) for p in psutil.Process(pid).children(recursive=True))
    except (psutil.Error, TypeError):  # one of them ended meanwhile, or none is there yet
        return False


@pytest.mark.parametrize("agent", ["claude", "codex"])
def test_an_agent_drafts_a_plan(agent: str, make_lab: Callable[..., AgentLab]) -> None:
    """The first plan is broken and its problem goes back; the second one is shown, and nothing of it runs."""
    require(agent)
    rounds = "n=$(($(cat round 2>/dev/null || echo 0) + 1)); echo $n > round; cp plan.$n .nova/draft/CASCADE.md"
    scenario = [{"text": "Writing.", "tools": [{"sh": rounds}]}, {"text": "NOVA-FINAL: wrote."}]
    lab = make_lab({"draft": scenario * 2})  # an agent may continue its session in the second round
    lab.settings({"agent": agent, "retry_delay": 0})
    head = "| Task ID | Task Name | What Changes | Depends On | Outputs |\n|---|---|---|---|---|\n"
    (lab.root / "plan.1").write_text(f"{head}| A | a | x | Z9 | a.txt |\n")
    (lab.root / "plan.2").write_text(f"{head}| A | a | x | - | a.txt |\n| B | b | x | A | b.txt |\n")
    done = lab.nova("draft", "@mock:draft a till")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "B  b  <- A" in done.stdout
    assert "cost" in done.stdout
    assert (lab.root / "round").read_text() == "2\n"
    assert not (lab.root / "a.txt").exists()
