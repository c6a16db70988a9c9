"""Every byte that a terminal can send is survived, however it is split."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual import events
from textual.message import Message

from nova_tui.compat import Translator, read_input
from nova_tui.input_bytes import LATER, MUCH_LATER, SOON, Decoder

PIECES = [
    b"\x1b[A", b"\xc3\xa9", b"j", b"\xff", b"\x9b", b"\xc3", b"\x1b[M \xc8\xc8", b"\x1b[M", b"\x1b[200~a\xffb\x1b[201~",
    b"\x1b[<0;3;4M", b"\x1b[97;5u", b"\x1b[?2026;2$y", b"\x1b]11;x\x07", b"\x1bP>|x\x1b\\", b"\x1bj", b"\x1b[", b"\x1b",
    b"\x1b[99999999999u", b"\x1b[97;1:3u", b"\x1b[999999999;1R", b"\x1b[48;99999;99999;0;0t", b"\x1b[1;;;;;;;m",
    b"\x1b[[A", b"\x1b[23$", b"\x1b[201~",
]  # fmt: skip


def messages(*packets: bytes) -> list[Message]:
    """What the packets mean, each handled before the next one comes, and nothing behind them."""
    decoder, translator = Decoder(), Translator()
    found: list[Message] = []
    for packet in packets:
        for token in decoder.feed(packet):
            found += translator.messages(token)
    for waited in (SOON, LATER, MUCH_LATER, SOON):
        for token in decoder.rest(waited):
            found += translator.messages(token)
    assert not decoder.is_waiting
    return found


def told(found: Sequence[Message]) -> list[str]:
    """The messages in words."""
    return [_told(message) for message in found]


def _told(message: Message) -> str:
    if isinstance(message, events.Key):
        return message.key
    if isinstance(message, events.Paste):
        return f"paste {message.text}"
    if isinstance(message, events.MouseEvent):
        return f"{type(message).__name__} {message.x},{message.y}"
    return type(message).__name__


@pytest.mark.parametrize(
    ("data", "meaning"),
    [
        (b"\xe9", ""),
        (b"\xe9j", "j"),
        (b"\xff\xfej", "j"),
        (b"\x9bA", "A"),
        (b"\xc3(", "left_parenthesis"),
        (b"\xc3\xa9", "é"),
        (b"\x1b[200~caf\xe9\x1b[201~j", "paste caf\ufffd|j"),
        (b"\x1b[200~a\x1b[Mb\x1b[201~", "paste a\x1b[Mb"),
        (b"\x1b[200~never ended", "paste never ended"),
        (b"\x1b[M !!", "MouseDown 0,0"),
        (b"\x1b[M \xc8\xc8", "MouseDown 167,167"),
        (b"\x1b[M#\xc8\xc8j", "MouseUp 167,167|j"),
        (b"\x1b[M`\xff\xff", "MouseScrollUp 222,222"),
        (b"\x1b[M \x85\x30", "MouseDown 100,15"),
        (b"\x1b[32;10;10M", "MouseDown 9,9"),
        (b"\x1b", "escape"),
        (b"\x1bj", "escape|j"),
        (b"\x1bX", "escape|X"),
        (b"\x1bOA\x1bO", "up|escape|O"),
        (b"\x1b\xc3\xa9", "escape|é"),
        (b"\x1b\x1b[A", "escape|up"),
        (b"\x1b[", "escape|left_square_bracket"),
        (b"\x1b[27u\x1b[97;5u", "escape|ctrl+a"),
        (b"\x1b[97;1:3uj", "j"),
        (b"\x1b[99999999999uj", "j"),
        (b"\x1b[?1;2cj", "j"),
        (b"\x1b]11;rgb:1/2/3\x1b\\j", "j"),
        (b"\x1bP>|xterm\x1b\\j", "j"),
        (b"\x1b[1;", ""),
        (b"\x1b[?2026;2$y\x1b[?2026;2$y", "TerminalSupportsSynchronizedOutput"),
    ],
)
def test_bytes_and_their_meaning(data: bytes, meaning: str) -> None:
    """What is not UTF-8, and what no key sends, is dropped; Esc with a key behind it is Esc, then the key."""
    assert "|".join(told(messages(data))) == meaning


@given(st.lists(st.sampled_from(PIECES), max_size=8), st.data())
def test_it_does_not_matter_where_the_bytes_are_split(pieces: list[bytes], data: st.DataObject) -> None:
    """Over a slow link each byte may come alone."""
    whole = b"".join(pieces)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=6)))
    packets = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    assert told(messages(*packets)) == told(messages(whole))


@given(st.binary(max_size=60))
def test_the_keys_behind_any_bytes_still_arrive(data: bytes) -> None:
    """Once what came before cannot continue."""
    decoder, translator = Decoder(), Translator()
    for tokens in (decoder.feed(data), decoder.rest(SOON), decoder.rest(LATER), decoder.rest(MUCH_LATER)):
        for token in tokens:
            translator.messages(token)
    assert told([m for token in decoder.feed(b"jk\x1b[A") for m in translator.messages(token)]) == ["j", "k", "up"]


@pytest.mark.parametrize("packet", [b"\x03", b"\x1b[27u", b"\x1b"])
def test_a_paste_without_an_end_can_be_given_up(packet: bytes) -> None:
    """With ctrl+c or Esc: without its end, every key would be part of it."""
    decoder = Decoder()
    tokens = [*decoder.feed(b"\x1b[200~abc"), *decoder.feed(packet), *decoder.rest(SOON), *decoder.feed(b"j")]
    assert [token.text for token in tokens] == ["abc", packet.decode(), "j"]


def test_a_lost_terminal_is_an_error_of_the_system() -> None:
    """Other bytes never are."""
    reading, writing = os.pipe()
    taken: list[Message] = []
    os.write(writing, b"\xff\xfe\x1b[M \xc8\xc8j")
    os.close(writing)
    with pytest.raises(OSError, match="Input/output"):
        read_input(reading, threading.Event(), taken.append)
    os.close(reading)
    assert told(taken) == ["MouseDown 167,167", "j"]
