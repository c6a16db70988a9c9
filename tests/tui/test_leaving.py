"""How the interface is left: by keys, with and without running workers, and by signals."""

from __future__ import annotations

import asyncio
import signal

import pytest
from app_kit import beat, drive, opened, settled
from fake_source import demo_source
from look import screen_text
from sampling import some

from nova_core.watch.source import EngineState
from nova_tui.app import QuitChoice
from nova_tui.screens.quit import QuitScreen


@pytest.mark.parametrize(("key", "choice"), [("l", QuitChoice.LEAVE), ("s", QuitChoice.STOP), ("k", QuitChoice.KILL)])
def test_quitting_asks_while_the_engine_runs(key: str, choice: QuitChoice) -> None:
    """Leave the workers, stop them or kill them."""
    assert drive(demo_source(), "q", key).return_value is choice


async def test_the_question_of_q_ends_with_the_run() -> None:
    """It lists what is running; choices that no longer apply disappear; the header is still updated."""
    source = demo_source()
    async with opened(source, (80, 24)) as (app, pilot):
        await pilot.press("q")
        await settled(pilot)
        assert "still running: E2 (Worker pool), E5 (Publish snapshots), W1 (Layout)" in screen_text(app)
        source.turn(EngineState.FINISHED)
        beat(app)
        assert isinstance(app.screen, QuitScreen)
        app.screen.renew()
        await settled(pilot)
        text = screen_text(app)
        assert "The run has ended." in text
        assert "stop them" not in text
        assert "FAILED" in text.splitlines()[0]


@pytest.mark.parametrize("key", some(["q", "l", "s"], "l"))
async def test_keys_that_leave_also_leave_when_the_run_has_just_ended(key: str) -> None:
    """The question may change before the key is pressed."""
    source = demo_source()
    async with opened(source) as (app, pilot):
        await pilot.press("q")
        await settled(pilot)
        source.turn(EngineState.FINISHED)
        await pilot.press(key)
        await settled(pilot)
        assert app._exit
    assert app.return_value is None


async def test_a_second_q_neither_leaves_nor_stays() -> None:
    """It lists the keys."""
    async with opened(demo_source(), (80, 24)) as (app, pilot):
        await pilot.press("q", "q")
        await settled(pilot)
        assert isinstance(app.screen, QuitScreen)
        assert "press l, s, k or esc" in screen_text(app)


def test_quitting_does_not_ask_when_it_is_over() -> None:
    """Nothing depends on this process then."""
    source = demo_source()
    source.turn(EngineState.FINISHED)
    app = drive(source, "q")
    assert app.return_value is None
    assert app.screen_then is app.main  # type: ignore[attr-defined]


@pytest.mark.parametrize("number", some([signal.SIGTERM, signal.SIGHUP, signal.SIGINT], signal.SIGTERM))
def test_a_signal_ends_the_app_and_is_remembered(number: signal.Signals, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program that started it decides about the workers."""
    monkeypatch.setattr("nova_tui.app._ENDING", (number,))  # other tests leave signals to pytest

    async def run() -> int | None:
        async with opened(demo_source()) as (app, pilot):
            signal.raise_signal(number)
            await settled(pilot)
            return app.ended_by

    assert asyncio.run(run()) == number
