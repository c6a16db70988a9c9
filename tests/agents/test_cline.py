"""Cline: usage per message and at the end, input with the cache; its last event says how it ended."""

from __future__ import annotations

from typing import Any

import pytest
from printed import read, read_log

from nova_core.agents.adapters import Permissions
from nova_core.config import AgentConfig, Config
from nova_core.launch.invocation import AgentRequest, invoke
from nova_core.launch.warnings import cautions
from nova_core.model import Task, TokenUsage

START = {"type": "hook_event", "hookEventName": "agent_start", "agentId": "a1", "taskId": "conv_1"}
TURN = {"type": "agent_event", "event": {"type": "iteration_start", "iteration": 1}}


def event(kind: str, **fields: Any) -> dict[str, Any]:
    return {"ts": "2026-11-30T05:00:00.000Z", "type": "agent_event", "event": {"type": kind, **fields}}


def usage(tokens: int, output: int, cached: int = 0, written: int = 0) -> dict[str, Any]:
    counts = {"inputTokens": tokens, "outputTokens": output, "cacheReadTokens": cached, "cacheWriteTokens": written}
    return event("usage", **counts, totalInputTokens=9, totalCost=0.25)


def said(words: str) -> dict[str, Any]:
    return event("content_end", contentType="text", text=words)


def tool(name: str, given: dict[str, str], **end: Any) -> list[dict[str, Any]]:
    call = {"contentType": "tool", "toolName": name, "toolCallId": f"c-{name}"}
    return [event("content_start", **call, input=given), event("content_end", **call, **end)]


def failure(words: str, kind: str = "unknown", *, recovers: bool = False) -> dict[str, Any]:
    return event("error", error={"name": "Error", "message": words}, errorClass=kind, recoverable=recovers)


def result(finish: str = "completed", words: str = "All done.", **fields: Any) -> dict[str, Any]:
    total = {"inputTokens": 0, "outputTokens": 0, "cacheReadTokens": 0, "cacheWriteTokens": 0, "totalCost": 0}
    return {"type": "run_result", "finishReason": finish, "text": words, "aggregateUsage": total,
            "model": {"id": "m1", "provider": "p"}, **fields}  # fmt: skip


PATCH = {"input": "*** Begin Patch\n*** Add File: new.txt\n+new\n*** Update File: src/old.py\n*** End Patch"}
SAYS_NO = '{"error":"Tool \\"apply_patch\\" requires approval in a TTY session -- NOT a tool or system failure."}'


def test_work_is_read() -> None:
    """Tokens without the cache, cost, steps, the files of a patch, the last words, the model."""
    found = read(
        "cline", START, TURN, usage(1100, 10, 1000, 20), said("I look."), *tool("run_commands", {"command": "ls\npwd"}),
        TURN, usage(2000, 20, 1500), *tool("apply_patch", PATCH), TURN, usage(0, 1), said("All done."), result(),
    )  # fmt: skip
    assert (found.verdict, found.token_usage) == ("done", TokenUsage(580, 31, 2500, 20))
    assert (found.cost_usd, found.estimated, found.model, found.session_id) == (0.25, False, "m1", "conv_1")
    assert (found.files_changed, found.final_text) == (("new.txt", "src/old.py"), "All done.")
    assert found.steps == ("I look.", "ls", "edit new.txt", "All done.")


def test_the_total_of_the_run_counts_sub_agents() -> None:
    """Only the total of the end has their tokens."""
    total = {"inputTokens": 500, "outputTokens": 50, "cacheReadTokens": 100, "totalCost": 0.75}
    found = read("cline", TURN, usage(100, 10), *tool("spawn", {}), result(aggregateUsage=total))
    assert (found.token_usage, found.cost_usd) == (TokenUsage(400, 50, 100), 0.75)


@pytest.mark.parametrize(
    ("events", "code", "verdict"),
    [
        ([failure("mock: invalid api key", "auth"), result("error", "mock: invalid api key")], 1, "bad_credentials"),
        ([failure("mock: rate limit"), result("error", "mock: rate limit")], 1, "rate_limited"),
        ([failure("Something went wrong"), result("error", "Something went wrong")], 1, "failed"),
        ([result("error", "503 service unavailable")], 1, "overloaded"),
        ([failure("Model reached the maximum output token limit"), result("error")], 1, "limit_reached"),
        ([failure("1 tool call failed", recovers=True), *tool("ls", {}), TURN, result()], 0, "done"),
        ([failure("mock: rate limit"), TURN, *tool("ls", {}), result()], 0, "done"),
        ([result("aborted", "")], 130, "interrupted"),
        ([result("max_iterations", "")], 1, "max_turns"),
        ([result("mistake_limit", "")], 1, "failed"),
        ([*tool("ls", {}), result()], -9, "done"),
        ([*tool("ls", {}), usage(10, 1)], -9, "interrupted"),
        ([result(words="Which file do you mean?")], 0, "asked"),
        ([*tool("x", {}, error="Unknown tool: x"), result()], 0, "nothing_done"),
        ([*tool("run", {}, output=[{"success": False, "error": "exit code 3"}]), result()], 0, "done"),
    ],
)
def test_its_end_is_what_counts(events: list[dict[str, Any]], code: int, verdict: str) -> None:
    """The last event and the error before it, whatever the exit code; an error that it got over is none."""
    assert read("cline", START, TURN, *events, code=code).verdict == verdict


def test_a_tool_that_needs_approval_is_denied() -> None:
    """Exit code 0 and "completed", although nothing was written."""
    found = read("cline", START, TURN, *tool("apply_patch", PATCH, error=SAYS_NO), said("Wrote it."), result())
    assert (found.verdict, found.files_changed) == ("permission_denied", ())
    assert "apply_patch" in found.reason


def test_only_the_last_event_is_final() -> None:
    """Between two messages its tokens are known; a message that is not over is not in them."""
    log = read_log("cline", START, TURN, usage(10, 1))
    assert (log.is_final, log.estimated) == (False, False)
    assert read_log("cline", START, TURN, usage(10, 1), TURN).estimated
    assert read_log("cline", START, TURN, usage(10, 1), result()).is_final


@pytest.mark.parametrize(
    ("agent", "permissions", "command"),
    [
        ("cline", Permissions.SAFE, "cline --json --auto-approve false -m m Do the task in this file: @/p/A.md"),
        ("cline", Permissions.SHELL, "cline --json --auto-approve true -m m Do the task in this file: @/p/A.md"),
        ("qwen", Permissions.SAFE, "qwen -o stream-json --approval-mode auto-edit -m m --resume s"),
        ("qwen", Permissions.SHELL, "qwen -o stream-json --approval-mode yolo -m m --resume s"),
    ],
)
def test_how_it_is_started(agent: str, permissions: Permissions, command: str) -> None:
    """The prompt is standard input, or in a file; permissions are options; qwen can continue a session."""
    request = AgentRequest(Task("A", "A"), "do it", "/p/A.md", session="s")
    found = invoke(agent, AgentConfig(model="m", permissions=permissions), request)
    assert (" ".join(found.argv), found.stdin) == (command, agent == "qwen")


@pytest.mark.parametrize("permissions", Permissions)
def test_what_can_change_nothing_is_said_before_it_starts(permissions: Permissions) -> None:
    """With `safe` Cline approves none of its tools."""
    config = Config(agent=("cline",), agents={"cline": AgentConfig(permissions=permissions)})
    said = " ".join(cautions(config, [Task("A", "a", "do it")], {}))
    assert ("can change nothing" in said) is (permissions is Permissions.SAFE)
