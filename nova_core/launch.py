"""From a task to the process that does it: which command, with which words and environment."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Collection, Iterable, Mapping
from fnmatch import fnmatchcase

from nova_core.config import AgentConfig, Config, render_command
from nova_core.errors import EnvironmentProblem
from nova_core.executors.base import Job
from nova_core.inbox import attempt_token
from nova_core.model import Criterion, Task
from nova_core.project import Project, check_log_name, log_name
from nova_core.prompt import build_prompt

# What a git hook leaves in the environment would point a worker's git at the hook's repository (githooks(5)).
_DROPPED = {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR"}


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

    def require_commands(self, tasks: Iterable[Task], plan: str) -> None:
        """Raise `EnvironmentProblem` (exit 8) unless every task of `plan` has something to run it that can be found."""
        missing: dict[str, Task] = {}
        for task in tasks:
            if not task.command and not self._config.command:
                problem = self._agent_problem(task)
                if problem:
                    missing.setdefault(problem, task)
        if missing:
            problem, task = next(iter(missing.items()))
            raise EnvironmentProblem(
                f"{plan}:{task.line}: task {task.id} has nothing to run it: {problem}",
                hint="give it a Command cell, pass --command 'LINE', or set `agent:` and `agents:` in nova.yaml",
            )

    def _agent_problem(self, task: Task) -> str | None:
        name = self._agent_name(task)
        if name is None:
            return "no command and no agent is configured"
        agent = self._config.agents.get(name)
        if agent is None:
            return f"agent {name!r} is not among `agents:` in nova.yaml"
        program = agent.command[0]
        path = {**agent.env}.get("PATH")
        return (
            None if shutil.which(program, path=path) else f"agent {name!r}: {program!r} is not installed or not on PATH"
        )

    def _agent_name(self, task: Task) -> str | None:
        """The task's own agent, else the first configured one that is installed, else the first."""
        if task.agent:
            return task.agent
        agents = self._config.agents
        usable = (name for name in self._config.agent if name in agents and shutil.which(agents[name].command[0]))
        return next(usable, next(iter(self._config.agent), None))

    def model_of(self, task: Task) -> str | None:
        """The model that will be billed for the task, if it is known."""
        if task.model or task.command or self._config.command:
            return task.model
        agent = self._config.agents.get(self._agent_name(task) or "")
        return agent.model if agent else None

    def job(self, task: Task, attempt: int) -> Job:
        """The attempt's own process. Raises `EnvironmentProblem` for a task that nothing can run."""
        line = task.command or self._config.command
        agent = None if line else self._agent_of(task)
        timeout = task.timeout if task.timeout is not None else self._config.timeout
        return Job(
            key=f"{task.id}@{attempt}",
            argv=self._argv(agent, task) if agent else (),
            shell=line or "",
            cwd=str(self._project.root),
            env=self._environment(task, attempt, agent.env if agent else {}),
            log=log_name(task.id),
            timeout=timeout or 0.0,
            idle_timeout=self._config.idle_timeout or 0.0,
            grace=self._config.grace,
            log_limit=self._config.log_limit,
            own_holder=agent is not None,
        )

    def _agent_of(self, task: Task) -> AgentConfig:
        """Not every task passed `require_commands`: one that was skipped, say, can still be retried."""
        name = self._agent_name(task)
        if name is None or name not in self._config.agents:
            raise EnvironmentProblem(f"nothing to run it: {self._agent_problem(task)}")
        return self._config.agents[name]

    def _argv(self, agent: AgentConfig, task: Task) -> tuple[str, ...]:
        return render_command(agent, task, build_prompt(task, self._name), task.model or agent.model or "")

    def check(self, task: Task, attempt: int, number: int, criterion: Criterion) -> Job:
        """The process that proves criterion `number` (from 1)."""
        return Job(
            key=f"{task.id}@{attempt}+{number}",
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
        }

    def base_environment(self, environ: Mapping[str, str]) -> dict[str, str]:
        """What every worker of the run inherits."""
        kept = {k: v for k, v in environ.items() if k not in _DROPPED and not k.startswith("NOVA_")}
        dropped = self._config.env.drop
        return {
            **{k: v for k, v in kept.items() if not any(fnmatchcase(k, pattern) for pattern in dropped)},
            "PATH": _with_nova(kept.get("PATH", os.defpath)),
            **self._config.env.set,
            "NOVA_RUN_ID": self._run,
            "NOVA_PROJECT_ROOT": str(self._project.root),
            "NOVA_INBOX": str(self._project.inbox_dir),
        }


def _with_nova(path: str) -> str:
    """The search path with this Nova at its end, so that a worker finds `nova report` however Nova was started."""
    return f"{path}{os.pathsep}{os.path.dirname(sys.executable)}"
