"""Reading values out of decoded JSON whose shape nobody promised: the wrong type is as good as absent."""

from __future__ import annotations

from typing import Any

_MOST = 10**15  # more is noise; sums stay far below what JSON readers and SQLite hold


def text(value: object) -> str:
    """The text, else nothing."""
    return value if isinstance(value, str) else ""


def count(value: object) -> int:
    """The whole number from 0 up, else 0."""
    return value if type(value) is int and 0 <= value <= _MOST else 0


def amount(value: object) -> float | None:
    """The number from 0 up, else None."""
    return float(value) if type(value) in (int, float) and 0 <= value < _MOST else None  # type: ignore[operator, arg-type]


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
