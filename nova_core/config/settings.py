"""Settings: `nova.yaml`, overridden by `NOVA_*` variables; each value keeps its origin."""

import os
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import msgspec

from nova_core.agents import FORMATS
from nova_core.agents.acp_agents import ACP_AGENTS, KIND
from nova_core.agents.adapters import ADAPTERS, Permissions
from nova_core.agents.pricing import Price
from nova_core.agents.template import check_argument
from nova_core.config.git import ISOLATION, GitConfig
from nova_core.config.hooks import HooksConfig, NotifyConfig, SecondsAboveZero
from nova_core.errors import InputError, InputNotFoundError, Problem
from nova_core.files.typed_yaml import (
    Field,
    Read,
    Reader,
    Single,
    above_zero,
    field_of,
    fields_of,
    kind_of,
    plain,
    read_arguments,
    read_choice,
    read_count,
    read_duration,
    read_number,
    read_part,
    read_size,
    read_text,
    read_truth,
    read_variables,
)
from nova_core.files.variants import existing
from nova_core.files.yaml_file import Document, load_yaml
from nova_core.model import PlanOptions, Task
from nova_core.text import clean

DEFAULT_FILE = "nova.yaml"
_ACCOUNT = r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}"
AGENT_IDLE = 1200.0  # seconds; agents have been seen to be silent for seven minutes and to recover


