"""From a task to the process that runs it: which command or agent, with which prompt and environment."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Collection, Iterable, Mapping
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Protocol

import msgspec

from nova_core.agents.pricing import Price
from nova_core.agents.records import Records
from nova_core.config import AgentConfig, Config, Runner
from nova_core.errors import EnvironmentProblem, Problem
from nova_core.executors.base import Job
from nova_core.files.disk import Disk
from nova_core.files.inbox import attempt_token
from nova_core.files.plain_file import read_inside
from nova_core.files.project import Project, check_log_name
from nova_core.launch.agent_records import SessionRecords, find_records, follow_records
from nova_core.launch.invocation import (
    AgentRequest,
    adapter_of,
    agent_named,
    has_terminal,
    invoke,
    logins_of,
    parser_of,
    program_of,
    provider_of,
    settings_hint,
)
from nova_core.launch.ladder import model_of, rungs_of
from nova_core.launch.mcp_config import add_gemini_settings, has_mcp
from nova_core.launch.model_prices import HINT, unpriced
from nova_core.launch.prompt import NO_BRIEFING, TEMPLATE, Briefing, build_prompt, resumed_prompt
from nova_core.model import Criterion, Task, attempt_key

# Variables that a git hook sets would point a worker's git at the hook's repository (githooks(5)).
DROPPED = {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR"}
_REVIEWED = "--approve-for-me"  # of codex
_MOST_TEMPLATE = 1 << 20  # bytes


class Assignment(msgspec.Struct, frozen=True):
    """What runs an attempt.

    `agent` is None for a command; `provider` is the quota used; `model` is billed, if known; `parser` reads the output,
    as `open_log` takes it. `reviewed`: another model judges its calls, whose tokens are in none of its figures.
    """

    agent: str | None = None
    provider: str | None = None
    model: str | None = None
    parser: str = "shell"
    reviewed: bool = False


class Limits(Protocol):
    """What is known of the providers' limits."""

    def is_held(self, agent: str, model: str | None = None) -> bool:
        """Returns True if the agent cannot start with this model now."""

    def load(self, agent: str) -> tuple[float, float]:
        """How much of its limits an agent's login has used: the lower, the sooner it is started."""


_NOT_AN_AGENT: tuple[Job, Mapping[str, str]] = Job(key=""), {}


class Session(msgspec.Struct, frozen=True):
    """The session an attempt continues; `cut_off` means that it was interrupted, not that its work was not enough."""

    id: str
    cut_off: bool


