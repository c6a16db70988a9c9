"""What was chosen in the interface is there at the next start, and is never a reason to fail."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from app_kit import at, opened, settled
from fake_source import demo_source
from look import screen_text

from nova_tui import themes
from nova_tui.rows import Filter, Order
from nova_tui.screens.divided import Width
from nova_tui.settings import Kept, Settings
from nova_tui.views.members import Place


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of an app that starts now."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "nova" / "tui.json"


@pytest.mark.parametrize("content", [b"", b"[1]", b"{", b"\xff", b'{"theme": 3}', b"[" * 100_000, b'{"closed": 1}'])
def test_a_file_with_something_else_means_the_usual_choices(content: bytes, tmp_path: Path) -> None:
    """And is replaced by the next choice."""
    path = tmp_path / "tui.json"
    path.write_bytes(content)
    settings = Settings(path)
    assert settings.kept == Kept()
    settings.keep(order="longest first")
    assert Settings(path).kept == Kept(order="longest first")


def test_a_file_that_cannot_be_written_is_no_problem(tmp_path: Path) -> None:
    """The choice lasts as long as the process."""
    tmp_path.joinpath("nova").write_text("not a folder")
    settings = Settings(tmp_path / "nova" / "tui.json")
    settings.keep_width("plan", "log")
    assert settings.kept.widths == {"plan": "log"}


def test_two_processes_keep_the_choices_of_each_other(tmp_path: Path) -> None:
    """Only what was chosen is replaced; only the owner may read it."""
    path = tmp_path / "a" / "tui.json"
    one, two = Settings(path), Settings(path)
    one.keep(theme="dracula")
    two.keep_closed("plan", {Place("core"), Place("core", "parser")})
    assert Settings(path).kept.theme == "dracula"
    assert set(Settings(path).closed("plan") or ()) == {Place("core"), Place("core", "parser")}
    assert Settings(path).closed("other") is None
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_closed_branches_of_many_plans_are_not_kept_for_ever(tmp_path: Path) -> None:
    """The last fifty."""
    settings = Settings(tmp_path / "tui.json")
    for number in range(60):
        settings.keep_closed(f"plan {number}", {Place("core")})
        settings.keep_width(f"plan {number}", "log")
    assert list(settings.kept.widths) == list(settings.kept.closed)
    assert list(settings.kept.closed) == [f"plan {number}" for number in range(10, 60)]


@pytest.mark.parametrize(
    ("name", "environ", "kept", "chosen"),
    [
        (None, {}, "dracula", "dracula"), ("light", {}, "dracula", "nova-light"),
        (None, {"NO_COLOR": "1"}, "dracula", "nova-ansi"), (None, {"SSH_CONNECTION": "x"}, "dracula", "dracula"),
        (None, {"SSH_CONNECTION": "x"}, "no such theme", "nova-ansi"), (None, {}, "no such theme", "nova-dark"),
        (None, {"NOVA_THEME": "light"}, "dracula", "nova-light"),
    ],
)  # fmt: skip
def test_a_request_precedes_the_kept_theme(name: str | None, environ: dict[str, str], kept: str, chosen: str) -> None:
    """So does NO_COLOR; a theme that is gone is forgotten."""
    assert themes.choose(name, {"COLORTERM": "truecolor", **environ}, kept) == chosen


async def test_choices_are_there_at_the_next_start(file: Path) -> None:
    """Theme, order, width of the log, wrapping and closed branches; escape and `ctrl+w` bring back what is hidden."""
    async with opened(demo_source()) as (app, pilot):
        app.theme = "dracula"
        at(app, "P1")
        await pilot.press("h", "space")
        await settled(pilot)
        assert app.main.tasks.folds.closed
        closed = set(app.main.tasks.folds.closed)
        await pilot.press("o", "z", "w")
        await settled(pilot)
    assert file.exists()
    async with opened(demo_source()) as (app, pilot):
        await settled(pilot)
        main = app.main
        assert (app.theme, main.tasks.order, main.width) == ("dracula", Order.TIME, Width.LOG)
        assert main.tasks.folds.closed == closed
        assert not main.pane.view.wrap
        assert app.focused is main.pane.view
        assert "esc plan and log" in screen_text(app).splitlines()[-1]
        await pilot.press("escape")
        await settled(pilot)
        assert [main.width.value, app.focused] == ["half", main.tasks]
        assert "esc" not in screen_text(app).splitlines()[-1]
        for width in (Width.LOG, Width.HALF):
            await pilot.press("z" if width is Width.LOG else "ctrl+w")
            await settled(pilot)
            assert main.width is width
        await pilot.press("z", "z")
        await settled(pilot)
        main.tasks.show_only(Filter.FAILED)
        for kept in ("tree", "half"):
            await pilot.press("escape")
            assert [main.tasks.only, main.width.value] == [Filter.ALL, kept]
        await pilot.press("z")
    async with opened(demo_source(file.parent)) as (app, _):
        assert app.main.width is Width.HALF  # another project
