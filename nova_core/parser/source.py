"""Reads the bytes of a plan, and rejects anything but a text file of limited size."""

from __future__ import annotations

import errno
import os
import stat

from nova_core.errors import InputError, InputNotFoundError, Problem
from nova_core.parser.findings import shown_path

MAX_BYTES = 32 * 1024 * 1024
_FILE_HINT = "name a file that you may read"


def read_source(path: str | os.PathLike[str]) -> str:
    """The text of the file `path`, with its line ends unchanged.

    Raises `InputNotFoundError` if there is none, `InputError` for a folder, an unreadable file, one of more than
    `MAX_BYTES` or one that is not UTF-8.
    """
    name = shown_path(os.fspath(path))
    try:
        data = _read_plain(path)
    except FileNotFoundError:
        hint = "give the path of a CASCADE.md, or write one here"
        raise InputNotFoundError([Problem(name, 0, "there is no such plan", hint)]) from None
    except IsADirectoryError:
        raise _refusal(name, 0, "this is a folder, not a plan", "give the path of a file") from None
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL character
        raise _refusal(name, 0, f"cannot be read: {getattr(error, 'strerror', None) or error}", _FILE_HINT) from None
    if len(data) > MAX_BYTES:
        raise _refusal(name, 0, f"the plan is larger than {MAX_BYTES >> 20} MiB", "split it into several plans")
    return _decoded(data, name)


def _read_plain(path: str | os.PathLike[str]) -> bytes:
    """The bytes of a file or device; never waits for a pipe in its place."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        kind = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(kind):
            raise IsADirectoryError
        if stat.S_ISFIFO(kind) and not os.path.samestat(os.fstat(descriptor), os.fstat(0)):
            raise OSError(errno.EINVAL, "it is a pipe")
        os.set_blocking(descriptor, True)
        return _read_all(descriptor)
    finally:
        os.close(descriptor)


def _read_all(descriptor: int) -> bytes:
    """At most one byte more than allowed: the file may be endless, such as a device."""
    parts, room = [], MAX_BYTES + 1
    while room and (part := os.read(descriptor, min(room, 1 << 20))):
        parts.append(part)
        room -= len(part)
    return b"".join(parts)


def _decoded(data: bytes, name: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        if b"\0" in data[:1024] and data[:2] not in (b"\xff\xfe", b"\xfe\xff"):
            raise _refusal(name, 0, "this is a binary file, not a plan", "give the path of a Markdown file") from None
        hint = "save the file as UTF-8"
        raise _refusal(name, line, f"byte {error.object[error.start]:#04x} is not valid UTF-8", hint) from None


def _refusal(name: str, line: int, message: str, hint: str) -> InputError:
    return InputError([Problem(name, line, message, hint)])
