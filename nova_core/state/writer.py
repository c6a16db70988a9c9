"""Writes events and state to disk, one batch after another, on a thread: the engine does not wait for the disk."""

from __future__ import annotations

import threading
from collections.abc import Callable

import msgspec

from nova_core.clock import Clock
from nova_core.state.database import AttemptRow, Database
from nova_core.state.events import Event
from nova_core.state.manager import StateManager
from nova_core.state.schema import State


class Batch(msgspec.Struct, frozen=True):
    """What is written at once: events and finished attempts, then the state, if there is one to publish.

    `changed` names the tasks that differ from the state published before; None means all.
    """

    events: tuple[Event, ...] = ()
    attempts: tuple[AttemptRow, ...] = ()
    state: State | None = None
    changed: frozenset[str] | None = None


class Written(msgspec.Struct):
    """How far a batch got: its events are on disk (`recorded`), its state is on disk (`published`).

    `error` stopped it; without one, an unpublished state means that another program changed the file. `seconds` is the
    time that publishing took.
    """

    batch: Batch
    recorded: bool = False
    published: bool = False
    error: BaseException | None = None
    seconds: float = 0.0


def _nothing() -> None:
    """Wakes nobody."""


class Writer:
    """Writes one batch at a time. `wake` is called from the thread when a batch is over, successful or not.

    A thread lives for one batch; where none can be started, the calling thread writes. `is_busy` is True from `start`
    until `written` returns the result.
    """

    def __init__(self, database: Database, manager: StateManager, clock: Clock) -> None:
        self._database = database
        self._manager = manager
        self._clock = clock
        self._thread: threading.Thread | None = None
        self._written: Written | None = None
        self.is_busy = False
        self.wake: Callable[[], object] = _nothing

    def start(self, batch: Batch, *, background: bool) -> None:
        """Write a batch, in the background or at once; `written` returns the result."""
        self.is_busy = True
        if background:
            self._thread = threading.Thread(target=self._run, args=(batch,), name="nova-disk", daemon=True)
            try:
                self._thread.start()
                return
            except RuntimeError:  # the machine has no room for a thread now
                self._thread = None
        self._written = self._write(batch)

    def written(self, *, wait: bool = False) -> Written | None:
        """Returns the result of the last batch, once; None if there is none, or while it is being written."""
        if self._thread is not None:
            if self._written is None and not wait:
                return None
            self._thread.join()
            self._thread = None
        written, self._written = self._written, None
        self.is_busy = False
        return written

    def _run(self, batch: Batch) -> None:
        self._written = self._write(batch)
        self.wake()

    def _write(self, batch: Batch) -> Written:
        written = Written(batch)
        try:
            if batch.events or batch.attempts or self._database.is_missing:
                self._database.commit(batch.events, batch.attempts)
            written.recorded = True
            if batch.state is not None:
                start = self._clock.monotonic()
                written.published = self._manager.publish(batch.state, batch.changed)
                written.seconds = self._clock.monotonic() - start
        except BaseException as error:  # the engine's thread decides what it means
            written.error = error
        return written
