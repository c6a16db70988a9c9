"""A requested run, from which the console and the interface create its engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from nova_core.config import Config
from nova_core.files.project import Project
from nova_core.plan.selection import Selection

if TYPE_CHECKING:
    import typer

    from nova_core.orchestrator import Orchestrator

NOT_PASSED = {
    "background",
    "detach",
    "directory",
    "ui",
    "ascii_only",
    "theme",
}  # not needed by an engine without an interface


class RunRequest(msgspec.Struct, frozen=True):
    """A run: `arguments` are its command line for an engine without an interface; `junit`, `summary` and `trace` are
    paths of files to write when it ends. `attended` says that somebody can resume it while it is paused."""

    plan: str
    project: Project
    config: Config
    selection: Selection = Selection()
    fresh: bool = False
    rerun_changed: bool = False
    junit: str | None = None
    summary: str | None = None
    trace: str | None = None
    attended: bool = True
    arguments: tuple[str, ...] = ()

    def engine(self) -> Orchestrator:
        """A new engine that holds the run lock. Raises `UsageError` inside a task, and the errors of `Orchestrator`."""
        from nova_core.engine.startup import RunOptions
        from nova_core.files.own_task import require_person
        from nova_core.orchestrator import Orchestrator
        from nova_core.threads import share_heap

        require_person(self.project)
        share_heap()
        return Orchestrator(
            self.plan, self.project.state_file, self.config.jobs, config=self.config,
            options=RunOptions(self.selection, self.fresh, self.rerun_changed, self.attended),
        )  # fmt: skip

    def again(self) -> RunRequest:
        """The same run, to be continued: `--fresh` does not apply twice."""
        return msgspec.structs.replace(self, fresh=False, rerun_changed=False)

    def take_over(self, jobs: int) -> tuple[str, ...]:
        """The command line of the engine that continues this run with `jobs` workers."""
        once = ("--fresh", "--rerun-changed", "--jobs=")
        kept = [word for word in self.arguments[2:] if not word.startswith(once)]
        return (*self.arguments[:2], f"--jobs={jobs}", *kept)


def headless_arguments(context: typer.Context) -> tuple[str, ...]:
    """The command line of this run for an engine without an interface, started inside the directory."""
    words = ["run", "--no-ui"]
    plan = []
    for parameter in context.command.params:
        value = context.params.get(parameter.name or "")
        if parameter.name in NOT_PASSED or value is None or value is False:
            continue
        if parameter.param_type_name == "argument":
            plan = ["--", str(value)]
        else:
            option = max(parameter.opts, key=len)
            values = value if isinstance(value, list | tuple) else [value]
            words += [option if one is True else f"{option}={one}" for one in values]
    return (*words, *plan)
