"""Which calls of tools a policy allows, and how a person is asked about the others."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nova_core.acp.permissions import POLICIES, decide, describe, option_for, shown


def tool(kind: str | None, **given: Any) -> dict[str, Any]:
    """A call with these arguments; `places` are its locations."""
    places = [{"path": path} for path in given.pop("places", ())]
    return {"kind": kind, "title": "a title", "rawInput": given, "locations": places}


@pytest.mark.parametrize(
    ("call", "decisions"),  # of safe, shell, bypass, ask
    [
        (tool("read", path="/etc/hosts"), "allow allow allow allow"),
        (tool("edit", file_path="src/a.py"), "allow allow allow allow"),
        (tool("edit", file_path="ROOT/new/a.py"), "allow allow allow allow"),
        (tool("edit", places=["ROOT/a.py", "/etc/passwd"]), "deny deny allow ask"),
        (tool("edit", file_path="ROOT/../other/a.py"), "deny deny allow ask"),
        (tool("edit", file_path="ROOT"), "deny deny allow ask"),
        (tool("edit", file_path="link/a.py"), "deny deny allow ask"),
        (tool("edit", file_path=".git/hooks/pre-commit"), "deny deny allow ask"),
        (tool("delete", file_path="sub/.nova/secret"), "deny deny allow ask"),
        (tool("edit"), "deny deny allow ask"),
        (tool("move", path="a.py", destination="/tmp/a.py"), "deny deny allow ask"),
        (tool("execute", command="npm test"), "deny allow allow ask"),
        (tool("execute", command="nova report --step 'at work'"), "allow allow allow allow"),
        (tool("execute", command="nova report --step x; rm -rf ."), "deny allow allow ask"),
        (tool("execute", command="nova report --step $(id)"), "deny allow allow ask"),
        (tool("execute", command="nova reporter"), "deny allow allow ask"),
        (tool("execute", command=["sh", "-c", "ls"]), "deny allow allow ask"),
        (tool("fetch", url="http://x"), "deny allow allow ask"),
        (tool("other"), "deny allow allow ask"),
        (tool(None), "deny allow allow ask"),
        ({}, "deny allow allow ask"),
        ({"kind": ["edit"], "rawInput": "x", "locations": 3, "content": [4]}, "deny allow allow ask"),
    ],
)
def test_decisions(call: dict[str, Any], decisions: str, tmp_path: Path) -> None:
    """Files of the project may change, links followed; what runs or leaves it needs more, or a person."""
    root = tmp_path / "project"
    root.mkdir()
    (root / "link").symlink_to(tmp_path)
    made = json.loads(json.dumps(call).replace("ROOT", str(root)))
    assert " ".join(decide(policy, made, str(root)) for policy in POLICIES) == decisions


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (tool("execute", command="rm -rf build\nls"), "run: rm -rf build\\nls"),
        (tool("execute", command=["ls", "-l", 3]), "run: ls -l ?"),
        (tool("edit", file_path="/etc/hosts", places=["/etc/hosts", "/b"]), "edit: /etc/hosts, /b"),
        (tool("fetch", url="http://x/\x1b]0;"), "fetch: http://x/\ufffd]0;"),
        (tool("execute"), "run: a title"),
        (tool("other"), "use: a title"),
        ({}, "use: an unnamed tool"),
    ],
)
def test_a_question_shows_what_would_be_done(call: dict[str, Any], words: str) -> None:
    """The command or the files, not what the agent calls it."""
    assert describe(call) == words


@given(st.text(max_size=6000))
def test_a_question_is_one_printable_line(words: str) -> None:
    """Nothing in it can move a cursor, and both of its ends are there."""
    line = shown(words)
    assert line.isprintable()
    assert len(line) < 4100  # a line break takes two
    if words.isprintable():
        assert line.startswith(words[:900])
        assert line.endswith(words[-900:])


def test_the_option_for_this_one_call() -> None:
    """Only this call is allowed, unless the agent offers no other way."""
    rows = [{"kind": f"{a}_{b}", "optionId": f"{a}-{b}"} for b in ("always", "once") for a in ("allow", "reject")]
    assert option_for(rows, allow=True) == "allow-once"
    assert option_for(rows, allow=False) == "reject-once"
    assert option_for(rows[:2], allow=True) == "allow-always"
    assert option_for([{"kind": "allow_once"}, 3], allow=True) is None
    assert option_for(None, allow=False) is None


def test_the_root_of_a_file_system_is_no_trap() -> None:
    """A project at `/` holds every file."""
    assert decide("safe", tool("edit", file_path="/x"), os.sep) == "allow"
