"""Key actions on tasks and on the run: each sends one command, after a confirmation if it cannot be undone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.binding import Binding, BindingType

from nova_core.command import Command, CommandKind
from nova_core.model import is_safe_id
from nova_core.runs.merging import diff_of
from nova_core.runs.words import AT_WORK, Shown
from nova_core.watch.allowed import FITS, OF_THE_RUN, OVER, is_allowed, why_not_type
from nova_core.watch.source import EngineState
from nova_tui import many
from nova_tui.choice import QuitChoice
from nova_tui.refusals import COPIES, LOOKING, refusal
from nova_tui.screens.log import LogScreen
from nova_tui.task_finding import TaskFinding
from nova_tui.views.line import plain

if TYPE_CHECKING:
    pass

_OTHERS = {"full_log", "copy_lines", "two_logs", "interrupt", "control", "only_looking"}
_NEEDS_TASK = {"diff", "copy_id", "copy_log", "copy_error", "pager"}


class RunActions(TaskFinding):
    """The key actions of all screens; they apply to the task the front screen `acts_on`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "retry", "Retry", id="task.retry"),
        Binding("x", "cancel", "Cancel", id="task.cancel"),
        Binding("X", "kill", "Kill", show=False, id="task.kill"),
        Binding("s", "skip", "Skip", id="task.skip"),
        Binding("a", "approve", "Approve", id="task.approve"),
        Binding("R", "reject", "Reject", id="task.reject"),
        Binding("i", "type_into", "Type", id="task.type"),
        Binding("D", "diff", "Diff", show=False, id="view.diff"),
        Binding("p", "pause", "Pause", id="run.pause"),
        Binding("p", "resume", "Resume", id="run.resume"),
        Binding("p", "go_on", "Continue", id="run.go_on"),
        Binding("C", "control", "Take control", id="run.control"),
        Binding("r,x,X,s,a,R,i,p,plus,minus", "only_looking", "", show=False, id="run.looking"),
        Binding("plus", "workers(1)", "More workers", show=False, id="run.more"),
        Binding("minus", "workers(-1)", "Fewer workers", show=False, id="run.fewer"),
        Binding("ctrl+c", "interrupt", "Stop the run", show=False, priority=True, id="run.stop"),
    ]
    # available keys

    def can(self, action: str) -> bool:
        """Returns True if the action is available now."""
        model, task_id = self.model, self.target
        if action in ("full_log", "copy_lines", "two_logs"):
            return (task_id is not None or self.front.STANDS_FOR) and not isinstance(self.screen, LogScreen)
        if action in _NEEDS_TASK:
            return task_id is not None
        if action in FITS:
            return is_allowed(model, action, task_id) or bool(self._many(action))
        if action == "type_into":
            return task_id is not None and not why_not_type(model, task_id)
        if action in OF_THE_RUN:
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
        """Send a command to the engine; its reply is shown as an answer."""
        self.model.source.send(Command(kind, ids, text=text, kill=kill))

    def _many(self, action: str) -> list[str]:
        """The tasks that the action applies to together, on a branch or with a filter; empty if it is for one task."""
        ids, _ = self.front.scope()
        found = many.fitting(self.model, action, ids)
        return found if self.target is None or len(found) > 1 else []

    def _acts_on_many(self, action: str, kind: CommandKind, *, kill: bool = False) -> bool:
        """Ask about many tasks, if the action is for many; False if it is for one."""
        found, target = self._many(action), self.target
        if not found:
            return False
        from nova_tui.screens.many import ManyScreen

        one = target if target is not None and is_allowed(self.model, action, target) else None

        def answer(word: str | None) -> None:
            if word:
                self.send(kind, *(found if word == "all" or one is None else [one]), kill=kill)

        said = many.question(self.model, action, found, self.front.scope()[1])
        labels = [self._label(i) for i in found]
        self.push_screen(ManyScreen(said, many.consequence(action), labels, plain(one)), answer)
        return True

    def action_diff(self) -> None:
        """Show what the task changed."""
        task_id = self.target
        if task_id is None or task_id not in self.model.cascade.tasks:
            return
        from nova_tui.screens.diff import DiffScreen

        if diff_of(task_id, self.model.task(task_id), self.model.source.run.git) is None:
            self.notify(f"{plain(task_id)} has no commit to show", severity="warning", markup=False)
        elif not isinstance(self.screen, DiffScreen):
            self.push_screen(DiffScreen(self.model, task_id))

    def action_retry(self) -> None:
        """Retry the task, or all failed ones; ask first if it is done, as its result is discarded."""
        task_id = self.target
        if self._acts_on_many("retry", CommandKind.RETRY) or task_id is None or not self.can("retry"):
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
        task_id, action = self.target, "kill" if kill else "cancel"
        if self._acts_on_many(action, CommandKind.CANCEL, kill=kill) or task_id is None or not self.can(action):
            return
        state, how = self.model.task(task_id), "killed at once" if kill else "stopped, then killed"
        worker = f"its worker (pid {state.pid}) and all its processes are {how}" if state.pid else "it will not run"
        question = f"{'Kill' if kill else 'Cancel'} {self._label(task_id)}?"
        self._confirm(question, worker, CommandKind.CANCEL, task_id, kill=kill)

    def action_skip(self) -> None:
        """Mark the task as done without running it."""
        task_id = self.target
        if not self._acts_on_many("skip", CommandKind.SKIP) and task_id is not None and self.can("skip"):
            dag = self.model.cascade.dag
            below = [dag.ids[i] for i in dag.dependents[dag.index[task_id]]]
            freed = f"{', '.join(map(plain, below[:6]))} may then start" if below else "nothing depends on it"
            self._confirm(f"Skip {self._label(task_id)}?", f"it counts as done; {freed}", CommandKind.SKIP, task_id)

    def action_approve(self) -> None:
        """Accept the work of the task."""
        if self._acts_on_many("approve", CommandKind.APPROVE):
            return
        if (task_id := self.target) is not None and self.can("approve"):
            self.send(CommandKind.APPROVE, task_id)

    def action_reject(self) -> None:
        """Reject the work of the task, with a reason."""
        task_id = self.target
        if task_id is None or not self.can("reject"):
            return
        if self.model.task(task_id).asks:  # what an agent asks for is denied without a reason
            self.send(CommandKind.REJECT, task_id)
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

    def action_type_into(self) -> None:
        """Open the worker's terminal, into which keys go then."""
        if (task_id := self.target) is not None and is_safe_id(task_id) and self.can("type_into"):
            from nova_tui.screens.typing import TypingScreen

            self.push_screen(TypingScreen(self.model, task_id))

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
        """Add or remove one worker."""
        self.send(CommandKind.JOBS, text=f"{step:+d}")

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

    def ask_about_files(self, files: Sequence[str]) -> None:
        """Ask what to do with the user's files that are not committed; the run begins with the answer."""
        from nova_tui.screens.uncommitted import UncommittedScreen

        def answer(how: str | None) -> None:
            if how:
                self.model.source.go_on(how)
            else:
                self.exit(None)

        self.push_screen(UncommittedScreen(files), answer)

    def at_work(self) -> list[str]:
        """The running tasks, by id and name."""
        tasks = self.model.cascade.tasks.items()
        return [plain(f"{i} ({task.name})") for i, task in tasks if self.model.shown(i) in AT_WORK]

    def _on_tasks(self) -> bool:
        """Returns True if keys for tasks can work on this screen."""
        return not self.model.source.read_only and (self.target is not None or self.front.STANDS_FOR)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """True if the key works now, False to hide it, None if it applies only to other tasks."""
        if action in COPIES and hasattr(self, "model") and not self.can(action) and self.front.STANDS_FOR:
            return None
        if action == "type_into" and hasattr(self, "model"):
            return self.can(action) or (None if self._on_tasks() and self.target else False)
        if action in FITS and hasattr(self, "model") and not self.can(action) and self._on_tasks():
            return None
        known = any(action in group for group in (FITS, OF_THE_RUN, _NEEDS_TASK, _OTHERS))
        return self.can(action) if known and hasattr(self, "model") else super().check_action(action, parameters)
