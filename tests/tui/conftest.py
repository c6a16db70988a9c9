"""Text goldens: what a screen or a view shows, with a letter per style and a legend, as a reviewable file."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import resting
import styling
from log_kit import log_of, numbered
from look import Golden

from nova_tui.glyphs import use_ascii

GOLDEN = Path(__file__).with_name("golden")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`pytest tests/tui --update-golden` writes the goldens again."""
    parser.addoption("--update-golden", action="store_true", help="write the text goldens again")


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run tests that are coroutines, each in an event loop of its own."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    asyncio.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
    return True


@pytest.fixture(autouse=True)
def steady(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Local time is UTC, colours are on, nothing moves by itself, and pilots wait for the app, not for the machine.

    A signal to the tests, such as one from timeout(1), ends the tests: an app that took it would end instead, and the
    keys of one test would be lost.
    """
    resting.install(monkeypatch)
    styling.install(monkeypatch)
    monkeypatch.setattr("nova_tui.app._ENDING", ())
    for name in ("NO_COLOR", "SSH_CONNECTION", "TEXTUAL_THEME", "NOVA_ASCII"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TEXTUAL_ANIMATIONS", "none")
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.setenv("XDG_STATE_HOME", "/dev/null")  # no test sees what another one chose
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    use_ascii(False)
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """`golden(name, text)`: the text must be that of `golden/<name>.txt`."""

    def check(name: str, text: str) -> None:
        path = GOLDEN / f"{name}.txt"
        text = text.rstrip("\n") + "\n"
        if request.config.getoption("--update-golden", default=False):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
            return
        assert path.exists(), f"{path.name} is missing: run pytest tests/tui --update-golden, and read it"
        assert text.splitlines() == path.read_text(encoding="utf-8").splitlines(), f"{path.name} differs"

    return check


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log of a hundred lines."""
    path = log_of(tmp_path)
    path.write_bytes(numbered(1, 100))
    return path
