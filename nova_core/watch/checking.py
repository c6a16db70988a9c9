"""The checks that a merge made by hand must pass, as one of the engine's must: outputs, criteria, the project's own."""

from __future__ import annotations

import os
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from nova_core.files.outputs import check_outputs
from nova_core.files.project import step_log_name
from nova_core.isolation.needs import outputs_of
from nova_core.isolation.program import Result, run_program
from nova_core.isolation.repository import Repository
from nova_core.isolation.values import GitFailed, Needs

if TYPE_CHECKING:
    from nova_core.config import Config
    from nova_core.files.project import Project
    from nova_core.parser.cascade import Cascade

_NO_LIMIT = 86_400.0  # seconds
_STEP = "merge"


class ByHand:
    """Sets a tree up for a person, and runs the checks of its task there."""

    def __init__(self, project: Project, cascade: Cascade, task_id: str, config: Config) -> None:
        self._project, self._config = project, config
        self._task, self._ids = cascade.tasks[task_id], cascade.tasks
        above = cascade.dag.ancestors((task_id,))
        outputs = outputs_of(cascade.tasks[i] for i in above)
        self.outputs = outputs_of([self._task])
        self.needs = Needs(config.git.copy, config.git.link, outputs)

    @property
    def _log(self) -> str:
        return f"{self._project.logs}/{step_log_name(self._task.id, _STEP, self._ids)}"

    def set_up(self, folder: str) -> None:
        """Run the project's own command for new trees. Raises `GitFailed` if it fails."""
        if self._config.git.setup and (why := self._run(folder, self._config.git.setup)):
            raise GitFailed(f"the tree could not be set up: {why}")

    def failed(self, folder: str, repository: Repository) -> str:
        """Which check does not hold in the folder, or an empty text. Outputs that git ignores are not asked for."""
        names = [os.fsencode(os.path.normpath(os.path.join(repository.place.prefix, o))) for o in self._task.outputs]
        ignored = repository.ignored(names, repository.place.tree(self._task.id)) if names else ()
        wanted = [path for path, name in zip(self._task.outputs, names, strict=True) if name not in ignored]
        if not self._task.workspace and (problems := check_outputs(wanted, folder)):
            return "; ".join(problems)
        lines = [(one.text, one.command) for one in self._task.criteria if one.command]
        if self._config.git.check:
            lines.append((self._config.git.check, self._config.git.check))
        for text, line in lines:
            if why := self._run(folder, line):
                return f"not met: {text} ({why})"
        return ""

    def _run(self, folder: str, line: str) -> str:
        """Run a line in the folder; what it prints is its log's. Returns why it failed, or an empty text."""
        limit = self._config.check_timeout or _NO_LIMIT
        try:
            done = run_program(["/bin/sh", "-c", line], folder, self._environment(folder), limit=limit)
        except GitFailed:
            return f"still running after {limit:.0f} s; stopped"
        path = self._project.root / self._log
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_printed(done))
        return f"exit code {done.code}; {self._log}" if done.code else ""

    def _environment(self, folder: str) -> dict[str, str]:
        env = self._config.env
        mine = {key: text for key, text in os.environ.items() if not key.startswith(("NOVA_", "GIT_"))}
        kept = {key: text for key, text in mine.items() if not any(fnmatchcase(key, one) for one in env.drop)}
        more = {"NOVA_OUTPUT_DIR": f"{folder}/{self._task.workspace}"} if self._task.workspace else {}
        own = {"NOVA_TASK_ID": self._task.id, "NOVA_PROJECT_ROOT": folder, "PWD": folder}
        return {**kept, **env.set, **own, **more}


def _printed(done: Result) -> bytes:
    return done.out + done.error.encode("utf-8", "replace")
