"""pi: its last message says how it ended, each message what it cost; exit code 0 says nothing."""

from __future__ import annotations

from typing import Any

import pytest
from printed import read, read_log

from nova_core.agents.outcome import Outcome
from nova_core.config import AgentConfig, Config
from nova_core.launch.invocation import AgentRequest, invoke
from nova_core.launch.warnings import cautions
from nova_core.model import Task, TokenUsage

SESSION = {"type": "session", "version": 3, "id": "01a22ad8-d9ac"}


def message(stop: str, words: str = "", used: int = 100, **fields: Any) -> dict[str, Any]:
    usage = {"input": used, "output": 10, "cacheRead": 1000, "cacheWrite": 20, "cost": {"input": 1, "total": 0.25}}
    content = [{"type": "thinking", "thinking": "hm"}, *([{"type": "text", "text": words}] if words else [])]
    inner = {"role": "assistant", "content": content, "model": "m1", "usage": usage, "stopReason": stop, **fields}
    return {"type": "message_end", "message": inner}


def tool(name: str, arguments: dict[str, str], said: str = "", *, fails: bool = False) -> list[dict[str, Any]]:
    call = {"toolCallId": f"c-{name}-{said}", "toolName": name}
    end = {"type": "tool_execution_end", **call, "result": {"content": [{"type": "text", "text": said}]}}
    return [{"type": "tool_execution_start", **call, "args": arguments}, {**end, "isError": fails}]


def turn(*events: dict[str, Any]) -> list[dict[str, Any]]:
    return [SESSION, {"type": "turn_start"}, *events, {"type": "agent_end", "messages": []}]


def test_work_is_read() -> None:
    """Tokens and cost of all messages, steps, files that were written, the last words, the session."""
    found = read(
        "pi",
        *turn(
            message("toolUse", "I look first."), *tool("bash", {"command": "ls"}, "a"),
            message("toolUse", used=50), *tool("write", {"path": "/p/a.txt"}), *tool("edit", {"path": "b"}, fails=True),
            message("stop", "All done."),
        ),
    )  # fmt: skip
    usage = TokenUsage(250, 30, 3000, 60)
    assert (found.verdict, found.token_usage, found.cost_usd, found.estimated) == ("done", usage, 0.75, False)
    assert (found.files_changed, found.final_text, found.model) == (("/p/a.txt",), "All done.", "m1")
    assert found.steps == ("I look first.", "ls", "edit a.txt", "edit b", "All done.")
    assert found.session_id == "01a22ad8-d9ac"


@pytest.mark.parametrize(
    ("events", "verdict", "words"),
    [
        (turn(message("length", "This is cut of")), "limit_reached", "limit of output tokens"),
        (turn(message("error", errorMessage="401 invalid api key")), "bad_credentials", "401 invalid api key"),
        (turn(message("error", errorMessage="429 rate limit")), "rate_limited", "429"),
        (turn(message("error", errorMessage="500 internal error")), "overloaded", "500"),
        (turn(message("error", errorMessage="Connection error.")), "overloaded", "Connection"),
        (turn(message("error", "No.", errorMessage="Provider finish_reason: content_filter")), "refused", "filter"),
        (turn(message("error", errorMessage="")), "failed", "an error without a message"),
        (turn(message("stop", "Which one?")), "asked", "it asked: Which one?"),
        (turn(message("stop")), "nothing_done", "said nothing"),
        (turn(*tool("Writ", {}, "Tool Writ not found", fails=True), message("stop", "x")), "nothing_done", "unknown"),
        ([SESSION, {"type": "turn_start"}, message("toolUse")], "interrupted", "stops before the end"),
        ([SESSION, {"type": "agent_start"}], "interrupted", "stops before the end"),
    ],
)
def test_how_it_ended(events: list[dict[str, Any]], verdict: str, words: str) -> None:
    """Exit code 0 in each case."""
    found = read("pi", *events)
    assert (found.verdict, words in found.reason) == (verdict, True), found.reason


def test_a_retry_that_helps_leaves_no_error() -> None:
    """pi retries by itself; only the last answer counts. A message that appears twice is counted once."""
    failed = message("error", errorMessage="429 rate limit", used=0)
    retry = {"type": "auto_retry_start", "attempt": 1, "maxAttempts": 3, "errorMessage": "429 rate limit"}
    good = message("stop", "It is done.", responseId="r1")
    found: Outcome = read("pi", *turn(failed), retry, *tool("bash", {"command": "true"}), good, *turn(good))
    assert (found.verdict, found.token_usage.input_tokens) == ("done", 100)
    assert "retry 1/3: 429 rate limit" in found.steps
    given_up = {"type": "auto_retry_end", "success": False, "finalError": "429 rate limit"}
    assert read("pi", *turn(failed), retry, *turn(failed), given_up).verdict == "rate_limited"


def test_its_last_event_is_known() -> None:
    """It may not exit: what it said last shows that it is done, unless it works again."""
    assert read_log("pi", *turn(message("stop", "Done."))).is_final
    assert not read_log("pi", *turn(message("stop", "Done.")), {"type": "turn_start"}).is_final
    assert not read_log("pi", *turn(message("stop", "Done."))[:-1]).is_final


def test_how_it_is_started() -> None:
    """The prompt is a file, and never an argument; that it has no permissions is said before a run."""
    made = invoke("pi", AgentConfig(), AgentRequest(Task("A", "A"), "secret", "/p/A..1.md", "prov/m"))
    assert made.argv[:4] == ("pi", "-p", "--mode", "json")
    assert made.argv[-4:] == ("--model", "prov/m", "@/p/A..1.md", "Do the task in this file.")
    assert (made.env, made.stdin) == ({"PI_OFFLINE": "1"}, False)
    found = cautions(Config(agent=("pi",)), [Task("A", "A")], {})
    assert found == ["pi has no permissions: it can do whatever you can"]
