"""Draws the pictures of the interface from the scripted run of the tests: an SVG and a PNG for each, here."""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

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
    "two-logs": ((150, 40), ("1", "equals_sign")),
    "task": (LARGE, ("slash", *"sessions", "enter", "enter")),
    "log": (LARGE, ("1", "L")),
    "longest-80": (SMALL, ("o",)),
    "themes-80": (SMALL, ("T",)),
    "timeline": (LARGE, ("t",)),
    "dependencies": (LARGE, ("d",)),
    "events": (LARGE, ("e",)),
    "cost": (LARGE, ("dollar_sign",)),
    "summary": (LARGE, ("S",)),
    "keys": (LARGE, ("question_mark",)),
    "quit-80": (SMALL, ("q",)),
}
# What the agent of the pictures prints: what it says, or a tool, what it is given and what it gets.
SAID: Sequence[str | tuple[str, dict[str, str], str]] = (
    "Workers need sessions of their own. I read the loop first.",
    ("Read", {"file_path": "src/loop.py"}, "class Loop:\n    def start(self) -> None:\n        spawn(self.command)"),
    "The loop owns the run; workers are started in `start`. I write the pool.",
    ("Edit", {"file_path": "src/pool.py"}, "The file src/pool.py has been updated."),
    ("Bash", {"command": "pytest -q tests/test_pool.py"},
     "\x1b[31mF\x1b[0m....\n\x1b[31mAssertionError: worker 3 is in the session of its parent\x1b[0m"),
    "`setsid` in the child comes too late:\n\n- `start_new_session=True` instead\n- let `stop` end the whole session",
    ("Edit", {"file_path": "src/pool.py"}, "The file src/pool.py has been updated."),
    ("Edit", {"file_path": "tests/test_pool.py"}, "The file tests/test_pool.py has been updated."),
    ("Bash", {"command": "pytest -q"}, "\x1b[32m52 passed\x1b[0m in 8.41s"),
    ("Bash", {"command": 'nova report --percent 70 --step "tests pass, docs next"'}, "ok"),
)  # fmt: skip


def log() -> str:
    """The same as Claude Code prints it."""
    lines: list[dict[str, Any]] = [{"type": "system", "subtype": "init", "model": "claude-sonnet-4-5"}]
    for said in SAID:
        if isinstance(said, str):
            lines.append({"type": "assistant", "message": {"role": "assistant", "content": [block(said)]}})
            continue
        tool, given, got = said
        used = {"type": "tool_use", "name": tool, "input": given}
        lines.append({"type": "assistant", "message": {"role": "assistant", "content": [used]}})
        lines.append({"type": "user", "message": {"content": [{"type": "tool_result", "content": got}]}})
    return "".join(f"{json.dumps(line)}\n" for line in lines)


def block(words: str) -> dict[str, str]:
    """A block of text."""
    return {"type": "text", "text": words}


async def picture(size: tuple[int, int], keys: Sequence[str], look: Look = DARK) -> str:
    """The screen after these keys, as SVG."""
    with tempfile.TemporaryDirectory() as folder:
        source = demo_source(Path(folder))
        source.project.latest_log("E2").write_text(log())
        source.project.latest_log("P4").write_text(
            "FAILED test_fuzz.py - AssertionError: plan 4,711 lost a dependency\n"
        )
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
