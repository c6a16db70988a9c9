"""Reads a project's database while other processes write to it."""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from typing import Any

from nova_core.errors import EnvironmentProblem
from nova_core.files.project import Project
from nova_core.runs.outlook import Latest
from nova_core.runs.worktime import Span
from nova_core.state.database import AttemptRow, Database
from nova_core.state.events import Event
from nova_core.watch.source import QUIET


class HistoryReader:
    """Opens the database once it exists; until then the history is empty."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._opened: Database | None = None

    def attempts(self, task_id: str) -> list[AttemptRow]:
        """Returns the finished attempts of a task, oldest first."""
        return found.attempts(task_id) if (found := self._database()) else []

    def spans(self, run: str) -> list[Span]:
        """Returns task, end, seconds and start of every finished attempt of a run."""
        return list(found.spans(run)) if (found := self._database()) else []

    def latest(self) -> list[Latest]:
        """Returns task, seconds and US dollars of the latest completed attempt of each task, in any run."""
        return found.latest() if (found := self._database()) else []

    def events_before(self, before: int, most: int) -> list[Event]:
        """Returns the last `most` notable events before number `before`, oldest first."""
        return found.events_before(before, most, QUIET) if (found := self._database()) else []

    def events_since(self, rev: int) -> tuple[Event, ...]:
        """Returns the events after number `rev`, oldest first."""
        with contextlib.suppress(Exception):  # the next call opens a database that replaced this one
            return tuple(found.events_since(rev)) if (found := self._database()) else ()
        self.close()
        return ()

    def started(self, ids: Collection[str]) -> dict[str, dict[str, Any]]:
        """Returns what was recorded at the latest start of each of these tasks."""
        return found.started(ids) if (found := self._database()) else {}

    def close(self) -> None:
        """Close the database."""
        if self._opened:
            self._opened.close()
        self._opened = None

    def _database(self) -> Database | None:
        if self._opened is not None and not self._opened.is_named():
            self.close()  # it was deleted, and the engine has made another with the same content
        if self._opened is None:
            with contextlib.suppress(EnvironmentProblem):
                self._opened = Database(self._project.database, read_only=True)
        return self._opened
