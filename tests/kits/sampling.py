"""Tables of near-identical cases that cost time: `make test` runs a sample, `make campaign` all."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import product
from typing import Any

import pytest

Case = tuple[Any, ...]


def sample(*axes: Collection[Any]) -> list[Case]:
    """The fewest cases in which each value of each axis occurs."""
    lists = [list(axis) for axis in axes]
    return [tuple(axis[n % len(axis)] for axis in lists) for n in range(max(map(len, lists)))]


def sampled(*axes: Collection[Any]) -> list[Any]:
    """Parameters for every combination of the axes; all but a sample are marked as slow."""
    kept = sample(*axes)
    return [pytest.param(*case, marks=() if case in kept else pytest.mark.slow) for case in product(*axes)]


def some(cases: Iterable[Any], *kept: Any) -> list[Any]:
    """Parameters for every case; all but those named are marked as slow. A case of several values goes by its first."""
    rows = [case if isinstance(case, tuple) else (case,) for case in cases]
    assert set(kept) <= {row[0] for row in rows}
    return [pytest.param(*row, marks=() if row[0] in kept else pytest.mark.slow) for row in rows]
