"""The colours: Nova's dark and light themes, and the terminal's own palette."""

from __future__ import annotations

from collections.abc import Mapping

from textual.theme import BUILTIN_THEMES, Theme

from nova_core.errors import UsageError
from nova_tui.palettes import depth

_SHARED = {"footer-key-foreground": "$accent", "block-cursor-text-style": "bold"}

DARK = Theme(
    name="nova-dark",
    primary="#4a9df0",
    secondary="#7c8cf8",
    accent="#f5a742",
    warning="#f0a63c",
    error="#f0556a",
    success="#4fc07a",
    foreground="#dfe4ea",
    background="#101214",
    surface="#14171a",
    panel="#222a32",
    dark=True,
    variables={
        **_SHARED,
        "block-cursor-background": "#0a5cad",
        "block-cursor-foreground": "#ffffff",
        "block-cursor-blurred-background": "#26405a",
        "block-cursor-blurred-foreground": "#e6edf5",
        "border": "#323c46",
    },
)
LIGHT = Theme(
    name="nova-light",
    primary="#0b5cad",
    secondary="#4b53c6",
    accent="#a85b00",
    warning="#9a5b00",
    error="#b3243c",
    success="#1e7a42",
    foreground="#1c2127",
    background="#f4f5f6",
    surface="#fafbfb",
    panel="#dfe3e8",
    dark=False,
    variables={
        **_SHARED,
        "block-cursor-background": "#0b5cad",
        "block-cursor-foreground": "#ffffff",
        "block-cursor-blurred-background": "#bcd3ea",
        "block-cursor-blurred-foreground": "#10202f",
        "border": "#b8c0c8",
    },
)


def _ansi(name: str, like: str, *, dark: bool, primary: str, accent: str, warning: str, error: str) -> Theme:
    """A theme of the terminal's own colours, for a dark or a light background; its variables are those of `like`."""
    return Theme(
        name=name,
        ansi=True,
        primary=primary,
        secondary="ansi_cyan",
        accent=accent,
        warning=warning,
        error=error,
        success="ansi_green",
        foreground="ansi_default",
        background="ansi_default",
        surface="ansi_default",
        panel="ansi_default",
        boost="ansi_default",
        dark=dark,
        variables={
            **BUILTIN_THEMES[like].variables,
            **_SHARED,
            "border": "ansi_bright_black",
            "scrollbar": "ansi_bright_black",
            "scrollbar-background": "ansi_default",
        },
    )


ANSI = _ansi(
    "nova-ansi", "ansi-dark", dark=True, primary="ansi_bright_blue", accent="ansi_yellow", warning="ansi_yellow",
    error="ansi_bright_red",
)  # fmt: skip
ANSI_LIGHT = _ansi(
    "nova-ansi-light", "ansi-light", dark=False, primary="ansi_blue", accent="ansi_blue", warning="ansi_red",
    error="ansi_red",
)  # fmt: skip
OURS = {theme.name: theme for theme in (DARK, LIGHT, ANSI, ANSI_LIGHT)}
SHORT = {"dark": "nova-dark", "light": "nova-light", "ansi": "nova-ansi"}


def choose(name: str | None, environ: Mapping[str, str], kept: str | None = None) -> str:
    """The name of the theme to use: the requested one, else the one `kept` from the last time, else one that suits
    the terminal.

    SSH (colours cost bytes) and NO_COLOR, which precedes the kept one, use the terminal's own palette. A terminal of
    16 colours draws every theme in its own ones: those that are most similar to the theme's mean something else.
    Raises `UsageError` for an unknown theme.
    """
    wanted = name or environ.get("NOVA_THEME") or ""
    if not wanted and not environ.get("NO_COLOR") and (kept in OURS or kept in BUILTIN_THEMES):
        wanted = kept or ""
    own = bool(environ.get("NO_COLOR") or "SSH_CONNECTION" in environ)
    found = SHORT.get(wanted, wanted) if wanted else SHORT["ansi"] if own else DARK.name
    theme = OURS.get(found) or BUILTIN_THEMES.get(found)
    if theme is None:
        from difflib import get_close_matches

        near = get_close_matches(wanted, [*OURS, *SHORT, *BUILTIN_THEMES], 1)
        known = "use nova-dark, nova-light or ansi; ctrl+p lists all"
        raise UsageError(f"no theme is called {wanted}", hint=f"did you mean {near[0]}? {known}" if near else known)
    if depth(environ) == 16 and not theme.ansi:
        return (ANSI if theme.dark else ANSI_LIGHT).name
    return found
