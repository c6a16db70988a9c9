"""What opening a run needs: options, host, folders, lock, archive of the old run, limits."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import msgspec

from nova_core.clock import Clock, iso
from nova_core.config import Config
from nova_core.errors import EnvironmentProblem, RunLockedError
from nova_core.executors.base import Ended, Executor, Started
from nova_core.files.disk import Disk
from nova_core.files.lock import RunLock
from nova_core.files.project import Project, make_dir
from nova_core.parser import Cascade
from nova_core.places import Origin, choose_place, place_of, plan_name, settle
from nova_core.plan.phases import phase_named
from nova_core.plan.scheduler import Limits
from nova_core.plan.selection import Selection
from nova_core.state.store import Store

if TYPE_CHECKING:  # most runs have no trees
    from nova_core.engine.trees.library import Gits

_UNKNOWN = 2.0  # seconds to wait for a running engine to say which plan it runs
_PAUSE = 0.02

MakeExecutor = Callable[[Project, str, Mapping[str, str]], Executor]


def local_executor(project: Project, run_id: str, environment: Mapping[str, str]) -> Executor:
    """Returns the executor that runs jobs on this machine."""
    from nova_core.executors.local import LocalExecutor

    return LocalExecutor(
        project.nova_dir, project.log_dir, run_id=run_id, base_env=environment, cwd=project.root,
        places=tuple(filter(None, (project.place_id, project.former_id))),
    )  # fmt: skip


class RunOptions(msgspec.Struct, frozen=True):
    """Which tasks to run, whether to start over (`fresh`), and which done tasks run again.

    Those whose outputs are gone do, unless `renew` is False; with `rerun_changed`, all stale tasks do. A run that is
    paused while it runs waits for somebody to resume it; unless `attended`, it ends instead.
    """

    selection: Selection = Selection()
    fresh: bool = False
    rerun_changed: bool = False
    attended: bool = True
    renew: bool = True


class Host(msgspec.Struct, frozen=True):
    """What an engine needs of its host: clock, disk, and a factory (project, run id, environment) of executors.

    `gits` is how it looks at repositories, None for the usual way. With `background` another thread writes to the disk
    while the engine works; without, the engine waits.
    """

    clock: Clock = msgspec.field(default_factory=Clock)
    disk: Disk = msgspec.field(default_factory=Disk)
    make_executor: MakeExecutor = local_executor
    background: bool = True
    gits: Gits | None = None


def take_place(project: Project, plan: str, latest: Cascade, disk: Disk) -> tuple[Project, RunLock, Origin | None]:
    """Lock the place of a plan in a project, and create its folders; also returns what `settle` found.

    A project with a key is the place itself. Raises `RunLockedError` if another engine runs the plan, or
    `EnvironmentProblem` for a folder that cannot be used.
    """
    name = plan_name(project.root, plan)

    def place() -> Project:
        return project if project.key else choose_place(project.root, plan, lambda: latest)

    deadline = time.monotonic() + _UNKNOWN
    try:
        while True:
            chosen = place()
            try:
                chosen.make_dirs()
                lock = RunLock(chosen.lock_file, also=[name])
            except RunLockedError:
                owner = place_of(chosen)
                if place().key == chosen.key and (owner or time.monotonic() > deadline):
                    raise
                time.sleep(_PAUSE)  # another plan has just taken this place, or its engine has just lost its files
                continue
            try:
                if place().key == chosen.key:
                    return chosen, lock, settle(chosen, name, disk)
            except BaseException:
                lock.close()
                raise
            lock.close()
    except OSError as error:
        raise EnvironmentProblem(
            f"cannot write {error.filename or project.root}: {error.strerror}",
            hint="check its owner and permissions, and that the disk is not full",
        ) from None


def put_aside(project: Project, now: float, make_executor: MakeExecutor, grace: float) -> None:
    """Move the plan's old run (state, logs, history) to `old/<time>/` of its place: nothing is deleted.

    Workers that survived a crash are ended first: they would run beside the new ones.
    """
    _end_old_workers(project, make_executor, grace)
    make_dir(project.old_dir)
    stamp = iso(now)[:19].replace(":", "")
    names = (stamp if not n else f"{stamp}.{n}" for n in range(1000))
    folder = next(path for path in map(project.old_dir.joinpath, names) if not path.exists())
    folder.mkdir(mode=0o700)
    for path in (project.state_file, project.log_dir, *project.nova_dir.glob("nova.db*")):
        if path.exists():
            path.rename(folder / path.name)
    project.make_dirs()


def _end_old_workers(project: Project, make_executor: MakeExecutor, grace: float) -> None:
    attempts = project.nova_dir / "attempts"
    if not attempts.is_dir() or not any(attempts.iterdir()):
        return
    executor = make_executor(project, "", {})
    found = executor.recover()
    alive = {report.key for report in found if isinstance(report, Started)}
    for key in alive:
        executor.cancel(key, grace)
    while alive:
        alive -= {report.key for report in executor.wait(None) if isinstance(report, Ended)}
    executor.release([report.key for report in found])
    executor.close()


def limits_of(config: Config, cascade: Cascade) -> Limits:
    """Returns the limits of a run: those of the settings, or what the machine has."""
    phases = ((phase_named(name, cascade.branches), phase) for name, phase in config.phases.items())
    branches = {name: phase.max_parallel for name, phase in phases if name and phase.max_parallel}
    cores = float(os.cpu_count() or 1)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limits = config.limits
    return Limits({**branches, **limits.branches}, limits.groups, limits.cpu or cores, limits.memory or memory)


def require_disk(store: Store, done: bool) -> None:
    """Raise `EnvironmentProblem` unless the state is on disk."""
    if not done:
        gone = "No such file" in str(store.disk_error)
        hint = "the project's folder was deleted" if gone else "free some space, or make the folder writable"
        raise EnvironmentProblem(f"cannot write the state: {store.disk_error}", hint=hint)
