"""Real agents against the scripted model server on loopback: a project, its own home, dummy keys."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mock_llm
import pytest
from cli_process import command, environment

from nova_core.model import TokenUsage

# The folder that `make test-agents` uses; otherwise the agents on PATH.
FOLDER = os.environ.get("NOVA_TEST_AGENTS", "")
AGENTS = ("claude", "codex", "gemini", "opencode", "aider", "copilot", "pi", "qwen", "cline")
PATIENCE = 600.0  # seconds; on a busy machine some agents need a minute to start
HEAD = """\
# Real agents

| Task ID | Task Name | What Changes | Depends On | Agent | Outputs |
|---------|-----------|--------------|------------|-------|---------|
"""


def search_path() -> str:
    """PATH with the agents of the test run in front."""
    return os.pathsep.join(part for part in (FOLDER, os.environ.get("PATH", "")) if part)


def require(*agents: str) -> None:
    """Skip the test, with its reason, unless these agents are installed."""
    missing = [agent for agent in agents if not shutil.which(agent, path=search_path())]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)} (`make test-agents` installs them)")


PRICED = ("gpt-6.1-sol", "gpt-6.2-sol", "gpt-4o", "m1")  # models that Nova has no exact price for
PRICE = {"input": 1, "output": 1, "cache_read": 0.1, "cache_creation": 1.25}


class AgentLab:
    """One project. `requests` are the requests that the server received, the reference for every total."""

    def __init__(self, root: Path, scenarios: dict[str, Any] | None = None) -> None:
        self.root = root / "project"
        self.home = root / "home"
        self.out = self.home / "engine.out"  # what engines in the background print
        self.engines: list[subprocess.Popen[bytes]] = []
        self.root.mkdir()
        (self.home / ".gemini").mkdir(parents=True)
        self.server = mock_llm.serve(0, {**SCENARIOS, **(scenarios or {})})
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        auth = {"security": {"auth": {"selectedType": "gemini-api-key"}}}
        (self.home / ".gemini" / "settings.json").write_text(json.dumps(auth))
        # Its newest versions call the model for these, and report it nowhere; see docs/agents.md.
        quiet = {"ui": {"enableFollowupSuggestions": False}, "memory": {"enableManagedAutoMemory": False}}
        (self.home / ".qwen").mkdir()
        (self.home / ".qwen" / "settings.json").write_text(json.dumps(quiet))
        provider = {
            "npm": "@ai-sdk/openai-compatible",
            "options": {"baseURL": f"{self.url}/v1", "apiKey": "dummy"},
            "models": {"m1": {"name": "m1", "cost": {"input": 3, "output": 15}}},
        }
        (self.root / "opencode.json").write_text(json.dumps({"provider": {"mock": provider}}))
        pi = {"baseUrl": f"{self.url}/v1", "api": "openai-completions", "apiKey": "dummy", "models": [{"id": "m1"}]}
        (self.home / ".pi" / "agent").mkdir(parents=True)
        (self.home / ".pi" / "agent" / "models.json").write_text(json.dumps({"providers": {"mock": pi}}))
        git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org"]
        for arguments in (["init", "-q"], ["add", "opencode.json"], ["commit", "-q", "-m", "start"]):
            subprocess.run([*git, *arguments], cwd=self.root, check=True)

    def close(self) -> None:
        """Stop the server, and what a failed test left running."""
        for engine in self.engines:
            if engine.poll() is None:
                engine.terminate()
                engine.wait(30)
        self.server.shutdown()
        self.server.server_close()

    def settings(self, top: dict[str, Any] | None = None, **agents: dict[str, Any]) -> None:
        """Write nova.yaml: every agent uses the server, with the given changes."""
        made = {name: merged(self._agent(name), agents.pop(name, {})) for name in AGENTS}
        made |= {name: merged(self._agent(str(more["use"])), more) for name, more in agents.items()}
        # With prices of their own, figures are exact.
        prices = dict.fromkeys(PRICED, PRICE)
        (self.root / "nova.yaml").write_text(json.dumps({"prices": prices, **(top or {}), "agents": made}))

    def log_in(self, agent: str) -> None:
        """Give an agent its endpoint and key, where only a command of its own does that."""
        if agent == "cline":
            command = [
                "cline",
                "auth",
                "-p",
                "openai-compatible",
                "-k",
                "dummy",
                "-m",
                "gpt-4o",
                "-b",
                f"{self.url}/v1",
            ]
            subprocess.run(command, env=self.env(), check=True, capture_output=True, timeout=PATIENCE)

    def _agent(self, name: str) -> dict[str, Any]:
        server = f'name="mock",base_url="{self.url}/v1",wire_api="responses",env_key="OPENAI_API_KEY"'
        openai = f"model_providers.mock={{{server}}}"
        settings: dict[str, dict[str, Any]] = {
            "claude": {"env": {"ANTHROPIC_BASE_URL": self.url, "ANTHROPIC_API_KEY": "dummy"}, "permissions": "shell"},
            "codex": {"env": {"OPENAI_API_KEY": "dummy"}, "args": ["-c", 'model_provider="mock"', "-c", openai]},
            "gemini": {
                "env": {"GEMINI_API_KEY": "dummy", "GOOGLE_GEMINI_BASE_URL": self.url}, "model": "gemini-2.5-pro",
            },
            "opencode": {"model": "mock/m1", "permissions": "shell"},
            "aider": {
                "model": "openai/gpt-4o", "args": ["--edit-format", "diff", "--map-tokens", "0"],
                "env": {"OPENAI_API_KEY": "dummy", "OPENAI_API_BASE": f"{self.url}/v1"},
            },
            "copilot": {
                "permissions": "shell",
                "env": {
                    "COPILOT_OFFLINE": "true", "COPILOT_PROVIDER_BASE_URL": f"{self.url}/v1",
                    "COPILOT_PROVIDER_API_KEY": "dummy", "COPILOT_MODEL": "gpt-4o",
                },
            },
            "pi": {"model": "mock/m1"},
            "qwen": {
                "permissions": "shell", "args": ["--auth-type", "openai"],
                "env": {"OPENAI_BASE_URL": f"{self.url}/v1", "OPENAI_API_KEY": "dummy", "OPENAI_MODEL": "m1"},
            },
            "cline": {"permissions": "shell"},
        }  # fmt: skip
        return settings[name]

    def plan(self, *rows: str) -> None:
        """Rows as `id | what | depends | agent | outputs`; the name is the id."""
        lines = []
        for row in rows:
            task, what, *rest = (cell.strip() for cell in row.split("|"))
            lines.append("| " + " | ".join([task, task, what, *rest]) + " |")
        (self.root / "CASCADE.md").write_text(HEAD + "\n".join(lines) + "\n")

    def env(self) -> dict[str, str]:
        """The environment of Nova, without settings of the developer's own agents."""
        kept = {k: v for k, v in environment().items() if not k.startswith(("ANTHROPIC", "OPENAI", "GEMINI", "CLAUDE"))}
        return {**kept, "HOME": str(self.home), "PATH": search_path(), "TERM": "dumb"}

    def nova(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of Nova to its end."""
        return subprocess.run(
            command(*arguments), cwd=self.root, env=self.env(), capture_output=True, text=True, timeout=PATIENCE,
            check=False,
        )  # fmt: skip

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen[bytes]:
        """Start `nova run` in the background."""
        env = {**self.env(), **variables}
        with self.out.open("ab") as out:
            argv = command("run", "--no-ui", *arguments)
            self.engines.append(subprocess.Popen(argv, cwd=self.root, env=env, stdout=out, stderr=out))
        return self.engines[-1]

    def asked(self, scenario: str) -> list[dict[str, Any]]:
        """The requests of a scenario that the server has received."""
        return [request for request in self.server.requests if request.get("scenario") == scenario]

    def tasks(self) -> dict[str, Any]:
        """The tasks as the state file has them."""
        found: dict[str, Any] = self.state()["tasks"]
        return found

    def state(self) -> dict[str, Any]:
        """The state file."""
        try:
            found: dict[str, Any] = json.loads((self.root / "cascade_state.json").read_bytes())
        except FileNotFoundError:
            return {"tasks": {}}
        return found

    def until(self, done: Callable[[], bool], what: str) -> None:
        """Wait until a condition holds; fail after a long time."""
        deadline = time.monotonic() + PATIENCE
        while not done():
            assert time.monotonic() < deadline, f"{what} never came; {self.tasks()}"
            time.sleep(0.05)

    def usage(self, task: str) -> TokenUsage:
        """Tokens of a task as Nova counted them."""
        return TokenUsage(**self.tasks()[task]["token_usage"])

    def served(self, scenario: str) -> TokenUsage:
        """Tokens that the server served for a scenario."""
        usages = [r["usage"] for r in self.server.requests if r.get("scenario") == scenario and r.get("usage")]
        return sum((TokenUsage(u["in"], u["out"], u["cache_read"], u["cache_write"]) for u in usages), TokenUsage())


def merged(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Settings with others merged in; variables and arguments are added, and a variable that is None is removed."""
    result = {**one, **other}
    env = {**one.get("env", {}), **other.get("env", {})}
    result["env"] = {name: value for name, value in env.items() if value is not None}
    result["args"] = [*one.get("args", []), *other.get("args", [])]
    return result


SCENARIOS: dict[str, Any] = {
    "shwrite": [{"text": "Writing.", "tools": [{"sh": "echo s > s.txt"}]}, {"text": "NOVA-FINAL: wrote."}],
    "gwrite": [{"text": "Writing.", "tools": [{"write": "g.txt", "content": "g\n"}]}, {"text": "NOVA-FINAL: wrote."}],
    "owrite": [{"text": "Writing.", "tools": [{"write": "o.txt", "content": "o\n"}]}, {"text": "NOVA-FINAL: wrote."}],
    **{
        name: [
            {
                "text": "Reporting.",
                "tools": [
                    {"name": f"{prefix}report", "input": {"step": f"{name} at work", "percent": 40}},
                    {"name": f"{prefix}handoff", "input": {"note": f"note of {name}"}},
                ],
            },
            {"text": "NOVA-FINAL: reported."},
        ]
        for name, prefix in (
            ("cmcp", "mcp__nova__"), ("xmcp", "mcp__nova__"), ("gmcp", "mcp_nova_"), ("ocmcp", "nova_"),
        )
    },
    "limited": [
        {"error": 429, "times": 1, "message": "mock: rate limit", "headers": {"retry-after": "1"}, "text": "OK."}
    ],
    "askpython": [
        {"text": "Running.", "tools": [{"sh": "python3 -c 'print(1)'"}]}, {"text": "NOVA-FINAL: could not."},
    ],
}  # fmt: skip
