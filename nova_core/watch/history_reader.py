"""What a project's database remembers, read while others write it."""

from __future__ import annotations

import contextlib

from nova_core.errors import EnvironmentProblem
from nova_core.files.project import Project
from nova_core.runs.worktime import Span
from nova_core.state.database import AttemptRow, Database
from nova_core.state.events import Event
from nova_core.watch.source import QUIET


class HistoryReader:
    """Opens the database when there is one; until then, nothing has been."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._opened: Database | None = None

    def attempts(self, task_id: str) -> list[AttemptRow]:
        """The attempts of a task that are over, oldest first."""
        return found.attempts(task_id) if (found := self._database()) else []

    def spans(self, run: str) -> list[Span]:
        """Task, end and seconds of every attempt of a run that is over."""
        return found.spans(run) if (found := self._database()) else []

    def events_before(self, before: int, most: int) -> list[Event]:
        """The last notable events before number `before`, oldest first."""
        return found.events_before(before, most, QUIET) if (found := self._database()) else []

    def events_since(self, rev: int) -> tuple[Event, ...]:
        """The events after number `rev`, oldest first."""
        with contextlib.suppress(Exception):  # one that was put aside is opened anew at the next look
            return tuple(found.events_since(rev)) if (found := self._database()) else ()
        self.close()
        return ()

    def close(self) -> None:
        """Let go of it."""
        if self._opened:
            self._opened.close()
        self._opened = None

    def _database(self) -> Database | None:
        if self._opened is None:
            with contextlib.suppress(EnvironmentProblem):
                self._opened = Database(self._project.database, read_only=True)
        return self._opened
