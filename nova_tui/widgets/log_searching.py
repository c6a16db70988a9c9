"""Searching in the log on the screen, and counting what is found, in slices between whatever else happens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from itertools import islice

from textual import work

from nova_tui.log_reader import Mark
from nova_tui.log_search import Step, Tally
from nova_tui.views.line import plain
from nova_tui.widgets.log_canvas import LogCanvas

_AT_ONCE = 4


class LogSearching(LogCanvas):
    """Goes to matches and round at the ends of the log. `begin_search` remembers where the window stands: every text
    that is searched until the next `begin_search` starts there, and one that is nowhere leads back.
    """

    asker: Callable[[], None] | None = None  # asks what to search for, and calls `search`

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - as every widget
        super().__init__(id=id, classes=classes)
        self._tally: Tally | None = None
        self._epoch = 0
        self._progress = ""
        self._from: Mark | None = None

    def _moved(self) -> None:
        """Draw all rows again: they are others."""
        raise NotImplementedError

    # what it says

    def found(self) -> str:
        """What the search has come to: `3 found`, `2 of 3`, how far it is; empty without one."""
        if self.reader is None or self.reader.needle is None:
            return ""
        if self._is_nowhere:
            return "not in this log"
        told = self._tally.place(self.reader.match) if self._tally else ""
        return self._progress or told

    def search_note(self) -> str:
        """The same, with the text that was searched."""
        if self.reader is None or self.reader.needle is None:
            return ""
        text = plain(self.reader.needle.text)
        return f'"{text}": {self.found()}' if self._is_nowhere else f"/{text}  {self.found()}".rstrip()

    @property
    def _is_nowhere(self) -> bool:
        return self._tally is not None and self._tally.is_done and not self._tally.is_cut and not self._tally.starts

    # keys

    def action_ask(self) -> None:
        """Ask for what to search."""
        if self.asker is not None:
            self.asker()

    def begin_search(self) -> None:
        """Searches start here from now on; a search that is still on started elsewhere."""
        if self.reader is not None and (self._from is None or self.reader.needle is None):
            self._from = self.reader.mark()

    def search(self, text: str) -> None:
        """Look for a text: upwards from the end while following, else downwards. Nothing ends the search."""
        if self.reader is None:
            return
        self.workers.cancel_group(self, "search")
        if self._from is not None:
            self.reader.back_to(self._from)
        steps = self.reader.begin(text)
        self._tally = Tally(self.reader.needle, self.reader.index) if self.reader.needle else None
        self._epoch = self.reader.epoch
        self._say("")
        if text:
            self._run_search(steps, down=not self.reader.following)
        self.count_matches()

    def action_find(self, down: bool) -> None:
        """To the next match below, or above."""
        if self.reader is not None and self.reader.needle is not None:
            self._run_search(self.reader.find(down=down), down=down)

    def action_forget(self) -> None:
        """End the search: no more marks; who followed before it follows again."""
        began, self._from = self._from, None
        self.search("")
        if self.reader is not None and began is not None and began.following:
            self.reader.follow(True)
            self._moved()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys of a search count only during one, and one can begin only where somebody asks for its text."""
        if action == "ask":
            return self.asker is not None
        if action in ("find", "forget"):
            return self.reader is not None and self.reader.needle is not None
        return True

    # slices

    def _run_search(self, steps: Iterator[Step], *, down: bool) -> None:
        """A few slices at once, so that a match nearby is there with the key; the rest with everything else between."""
        if any(self._take(step) for step in islice(steps, _AT_ONCE)):
            self.workers.cancel_group(self, "search")
            return
        self._say("searching")
        self._search(steps, down)

    @work(group="search", exclusive=True)
    async def _search(self, steps: Iterator[Step], down: bool) -> None:
        """Slice by slice; at an end of the log it goes on at the other one, or says that it is at the end."""
        reader = self.reader
        for number, step in enumerate(steps):
            if reader is None or reader is not self.reader or reader.needle is None or self._take(step):
                return
            if self._is_nowhere:
                break
            if number % 16 == 15:
                self._say(f"searching {step.position * 100 // max(1, reader.index.size)}%")
            await asyncio.sleep(0)
        while (tally := self._tally) is not None and tally.advance():
            await asyncio.sleep(0)
        if reader is not None and reader is self.reader and reader.needle is not None:
            self._go_round(down)

    def _go_round(self, down: bool) -> None:
        """From one end of the log to the other; as far as the matches are known."""
        tally = self._tally
        if tally is None or not tally.starts or tally.is_cut:
            self._say("" if self._is_nowhere else f"no more {'below' if down else 'above'}")
        else:
            self._take(Step(0, tally.starts[0 if down else -1]))

    def _take(self, step: Step) -> bool:
        """Show what was found, if something was."""
        if step.found is None or self.reader is None:
            return False
        self.reader.show(step)
        self._say("the match is in a hidden part" if step.hidden else "")
        return True

    def _say(self, progress: str) -> None:
        self._progress = progress
        self._moved()
        self.refresh_bindings()

    def count_matches(self) -> None:
        """Count what matches, also what has come since."""
        if self.reader is None or self._tally is None or self.reader.needle is None or not self.is_attached:
            return
        if self._epoch != self.reader.epoch:
            self._epoch, self._tally = self.reader.epoch, Tally(self.reader.needle, self.reader.index)
        if self._tally.advance():
            self._count_on()
        else:
            self._moved()

    @work(group="tally", exclusive=True)
    async def _count_on(self) -> None:
        while (tally := self._tally) is not None and tally.advance():
            await asyncio.sleep(0)
        self._moved()
