"""The manual pages are those of the help texts: `make man` writes them."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from command_lines import options, program
from pages import ROOT

from nova_core.cli.app import COMMANDS

MANUAL = ROOT / "docs" / "man"


@cache
def maker() -> Any:
    """The program that writes the pages."""
    spec = importlib.util.spec_from_file_location("make_manual", MANUAL / "make.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def text_of(page: str) -> str:
    """A page as a reader sees it."""
    return (MANUAL / page).read_text(encoding="utf-8").replace("\\-", "-").replace("\\(rs", "\\")


@pytest.mark.parametrize("page", ["nova.1", "nova-tui.1"])
def test_the_pages_are_those_of_the_help_texts(page: str) -> None:
    """Nothing is written by hand; after a change of a help text, `make man` renews them."""
    assert (MANUAL / page).read_text(encoding="utf-8") == maker().pages()[page]


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in ("report", "acp-run")])
def test_every_option_is_in_the_manual(name: str) -> None:
    """Each command has its section with all of its options, and those of `nova run` are in nova-tui.1, too."""
    section = text_of("nova.1").partition(f"\n.SS nova {name}\n")[2].partition("\n.S")[0]
    hidden = {option for p in program().commands[name].params if getattr(p, "hidden", False) for option in p.opts}
    wanted = {option for option in options()[name] - hidden if option.startswith("-")}
    assert {option for option in wanted if option not in section} == set()
    if name == "run":
        assert {option for option in wanted if option not in text_of("nova-tui.1")} == set()


def test_exit_codes_are_in_the_manual() -> None:
    """Those of docs/exit-codes.md."""
    codes = maker().exit_codes()
    assert {"0", "1", "2", "4", "70", "131"} <= {code for code, _ in codes}
    assert all(f".B {code}\n" in text_of("nova.1") for code, _ in codes)


@pytest.mark.parametrize("page", ["nova.1", "nova-tui.1"])
def test_a_formatter_has_nothing_to_say(page: str) -> None:
    """groff reads the page without a warning."""
    if not shutil.which("groff"):
        pytest.skip("groff is not installed")
    words = ["groff", "-man", "-ww", "-z", "-Kutf8", str(MANUAL / page)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_special_characters_are_printed_as_they_are() -> None:
    """A backslash, a hyphen, and a line that begins like a request."""
    assert maker().escaped("a\\b -x\n.so me\n'c") == "a\\(rsb \\-x\n\\&.so me\n\\&'c"


def test_the_list_of_pages_is_complete() -> None:
    """The folder has no other page, so that none is forgotten in the wheel."""
    assert {path.name for path in Path(MANUAL).glob("*.1")} == set(maker().pages())
