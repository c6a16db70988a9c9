"""Opens and closes the interface: the engine's guarantees hold however the screen ends."""

from __future__ import annotations

import os
import signal

import msgspec

from nova_core.cli.failures import crash, show_error
from nova_core.cli.output import note
from nova_core.cli.request import RunRequest
from nova_core.config import Config
from nova_core.console.terminal import Wishes, is_ignored
from nova_core.errors import NovaError, RunLockedError, StateError
from nova_core.files.project import Project
from nova_core.orchestrator import Orchestrator
from nova_core.places import plan_name
from nova_core.runs.words import go_on_line
from nova_core.state.manager import StateManager
from nova_core.state.schema import TaskState, TaskStatus
from nova_core.text import clean, first_of
from nova_core.watch.attached import AttachedSource
from nova_core.watch.live import LiveSource
from nova_core.watch.source import EngineState
from nova_tui.choice import Look, QuitChoice
from nova_tui.start import Ended, show

_SHOWN = 8  # tasks listed while their workers stop


class Engines:
    """Creates the engines of one run: the first as requested, later ones to continue it."""

    def __init__(self, request: RunRequest) -> None:
        self._request = request

    def __call__(self) -> Orchestrator:
        engine = self._request.engine()
        self._request = self._request.again()
        try:
            engine.require_commands()  # report a missing command before the screen opens
        except BaseException:
            engine.close()
            raise
        return engine

    def settle(self, uncommitted: str) -> None:
        """Let later engines treat the user's uncommitted files in another way."""
        config = self._request.config
        git = msgspec.structs.replace(config.git, uncommitted=uncommitted)
        self._request = msgspec.structs.replace(self._request, config=msgspec.structs.replace(config, git=git))


def run_interface(request: RunRequest, *, ascii_only: bool, theme: str | None) -> int:
    """Run the plan in the interface; returns the exit code. Raises `NovaError` before the screen opens."""
    try:
        engines = Engines(request)
        source = LiveSource(engines, engines.settle)
    except RunLockedError:
        if not goes_on_elsewhere(request):
            raise
        said = joined(request)
        return run_attached(
            request.project, request.config, control=True, ascii_only=ascii_only, theme=theme, said=said
        )
    try:
        ended = show(source, Look(ascii=ascii_only, theme=theme))
        return leave(source, ended, request)
    finally:
        source.close()


def goes_on_elsewhere(request: RunRequest) -> bool:
    """Returns True if the running engine runs this plan and no restart was requested."""
    try:
        runs = StateManager(request.project.state_file).load().project.cascade_file
    except (OSError, StateError):
        return False
    same = plan_name(request.project.root, request.project.root / runs) == plan_name(request.project.root, request.plan)
    return same and not request.fresh and not request.rerun_changed


def joined(request: RunRequest) -> str:
    """The message if the requested run is already running."""
    unused = " ".join(request.arguments[2:-2])
    said = "this run is already running: keys act on it, leaving changes nothing"
    return f"{said}; not used: {unused}" if unused else said


def run_attached(
    project: Project, config: Config, *, control: bool, ascii_only: bool, theme: str | None, said: str = ""
) -> int:
    """Watch a run; `said` is the first notice; returns the exit code. Raises `NovaError` before the screen
    opens."""
    source = AttachedSource(project, config, control=control)
    if said:
        source.say(said)
    ended = show(source, Look(ascii=ascii_only, theme=theme))
    source.close()
    keep_quiet_if_gone()
    if ended.failure is not None:
        return crash(ended.failure)
    if ended.signal is not None:
        return 128 + ended.signal
    if source.engine is EngineState.RUNNING:
        note("the run continues (return with: nova attach --control)")
    elif any(is_open(task) for task in source.tasks.values()):
        note(f"no engine running (continue with: {clean(go_on_line(source.project_state.cascade_file))}")
    return 0


def is_open(task: TaskState) -> bool:
    """Returns True if an engine could still act on the task."""
    return task.is_running or (task.status is TaskStatus.PENDING and not task.is_blocked)


def leave(source: LiveSource, ended: Ended, request: RunRequest) -> int:
    """Carry out the choice made on leaving, report it, and return the exit code."""
    keep_quiet_if_gone()
    if ended.failure is not None:
        source.detach()
        code = crash(ended.failure)
        if running(source):
            note("hint: take the running workers over with nova run")
        return code
    if source.engine is EngineState.RUNNING and ended.choice is QuitChoice.LEAVE:
        return hand_over(source, request)
    if source.engine is EngineState.RUNNING and ended.choice is None and ended.signal in (None, signal.SIGHUP):
        hand_over(source, request)
        return 128 + signal.SIGHUP
    signals = [ended.signal] if ended.signal else []
    if source.engine is EngineState.RUNNING:
        end_workers(source, signals, kill=ended.choice is QuitChoice.KILL)
    if source.failure is not None:
        return tell(source.failure)
    return finish(source, request, signals or ([signal.SIGINT] if source.stopped else []))


def keep_quiet_if_gone() -> None:
    """Discard the remaining output if the terminal is closed (EIO)."""
    for number in (1, 2):
        if not os.isatty(number):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, number)
            os.close(nowhere)


def tell(failure: Exception) -> int:
    """Report why the engine ended before the run was over; returns the exit code."""
    return show_error(failure) if isinstance(failure, NovaError) else crash(failure)


def running(source: LiveSource) -> list[str]:
    """The tasks that have a worker."""
    return [i for i, task in source.tasks.items() if task.has_worker]


def hand_over(source: LiveSource, request: RunRequest) -> int:
    """Hand the running workers to an engine in the background; returns the exit code."""
    from nova_core.cli.detach import start_detached

    jobs = source.jobs
    source.detach()
    if source.engine is EngineState.RUNNING:
        note("nova: the engine did not hand over within 10 seconds; it ends with this program, the workers continue")
        note("hint: take them over with nova run")
        return 8
    return start_detached(request.project, request.take_over(jobs))


def end_workers(source: LiveSource, signals: list[int], *, kill: bool = False) -> None:
    """Stop the engine and wait for it, listing stopping tasks; another signal or Ctrl-C kills the workers.

    A Ctrl-C that follows at once is the same wish: terminals repeat a key that is held.
    """
    wishes = Wishes()

    def handle(number: int, frame: object) -> None:
        if wishes.is_new(number):
            signals.append(number)
            source.stop(kill=True)

    for number in (signal.SIGINT, signal.SIGTERM):
        if not is_ignored(number):
            signal.signal(number, handle)
    source.stop(kill=kill)
    said: list[str] = []
    while not source.join(0.2):
        left = running(source)
        if left and left != said:
            said = left
            note(f"stopping {first_of(left, _SHOWN)} (ctrl+c kills)")


def finish(source: LiveSource, request: RunRequest, signals: list[int]) -> int:
    """Print the summary of `nova run`; returns the exit code, of the signal if a signal ended the run."""
    from nova_core.cli.ending import finish as summarize

    result = source.result
    if result is None:  # the run never started
        return 128 + signals[0] if signals else 4
    if signals and result.exit_code:
        result = msgspec.structs.replace(result, exit_code=128 + signals[0])
    summarize(source.snapshot(), result, request, as_json=False)
    return result.exit_code
