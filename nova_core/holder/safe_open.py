"""Opens files that another program may have replaced: no links, no pipes, no files of other users."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress

LOG_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


# The machine has no process, descriptor or memory to spare now: this passes, and is no fault of the command.
_PASSING = {errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ENOMEM}


def is_passing(error: BaseException | None) -> bool:
    """Returns True for an error that is a state of the machine."""
    return isinstance(error, OSError) and error.errno in _PASSING


def names_passing(text: str) -> bool:
    """Returns True if a text, such as the last line of a traceback, names such an error."""
    return any(os.strerror(number) in text for number in _PASSING)


class SpawnError(Exception):
    """The command could not start; the message is one line for the user. `passing` if it may start later."""

    def __init__(self, message: str, cause: Exception | None = None) -> None:
        super().__init__(message)
        self.passing = is_passing(cause)


def inherit_owner(made: int | os.PathLike[str], like: int | str | os.PathLike[str]) -> None:
    """Give what root made to the owner of `like`: a run by root must not lock the owner of a project out.

    Does nothing for other users. A file is given by its descriptor, as its name may lead to another; a folder by its
    path.
    """
    if os.geteuid():
        return
    with suppress(OSError):
        owner = os.stat(like)
        if owner.st_uid and isinstance(made, int):
            os.fchown(made, owner.st_uid, owner.st_gid)
        elif owner.st_uid and not isinstance(made, int):
            folder = os.open(made, FOLDER_FLAGS)
            os.fchown(folder, owner.st_uid, owner.st_gid)
            os.close(folder)


def open_log(folder: int, name: str) -> int:
    """Returns a descriptor to append to `name` in `folder`; raises SpawnError unless it is our regular file."""
    if not name:
        return _open_null()
    if "\0" in name or any(part in ("", ".", "..") for part in name.split("/")):
        raise SpawnError(f"the log name {name!r} is not a plain file name")
    if "/" in name:
        return _open_below(folder, name)
    try:
        # A new file is ours and regular; trying that first saves fstat and two fcntl per job.
        fd = os.open(name, LOG_FLAGS | os.O_EXCL, 0o600, dir_fd=folder)
        inherit_owner(fd, folder)
        return fd
    except FileExistsError:
        return _open_existing(folder, name)
    except OSError as error:
        raise SpawnError(f"cannot create the log {name}: {error.strerror}", error) from None


def _open_null() -> int:
    try:
        return os.open("/dev/null", os.O_WRONLY | os.O_CLOEXEC)
    except OSError as error:
        raise SpawnError(f"cannot open /dev/null: {error.strerror}", error) from None


def _open_below(folder: int, name: str) -> int:
    try:
        parent = open_parent(folder, name)
    except OSError as error:
        raise SpawnError(f"cannot use the folder of the log {name}: {error.strerror}", error) from None
    try:
        return open_log(parent, name.rpartition("/")[2])
    finally:
        os.close(parent)


def open_parent(folder: int, name: str) -> int:
    """Returns a descriptor of the folder that holds `name`, some levels below `folder`; missing ones are created.

    Links are not followed: they could lead out of the project. Raises OSError.
    """
    fd = os.dup(folder)
    for level in name.split("/")[:-1]:
        made = False
        with suppress(FileExistsError):
            os.mkdir(level, 0o777, dir_fd=fd)
            made = True
        try:
            below = os.open(level, FOLDER_FLAGS, dir_fd=fd)
            if made:
                inherit_owner(below, fd)
        finally:
            os.close(fd)
        fd = below
    return fd


def open_stdin(path: str) -> int:
    """Returns a descriptor to read the regular file `path`; raises SpawnError for other files, which could block."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise SpawnError(f"cannot read {path}: {error.strerror}", error) from None
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise SpawnError(f"cannot read {path}: it is not a regular file")
    os.set_blocking(fd, True)
    return fd


def _open_existing(folder: int, name: str) -> int:
    try:
        fd = os.open(name, LOG_FLAGS | os.O_NONBLOCK, 0o600, dir_fd=folder)  # a FIFO must not block
    except OSError as error:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
        kind = error.strerror if stat.S_ISREG(found) else _kind(found)
        text = f"cannot write the log {name}: it is {kind}; Nova writes only to regular files"
        raise SpawnError(text, error) from None
    found_stat = os.fstat(fd)
    problem = ""
    if not stat.S_ISREG(found_stat.st_mode):
        problem = _kind(found_stat.st_mode)
    elif found_stat.st_nlink != 1:
        problem = "a file with a second hard link"
    elif found_stat.st_uid not in _own_uids(folder):
        problem = "a file of another user"
    if problem:
        os.close(fd)
        raise SpawnError(f"cannot write the log {name}: it is {problem}; Nova writes only to regular files of its own")
    os.set_blocking(fd, True)
    return fd


def _own_uids(folder: int) -> tuple[int, ...]:
    """Users whose logs may be appended to: this one; for root, also the owner of the folder."""
    return (os.geteuid(),) if os.geteuid() else (0, os.fstat(folder).st_uid)


def _kind(mode: int) -> str:
    kinds = {stat.S_IFLNK: "a symbolic link", stat.S_IFIFO: "a named pipe", stat.S_IFDIR: "a folder"}
    return kinds.get(stat.S_IFMT(mode), "a device or socket")
