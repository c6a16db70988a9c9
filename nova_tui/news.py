"""News for the line above the footer: milestones, failures, tasks that need approval; and answers to keys. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from nova_core.console.lines import blocks_text
from nova_core.runs.words import Shown, failure_text
from nova_core.state.events import Event, EventKind
from nova_core.watch.source import Notice
from nova_tui.views.line import plain, shorten

Severity = Literal["information", "warning", "error"]
ANSWER = 6.0  # seconds for which the answer to a key stands before the news
FRESH = 6.0  # seconds for which news stands in the place of the keys on a low screen
_SHOWN = 2
_NAMED = 6
_LONGEST = 300
_MANY = 3  # items of one kind at once, from which they become one


class Item(msgspec.Struct, frozen=True):
    """One short message, in clean text: when (`HH:MM`, or empty), what (`failed`), of which task, and its text.

    `until_engine`: shown only until an engine runs again.
    """

    text: str
    word: str = ""
    at: str = ""
    task: str | None = None
    severity: Severity = "information"
    shown: Shown | None = None
    milestone: bool = False
    until_engine: bool = False

    @property
    def said(self) -> str:
        """The message in one line, without its time and its mark."""
        head = " ".join(filter(None, (plain(self.task), self.word)))
        return f"{head}: {self.text}" if head and self.text else head or self.text


_PAUSED, _RESUMED = "paused", "resumed"
_KINDS: dict[EventKind, tuple[str, Severity, Shown | None]] = {
    EventKind.MILESTONE: ("", "information", None),
    EventKind.TASK_FAILED: (Shown.FAILED.value, "error", Shown.FAILED),
    EventKind.TASK_ASKED: (Shown.ASKS.value, "warning", Shown.ASKS),
    EventKind.TASK_WAITING: (Shown.APPROVAL.value, "warning", Shown.APPROVAL),
    EventKind.RUN_PAUSED: (_PAUSED, "warning", None),
    EventKind.RUN_RESUMED: (_RESUMED, "information", None),
    EventKind.BUDGET_REACHED: ("", "warning", None),
    EventKind.PROVIDER_PAUSED: ("", "warning", None),
    EventKind.PROVIDER_RESUMED: ("", "information", None),
    EventKind.WARNING: ("warning", "warning", None),
}


def of_event(event: Event, why: str, at: str) -> Item | None:
    """The news of an event at the time `at`, None for most events; `why` is the reason of a failure, if it is known."""
    found = _KINDS.get(event.kind)
    if found is None or (event.kind is EventKind.TASK_FAILED and event.patch.get("reason") == "cancelled"):
        return None
    word, severity, shown = found
    text = event.message
    if event.kind is EventKind.TASK_FAILED:
        text = (why or failure_text(event.patch.get("reason"), event.patch.get("error"))) + blocks_text(event)
    if event.kind is EventKind.TASK_ASKED:
        text = plain(str(event.patch.get("question") or ""))
    if event.kind is EventKind.TASK_WAITING:
        text = "to start" if "to start" in event.message else ""
        word, text = f"{word} {text}".strip(), ""
    if word in (_PAUSED, _RESUMED):
        text = text.removeprefix(word).removeprefix(": ")
    task = event.task if shown is not None else None
    text = shorten(text, _LONGEST)
    return Item(text, word, at, task, severity, shown, milestone=event.kind is EventKind.MILESTONE)


def of_notice(notice: Notice) -> Item:
    """The reply to a command."""
    text = f"{notice.text}; no engine running: p continues" if notice.idle else notice.text
    return Item(shorten(text, _LONGEST), severity="information" if notice.ok else "warning", until_engine=notice.idle)


def merged(items: Iterable[Item]) -> list[Item]:
    """The items in order; many of one kind become one that names the first tasks."""
    kinds: dict[tuple[str, Shown | None], list[Item]] = {}
    for item in items:
        kinds.setdefault((item.word, item.shown), []).append(item)
    found = []
    for (word, shown), alike in kinds.items():
        if shown is None or len(alike) < _MANY:
            found += alike
            continue
        more = f" and {len(alike) - _NAMED:,} more" if len(alike) > _NAMED else ""
        names = ", ".join(plain(item.task) for item in alike[:_NAMED])
        found.append(Item(f"{names}{more}", f"{len(alike):,} {word}", alike[-1].at, None, alike[0].severity, shown))
    return found


class News:
    """The two newest items, and the last answer. `now` is in seconds of a monotonic clock; `rev` counts changes."""

    def __init__(self) -> None:
        self.rev = 0
        self._items: deque[Item] = deque(maxlen=_SHOWN)
        self._answer: Item | None = None
        self._answered = self._told = float("-inf")

    def tell(self, items: Sequence[Item], now: float) -> None:
        """Add news, oldest first. A pause that is over is no longer news."""
        for item in items:
            if item.word == _RESUMED:
                kept = [other for other in self._items if other.word != _PAUSED]
                self._items = deque(kept, maxlen=_SHOWN)
            else:
                self._items.appendleft(item)
        if items:
            self._told, self.rev = now, self.rev + 1

    def engine_runs(self) -> None:
        """Drop what says that no engine is running."""
        if any(item.until_engine for item in (*self._items, *filter(None, [self._answer]))):
            self._items = deque((item for item in self._items if not item.until_engine), maxlen=_SHOWN)
            self._answer = None if self._answer and self._answer.until_engine else self._answer
            self.rev += 1

    def answer(self, item: Item, now: float) -> None:
        """Answer a key: it stands before the news for `ANSWER` seconds."""
        self._answer, self._answered, self.rev = item, now, self.rev + 1

    def expire(self, now: float) -> bool:
        """Drop an answer whose time is over; returns True if something was dropped."""
        if self._answer is None or now - self._answered < ANSWER:
            return False
        self._answer, self.rev = None, self.rev + 1
        return True

    def is_fresh(self, now: float) -> bool:
        """Returns True if something was said a short time ago."""
        return now - max(self._told, self._answered) < FRESH

    def clear(self) -> None:
        """Forget everything."""
        self._items.clear()
        self._answer, self.rev = None, self.rev + 1

    @property
    def answered(self) -> Item | None:
        """The answer to the last key, while it stands."""
        return self._answer

    @property
    def items(self) -> list[Item]:
        """The newest items, the newest first."""
        return list(self._items)


def sequence(how: str, item: Item, *, tmux: bool = False) -> str:
    """The control sequence that notifies the terminal, as `NOVA_NOTIFY` says; empty for other values.

    tmux does not pass the sequence on unless it is wrapped (tmux(1), allow-passthrough).
    """
    text = shorten(item.said, 120).replace(";", ",")
    if how == "bell":
        return "\x07"
    found = {"osc9": f"\x1b]9;{text}\x07", "osc777": f"\x1b]777;notify;Nova;{text}\x07"}.get(how, "")
    return "\x1bPtmux;" + found.replace("\x1b", "\x1b\x1b") + "\x1b\\" if tmux and found else found
