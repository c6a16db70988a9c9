"""The formats Nova reads, by the name that `parser:` and `nova parse-log --agent` take; imported on use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nova_core.agents.log import AgentLog

_MODULES = {
    "claude": ("claude", "ClaudeLog"),
    "codex": ("codex", "CodexLog"),
    "gemini": ("gemini", "GeminiLog"),
    "opencode": ("opencode", "OpencodeLog"),
    "aider": ("aider", "AiderLog"),
    "copilot": ("copilot", "CopilotLog"),
    "pi": ("pi", "PiLog"),
    "qwen": ("qwen", "QwenLog"),
    "cline": ("cline", "ClineLog"),
    "acp": ("acp", "AcpLog"),
    "shell": ("commands", "CommandLog"),
}


@cache
def _load(name: str) -> type[AgentLog]:
    module, kind = _MODULES[name]
    found: type[AgentLog] = getattr(import_module(f"nova_core.agents.{module}"), kind)
    return found


class _Formats(Mapping[str, "type[AgentLog]"]):
    """Imports each format on use: a run of shell commands needs only one, and starts sooner."""

    def __getitem__(self, name: str) -> type[AgentLog]:
        return _load(name)

    def __iter__(self) -> Iterator[str]:
        return iter(_MODULES)

    def __len__(self) -> int:
        return len(_MODULES)


FORMATS: Mapping[str, type[AgentLog]] = _Formats()
