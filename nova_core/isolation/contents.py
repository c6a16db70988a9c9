"""What the files in a tree are compared with an index: read by the user's git alone, whatever the tree's `.git` is."""

from __future__ import annotations

import os
import stat
import struct
from pathlib import Path

import msgspec

from nova_core.isolation.needs import given, written
from nova_core.isolation.program import Result, shown
from nova_core.isolation.repository import Repository, failed, named
from nova_core.isolation.staged import staged
from nova_core.isolation.values import GitFailed, Limits, NotTaken


class Contents(msgspec.Struct, frozen=True):
    """What differs from the file `index`, as names relative to the top.

    Files that are new, that are changed or gone, and entries to be removed though something is there: a folder, or a
    link on the way. `left_out` are folders that are not taken, `withheld` files that were put into the tree, which the
    worker's changes let git see; `refused` is what the limits forbid, by reason.
    """

    new: list[bytes]
    changed: list[bytes]
    forced_out: list[bytes]
    left_out: list[bytes]
    withheld: list[bytes]
    refused: dict[str, list[bytes]]
    index: str


def look(
    repository: Repository, task_id: str, limits: Limits, index: str = "", *, with_worktrees: bool = False
) -> Contents:
    """Compare the tree of a task with an index, Nova's own of it if none is given: mostly with one git.

    With `with_worktrees`, the files of worktrees inside count, too. Raises NotTaken, GitFailed.
    """
    tree, index = repository.place.tree(task_id), index or repository.place.task_file(task_id, "index")
    if not os.path.isdir(tree) or os.path.islink(tree):
        raise NotTaken("its folder is gone")
    listed = repository.git("ls-files", "-z", "-t", "-m", "-d", "-o", "--exclude-standard", tree=tree, index=index)
    rows: dict[bytes, set[bytes]] = {b"?": set(), b"C": set(), b"R": set()}
    for field in listed.fields:
        if field[:1] not in rows or field[1:2] != b" ":
            raise GitFailed(f"git ls-files printed {shown(field[:60])!r}")
        rows[field[:1]].add(field[2:])
    supplied, ours = given(repository, task_id), written(repository, task_id)
    new, left_out = _opened(repository, tree, sorted(rows[b"?"] - ours), with_worktrees)
    added, dropped, hidden = staged(repository, task_id, index)
    new += sorted(added - ours - set(new))
    withheld = [name for name in new if name in supplied]
    new = [name for name in new if name not in supplied]
    changed, forced_out = _sorted_out(
        repository, tree, index, sorted((rows[b"C"] | rows[b"R"]) - ours - (hidden & rows[b"R"]))
    )
    changed, forced_out = [name for name in changed if name not in dropped], sorted({*forced_out, *dropped})
    refused = _refused(repository, tree, new, changed, limits)
    refused |= _unreadable_folders(listed)
    return Contents(new, changed, forced_out, left_out, withheld, refused, index)


def record(
    repository: Repository, task_id: str, contents: Contents, environ: dict[str, str] | None = None
) -> tuple[str, list[bytes]]:
    """Bring what differs into the index; returns the name of the tree object, and names that git does not store.

    `environ` are more variables for git. Raises NotTaken if a filter of the project fails, GitFailed.
    """
    tree, index = repository.place.tree(task_id), contents.index
    options, ignored = ("update-index", "-z", "--add", "--remove", "--replace"), b""
    for option, names in (("--force-remove", contents.forced_out), ("--stdin", contents.changed + contents.new)):
        if names:
            done = repository.git(
                *options, option, *(["--stdin"] if option != "--stdin" else []),
                tree=tree, index=repository.fresh(index), stdin=b"\0".join(names) + b"\0", ok=(0, 1, 128),
                environ=environ,
            )  # fmt: skip
            if done.code:
                raise _why(done)
            ignored += os.fsencode(done.error)
    lines = [
        line.removeprefix(b"Ignoring path ") for line in ignored.splitlines() if line.startswith(b"Ignoring path ")
    ]
    written = repository.git(  # which looks again at files of this very moment
        "write-tree", tree=tree, index=repository.fresh(index), ok=(0, 128), environ=environ
    )
    if written.code:
        raise _why(written)
    return named("write-tree", written), lines


def _why(done: Result) -> GitFailed | NotTaken:
    text = next((line for line in reversed(done.error.splitlines()) if "filter" in line), "")
    if text:
        return NotTaken(f"a filter of the project failed: {text.removeprefix('error: ').removeprefix('fatal: ')[:300]}")
    lines = done.error.strip().splitlines() or ["it said nothing"]
    return failed(f"git cannot take its files: {lines[-1][:300]}", done.error)


def entries_of(index: str) -> int:
    """The number of entries of an index file (gitformat-index(5))."""
    try:
        with open(index, "rb") as file:
            signature, _, count = struct.unpack(">4sII", file.read(12))
    except (OSError, struct.error):
        return 0
    return int(count) if signature == b"DIRC" else 0


def _opened(
    repository: Repository, tree: str, names: list[bytes], with_worktrees: bool
) -> tuple[list[bytes], list[bytes]]:
    """The new files, with those of repositories inside (git lists these as `app/`); and what is left out."""
    files = [name for name in names if not name.endswith(b"/")]
    left_out: list[bytes] = []
    inner: list[bytes] = []
    for name in names:
        if name.endswith(b"/"):
            kind = _kind_of(tree, name)
            if kind == "worktree" and not with_worktrees:
                left_out.append(name)
            elif kind == "submodule":
                files.append(name.rstrip(b"/"))
            else:
                inner += _files_of(repository, tree, name)
    return files + _not_ignored(repository, tree, inner), left_out


