"""Draws the pictures of the interface from the scripted run of the tests: an SVG and a PNG for each, here."""

from __future__ import annotations

import asyncio
import io
import os
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "kits")]

import resvg_py  # noqa: E402
from app_kit import opened, settled  # noqa: E402
from fake_source import demo_source  # noqa: E402
from matplotlib import get_data_path  # noqa: E402
from PIL import Image  # noqa: E402

from nova_tui.choice import Look  # noqa: E402

FONTS = Path(get_data_path(), "fonts", "ttf")  # a machine without fonts draws the same picture
LARGE, SMALL = (120, 40), (80, 24)
DARK = Look(theme="nova-dark")
# The main screen in each way of drawing it.
LOOKS: dict[str, tuple[Look, dict[str, str]]] = {
    "light": (Look(theme="nova-light"), {}),
    "16-colors": (Look(theme="ansi"), {}),
    "no-color": (Look(), {"NO_COLOR": "1"}),
    "ascii": (Look(ascii=True), {}),
}
PICTURES: dict[str, tuple[tuple[int, int], Sequence[str]]] = {
    "main": (LARGE, ()),
    "main-80": (SMALL, ()),
    "main-100": ((100, 50), ()),
    "main-40": ((40, 10), ()),
    **{f"main-{name}": (LARGE, ()) for name in LOOKS},
    "two-logs": ((150, 40), ("equals_sign",)),
    "task": (LARGE, ("slash", *"sessions", "enter", "enter")),
    "log": (LARGE, ("L",)),
    "timeline": (LARGE, ("t",)),
    "dependencies": (LARGE, ("d",)),
    "events": (LARGE, ("e",)),
    "cost": (LARGE, ("dollar_sign",)),
    "summary": (LARGE, ("S",)),
    "keys": (LARGE, ("question_mark",)),
    "quit-80": (SMALL, ("q",)),
}
LOG = """\
\x1b[1mclaude\x1b[0m  Worker pool: workers in sessions of their own
\x1b[36mRead\x1b[0m    src/loop.py
        118 lines; the loop owns the run, workers are started in start()
\x1b[36mRead\x1b[0m    tests/test_loop.py
\x1b[36mEdit\x1b[0m    src/pool.py
        +64 lines: Pool, Slot, spawn in a new session
\x1b[36mBash\x1b[0m    pytest -q tests/test_pool.py
        \x1b[31mF\x1b[0m....
        \x1b[31mAssertionError: worker 3 is in the session of its parent\x1b[0m
\x1b[36mEdit\x1b[0m    src/pool.py
        start_new_session=True instead of setsid() in the child
\x1b[36mBash\x1b[0m    pytest -q tests/test_pool.py
        \x1b[32m5 passed\x1b[0m in 1.20s
\x1b[36mRead\x1b[0m    src/signals.py
\x1b[36mEdit\x1b[0m    src/pool.py
        +18 lines: stop() ends the whole session, then waits
\x1b[36mEdit\x1b[0m    tests/test_pool.py
        +31 lines: a worker that starts others leaves none behind
\x1b[36mBash\x1b[0m    pytest -q
        \x1b[32m52 passed\x1b[0m in 8.41s
\x1b[36mBash\x1b[0m    nova report --percent 70 --step "tests pass, docs next"
"""


async def picture(size: tuple[int, int], keys: Sequence[str], look: Look = DARK) -> str:
    """The screen after these keys, as SVG."""
    with tempfile.TemporaryDirectory() as folder:
        source = demo_source(Path(folder))
        source.project.latest_log("E2").write_text(LOG)
        async with opened(source, size, look) as (app, pilot):
            app.clear_notifications()
            await pilot.press(*keys)
            await settled(pilot)
            app.refresh()
            await settled(pilot)
            svg = app.export_screenshot(title="nova-tui")
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)  # no page that shows it shall load fonts
    unique = re.search(r"terminal-\d+", svg)
    assert unique
    return svg.replace(unique[0], "t").replace("Fira Code, monospace", "monospace")


def as_png(svg: str) -> Image.Image:
    """The same as pixels, in as many colours as a screen has."""
    pixels = resvg_py.svg_to_bytes(
        svg_string=svg.replace("Fira Code", "DejaVu Sans Mono").replace("monospace", "DejaVu Sans Mono"),
        skip_system_fonts=True, font_dirs=[str(FONTS)], monospace_family="DejaVu Sans Mono",
    )  # fmt: skip
    return Image.open(io.BytesIO(pixels)).convert("RGB").quantize(256)


def main() -> None:
    """Draw all of them, or those whose names are given."""
    for name in ("NO_COLOR", "SSH_CONNECTION", "NOVA_THEME"):
        os.environ.pop(name, None)
    os.environ.update(TZ="UTC", COLORTERM="truecolor", XDG_STATE_HOME="/dev/null")
    wanted = sys.argv[1:] or list(PICTURES)
    for name in wanted:
        size, keys = PICTURES[name]
        look, variables = LOOKS.get(name.removeprefix("main-"), (DARK, {}))
        os.environ.update(variables)
        svg = asyncio.run(picture(size, keys, look))
        for variable in variables:
            del os.environ[variable]
        (HERE / f"{name}.svg").write_text(svg)
        as_png(svg).save(HERE / f"{name}.png", optimize=True)
        print(f"docs/pictures/{name}.svg and .png")


if __name__ == "__main__":
    main()
