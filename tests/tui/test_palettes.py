"""Colours on terminals with few of them, and text in logs that can be read."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.color import Color
from rich.color_triplet import ColorTriplet
from rich.style import Style
from textual._ansi_theme import ALABASTER, MONOKAI
from textual.color import Color as Background
from textual.theme import BUILTIN_THEMES

from nova_core.runs.words import Shown
from nova_tui import themes
from nova_tui.glyphs import style_of
from nova_tui.palettes import OURS, THEIRS, contrast, legible, nearest, readable

COLORS = [
    "default",
    "red",
    "blue",
    "yellow",
    "bright_white",
    "color(17)",
    "color(231)",
    "#500000",
    "#ffffc8",
    "#777777",
]
BASES = {
    "dark": (Style.parse("#dfe4ea on #14171a"), MONOKAI),
    "light": (Style.parse("#1c2127 on #fafbfb"), ALABASTER),
}


@pytest.mark.parametrize("base", BASES)
def test_the_text_of_a_log_can_be_read(base: str) -> None:
    """On any background a worker chooses, on both themes: 4.5 if it left the text to Nova, else at least 3."""
    colors, theme = BASES[base]
    for more, ink, ground in product(("", "dim ", "reverse "), COLORS, COLORS):
        words = f"{more}{ink if ink != 'default' else ''} {f'on {ground}' if ground != 'default' else ''}".strip()
        style = readable(Style.parse(words or "none"), colors, theme)
        assert style.color is not None
        assert style.bgcolor is not None
        front = style.color.get_truecolor(theme)
        back = style.bgcolor.get_truecolor(theme, foreground=False)
        least = OURS if ink == "default" and more != "dim " else THEIRS
        assert contrast(front, back) >= least - 0.01, words


def test_what_can_be_read_stays() -> None:
    """As the worker wrote it."""
    base, theme = BASES["dark"]
    assert readable(Style.parse("bold green"), base, theme) == base + Style.parse("bold green")
    assert readable(Style.parse("blue"), Style.null(), theme) == Style.parse("blue")


@given(st.integers(0, 255))
def test_greys_stay_grey_among_256_colors(part: int) -> None:
    """None becomes navy."""
    found = Color.from_ansi(nearest(ColorTriplet(part, part, min(255, part + 8)))).get_truecolor()
    assert max(found) - min(found) <= 40


@pytest.mark.parametrize("theme", [themes.DARK, themes.LIGHT], ids=lambda theme: theme.name)
def test_the_colors_of_the_themes_keep_their_meaning_among_256(theme: object) -> None:
    """Each is drawn in a colour of its own, and the text stays readable."""
    named = {
        name: getattr(theme, name) for name in ("primary", "error", "success", "warning", "foreground", "background")
    }
    drawn = {name: nearest(Color.parse(value).get_truecolor()) for name, value in named.items()}
    assert len(set(drawn.values())) == len(drawn)
    ground = Color.from_ansi(drawn["background"]).get_truecolor()
    assert contrast(Color.from_ansi(drawn["foreground"]).get_truecolor(), ground) >= OURS
    assert all(
        contrast(Color.from_ansi(n).get_truecolor(), ground) >= THEIRS for k, n in drawn.items() if k != "background"
    )


@pytest.mark.parametrize("name", [name for name, theme in {**themes.OURS, **BUILTIN_THEMES}.items() if not theme.ansi])
def test_each_state_can_be_read_in_each_theme(name: str) -> None:
    """On every ground: the header, the tree and the log; what can be read already stays."""
    before = {**themes.OURS, **BUILTIN_THEMES}[name].to_color_system().generate()
    better = legible(before)
    after = {**before, **better}
    grounds = [Background.parse(after[ground]) for ground in ("background", "surface", "panel")]
    for style in {style_of(shown).split("$")[-1] for shown in Shown}:
        ink = Background.parse(after[style])
        for ground in grounds:
            drawn = ground.blend(ink, ink.a)
            assert contrast(ColorTriplet(*drawn.rgb), ColorTriplet(*ground.rgb)) >= OURS - 0.01, (style, ground)
    assert legible(after) == {}
    if name == "nova-dark":
        assert better == {}
