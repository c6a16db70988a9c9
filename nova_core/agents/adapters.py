"""How each agent is started, as data: measured with the versions named here; `invocation` fills it in."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec


class Permissions(StrEnum):
    """What an agent may do without asking."""

    SAFE = "safe"  # edit project files, and run commands that the agent itself considers harmless
    SHELL = "shell"  # also run any command
    BYPASS = "bypass"  # no checks: dangerous outside a container
    ASK = "ask"  # a person decides on what `safe` would deny; only where an agent can ask, call by call


class Adapter(msgspec.Struct, frozen=True):
    """The command line of one agent. A group of arguments is used if its placeholder has a value.

    `prompt` is where the prompt goes: "stdin" or "file" (the arguments hold `{prompt_file}`). `last` ends the line,
    `resume` replaces it when a session is continued. `interrupt`: on SIGINT the agent reports its totals. `live`: its
    log or its own records show what it uses while it works, so that a cap can be enforced. `unchecked`: it does
    everything without asking, whatever the permissions. `all_or_none`: it approves each of its tools or, with `safe`,
    none. `mcp` names the way the agent gets the reporting server.
    `tested` is the version of these facts, `package` the package to install, `usual_model` the model that it uses if
    none is named, where Nova must know its price. `tells_cost`: it always reports what it cost. `home` is the variable
    that names the folder with its login and its settings.
    """

    program: str
    arguments: tuple[str, ...]
    permissions: Mapping[Permissions, tuple[str, ...]]
    provider: str
    package: str
    tested: str
    usual_model: str = ""
    tells_cost: bool = False
    last: tuple[str, ...] = ()
    resume: tuple[str, ...] = ()
    model: tuple[str, ...] = ()
    max_turns: tuple[str, ...] = ()
    budget: tuple[str, ...] = ()
    env: Mapping[str, str] = {}
    bypass_env: Mapping[str, str] = {}
    prompt: str = "stdin"
    interrupt: bool = False
    live: bool = True
    mcp: str = ""
    unchecked: bool = False
    all_or_none: bool = False
    home: str = ""


ADAPTERS: dict[str, Adapter] = {
    "claude": Adapter(
        program="claude",
        # stream-json needs --verbose; without forwarded text, the text of sub-agents and their tokens come late.
        arguments=("-p", "--output-format", "stream-json", "--verbose", "--forward-subagent-text"),
        permissions={
            Permissions.SAFE: (
                "--permission-mode", "acceptEdits", "--allowedTools", "Bash(nova report *),mcp__nova",
            ),
            Permissions.SHELL: ("--permission-mode", "acceptEdits", "--allowedTools", "Bash,mcp__nova"),
            Permissions.BYPASS: ("--dangerously-skip-permissions",),
        },
        bypass_env={"IS_SANDBOX": "1"},  # else it refuses to run as root
        model=("--model", "{model}"),
        max_turns=("--max-turns", "{max_turns}"),
        budget=("--max-budget-usd", "{budget}"),
        resume=("--resume", "{session}"),
        # Its own 10 tries take three minutes; Nova waits better, for all its workers at once.
        # The reporting server may need more than its 30 s on a busy machine.
        env={"CLAUDE_CODE_MAX_RETRIES": "3", "MCP_TIMEOUT": "120000"},
        interrupt=True,
        mcp="claude",
        home="CLAUDE_CONFIG_DIR",
        provider="anthropic",
        package="npm install -g @anthropic-ai/claude-code",
        tested="2.1.332",
        tells_cost=True,
    ),
    "codex": Adapter(
        program="codex",
        # With analytics it lingers 5 s at its end if the network is unreachable.
        arguments=("exec", "--skip-git-repo-check", "-c", "analytics.enabled=false"),
        permissions={
            Permissions.SAFE: ("--sandbox", "workspace-write"),
            Permissions.SHELL: ("--sandbox", "workspace-write", "-c", "sandbox_workspace_write.network_access=true"),
            Permissions.BYPASS: ("--dangerously-bypass-approvals-and-sandbox",),
        },
        model=("-m", "{model}"),
        last=("--json", "-"),
        resume=("resume", "--json", "{session}", "-"),
        mcp="codex",
        home="CODEX_HOME",
        provider="openai",
        package="npm install -g @openai/codex",
        tested="0.171.0",
        usual_model="gpt-6.2-sol",
    ),
    "gemini": Adapter(
        program="gemini",
        arguments=("-o", "stream-json"),
        permissions={
            Permissions.SAFE: ("--approval-mode", "auto_edit"),
            Permissions.SHELL: ("--approval-mode", "yolo"),
            Permissions.BYPASS: ("--approval-mode", "yolo"),
        },
        model=("-m", "{model}"),
        resume=("--resume", "{session}"),
        # Exit code 55 without the first; without the second it restarts itself and ignores signals.
        env={"GEMINI_CLI_TRUST_WORKSPACE": "true", "GEMINI_CLI_NO_RELAUNCH": "true"},
        mcp="gemini",
        provider="google",
        package="npm install -g @google/gemini-cli",
        tested="0.61.0",
        usual_model="gemini-3.8-flash",
    ),
    "opencode": Adapter(
        program="opencode",
        # A title of its own would cost one more call to the model, which it does not report.
        arguments=("run", "--format", "json", "--title", "{id}"),
        permissions={Permissions.SAFE: (), Permissions.SHELL: ("--auto",), Permissions.BYPASS: ("--auto",)},
        model=("-m", "{model}"),
        resume=("-s", "{session}"),
        env={"OPENCODE_DISABLE_AUTOUPDATE": "1"},
        mcp="opencode",
        provider="opencode",
        package="npm install -g opencode-ai",
        tested="1.18.33",
    ),
    "aider": Adapter(
        program="aider",
        arguments=(
            "--message-file", "{prompt_file}", "--yes-always", "--no-stream", "--no-pretty", "--no-fancy-input",
            "--no-check-update", "--no-show-release-notes", "--no-show-model-warnings", "--no-auto-commits",
            "--no-dirty-commits", "--no-gitignore", "--no-suggest-shell-commands", "--analytics-disable",
            # It writes its exact numbers into the log, between its text.
            "--analytics-log", "/dev/stdout",
            "--chat-history-file", "/dev/null", "--input-history-file", "/dev/null",
        ),
        permissions=dict.fromkeys(Permissions, ()),
        model=("--model", "{model}"),
        prompt="file",
        provider="aider",
        package="pip install aider-chat",
        tested="0.86.2",
        tells_cost=True,
    ),
    "copilot": Adapter(
        program="copilot",
        arguments=("--output-format", "json", "--stream", "off"),
        permissions={
            Permissions.SAFE: ("--allow-tool", "write", "--allow-tool", "shell(nova:*)"),
            Permissions.SHELL: ("--allow-all-tools",),
            Permissions.BYPASS: ("--yolo",),
        },
        model=("--model", "{model}"),
        resume=("--resume", "{session}"),
        env={"COPILOT_AUTO_UPDATE": "false"},
        home="COPILOT_HOME",
        provider="github",
        package="npm install -g @github/copilot",
        live=False,
        tested="1.0.102",
    ),
    "pi": Adapter(
        program="pi",
        arguments=("-p", "--mode", "json", "--no-session"),
        permissions=dict.fromkeys(Permissions, ()),
        unchecked=True,
        model=("--model", "{model}"),
        last=("@{prompt_file}", "Do the task in this file."),
        env={"PI_OFFLINE": "1"},  # else it looks for updates at its start
        prompt="file",
        provider="pi",
        home="PI_CODING_AGENT_DIR",
        package="npm install -g @mariozechner/pi-coding-agent",
        tested="0.73.1",
    ),
    "qwen": Adapter(
        program="qwen",
        arguments=("-o", "stream-json"),
        permissions={
            Permissions.SAFE: ("--approval-mode", "auto-edit"),
            Permissions.SHELL: ("--approval-mode", "yolo"),
            Permissions.BYPASS: ("--approval-mode", "yolo"),
        },
        model=("-m", "{model}"),
        max_turns=("--max-session-turns", "{max_turns}"),
        resume=("--resume", "{session}"),
        provider="qwen",
        package="npm install -g @qwen-code/qwen-code",
        tested="0.15.10",
    ),
    "cline": Adapter(
        program="cline",
        arguments=("--json",),
        all_or_none=True,
        permissions={
            Permissions.SAFE: ("--auto-approve", "false"),
            Permissions.SHELL: ("--auto-approve", "true"),
            Permissions.BYPASS: ("--auto-approve", "true"),
        },
        model=("-m", "{model}"),
        last=("Do the task in this file: @{prompt_file}",),
        prompt="file",  # it takes standard input from a pipe only
        # Otherwise it leaves a daemon running, which all its runs share.
        env={"CLINE_SESSION_BACKEND_MODE": "local"},
        home="CLINE_DATA_DIR",
        provider="cline",
        package="npm install -g cline",
        tested="3.0.65",
    ),
}  # fmt: skip
