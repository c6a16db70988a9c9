"""The base of all formats: lines out of pieces, JSON out of lines, and the verdict out of what they said."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Mapping
from math import fsum
from typing import Any

from nova_core.agents.fields import first_line
from nova_core.agents.mending import BROKEN, decode, documents, is_half, is_json, is_torn, mended
from nova_core.agents.outcome import CostBasis, Ending, Outcome, Verdict, exit_words, was_killed
from nova_core.agents.pricing import Price, cost
from nova_core.agents.signs import error_lines, verdict_of_words
from nova_core.agents.tokens import is_cut
from nova_core.model import TokenUsage
from nova_core.text import clean

_LONGEST = 8 << 20  # bytes of one line; a longer one is dropped
_MOST_ODD = 1 << 20  # bytes of a line that is no plain JSON and still looked into
_LOOSE = 4 << 20  # bytes of lines that are no events, kept in case all of them together are one document
_MOST_STEPS = 1000
_MOST_FILES = 1000
_MOST_FINAL = 100_000
_MOST_PATH = 4096
_MOST_IDS = 10_000
_MOST_DENIED = 100
_MOST_DENIED_WORDS = 200
CHARACTERS = 4  # a token, roughly, where no count is told


class AgentLog:
    """Reads one attempt's log in pieces of any size; every attribute is what is known so far.

    A format says what events mean (`event`), what other lines mean (`plain`), how it ended (`ending`) and what was
    used (`usage`, `unsure`, `told_cost`). `previous` is what earlier runs of the same session came to, for agents
    whose totals go on counting when a session is resumed. `judges`: the verdict is worth more than the exit code.
    `gap`: a part of the log was never read. `trouble`: what went wrong with reading a line, which is then left out.
    """

    judges = True
    noise: re.Pattern[str] | None = None  # lines of standard error that say nothing

    def __init__(self, previous: TokenUsage | None = None) -> None:
        self.previous = previous or TokenUsage()
        self.session_id: str | None = None
        self.model: str | None = None
        self._final = ""
        self._more: list[str] = []  # of the last words, not joined yet
        self._length = 0
        self.step: str | None = None
        self.steps: list[str] = []
        self.files: dict[str, None] = {}
        self.denied: dict[str, None] = {}
        self.asked: str | None = None
        self.tools_run = 0
        self.tools_failed = 0
        self.problem: Ending | None = None  # of the model server; the agent may still get over it
        self.hopeless: Ending | None = None  # no use in waiting for the agent to find out
        self.retry_after: float | None = None  # seconds, as the server said
        self.resets_at: float | None = None  # seconds since the epoch
        self.began = False
        self.tail: deque[str] = deque(maxlen=40)
        self.gap = False
        self.trouble = ""
        self._told_ids: set[str] = set()
        self._rest: list[bytes] = []
        self._rest_size = 0
        self._skipping = False
        self._loose: list[bytes] = []
        self._loose_size = 0

    # for formats to define

    def event(self, event: dict[str, Any]) -> bool:
        """Take one JSON object; False if it is none of this format's."""
        return False

    def plain(self, line: str) -> None:
        """Take one line that is no event."""

    def ending(self, exit_code: int | None) -> Ending | None:
        """How it ended by what was printed, None if that says nothing."""
        return None

    @property
    def usage(self) -> TokenUsage:
        """Tokens of this run, its earlier ones taken off."""
        return TokenUsage()

    @property
    def unsure(self) -> bool:
        """Whether `usage` is less than certain, by what was read."""
        return False

    @property
    def estimated(self) -> bool:
        """Whether `usage` is less than certain."""
        return self.gap or bool(self.trouble) or self.unsure

    @property
    def told_cost(self) -> tuple[float | None, CostBasis]:
        """US dollars by the agent's own word, and how good that is."""
        return None, CostBasis.UNPRICED

    @property
    def models(self) -> Mapping[str | None, TokenUsage]:
        """Usage by model, for prices."""
        return {self.model: self.usage}

    # lines

    def feed(self, data: bytes) -> None:
        """Take the next piece of the log."""
        if self._skipping:
            end = data.find(b"\n")
            if end < 0:
                return
            data, self._skipping = data[end + 1 :], False
        lines = data.split(b"\n")
        last = lines.pop()
        if lines and self._rest:
            lines[0] = self._take_rest() + lines[0]
        for line in lines:
            try:
                self._line(line)
            except Exception as error:
                self._stumble(error)
        if last:
            self._rest.append(last)
            self._rest_size += len(last)
            if self._rest_size > _LONGEST:
                self.gap |= self._take_rest()[:1000].lstrip().startswith(b"{")
                self._skipping = True

    def skip(self) -> None:
        """A part of the log is missing here: what it told is not known."""
        self._take_rest()
        self.gap = self._skipping = True

    def _take_rest(self) -> bytes:
        rest = b"".join(self._rest)
        self._rest, self._rest_size = [], 0
        return rest

    def finish(self) -> None:
        """The log is over: take a last line without its line break, and a document that spans lines, if whole."""
        if rest := self._take_rest():
            self._safely(self._line, rest)
            torn = rest.startswith((b'{"', b'[{"')) and not is_json(rest)
            self.began, self.gap = self.began or torn, self.gap or torn  # an event written in part is no final text
        document = b""
        for document in () if self.began else documents(self._loose):
            self._safely(self._try, document)
        self.began = self.began or is_torn(document)
        self._loose = []

    def _safely(self, take: Callable[[bytes], object], data: bytes) -> None:
        try:
            take(data)
        except Exception as error:
            self._stumble(error)

    def _stumble(self, error: Exception) -> None:
        """A line that a format does not survive costs itself, not the run: others wrote it."""
        self.trouble = self.trouble or f"{type(error).__name__}: {first_line(str(error), 200)}"

    def _line(self, line: bytes) -> None:
        if line.startswith(b"[{") and self._try(line):
            return
        start = line.find(b"{")
        if start >= 0 and (not line[:start].strip() or line.startswith(b'{"', start)):
            rest = line[start:] if start else line
            if self._try(rest) or self._try_mended(rest) or self._try_inside(line):
                return
        if not line.strip():
            return
        if line.startswith(b"[nova: ") and is_cut(line):
            self.gap = True
            return
        if not self.began and self._loose_size < _LOOSE:
            self._loose.append(line)
            self._loose_size += len(line) + 64  # what a short line takes in memory
        words = line[:_MOST_FINAL].decode("utf-8", "replace").rstrip()
        words = clean(words).strip() if "\x1b" in words else words
        if not words:
            return
        if self.noise is None or not self.noise.match(words):
            self.tail.append(words[:2000])
        self.plain(words)

    def _try(self, data: bytes) -> bool:
        """One event, or a list of them, as `claude --output-format json --verbose` prints."""
        try:
            found = decode(data)
        except BROKEN:
            return False
        events = found if isinstance(found, list) else [found]
        taken = sum(isinstance(event, dict) and self.event(event) for event in events)
        self.began = self.began or taken > 0
        return taken > 0

    def _try_mended(self, data: bytes) -> bool:
        """An event with half a character in it, as JavaScript writes text that was cut in the middle of a pair."""
        return len(data) <= _MOST_ODD and is_half(data) and self._try(mended(data))

    def _try_inside(self, line: bytes) -> bool:
        """An event with text of another stream before or after it on the same line."""
        start = line.find(b'{"')
        if start < 0 or (start == 0 and line.rstrip().endswith(b"}")) or b'"type"' not in line:
            return False
        if len(line) > _MOST_ODD:
            return False
        try:
            from json import JSONDecoder

            event, _ = JSONDecoder().raw_decode(mended(line[start:]).decode("utf-8", "replace"))
        except BROKEN:
            return False
        if isinstance(event, dict) and self.event(event):
            self.began = True
            return True
        return False

    # for formats to use

    def say(self, step: str) -> None:
        """The agent turned to something else."""
        step = first_line(step, 200)
        if step and step != self.step:
            self.step = step
            if len(self.steps) < _MOST_STEPS:
                self.steps.append(step)

    def changed(self, path: str) -> None:
        """The agent changed a file."""
        if path and len(path) <= _MOST_PATH and len(self.files) < _MOST_FILES:
            self.files[path] = None

    def again(self, name: str) -> bool:
        """Whether a figure with this id was told before: a log may hold a line twice."""
        if not name or name in self._told_ids:
            return bool(name)
        if len(self._told_ids) < _MOST_IDS:
            self._told_ids.add(name)
        return False

    def deny(self, what: str) -> None:
        """The agent was not allowed to use something."""
        if len(self.denied) < _MOST_DENIED:
            self.denied[what[:_MOST_DENIED_WORDS]] = None

    def said(self, text: str) -> None:
        """The agent's last words so far."""
        self._final = text[:_MOST_FINAL]
        self._length = len(self._final)
        if self._more:
            self._more = []

    def said_more(self, piece: str) -> None:
        """The agent's last words go on; pieces are put together when they are asked for, for there may be many."""
        if self._length < _MOST_FINAL:
            self._more.append(piece[:_MOST_FINAL])
            self._length += len(piece)

    @property
    def final_text(self) -> str:
        """The last words, up to a limit."""
        if self._more:
            self.said("".join((self._final, *self._more)))
        return self._final

    # what it comes to

    def outcome(
        self, exit_code: int | None = None, prices: Mapping[str, Price] | None = None, model: str | None = None
    ) -> Outcome:
        """What Nova makes of the log; `model` is the one it was started with, where the log does not tell."""
        verdict, reason = self._judge(exit_code)
        dollars, basis = self.cost(prices or {}, model)
        return Outcome(
            verdict, reason, self.usage, self.estimated, dollars, basis, self.model or model, self.session_id,
            self.final_text or None, tuple(self.files), tuple(self.steps),
        )  # fmt: skip

    def cost(self, prices: Mapping[str, Price], model: str | None = None) -> tuple[float | None, CostBasis]:
        """US dollars and where they come from: the agent, else the price table, else None."""
        told, basis = self.told_cost
        if told is not None:
            return told, basis
        if not self.usage.total:
            return (None, CostBasis.UNPRICED) if self.estimated or not self.began else (0.0, CostBasis.PRICE_TABLE)
        parts = [cost(usage, name or model, prices) for name, usage in self.models.items()]
        known = [part for part in parts if part is not None]
        return (fsum(known), CostBasis.PRICE_TABLE) if len(known) == len(parts) else (None, CostBasis.UNPRICED)

    def _judge(self, exit_code: int | None) -> Ending:
        found = self.ending(exit_code)
        if found is None:
            return self._without_end(exit_code)
        if found.verdict is not Verdict.DONE:
            return found
        if exit_code and not self.denied:
            return Ending(Verdict.FAILED, f"it said that it was done, but ended with {exit_words(exit_code)}")
        return self._doubt() or found

    def _doubt(self) -> Ending | None:
        """Why an agent that stopped of its own accord has not done its work, as far as that can be seen."""
        if self.asked:
            return Ending(Verdict.ASKED, f"it asked: {self.asked}")
        if self.denied:
            names = ", ".join(self.denied)
            return Ending(Verdict.PERMISSION_DENIED, f"it was not allowed to use {names}")
        if self.tools_failed and not self.tools_run and not self.files:
            return Ending(Verdict.NOTHING_DONE, "every tool it called was refused or unknown")
        if not self.files and not self.tools_run:
            last = self.final_text.rstrip()
            if not last:
                return Ending(Verdict.NOTHING_DONE, "it used no tool, changed no file and said nothing")
            if last.endswith("?"):
                return Ending(Verdict.ASKED, f"it asked: {last.splitlines()[-1].strip()[-200:]}")
        return None

    def _without_end(self, exit_code: int | None) -> Ending:
        """The log has no event that ends it."""
        if not self.began:
            return self._by_exit(exit_code)
        if self.problem and exit_code:
            return self.problem
        if not exit_code or was_killed(exit_code):
            how = f" ({exit_words(exit_code)})" if exit_code else ""
            return Ending(Verdict.INTERRUPTED, f"its log stops before the end{how}")
        found = self._by_words(f"it ended with {exit_words(exit_code)} in the middle of its work")
        return found if found.verdict is not Verdict.FAILED else Ending(Verdict.INTERRUPTED, found.reason)

    def _by_exit(self, exit_code: int | None) -> Ending:
        """Nothing of this format was printed: all that is left is the exit code, and the words."""
        if exit_code is None:
            return Ending(Verdict.UNKNOWN, "nothing in the log says how it ended, and no exit code is given")
        if exit_code == 0:
            if self.tail:
                self.said(self.final_text or "\n".join(self.tail))
                return self._doubt() or Ending(Verdict.DONE, "exit code 0")
            return Ending(Verdict.NOTHING_DONE, "exit code 0, and it printed nothing")
        if was_killed(exit_code):
            return Ending(Verdict.INTERRUPTED, f"ended by {exit_words(exit_code)}")
        return self._by_words(exit_words(exit_code))

    def _error_words(self) -> str:
        """What its last lines say of an error."""
        return error_lines(self.tail)

    def _by_words(self, fallback: str) -> Ending:
        last = first_line(self.tail[-1], 200) if self.tail else ""
        return Ending(
            verdict_of_words(self._error_words()) or Verdict.FAILED, f"{fallback}: {last}" if last else fallback
        )
