"""The application: holds the run, the model and the screens, and handles signals, themes and keys."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, ClassVar

from textual import events
from textual.app import App
from textual.binding import Binding, BindingType
from textual.driver import Driver
from textual.filter import LineFilter
from textual.screen import ModalScreen, Screen
from textual.theme import Theme

from nova_core.clock import Clock, iso
from nova_core.console.lines import LocalClock
from nova_core.console.terminal import is_ignored
from nova_core.files.crash_report import keep_crash_report
from nova_core.runs.merging import landing_lines
from nova_core.runs.words import RunWord, counts_text, go_on_line
from nova_core.state.events import Event, EventKind
from nova_core.state.run_clock import run_time
from nova_core.watch.source import EngineState, Source
from nova_core.watch.view_model import ViewModel
from nova_tui import compat, glyphs, keymap, news, themes
from nova_tui.actions import RunActions
from nova_tui.choice import Look, QuitChoice
from nova_tui.news import Item, News
from nova_tui.palettes import NEAREST, legible
from nova_tui.pump import Pump
from nova_tui.rows import Finder
from nova_tui.safe import SAFE
from nova_tui.screens.main import MainScreen
from nova_tui.settings import Settings
from nova_tui.views.header import state_of
from nova_tui.views.line import LEFT, plain, shorten

__all__ = ["NovaApp", "QuitChoice"]

_AGAIN = 1.0  # seconds
_HELD = 0.5  # seconds; the repeats of a held key come faster
_WORK = {EventKind.TASK_STARTED, EventKind.TASK_ADOPTED, EventKind.TASK_COMPLETED}
_LONGEST = 300  # characters of an answer
_ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


class NovaApp(RunActions):
    """Shows `source`. Its return value is a `QuitChoice`, or None if there was nothing to choose.

    `ended_by` is the signal that ended the app, if any. Raises `UsageError` for an unknown theme, `InputError` for an
    invalid file of keys.
    """

    main: MainScreen
    TITLE = "Nova"
    PAUSE_GC_ON_SCROLL = True
    ENABLE_COMMAND_PALETTE = False  # Textual's runs a row of the list before the text was typed
    CSS = """
    .-ascii MainScreen.-wide > #body > #side { border-left: ascii $panel; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark", "keys", "Keys", key_display="?", id="app.help"),
        Binding("q", "quit", "Leave", id="app.quit"),
        Binding("ctrl+q", "quit", "Leave", show=False, priority=True, id="app.quit_any"),
        Binding("ctrl+z", "stay_awake", "", show=False, id="app.suspend"),
        Binding("colon,ctrl+p", "palette", "All actions", key_display=":", id="app.palette"),
        Binding("T", "palette('theme ')", "Theme", show=False, id="app.theme"),
    ]

    def __init__(self, source: Source, look: Look = Look(), clock: Clock | None = None) -> None:  # noqa: B008 - frozen
        self.settings = Settings.of(os.environ)
        chosen = themes.choose(look.theme, os.environ, self.settings.kept.theme)
        # Textual applies NO_COLOR while the app is constructed, and does not yet know our themes.
        if chosen not in themes.OURS or themes.OURS[chosen].ansi:
            self.set_reactive(App.theme, "ansi-dark" if chosen in themes.OURS else chosen)
        super().__init__()
        for theme in themes.OURS.values():
            self.register_theme(theme)
        self.theme = chosen
        glyphs.use_ascii(look.ascii)
        self.set_class(look.ascii, "-ascii")
        self.source = source
        self.clock = clock or Clock()
        self.model = ViewModel(source, run_time(source.run, self.clock))
        self.main = MainScreen(self.model, self.settings)
        self.pump = Pump(self, self._look, self.clock)
        self.ended_by: int | None = None
        self.news = News()
        self._local = LocalClock()
        self._ran = False
        self._failed_at: float | None = None
        self._last_key = "", float("-inf")
        self._notify_how = os.environ.get("NOVA_NOTIFY", "")
        self.set_keymap(keymap.load_keys(keymap.keys_file(os.environ), must_exist="NOVA_KEYS" in os.environ))

    # hooks of Textual

    def get_default_screen(self) -> Screen[Any]:
        """Open the main screen first instead of a blank one."""
        return self.main

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Add the safety filter, and one for 256 colours; always the same ones, because strips are cached by filter."""
        few = [NEAREST] if self.console.color_system == "256" else []
        return [*super().get_line_filters(), SAFE, *few]

    def get_css_variables(self) -> dict[str, str]:
        """Those of the theme, with text that can be read on each of its grounds."""
        found = super().get_css_variables()
        self.theme_variables = {**found, **legible(found)}
        return self.theme_variables

    def get_driver_class(self) -> type[Driver]:
        """The driver that survives the loss of its terminal."""
        return compat.lasting(super().get_driver_class())

    @property
    def finder(self) -> Finder:
        """The search for tasks."""
        return self.main.finder

    # start and end

    def on_mount(self) -> None:
        """Start or follow the run, and handle signals."""
        loop = asyncio.get_running_loop()
        for number in _ENDING:
            if is_ignored(number):
                continue
            with suppress(NotImplementedError, ValueError, RuntimeError):  # not the main thread
                loop.add_signal_handler(number, self.end_by, number)
        self.source.start()
        if self.model.could_go_on:
            self.tell([Item(self._way_on(), RunWord.NO_ENGINE.value, severity="warning", until_engine=True)])
        self.theme_changed_signal.subscribe(self, self._keep_theme)
        self.pump.start()
        self.call_after_refresh(self._drawn)

    def _drawn(self) -> None:
        """Enable garbage collection after the first paint, without the objects created so far: they stay."""
        gc.freeze()
        gc.enable()
        self._failed_at = float("-inf")

    def _keep_theme(self, theme: Theme) -> None:
        self.settings.keep(theme=theme.name)

    def end_by(self, number: int) -> None:
        """End the app on a signal: Textual alone would not restore the terminal."""
        self.ended_by = self.ended_by or number
        self.exit()

    @property
    def failure(self) -> Exception | None:
        """The exception that ended the app, if any."""
        return compat.failure(self)

    def survives(self, error: Exception) -> bool:
        """Report an error in one key or one drawing, and stay. False, to end in order: for the second one within
        `_AGAIN` seconds, and before anything was drawn."""
        last, self._failed_at = self._failed_at, self.clock.monotonic()
        if last is None or self._failed_at - last < _AGAIN or self._exit:
            return False
        kept = keep_crash_report(compat.cause(error), str(self.source.project.nova_dir))
        where = f" (details in {plain(kept)})" if kept else f": {plain(type(error).__name__)}"
        self.notify(f"that did not work{where}", severity="error", markup=False)
        return True

    def _handle_exception(self, error: Exception) -> None:
        """End the app, unless it survives the error."""
        if not self.survives(error):
            super()._handle_exception(error)

    def _print_error_renderables(self) -> None:
        """Print nothing: the caller reports the error in one line and writes the traceback to a file."""
        compat.keep_quiet(self)

    # updates

    def _look(self, tick: bool) -> int:
        """Pass updates to the front screen; returns the number of changes."""
        update = self.source.poll()
        dirty = self.model.apply(update, run_time(self.model.source.run, self.clock))
        # Where the plan has changed, no screen may keep a task that the model no longer has: also those behind.
        for screen in self.run_screens if dirty.everything else [self.front]:
            screen.take(dirty, tick)
        if update.engine_changed and self.source.engine is EngineState.RUNNING:
            self.news.engine_runs()
        self._ran |= any(event.kind in _WORK for event in update.events)
        found = [item for event in update.events if (item := self._news_of(event))]
        self.tell(news.merged([*found, *(self._engine_news() if update.engine_changed else [])]))
        for notice in update.notices:
            self.news.answer(news.of_notice(notice), self.clock.monotonic())
        if update.engine_changed and self.source.uncommitted:
            self.ask_about_files(self.source.uncommitted)
        self._draw_news()
        return len(dirty.tasks) + len(update.notices) + (1 if dirty.everything else 0)

    def _news_of(self, event: Event) -> Item | None:
        known = event.task is not None and event.task in self.model.cascade.tasks
        failed = event.kind is EventKind.TASK_FAILED and known
        why = self.model.failure(event.task or "") if failed else ""
        return news.of_event(event, why, self._local(event.at)[:5])

    def _engine_news(self) -> list[Item]:
        """The news that an engine has ended."""
        source, at = self.source, self._local(iso(self.clock.now()))[:5]
        if source.uncommitted:  # there is a question
            return []
        if source.engine is EngineState.CRASHED:
            return [Item(shorten(source.error, 300), "the engine failed", at, severity="error", until_engine=True)]
        if source.engine is EngineState.RUNNING:
            return []
        project, ran = self.model.rollups.project, self._ran
        self._ran = False
        if not ran and project.completed == project.total:  # the run was already finished
            return []
        counts = counts_text(self.model.counts)
        told = f"{counts}; "
        if self.model.could_go_on:
            return [Item(told + self._way_on(), state_of(self.model).value, at, severity="warning", until_engine=True)]
        if not ran:
            said = f"r retries a failed task; {counts}"
            return [Item(said, "nothing to start", at, severity="warning", until_engine=True)]
        ways = "! shows failed tasks, S the summary" if project.failed else "S shows the summary"
        if waiting := landing_lines(source.run.git):
            again = "p tries again; " if self.model.could_land else ""
            ways = f"not landed; {again}in a shell: {waiting[1].strip()}; {ways}"
        severity: news.Severity = "error" if project.failed else "information"
        return [Item(told + ways, state_of(self.model).value, at, severity=severity)]

    def _way_on(self) -> str:
        """How to run the remaining tasks."""
        keys = "C takes control, then p continues" if self.source.read_only else "p continues"
        return f"{keys}; in a shell: {plain(go_on_line(self.source.project_state.cascade_file))}"

    def tell(self, items: Sequence[Item]) -> None:
        """Add news, and notify the terminal if configured."""
        self.news.tell(items, self.clock.monotonic())
        for item in items if self._notify_how else ():
            compat.emit(self, news.sequence(self._notify_how, item, tmux="TMUX" in os.environ))

    def notify(
        self, message: str, *, title: str = "", severity: news.Severity = "information",
        timeout: float | None = None, markup: bool = True,
    ) -> None:  # fmt: skip
        """Answer a key in the line of news: nothing is laid over the screen."""
        text = plain(f"{title}: {message}" if title else message)
        self.news.answer(Item(shorten(text, _LONGEST), severity=severity), self.clock.monotonic())
        if self.screen_stack:
            self._draw_news()

    def _draw_news(self) -> None:
        now = self.clock.monotonic()
        self.news.expire(now)
        self.front.tell_news(self.news, fresh=self.news.is_fresh(now))

    # keys

    async def on_event(self, event: events.Event) -> None:
        """Handle keys one at a time: the next key goes to the screen that this key opens."""
        if isinstance(event, events.InputEvent | events.Paste) and not self.screen_stack:
            return  # the app is ending
        if isinstance(event, events.Key) and not event.is_forwarded:
            self._note_key(event.key)
        if isinstance(event, events.Key | events.Paste) and not event.is_forwarded:
            if self.front is self.screen and self.front.take_input(event):
                return
            await compat.hand_out(self, event)
        else:
            await super().on_event(event)

    def _note_key(self, key: str) -> None:
        """Remember the key before this one, for a question that this one opens."""
        last, pressed = self._last_key
        now = self.clock.monotonic()
        self.key_before = last if now - pressed < _HELD else ""
        self._last_key = key, now

    def action_keys(self) -> None:
        """Show the keys that work now."""
        from nova_tui.screens.help import HelpScreen

        self.push_screen(HelpScreen.of(self.screen))

    def action_palette(self, text: str = "") -> None:
        """Open the command palette with a text in it, unless a question is open."""
        from nova_tui.screens.palette import PaletteScreen

        if not isinstance(self.screen, ModalScreen):
            self.push_screen(PaletteScreen(self, self.screen, text))

    def action_stay_awake(self) -> None:
        """Do not suspend, as that would suspend the engine: explain how to get the shell back instead."""
        engine = self.source.owns_engine and self.source.engine is EngineState.RUNNING
        way = "q, then l, keeps the workers running" if engine else "q leaves"
        self.notify(f"not ctrl+z: {way}", markup=False)

    async def action_quit(self) -> None:
        """Leave; while workers depend on this process, ask what to do with them."""
        alive = self.source.owns_engine and self.source.engine is EngineState.RUNNING
        if not alive:
            self.exit()
            return
        self.ask_to_leave()

    def go_to(self, task_id: str) -> None:
        """Show the task in the tree."""
        if task_id not in self.model.cascade.tasks:
            self.notify(f"{plain(task_id)} {LEFT}", severity="warning", markup=False)
            return
        self._to_main()
        self.main.go_to(task_id)

    def _to_main(self) -> None:
        while self.screen is not self.main and len(self.screen_stack) > 1:
            self.pop_screen()
