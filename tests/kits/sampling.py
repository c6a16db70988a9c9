"""Tables of near-identical cases that cost time: `make test` runs a sample, `make campaign` all."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import product
from typing import Any

import pytest

Case = tuple[Any, ...]

_has_rest = True


def leave_out_the_rest() -> None:
    """From now on tables hold their sample only: to collect all cases takes half as long as to collect the tests."""
    global _has_rest
    _has_rest = False


def sample(*axes: Collection[Any]) -> list[Case]:
    """The fewest cases in which each value of each axis occurs."""
    lists = [list(axis) for axis in axes]
    return [tuple(axis[n % len(axis)] for axis in lists) for n in range(max(map(len, lists)))]


def sampled(*axes: Collection[Any]) -> list[Any]:
    """Parameters for every combination of the axes; all but a sample are marked as slow."""
    kept = sample(*axes)
    return _parameters([(case, case in kept) for case in product(*axes)])


def some(cases: Iterable[Any], *kept: Any) -> list[Any]:
    """Parameters for every case; all but those named are marked as slow. A case of several values goes by its first."""
    rows = [case if isinstance(case, tuple) else (case,) for case in cases]
    assert set(kept) <= {row[0] for row in rows}
    return _parameters([(row, row[0] in kept) for row in rows])


def _parameters(cases: list[tuple[Case, bool]]) -> list[Any]:
    if not _has_rest:
        cases = [case for case in cases if case[1]] or cases[:1]  # one at least: pytest skips a test without any
    return [pytest.param(*case, marks=() if in_sample else pytest.mark.slow) for case, in_sample in cases]