def _kind_of(tree: str, name: bytes) -> str:
    """What a folder with a `.git` is: `worktree` of the tree, `submodule` that its worker added, or `repository`."""
    try:
        with open(f"{tree}/{os.fsdecode(name)}.git", "rb", opener=_opener) as file:
            target = os.fsdecode(file.read(4096).strip().removeprefix(b"gitdir: "))
    except OSError:
        return "repository"
    path = os.path.realpath(os.path.join(tree, os.fsdecode(name), target))
    home = os.path.realpath(tree)
    if path.startswith(f"{home}/.git/modules/"):
        return "submodule"
    return "worktree" if path.startswith(f"{home}/.git/worktrees/") else "repository"


def _opener(path: str, flags: int) -> int:
    """Opens a regular file only: a worker may have put a pipe there."""
    fd = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError("not a regular file")
    return fd


def _files_of(repository: Repository, tree: str, name: bytes) -> list[bytes]:
    """The files of a repository inside the tree, and of those inside that, relative to the tree."""
    nowhere, found, waiting = repository.place.run_file("no.index"), list[bytes](), [name]
    while waiting:
        folder = waiting.pop()
        inner = os.path.join(tree, os.fsdecode(folder)).rstrip("/")
        listed = repository.git("ls-files", "-z", "-o", "--exclude-standard", tree=inner, index=nowhere).fields
        found += [folder + file for file in listed if not file.endswith(b"/")]
        waiting += [folder + below for below in listed if below.endswith(b"/")]
    return found


def _not_ignored(repository: Repository, tree: str, names: list[bytes]) -> list[bytes]:
    """The names that the tree's own `.gitignore` does not match: git asks it only outside of repositories inside."""
    ignored = repository.ignored(names, tree)
    return [name for name in names if name not in ignored]


def _sorted_out(
    repository: Repository, tree: str, index: str, names: list[bytes]
) -> tuple[list[bytes], list[bytes]]:  # fmt: skip
    """Changed entries, and those to be removed though something is there: a folder, or a link on the way."""
    top = os.fsencode(tree)
    behind = {name for name in names if _has_link(top, name)}
    folders = [name for name in names if name not in behind and _is_folder(os.path.join(top, name))]
    if folders:
        listed = repository.git("ls-files", "-z", "-s", "--", *map(os.fsdecode, folders), tree=tree, index=index).fields
        modules = {row.partition(b"\t")[2] for row in listed if row.startswith(b"160000 ")}
        behind |= set(folders) - modules
    return [name for name in names if name not in behind], sorted(behind)


def _has_link(top: bytes, name: bytes) -> bool:
    parts = name.split(b"/")
    return any(os.path.islink(os.path.join(top, *parts[:n])) for n in range(1, len(parts)))


def _is_folder(path: bytes) -> bool:
    return os.path.isdir(path) and not os.path.islink(path)


def _refused(
    repository: Repository, tree: str, new: list[bytes], changed: list[bytes], limits: Limits
) -> dict[str, list[bytes]]:
    """What the limits forbid to take, by the reason."""
    top, fresh, large, unreadable = os.fsencode(tree), set(new), [], []
    for name in (*new, *changed):
        try:
            found = os.lstat(os.path.join(top, name))
        except OSError:
            if name in fresh:
                raise GitFailed(f"git lists {shown(name)!r}, which is not there") from None
            continue
        if stat.S_ISREG(found.st_mode) and not os.access(os.path.join(top, name), os.R_OK):
            unreadable.append(name)
        if stat.S_ISREG(found.st_mode) and found.st_size > limits.max_file:
            large.append(name)
    large = _stored_whole(repository, tree, sorted(set(large) & fresh))
    many = new if len(new) > limits.max_new else []
    reasons = {
        f"files over {limits.max_file:,} bytes": large, f"{len(new):,} new files": many, "unreadable files": unreadable,
    }  # fmt: skip
    return {reason: names for reason, names in reasons.items() if names}


def _stored_whole(repository: Repository, tree: str, names: list[bytes]) -> list[bytes]:
    """The names without those that a filter, such as Git LFS, stores elsewhere."""
    if not names:
        return []
    command = ("check-attr", "-z", "--stdin", "filter")
    fields = repository.git(*command, tree=tree, stdin=b"\0".join(names) + b"\0").out.split(b"\0")
    filtered = {fields[n] for n in range(0, len(fields) - 2, 3) if fields[n + 2] not in (b"unspecified", b"unset")}
    return [name for name in names if name not in filtered]


def _unreadable_folders(listed: Result) -> dict[str, list[bytes]]:
    lines = [line for line in listed.error.splitlines() if "could not open directory" in line]
    names = [os.fsencode(line.partition("'")[2].rpartition("'")[0]) for line in lines]
    return {"unreadable folders": names} if names else {}


def index_of(repository: Repository, task_id: str, base: str) -> Path:
    """Nova's index of a tree; made again from `base`, without the times of files, if something has removed it."""
    path = Path(repository.place.task_file(task_id, "index"))
    if not path.exists():
        repository.disk.make_dir(path.parent)
        repository.git("read-tree", base, index=repository.fresh(str(path)))
    return path
