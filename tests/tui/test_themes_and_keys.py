"""Custom keys, and the theme that fits the terminal."""

from __future__ import annotations

from pathlib import Path

import pytest
from app_kit import drive
from fake_source import demo_source

from nova_core.command import Command, CommandKind
from nova_core.errors import InputError, UsageError
from nova_tui.app import NovaApp
from nova_tui.choice import Look, lacks_marks


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
    [
        ({}, "nova-dark"),
        ({"NO_COLOR": "1"}, "nova-ansi"),
        ({"SSH_CONNECTION": "a b c d"}, "nova-ansi"),
        ({"COLORTERM": "", "TERM": "xterm-256color"}, "nova-dark"),
        ({"COLORTERM": "", "TERM": "linux"}, "nova-ansi"),
        ({"COLORTERM": "", "TERM": "linux", "NOVA_THEME": "light"}, "nova-ansi-light"),
        ({"COLORTERM": "", "TERM": "linux", "NOVA_THEME": "ansi-dark"}, "ansi-dark"),
        ({"NOVA_THEME": "ansi"}, "nova-ansi"),
    ],
)
def test_the_theme_fits_the_terminal(variables: dict[str, str], theme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The terminal's own colours over a network, where none are wanted, and where there are only 16."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert NovaApp(demo_source()).theme == theme


@pytest.mark.parametrize(
    ("variables", "lacks"),
    [
        ({"LANG": "C.UTF-8"}, False),
        ({"LANG": "de_DE.utf8"}, False),
        ({"LC_CTYPE": "UTF-8"}, False),
        ({"LANG": "C", "LC_ALL": "en_US.UTF-8"}, False),
        ({"LANG": "C", "LC_CTYPE": "C.UTF-8"}, True),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "C"}, True),
        ({"LANG": "en_US.ISO-8859-1"}, True),
        ({"LANG": "POSIX"}, True),
        ({}, True),
    ],
)
def test_ascii_where_the_locale_lacks_the_marks(variables: dict[str, str], lacks: bool) -> None:
    """The variables decide in the order of locale(7); what Python sets itself does not."""
    assert lacks_marks(variables) is lacks
