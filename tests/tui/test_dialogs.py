"""The questions: their text leaves room for the answers."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from app_kit import opened, settled
from fake_source import demo_source
from look import screen_text
from sampling import some

from nova_tui.screens.ask import AskScreen
from nova_tui.screens.confirm import ConfirmScreen
from nova_tui.screens.dialog import Dialog
from nova_tui.screens.quit import QuitScreen
from nova_tui.screens.rerun import RerunScreen

LONG = "a-very-long-name-of-a-task-" + "x" * 37
THREE = ["F1 (Build the parser)", "F2 (Write the compiler)", "F3 (Check the linker)"]
QUESTIONS: dict[str, Callable[[], Dialog[Any]]] = {
    "three workers": lambda: QuitScreen(lambda: THREE),
    "nine workers": lambda: QuitScreen(lambda: THREE * 3),
    "a long id": lambda: QuitScreen(lambda: [f"{LONG} ({LONG} {LONG})"]),
    "no worker": lambda: QuitScreen(list),
    "confirm": lambda: ConfirmScreen(f"Cancel {LONG}?", [f"{name} is stopped, then killed" for name in THREE]),
    "rerun": lambda: RerunScreen(LONG, "Build", [LONG, *THREE]),
    "ask": lambda: AskScreen(f"Why is {LONG} {LONG} {LONG} {LONG} rejected?", hint="optional"),
}
ANSWERS = {
    "confirm": ["y or enter", "n or esc"],
    "rerun": ["a, enter", "y   ", "n, esc"],
    "ask": ["enter done", "esc cancel"],
}
WAYS = ["l    leave", "s    stop", "k    kill", "esc  stay"]


@pytest.mark.parametrize("size", some(["40x10", "60x12", "80x24"], "40x10"))
async def test_the_answers_are_always_shown(size: str) -> None:
    """However long the names above them, on the smallest screen too; the first words of the question stay."""
    width, height = map(int, size.split("x"))
    async with opened(demo_source(), (width, height)) as (app, pilot):
        for name, question in QUESTIONS.items():
            dialog = question()
            await app.push_screen(dialog)
            await settled(pilot)
            text = screen_text(app)
            first = dialog.said(60, 20)[0].plain.split()[0]
            assert [way for way in (*ANSWERS.get(name, WAYS), first, "╭", "╰") if way not in text] == [], text
            app.pop_screen()
            await settled(pilot)


async def test_the_question_of_q_says_how_many_it_does_not_name() -> None:
    """The names that are cut off are counted."""
    async with opened(demo_source(), (40, 10)) as (app, pilot):
        await app.push_screen(QuitScreen(lambda: THREE * 3))
        await settled(pilot)
        assert "9 workers are running. Quit?" in screen_text(app)
        words = " ".join(re.sub("[│┃▾]", " ", screen_text(app)).split())
        assert "F1 (Build the parser) and 8 more" in words


async def test_a_wrong_text_leaves_the_keys_in_view() -> None:
    """The error replaces the hint."""
    async with opened(demo_source(), (40, 10)) as (app, pilot):
        await app.push_screen(AskScreen("How many?", hint="Now 4.", check=lambda _: "a number above zero"))
        await pilot.press("enter")
        await settled(pilot)
        text = screen_text(app)
        assert "a number above zero" in text
        assert "esc cancel" in text
