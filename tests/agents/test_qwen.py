"""Qwen Code: claude's shapes, but its input includes the cache, and errors of the model server are called successes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from printed import read

from nova_core.agents import FORMATS
from nova_core.model import TokenUsage

INIT = {"type": "system", "subtype": "init", "session_id": "6234891b", "model": "m1"}


def message(*content: dict[str, Any], used: int = 0, cached: int = 0) -> dict[str, Any]:
    usage = {"input_tokens": used, "output_tokens": 11, "cache_read_input_tokens": cached}
    inner = {"id": f"m{used}", "role": "assistant", "model": "m1", "content": list(content), "usage": usage}
    return {"type": "assistant", "session_id": "6234891b", "parent_tool_use_id": None, "message": inner}


def said(words: str) -> dict[str, Any]:
    return message({"type": "text", "text": words})


def tool(name: str, given: dict[str, str], *, fails: str = "") -> list[dict[str, Any]]:
    end = {"type": "tool_result", "tool_use_id": name, "is_error": bool(fails), "content": fails or "ok"}
    call = message({"type": "tool_use", "id": name, "name": name, "input": given}, used=3101, cached=1000)
    return [call, {"type": "user", "message": {"role": "user", "content": [end]}}]


def result(words: str, **fields: Any) -> dict[str, Any]:
    usage = {"input_tokens": 12056, "output_tokens": 66, "cache_read_input_tokens": 9000, "total_tokens": 12122}
    return {"type": "result", "subtype": "success", "session_id": "6234891b", "is_error": False, "result": words,
            "usage": usage, "permission_denials": [], **fields}  # fmt: skip


def test_work_is_read() -> None:
    """Tokens without the cache, steps by its own tools, the files it wrote."""
    work = [*tool("run_shell_command", {"command": "ls"}), *tool("write_file", {"file_path": "/p/a.txt"})]
    found = read("qwen", INIT, said("I look."), *work, said("Done."), result("Done."))
    assert (found.verdict, found.token_usage) == ("done", TokenUsage(3056, 66, 9000, 0))
    assert (found.files_changed, found.session_id, found.estimated) == (("/p/a.txt",), "6234891b", False)
    assert found.steps == ("I look.", "ls", "edit a.txt", "Done.")


@pytest.mark.parametrize(
    ("words", "verdict"),
    [
        ("[API Error: 401 mock: invalid api key]", "bad_credentials"),
        ("[API Error: 429 rate limit]", "rate_limited"),
        ("[API Error: Connection error.]", "overloaded"),
        ("I wrote about [API Error: 401].", "done"),
    ],
)
def test_an_error_is_no_success(words: str, verdict: str) -> None:
    """Exit code 0, `is_error` false, and the error as text."""
    assert read("qwen", INIT, *tool("run_shell_command", {}), said(words), result(words)).verdict == verdict


def test_what_was_denied_is_named() -> None:
    """It lists the denials at its end."""
    denied = tool("write_file", {"file_path": "a"}, fails='Qwen Code requires permission to use "Write"')
    found = read("qwen", INIT, *denied, said("Done."), result("Done.", permission_denials=[{"tool_name": "Write"}]))
    assert (found.verdict, found.files_changed) == ("permission_denied", ())


def test_a_resumed_session_keeps_counting() -> None:
    """What earlier attempts used is subtracted."""
    log = FORMATS["qwen"](TokenUsage(3000, 60, 8000, 0))
    log.feed("".join(f"{json.dumps(event)}\n" for event in (INIT, said("Done."), result("Done."))).encode())
    log.finish()
    assert log.usage == TokenUsage(56, 6, 1000, 0)
