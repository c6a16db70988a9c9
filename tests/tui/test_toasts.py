"""Notices: what is shown, how many at once, and which parts of the screen they leave free."""

from __future__ import annotations

import pytest
from app_kit import at, beat, opened, settled
from fake_source import FakeSource, demo_source
from look import screen_text

from nova_core.state.events import Event, EventKind
from nova_core.state.schema import TaskStatus
from nova_tui.toasts import WINDOW, Toast, Toaster, of_event


def test_many_failures_share_one_toast() -> None:
    """The first two are shown at once, the others together after a short time: none disappears before it was seen."""
    toaster = Toaster()
    failed = [Toast("Failed", "boom", "error", f"T{n}") for n in range(6)]
    assert toaster.take(failed, 10.0) == failed[:2]
    assert toaster.take([], 10.0 + WINDOW / 2) == []
    assert toaster.take([], 10.0 + WINDOW) == [Toast("Failed (4)", "T2, T3, T4, T5", "error")]
    assert toaster.take(failed[:1], 10.0 + WINDOW) == failed[:1]


@pytest.mark.parametrize("most", [1, 2])
def test_each_kind_of_news_has_its_own_interval(most: int) -> None:
    """However many arrive at once, no more are shown at a time than fit on the screen; all of them are shown in the
    end."""
    toaster = Toaster()
    kinds = [Toast(title, "text") for title in ("Failed", "Needs you", "Milestone", "Provider", "Complete")]
    shown = [toaster.take(kinds * 2 if not n else [], 10.0 + n * WINDOW / 2, most) for n in range(12)]
    assert all(len(found) <= most for found in shown)
    assert not any(shown[1::2])
    assert {toast.title.partition(" (")[0] for found in shown for toast in found} == {toast.title for toast in kinds}


@pytest.mark.parametrize(("blocks", "said"), [(0, "A: exit code 3"), (5, "A: exit code 3; blocks 5 tasks")])
def test_the_toast_of_a_failure_says_how_many_it_blocks(blocks: int, said: str) -> None:
    """However long its error; a failure that blocks nothing does not mention it."""
    patch = {"reason": "exit_code", "error": "exit code 3", **({"blocks": blocks} if blocks else {})}
    toast = of_event(Event(1, "", EventKind.TASK_FAILED, "A", "A failed", patch))
    assert toast is not None
    assert toast.text == said
    long = of_event(Event(1, "", EventKind.TASK_FAILED, "A", "", {**patch, "error": "x" * 1000}))
    assert long is not None
    assert long.text.endswith("; blocks 5 tasks") == bool(blocks)


async def failing(task: str, width: int, *keys: str) -> str:
    """What is shown when `task` fails while the cursor is on P1."""
    source = FakeSource(demo_source().cascade)
    async with opened(source, (width, 30)) as (app, pilot):
        at(app, "P1")
        await settled(pilot)
        await pilot.press(*keys)
        source.change(task, EventKind.TASK_FAILED, status=TaskStatus.FAILED, error="boom")
        beat(app)
        await settled(pilot)
        return screen_text(app)


@pytest.mark.parametrize("width", [80, 120])
async def test_a_failure_is_shown_as_a_toast_above_the_tree(width: int) -> None:
    """With the task and its reason, where it covers neither the log nor the keys."""
    lines = (await failing("E1", width)).splitlines()
    found = [number for number, text in enumerate(lines) if "E1: boom" in text]
    assert found
    assert found[0] < 5
    assert lines[found[0]].index("E1: boom") < (72 if width == 120 else 80)


async def test_a_failure_in_view_needs_no_toast() -> None:
    """The row, the reason and the log of the task are in view."""
    text = await failing("P1", 120)
    assert "P1: boom" not in text
    assert "failed: boom" in text


@pytest.mark.parametrize("key", ["question_mark", "q"])
async def test_no_toast_lies_over_help_or_a_question(key: str) -> None:
    """It appears when that is closed."""
    assert "E1: boom" not in await failing("E1", 80, key)


async def test_only_a_few_toasts_are_shown_at_once() -> None:
    """The newest."""
    async with opened(demo_source()) as (app, pilot):
        app.clear_notifications()
        for number in range(6):
            app.notify(f"toast {number}", title="Milestone")
        await settled(pilot)
        text = screen_text(app)
        assert [n for n in range(6) if f"toast {n}" in text] == [4, 5]


async def test_answers_replace_each_other_but_no_failure() -> None:
    """Nor do milestones replace a question; the same text never appears twice."""
    source = FakeSource(demo_source().cascade)
    async with opened(source) as (app, pilot):
        at(app, "P1")
        await settled(pilot)
        app.clear_notifications()
        source.change("E1", EventKind.TASK_FAILED, status=TaskStatus.FAILED, error="boom")
        source.change("E2", EventKind.TASK_WAITING, approval="waiting")
        for number in (5, 6, 7):
            source.notify(True, f"{number} workers")
            beat(app)
            await settled(pilot)
        shown = [n.message.split(":")[0].split(" needs ")[0] for n in app._notifications]
        assert shown == ["E1", "E2", "7 workers"]
        for _ in range(2):
            app.notify("said", title="Milestone")
            await settled(pilot)
        assert [n.message.split(" needs ")[0] for n in app._notifications if n.title] == ["E2", "said"]


async def test_a_long_notice_is_cut_to_a_few_lines_and_never_shown_twice() -> None:
    """The events hold the whole text."""
    source = FakeSource(demo_source().cascade)
    async with opened(source, (80, 24)) as (app, pilot):
        app.clear_notifications()
        text = "a cause with many words of its own " * 20
        for _ in range(2):
            source.feed(Event(9, "", EventKind.WARNING, None, text))
            beat(app)
            await settled(pilot)
        shown = screen_text(app)
        assert shown.count("Warning") == 1
        assert "a cause with many" in shown
        assert 2 <= shown.count("▌") <= 5, shown


async def test_a_notice_that_goes_takes_its_line_along() -> None:
    """The next one is at the top, whole."""
    async with opened(demo_source()) as (app, pilot):
        app.clear_notifications()
        for number in range(4):
            app.notify("word " * 20, title=f"Milestone {number}")
            await settled(pilot)
        rows = [row for row in screen_text(app).splitlines() if "▌" in row]
        assert "Milestone 2" in rows[0]
        assert "Milestone 3" in rows[len(rows) // 2]
        assert rows[-1].count("word") > 1


async def test_a_small_screen_has_one_notice_of_one_line_and_the_keys() -> None:
    """There, too, an answer does not replace a failure."""
    async with opened(FakeSource(demo_source().cascade), (40, 10)) as (app, pilot):
        for title, severity in (("Milestone", "information"), ("Failed", "error"), ("", "information")):
            app.notify("boom " * 20, title=title, severity=severity)  # type: ignore[arg-type]
            await settled(pilot)
        text = screen_text(app)
        assert text.count("▌") == 1
        assert "Failed: boom boom" in text.splitlines()[1]
        assert "? Help" in text.splitlines()[-1]
