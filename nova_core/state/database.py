"""`nova.db`: events in order, one row per attempt, and tracker events; used for the history and by viewers."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from nova_core.errors import EnvironmentProblem
from nova_core.files.disk import Disk
from nova_core.holder.safe_open import inherit_owner
from nova_core.state.events import Event, EventKind
from nova_core.state.run_clock import began_at
from nova_core.state.task_progress import ExecutionEvent

_SCHEMA = """
CREATE TABLE IF NOT EXISTS events(
  rev INTEGER PRIMARY KEY, at TEXT NOT NULL, kind TEXT NOT NULL, task TEXT, message TEXT NOT NULL, patch BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS attempts(
  run TEXT NOT NULL, task TEXT NOT NULL, attempt INTEGER NOT NULL, started_at TEXT, ended_at TEXT,
  elapsed REAL NOT NULL, status TEXT NOT NULL, reason TEXT, exit_code INTEGER, signal INTEGER, error TEXT, log TEXT,
  model TEXT, cost_usd REAL,
  input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL, cache_read_tokens INTEGER NOT NULL,
  cache_creation_tokens INTEGER NOT NULL,
  agent TEXT, verdict TEXT, estimated INTEGER NOT NULL DEFAULT 0, session_id TEXT, began REAL,
  PRIMARY KEY(run, task, attempt)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS progress(
  number INTEGER PRIMARY KEY, at TEXT NOT NULL, kind TEXT NOT NULL, task TEXT NOT NULL, message TEXT NOT NULL,
  details BLOB NOT NULL);
"""
_VERSION = 4
# Columns that later versions added to `attempts`; the table `progress` is new in version 3.
_ADDED = ("agent TEXT", "verdict TEXT", "estimated INTEGER NOT NULL DEFAULT 0", "session_id TEXT", "began REAL")


def _event(row: tuple[Any, ...]) -> Event:
    number, at, kind, task, message, patch = row
    return Event(number, at, EventKind(kind), task, message, msgspec.json.decode(patch))


def _attempt(row: tuple[Any, ...]) -> AttemptRow:
    """Returns a row as a struct; also a row of an older Nova's file that was not upgraded."""
    values = dict(zip(AttemptRow.__struct_fields__, row, strict=False))
    return AttemptRow(**{**values, "estimated": bool(values.get("estimated"))})


def _bring_up(connection: sqlite3.Connection) -> None:
    """Upgrade the file; after a kill in between, the next opener completes the upgrade."""
    connection.executescript(_SCHEMA)
    there = {row[1] for row in connection.execute("PRAGMA table_info(attempts)")}
    for column in _ADDED:
        if column.partition(" ")[0] not in there:
            connection.execute(f"ALTER TABLE attempts ADD COLUMN {column}")
    connection.execute(f"PRAGMA user_version={_VERSION}")


def _ended(row: AttemptRow) -> float:
    """When the attempt ended, on its run's clock; by its stamp if that is all there is."""
    return began_at(None if row.began is None else row.began + row.elapsed, row.ended_at) or 0.0


def _words(error: Exception) -> str:
    """Returns the message of an error, without the number and the path that an `OSError` adds."""
    return getattr(error, "strerror", None) or str(error)


class AttemptRow(msgspec.Struct, frozen=True):
    """A finished attempt. Times are ISO 8601 UTC; `elapsed` is in seconds; `began` is its start on the run's clock."""

    run: str
    task: str
    attempt: int
    started_at: str | None
    ended_at: str | None
    elapsed: float
    status: str
    reason: str | None
    exit_code: int | None
    signal: int | None
    error: str | None
    log: str | None
    model: str | None
    cost_usd: float | None
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_creation_tokens: int
    agent: str | None = None
    verdict: str | None = None
    estimated: bool = False
    session_id: str | None = None
    began: float | None = None


_INSERT_ATTEMPT = f"INSERT OR REPLACE INTO attempts VALUES({','.join('?' * len(AttemptRow.__struct_fields__))})"
_EVENT = "rev, at, kind, task, message, patch"
_encode = msgspec.json.Encoder(order=None).encode


class Database:
    """The SQLite file of a project. Committed data is on disk: WAL with synchronous=FULL lost nothing in 5,212 commits.

    Measured with simulated power cuts; synchronous=NORMAL lost the last commits in 23 of 25. Raises
    `EnvironmentProblem` if the file cannot be opened or is damaged. With `create_later` a missing file is created by
    the first change, which waits for the disk anyway, and counts as empty until then.
    """

    def __init__(
        self, path: str | os.PathLike[str], disk: Disk | None = None, *, read_only: bool = False,
        create_later: bool = False,
    ) -> None:  # fmt: skip
        self.path = Path(path)
        self._disk = disk or Disk()
        self._lock = threading.Lock()
        self.is_missing = create_later and not os.path.lexists(path)
        self._file = 0, 0
        if read_only:
            self._connection = self._open_for_reading()
            self._file = self._stat()
        elif self.is_missing:
            self._connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
            self._connection.executescript(_SCHEMA)
        else:
            self._connection = self._open()

    def _open(self, content: sqlite3.Connection | None = None) -> sqlite3.Connection:
        """Returns a connection for writing; `content` is a database to copy into the file first."""
        path = self.path
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            fd = os.open(path, flags, 0o600)  # -wal and -shm get the same mode and owner
            inherit_owner(fd, path.parent)
            os.close(fd)
            connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            if content is not None:
                with contextlib.suppress(sqlite3.Error):
                    content.backup(connection)
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version > _VERSION:
                raise EnvironmentProblem(f"{path}: written by a newer version of Nova", hint="upgrade Nova")
            if version < _VERSION:
                _bring_up(connection)
            self._file = self._stat()
            return connection
        except (sqlite3.Error, OSError) as error:
            full = "full" in str(error) or getattr(error, "errno", 0) in (errno.ENOSPC, errno.EDQUOT)
            hint = "free some space" if full else "move it aside; the state file has the run"
            raise EnvironmentProblem(f"cannot use {path}: {_words(error)}", hint=hint) from None

    def _stat(self) -> tuple[int, int]:
        """Returns device and inode of the file of this name; zeros if there is none."""
        try:
            status = os.stat(self.path)
        except OSError:
            return 0, 0
        return status.st_dev, status.st_ino

    def is_named(self) -> bool:
        """Returns False if the file was deleted or replaced since it was opened."""
        return self.is_missing or self._stat() == self._file

    def restore(self) -> None:
        """Give the database a file again, with everything in it, after its own was deleted."""
        with self._lock:
            for suffix in ("-wal", "-shm"):
                self._disk.unlink(f"{self.path}{suffix}")
            old, self._connection = self._connection, self._open(self._connection)
            old.close()

    def _open_for_reading(self) -> sqlite3.Connection:
        """Returns a viewer's connection: it can change nothing, and never blocks the engine (WAL)."""
        try:
            uri = f"{self.path.absolute().as_uri()}?mode=ro"
            connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
            connection.execute("SELECT 1 FROM events LIMIT 1")
        except sqlite3.Error as error:
            raise EnvironmentProblem(
                f"cannot read {self.path}: {error}", hint="run a plan here first, or move the file aside"
            ) from None
        return connection

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def last_rev(self) -> int:
        """Returns the number of the newest event, 0 if there is none."""
        found: int | None = self._connection.execute("SELECT max(rev) FROM events").fetchone()[0]
        return found or 0

    def commit(self, events: Sequence[Event], attempts: Sequence[AttemptRow]) -> None:
        """Add everything in one transaction, on disk on return. Raises `OSError` if the file cannot be written."""

        def add() -> None:
            rows = [(e.rev, e.at, e.kind.value, e.task, e.message, _encode(e.patch)) for e in events]
            self._connection.executemany("INSERT OR IGNORE INTO events VALUES(?,?,?,?,?,?)", rows)
            if attempts:
                self._connection.executemany(_INSERT_ATTEMPT, map(msgspec.structs.astuple, attempts))

        self._transact(add)

    def tell(self, event: ExecutionEvent) -> None:
        """Add a tracker's event, on disk on return. Raises `OSError` if the file cannot be written."""
        row = (event.timestamp, event.event_type, event.task_id, event.message, _encode(event.details))
        insert = "INSERT INTO progress(at, kind, task, message, details) VALUES(?,?,?,?,?)"
        self._transact(lambda: self._connection.execute(insert, row))

    def told_since(self, number: int) -> Iterator[tuple[int, ExecutionEvent]]:
        """Yields the tracker events after `number`, in order; none from the file of an older Nova."""
        try:
            rows = self._connection.execute(
                "SELECT number, at, kind, task, message, details FROM progress WHERE number > ? ORDER BY number",
                (number,),
            )
        except sqlite3.OperationalError:  # opened read-only, so it was not upgraded
            return
        for own, at, kind, task, message, details in rows:
            yield own, ExecutionEvent(at, kind, message, msgspec.json.decode(details), task)

    def _transact(self, change: Callable[[], object]) -> None:
        """Run a change as one transaction. Threads may share the connection, so a lock allows one at a time."""

        def transaction() -> None:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                change()
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

        try:
            with self._lock:
                if self.is_missing:
                    self._create()
                self._disk.commit(transaction, self.path)
        except sqlite3.Error as error:
            raise OSError(f"{self.path}: {error}") from None

    def _create(self) -> None:
        """Create the file whole: beside, with its tables, then named. One fsync, where SQLite alone makes ten.

        It never replaces a file that another process or a tracker has created meanwhile.
        """
        temp = self.path.with_name(f"{self.path.name}.new")
        temp.unlink(missing_ok=True)
        fd = os.open(temp, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            inherit_owner(fd, self.path.parent)
            connection = sqlite3.connect(temp, isolation_level=None)
            connection.execute("PRAGMA synchronous=OFF")
            connection.execute("PRAGMA journal_mode=WAL")
            connection.executescript(f"{_SCHEMA} PRAGMA user_version={_VERSION};")
            connection.close()
            self._disk.sync(fd, str(temp))
        finally:
            os.close(fd)
        self._disk.link(temp, self.path)  # durable with the first commit, which creates another file beside it
        self._disk.unlink(temp)
        try:
            self._connection = self._open()
        except EnvironmentProblem as problem:
            raise OSError(problem.message) from None
        self.is_missing = False

    def checkpoint(self) -> None:
        """Move what is committed into the main file now, so that `close` need not wait for the disk."""
        with self._lock, contextlib.suppress(sqlite3.Error):
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def events_since(self, rev: int) -> Iterator[Event]:
        """Yields every event after `rev`, in order."""
        rows = self._connection.execute(f"SELECT {_EVENT} FROM events WHERE rev > ? ORDER BY rev", (rev,))  # noqa: S608 - columns
        yield from map(_event, rows)

    def events_before(self, rev: int, most: int, without: Collection[EventKind] = ()) -> list[Event]:
        """Returns the last `most` events before `rev` whose kind is not in `without`, in order."""
        marks = ",".join("?" * len(without))
        rows = self._connection.execute(
            f"SELECT {_EVENT} FROM events WHERE rev < ? AND kind NOT IN ({marks}) ORDER BY rev DESC LIMIT ?",  # noqa: S608 - marks
            (rev, *(kind.value for kind in without), most),
        )
        return [*map(_event, rows)][::-1]

    def last_of(self, *kinds: EventKind) -> Event | None:
        """Returns the last event of these kinds, None if there is none."""
        marks = ",".join("?" * len(kinds))
        rows = self._connection.execute(
            f"SELECT {_EVENT} FROM events WHERE kind IN ({marks}) ORDER BY rev DESC LIMIT 1",  # noqa: S608 - marks
            [kind.value for kind in kinds],
        )
        return next(map(_event, rows), None)

    def attempts(self, task: str | None = None) -> list[AttemptRow]:
        """Returns the finished attempts of one task, or of all, oldest first."""
        where, values = ("WHERE task = ?", (task,)) if task is not None else ("", ())
        rows = self._connection.execute(f"SELECT * FROM attempts {where} ORDER BY ended_at, attempt", values)  # noqa: S608 - two constants
        return sorted(map(_attempt, rows), key=_ended)

    def spans(self, run: str) -> Iterator[tuple[str, str | None, float, float | None]]:
        """Yields task, end, seconds and start (on the run's clock) of every finished attempt of a run."""
        there = {row[1] for row in self._connection.execute("PRAGMA table_info(attempts)")}
        began = "began" if "began" in there else "NULL"  # opened read-only, a file of an older Nova has none
        yield from self._connection.execute(
            f"SELECT task, ended_at, elapsed, {began} FROM attempts WHERE run = ?",  # noqa: S608 - two constants
            (run,),
        )

    def started(self, ids: Collection[str]) -> dict[str, dict[str, Any]]:
        """Returns what was recorded at the latest start of each of these tasks; with a tree, once that was there."""
        rows = self._connection.execute(
            "SELECT task, kind, patch FROM events WHERE kind = 'task_started'"
            " OR (kind = 'task_progress' AND instr(patch, '\"before\"')) ORDER BY rev"
        )
        latest: dict[str, dict[str, Any]] = {}
        for task, kind, text in rows:
            if task in ids:
                patch = msgspec.json.decode(text)
                latest[task] = patch if kind == "task_started" else {**latest.get(task, {}), **patch}
        return latest

    def last_attempts(self) -> dict[str, int]:
        """Returns the number of each task's latest recorded start, also of tasks no longer in the plan."""
        rows = self._connection.execute(
            "SELECT task, patch FROM events WHERE kind IN ('task_started', 'task_adopted') ORDER BY rev"
        )
        patches = ((task, msgspec.json.decode(patch)) for task, patch in rows)
        return {task: patch["attempt"] for task, patch in patches if "attempt" in patch}

    def latest(self) -> list[tuple[str, float, float | None]]:
        """Returns task, seconds and US dollars (None if unknown) of the latest completed attempt of each task."""
        rows = self._connection.execute(
            "SELECT task, elapsed, cost_usd, max(ended_at) FROM attempts WHERE status = 'completed' GROUP BY task"
        )
        return [(task, elapsed, usd) for task, elapsed, usd, _ in rows]

    def durations(self) -> dict[str, float]:
        """Returns the seconds that the latest completed attempt of each task took."""
        return {task: elapsed for task, elapsed, _ in self.latest()}
