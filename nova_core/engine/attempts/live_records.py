"""Follows agents' own records of their sessions while they run: some print their tokens only at their end."""

from __future__ import annotations

from nova_core.engine.attempts.attempt import Attempt
from nova_core.engine.attempts.parts import Parts
from nova_core.launch.agent_records import SessionRecords

_AT_THE_END = ("codex", "gemini")
_ALSO = ("claude",)  # its log says too little of its output; that matters for a budget
_PAUSE = 0.5  # seconds between searches for records that are not there yet
_LONGEST_PAUSE = 30.0


class LiveRecords:
    """Reads what is new in the records of running attempts."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._followed: dict[str, SessionRecords] = {}
        self._search_at: dict[str, float] = {}

    def look(self, attempt: Attempt) -> bool:
        """Update `attempt.live` of an agent; returns False if nothing is new."""
        if not self._is_wanted(attempt):
            return False
        records = self._followed.get(attempt.key) or self._search(attempt)
        if records is None or not attempt.safely(records.look, False):
            return False
        attempt.live = records.found
        attempt.model = attempt.model or attempt.live.model
        return True

    def _is_wanted(self, attempt: Attempt) -> bool:
        parser = attempt.by.parser
        return parser in _AT_THE_END or (attempt.cap is not None and parser in _ALSO)

    def forget(self, attempt: Attempt) -> None:
        """The attempt has ended."""
        self._followed.pop(attempt.key, None)
        self._search_at.pop(attempt.key, None)

    def _search(self, attempt: Attempt) -> SessionRecords | None:
        now, session = self._parts.clock.monotonic(), attempt.log.session_id
        if session is None or now < self._search_at.get(attempt.key, 0.0):
            return None
        age = self._parts.store.time() - attempt.began
        self._search_at[attempt.key] = now + min(_LONGEST_PAUSE, max(_PAUSE, age / 10))
        agent, parser, since = attempt.by.agent or "", attempt.by.parser, started(self._parts, attempt)
        launcher = self._parts.launcher
        found = attempt.safely(lambda: launcher.follow_records(agent, parser, session, since), None)
        if found is not None:
            self._followed[attempt.key] = found
        return found


def started(parts: Parts, attempt: Attempt) -> float:
    """Returns the system time of the start, as the agent's records have it: earlier, if it was set back since."""
    took = parts.store.time() - attempt.began
    return min(attempt.started, parts.clock.now() - took)
