"""The reporting server over stdio: a real client, a real inbox; the engine rejects stale or foreign messages."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from cli_process import environment

from nova_core import mcp_server

# Looked for, not imported, which takes seconds.
pytestmark = pytest.mark.skipif(find_spec("mcp") is None, reason="the extra nova-tui[mcp] is not installed")

TOOLS = {"report", "verify", "log", "output", "handoff", "ask"}


def worker_environment(inbox: Path) -> dict[str, str]:
    """The environment of a task."""
    return environment(
        {
            "NOVA_INBOX": str(inbox), "NOVA_TASK_ID": "F1", "NOVA_ATTEMPT": "2", "NOVA_TOKEN": "secret",
            "NOVA_RUN_ID": "r1",
        }
    )  # fmt: skip


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    for name in ("tmp", "new"):
        (tmp_path / name).mkdir()
    return tmp_path


def messages(inbox: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_bytes()) for path in sorted((inbox / "new").iterdir())]


def text_of(answer: Any) -> str:
    """The text of a tool's result."""
    (content,) = answer.content
    assert content.type == "text"
    return str(content.text)


async def calling(env: dict[str, str], *calls: tuple[str, dict[str, Any]]) -> tuple[set[str], list[str]]:
    """Start the server as an agent does, list its tools, call some; their names and the answers."""
    from mcp import ClientSession, StdioServerParameters
    from mcp.client.stdio import stdio_client

    server = StdioServerParameters(command=sys.executable, args=["-m", "nova_core.mcp_server"], env=env)
    async with stdio_client(server) as (reader, writer), ClientSession(reader, writer) as session:
        await session.initialize()
        names = {tool.name for tool in (await session.list_tools()).tools}
        answers = [await session.call_tool(name, given) for name, given in calls]
        return names, [text_of(answer) for answer in answers]


def test_each_tool_is_a_message_in_the_inbox(inbox: Path) -> None:
    """The agent's report arrives signed with the attempt's token, as `nova report` would send it."""
    calls: list[tuple[str, dict[str, Any]]] = [
        ("report", {"step": "compiling", "percent": 140}),
        ("verify", {"criterion": 2}),
        ("log", {"action": "ran the tests"}),
        ("output", {"path": "a.txt"}),
        ("handoff", {"note": "mind the gap"}),
        ("ask", {"question": "tabs or spaces?"}),
    ]
    names, answers = asyncio.run(calling(worker_environment(inbox), *calls))
    assert names == TOOLS
    assert answers[0] == "ok"
    assert "no answer is possible" in answers[5]
    found = messages(inbox)
    assert all((m["task"], m["attempt"], m["token"], m["run"]) == ("F1", 2, "secret", "r1") for m in found)
    merged = {key: value for message in found for key, value in message.items()}
    assert merged["step"] == "compiling"
    assert merged["percent"] == 100
    assert (merged["criterion"], merged["action"], merged["output"]) == (2, "ran the tests", "a.txt")
    assert (merged["files"], merged["note"], merged["question"]) == (["a.txt"], "mind the gap", "tabs or spaces?")


def test_outside_a_task_a_tool_says_so_and_continues(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server does not stop an agent that a person starts by hand."""
    for name in worker_environment(Path("inbox")):
        if name.startswith("NOVA_"):
            monkeypatch.delenv(name, raising=False)
    assert "not reported: not inside a task" in mcp_server.report("x")


def test_without_the_package_it_says_what_to_install(tmp_path: Path) -> None:
    """One line and a hint, and the exit code for a missing program."""
    (tmp_path / "mcp").mkdir()
    (tmp_path / "mcp" / "__init__.py").write_text("raise ImportError('not here')\n")
    env = environment()
    env["PYTHONPATH"] = f"{tmp_path}{os.pathsep}{env['PYTHONPATH']}"
    done = subprocess.run(
        [sys.executable, "-m", "nova_core.mcp_server"], env=env, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 8
    assert 'pip install "nova-tui[mcp]"' in done.stderr
