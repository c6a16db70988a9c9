"""Reading values out of decoded JSON whose shape nobody promised: the wrong type is as good as absent."""

from __future__ import annotations

import math
from typing import Any

_MOST = 10**15  # more is noise; sums stay far below what JSON readers and SQLite hold
_MOST_DIGITS = 40  # characters of a number; nobody writes a longer one
_MOST_NAME = 200
_SCALE = {"k": 1e3, "M": 1e6}


def text(value: object) -> str:
    """The text, else nothing."""
    return value if isinstance(value, str) else ""


def word(value: object) -> str:
    """The id, model or tool, else nothing; a text too long to be one is none."""
    return value if isinstance(value, str) and len(value) <= _MOST_NAME else ""


def count(value: object) -> int:
    """The whole number from 0 up, else 0."""
    return value if type(value) is int and 0 <= value <= _MOST else 0


def amount(value: object) -> float | None:
    """The number from 0 up, else None."""
    return float(value) if type(value) in (int, float) and 0 <= value < _MOST else None  # type: ignore[operator, arg-type]


def number(words: str) -> float | None:
    """The number from 0 up that a text writes, as in `1,200`, `$0.25`, `3.1k` or `2M`; None for any other text."""
    words = words.strip()[: _MOST_DIGITS + 1].removeprefix("$").replace(",", "").replace("_", "")
    scale = _SCALE.get(words[-1:])
    try:
        value = float(words[:-1]) * scale if scale else float(words)
    except ValueError:
        return None
    return value if len(words) <= _MOST_DIGITS and math.isfinite(value) and 0 <= value <= _MOST else None


def whole(words: str) -> int:
    """The count that a text writes, rounded, else 0."""
    return round(number(words) or 0.0)


def added(before: float | None, more: float) -> float:
    """The sum of two amounts, none of which can make it endless."""
    return min((before or 0.0) + more, float(_MOST))


def table(value: object) -> dict[str, Any]:
    """The mapping, else an empty one."""
    return value if isinstance(value, dict) else {}


def rows(value: object) -> list[Any]:
    """The list, else an empty one."""
    return value if isinstance(value, list) else []


def first_line(value: str, most: int = 120) -> str:
    """The first line that says something, cut to `most` characters."""
    line = next((line.strip() for line in value[:4000].splitlines() if line.strip()), "")
    return line if len(line) <= most else line[: most - 1] + "…"
