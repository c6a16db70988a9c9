"""The text module: nothing acts on a terminal, and durations and sizes are read in people's forms."""

from __future__ import annotations

import math
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nova_core import text

HOSTILE = {
    "OSC 52 clipboard": ("\x1b]52;c;cm0gLXJmIH4K\x07", ""),
    "title": ("\x1b]0;owned\x07x", "x"),
    "clear": ("\x1b[2J\x1b[H", ""),
    "C1 CSI": ("\x9b2Ja", "a"),
    "DCS": ("\x1bP+q544e\x1b\\", ""),
    "OSC 8 link": ("\x1b]8;;file:///etc/passwd\x1b\\click\x1b]8;;\x1b\\", "click"),
    "CR overwrite": ("FAILED\rok", "FAILED�ok"),
    "backspace": ("bad\x08\x08ok", "bad��ok"),
    "bidi": ("task \u202egnp.exe", "task �gnp.exe"),
    "zero width": ("a\u200bb", "ab"),
    "Persian": ("می\u200cخواهم", "میخواهم"),
    "soft hyphen and word joiner": ("Wort\u00adbruch\u2060s", "Wortbruchs"),
    "emoji family": ("\U0001f469\u200d\U0001f467", "\U0001f469\U0001f467"),
    "Hindi": ("क्\u200dष हिन्दी", "क्ष हिन्दी"),
    "alternate screen": ("\x1b[?1049h", ""),
    "NUL": ("a\0b", "a�b"),
    "DEL": ("a\x7fb", "a�b"),
    "C1 OSC": ("\x9d52;c;AAAA\x9ca", "a"),
    "PM, APC and SOS": ("\x1b^a\x1b\\\x1b_b\x1b\\\x1bXc\x1b\\d", "d"),
    "unterminated OSC": ("a\x1b]52;c;AAAA", "a"),
    "unterminated OSC hides no other line": ("a\x1b]52;c\nb", "a�b"),
    "unterminated CSI": ("a\x1b[31", "a"),
    "lone escape": ("a\x1b", "a"),
    "escape inside a string": ("\x1b]0;a\x1b[2Jb", "b"),
    "nested introducers": ("\x1b\x1b[[2Jm", "2Jm"),
    "character set": ("\x1b(0a", "a"),
    "reset": ("\x1bca", "a"),
    "lone surrogate": ("a\ud800b", "a�b"),
    "invisible tag letters": ("a\U000e0041b", "a�b"),
    "line separator": ("a\u2028b", "a�b"),
    "plain": ("Grüße, 日本 👍\tok", "Grüße, 日本 👍\tok"),
}
FRAGMENTS = ["\x1b", "[", "]", "P", "\\", "\x07", "\x9b", "\x9d", "\x9c", "\r", "\n", "31;1", "m", " ", "é", "\u202e"]
anything = st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=3), max_size=30)
BIDI = {"LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI"}


def repr_short(value: object) -> str:
    """The name of a case; numbers of more than 4,300 digits have none."""
    return "large" if isinstance(value, int) and value > 10**20 else repr(value)[:20]


@pytest.mark.parametrize(("payload", "expected"), HOSTILE.values(), ids=HOSTILE)
def test_clean_stops_every_payload(payload: str, expected: str) -> None:
    """Each hostile text comes out as plain text, and plain text comes out unchanged."""
    assert text.clean(payload) == expected


def test_any_name_of_a_file_can_be_stored() -> None:
    """Bytes that are not UTF-8 are escaped; everything else stays."""
    assert text.storable("a\udcff\u00e9") == "a\\udcff\u00e9"


def test_clean_keeps_newlines_on_request() -> None:
    """With newlines, CR LF is one newline and a lone CR is still replaced."""
    assert text.clean("a\r\nb\nc\rd", newlines=True) == "a\nb\nc�d"
    assert text.clean("a\x1b]0;t\nb", newlines=True) == "a\nb"


@given(st.lists(st.sampled_from(FRAGMENTS) | st.text(st.characters(), max_size=3), max_size=30), st.booleans())
def test_clean_leaves_nothing_a_terminal_acts_on(parts: list[str], newlines: bool) -> None:
    """No control, format or surrogate character survives, and cleaning twice changes nothing."""
    cleaned = text.clean("".join(parts), newlines=newlines)
    allowed = "\t\n" if newlines else "\t"
    assert not [c for c in cleaned if unicodedata.category(c) in ("Cc", "Cs") and c not in allowed]
    assert not [c for c in cleaned if unicodedata.bidirectional(c) in BIDI]
    assert text.clean(cleaned, newlines=newlines) == cleaned


@given(anything, st.booleans())
def test_cleaner_equals_clean_for_any_chunks(parts: list[str], newlines: bool) -> None:
    """Wherever the chunks cut the stream, the result is that of the whole."""
    cleaner = text.Cleaner(newlines=newlines)
    pieces = [cleaner.feed(part) for part in parts]
    assert "".join(pieces) + cleaner.finish() == text.clean("".join(parts), newlines=newlines)