class Launcher:
    """Builds the jobs of one run. `command` is the shell line for tasks without one of their own."""

    def __init__(
        self, project: Project, config: Config, name: str, run: str, secret: bytes, ids: Collection[str]
    ) -> None:
        self._project = project
        self._config = config
        self._name = name
        self._run = run
        self._secret = secret
        self._ids = ids

    # the agent of a task

    def take_plan(self, tasks: Collection[str]) -> None:
        """Set the tasks of the current plan."""
        self._ids = tasks

    def require_commands(self, tasks: Iterable[Task], plan: str) -> None:
        """Raise `EnvironmentProblem` (exit 8) if the command and agents of any task of `plan` cannot be found."""
        if found := self.nothing_to_run(tasks, plan):
            raise EnvironmentProblem(str(found), hint=found.hint)

    def nothing_to_run(self, tasks: Iterable[Task], plan: str) -> Problem | None:
        """A warning for the first task of `plan` that nothing can run, or None."""
        for task in tasks:
            if not task.gate and (problem := self._problem_of(self._config.runner_of(task)) or self._no_rung(task)):
                message = f"task {task.id} has nothing to run it: {problem}"
                hint = "give it a Command cell, pass --command 'LINE', or set `agent:` in nova.yaml"
                hint = settings_hint(self._config, self._config.runner_of(task).agents) or hint
                return Problem(task.file or plan, task.line, message, hint, warning=True)
        return None

    def require_prices(self, tasks: Iterable[Task], prices: Mapping[str, Price]) -> None:
        """Raise `EnvironmentProblem` (exit 8) if a budget cannot be kept because the price of a model is unknown."""
        if self._config.allow_unpriced:
            return
        found = unpriced(self._config, tasks, prices, lambda name: self._agent_problem(name) is None)
        if found:
            raise EnvironmentProblem(f"a budget cannot be kept: {'; '.join(found)}", hint=HINT)

    def _problem_of(self, runner: Runner) -> str | None:
        """Why the runner cannot run anything, or None."""
        if runner.line:
            return None
        if not runner.agents:
            return "no command and no agent is configured"
        problems = [self._agent_problem(name) for name in runner.agents]
        return None if None in problems else problems[0]

    def _no_rung(self, task: Task) -> str | None:
        problems = (self._agent_problem(rung.agent) for rung in rungs_of(task, self._config))
        return next((f"after a failure: {problem}" for problem in problems if problem), None)

    def _agent_problem(self, name: str) -> str | None:
        agent = agent_named(self._config, name)
        if agent is None:
            return f"agent {name!r} is not in `agents:` of nova.yaml, and Nova does not know it"
        program = program_of(name, agent)
        if _which(program, agent.env.get("PATH") or os.environ.get("PATH")):
            return None
        adapter = adapter_of(name, agent)
        install = f" (`{adapter.package}`)" if adapter else ""
        return f"agent {name!r}: {program!r} is not installed or not on PATH{install}"

    def agents_of(self, task: Task) -> tuple[str, ...]:
        """The agents that may run the task, in order of preference; empty for a command, or a task without work.

        An agent with accounts is there once with each.
        """
        return tuple(one for name in self._config.runner_of(task).agents for one in logins_of(self._config, name))

    def choose(self, task: Task, limits: Limits, last: str | None = None) -> str | None:
        """The agent to start now: the first that is installed and, with its model, not held; None if all are held.

        Of its accounts it is the `last` one, which knows the task's session, else the one that is used least. If none
        is installed it is the first, so that its own message says what is missing.
        """
        names = self._config.runner_of(task).agents
        for name in [name for name in names if self._agent_problem(name) is None] or names[:1]:
            logins = logins_of(self._config, name)
            free = [one for one in logins if not limits.is_held(one, self.model_of(task, one))]
            if last in free:
                return last
            if free:
                return min(free, key=limits.load) if len(free) > 1 else free[0]
        return None

    def assign(self, task: Task, limits: Limits, last: str | None = None) -> Assignment:
        """What runs the task now; if all agents are held, the preferred one."""
        names = self.agents_of(task)
        return self.assignment(task, (self.choose(task, limits, last) or names[0]) if names else None)

    def assignment(self, task: Task, agent: str | None) -> Assignment:
        """The assignment of the task to this agent; None for a command."""
        if agent is None:
            return Assignment(model=task.model)
        found = agent_named(self._config, agent)
        model = self.model_of(task, agent)
        parser = parser_of(agent, found) if found else "shell"
        reviewed = found is not None and _REVIEWED in (*found.command, *found.args)
        return Assignment(agent, self.provider(agent), model, parser, reviewed)

    def model_of(self, task: Task, name: str) -> str | None:
        """The model with which the agent does the task; None for the agent's own default."""
        return model_of(self._config, name, task)

    def provider(self, name: str) -> str:
        """The provider whose quota the agent uses."""
        agent = agent_named(self._config, name)
        return provider_of(name, agent) if agent else name

    def cap_of(self, task: Task) -> float | None:
        """The smallest cap for an attempt, in US dollars, among the agents that may run the task."""
        found = (agent_named(self._config, name) for name in self.agents_of(task))
        return min((agent.budget for agent in found if agent and agent.budget is not None), default=None)

    def settings(self, name: str) -> AgentConfig:
        """The agent's settings. Raises `EnvironmentProblem` for an unknown agent."""
        agent = agent_named(self._config, name)
        if agent is None:
            raise EnvironmentProblem(f"nothing to run it: {self._agent_problem(name)}")
        return agent

    def can_resume(self, agent: str | None) -> bool:
        """Returns True if the agent's command can continue a session."""
        found = agent_named(self._config, agent) if agent else None
        adapter = adapter_of(agent, found) if agent and found else None
        return bool(adapter and adapter.resume)

    def records_of(self, name: str, parser: str, session: str | None, since: float) -> Records | None:
        """The agent's own records of the session since `since` (seconds since the epoch)."""
        return find_records(parser, session, since, self._environment_of(name))

    def follow_records(self, name: str, parser: str, session: str | None, since: float) -> SessionRecords | None:
        """The same, to be read while the session runs."""
        return follow_records(parser, session, since, self._environment_of(name))

    def _environment_of(self, name: str) -> Mapping[str, str]:
        agent = agent_named(self._config, name)
        return {**self.base_environment(os.environ), **(agent.env if agent else {})}

    # processes

    def prompt(self, task: Task, briefing: Briefing, agent: str | None = None) -> str:
        """The prompt of the task's agent. Raises `EnvironmentProblem` if the template cannot be read."""
        settings = agent_named(self._config, agent) if agent else None
        by_tool = bool(settings and agent and self._server(agent, settings))
        return build_prompt(task, self._name, briefing, by_tool=by_tool, template=self._template())

    def _template(self) -> str:
        if self._config.prompt is None:
            return TEMPLATE
        try:
            path = self._project.root / self._config.prompt
            return read_inside(path, self._project.root, _MOST_TEMPLATE).decode("utf-8", "replace")
        except OSError as error:
            text = f"{self._config.prompt}: cannot read the template of prompts: {error.strerror}"
            raise EnvironmentProblem(text, hint="correct `prompt:` in nova.yaml, or remove it") from None

    def job(
        self, task: Task, attempt: int, log: str, *, agent: str | None = None, briefing: Briefing = NO_BRIEFING,
        session: Session | None = None, budget: float | None = None,
    ) -> Job:  # fmt: skip
        """The process of the attempt, which writes `log`. Raises `EnvironmentProblem` if nothing can run the task."""
        runner = self._config.runner_of(task)
        timeout = task.timeout if task.timeout is not None else self._config.timeout
        how, env = _NOT_AN_AGENT
        if not runner.line:
            if agent is None:
                raise EnvironmentProblem(f"nothing to run it: {self._problem_of(runner)}")
            how, env = self._agent_job(task, attempt, agent, briefing, session, budget)
        return Job(
            key=attempt_key(task.id, attempt),
            argv=how.argv,
            shell=runner.line or "",
            cwd=str(self._project.root),
            env=self._environment(task, attempt, env),
            log=log,
            timeout=timeout or 0.0,
            idle_timeout=self._config.idle_limit(agent=not runner.line),
            grace=self._config.grace,
            log_limit=self._config.log_limit,
            own_holder=not runner.line,
            stdin=how.stdin,
            interrupt=how.interrupt,
            terminal=has_terminal(self._config, task, agent),
        )

    def _agent_job(
        self, task: Task, attempt: int, name: str, briefing: Briefing, session: Session | None, budget: float | None
    ) -> tuple[Job, Mapping[str, str]]:
        agent = self.settings(name)
        prompt = resumed_prompt(briefing, cut_off=session.cut_off) if session else self.prompt(task, briefing, name)
        path = self._project.prompt_file(task.id, attempt)
        Disk().replace(path, prompt.encode("utf-8", "replace"), sync=False)
        model, server = model_of(self._config, name, task), self._server(name, agent)
        patience = None if os.environ.get("CI") else self._config.ask_timeout
        resumed = session.id if session else None
        request = AgentRequest(task, prompt, str(path), model, budget, resumed, server, patience)
        found = invoke(name, agent, request)
        stdin = str(path) if found.stdin else ""
        return Job(key="", argv=found.argv, stdin=stdin, interrupt=found.interrupt), found.env

    def _server(self, name: str, agent: AgentConfig) -> tuple[str, ...]:
        """The command of the reporting server, for an agent that can use it, if the server is installed."""
        adapter = adapter_of(name, agent)
        if not (adapter and adapter.mcp and agent.mcp and has_mcp()):
            return ()
        return sys.executable, "-m", "nova_core.mcp_server"

    def prepare(self, tasks: Iterable[Task], folder: str = "") -> None:
        """Add the reporting server to gemini's settings in the folder (the project's), if gemini will run a task."""
        names = {name for task in tasks for name in self.agents_of(task)}
        for name in names:
            agent = agent_named(self._config, name)
            adapter = adapter_of(name, agent) if agent else None
            if agent and adapter and adapter.mcp == "gemini" and (server := self._server(name, agent)):
                add_gemini_settings(Path(folder or self._project.root) / ".gemini", server)

    def check(self, task: Task, attempt: int, number: int, criterion: Criterion, repeat: int = 0) -> Job:
        """The process that proves criterion `number` (from 1); `repeat` counts from 0 how often it was begun before."""
        return Job(
            key=f"{task.id}@{attempt}+{number}" + (f".{repeat}" if repeat else ""),
            shell=criterion.command or "",
            cwd=str(self._project.root),
            env=self._environment(task, attempt, {}),
            log=check_log_name(task.id, number, self._ids),
            timeout=self._config.check_timeout or 0.0,
            grace=self._config.grace,
            log_limit=self._config.log_limit,
        )

    def _environment(self, task: Task, attempt: int, extra: Mapping[str, str]) -> dict[str, str]:
        return {
            **extra,
            "NOVA_TASK_ID": task.id,
            "NOVA_ATTEMPT": str(attempt),
            "NOVA_TOKEN": attempt_token(self._secret, self._run, task.id, attempt),
            "NOVA_CRITERIA": str(len(task.criteria)),
            **({"NOVA_OUTPUT_DIR": str(self._project.root / task.workspace)} if task.workspace else {}),
        }

    def base_environment(self, environ: Mapping[str, str]) -> dict[str, str]:
        """The environment that every worker of the run inherits."""
        kept = {k: v for k, v in environ.items() if k not in DROPPED and not k.startswith("NOVA_")}
        dropped = self._config.env.drop
        return {
            **{k: v for k, v in kept.items() if not any(fnmatchcase(k, pattern) for pattern in dropped)},
            "PATH": _with_nova(kept.get("PATH", os.defpath)),
            **self._config.env.set,
            "NOVA_RUN_ID": self._run,
            "NOVA_PROJECT_ROOT": str(self._project.root),
            "NOVA_INBOX": str(self._project.inbox_dir),
        }


@cache
def _which(program: str, path: str | None) -> str | None:
    return shutil.which(program, path=path)


def _with_nova(path: str) -> str:
    """The search path with this Nova at its end, so that a worker finds `nova report` however Nova was started."""
    return f"{path}{os.pathsep}{os.path.dirname(sys.executable)}"
