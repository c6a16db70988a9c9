"""Token prices: list prices with their dates, and None for an unknown price."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import msgspec

from nova_core.model import TokenUsage

_PER = 1_000_000
# A snapshot date or `latest` is the same model; any other suffix (`-mini`, `[1m]`, `.1`) may be another price.
_NUMBER = r"\d{1,3}(?:\.\d{1,3})?\Z"
_NO_WORDS = ("preview", "exp")
_LONGEST = 200  # characters of a name
_WRITING = 1.25
_SNAPSHOT = r"[-@](?:latest|\d{8}|\d{4}-\d{2}-\d{2})\Z"


class Price(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """US dollars per million tokens of each class; None is an unknown price, not a free one."""

    input: float
    output: float
    cache_read: float | None = None
    cache_creation: float | None = None


class PriceFamily(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Prices read from one published list at one date (`as_of`, ISO 8601)."""

    family: str
    as_of: str
    source: str
    note: str
    models: dict[str, Price]


class PriceList(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole of `prices.json`."""

    unit: str
    families: tuple[PriceFamily, ...]


@cache
def price_list() -> PriceList:
    """The price lists that come with Nova, with their dates and sources."""
    return msgspec.json.decode(Path(__file__).with_name("prices.json").read_bytes(), type=PriceList)


@cache
def default_prices() -> Mapping[str, Price]:
    """Prices by model name, from the lists that come with Nova."""
    return {model: price for family in price_list().families for model, price in family.models.items()}


def price_of(model: str | None, prices: Mapping[str, Price]) -> Price | None:
    """The price of `model`, or of the model it is a dated snapshot of, or None.

    `claude-sonnet-4-5-20250929` has the price of `claude-sonnet-4-5`; `gpt-5-new` does not have that of `gpt-5`. A
    provider in front (`anthropic/claude-opus-5`) needs its own price: resellers set theirs.
    """
    if model is None:
        return None
    return prices.get(model) or prices.get(re.sub(_SNAPSHOT, "", model))


def nearest_price(model: str | None, prices: Mapping[str, Price]) -> tuple[str, Price] | None:
    """A price to estimate by, and the model it belongs to: its own, or that of the nearest version of its family.

    `gpt-6.1-sol` is estimated by `gpt-6-sol`, never by `gpt-6-luna`. A class of cached tokens without a price is
    estimated as input: reading costs less, and writing is 1.25 times as much with all providers that bill it.
    """
    own = price_of(model, prices)
    if own is not None and model is not None:
        return model, _whole(own)
    found = _version(model or "")
    if found is None:
        return None
    words, version = found
    family = [(other[1], name) for name in prices if (other := _version(name)) is not None and other[0] == words]
    if not family:
        return None
    name = min(family, key=lambda known: (abs(known[0] - version), -known[0], known[1]))[1]
    return name, _whole(prices[name])


def _whole(price: Price) -> Price:
    read = price.input if price.cache_read is None else price.cache_read
    written = price.input * _WRITING if price.cache_creation is None else price.cache_creation
    return Price(price.input, price.output, read, written)


def _version(model: str) -> tuple[tuple[str, ...], float] | None:
    """The words of a model's name and its version: `claude-opus-5-5` is claude, opus, 5.5. None without a version."""
    words = [word for word in re.sub(_SNAPSHOT, "", model).split("-") if word not in _NO_WORDS]
    numbers = [word for word in words if re.match(_NUMBER, word)]
    if not numbers or len(model) > _LONGEST:
        return None
    version = float(".".join(".".join(numbers).split(".")[:2]))
    return tuple(word for word in words if word not in numbers), version


def estimate(usage: TokenUsage, model: str | None, prices: Mapping[str, Price]) -> tuple[float | None, bool]:
    """US dollars for `usage`, and True if that is by the nearest price; None if there is none."""
    dollars = cost(usage, model, prices)
    near = nearest_price(model, prices) if dollars is None else None
    if near is None:
        return dollars, False
    return cost(usage, near[0], {near[0]: near[1]}), True


def cost(usage: TokenUsage, model: str | None, prices: Mapping[str, Price]) -> float | None:
    """US dollars for `usage`, or None if the model, or a class of tokens used, has no known price."""
    if not usage.total:
        return 0.0
    price = price_of(model, prices)
    if price is None:
        return None
    total = usage.input_tokens * price.input + usage.output_tokens * price.output
    for count, rate in (
        (usage.cache_read_tokens, price.cache_read),
        (usage.cache_creation_tokens, price.cache_creation),
    ):
        if count and rate is None:
            return None
        total += count * (rate or 0.0)
    return total / _PER