def _read_command(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise ValueError('must be a list of strings, such as [claude, -p, "{prompt}"]')
    arguments = read_arguments(value)
    for argument in arguments:
        check_argument(argument)
    return arguments


def _read_line(value: object) -> str:
    from nova_core.agents.commands import check_pattern

    return check_pattern(read_text(value))


def _read_gate(value: object) -> str | None:
    """`true` is a barrier; `advice` is shown and blocks no task."""
    text = read_text(value).strip()
    if text in ("barrier", "advice"):
        return text
    try:
        return "barrier" if read_truth(text) else None
    except ValueError:
        raise ValueError(f"must be true, false or advice, not {kind_of(value)}") from None


Seconds = Annotated[float, plain(read_duration)]
Dollars = Annotated[float, plain(above_zero(read_number))]
Cores = Annotated[float, plain(above_zero(read_number))]
Bytes = Annotated[int, plain(above_zero(read_size))]
Count = Annotated[int, plain(above_zero(read_count))]
Variables = Annotated[Mapping[str, str], read_variables]


class AccountConfig(msgspec.Struct, frozen=True):
    """One login of an agent: the folder that has it, or variables. Once read, the folder is among the variables."""

    config: str | None = None
    env: Variables = {}


def _read_account(reader: Reader, keys: tuple[str | int, ...], data: object) -> Any:
    """Read one account: a folder, or a mapping."""
    name = str(keys[-1])
    if not re.fullmatch(_ACCOUNT, name):
        reader.fail(keys, "not a name for an account", "use letters, digits, `.`, `_` and `-`")
        return None
    account = field_of(AccountConfig)(reader, keys, {"config": data} if isinstance(data, str) else data)
    if isinstance(account, AccountConfig) and not (account.config or account.env):
        reader.fail(keys, "names no login", "write the folder that has it, or variables: `{env: {NAME: value}}`")
        return None
    return account


class AgentConfig(msgspec.Struct, frozen=True):
    """How to start one agent.

    Without a `command` it is an agent that Nova knows: the one of its name, or of `use`. `parser` (a format) or `line`
    (a regular expression) says how its output is read; `budget` is US dollars for one attempt; `provider` names the
    quota it uses; `args` are added to the command of a known agent. `cpu` (cores), `memory` (bytes) are needs of each
    task. `models` are its ladder: the first is used instead of `model`. `accounts` are its logins, by name: those with
    more than `pause_at` (0 to 1) of a limit used are not started. `mode` is one that an agent of `kind` "acp" offers.
    `terminal`: its workers have one.
    """

    command: Annotated[tuple[str, ...], plain(_read_command)] = ()
    env: Variables = {}
    model: str | None = None
    models: tuple[str, ...] = ()
    use: Annotated[str, plain(read_choice(*dict.fromkeys((*ADAPTERS, *ACP_AGENTS))))] | None = None
    kind: Annotated[str, plain(read_choice(KIND))] | None = None
    mode: str | None = None
    permissions: Permissions = Permissions.SAFE
    max_turns: Count | None = None
    budget: Dollars | None = None
    args: Annotated[tuple[str, ...], plain(read_arguments)] = ()
    parser: Annotated[str, plain(read_choice(*FORMATS))] | None = None
    line: Annotated[str, plain(_read_line)] | None = None
    provider: str | None = None
    mcp: bool = True
    cpu: Cores | None = None
    memory: Bytes | None = None
    accounts: Mapping[str, Annotated[AccountConfig, _read_account]] = {}
    pause_at: Annotated[float, plain(read_part)] | None = None
    terminal: bool | None = None

    @property
    def first_model(self) -> str | None:
        """The model of a task that names none."""
        return self.models[0] if self.models else self.model


def _read_agent(reader: Reader, keys: tuple[str | int, ...], data: object) -> Any:
    """Read one agent: one with a command, or one that Nova knows."""
    agent = field_of(AgentConfig)(reader, keys, data)
    if not isinstance(agent, AgentConfig):
        return agent
    agents = ACP_AGENTS if agent.kind == KIND else ADAPTERS
    if not agent.command and (agent.use or str(keys[-1])) not in agents:
        reader.fail(keys, "has no command", f"write `command: [...]`, or `use:` a known agent ({', '.join(agents)})")
    if agent.permissions is Permissions.ASK and agent.kind != KIND:
        reader.fail((*keys, "permissions"), "cannot be `ask`", "only agents with `kind: acp` can ask while they work")
    return _with_folders(reader, keys, agent) if agent.accounts else agent


def _with_folders(reader: Reader, keys: tuple[str | int, ...], agent: AgentConfig) -> AgentConfig:
    """Turn the folders of accounts into variables; a folder is relative to the file."""
    known = ADAPTERS.get(agent.use or agent.parser or str(keys[-1]))
    found = {}
    for name, account in agent.accounts.items():
        if account.config is not None and not (known and known.home):
            place = (*keys, "accounts", name)
            reader.fail(place, "Nova does not know which variable names this agent's folder", "write it in `env:`")
        elif account.config is not None and known:
            folder = os.path.join(os.path.dirname(reader.document.path), os.path.expanduser(account.config))
            account = AccountConfig(account.config, {known.home: os.path.abspath(folder), **account.env})
        found[name] = account
    return msgspec.structs.replace(agent, accounts=found)


class RetryConfig(msgspec.Struct, frozen=True):
    """What the attempt after a failed one gets. `feedback`: why that one failed; `session` "auto" or "new".

    `then` names a stronger model, or another agent, or several of them, one for each further failure.
    """

    feedback: bool = True
    session: Annotated[str, plain(read_choice("auto", "new"))] = "auto"
    then: tuple[str, ...] = ()


class LimitsConfig(msgspec.Struct, frozen=True):
    """Limits besides the number of workers; `cpu` is cores, `memory` bytes. None means what the machine has."""

    branches: Mapping[str, Count] = {}
    groups: Mapping[str, Count] = {}
    cpu: Cores | None = None
    memory: Bytes | None = None


class PhaseConfig(msgspec.Struct, frozen=True):
    """Settings of a phase (a branch of the plan): `gate` "barrier" or "advice", maximum workers, seconds for a task."""

    gate: Annotated[str, plain(_read_gate)] | None = None
    max_parallel: Count | None = None
    timeout: Seconds | None = None


class EnvConfig(msgspec.Struct, frozen=True):
    """The environment of workers: variables removed, and variables set."""

    drop: tuple[str, ...] = ()
    set: Variables = {}


class Runner(msgspec.Struct, frozen=True):
    """What runs a task: a shell `line`, or the first usable one of `agents`; neither if the task has no work."""

    line: str | None = None
    agents: tuple[str, ...] = ()


class Config(msgspec.Struct, frozen=True):
    """All settings. Times are seconds (0 means no limit), sizes bytes, `budget` US dollars.

    `agent` names agents in order of preference, `models` the ladder of the first of them. `origins` holds the source of
    each value that is not a default, such as `nova.yaml:3` or `NOVA_JOBS`, by setting (`jobs`, `agents.claude`).
    """

    agent: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    agents: Mapping[str, Annotated[AgentConfig, _read_agent]] = {}
    command: str | None = None
    jobs: Count = 3
    limits: LimitsConfig = LimitsConfig()
    timeout: Seconds = 0.0
    idle_timeout: Seconds | None = None
    quiet_timeout: Seconds = 30.0
    ask_timeout: Seconds = 600.0
    check_timeout: Seconds = 600.0
    grace: Seconds = 5.0
    retries: int = 0
    retry: RetryConfig = RetryConfig()
    retry_delay: Seconds = 2.0
    retry_max_delay: Seconds = 300.0
    quota_delay: SecondsAboveZero = 30.0
    prompt: str | None = None
    budget: Dollars | None = None
    allow_unpriced: bool = False
    prices: Mapping[str, Price] = {}
    log_limit: Annotated[int, plain(read_size)] = 64_000_000
    fail_fast: bool = False
    tick: bool = False
    jobserver: bool = False
    terminal: bool = False
    env: EnvConfig = EnvConfig()
    isolation: Annotated[str, plain(read_choice(*ISOLATION))] = "auto"
    git: GitConfig = GitConfig()
    milestones: str | None = None
    plan: PlanOptions = PlanOptions()
    phases: Mapping[str, PhaseConfig] = {}
    inputs: Annotated[str, plain(read_choice("required", "advice"))] = "required"
    hooks: HooksConfig = HooksConfig()
    notify: NotifyConfig = NotifyConfig()
    origins: Mapping[str, str] = {}

    def idle_limit(self, *, agent: bool) -> float:
        """The longest time without output in seconds: an agent has a limit by default. 0 means none."""
        if self.idle_timeout is not None:
            return self.idle_timeout
        return AGENT_IDLE if agent else 0.0

    def runner_of(self, task: Task) -> Runner:
        """What runs the task: its own command, the one for all tasks, its own agents, or those for all tasks."""
        if task.gate:
            return Runner()
        if line := task.command or self.command:
            return Runner(line)
        own = tuple(name.strip() for name in (task.agent or "").split(",") if name.strip())
        return Runner(agents=own or self.agent)


def load_config(path: str | Path | None, *, environ: Mapping[str, str], root: str | Path = ".") -> Config:
    """Read settings from `path`, or from `nova.yaml` (or `nova.yml`) in `root` if it exists, then from `environ`.

    Raises `InputError` with every mistake found, `InputNotFoundError` if `path` is given and missing.
    """
    document = _load_document(path, existing(Path(root) / DEFAULT_FILE))
    reader = Reader(document, "docs/configuration.md")
    values = reader.mapping((), document.data, _fields()) if document.data != {} else {}
    _apply_environment(reader, values, environ)
    _give_models(reader, values)
    if reader.problems:
        raise InputError(sorted(reader.problems, key=lambda p: (p.path != document.path, p.line)))
    return Config(**values, origins=reader.origins)


def _give_models(reader: Reader, values: dict[str, Any]) -> None:
    """Give `models` to the agent they belong to, the first of `agent`."""
    models = values.get("models")
    if not models:
        return
    name = next(iter(values.get("agent", ())), None)
    agents = values.get("agents", {})
    if name is None:
        reader.fail(("models",), "no agent they belong to", "set `agent:`, or write them as `agents.NAME.models`")
    elif name in agents or name in ADAPTERS:
        agent = agents.get(name, AgentConfig())
        if agent.models:
            reader.fail(("models",), f"agents.{clean(name)} has models, too", "write them in one place")
        values["agents"] = {**agents, name: msgspec.structs.replace(agent, models=models)}


@cache
def _fields() -> Mapping[str, Field]:
    return {name: field for name, field in fields_of(Config).items() if name != "origins"}


@cache
def _variables() -> Mapping[str, tuple[str, Read]]:
    """The setting of each variable and its reader: `NOVA_JOBS`, `NOVA_LIMITS_CPU`."""
    ceilings = {f"limits.{name}": field for name, field in fields_of(LimitsConfig).items()}
    return {
        f"NOVA_{name.upper().replace('.', '_')}": (name, field.read)
        for name, field in {**_fields(), **ceilings}.items()
        if isinstance(field, Single)
    }


def _load_document(path: str | Path | None, default: Path) -> Document:
    if path is not None:
        return load_yaml(path)
    try:
        return load_yaml(default)
    except InputNotFoundError:
        return Document(str(default), None, {})


def _apply_environment(reader: Reader, values: dict[str, Any], environ: Mapping[str, str]) -> None:
    if not any(name.startswith("NOVA_") for name in environ):
        return
    for variable, (setting, read) in _variables().items():
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
