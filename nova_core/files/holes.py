"""Finds the parts of a sparse file that hold data (lseek(2)): the middle of a log may have been freed."""

from __future__ import annotations

import errno
import os


def next_data(fd: int, offset: int) -> int:
    """The first byte from `offset` on that is not in a hole; `offset` if the system or file system cannot say."""
    return _seek(fd, offset, "SEEK_DATA", offset)


def next_hole(fd: int, offset: int, otherwise: int) -> int:
    """The start of the next hole from `offset` on; `otherwise` if the system or file system cannot say."""
    return _seek(fd, offset, "SEEK_HOLE", otherwise)


def _seek(fd: int, offset: int, whence: str, otherwise: int) -> int:
    number = getattr(os, whence, None)
    if number is None:
        return otherwise
    try:
        return os.lseek(fd, offset, number)
    except OSError as error:
        return 1 << 62 if error.errno == errno.ENXIO else otherwise
