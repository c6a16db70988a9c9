"""Jobs handed to the shared holder ahead of a free slot, as the engine sees them."""

from __future__ import annotations

import time
from collections.abc import Callable

from nova_core.errors import EnvironmentProblem
from nova_core.executors.holder_link import HolderLink
from nova_core.executors.links import Links
from nova_core.executors.wire import WITHDRAW, ahead_of

_TURN = 1.0  # seconds


class JobsAhead:
    """Sends such jobs, many with one message. `keys` are those of which no report says yet whether they have started,
    with their holders.
    """

    def __init__(self, links: Links) -> None:
        self._links = links
        self.keys: dict[str, HolderLink] = {}
        self._unsent: list[bytes] = []
        self._slots = 0
        self._is_asked = False  # to give them back

    def add(self, link: HolderLink, key: str, job: bytes, slots: int) -> None:
        """Hand an encoded job ahead with the next message."""
        self.keys[key] = link
        self._unsent.append(job)
        self._slots = slots
        self._is_asked = False

    def send(self) -> None:
        """Send what was added."""
        if self._unsent:
            jobs, self._unsent = self._unsent, []
            self._links.send(next(iter(self.keys.values())), ahead_of(self._slots, jobs))

    def forget(self, keys: list[str]) -> None:
        """Their holder has died: nothing is sent, and nothing of these jobs will be reported by it."""
        self._unsent = []
        for key in keys:
            self.keys.pop(key, None)

    def recall(self, serve: Callable[[HolderLink], None]) -> EnvironmentProblem | None:
        """Withdraw all; `serve` handles what the holder says until each has started, ended or come back.

        Returns what is wrong if it does not answer within `_TURN`; its answer is then handled whenever it comes.
        """
        self.send()
        if not self._is_asked:
            self._is_asked = True
            for link in {*self.keys.values()}:
                self._links.send(link, WITHDRAW)
        deadline = time.monotonic() + _TURN
        while self.keys:
            left = deadline - time.monotonic()
            if left <= 0:
                return next(iter(self.keys.values())).silent()
            for link in self._links.poll(left * 1000):
                serve(link)
        return None
