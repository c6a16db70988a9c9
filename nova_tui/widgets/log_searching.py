"""Searches the shown log and counts matches, in steps between other work."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from itertools import islice

from textual import work

from nova_tui.log_pager import Mark
from nova_tui.log_search import Step, Tally
from nova_tui.views.line import plain
from nova_tui.widgets.log_canvas import LogCanvas

_AT_ONCE = 2  # steps, each of which may read a slice: a key must not wait for more


class LogSearching(LogCanvas):
    """Goes to matches, wrapping at the ends of the log. `begin_search` saves the position of the window: until the next
    `begin_search`, every search starts there, and a search without matches returns there. The end of all searches
    resumes following if the first of them stopped it.
    """

    asker: Callable[[], None] | None = None  # asks for a text and calls `search`

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - as every widget
        super().__init__(id=id, classes=classes)
        self._tally: Tally | None = None
        self._epoch = 0
        self._progress = ""
        self._from: Mark | None = None
        self._followed = False
        self._nowhere_at: int | None = None  # the size of the log that does not contain the text
        self._only: int | None = None  # the match at which the last search for the next one began

    def _moved(self) -> None:
        """Redraw all rows after they changed."""
        raise NotImplementedError

    # status

    def found(self) -> str:
        """The state of the search: `3 found`, `2 of 3`, or its progress; empty without a search."""
        if self.reader is None or self.reader.needle is None:
            return ""
        if self._is_nowhere:
            return "not in what is left" if self.reader.index.cut else "not in this log"
        told = self._tally.place(self.reader.match) if self._tally else ""
        return self._progress or told

    def search_note(self) -> str:
        """The same, with the searched text."""
        if self.reader is None or self.reader.needle is None:
            return ""
        text = plain(self.reader.needle.text)
        return f'"{text}": {self.found()}' if self._is_nowhere else f"/{text}  {self.found()}".rstrip()

    @property
    def _is_nowhere(self) -> bool:
        if self.reader is not None and self._nowhere_at == self.reader.index.size:
            return True
        return self._tally is not None and self._tally.is_done and not self._tally.is_cut and not self._tally.starts

    # keys

    def action_ask(self) -> None:
        """Ask for a text to search."""
        if self.asker is not None:
            self.asker()

    def begin_search(self) -> None:
        """Save the position at which searches start."""
        if self.reader is not None:
            self._followed = self.reader.following or (self._followed and self.reader.needle is not None)
            self._from = self.reader.mark()

    def search(self, text: str) -> None:
        """Search for a text: upwards from the end while following, else downwards. An empty text ends the search."""
        if self.reader is None:
            return
        self.workers.cancel_group(self, "search")
        if self._from is not None:
            self.reader.back_to(self._from)
        steps = self.reader.begin(text)
        self._tally = Tally(self.reader.needle, self.reader.index) if self.reader.needle else None
        self._epoch, self._nowhere_at, self._only = self.reader.epoch, None, None
        self._say("")
        if text:
            self._run_search(steps)
        self.count_matches()

    def action_find(self, down: bool) -> None:
        """Go to the next match below or above."""
        if self.reader is not None and self.reader.needle is not None:
            self._only = self.reader.match if self.reader.is_match_shown else None
            self._run_search(self.reader.find(down=down))

    def action_forget(self) -> None:
        """End the search and remove its marks; resume following if it was on before."""
        followed, self._from, self._followed = self._followed, None, False
        self.search("")
        if self.reader is not None and followed:
            self.reader.follow(True)
            self._moved()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Enable the keys of a search only during a search, and a new search only if `asker` is set."""
        if action == "ask":
            return self.asker is not None
        if action in ("find", "forget"):
            return self.reader is not None and self.reader.needle is not None
        return True

    # steps

    def _run_search(self, steps: Iterator[Step]) -> None:
        """Take a few steps at once, so that a match nearby shows immediately; the rest between other work."""
        if any(self._take(step) for step in islice(steps, _AT_ONCE)):
            self.workers.cancel_group(self, "search")
            return
        self._say("searching")
        self._search(steps)

    @work(group="search", exclusive=True)
    async def _search(self, steps: Iterator[Step]) -> None:
        """Search in steps; report if there is no match."""
        reader = self.reader
        epoch = reader.epoch if reader is not None else 0
        for number, step in enumerate(steps):
            if reader is None or reader is not self.reader or reader.needle is None or self._take(step):
                return
            if self._is_nowhere:
                break
            if number % 16 == 15:
                self._say(f"searching {step.position * 100 // max(1, reader.index.size)}%")
            await asyncio.sleep(0)
        if reader is not None and reader is self.reader and reader.needle is not None:
            self._nowhere_at = reader.index.size if reader.epoch == epoch else None
            self._say("")

    def _take(self, step: Step) -> bool:
        """Show the match of a step; returns True if there was one."""
        if step.found is None or self.reader is None:
            return False
        self.reader.show(step)
        hidden = "the match is in the raw line: u shows it" if self._is_told(step.found) else ""
        hidden = "the match is in a hidden part" if step.hidden else hidden
        self._say(hidden or ("the only match" if step.found == self._only else ""))
        return True

    def _is_told(self, start: int) -> bool:
        """Returns True if the line is shown in words that do not contain the text."""
        reader = self.reader
        if reader is None or reader.needle is None or not reader.pager.is_readable:
            return False
        return not any(reader.needle.spans(row) for row in reader.pager.rows(start)[1])

    def _say(self, progress: str) -> None:
        self._progress = progress
        self._moved()
        self.refresh_bindings()

    def count_matches(self) -> None:
        """Count the matches, including those in new output."""
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
