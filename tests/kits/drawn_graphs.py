"""Graphs for property tests."""

from __future__ import annotations

from hypothesis import strategies as st

from nova_core.dag import DAG


@st.composite
def graphs(draw: st.DrawFn) -> DAG:
    """A graph of up to a dozen tasks whose edges go from later to earlier ones."""
    count = draw(st.integers(1, 12))
    return DAG(
        {
            f"T{i}": [f"T{d}" for d in draw(st.sets(st.integers(0, i - 1), max_size=3))] if i else []
            for i in range(count)
        }
    )
