"""Long idle periods of a run, and a time axis without them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

Span = tuple[float, float]
_SHORTEST = 5.0  # seconds
_LEAST = 0.1  # seconds of work below which nothing is cut
_SHARE = 0.2  # of the busy time; shorter gaps are kept


def gaps(busy: Iterable[Span], first: float, last: float) -> tuple[Span, ...]:
    """The gaps between the `busy` spans from `first` to `last` that are long relative to the busy time."""
    found, worked, end = [], 0.0, first
    for begin, over in sorted(busy):
        if begin > end:
            found.append((end, begin))
        worked += max(0.0, over - max(begin, end))
        end = max(end, over)
    if last > end:
        found.append((end, last))
    least = max(_SHORTEST, worked * _SHARE)
    return tuple(gap for gap in found if gap[1] - gap[0] > least) if worked > _LEAST else ()


def scaled(at: float, start: float, cuts: Sequence[Span], width: float) -> float:
    """Seconds of the axis from `start` to `at`, with each cut `width` seconds wide; cuts must not overlap."""
    passed = at - start
    for begin, end in cuts:
        inside = min(max(at, begin), end) - begin
        passed -= inside * (1 - width / (end - begin))
    return passed


def between(cuts: Sequence[Span], first: float, last: float) -> list[Span]:
    """The spans between the cuts from `first` to `last`."""
    starts, ends = [first, *(end for _, end in cuts)], [*(begin for begin, _ in cuts), last]
    return [(a, b) for a, b in zip(starts, ends, strict=True) if b > a]


def inside(cuts: Iterable[Span], first: float, last: float) -> tuple[Span, ...]:
    """The parts of the cuts between `first` and `last`."""
    clipped = ((max(begin, first), min(end, last)) for begin, end in cuts)
    return tuple((begin, end) for begin, end in clipped if end > begin)
