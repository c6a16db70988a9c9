"""Keys become the bytes that a terminal sends for them."""

from __future__ import annotations

import pytest

from nova_tui.typed_keys import bytes_of, pasted

KEYS = [
    ("a", "a", b"a"), ("upper_a", "A", b"A"), ("e_acute", "é", "é".encode()), ("space", " ", b" "), ("plus", "+", b"+"),
    ("enter", "\r", b"\r"), ("tab", "\t", b"\t"), ("shift+tab", None, b"\x1b[Z"), ("escape", "\x1b", b"\x1b"),
    ("backspace", "\x7f", b"\x7f"), ("ctrl+c", "\x03", b"\x03"), ("ctrl+c", None, b"\x03"), ("ctrl+z", "\x1a", b"\x1a"),
    ("ctrl+backslash", "\x1c", b"\x1c"), ("ctrl+at", "\0", b"\0"), ("alt+x", None, b""), ("alt+x", "x", b"\x1bx"),
    ("up", None, b"\x1b[A"), ("left", None, b"\x1b[D"), ("home", None, b"\x1b[H"), ("ctrl+right", None, b"\x1b[1;5C"),
    ("shift+up", None, b"\x1b[1;2A"), ("delete", None, b"\x1b[3~"), ("pagedown", None, b"\x1b[6~"),
    ("f1", None, b"\x1bOP"), ("f5", None, b"\x1b[15~"), ("f12", None, b"\x1b[24~"), ("ctrl+f5", None, b"\x1b[15;5~"),
    ("f35", None, b""),
]  # fmt: skip


@pytest.mark.parametrize(("key", "character", "data"), KEYS)
def test_a_key_is_what_xterm_sends(key: str, character: str | None, data: bytes) -> None:
    """Also where the terminal gives only the name of the key; a key without bytes sends none."""
    assert bytes_of(key, character) == data


def test_arrows_have_another_form_for_programs_that_ask_for_it() -> None:
    """DECCKM: editors and pagers; modified keys stay the same."""
    assert bytes_of("up", None, application=True) == b"\x1bOA"
    assert bytes_of("ctrl+up", None, application=True) == b"\x1b[1;5A"


def test_a_paste_is_one_text() -> None:
    """New lines are Enter; a program that wants brackets gets some that the text cannot close."""
    assert pasted("a\r\nb\nc", bracketed=False) == b"a\rb\rc"
    assert pasted("a\nb", bracketed=True) == b"\x1b[200~a\rb\x1b[201~"
    assert pasted("a\x1b[20\x1b[201~1~rm", bracketed=True) == b"\x1b[200~arm\x1b[201~"
