"""Toasts for milestones, failures and tasks that need approval; many at once are merged."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import Literal

import msgspec
from textual.notifications import Notification

from nova_core.console.lines import blocks_text, failure_text
from nova_core.state.events import Event, EventKind
from nova_core.watch.source import Notice
from nova_tui.views.line import plain, shorten

Severity = Literal["information", "warning", "error"]
WINDOW = 2.0  # seconds in which at most `SHOWN` toasts appear; further ones are merged by kind
SHOWN = 2  # most news toasts on the screen
_NAMED = 6
_WIDTH = 120  # about three lines; the events view shows the full text
_NEEDS_YOU = "Needs you"


class Toast(msgspec.Struct, frozen=True):
    """One short message; `text` and `title` are clean, and never markup. `answer`: it replies to a key press; only
    answers have no title."""

    title: str
    text: str
    severity: Severity = "information"
    task: str | None = None
    answer: bool = False


_TITLES: dict[EventKind, tuple[str, Severity]] = {
    EventKind.MILESTONE: ("Milestone", "information"),
    EventKind.TASK_FAILED: ("Failed", "error"),
    EventKind.TASK_WAITING: (_NEEDS_YOU, "warning"),
    EventKind.BUDGET_REACHED: ("Budget", "warning"),
    EventKind.PROVIDER_PAUSED: ("Provider", "warning"),
    EventKind.PROVIDER_RESUMED: ("Provider", "information"),
    EventKind.WARNING: ("Warning", "warning"),
}


def of_event(event: Event) -> Toast | None:
    """The toast for an event; None for most events."""
    found = _TITLES.get(event.kind)
    if found is None:
        return None
    title, severity = found
    text = event.message
    if event.kind is EventKind.TASK_FAILED and event.task:
        if event.patch.get("reason") == "cancelled":
            return None  # the user cancelled it
        said = shorten(failure_text(event.patch.get("reason"), event.patch.get("error")), _WIDTH // 2)
        text = f"{event.task}: {said}{blocks_text(event)}"
    if event.kind is EventKind.TASK_WAITING and event.task:
        to_start = " to start" if "to start" in event.message else ""
        text = f"{event.task} needs approval{to_start}: go to it, then a approves, R rejects"
    return Toast(title, shorten(text, _WIDTH), severity, event.task)


def of_notice(notice: Notice) -> Toast:
    """The toast for the reply to a command."""
    text = f"{notice.text}; no engine running: p continues" if notice.idle else notice.text
    return Toast("", shorten(text, _WIDTH), "information" if notice.ok else "warning", answer=True)


class Toaster:
    """Releases as many toasts at once as fit on the screen, and delays and merges the others, so that each is seen.
    Pure.

    `now` is in seconds of a monotonic clock.
    """

    def __init__(self) -> None:
        self._began = float("-inf")
        self._shown = 0
        self._held: list[Toast] = []

    def take(self, toasts: Iterable[Toast], now: float, most: int = SHOWN) -> list[Toast]:
        """The toasts to show now, at most `most`; call it also without new toasts, as delayed ones become due."""
        kinds = _alike([*self._held, *toasts]) if self._held else [[toast] for toast in toasts]
        self._held = []
        if now - self._began >= WINDOW:
            self._shown = 0
        ready: list[Toast] = []
        for found in kinds:
            if self._shown >= most:
                self._held += found
                continue
            if not self._shown:
                self._began = now
            self._shown += 1
            ready.append(_one(found))
        return ready


def _alike(toasts: Iterable[Toast]) -> list[list[Toast]]:
    kinds: dict[tuple[str, Severity], list[Toast]] = {}
    for toast in toasts:
        kinds.setdefault((toast.title, toast.severity), []).append(toast)
    return list(kinds.values())


def _one(found: list[Toast]) -> Toast:
    """Merge toasts of one kind."""
    if len(found) == 1:
        return found[0]
    names = [plain(toast.task) or toast.text for toast in found]
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    title = f"{found[0].title} ({len(found)})".strip()
    return Toast(title, shorten(", ".join(names[:_NAMED]) + more, _WIDTH), found[0].severity)


class Weight(IntEnum):
    """The rank of a notice: an answer to a key, news, or a task that needs approval or has failed."""

    ANSWER = 0
    NEWS = 1
    LASTING = 2


def weight(notice: Notification) -> Weight:
    """The rank of a notice."""
    if not notice.title:
        return Weight.ANSWER
    lasting = notice.severity == "error" or notice.title.startswith(_NEEDS_YOU)
    return Weight.LASTING if lasting else Weight.NEWS


def making_way(new: Notification, shown: Sequence[Notification]) -> list[Notification]:
    """The shown toasts (oldest first) that `new` replaces: the same text, an older answer, and the oldest news if there
    is too much."""
    gone = [
        n
        for n in shown
        if (n.title, n.message) == (new.title, new.message) or weight(n) is weight(new) is Weight.ANSWER
    ]
    if weight(new) is Weight.ANSWER:
        return gone
    news = [n for n in shown if n not in gone and weight(n) is not Weight.ANSWER]
    return gone + news[: max(0, len(news) - SHOWN + 1)]


def sequence(how: str, toast: Toast, *, tmux: bool = False) -> str:
    """The control sequence that notifies the terminal, as `NOVA_NOTIFY` says; empty for other values.

    tmux does not pass the sequence on unless it is wrapped (tmux(1), allow-passthrough).
    """
    text = shorten(f"{toast.title}: {toast.text}", 120).replace(";", ",")
    if how == "bell":
        return "\x07"
    found = {"osc9": f"\x1b]9;{text}\x07", "osc777": f"\x1b]777;notify;Nova;{text}\x07"}.get(how, "")
    return "\x1bPtmux;" + found.replace("\x1b", "\x1b\x1b") + "\x1b\\" if tmux and found else found
