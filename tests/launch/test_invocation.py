"""How agents are started: safe by default, the prompt on standard input, no secret in an argument."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from cli_process import nova

from nova_core.agents.adapters import ADAPTERS, Permissions
from nova_core.agents.commands import PatternLog
from nova_core.config import AgentConfig, Config, load_config
from nova_core.errors import InputError
from nova_core.files.project import Project
from nova_core.launch.invocation import AgentRequest, invoke, open_log, parser_of, provider_of, settings_hint
from nova_core.launch.launcher import Launcher
from nova_core.launch.mcp_config import gemini_settings
from nova_core.model import Task, TokenUsage

TASK = Task("F1", "Core", description="types")
SERVER = ("/usr/bin/python3", "-m", "nova_core.mcp_server")
BY_FILE = ("aider", "pi", "cline")  # they take the prompt from a file, and have no permissions to give
DANGEROUS = ("--dangerously", "bypass", "yolo", "--auto", "IS_SANDBOX")


def request(**more: object) -> AgentRequest:
    return AgentRequest(TASK, "do it", "/p/F1..1.md", **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ADAPTERS)
def test_nothing_dangerous_unless_asked(name: str) -> None:
    """The default lets an agent edit the project, and no more; `bypass` must be set explicitly."""
    safe = invoke(name, AgentConfig(), request())
    words = " ".join((*safe.argv, *safe.env)).replace("--auto-approve false", "")
    assert not [flag for flag in DANGEROUS if flag in words]
    loose = invoke(name, AgentConfig(permissions=Permissions.BYPASS), request())
    assert name in BY_FILE or loose.argv != safe.argv


@pytest.mark.parametrize("name", ADAPTERS)
def test_the_prompt_is_in_no_argument(name: str) -> None:
    """It may be long, and every user of the machine can read arguments."""
    made = invoke(name, AgentConfig(), request(server=SERVER))
    assert "do it" not in made.argv
    assert made.stdin is (name not in BY_FILE)
    assert any("/p/F1..1.md" in word for word in made.argv) is (name in BY_FILE)


@pytest.mark.parametrize(
    ("name", "agent", "more", "wanted"),
    [
        ("claude", AgentConfig(model="opus"), {}, ("--model", "opus")),
        ("claude", AgentConfig(model="opus"), {"model": "haiku"}, ("--model", "haiku")),
        ("claude", AgentConfig(max_turns=9), {}, ("--max-turns", "9")),
        ("claude", AgentConfig(), {"budget": 1.5}, ("--max-budget-usd", "1.5000")),
        ("claude", AgentConfig(), {"session": "abc"}, ("--resume", "abc")),
        ("codex", AgentConfig(), {}, ("--json", "-")),
        ("codex", AgentConfig(model="gpt-5"), {"session": "abc"}, ("resume", "--json", "abc", "-")),
        ("gemini", AgentConfig(), {"session": "abc"}, ("--resume", "abc")),
        ("opencode", AgentConfig(), {"session": "abc"}, ("-s", "abc")),
        ("opencode", AgentConfig(args=("--x", "{y}")), {}, ("--x", "{y}")),
    ],
)
def test_values_have_their_place(
    name: str, agent: AgentConfig, more: dict[str, object], wanted: tuple[str, ...]
) -> None:
    """Model, limits, session and the user's own arguments, one after the other."""
    argv = invoke(name, agent, request(**more)).argv
    assert any(argv[i : i + len(wanted)] == wanted for i in range(len(argv)))
    assert (argv[-len(wanted) :] == wanted) or wanted[0] not in ("resume", "--json")


def test_options_without_a_value_are_left_out() -> None:
    """No empty --model, no --max-turns None."""
    argv = invoke("claude", AgentConfig(), request()).argv
    assert not {"--model", "--max-turns", "--max-budget-usd", "--resume", "--mcp-config"} & set(argv)


def test_each_agent_gets_the_reporting_server_in_its_own_form() -> None:
    """JSON for claude and opencode, TOML for codex, a file for gemini; the token by name only."""
    claude = invoke("claude", AgentConfig(), request(server=SERVER)).argv
    config = json.loads(claude[claude.index("--mcp-config") + 1])["mcpServers"]["nova"]
    assert (config["command"], config["args"]) == (SERVER[0], list(SERVER[1:]))
    assert config["env"]["NOVA_TOKEN"] == "${NOVA_TOKEN}"
    assert config["alwaysLoad"] is True
    codex = invoke("codex", AgentConfig(), request(server=SERVER)).argv
    told = next(word for word in codex if word.startswith("mcp_servers.nova="))
    table = tomllib.loads(told)["mcp_servers"]["nova"]
    names = ["NOVA_INBOX", "NOVA_TASK_ID", "NOVA_ATTEMPT", "NOVA_TOKEN", "NOVA_RUN_ID", "NOVA_CRITERIA"]
    assert table["env_vars"] == names
    assert (table["required"], table["default_tools_approval_mode"]) == (True, "approve")
    opencode = invoke("opencode", AgentConfig(), request(server=SERVER)).env
    assert json.loads(opencode["OPENCODE_CONFIG_CONTENT"])["mcp"]["nova"]["command"] == list(SERVER)


