"""From an agent's settings to the process that runs it: arguments, environment, where the prompt goes, who reads it."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from functools import cache

import msgspec

from nova_core.agents import FORMATS, AgentLog
from nova_core.agents.adapters import ADAPTERS, Adapter, Permissions
from nova_core.agents.commands import PatternLog
from nova_core.config import AgentConfig, Config, fill, render_command
from nova_core.model import Task, TokenUsage


class Request(msgspec.Struct, frozen=True):
    """What one attempt of a task asks of an agent. `budget` is US dollars, `session` one to go on with.

    `server` is the argument list that starts the reporting server, empty for none.
    """

    task: Task
    prompt: str
    prompt_file: str
    model: str | None = None
    budget: float | None = None
    session: str | None = None
    server: tuple[str, ...] = ()


class Invocation(msgspec.Struct, frozen=True):
    """A process to start: no shell, and the prompt on standard input if `stdin`."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    stdin: bool
    interrupt: bool = False


def agent_named(config: Config, name: str) -> AgentConfig | None:
    """The settings of an agent: of `agents:`, or the defaults of one Nova knows."""
    return config.agents.get(name) or (AgentConfig() if name in ADAPTERS else None)


def adapter_of(name: str, agent: AgentConfig) -> Adapter | None:
    """What Nova knows of the agent; nothing if it has a command of its own."""
    return None if agent.command else ADAPTERS.get(agent.use or name)


def program_of(name: str, agent: AgentConfig) -> str:
    """The program that has to be installed."""
    adapter = adapter_of(name, agent)
    return adapter.program if adapter else agent.command[0]


def provider_of(name: str, agent: AgentConfig) -> str:
    """Whose quota the agent uses up: all agents of one provider wait for it together."""
    known = ADAPTERS.get(agent.use or name)
    return agent.provider or (known.provider if known else name)


def parser_of(name: str, agent: AgentConfig) -> str:
    """Who reads the agent's output: its /pattern/, its parser, the format of its name, else that of any command."""
    return f"/{agent.line}/" if agent.line else agent.parser or agent.use or (name if name in FORMATS else "shell")


def open_log(parser: str, previous: TokenUsage | None = None) -> AgentLog:
    """The reader that `parser_of` names; another program's words are read as those of any command."""
    if parser.startswith("/"):
        with contextlib.suppress(re.error):
            return PatternLog(_compiled(parser[1:-1]), previous)
    return FORMATS.get(parser, FORMATS["shell"])(previous)


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def invoke(name: str, agent: AgentConfig, request: Request) -> Invocation:
    """The process for one attempt."""
    adapter = adapter_of(name, agent)
    model = request.model or agent.model
    if adapter is None:
        argv = render_command(agent, request.task, request.prompt, model, request.prompt_file)
        asks = any("{prompt}" in word or "{prompt_file}" in word for word in agent.command)
        return Invocation(argv, agent.env, stdin=not asks)
    groups = [
        (adapter.program, *adapter.arguments),
        adapter.permissions[agent.permissions],
        adapter.model if model else (),
        adapter.max_turns if agent.max_turns else (),
        adapter.budget if request.budget is not None else (),
        _server_arguments(adapter, request),
        agent.args,
        _last(adapter, request),
    ]
    values = {
        "id": request.task.id, "model": model or "", "max_turns": str(agent.max_turns),
        "budget": f"{request.budget or 0.0:.4f}", "session": request.session or "", "prompt_file": request.prompt_file,
        "server": _server_text(adapter, request),
    }  # fmt: skip
    argv = tuple(word if group is agent.args else fill(word, values) for group in groups for word in group)
    env = {
        **adapter.env,
        **(adapter.bypass_env if agent.permissions is Permissions.BYPASS else {}),
        **_server_env(adapter, request),
        **agent.env,
    }
    return Invocation(argv, env, stdin=adapter.prompt == "stdin", interrupt=adapter.interrupt)


def _last(adapter: Adapter, request: Request) -> tuple[str, ...]:
    """Going on with a session is an option of some, and another end of the line for others."""
    if request.session and adapter.resume:
        return adapter.resume
    return adapter.last


# The reporting server. Each agent takes variables from its own environment, so that no token stands in an argument,
# where every user of the machine could read it.

_NAMES = ("NOVA_INBOX", "NOVA_TASK_ID", "NOVA_ATTEMPT", "NOVA_TOKEN", "NOVA_RUN_ID")


def _server_arguments(adapter: Adapter, request: Request) -> tuple[str, ...]:
    if not request.server:
        return ()
    return {"claude": ("--mcp-config", "{server}"), "codex": ("-c", "{server}")}.get(adapter.mcp, ())


def _server_text(adapter: Adapter, request: Request) -> str:
    if not request.server:
        return ""
    command, *arguments = request.server
    if adapter.mcp == "codex":  # a TOML value; JSON strings and lists are TOML as well
        parts = {"command": command, "args": arguments, "env_vars": list(_NAMES)}
        fields = ",".join(f"{key}={_json(value)}" for key, value in parts.items())
        return f'mcp_servers.nova={{{fields},required=true,default_tools_approval_mode="approve"}}'
    env = {name: f"${{{name}}}" for name in _NAMES}
    # Without alwaysLoad the tools hide behind a search.
    server = {"type": "stdio", "command": command, "args": arguments, "env": env, "alwaysLoad": True}
    return _json({"mcpServers": {"nova": server}})


def _server_env(adapter: Adapter, request: Request) -> dict[str, str]:
    if adapter.mcp == "opencode" and request.server:
        variables = {name: f"{{env:{name}}}" for name in _NAMES}
        server = {"type": "local", "command": list(request.server), "environment": variables, "enabled": True}
        return {"OPENCODE_CONFIG_CONTENT": _json({"mcp": {"nova": server}})}
    return {}


def gemini_settings(server: tuple[str, ...], found: bytes | None) -> bytes | None:
    """The project's `.gemini/settings.json` with the reporting server in it, which gemini takes from no flag.

    `found` is the file as it is, None if there is none. None if nothing has to be written, or if the file is not plain
    JSON (with comments, say), which would be lost, or nested too deep.
    """
    command, *arguments = server
    nova = {"command": command, "args": arguments, "env": {name: f"${name}" for name in _NAMES}, "trust": True}
    try:
        settings = msgspec.json.decode(found) if found is not None else {}
        servers = settings.get("mcpServers", {}) if isinstance(settings, dict) else None
        if not isinstance(servers, dict) or servers.get("nova") == nova:
            return None
        changed = {**settings, "mcpServers": {**servers, "nova": nova}}
        return msgspec.json.format(msgspec.json.encode(changed), indent=2) + b"\n"
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
