"""The formats Nova reads, by the name that `parser:` and `nova parse-log --agent` take."""

from __future__ import annotations

from nova_core.agents.aider import AiderLog
from nova_core.agents.claude import ClaudeLog
from nova_core.agents.codex import CodexLog
from nova_core.agents.commands import CommandLog
from nova_core.agents.gemini import GeminiLog
from nova_core.agents.log import AgentLog
from nova_core.agents.opencode import OpencodeLog

FORMATS: dict[str, type[AgentLog]] = {
    "claude": ClaudeLog,
    "codex": CodexLog,
    "gemini": GeminiLog,
    "opencode": OpencodeLog,
    "aider": AiderLog,
    "shell": CommandLog,
}
