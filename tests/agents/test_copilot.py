"""GitHub Copilot CLI: its last event names session and exit code; its tokens are in its own records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from printed import read, read_log

from nova_core.agents.adapters import Permissions
from nova_core.config import AgentConfig
from nova_core.launch.agent_records import find_records
from nova_core.launch.invocation import AgentRequest, invoke
from nova_core.model import Task, TokenUsage

START = {"type": "assistant.turn_start", "data": {"turnId": "0"}}


def said(words: str) -> dict[str, Any]:
    return {"type": "assistant.message", "data": {"model": "gpt-4o", "content": words, "toolRequests": []}}


def tool(name: str, arguments: dict[str, str] | str, **end: Any) -> list[dict[str, Any]]:
    begin = {"toolCallId": name, "toolName": name, "arguments": arguments, "toolTitle": f"Using {name}"}
    return [
        {"type": "tool.execution_start", "data": begin},
        {"type": "tool.execution_complete", "data": {"toolCallId": name, "success": True, **end}},
    ]


def result(code: int = 0) -> dict[str, Any]:
    return {"type": "result", "sessionId": "4d6aee2a-2f14", "exitCode": code, "usage": {"premiumRequests": 1}}


def error(kind: str, status: int, words: str) -> dict[str, Any]:
    return {"type": "session.error", "data": {"errorType": kind, "message": words, "statusCode": status}}


def test_work_is_read() -> None:
    """Steps, files that were edited, the last words, session and model; no tokens."""
    found = read(
        "copilot", START, said("I look."), *tool("bash", {"command": "ls\npwd", "description": "list"}),
        *tool("apply_patch", "*** Begin Patch", fileEdits=[{"path": "/p/new.txt", "kind": "create"}]),
        *tool("view", {"path": "/p/a.py"}), said("All done."), result(),
    )  # fmt: skip
    assert (found.verdict, found.files_changed, found.final_text) == ("done", ("/p/new.txt",), "All done.")
    assert found.steps == ("I look.", "list", "Using apply_patch", "read a.py", "All done.")
    assert (found.session_id, found.model) == ("4d6aee2a-2f14", "gpt-4o")
    assert (found.token_usage.total, found.estimated, found.cost_usd) == (0, True, None)


DENIED = {"success": False, "error": {"message": "Permission denied because no user was there", "code": "denied"}}
UNKNOWN = {"success": False, "error": {"message": "Tool 'Write' does not exist.", "code": "failure"}}


@pytest.mark.parametrize(
    ("events", "code", "verdict", "words"),
    [
        ([START, error("authentication", 401, "Authentication failed\n  Check it"), result(1)], 1, "bad_credentials",
         "Authentication failed"),
        ([START, error("rate_limit", 429, "Last error: 429 rate limit"), result(1)], 1, "rate_limited", "429"),
        ([START, error("query", 500, "Last error: 500 internal error"), result(1)], 1, "overloaded", "500"),
        ([START, error("rate_limit", 429, "429"), START, said("Hm?"), *tool("bash", {}), result()], 0, "done", ""),
        ([START, *tool("bash", {"command": "x"}, **DENIED), said("Done."), result()], 0, "permission_denied", "bash"),
        ([START, *tool("Write", {}, **UNKNOWN), said("Done."), result()], 0, "nothing_done", "unknown"),
        ([START, said("Which one?"), result()], 0, "asked", "Which one?"),
        ([START, said("Done."), result(3)], 3, "failed", "exit code 3"),
        ([START, said("Done.")], None, "interrupted", "stops before the end"),
    ],
)  # fmt: skip
def test_how_it_ended(events: list[dict[str, Any]], code: int | None, verdict: str, words: str) -> None:
    """An error counts until the next turn; what was denied is named; without its last event it was interrupted."""
    found = read("copilot", *events, code=code)
    assert (found.verdict, words in found.reason) == (verdict, True), found.reason
    assert read_log("copilot", *events).is_final is (code is not None)


def record(at: str, used: int, kind: str = "session.usage_record") -> str:
    usage = {"model": "gpt-4o", "inputTokens": used, "outputTokens": 20, "cacheReadTokens": 30, "cacheWriteTokens": 10,
             "reasoningTokens": 5}  # fmt: skip
    return json.dumps({"type": kind, "data": {"usage": usage}, "timestamp": at}) + "\n"


def test_its_tokens_are_in_its_own_records(tmp_path: Path) -> None:
    """One record for each response since the attempt began; its input includes the cache."""
    folder = tmp_path / "session-state" / "4d6aee2a-2f14"
    folder.mkdir(parents=True)
    turn = {"type": "assistant.turn_start", "timestamp": "2026-11-30T15:25:00.000Z"}
    lines = [record("2026-11-30T15:00:00.000Z", 999), record("2026-11-30T15:24:00.000Z", 100), json.dumps(turn) + "\n"]
    since = 1796052000.0  # 15:20
    path = folder / "events.jsonl"
    path.write_text("".join(lines))
    home = {"COPILOT_HOME": str(tmp_path)}
    found = find_records("copilot", "4d6aee2a-2f14", since, home)
    assert found is not None
    assert (found.usage, found.exact, found.model) == (TokenUsage(60, 20, 30, 10), False, "gpt-4o")
    path.write_text("".join([*lines, record("2026-11-30T15:26:00.000Z", 200)]))
    found = find_records("copilot", "4d6aee2a-2f14", since, home)
    assert found is not None
    assert (found.usage, found.exact) == (TokenUsage(220, 40, 60, 20), True)


@pytest.mark.parametrize(
    ("permissions", "wanted"),
    [
        (Permissions.SAFE, ["--allow-tool", "write", "--allow-tool", "shell(nova:*)"]),
        (Permissions.SHELL, ["--allow-all-tools"]),
        (Permissions.BYPASS, ["--yolo"]),
    ],
)
def test_how_it_is_started(permissions: Permissions, wanted: list[str]) -> None:
    """The prompt on standard input; it edits files, and asks for nothing else, unless more is allowed."""
    request = AgentRequest(Task("A", "A"), "secret", "/p/A..1.md", "gpt-5", session="4d6aee2a-2f14")
    made = invoke("copilot", AgentConfig(permissions=permissions), request)
    assert list(made.argv) == [
        "copilot", "--output-format", "json", "--stream", "off", *wanted, "--model", "gpt-5", "--resume",
        "4d6aee2a-2f14",
    ]  # fmt: skip
    assert (made.stdin, made.env) == (True, {"COPILOT_AUTO_UPDATE": "false"})
