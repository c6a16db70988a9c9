"""Custom keys, and the theme that fits the terminal."""

from __future__ import annotations

from pathlib import Path

import pytest
from app_kit import drive
from fake_source import demo_source

from nova_core.command import Command, CommandKind
from nova_core.errors import InputError, UsageError
from nova_tui.app import NovaApp
from nova_tui.choice import Look


def test_custom_keys_replace_the_default_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the id of the binding."""
    file = tmp_path / "keys.yaml"
    file.write_text("task.retry: f5\n")
    monkeypatch.setenv("NOVA_KEYS", str(file))
    source = demo_source()
    drive(source, "r", "f5")
    assert source.sent == [Command(CommandKind.RETRY, ("P4",))]


@pytest.mark.parametrize("text", ["task.retri: r\n", "task.retry: []\n", "- r\n"])
def test_keys_that_cannot_be_read_name_file_and_line(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the screen opens."""
    file = tmp_path / "keys.yaml"
    file.write_text(text)
    monkeypatch.setenv("NOVA_KEYS", str(file))
    with pytest.raises(InputError, match=r"keys\.yaml"):
        NovaApp(demo_source())


def test_an_unknown_theme_is_rejected() -> None:
    """With the names of some existing ones."""
    with pytest.raises(UsageError, match="no theme"):
        NovaApp(demo_source(), Look(theme="mauve"))


@pytest.mark.parametrize(
    ("variables", "theme"),
    [({}, "nova-dark"), ({"NO_COLOR": "1"}, "ansi-dark"), ({"SSH_CONNECTION": "a b c d"}, "ansi-dark")],
)
def test_the_theme_fits_the_terminal(variables: dict[str, str], theme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The terminal's own colours over a network and where none are wanted."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert NovaApp(demo_source()).theme == theme
