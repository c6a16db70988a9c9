"""The line of news: what happened last and the answer to a key, without covering a row."""

from __future__ import annotations

import pytest
from app_kit import answer, at, beat, opened, settled
from fake_source import FakeSource, demo_source
from look import screen_text

from nova_core.runs.words import Shown
from nova_core.state.events import Event, EventKind
from nova_core.state.schema import TaskStatus
from nova_core.watch.source import Notice
from nova_tui.news import ANSWER, FRESH, Item, News, merged, of_event, of_notice
from nova_tui.views import news as view

FAILED = Item("boom", "failed", "05:12", "B1", "error", Shown.FAILED)
MILESTONE = Item("half way", at="05:11", milestone=True)


def test_the_two_newest_are_kept_and_an_answer_stands_before_them_for_a_time() -> None:
    """A new answer replaces the older one."""
    news = News()
    news.tell([Item("old"), MILESTONE, FAILED], 10.0)
    assert news.items == [FAILED, MILESTONE]
    news.answer(Item("one"), 11.0)
    news.answer(Item("two"), 12.0)
    assert news.answered == Item("two")
    assert not news.expire(12.0 + ANSWER - 0.1)
    assert news.expire(12.0 + ANSWER)
    assert news.answered is None
    assert news.items == [FAILED, MILESTONE]
    assert news.is_fresh(12.0 + FRESH - 0.1)
    assert not news.is_fresh(12.0 + FRESH)


def test_an_engine_that_runs_ends_the_news_that_none_does() -> None:
    """Also the answer that says so; what has happened stays."""
    news = News()
    news.tell([FAILED, Item("p continues", "no engine running", until_engine=True)], 1.0)
    news.answer(of_notice(Notice(True, "B1 will run again", idle=True)), 2.0)
    news.engine_runs()
    assert (news.items, news.answered) == ([FAILED], None)
    rev = news.rev
    news.engine_runs()
    assert news.rev == rev


def test_many_of_a_kind_become_one() -> None:
    """It names the first ones; two stay apart, and so do milestones."""
    failed = [Item("boom", "failed", "05:12", f"T{n}", "error", Shown.FAILED) for n in range(9)]
    assert merged(failed[:2]) == failed[:2]
    assert [item.said for item in merged([*failed, MILESTONE])] == [
        "9 failed: T0, T1, T2, T3, T4, T5 and 3 more", "half way",
    ]  # fmt: skip


@pytest.mark.parametrize(("blocks", "said"), [(0, "A failed: exit code 3"), (5, "A failed: no; blocks 5 tasks")])
def test_a_failure_says_why_and_how_many_it_blocks(blocks: int, said: str) -> None:
    """The reason is the known one, else that of the event; a failure that blocks nothing does not mention it."""
    patch = {"reason": "exit_code", "error": "exit code 3", **({"blocks": blocks} if blocks else {})}
    item = of_event(Event(1, "", EventKind.TASK_FAILED, "A", "A failed", patch), "no" if blocks else "", "05:12")
    assert item is not None
    assert item.said == said


@pytest.mark.parametrize("width", [200, 120, 80, 60, 40, 12])
@pytest.mark.parametrize("rule", [False, True])
def test_the_line_is_never_wider_than_the_screen(width: int, rule: bool) -> None:
    """However much is said; the newest comes first."""
    news = News()
    news.tell([MILESTONE, Item("x" * 300, "failed", "05:12", "B1", "error", Shown.FAILED)], 0.0)
    line = view.draw(news, width, rule=rule)
    assert line.cell_length <= width
    assert "05:12"[: width - 4] in line.plain
    news.answer(Item("2 workers"), 0.0)
    assert "2 workers"[: width - 6] in view.draw(news, width, rule=rule).plain


def test_the_line_names_the_key_for_all_events() -> None:
    """And shows two items where they fit."""
    news = News()
    news.tell([MILESTONE, FAILED], 0.0)
    text = view.draw(news, 80).plain
    assert text.startswith("─ 05:12 ✗ B1 failed: boom · 05:11 ★ half way ──")
    assert text.endswith("── e events ─")
    assert "half way" not in view.draw(news, 40).plain


@pytest.mark.parametrize("key", ["t", "L", "enter"])
async def test_news_and_answers_are_above_the_keys_of_every_screen(key: str) -> None:
    """Nothing is laid over the rows."""
    source = FakeSource(demo_source().cascade)
    async with opened(source, (100, 30)) as (app, pilot):
        at(app, "P1")
        await pilot.press(key)
        await settled(pilot)
        before = screen_text(app).splitlines()
        source.change("E1", EventKind.TASK_FAILED, status=TaskStatus.FAILED, error="boom")
        source.notify(True, "5 workers")
        beat(app)
        await settled(pilot)
        after = screen_text(app).splitlines()
        assert "5 workers · " in after[-2]
        assert "E1 failed: boom" in after[-2]
        assert [row for row in range(2, 28) if before[row] != after[row] and "boom" in after[row]] == []


async def test_a_low_screen_shows_news_in_the_place_of_the_keys_for_some_seconds() -> None:
    """Then the keys return."""
    source = FakeSource(demo_source().cascade)
    async with opened(source, (40, 10)) as (app, pilot):
        source.change("E1", EventKind.TASK_FAILED, status=TaskStatus.FAILED, error="boom")
        beat(app)
        await settled(pilot)
        assert "E1 failed: boom" in screen_text(app).splitlines()[-1]
        app.news._told = app.news._answered = float("-inf")
        beat(app)
        await settled(pilot)
        assert "? keys" in screen_text(app).splitlines()[-1]


async def test_a_notice_of_a_widget_is_an_answer() -> None:
    """With its title, as clean text; nothing is laid over the rows."""
    async with opened(demo_source()) as (app, pilot):
        app.main.tasks.notify("no \x1b[31m[b]", title="Oh", severity="warning")
        await settled(pilot)
        assert answer(app) == "Oh: no [b]"
        assert "Oh: no [b]" in screen_text(app).splitlines()[-2]


def test_a_pause_is_news_until_it_is_over() -> None:
    """The word would otherwise stand there while tasks start again."""
    news = News()
    paused = of_event(Event(1, "", EventKind.RUN_PAUSED, None, "paused: no new tasks will start"), "", "12:00")
    resumed = of_event(Event(2, "", EventKind.RUN_RESUMED, None, "resumed"), "", "12:01")
    assert paused is not None
    assert resumed is not None
    assert paused.said == "paused: no new tasks will start"
    news.tell([paused], 0.0)
    assert news.items == [paused]
    news.tell([resumed], 1.0)
    assert news.items == []
