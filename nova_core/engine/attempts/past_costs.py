"""What attempts and their messages have cost, in US dollars. Pure."""

from __future__ import annotations

from collections.abc import Iterable

Kind = tuple[str | None, str | None]  # agent and planned model: the only facts known before a start
_MOST_UNDERSTATED = 10.0


class Meter:
    """Measures the messages of one running attempt, from what its log says of its cost meanwhile.

    `cost` is the last figure, `largest` the cost of its most expensive message.
    """

    __slots__ = ("_base", "_messages", "cost", "largest")

    def __init__(self) -> None:
        self.cost = self.largest = self._base = 0.0
        self._messages = 0

    def take(self, cost: float, messages: int) -> None:
        """The attempt has now cost `cost`, in `messages` messages (0: it does not count them)."""
        new = messages - self._messages
        if new > 0 or (messages == 0 and cost > self.cost):
            one = (cost - self.cost) / max(1, new)
            self._base = cost - one
        self.largest = max(self.largest, cost - self._base)
        self.cost, self._messages = cost, messages

    def start_at(self, cost: float, messages: int) -> None:
        """Take up an attempt that an earlier engine has watched until now."""
        self.cost = self._base = cost
        self._messages = messages

    def understated(self, cost: float, messages: int) -> float:
        """How many times more a message cost, by the final figures, than it seemed to: at least 1."""
        if not (self._messages and messages and self.cost > 0.0):
            return 1.0
        return min(_MOST_UNDERSTATED, max(1.0, (cost / messages) / (self.cost / self._messages)))


class PastCosts:
    """What attempts of each kind cost: the most, the least, a message at most; and how far live figures are too low."""

    def __init__(self) -> None:
        self._highest: dict[Kind, float] = {}
        self._lowest: dict[Kind, float] = {}
        self._messages: dict[Kind, float] = {}
        self._scales: dict[Kind, float] = {}

    def finished(self, kind: Kind, cost: float) -> None:
        """An attempt has cost this."""
        self._highest[kind] = max(cost, self._highest.get(kind, 0.0))
        self._lowest[kind] = min(cost, self._lowest.get(kind, cost))

    def saw_message(self, kind: Kind, cost: float) -> None:
        """A message has cost this."""
        self._messages[kind] = max(cost, self._messages.get(kind, 0.0))

    def saw_scale(self, kind: Kind, scale: float) -> None:
        """Live figures of this kind must be multiplied by this."""
        self._scales[kind] = max(scale, self.scale(kind))

    def highest(self, kinds: Iterable[Kind]) -> float | None:
        """Returns the highest cost of an attempt of these kinds; None if there is none."""
        return max((cost for kind in kinds if (cost := self._highest.get(kind)) is not None), default=None)

    def lowest(self, kinds: Iterable[Kind]) -> float:
        """Returns the lowest cost of an attempt of these kinds, 0 if unknown."""
        return min((cost for kind in kinds if (cost := self._lowest.get(kind)) is not None), default=0.0)

    def message(self, kinds: Iterable[Kind]) -> float:
        """Returns the cost of the most expensive message of these kinds, 0 if unknown."""
        return max((self._messages.get(kind, 0.0) for kind in kinds), default=0.0)

    def scale(self, kind: Kind) -> float:
        """Returns by what live figures of this kind must be multiplied, because they understate the cost."""
        return self._scales.get(kind, 1.0)
