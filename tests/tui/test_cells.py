"""Text takes as many cells on every terminal, and lines that are written over read as a terminal shows them."""

from __future__ import annotations

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from nova_core.text import clean
from nova_tui.ansi import plain, split_sgr
from nova_tui.cells import is_steady, steady
from nova_tui.views.line import plain as one_line


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("⚠\ufe0f ✔\ufe0e", "⚠ ✔"),
        ("1\ufe0f\u20e3", "1"),
        ("\U0001f44d\U0001f3fd", "\U0001f44d"),
        ("\U0001f3fd", "\U0001f3fd"),
        ("\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f468\U0001f469\U0001f467"),
        ("\U0001f1e9\U0001f1ea \U0001f1eb", "DE F"),
        ("\U0001f3f4\U000e0067\U000e0062\U000e007f", "\U0001f3f4"),
        ("\u1112\u1161\u11ab", "한"),
        ("葛\U000e0100", "葛"),
        ("x\u202ey", "x\ufffdy"),
    ],
)
def test_what_terminals_disagree_on_is_left_out(text: str, expected: str) -> None:
    """Variants, keycaps, skin tones, joiners and flags; direction overrides keep their mark."""
    assert one_line(text) == expected


@given(st.text())
def test_steady_text_stays(text: str) -> None:
    """Once is enough, and each character has its own cells: no cluster is wider or narrower than its parts."""
    shown = clean(steady(text))
    assert is_steady(shown)
    assert steady(shown) == shown
    assert cell_len(shown) == sum(map(cell_len, shown))


ACTS = ["\r", "\b", "\x1b[K", "\x1b[1K", "\x1b[2K", "\x1b[G", "\x1b[4G", "\x1b[2C", "\x1b[D", "\x1b[3D", "\x1b[2P",
        "\x1b[2X", "\x1b[2@", "\t"]  # fmt: skip


@given(st.lists(st.sampled_from(ACTS) | st.text("abcxyz日本", min_size=1, max_size=4), max_size=12))
def test_lines_read_as_a_terminal_shows_them(parts: list[str]) -> None:
    """Compared with another terminal."""
    screen = pyte.Screen(120, 2)
    pyte.Stream(screen).feed("".join(parts))
    shown = "".join(screen.buffer[0][x].data for x in range(120)).rstrip()
    if not {"日", "本"} & set("".join(parts)):  # pyte leaves halves of wide characters
        assert plain(split_sgr("".join(parts))).rstrip() == shown