def test_cleaner_holds_constant_memory_for_an_endless_string() -> None:
    """An unterminated control string of any length is dropped as it arrives, not collected."""
    cleaner = text.Cleaner()
    for _ in range(100):
        assert cleaner.feed("\x1b]52;" + "A" * 1000) == ""
        assert len(cleaner._held) < 10
    assert cleaner.feed("\x07ok") == "ok"


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0s"), (-3, "0s"), (math.nan, "0s"), (0.44, "0.4s"), (9.99, "9.9s"), (10, "10s"), (59.9, "59s"),
        (65, "1m 05s"), (3599, "59m 59s"), (9000, "2h 30m"), (90000, "1d 01h"), (math.inf, "∞"),
    ],
)  # fmt: skip
def test_duration(seconds: float, expected: str) -> None:
    """Durations are rounded down to two units, so that a live clock never runs ahead."""
    assert text.duration(seconds) == expected


@pytest.mark.parametrize(
    ("count", "tokens", "size"),
    [
        (0, "0", "0 B"), (999, "999", "999 B"), (1000, "1.0k", "1.0 kB"), (99_949, "99.9k", "99.9 kB"),
        (99_950, "100k", "100 kB"), (999_500, "1.0M", "1.0 MB"), (64_000_000, "64.0M", "64.0 MB"),
        (10**12, "1000G", "1.0 TB"),
    ],
)  # fmt: skip
def test_tokens_and_size(count: int, tokens: str, size: str) -> None:
    """Counts keep three digits and never show 1000 of a unit that has a larger one."""
    assert (text.tokens(count), text.size(count)) == (tokens, size)


@pytest.mark.parametrize(
    ("usd", "expected"), [(None, "?"), (0, "$0.00"), (0.004, "<$0.01"), (0.005, "$0.01"), (1234.5, "$1,234.50")]
)
def test_money(usd: float | None, expected: str) -> None:
    """Unknown and tiny amounts are never shown as zero."""
    assert text.money(usd) == expected


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (90, 90), (0.5, 0.5), ("90", 90), (" 1.5h ", 5400), ("2h30m", 9000), ("2h 30m", 9000), ("250ms", 0.25),
        ("1d", 86400), ("10 minutes", 600), ("1 hour 30 min", 5400), ("2hrs", 7200), ("1SEC", 1), ("0", 0),
    ],
)  # fmt: skip
def test_parse_duration(value: str | float, seconds: float) -> None:
    """Numbers are seconds; units may be joined, spaced, upper case or written out."""
    assert text.parse_duration(value) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "h",
        "-1",
        "1x",
        "nan",
        "1:30",
        "1h -2m",
        "٣",
        "9" * 500,
        "5s" + " " * 200 + "x",
        -1,
        math.nan,
        math.inf,
        True,
        10**5000,
        None,
        [],
    ],
    ids=repr_short,
)
def test_parse_duration_rejects(value: object) -> None:
    """A text that is not a duration is named, with the valid forms."""
    with pytest.raises(ValueError, match="is not a duration: write seconds"):
        text.parse_duration(value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "count"),
    [(5, 5), ("512MB", 512_000_000), ("2GiB", 2**31), ("8G", 8_000_000_000), ("1.5k", 1500), ("64 mb", 64_000_000)],
)
def test_parse_size(value: str | float, count: int) -> None:
    """Sizes follow SI and IEC prefixes."""
    assert text.parse_size(value) == count


@pytest.mark.parametrize("value", ["", "MB", "-1", "1.5.2", "1XB", 1.5, -1, False, None])
def test_parse_size_rejects(value: object) -> None:
    """A text that is not a size is named, with the valid forms."""
    with pytest.raises(ValueError, match="is not a size: write bytes"):
        text.parse_size(value)  # type: ignore[arg-type]


@given(st.text(max_size=200), st.integers(0, 120))
def test_head_and_tail_fits(value: str, limit: int) -> None:
    """The result never exceeds the limit, and short text is unchanged."""
    result = text.head_and_tail(value, limit)
    assert len(result) <= limit
    assert result == value or len(value) > limit


def test_head_and_tail_shows_both_ends() -> None:
    """A long text keeps its beginning and its end and says how much is missing."""
    result = text.head_and_tail("start" + "x" * 500 + "end", 60)
    assert result.startswith("start")
    assert result.endswith("end")
    assert "characters left out" in result


@pytest.mark.parametrize(
    ("names", "shown"),
    [([], ""), (["F1"], "F1"), (["F1", "F2"], "F1, F2"), (["F1", "F2", "F3", "F4"], "F1, F2 and 2 more")],
)
def test_a_long_list_is_counted(names: list[str], shown: str) -> None:
    """Its first names are shown, and how many more there are."""
    assert text.first_of(names, 2) == shown