@pytest.mark.parametrize(
    ("found", "kept"),
    [(None, {}), (b'{"a": 1, "mcpServers": {"x": {"command": "y"}}}', {"a": 1})],
)
def test_gemini_settings_keep_what_is_there(found: bytes | None, kept: dict[str, object]) -> None:
    """Nova adds its server, once, and changes nothing else."""
    made = gemini_settings(SERVER, found)
    assert made is not None
    settings = json.loads(made)
    assert {**settings, **kept} == settings
    assert settings["mcpServers"]["nova"]["args"] == list(SERVER[1:])
    assert gemini_settings(SERVER, made) is None


@pytest.mark.parametrize("found", [b"// note\n{}", b"[]", b'{"mcpServers": 3}'])
def test_gemini_settings_that_are_not_plain_json_are_unchanged(found: bytes) -> None:
    """Comments would be lost."""
    assert gemini_settings(SERVER, found) is None


def test_agents_of_one_provider_share_its_limits() -> None:
    """A second name for the same agent means the same account."""
    assert provider_of("claude", AgentConfig()) == provider_of("careful", AgentConfig(use="claude")) == "anthropic"
    assert provider_of("mine", AgentConfig(command=("x",))) == "mine"
    assert provider_of("mine", AgentConfig(command=("x",), provider="openai")) == "openai"


def test_a_line_pattern_reads_a_custom_agent() -> None:
    """Steps, tokens, cost, files and text by named groups."""
    agent = AgentConfig(
        command=("x",),
        line=r"STEP (?P<step>.*)|used (?P<input>[\d,]+)/(?P<output>\d+) for \$(?P<cost>[\d.]+)|wrote (?P<file>\S+)"
        r"|ERROR (?P<error>.*)",
    )
    log = open_log(parser_of("mine", agent))
    assert isinstance(log, PatternLog)
    log.feed(b"STEP one\nused 1,200/30 for $0.25\nwrote a.txt\nnoise\nused 5/5 for $0.50\nSTEP two")
    log.finish()
    done = log.outcome(0, {})
    assert (done.verdict, done.token_usage, done.cost_usd) == ("done", TokenUsage(1205, 35), 0.75)
    assert (done.files_changed, done.steps) == (("a.txt",), ("one", "two"))
    log.feed(b"ERROR out of luck\n")
    assert log.outcome(0, {}).verdict == "failed"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("agents: {a: {use: cluade}}", "must be one of claude"),
        ("agents: {a: {permissions: yolo}}", "must be one of safe"),
        ("agents: {a: {command: [x], line: '(?P<step'}}", "is not a regular expression"),
        ("agents: {a: {command: [x], line: 'no groups'}}", "has no named groups"),
        ("agents: {a: {command: [x], line: '(?P<other>x)'}}", "has unknown named groups"),
        ("agents: {a: {command: [x], parser: xml}}", "must be one of claude"),
        ("agents: {claude: {budget: -1}}", "must be a number"),
        ("agents: {mine: {model: x}}", "has no command"),
    ],
)
def test_mistakes_in_settings_have_place_and_hint(text: str, words: str, tmp_path: Path) -> None:
    """Each mistake is reported with its line."""
    (tmp_path / "nova.yaml").write_text(text + "\n")
    with pytest.raises(InputError) as caught:
        load_config(None, environ={}, root=tmp_path)
    assert words in caught.value.problems[0].message
    assert caught.value.problems[0].line == 1


def test_doctor_knows_agents(tmp_path: Path) -> None:
    """Which agents are installed, whether in a tested version, and how to install a missing one."""
    program = tmp_path / "bin" / "claude"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho 1.0.0\n")
    program.chmod(0o755)
    (tmp_path / "nova.yaml").write_text("agent: [claude, codex]\nbudget: 5\nagents: {own: {command: [claude]}}\n")
    done = nova("doctor", cwd=tmp_path, env={"PATH": f"{program.parent}:/usr/bin:/bin"})
    assert "(1.0.0); tested with 2.1.332" in done.stdout
    assert "npm install -g @openai/codex" in done.stdout
    assert "the price of gpt-6.2-sol is unknown: that of gpt-6-sol is used (~)" in done.stdout
    assert "no model is named, so its price is unknown" in done.stdout
    assert done.returncode == 8


@pytest.mark.parametrize("name", ADAPTERS)
def test_an_agent_without_settings_gets_them_in_the_hint(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If it is not installed, with how to install it; the settings can be copied into nova.yaml."""
    monkeypatch.setenv("PATH", str(tmp_path))
    launcher = Launcher(Project(tmp_path), Config(agent=(name,)), "P", "", b"", {})
    found = launcher.nothing_to_run([TASK], "CASCADE.md")
    assert found is not None
    assert f"`{ADAPTERS[name].package}`" in found.hint
    settings = found.hint.split("`")[3]
    (tmp_path / "nova.yaml").write_text(settings)
    config = load_config(None, environ={}, root=tmp_path)
    assert config.agents[name].permissions is Permissions.SHELL
    assert settings_hint(config, [name]) == ""
