"""From an agent's settings to its process: arguments, environment, how it gets the prompt, how its output is read."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterable, Mapping
from functools import cache

import msgspec

from nova_core.agents import FORMATS
from nova_core.agents.acp_agents import ACP_AGENTS, KIND, acp_adapter, settings_of
from nova_core.agents.adapters import ADAPTERS, Adapter, Permissions
from nova_core.agents.commands import PatternLog
from nova_core.agents.log import AgentLog
from nova_core.agents.template import fill
from nova_core.config import AgentConfig, Config
from nova_core.launch.mcp_config import server_arguments, server_environment, server_text
from nova_core.model import Task, TokenUsage

ACCOUNT = "/"  # between an agent and its account


class AgentRequest(msgspec.Struct, frozen=True):
    """One attempt of a task, as asked of an agent. `budget` is US dollars, `session` the session to continue.

    `server` is the argument list that starts the reporting server, empty for none. `patience`: for how many seconds the
    agent may wait for a person's answer, 0 for any time; None: nobody is there to ask.
    """

    task: Task
    prompt: str
    prompt_file: str
    model: str | None = None
    budget: float | None = None
    session: str | None = None
    server: tuple[str, ...] = ()
    patience: float | None = None


class Invocation(msgspec.Struct, frozen=True):
    """A process to start, without a shell; `stdin` is True if the prompt goes to standard input."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    stdin: bool
    interrupt: bool = False


def agent_named(config: Config, name: str) -> AgentConfig | None:
    """The settings of an agent: from `agents:`, or the defaults of an agent that Nova knows.

    `claude/work` is the agent `claude` with its account `work`.
    """
    found = config.agents.get(name) or (AgentConfig() if name in ADAPTERS else None)
    if found is not None or ACCOUNT not in name:
        return found
    base = base_of(name)
    agent, account = config.agents.get(base), name[len(base) + 1 :]
    login = agent.accounts.get(account) if agent else None
    if agent is None or login is None:
        return None
    known = base if base in ADAPTERS or base in ACP_AGENTS else None
    return msgspec.structs.replace(
        agent, accounts={}, env={**agent.env, **login.env}, use=agent.use or known,
        provider=f"{provider_of(base, agent)}{ACCOUNT}{account}",
    )  # fmt: skip


def base_of(name: str) -> str:
    """The agent of an account: `claude` for `claude/work`; any other name is its own."""
    return name.partition(ACCOUNT)[0]


def logins_of(config: Config, name: str) -> tuple[str, ...]:
    """The agent with each of its accounts, or only its name if it has none."""
    agent = agent_named(config, name)
    return tuple(f"{name}{ACCOUNT}{account}" for account in agent.accounts) if agent and agent.accounts else (name,)


def agents_known(config: Config) -> list[str]:
    """The names that `agent_named` knows: those of `agents:` first, each followed by its accounts."""
    named = (one for name in config.agents for one in (name, *logins_of(config, name)))
    return list(dict.fromkeys((*named, *ADAPTERS)))


def settings_hint(config: Config, names: Iterable[str]) -> str:
    """A hint of how to install the first of these agents that Nova knows, and of its settings if it has none."""
    for name in names:
        if name in config.agents:
            continue
        if (adapter := ADAPTERS.get(name)) is not None:
            settings = f"agents: {{{name}: {{permissions: shell}}}}"
            return f"install it with `{adapter.package}`; settings, if it needs any: `{settings}` in nova.yaml"
        if name in ACP_AGENTS:
            return f"write in nova.yaml: `agents: {settings_of(name)}`"
    return ""


def adapter_of(name: str, agent: AgentConfig) -> Adapter | None:
    """What Nova knows of the agent; None if the agent has its own command."""
    if agent.kind == KIND:
        return acp_adapter(agent.use or name, agent.command)
    return None if agent.command else ADAPTERS.get(agent.use or name)


def has_terminal(config: Config, task: Task, agent: str | None) -> bool:
    """Returns True if the task's worker has a terminal: as the task says, else its agent, else all settings."""
    settings = agent_named(config, agent) if agent else None
    own = task.terminal if task.terminal is not None or settings is None else settings.terminal
    return config.terminal if own is None else own


