"""Key actions on tasks and on the run: each sends one command, after a confirmation if it cannot be undone."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import App
from textual.binding import Binding, BindingType

from nova_core.command import Command, CommandKind
from nova_core.model import is_safe_id
from nova_core.runs.words import Shown
from nova_core.watch.allowed import AT_WORK, FITS, OF_THE_RUN, OVER, is_allowed
from nova_core.watch.source import EngineState
from nova_tui import outside
from nova_tui.choice import QuitChoice
from nova_tui.refusals import COPIES, LOOKING, refusal
from nova_tui.rows import Finder
from nova_tui.screens.log import LogScreen
from nova_tui.screens.run_screen import RunScreen
from nova_tui.views.line import plain

if TYPE_CHECKING:
    from nova_core.watch.view_model import ViewModel

_OTHERS = {"full_log", "interrupt", "control", "only_looking"}
_NEEDS_TASK = {"copy_id", "copy_log", "pager"}


class RunActions(App[QuitChoice]):
    """The key actions of all screens; they apply to the task the front screen `acts_on`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "retry", "Retry", id="task.retry"),
        Binding("x", "cancel", "Cancel", id="task.cancel"),
        Binding("X", "kill", "Kill", show=False, id="task.kill"),
        Binding("s", "skip", "Skip", id="task.skip"),
        Binding("a", "approve", "Approve", id="task.approve"),
        Binding("R", "reject", "Reject", id="task.reject"),
        Binding("p", "pause", "Pause", id="run.pause"),
        Binding("p", "resume", "Resume", id="run.resume"),
        Binding("p", "go_on", "Continue", id="run.go_on"),
        Binding("C", "control", "Take control", id="run.control"),
        Binding("r,x,X,s,a,R,p,plus,minus", "only_looking", "", show=False, id="run.looking"),
        Binding("plus", "workers(1)", "More workers", show=False, id="run.more"),
        Binding("minus", "workers(-1)", "Fewer workers", show=False, id="run.fewer"),
        Binding("L", "full_log", "Log", id="view.log"),
        Binding("y", "copy_id", "Copy id", show=False, id="copy.id"),
        Binding("Y", "copy_log", "Copy log path", show=False, id="copy.log"),
        Binding("v", "pager", "Log in $PAGER", show=False, id="copy.pager"),
        Binding("ctrl+c", "interrupt", "Stop the run", show=False, priority=True, id="run.stop"),
    ]
    model: ViewModel
    main: RunScreen
    key_before = ""  # the key before the present one, if it may be held

    # available keys

    @property
    def front(self) -> RunScreen:
        """The topmost screen of the run, which may be behind a dialog."""
        return self.run_screens[-1]

    @property
    def run_screens(self) -> list[RunScreen]:
        """The screens of the run from the main screen, which stays also while the app ends, to the topmost one."""
        return [self.main, *(s for s in self.screen_stack[1:] if isinstance(s, RunScreen))]

    @property
    def finder(self) -> Finder:
        """The search for tasks."""
        raise NotImplementedError

    def go_to(self, task_id: str) -> None:
        """Show the task in the tree."""
        raise NotImplementedError

    @property
    def target(self) -> str | None:
        """The task that keys act on, also when the command palette is open; None if there is none."""
        found = self.front.acts_on
        return found if found in self.model.cascade.tasks else None

    def can(self, action: str) -> bool:
        """Returns True if the action is available now."""
        model, task_id = self.model, self.target
        if action == "full_log":
            return (task_id is not None or self.front.STANDS_FOR) and not isinstance(self.screen, LogScreen)
        if action in _NEEDS_TASK:
            return task_id is not None
        if action in FITS or action in OF_THE_RUN:
            return is_allowed(model, action, task_id)
        if action in ("control", "only_looking"):
            return model.source.read_only
        return True

    def on_key(self, event: events.Key) -> None:
        """Explain why a key for tasks does nothing here."""
        found = self.screen.active_bindings.get(event.key)
        if found is not None and not found.enabled and (said := refusal(self.model, found.binding.action, self.target)):
            self.notify(said, severity="warning", markup=False)

    # tasks

    def send(self, kind: CommandKind, *ids: str, text: str = "", kill: bool = False) -> None:
        """Send a command to the engine; its reply is shown as a toast."""
        self.model.source.send(Command(kind, ids, text=text, kill=kill))

    def action_retry(self) -> None:
        """Retry the task; ask first if it is done, as its result is discarded."""
        task_id = self.target
        if task_id is None or not self.can("retry"):
            return
        if self.model.shown(task_id) is not Shown.COMPLETED:
            self.send(CommandKind.RETRY, task_id)
        elif fed := self._fed(task_id):
            self._ask_rerun(task_id, fed)
        else:
            self._confirm(f"Run {self._label(task_id)} again?", "it is already done", CommandKind.RETRY, task_id)

    def _fed(self, task_id: str) -> list[str]:
        """The ended tasks that depend on the task, directly or not, in plan order."""
        dag = self.model.cascade.dag
        below = dag.descendants([task_id])
        return [i for i in dag.ids if i in below and self.model.shown(i) in OVER]

    def _ask_rerun(self, task_id: str, fed: list[str]) -> None:
        from nova_tui.screens.rerun import RerunScreen

        def answer(downstream: bool | None) -> None:
            if downstream is not None:
                self.model.source.send(Command(CommandKind.RETRY, (task_id,), downstream=downstream))

        self.push_screen(RerunScreen(task_id, self.model.cascade.tasks[task_id].name, fed), answer)

    def action_cancel(self) -> None:
        """Stop the worker, with a grace period."""
        self._end(kill=False)

    def action_kill(self) -> None:
        """Kill the worker at once."""
        self._end(kill=True)

    def _end(self, *, kill: bool) -> None:
        task_id = self.target
        if task_id is None or not self.can("kill" if kill else "cancel"):
            return
        state, how = self.model.task(task_id), "killed at once" if kill else "stopped, then killed"
        worker = f"its worker (pid {state.pid}) and all its processes are {how}" if state.pid else "it will not run"
        question = f"{'Kill' if kill else 'Cancel'} {self._label(task_id)}?"
        self._confirm(question, worker, CommandKind.CANCEL, task_id, kill=kill)

    def action_skip(self) -> None:
        """Mark the task as done without running it."""
        task_id = self.target
        if task_id is not None and self.can("skip"):
            dag = self.model.cascade.dag
            below = [dag.ids[i] for i in dag.dependents[dag.index[task_id]]]
            freed = f"{', '.join(map(plain, below[:6]))} may then start" if below else "nothing depends on it"
            self._confirm(f"Skip {self._label(task_id)}?", f"it counts as done; {freed}", CommandKind.SKIP, task_id)

    def action_approve(self) -> None:
        """Accept the work of the task."""
        if (task_id := self.target) is not None and self.can("approve"):
            self.send(CommandKind.APPROVE, task_id)

    def action_reject(self) -> None:
        """Reject the work of the task, with a reason."""
        task_id = self.target
        if task_id is None or not self.can("reject"):
            return
        from nova_tui.screens.ask import AskScreen

        def answer(reason: str | None) -> None:
            if reason is not None:
                self.send(CommandKind.REJECT, task_id, text=reason)

        self.push_screen(AskScreen(f"Why is {self._label(task_id)} rejected?", hint="optional"), answer)

    def _confirm(self, question: str, told: str, kind: CommandKind, task_id: str, *, kill: bool = False) -> None:
        from nova_tui.screens.confirm import ConfirmScreen

        def answer(yes: bool | None) -> None:
            if yes:
                self.send(kind, task_id, kill=kill)

        self.push_screen(ConfirmScreen(question, [told]), answer)

    def _label(self, task_id: str) -> str:
        return plain(f"{task_id} {self.model.cascade.tasks[task_id].name}")

    # the run

    def action_control(self) -> None:
        """Take control."""
        self.model.source.read_only = False
        self.refresh_bindings()
        self.notify("in control: keys now act on this run", markup=False)

    def action_only_looking(self) -> None:
        """Explain how to take control when a key acts in a read-only view."""
        self.notify(LOOKING, markup=False)

    def action_pause(self) -> None:
        """Start no new tasks."""
        self.send(CommandKind.PAUSE)

    def action_resume(self) -> None:
        """Start tasks again."""
        self.send(CommandKind.RESUME)

    def action_go_on(self) -> None:
        """Run the remaining tasks."""
        self.model.source.go_on()

    def action_workers(self, step: int) -> None:
        """Add or remove one worker; a viewer, which does not know the number of workers, asks for it."""
        jobs = self.model.source.jobs
        if jobs:
            self.send(CommandKind.JOBS, text=str(max(1, jobs + step)))
            return
        from nova_tui.screens.ask import AskScreen

        def answer(text: str | None) -> None:
            if text:
                self.send(CommandKind.JOBS, text=text.strip())

        self.push_screen(AskScreen("How many workers?", check=_is_count), answer)

    def action_interrupt(self) -> None:
        """Ask what to do with the workers. Repeats of the key, as a terminal sends while it is held, do nothing."""
        source = self.model.source
        if source.engine is EngineState.RUNNING and not source.read_only:
            self.ask_to_leave()
            return
        here = "quits" if self.screen is self.screen_stack[0] else "goes back"
        self.notify(f"no task is running here: q {here}", markup=False)

    def ask_to_leave(self) -> None:
        """Ask whether to leave the workers, to stop or to kill them, unless the question is open."""
        from nova_tui.screens.quit import QuitScreen

        if not isinstance(self.screen, QuitScreen):
            self.push_screen(QuitScreen(self._still_running, self.key_before), self._leave)

    def _still_running(self) -> list[str] | None:
        """The running tasks, by id and name; None if the run is over."""
        return self.at_work() if self.model.source.engine is EngineState.RUNNING else None

    def _leave(self, choice: QuitChoice | None) -> None:
        """Leave; stop a run of another process, and stay to watch it."""
        if choice in (QuitChoice.STOP, QuitChoice.KILL) and not self.model.source.owns_engine:
            self.send(CommandKind.STOP, kill=choice is QuitChoice.KILL)
            self.model.stopping = True
        elif choice is not None:
            self.exit(choice)

    def at_work(self) -> list[str]:
        """The running tasks, by id and name."""
        tasks = self.model.cascade.tasks.items()
        return [plain(f"{i} ({task.name})") for i, task in tasks if self.model.shown(i) in AT_WORK]

    # logs and copying

    def action_full_log(self) -> None:
        """Open the task's log full screen; on a branch, the log of its representative task."""
        task_id = self.front.look_at() if self.front.STANDS_FOR else self.target
        if task_id is not None and is_safe_id(task_id):
            self.push_screen(LogScreen(self.model, task_id))

    def action_copy_id(self) -> None:
        """Copy the task's id to the clipboard."""
        self._copy(self.target or "", "the id ")

    def action_copy_log(self) -> None:
        """Copy the path of the task's log to the clipboard."""
        if (task_id := self.target) is not None and is_safe_id(task_id):
            self._copy(str(self.model.source.project.latest_log(task_id).absolute()), "the path ")

    def on_text_selected(self) -> None:
        """Copy what the mouse has selected: no key would copy it everywhere."""
        if self.screen_stack and (selected := self.screen.get_selected_text()):
            self._copy(selected)

    def _copy(self, text: str, what: str = "") -> None:
        file = self.model.source.project.nova_dir / "clipboard.txt"
        self.notify(outside.copy(self, text, file, what), markup=False)

    def action_pager(self) -> None:
        """Open the task's log in `$PAGER`."""
        task_id = self.target
        if task_id is None or not is_safe_id(task_id):
            return
        path = self.model.source.project.latest_log(task_id)
        problem = outside.open_in_pager(self, path) if path.is_file() else "no log yet"
        if problem:
            self.notify(problem, severity="warning", markup=False)

    def _on_tasks(self) -> bool:
        """Returns True if keys for tasks can work on this screen."""
        return not self.model.source.read_only and (self.target is not None or self.front.STANDS_FOR)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """True if the key works now, False to hide it, None if it applies only to other tasks."""
        if action in COPIES and hasattr(self, "model") and not self.can(action) and self.front.STANDS_FOR:
            return None
        if action in FITS and hasattr(self, "model") and not self.can(action) and self._on_tasks():
            return None
        known = any(action in group for group in (FITS, OF_THE_RUN, _NEEDS_TASK, _OTHERS))
        return self.can(action) if known and hasattr(self, "model") else super().check_action(action, parameters)


def _is_count(text: str) -> str:
    return "" if text.strip().isdecimal() and int(text) > 0 else "a number above zero"
