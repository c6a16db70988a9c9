"""Reads journals: the lines as structs, and the state of each job that follows from them.

Fields have the order of the templates in `nova_core.holder.journal`.
"""

from __future__ import annotations

import os

import msgspec

from nova_core.boot import boot_id
from nova_core.executors.base import Ended, EndReason, Started, Typed


class Hello(msgspec.Struct, frozen=True, array_like=True, tag="H", gc=False):
    """The holder; `start` is field 22 of its stat, `run_id` the first part of the marker of all its jobs."""

    version: int
    pid: int
    start: int
    boot: str
    run_id: str


class Intent(msgspec.Struct, frozen=True, array_like=True, tag="B", gc=False):
    """The job is about to be spawned."""

    key: str
    at: float


class Undone(msgspec.Struct, frozen=True, array_like=True, tag="U", gc=False):
    """The job was not spawned: its `Intent` is void, and it may be sent to any holder again."""

    key: str
    why: str


class Begun(msgspec.Struct, frozen=True, array_like=True, tag="P", gc=False):
    """The job's process runs."""

    key: str
    pid: int
    start: int
    at: float


class End(Ended, frozen=True, array_like=True, tag="E", gc=False):
    """No process of the job runs except `survivors`: the report as the holder wrote it."""


class Withdrawn(msgspec.Struct, frozen=True, array_like=True, tag="W", gc=False):
    """These jobs were handed ahead; they have not started, and will not."""

    keys: list[str]


class Typing(Typed, frozen=True, array_like=True, tag="T", gc=False):
    """What was typed into a job's terminal: the report as the holder sent it."""


class Challenge(msgspec.Struct, frozen=True, array_like=True, tag="C", gc=False):
    """Sent before anything else: the engine must prove that it knows the project's key."""

    challenge: str


class Refusal(msgspec.Struct, frozen=True, array_like=True, tag="N", gc=False):
    """The proof was wrong."""


_TICKS = os.sysconf("SC_CLK_TCK")  # per second, of `start`
Record = Hello | Intent | Undone | Begun | End
Message = Record | Withdrawn | Typing | Challenge | Refusal
decode_record = msgspec.json.Decoder(Record).decode
decode_message = msgspec.json.Decoder(Message).decode


class Facts:
    """The contents of a journal. Damaged lines are ignored: what they said is unknown, never guessed."""

    def __init__(self, data: bytes) -> None:
        self.hello: Hello | None = None
        self.intents: dict[str, Intent] = {}
        self.processes: dict[str, Begun] = {}
        self.ends: dict[str, End] = {}
        # Reserved space is filled with zeros; a last line without a newline was cut off by a crash.
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
        elif isinstance(record, Undone):
            self.intents.pop(record.key, None)
            self.processes.pop(record.key, None)
        elif isinstance(record, Begun):
            self.processes.setdefault(record.key, record)
        else:
            self.ends.setdefault(record.key, record)

    @property
    def pid(self) -> int:
        """The holder's pid, 0 if it was never written."""
        return self.hello.pid if self.hello else 0

    @property
    def place(self) -> str:
        """The folder and plan whose jobs the holder runs (`Project.place_id`); empty for older versions."""
        return self.hello.run_id.partition(".")[2] if self.hello else ""

    def holder_lives(self) -> bool:
        """Returns True if the holder that wrote this is a process of this machine now."""
        from nova_core.holder.process_tree import DEAD, read_process

        hello = self.hello
        if hello is None or hello.boot != boot_id():
            return False
        process = read_process(hello.pid)
        return process is not None and process.start == hello.start and process.state not in DEAD

    def keys(self) -> set[str]:
        """Returns every job that began."""
        return self.intents.keys() | self.processes.keys() | self.ends.keys()

    def unended(self) -> list[str]:
        """Returns the jobs that began and have no recorded end."""
        return [key for key in {**self.intents, **self.processes} if key not in self.ends]

    def end_remains(self, keys: list[str]) -> tuple[str, ...]:
        """End the remaining processes of jobs whose holder is dead; returns the survivors, as `pid name`."""
        if self.hello is None or self.hello.boot != boot_id():
            return ()  # after a reboot no job runs, and every pid belongs to another process
        from nova_core.holder.process_tree import end_jobs

        markers = {f"{self.hello.run_id}/{key}" for key in keys}
        mains = [(process.pid, process.start) for key, process in self.processes.items() if key in keys]
        return tuple(map(str, end_jobs(markers, mains)[1]))

    def lost(self, key: str, detail: str, survivors: tuple[str, ...]) -> Ended:
        """Returns the end of a job whose holder died before it."""
        process = self.processes.get(key)
        intent = self.intents.get(key)
        started = process.at if process else intent.at if intent else 0.0
        pid = process.pid if process else None
        return Ended(key, EndReason.LOST, pid=pid, started_at=started, detail=detail, survivors=survivors)


def as_started(begun: Begun) -> Started:
    """Returns the report of a running process; its holder lives, so both belong to this boot."""
    return Started(key=begun.key, pid=begun.pid, started_at=begun.at, since_boot=begun.start / _TICKS or None)
