"""How agents are started that speak the Agent Client Protocol: by settings, through `nova acp-run`."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from nova_core.agents.acp_agents import ACP_AGENTS
from nova_core.agents.adapters import ADAPTERS, Permissions
from nova_core.config import AgentConfig, Config, load_config
from nova_core.errors import InputError
from nova_core.files.project import Project
from nova_core.launch.invocation import (
    AgentRequest,
    invoke,
    parser_of,
    program_of,
    provider_of,
    settings_hint,
)
from nova_core.launch.launcher import Launcher
from nova_core.launch.model_prices import tells_cost
from nova_core.model import Task

TASK = Task("F1", "Core", description="types")
FRONT = (sys.executable, "-P", "-m", "nova_core", "acp-run")


def request(**more: object) -> AgentRequest:
    return AgentRequest(TASK, "do it", "/p/F1..1.md", **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "agent", "more", "wanted"),
    [
        ("gemini", AgentConfig(kind="acp"), {}, "--permissions safe -- gemini --acp"),
        ("x", AgentConfig(kind="acp", use="claude", model="opus"), {},
         "--permissions safe --model opus -- claude-agent-acp"),
        ("copilot", AgentConfig(kind="acp", permissions=Permissions.ASK, args=("--{x}",)), {"patience": 600.0},
         "--ask-timeout 600 --permissions ask -- copilot --acp --{x}"),
        ("mine", AgentConfig(kind="acp", command=("mine", "serve"), mode="plan"), {"session": "s-1"},
         "--mode plan --permissions safe --session s-1 -- mine serve"),
        ("cursor", AgentConfig(kind="acp"), {"session": "s"},
         "--permissions safe --session s --auth cursor_login -- cursor-agent acp"),
        ("cursor", AgentConfig(kind="acp", command=("/opt/agent", "acp")), {},
         "--permissions safe --auth cursor_login -- /opt/agent acp"),
    ],
)  # fmt: skip
def test_the_command_line(name: str, agent: AgentConfig, more: dict[str, object], wanted: str) -> None:
    """Options for `nova acp-run`, then the agent's command; the prompt is on standard input."""
    made = invoke(name, agent, request(**more))
    assert made.argv == (*FRONT, *wanted.split())
    assert (made.stdin, made.interrupt) == (True, True)


@pytest.mark.parametrize("name", ACP_AGENTS)
def test_what_a_hint_shows_can_be_written(name: str, tmp_path: Path) -> None:
    """`agent: cursor` without settings shows the settings, which start the agent that Nova means."""
    if name not in ADAPTERS:  # those have an adapter of their own
        hint = settings_hint(Config(), [name])
        (tmp_path / "nova.yaml").write_text(hint.partition("`")[2].partition("`")[0])
        config = load_config(None, environ={}, root=tmp_path)
        made = invoke(name, config.agents[name], request())
        adapter = ACP_AGENTS[name]
        assert made.argv[-1 - len(adapter.arguments) :] == (adapter.program, *adapter.arguments)
        assert settings_hint(config, [name]) == ""


def test_what_nova_knows_of_it() -> None:
    """Its program, its provider, the reader of its log, and whether it reports its own cost."""
    agent = AgentConfig(kind="acp")
    found = [(program_of(n, agent), provider_of(n, agent), parser_of(n, agent), tells_cost(n, agent))
             for n in ("claude", "copilot")]  # fmt: skip
    assert found == [("claude-agent-acp", "anthropic", "acp", True), ("copilot", "github", "acp", False)]
    own = AgentConfig(kind="acp", command=("mine",), provider="me")
    assert (program_of("x", own), provider_of("x", own)) == ("mine", "me")
    assert provider_of("x", AgentConfig(kind="acp", command=("mine",))) == "x"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{mine: {kind: acp}}", "has no command"),
        ("{aider: {kind: acp}}", "has no command"),
        ("{cursor: {use: cursor}}", "has no command"),
        ("{claude: {permissions: ask}}", "cannot be `ask`"),
        ("{claude: {kind: rpc}}", "acp"),
    ],
)
def test_settings_that_make_no_sense(text: str, words: str, tmp_path: Path) -> None:
    """Each is one error with its line."""
    (tmp_path / "nova.yaml").write_text(f"agents: {text}")
    with pytest.raises(InputError) as found:
        load_config(None, environ={}, root=tmp_path)
    assert words in str(found.value)


@pytest.mark.parametrize(("ci", "wanted"), [("", True), ("true", False)])
def test_nobody_is_asked_in_ci(ci: str, wanted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody can answer, a question is denied at once."""
    monkeypatch.setenv("CI", ci)
    project = Project(tmp_path)
    project.make_dirs()
    config = Config(agents={"x": AgentConfig(kind="acp", command=("true",), permissions=Permissions.ASK)})
    launcher = Launcher(project, config, "P", "r1", b"k" * 32, ["F1"])
    job = launcher.job(Task("F1", "Core", agent="x"), 1, "F1.log", agent="x")
    assert ("--ask-timeout" in job.argv) is wanted