def program_of(name: str, agent: AgentConfig) -> str:
    """The program that must be installed."""
    adapter = adapter_of(name, agent)
    return adapter.program if adapter else agent.command[0]


def provider_of(name: str, agent: AgentConfig) -> str:
    """The provider whose quota the agent uses: all agents of one provider wait for it together."""
    known = adapter_of(name, agent) if agent.kind == KIND else ADAPTERS.get(agent.use or name)
    return agent.provider or (known.provider if known else name)


def parser_of(name: str, agent: AgentConfig) -> str:
    """The parser of the agent's output: its /pattern/, its parser, the format of its name, or that of any command."""
    if agent.kind == KIND:
        return KIND
    return f"/{agent.line}/" if agent.line else agent.parser or agent.use or (name if name in FORMATS else "shell")


def open_log(parser: str, previous: TokenUsage | None = None) -> AgentLog:
    """The reader that `parser_of` names; an unknown name reads the output as that of any command."""
    if parser.startswith("/"):
        with contextlib.suppress(re.error):
            return PatternLog(_compiled(parser[1:-1]), previous)
    return FORMATS.get(parser, FORMATS["shell"])(previous)


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def render_command(
    agent: AgentConfig, task: Task, prompt: str, model: str | None = None, prompt_file: str = ""
) -> tuple[str, ...]:
    """The agent's command for one task: an argument list without a shell, with every `{placeholder}` filled in.

    Raises `UsageError` for an unknown placeholder.
    """
    values = {
        "id": task.id,
        "name": task.name,
        "description": task.description,
        "prompt": prompt,
        "prompt_file": prompt_file,
        "model": model or agent.first_model or "",
    }
    return tuple(fill(argument, values) for argument in agent.command)


def invoke(name: str, agent: AgentConfig, request: AgentRequest) -> Invocation:
    """The process for one attempt."""
    adapter = adapter_of(name, agent)
    model = request.model or agent.first_model
    if adapter is None:
        argv = render_command(agent, request.task, request.prompt, model, request.prompt_file)
        asks = any("{prompt}" in word or "{prompt_file}" in word for word in agent.command)
        return Invocation(argv, agent.env, stdin=not asks)
    is_acp = agent.kind == KIND
    command = (adapter.program, *adapter.arguments)
    groups = [
        _acp_run(agent, request) if is_acp else command,
        adapter.permissions[agent.permissions],
        adapter.model if model else (),
        adapter.max_turns if agent.max_turns else (),
        adapter.budget if request.budget is not None else (),
        server_arguments(adapter, request.server),
        () if is_acp else agent.args,
        _last(adapter, request),
    ]
    values = {
        "id": request.task.id, "model": model or "", "max_turns": str(agent.max_turns),
        "budget": f"{request.budget or 0.0:.4f}", "session": request.session or "", "prompt_file": request.prompt_file,
        "server": server_text(adapter, request.server), "mode": agent.mode or "",
    }  # fmt: skip
    argv = tuple(word if group is agent.args else fill(word, values) for group in groups for word in group)
    argv += ("--", *command, *agent.args) if is_acp else ()
    env = {
        **adapter.env,
        **(adapter.bypass_env if agent.permissions is Permissions.BYPASS else {}),
        **server_environment(adapter, request.server),
        **agent.env,
    }
    return Invocation(argv, env, stdin=adapter.prompt == "stdin", interrupt=adapter.interrupt)


def _acp_run(agent: AgentConfig, request: AgentRequest) -> tuple[str, ...]:
    """The beginning of the command that speaks to the agent. `-P`: the project's own modules are not Nova's."""
    waits = () if request.patience is None else ("--ask-timeout", f"{request.patience:g}")
    mode = ("--mode", "{mode}") if agent.mode else ()
    return sys.executable, "-P", "-m", "nova_core", "acp-run", *waits, *mode


def _last(adapter: Adapter, request: AgentRequest) -> tuple[str, ...]:
    """Arguments that end the command line: some agents continue a session by an option, others by another ending."""
    if request.session and adapter.resume:
        return adapter.resume
    return adapter.last
