"""What a journal says: the typed form of its lines, and the state of every job that follows from them.

Fields stand in the order of the templates in `nova_core.holder.journal`.
"""

from __future__ import annotations

import msgspec

from nova_core.executors.base import Ended, EndReason, Started
from nova_core.holder.journal import boot_id


class Hello(msgspec.Struct, frozen=True, array_like=True, tag="H", gc=False):
    """The holder itself; `start` is field 22 of its stat, `run_id` the first part of the marker of all its jobs."""

    version: int
    pid: int
    start: int
    boot: str
    run_id: str


class Intent(msgspec.Struct, frozen=True, array_like=True, tag="B", gc=False):
    """The job is about to be spawned."""

    key: str
    at: float


class Begun(msgspec.Struct, frozen=True, array_like=True, tag="P", gc=False):
    """The job's process runs."""

    key: str
    pid: int
    start: int
    at: float


class End(Ended, frozen=True, array_like=True, tag="E", gc=False):
    """Nothing of the job runs any more, but for `survivors`: the report as the holder wrote it."""


Record = Hello | Intent | Begun | End
decode_record = msgspec.json.Decoder(Record).decode


class Facts:
    """A journal as a whole. Damaged lines are left out: what they said is then unknown, never guessed."""

    def __init__(self, data: bytes) -> None:
        self.hello: Hello | None = None
        self.intents: dict[str, Intent] = {}
        self.processes: dict[str, Begun] = {}
        self.ends: dict[str, End] = {}
        # Space is reserved as zeros; a last line without its newline was torn by a crash.
        for line in data.partition(b"\0")[0].split(b"\n")[:-1]:
            try:
                self._add(decode_record(line))
            except msgspec.DecodeError:
                continue

    def _add(self, record: Record) -> None:
        if isinstance(record, Hello):
            self.hello = record
        elif isinstance(record, Intent):
            self.intents.setdefault(record.key, record)
        elif isinstance(record, Begun):
            self.processes.setdefault(record.key, record)
        else:
            self.ends.setdefault(record.key, record)

    @property
    def pid(self) -> int:
        """The holder's pid, 0 when it never came to write it."""
        return self.hello.pid if self.hello else 0

    def keys(self) -> set[str]:
        """Every job that began."""
        return self.intents.keys() | self.processes.keys() | self.ends.keys()

    def unended(self) -> list[str]:
        """The jobs that began and have no end on record."""
        return [key for key in {**self.intents, **self.processes} if key not in self.ends]

    def end_remains(self, keys: list[str]) -> tuple[str, ...]:
        """End what still runs of jobs whose holder is dead; what survived that, as `pid name`."""
        if self.hello is None or self.hello.boot != boot_id():
            return ()  # after a reboot nothing runs, and every pid is a stranger's
        from nova_core.holder.process_tree import end_jobs

        markers = {f"{self.hello.run_id}/{key}" for key in keys}
        mains = [(process.pid, process.start) for key, process in self.processes.items() if key in keys]
        return tuple(map(str, end_jobs(markers, mains)[1]))

    def lost(self, key: str, detail: str, survivors: tuple[str, ...]) -> Ended:
        """The end of a job whose holder died first."""
        process = self.processes.get(key)
        intent = self.intents.get(key)
        started = process.at if process else intent.at if intent else 0.0
        pid = process.pid if process else None
        return Ended(key, EndReason.LOST, pid=pid, started_at=started, detail=detail, survivors=survivors)


def as_started(begun: Begun) -> Started:
    """The report of a running process."""
    return Started(key=begun.key, pid=begun.pid, started_at=begun.at)
