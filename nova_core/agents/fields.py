"""Reads values from decoded JSON of unknown shape: a value of the wrong type counts as absent."""

from __future__ import annotations

import math
from typing import Any

_MOST = 10**15  # more is noise; sums stay far below the limits of JSON readers and SQLite
_MOST_DIGITS = 40  # characters of a number; no real one is longer
_MOST_NAME = 200
_DIGITS_OF_STATUS = 3
_SCALE = {"k": 1e3, "M": 1e6}


def text(value: object) -> str:
    """The text, else ""."""
    return value if isinstance(value, str) else ""


def word(value: object) -> str:
    """The id, model or tool, else ""; a text too long for these counts as ""."""
    return value if isinstance(value, str) and len(value) <= _MOST_NAME else ""


def count(value: object) -> int:
    """The whole number from 0 up, else 0."""
    return value if type(value) is int and 0 <= value <= _MOST else 0


def http_status(value: object) -> int:
    """The status, a number or its three digits as a text, else 0."""
    is_text = isinstance(value, str) and len(value) == _DIGITS_OF_STATUS and value.isascii() and value.isdecimal()
    return int(value) if is_text else count(value)  # type: ignore[call-overload]


def amount(value: object) -> float | None:
    """The number from 0 up, else None."""
    return float(value) if type(value) in (int, float) and 0 <= value < _MOST else None  # type: ignore[operator, arg-type]


def number(words: str) -> float | None:
    """The number from 0 up in a text, such as `1,200`, `$0.25`, `3.1k` or `2M`; None for any other text."""
    words = words.strip()[: _MOST_DIGITS + 1].removeprefix("$").replace(",", "").replace("_", "")
    scale = _SCALE.get(words[-1:])
    try:
        value = float(words[:-1]) * scale if scale else float(words)
    except ValueError:
        return None
    return value if len(words) <= _MOST_DIGITS and math.isfinite(value) and 0 <= value <= _MOST else None


def whole(words: str) -> int:
    """The count in a text, rounded, else 0."""
    return round(number(words) or 0.0)


def added(before: float | None, more: float) -> float:
    """The sum of two amounts, limited so that it stays finite."""
    return min((before or 0.0) + more, float(_MOST))


def table(value: object) -> dict[str, Any]:
    """The mapping, else {}."""
    return value if isinstance(value, dict) else {}


def rows(value: object) -> list[Any]:
    """The list, else []."""
    return value if isinstance(value, list) else []


def first_line(value: str, most: int = 120) -> str:
    """The first line that is not empty, cut to `most` characters."""
    line = next((line.strip() for line in value[:4000].splitlines() if line.strip()), "")
    return line if len(line) <= most else line[: most - 1] + "…"
