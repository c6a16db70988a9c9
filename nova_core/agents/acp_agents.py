"""How agents are started that speak the Agent Client Protocol, as data.

The groups of an adapter are options of `nova acp-run`, which starts `program` with `arguments` behind them.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from nova_core.agents.adapters import Adapter, Permissions

KIND = "acp"


def _adapter(
    *command: str, provider: str, package: str = "", tested: str = "", env: Mapping[str, str] | None = None,
    auth: str = "",
) -> Adapter:  # fmt: skip
    """The adapter of an agent; `auth` is its way to log in, where each session needs that."""
    login = ("--auth", auth) if auth else ()
    return Adapter(
        program=command[0],
        arguments=command[1:],
        permissions={policy: ("--permissions", policy.value) for policy in Permissions},
        provider=provider,
        package=package,
        tested=tested,
        env=env or {},
        model=("--model", "{model}"),
        resume=("--session", "{session}", *login),
        last=login,
        interrupt=True,
        live=False,
    )


_OPENCODE = '{"edit":"ask","bash":"ask","webfetch":"ask","external_directory":"ask"}'  # it asks for nothing by default
ACP_AGENTS: dict[str, Adapter] = {
    "claude": _adapter(
        "claude-agent-acp", provider="anthropic", tested="0.49.0",
        package="npm install -g @agentclientprotocol/claude-agent-acp",
        env={"CLAUDE_CODE_ENABLE_PROMPT_SUGGESTION": "false"},  # a call that it does not report
    ),
    "copilot": _adapter(
        "copilot", "--acp", provider="github", tested="1.0.102", package="npm install -g @github/copilot",
        env={"COPILOT_AUTO_UPDATE": "false"},
    ),
    "gemini": _adapter(
        "gemini", "--acp", provider="google", tested="0.61.0", package="npm install -g @google/gemini-cli",
        env={"GEMINI_CLI_TRUST_WORKSPACE": "true", "GEMINI_CLI_NO_RELAUNCH": "true"},
    ),
    "opencode": _adapter(
        "opencode", "acp", provider="opencode", tested="1.18.33", package="npm install -g opencode-ai",
        env={"OPENCODE_DISABLE_AUTOUPDATE": "1", "OPENCODE_PERMISSION": _OPENCODE},
    ),
    "qwen": _adapter(
        "qwen", "--acp", provider="qwen", tested="0.15.10", package="npm install -g @qwen-code/qwen-code",
    ),
    "cursor": _adapter("cursor-agent", "acp", provider="cursor", auth="cursor_login"),
    "goose": _adapter("goose", "acp", provider="goose"),
    "kiro": _adapter("kiro-cli", "acp", provider="kiro"),
    "droid": _adapter(
        "droid", "exec", "--output-format", "acp", provider="factory", tested="0.225.2",
        package="npm install -g @factory/cli", env={"DROID_DISABLE_AUTO_UPDATE": "true"},
    ),
    "kimi": _adapter("kimi", "acp", provider="moonshot"),
    # `agy` itself does not speak the protocol; this server of its maker does.
    "agy": _adapter("agy_acp_server.par", "--uid=", provider="google"),
}  # fmt: skip
TELLS_COST = ("claude",)


def acp_adapter(name: str, command: tuple[str, ...]) -> Adapter | None:
    """The adapter of the agent with this name, with its own `command` if one is given; None without either."""
    known = ACP_AGENTS.get(name)
    if not command:
        return known
    if known is None:
        return _adapter(*command, provider=name)
    return msgspec.structs.replace(known, program=command[0], arguments=command[1:])


def settings_of(name: str) -> str:
    """The settings with which `nova.yaml` names this agent."""
    adapter = ACP_AGENTS[name]
    return f"{{{name}: {{kind: acp, command: [{', '.join((adapter.program, *adapter.arguments))}]}}}}"
