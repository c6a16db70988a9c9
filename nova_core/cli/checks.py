"""What `nova doctor` finds, and the file system of a folder."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

NETWORK_FILESYSTEMS = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "sshfs", "fuse.sshfs", "ceph", "glusterfs", "afs"}


class Level(StrEnum):
    """The severity of a finding."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"
    NOTE = "note"


class Finding(NamedTuple):
    """One check and its result."""

    level: Level
    what: str
    detail: str


def filesystem_of(path: str) -> str:
    """The type of the filesystem that holds `path`, from /proc/mounts; empty if unknown."""
    best, kind = "", ""
    try:
        with open("/proc/self/mounts", encoding="utf-8", errors="replace") as mounts:
            for line in mounts:
                fields = line.split()
                point = fields[1].replace("\\040", " ")
                inside = path == point or path.startswith(point.rstrip("/") + "/")
                if inside and len(point) >= len(best):
                    best, kind = point, fields[2]
    except (OSError, IndexError):
        return ""
    return kind
