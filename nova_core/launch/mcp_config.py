"""How each agent gets to know the reporting server.

Each agent takes variables from its own environment, so that no token is in an argument, where every user of the machine
could read it. A `server` is the argument list that starts it, empty for none.
"""

from __future__ import annotations

import stat
from functools import cache
from pathlib import Path

import msgspec

from nova_core.agents.adapters import Adapter
from nova_core.errors import EnvironmentProblem
from nova_core.files.disk import Disk
from nova_core.files.plain_file import read_plain

_MOST_SETTINGS = 1 << 20  # bytes
_NAMES = ("NOVA_INBOX", "NOVA_TASK_ID", "NOVA_ATTEMPT", "NOVA_TOKEN", "NOVA_RUN_ID", "NOVA_CRITERIA")


def server_arguments(adapter: Adapter, server: tuple[str, ...]) -> tuple[str, ...]:
    """Arguments for the agent's command line; `{server}` stands for `server_text`."""
    if not server:
        return ()
    return {"claude": ("--mcp-config", "{server}"), "codex": ("-c", "{server}")}.get(adapter.mcp, ())


def server_text(adapter: Adapter, server: tuple[str, ...]) -> str:
    """The server in the format of the agent's own settings."""
    if not server:
        return ""
    command, *arguments = server
    if adapter.mcp == "codex":  # a TOML value; JSON strings and lists are TOML as well
        parts = {"command": command, "args": arguments, "env_vars": list(_NAMES)}
        fields = ",".join(f"{key}={_json(value)}" for key, value in parts.items())
        return f'mcp_servers.nova={{{fields},required=true,default_tools_approval_mode="approve"}}'
    env = {name: f"${{{name}}}" for name in _NAMES}
    # Without alwaysLoad the agent finds the tools only by a search.
    nova = {"type": "stdio", "command": command, "args": arguments, "env": env, "alwaysLoad": True}
    return _json({"mcpServers": {"nova": nova}})


def server_environment(adapter: Adapter, server: tuple[str, ...]) -> dict[str, str]:
    """Variables for the agent's environment."""
    if adapter.mcp == "opencode" and server:
        variables = {name: f"{{env:{name}}}" for name in _NAMES}
        nova = {"type": "local", "command": list(server), "environment": variables, "enabled": True}
        return {"OPENCODE_CONFIG_CONTENT": _json({"mcp": {"nova": nova}})}
    return {}


def gemini_settings(server: tuple[str, ...], found: bytes | None) -> bytes | None:
    """The project's `.gemini/settings.json` with the reporting server added: gemini has no option for it.

    `found` is the file's current content, None if there is no file. Returns None if nothing has to be written, or if
    the file is not plain JSON (it has comments, say, which would be lost) or is nested too deeply.
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


@cache
def has_mcp() -> bool:
    """Returns True if the server's library is installed."""
    from importlib.util import find_spec

    return find_spec("mcp") is not None


def add_gemini_settings(folder: Path, server: tuple[str, ...]) -> None:
    """Add the server to gemini's settings in `folder`. Raises `EnvironmentProblem` if that fails."""
    path = folder / "settings.json"
    if folder.is_symlink() or path.is_symlink():  # a link would read or write elsewhere
        return
    try:
        found, mode = _content(path)
        data = gemini_settings(server, found)
        if data is not None:
            folder.mkdir(exist_ok=True)
            Disk().replace(path, data, mode=mode, sync=False)
    except OSError as error:
        text = f"cannot write {path}: {error.strerror}"
        raise EnvironmentProblem(text, hint="set `mcp: false` for gemini to run without the reporting server") from None


def _content(path: Path) -> tuple[bytes | None, int]:
    """The file's content and permissions."""
    try:
        return read_plain(path, _MOST_SETTINGS), stat.S_IMODE(path.lstat().st_mode) & 0o666
    except FileNotFoundError:
        return None, 0o644


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
