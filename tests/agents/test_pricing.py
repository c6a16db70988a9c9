"""Prices: the shipped lists are sound, snapshots find their model, and an unknown price is never zero."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nova_core.agents.adapters import ADAPTERS
from nova_core.agents.pricing import Price, cost, default_prices, estimate, nearest_price, price_list, price_of
from nova_core.model import TokenUsage

PRICES = {"m": Price(1, 2, 0.5, 4), "m-mini": Price(0.1, 0.2)}
ONE_OF_EACH = TokenUsage(1_000_000, 1_000_000, 1_000_000, 1_000_000)


@pytest.mark.parametrize(
    ("usage", "model", "expected"),
    [
        (ONE_OF_EACH, "m", 7.5),
        (ONE_OF_EACH, "m-20250929", 7.5),
        (ONE_OF_EACH, "m-2025-09-29", 7.5),
        (ONE_OF_EACH, "m@20250929", 7.5),
        (ONE_OF_EACH, "m-latest", 7.5),
        (TokenUsage(1_000_000, 1_000_000), "m-mini", pytest.approx(0.3)),
        (TokenUsage(10, 0, 1), "m-mini", None),
        (TokenUsage(10, 0, 0, 1), "m-mini", None),
        (ONE_OF_EACH, "m-nano", None),
        (ONE_OF_EACH, "m[1m]", None),
        (ONE_OF_EACH, "provider/m", None),
        (ONE_OF_EACH, "", None),
        (ONE_OF_EACH, None, None),
        (TokenUsage(), "unheard-of", 0.0),
        (TokenUsage(), None, 0.0),
    ],
)
def test_cost(usage: TokenUsage, model: str | None, expected: float | None) -> None:
    """Each class has its rate; an unknown model or class is None, and no tokens cost 0."""
    assert cost(usage, model, PRICES) == expected


def test_shipped_lists_are_dated_and_plausible() -> None:
    """Every family has a date and a source; output costs more than input, a cached token less."""
    for family in price_list().families:
        date.fromisoformat(family.as_of)
        assert family.source.startswith("https://")
        for price in family.models.values():
            assert 0 < price.input < price.output
            assert price.cache_read is None or 0 < price.cache_read < price.input
            assert price.cache_creation is None or price.input < price.cache_creation < price.output


def test_no_model_is_listed_twice() -> None:
    """Families do not overlap, so that no price hides another."""
    assert len(default_prices()) == sum(len(family.models) for family in price_list().families)


def test_a_dated_claude_model_has_a_price() -> None:
    """The name that a real agent prints finds its price."""
    assert price_of("claude-sonnet-4-5-20250929", default_prices()) == Price(3.0, 15.0, 0.3, 3.75)


@given(st.builds(TokenUsage, *[st.integers(0, 10**9)] * 4), st.builds(TokenUsage, *[st.integers(0, 10**9)] * 4))
def test_cost_is_additive(a: TokenUsage, b: TokenUsage) -> None:
    """The cost of a sum is the sum of the costs."""
    parts = (cost(a, "m", PRICES) or 0) + (cost(b, "m", PRICES) or 0)
    assert cost(a + b, "m", PRICES) == pytest.approx(parts)


FAMILY = {
    "gpt-6-sol": Price(2, 10, 0.2, 2.5),
    "gpt-5.3-codex": Price(1.75, 14, 0.175),
    "gpt-5": Price(1.25, 10),
    "flash-3.5": Price(1.5, 9),
    "flash-2.5": Price(0.3, 2.5),
}


@pytest.mark.parametrize(
    ("model", "near"),
    [
        ("gpt-6.1-sol", "gpt-6-sol"),
        ("gpt-6-1-sol-20261201", "gpt-6-sol"),
        ("gpt-5.6-codex", "gpt-5.3-codex"),
        ("gpt-5", "gpt-5"),
        ("flash-3.8-preview", "flash-3.5"),
        ("flash-2.6", "flash-2.5"),
        ("gpt-6.1-luna", None),
        ("gpt-5-mini", None),
        ("gpt-5[1m]", None),
        ("openai/gpt-5", None),
        ("sol", None),
        ("9" * 400, None),
        ("", None),
        (None, None),
    ],
)
def test_the_nearest_version_of_a_family(model: str | None, near: str | None) -> None:
    """Only the version may differ: another word in the name is another price."""
    found = nearest_price(model, FAMILY)
    assert (found and found[0]) == near


def test_a_price_of_another_version_is_an_estimate() -> None:
    """So is a class of cached tokens without a price: never too little, and never nothing."""
    million = TokenUsage(1_000_000)
    assert estimate(million, "gpt-6-sol", FAMILY) == (2.0, False)
    assert estimate(million, "gpt-6.1-sol", FAMILY) == (2.0, True)
    assert estimate(TokenUsage(0, 0, 1_000_000, 1_000_000), "gpt-5", FAMILY) == (1.25 + 1.25 * 1.25, True)
    assert estimate(million, "unheard-of", FAMILY) == (None, False)


def test_the_usual_models_of_agents_have_a_price() -> None:
    """Of the versions that are tested; at least that of another version."""
    models = [adapter.usual_model for adapter in ADAPTERS.values() if adapter.usual_model]
    assert models
    assert all(nearest_price(model, default_prices()) for model in models)
