"""Writes the repository of a tree: its own refs, index and settings, with the objects of the user's repository.

Everything is written as a file (gitrepository-layout(5)): `git clone --shared` would copy refs and settings that a
worker must not have, and starts four programs.
"""

from __future__ import annotations

import os
import shutil
import stat
import threading
import time
from contextlib import suppress
from pathlib import Path

from nova_core.isolation.repository import Repository, is_sha
from nova_core.isolation.survey import branch_of
from nova_core.isolation.values import GitFailed

# A worker's own hooks and settings are those of the project; what a tree is comes after them.
_CONFIG = """\
[core]
	hooksPath = {hooks}
[include]
	path = {config}
	path = {own_config}
[core]
	repositoryformatversion = 1
	bare = false
	fsmonitor = false
	splitIndex = false
[gc]
	auto = 0
[maintenance]
	auto = false
"""
_COPIED = ("shallow", "info/exclude", "info/attributes")


def note_settings(repository: Repository) -> None:
    """Write down once for a run which refs and settings its trees get: those that the repository has now."""
    place = repository.place
    paths = {"hooks": f"{place.common}/hooks", "config": f"{place.common}/config"}
    paths["own_config"] = f"{place.git_dir}/config.worktree"
    config = _CONFIG.format_map({name: _quoted(path) for name, path in paths.items()})
    found = repository.git("config", "--null", "--get-regexp", r"^extensions\.(objectformat|partialclone)$", ok=(0, 1))
    for field in found.fields:
        key, _, value = os.fsdecode(field).partition("\n")
        config += f"[extensions]\n\t{key.partition('.')[2]} = {_quoted(value)}\n"
    listed = repository.git("for-each-ref", "--format=%(objectname) %(refname)").out.splitlines()
    if any(not is_sha(line.partition(b" ")[0]) or b" refs/" not in line for line in listed):
        raise GitFailed("git for-each-ref printed something unexpected")
    refs = [line for line in listed if not _is_novas(line.partition(b" ")[2])]
    head = branch_of(place.git_dir) or "refs/heads/main"
    disk = repository.disk
    disk.replace(Path(place.run_file("head")), os.fsencode(head), sync=False)
    disk.replace(Path(place.run_file("refs")), b"\n".join([b"# pack-refs with: sorted ", *refs, b""]), sync=False)
    disk.replace(Path(place.run_file("config")), os.fsencode(config), sync=False)


def _is_novas(ref: bytes) -> bool:
    return ref == b"refs/stash" or ref.startswith((b"refs/nova/", b"refs/heads/nova/", b"refs/heads/nova-"))


def _quoted(value: str) -> str:
    """A value for a configuration file (git-config(1), "Syntax"), quoted whole: others than git read no parts."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{escaped}"'


def write_repository(repository: Repository, task_id: str, head: str, merging: str = "") -> None:
    """Give the tree of a task a new `.git`, on a branch named like the user's, at commit `head`.

    With `merging` it is in the middle of a merge with that commit. What was there is removed unread: a worker may have
    put anything there. Raises GitFailed, OSError.
    """
    place, disk = repository.place, repository.disk
    git = Path(place.tree(task_id), ".git")
    discard(repository, git)
    if not os.path.exists(place.run_file("config")):
        note_settings(repository)
    branch = Path(place.run_file("head")).read_text("utf-8", "surrogateescape")
    disk.step("mkdir", str(git))
    for folder in ("objects/info", "objects/pack", "refs/heads", "info", os.path.dirname(branch)):
        (git / folder).mkdir(parents=True, exist_ok=True)
    files = {
        "HEAD": f"ref: {branch}\n", branch: f"{head}\n", "objects/info/alternates": f"{place.common}/objects\n",
    }  # fmt: skip
    if merging:
        files |= {"MERGE_HEAD": f"{merging}\n", "MERGE_MSG": f"Merge {merging[:12]}\n", "MERGE_MODE": ""}
    for name, text in files.items():
        (git / name).write_bytes(os.fsencode(text))
    shutil.copyfile(place.run_file("refs"), git / "packed-refs")
    shutil.copyfile(place.run_file("config"), git / "config")
    sparse = Path(place.git_dir, "info/sparse-checkout")
    for source, name in [(Path(place.common, name), name) for name in _COPIED] + [(sparse, "info/sparse-checkout")]:
        with suppress(FileNotFoundError):
            shutil.copyfile(source, git / name)


def copy_index(repository: Repository, task_id: str, index: str = "") -> None:
    """Give the tree's repository a copy of Nova's index, with its time: git's guard against changes within a second."""
    place = repository.place
    target = f"{place.tree(task_id)}/.git/index"
    repository.disk.step("copy", target)
    shutil.copy2(index or place.task_file(task_id, "index"), target)


def note_base(repository: Repository, task_id: str, commit: str) -> None:
    """Note with which commit the files of a tree are to be compared from now on."""
    repository.disk.replace(Path(repository.place.task_file(task_id, "base")), f"{commit}\n".encode(), sync=False)


def discard(repository: Repository, path: str | Path) -> None:
    """Remove a file or folder: renamed first, so that a kill leaves nothing half removed under its name."""
    if not os.path.lexists(path):
        return
    trash = f"{repository.place.trees}/.trash.{os.getpid()}.{threading.get_native_id()}.{time.monotonic_ns()}"
    repository.disk.rename(path, trash)
    remove_all(repository, trash)


def remove_all(repository: Repository, path: str) -> None:
    """Remove a folder with all that is in it, also where it has folders without permissions; what stays stays."""
    repository.disk.step("remove", path)
    clean = {key: os.environ[key] for key in ("PATH", "LD_LIBRARY_PATH") if key in os.environ}
    repository.start(["rm", "-rf", "--", path], "/", clean)
    if os.path.lexists(path):
        open_up(path)
        repository.start(["rm", "-rf", "--", path], "/", clean)


def open_up(path: str, *, files: bool = False) -> None:
    """Give the owner of a folder all permissions on it and all below it, where a worker has taken them away.

    With `files`, also that to read files. Links are left alone.
    """
    waiting = [path]
    while waiting:
        folder = waiting.pop()
        with suppress(OSError):
            if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
                os.chmod(folder, 0o700)
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    elif files and entry.is_file(follow_symlinks=False) and not os.access(entry.path, os.R_OK):
                        os.chmod(entry.path, entry.stat(follow_symlinks=False).st_mode | stat.S_IRUSR)
