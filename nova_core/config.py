"""Settings: `nova.yaml`, overridden by `NOVA_*` variables, each value with the place it came from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from nova_core.agents import FORMATS
from nova_core.agents.adapters import ADAPTERS, Permissions
from nova_core.agents.commands import GROUPS
from nova_core.agents.pricing import Price
from nova_core.agents.template import check_argument
from nova_core.errors import InputError, InputNotFoundError, Problem
from nova_core.files.typed_yaml import (
    Field,
    Read,
    Reader,
    above_zero,
    kind_of,
    map_of,
    plain,
    read_argument,
    read_count,
    read_duration,
    read_names,
    read_number,
    read_size,
    read_text,
    read_truth,
    struct,
)
from nova_core.files.yaml_file import Document, load_yaml
from nova_core.model import PlanOptions

DEFAULT_FILE = "nova.yaml"


class AgentConfig(msgspec.Struct, frozen=True):
    """How to start one agent.

    Without a `command` it is one that Nova knows: the one of its name, or the one that `use` names. `parser` (a format)
    or `line` (a regular expression) tells how its output is read; `budget` is US dollars for one attempt; `provider`
    is whose quota it uses up; `args` are added to the command of a known agent. `cpu` (cores) and `memory` (bytes) are
    what one of its tasks takes up, unless the task says so itself.
    """

    command: tuple[str, ...] = ()
    env: Mapping[str, str] = {}
    model: str | None = None
    use: str | None = None
    permissions: Permissions = Permissions.SAFE
    max_turns: int | None = None
    budget: float | None = None
    args: tuple[str, ...] = ()
    parser: str | None = None
    line: str | None = None
    provider: str | None = None
    mcp: bool = True
    cpu: float | None = None
    memory: int | None = None


class LimitsConfig(msgspec.Struct, frozen=True):
    """Ceilings beside the number of workers; `cpu` is cores, `memory` bytes, None means what the machine has."""

    branches: Mapping[str, int] = {}
    groups: Mapping[str, int] = {}
    cpu: float | None = None
    memory: int | None = None


class PhaseConfig(msgspec.Struct, frozen=True):
    """What a phase (a branch of the plan) is given: `gate` "barrier" or "advice", most workers, seconds for a task."""

    gate: str | None = None
    max_parallel: int | None = None
    timeout: float | None = None


class EnvConfig(msgspec.Struct, frozen=True):
    """What workers see: variables taken away, and variables set."""

    drop: tuple[str, ...] = ()
    set: Mapping[str, str] = {}


class HooksConfig(msgspec.Struct, frozen=True):
    """Shell lines to run when something happens to the run, and the longest time in seconds one of them may take."""

    started: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    blocked: tuple[str, ...] = ()
    milestone: tuple[str, ...] = ()
    finished: tuple[str, ...] = ()
    timeout: float = 30.0


class Config(msgspec.Struct, frozen=True):
    """All settings. Times are seconds (0 means no limit), sizes bytes, `budget` US dollars.

    `agent` names agents in order of preference. `origins` tells where each value that is not a default came from:
    `nova.yaml:3` or `NOVA_JOBS`, by setting (`jobs`, `limits.cpu`, `agents.claude`).
    """

    agent: tuple[str, ...] = ()
    agents: Mapping[str, AgentConfig] = {}
    command: str | None = None
    jobs: int = 3
    limits: LimitsConfig = LimitsConfig()
    timeout: float = 0.0
    idle_timeout: float = 0.0
    check_timeout: float = 600.0
    grace: float = 5.0
    retries: int = 0
    retry_delay: float = 2.0
    retry_max_delay: float = 300.0
    quota_delay: float = 30.0
    prompt: str | None = None
    budget: float | None = None
    prices: Mapping[str, Price] = {}
    log_limit: int = 64_000_000
    fail_fast: bool = False
    tick: bool = False
    env: EnvConfig = EnvConfig()
    milestones: str | None = None
    plan: PlanOptions = PlanOptions()
    phases: Mapping[str, PhaseConfig] = {}
    inputs: str = "required"
    hooks: HooksConfig = HooksConfig()
    origins: Mapping[str, str] = {}


def load_config(path: str | Path | None, *, environ: Mapping[str, str], root: str | Path = ".") -> Config:
    """Read settings from `path`, or from `nova.yaml` in `root` if there is one, then from `environ`.

    Raises `InputError` with every mistake found, `InputNotFoundError` if `path` is given and missing.
    """
    document = _load_document(path, Path(root) / DEFAULT_FILE)
    reader = Reader(document, "docs/configuration.md")
    values = reader.mapping((), document.data, _FIELDS)
    _apply_environment(reader, values, environ)
    if reader.problems:
        raise InputError(sorted(reader.problems, key=lambda p: (p.path != document.path, p.line)))
    return Config(**values, origins=reader.origins)


def _load_document(path: str | Path | None, default: Path) -> Document:
    if path is not None:
        return load_yaml(path)
    try:
        return load_yaml(default)
    except InputNotFoundError:
        return Document(str(default), None, {})


def _apply_environment(reader: Reader, values: dict[str, Any], environ: Mapping[str, str]) -> None:
    for variable, (setting, read) in _VARIABLES.items():
        text = environ.get(variable, "")
        if not text:
            continue
        try:
            value = read(text)
        except ValueError as error:
            reader.problems.append(Problem(variable, 0, str(error), "correct or unset this environment variable"))
            continue
        reader.origins[setting] = variable
        section, _, key = setting.rpartition(".")
        if section:
            value = msgspec.structs.replace(values.get(section, LimitsConfig()), **{key: value})
        values[section or key] = value


def _read_command(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise ValueError('must be a list of texts, such as [claude, -p, "{prompt}"]')
    arguments = tuple(map(read_argument, value))
    for argument in arguments:
        check_argument(argument)
    return arguments


def _read_arguments(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError("must be a list of texts, such as [--effort, high]")
    return tuple(map(read_argument, value))


def _read_lines(value: object) -> tuple[str, ...]:
    """One shell line, or a list of them."""
    return tuple(map(read_text, value if isinstance(value, list) else [value]))


def _read_line(value: object) -> str:
    """A regular expression whose named groups mean something."""
    text = read_text(value)
    try:
        names = set(re.compile(text).groupindex)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"is not a regular expression: {error}") from None
    if not names or names - set(GROUPS):
        known = ", ".join(GROUPS)
        raise ValueError(f"has {'no' if not names else 'unknown'} named groups: write (?P<step>...), known are {known}")
    return text


def _read_choice(*choices: str) -> Read:
    def read(value: object) -> str:
        text = read_text(value).strip()
        if text not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}, not {kind_of(value)}")
        return text

    return read


def _read_gate(value: object) -> str | None:
    """`true` is a barrier; `advice` is shown, and keeps nobody waiting."""
    text = read_text(value).strip()
    if text in ("barrier", "advice"):
        return text
    try:
        return "barrier" if read_truth(text) else None
    except ValueError:
        raise ValueError(f"must be true, false or advice, not {kind_of(value)}") from None


def _read_permissions(value: object) -> Permissions:
    return Permissions(_read_choice(*Permissions)(value))


def _read_agent(reader: Reader, keys: tuple[str | int, ...], data: object) -> Any:
    """One agent: with a command, or one that Nova knows."""
    agent = _AGENT_FIELDS(reader, keys, data)
    name = str(keys[-1])
    if isinstance(agent, AgentConfig) and not agent.command and (agent.use or name) not in ADAPTERS:
        known = ", ".join(ADAPTERS)
        reader.fail(keys, "has no command", f"write `command: [...]`, or `use:` one that Nova knows ({known})")
        return None
    return agent


def _read_variables(reader: Reader, keys: tuple[str | int, ...], data: object) -> Any:
    for name in data if isinstance(data, dict) else ():
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            reader.fail((*keys, name), "not a name for an environment variable", "use letters, digits and `_`")
    return reader.named(keys, data, plain(read_argument))


_SCALARS: dict[str, Read] = {
    "agent": read_names,
    "command": read_text,
    "jobs": above_zero(read_count),
    "timeout": read_duration,
    "idle_timeout": read_duration,
    "check_timeout": read_duration,
    "grace": read_duration,
    "retries": read_count,
    "retry_delay": read_duration,
    "retry_max_delay": read_duration,
    "quota_delay": above_zero(read_duration),
    "prompt": read_text,
    "budget": above_zero(read_number),
    "log_limit": read_size,
    "fail_fast": read_truth,
    "tick": read_truth,
    "milestones": read_text,
    "inputs": _read_choice("required", "advice"),
}
_CEILINGS: dict[str, Read] = {"cpu": above_zero(read_number), "memory": above_zero(read_size)}
_AGENT = {
    "command": plain(_read_command),
    "env": _read_variables,
    "model": plain(read_text),
    "use": plain(_read_choice(*ADAPTERS)),
    "permissions": plain(_read_permissions),
    "max_turns": plain(above_zero(read_count)),
    "budget": plain(above_zero(read_number)),
    "args": plain(_read_arguments),
    "parser": plain(_read_choice(*FORMATS)),
    "line": plain(_read_line),
    "provider": plain(read_text),
    "mcp": plain(read_truth),
    "cpu": plain(above_zero(read_number)),
    "memory": plain(above_zero(read_size)),
}
_AGENT_FIELDS = struct(AgentConfig, _AGENT)
_PRICE = {name: plain(read_number) for name in ("input", "output", "cache_read", "cache_creation")}
_PLAN = {
    "format": plain(read_text), "tag": plain(read_text),
    "optional": plain(read_truth), "lenient": plain(read_truth),
}  # fmt: skip
_PHASE = {
    "gate": plain(_read_gate),
    "max_parallel": plain(above_zero(read_count)),
    "timeout": plain(read_duration),
}
_LIMITS = {
    "branches": map_of(plain(above_zero(read_count))),
    "groups": map_of(plain(above_zero(read_count))),
    **{name: plain(read) for name, read in _CEILINGS.items()},
}
_HOOKS: dict[str, Field] = {
    **{name: plain(_read_lines) for name in ("started", "failed", "blocked", "milestone", "finished")},
    "timeout": plain(above_zero(read_duration)),
}
_FIELDS: dict[str, Field] = {
    **{name: plain(read) for name, read in _SCALARS.items()},
    "agents": map_of(_read_agent),
    "limits": struct(LimitsConfig, _LIMITS),
    "prices": map_of(struct(Price, _PRICE, "input", "output")),
    "plan": struct(PlanOptions, _PLAN),
    "phases": map_of(struct(PhaseConfig, _PHASE)),
    "env": struct(EnvConfig, {"drop": plain(read_names), "set": _read_variables}),
    "hooks": struct(HooksConfig, _HOOKS),
}
_VARIABLES: dict[str, tuple[str, Read]] = {
    **{f"NOVA_{name.upper()}": (name, read) for name, read in _SCALARS.items()},
    **{f"NOVA_LIMITS_{name.upper()}": (f"limits.{name}", read) for name, read in _CEILINGS.items()},
}
