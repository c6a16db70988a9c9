"""Permissions that only a person can give: asked one line each in the log, answered by a file, denied after a time."""

from __future__ import annotations

import os
from collections.abc import Callable
from time import monotonic
from typing import Any

from nova_core.acp.answers import read
from nova_core.acp.journal import Journal

_ALIVE = 5.0  # seconds between two lines that keep the limit of silence from ending an agent that waits for a person


class _Question:
    __slots__ = ("key", "number", "until", "words")

    def __init__(self, number: int, words: str, until: float) -> None:
        self.number = number
        self.words = words
        self.until = until  # monotonic; 0: no limit
        self.key = os.urandom(12).hex()


class Questions:
    """The questions that wait for an answer, oldest first; `decided` is called with the request and the answer.

    `patience` is how long one may wait, in seconds: 0 for any time, less for none, because there is nobody to ask.
    """

    def __init__(self, journal: Journal, patience: float, decided: Callable[[object, bool], object]) -> None:
        self._journal = journal
        self._patience = patience
        self._decided = decided
        self._inbox = os.environ.get("NOVA_INBOX", "")
        self._task = os.environ.get("NOVA_TASK_ID", "")
        number = os.environ.get("NOVA_ATTEMPT", "")
        self._attempt = int(number) if number.isascii() and number.isdigit() else 0
        self._waiting: dict[int, tuple[_Question, object]] = {}
        self._count = 0
        self._spoke = 0.0

    def ask(self, request: object, words: str) -> None:
        """Ask a person for what `words` say; `request` is the number of the agent's request."""
        self._count += 1
        nobody = self._patience < 0 or not self._inbox
        until = monotonic() + self._patience if self._patience > 0 else 0.0
        question = _Question(self._count, words, until)
        self._waiting[question.number] = question, request
        if nobody:
            self._settle(question, False, "nobody")
            return
        self._spoke = monotonic()
        self._journal.note(
            "question", number=question.number, key=question.key, words=words, seconds=max(self._patience, 0)
        )

    def look(self) -> None:
        """Take the answers that have come, and deny what has waited too long."""
        if not self._waiting:
            return
        now = monotonic()
        for question, _ in list(self._waiting.values()):
            answer = read(self._inbox, self._task, self._attempt, question.key)
            if answer is not None:
                self._settle(question, answer, "person")
            elif question.until and now >= question.until:
                self._settle(question, False, "time")
        if self._waiting and now - self._spoke >= _ALIVE:
            self._spoke = now
            self._journal.note("waiting", number=next(iter(self._waiting)))

    def drop(self) -> list[object]:
        """The agent is being stopped: returns the requests that nobody will decide."""
        requests = [request for _, request in self._waiting.values()]
        self._waiting.clear()
        return requests

    def _settle(self, question: _Question, allow: bool, by: str) -> None:
        _, request = self._waiting.pop(question.number)
        self._journal.note("answer", number=question.number, allow=allow, by=by, words=question.words)
        self._decided(request, allow)


def with_answer(option: str | None) -> dict[str, Any]:
    """The result of a request for permission: the chosen option, or none."""
    if option is None:
        return {"outcome": {"outcome": "cancelled"}}
    return {"outcome": {"outcome": "selected", "optionId": option}}
