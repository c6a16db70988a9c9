"""The border between the tree and the log."""

from __future__ import annotations

from pathlib import Path

from app_kit import opened, settled
from fake_source import demo_source
from textual.pilot import Pilot

from nova_tui.choice import QuitChoice
from nova_tui.screens.divided import Width


async def drag(pilot: Pilot[QuitChoice], start: tuple[int, int], end: tuple[int, int]) -> None:
    """Press the button, move, release."""
    await pilot.mouse_down(offset=start)
    await pilot.hover(offset=end)
    await pilot.mouse_up(offset=end)
    await settled(pilot)


async def test_the_border_is_dragged_and_kept(tmp_path: Path) -> None:
    """In both layouts, within limits; a click still changes the share; the other keys keep working."""
    async with opened(demo_source(tmp_path), (160, 40)) as (app, pilot):
        side, detail, tree = app.main.query_one("#side"), app.main.detail, app.main.tasks
        y = side.region.y + 5
        await drag(pilot, (side.region.x, y), (60, y))
        assert side.region.x == 60
        await drag(pilot, (60, y), (2, y))
        assert tree.region.width == 160 * 15 // 100
        await pilot.resize_terminal(100, 40)
        await settled(pilot)
        top = detail.region.y
        await drag(pilot, (10, top), (10, top - 6))
        assert abs(detail.region.y - (top - 6)) <= 1
        assert (app.main.width, app.screen.selections) == (Width.HALF, {})
        kept = app.settings.kept
        assert (kept.tree_columns, 0 < kept.tree_rows < 60) == (15, True)
        await pilot.click(offset=(10, detail.region.y))
        assert app.main.width is Width.LOG
        await pilot.resize_terminal(160, 40)
        await pilot.press("z", "z")
        await settled(pilot)
        assert tree.region.width == 160 * 15 // 100
