"""Small files that other programs may have put there: only regular ones, up to a size, no links out of the project."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path


def read_plain(path: Path, most: int) -> bytes:
    """The content. Raises `OSError` for a link, a device, a FIFO, and for more than `most` bytes."""
    with open(open_plain(path), "rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise OSError(errno.EFBIG, f"it is larger than {most:,} bytes")
    return data


def open_plain(path: Path) -> int:
    """A descriptor for reading a regular file. Raises `OSError` for anything else."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.EINVAL, "it is not a regular file")
    return fd


def end_of(path: Path, most: int) -> bytes:
    """The last `most` bytes of a regular file. Raises `OSError` for anything else."""
    with open(open_plain(path), "rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - most))
        return file.read(most)


def read_inside(path: Path, root: Path, most: int) -> bytes:
    """As `read_plain`, but follows links: from a path in `root`, only to files in `root`."""
    real = Path(os.path.realpath(path))
    named_inside = Path(os.path.abspath(path)).is_relative_to(os.path.abspath(root))
    if named_inside and not real.is_relative_to(os.path.realpath(root)):
        raise OSError(errno.ELOOP, "it is a link that leads out of the project")
    return read_plain(real, most)
