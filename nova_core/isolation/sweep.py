"""After a kill: waits for the gits of the last engine, and removes what they left."""

from __future__ import annotations

import fcntl
import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from nova_core.isolation.borrowed import remove_all
from nova_core.isolation.landing import drop_landing_locks
from nova_core.isolation.repository import Repository, is_gone
from nova_core.isolation.values import Landing

PATIENCE = 30.0  # seconds
_PAUSE = 0.02
_TRASH = ".trash."


def sweep(repository: Repository, landing: Landing | None = None, patience: float = PATIENCE) -> None:
    """Wait for gits that outlived the last engine, then end them; remove their locks, and trees that are half removed.

    To be called once, before any other step of a run that continues; `landing` is the one that is open. Raises OSError.
    """
    _wait(repository, patience)
    place, disk = repository.place, repository.disk
    for folder, _, files in os.walk(f"{place.common}/refs/nova/{place.run}"):
        for name in files:
            if name.endswith(".lock"):
                disk.unlink(f"{folder}/{name}")  # nobody else writes these refs
    for file in Path(place.own).glob("*.lock"):
        disk.unlink(file)
    drop_landing_locks(repository, landing)
    _drop_packed_lock(repository)
    for trash in Path(place.trees).glob(f"{_TRASH}*"):
        remove_all(repository, str(trash))


def _wait(repository: Repository, patience: float) -> None:
    """Until no other process holds our lock: only gits of earlier engines can, and what these have started."""
    end = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(repository.busy, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if time.monotonic() > end:
                for pid in _holders(repository.busy):
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                end = time.monotonic() + 1
            time.sleep(_PAUSE)
    fcntl.flock(repository.busy, fcntl.LOCK_SH)


def _holders(fd: int) -> Iterator[int]:
    """Other processes that have this file open."""
    status = os.fstat(fd)
    for folder in Path("/proc").glob("[0-9]*/fd"):
        pid = int(folder.parent.name)
        with suppress(OSError):
            if pid != os.getpid() and any(os.path.samestat(os.stat(link), status) for link in _links(folder)):
                yield pid


def _links(folder: Path) -> Iterator[Path]:
    for link in folder.iterdir():
        with suppress(OSError):
            if os.readlink(link).endswith(".busy"):
                yield link


def _drop_packed_lock(repository: Repository) -> None:
    """Remove the lock of the packed refs if it is from within a deletion of ours that did not come to its end."""
    note, lock = Path(repository.place.run_file("deleting")), f"{repository.place.common}/packed-refs.lock"
    if not note.exists():
        return
    with suppress(FileNotFoundError):
        is_gone(lock, 1.0)  # another git would hold it for less
        if os.stat(lock).st_mtime >= note.stat().st_mtime - 0.02:
            repository.disk.unlink(lock)
    repository.disk.unlink(note)


def trees_left(repository: Repository) -> tuple[str, ...]:
    """The names (`values.name_of`) of the run's trees that exist."""
    with suppress(FileNotFoundError):
        return tuple(sorted(name for name in os.listdir(repository.place.trees) if not name.startswith(_TRASH)))
    return ()


def forget(repository: Repository, task_ids: tuple[str, ...]) -> None:
    """Delete the refs of tasks that are merged or given up. Raises GitFailed."""
    place = repository.place
    delete(repository, [ref for task_id in task_ids if repository.read_ref(ref := place.ref(task_id))])


def delete(repository: Repository, refs: list[str]) -> None:
    """Delete refs in one transaction. Raises GitFailed, OSError."""
    if refs:
        note = Path(repository.place.run_file("deleting"))
        repository.disk.make_dir(note.parent)
        repository.disk.replace(note, b"", sync=False)
        asked = "".join(f"delete {ref}\0\0" for ref in refs)
        repository.git("update-ref", "-z", "--stdin", stdin=asked.encode())
        repository.disk.unlink(note)


def finish(repository: Repository, landed: str | None = None) -> None:
    """At the end of a run: remove Nova's own files, the folder of trees, and the run's branch if it is at `landed`.

    That is the commit that has landed. Refs of kept work stay. Raises GitFailed, OSError.
    """
    place = repository.place
    if landed is not None and repository.read_ref(place.branch) == landed:
        delete(repository, [place.branch])
    for trash in Path(place.trees).glob(f"{_TRASH}*"):
        remove_all(repository, str(trash))
    with suppress(OSError):
        os.rmdir(place.trees)
        if place.trees.endswith(f".nova/{place.run}"):
            os.rmdir(os.path.dirname(place.trees))
    if not trees_left(repository):
        remove_all(repository, place.own)
        repository.disk.unlink(place.busy)
        with suppress(OSError):
            os.rmdir(os.path.dirname(place.own))
