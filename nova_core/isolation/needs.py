"""Gives a tree what it needs besides tracked files; none of it gets into a commit."""

from __future__ import annotations

import glob
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from nova_core.digest import blake2b
from nova_core.files.plain_file import read_plain
from nova_core.isolation.repository import Repository
from nova_core.isolation.values import Needs
from nova_core.model import Task, places_of

INCLUDE = ".worktreeinclude"  # as Claude Code, Codex and Conductor read it
_MOST_BYTES = 1_000_000  # of a file that Nova writes
_PROBE = "\x01"  # a name that no pattern means: it is ignored if its folder is


def outputs_of(tasks: Iterable[Task]) -> tuple[str, ...]:
    """The places where the outputs of tasks may be, relative to the project's folder."""
    found = (place for task in tasks for path in task.outputs for place in places_of(path, task.workspace).split("|"))
    return tuple(dict.fromkeys(found))


def supply(repository: Repository, task_id: str, needs: Needs) -> None:
    """Copy and link into a new tree what it needs; what is tracked there stays as it is. Raises GitFailed, OSError.

    Of outputs, only what git ignores is copied: the tree has all else from the commits of earlier tasks.
    """
    place = repository.place
    tree = place.tree(task_id)
    copied = [file for name in _ignored_files(repository, needs.copy) for file in files_at(place.top, name)]
    links = [os.path.normpath(os.path.join(place.prefix, name)) for name in needs.link]
    listed = b"\0".join(map(os.fsencode, (*copied, *links)))
    repository.disk.replace(Path(place.task_file(task_id, "copied")), listed, sync=False)
    for name in copied:
        copy(repository, place.top, tree, name, follow=True)
    for root in (place.run_file("outputs"), place.top):  # what stands in the user's folder may be another file
        for name in outputs_at(repository, root, needs.outputs, tree, place.task_file(task_id, "index")):
            copy(repository, root, tree, name, follow=False)
    for name in links:
        source, target = os.path.join(place.top, name), _inside(tree, name)
        if target and os.path.exists(source) and not os.path.lexists(target):
            repository.disk.step("symlink", target)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            os.symlink(source, target)


def given(repository: Repository, task_id: str) -> frozenset[bytes]:
    """The names, relative to the top, of the files and links that were put into a tree by `supply`."""
    with suppress(FileNotFoundError):
        return frozenset(Path(repository.place.task_file(task_id, "copied")).read_bytes().split(b"\0")) - {b""}
    return frozenset()


def note_written(repository: Repository, task_id: str, names: Iterable[str]) -> None:
    """Note which files, relative to the project's folder, Nova has written into a tree, and how they are now.

    As long as a worker leaves them as they are, they are not its work. Raises OSError.
    """
    place, noted = repository.place, list[bytes]()
    for name in names:
        path = os.path.normpath(os.path.join(place.prefix, name))
        if found := _digest(os.path.join(place.tree(task_id), path)):
            noted += [os.fsencode(path), found]
    repository.disk.replace(Path(place.task_file(task_id, "written")), b"\0".join(noted), sync=False)


def written(repository: Repository, task_id: str) -> frozenset[bytes]:
    """The names of the files that `note_written` has noted and that are still as they were."""
    place, fields = repository.place, list[bytes]()
    with suppress(FileNotFoundError):
        fields = Path(place.task_file(task_id, "written")).read_bytes().split(b"\0")
    tree = place.tree(task_id)
    noted = zip(fields[::2], fields[1::2], strict=False)
    return frozenset(name for name, was in noted if _digest(os.path.join(tree, os.fsdecode(name))) == was)


def _digest(path: str) -> bytes:
    """A name for the content of a file; empty if it is none that can be read."""
    with suppress(OSError):
        return blake2b(read_plain(Path(path), _MOST_BYTES), digest_size=16).hexdigest().encode()
    return b""


def files_at(top: str, name: str) -> Iterator[str]:
    """The name, or all files and links below it if it is a folder, without `.git`; relative to `top`."""
    waiting = [name]
    while waiting:
        at = waiting.pop()
        path = os.path.join(top, at)
        if os.path.islink(path) or not os.path.isdir(path):
            yield at
            continue
        with suppress(OSError):
            waiting += [os.path.join(at, entry) for entry in sorted(os.listdir(path), reverse=True) if entry != ".git"]


def outputs_at(repository: Repository, root: str, outputs: tuple[str, ...], tree: str, index: str) -> Iterator[str]:
    """The files and links at the places of outputs below `root`, a tree or like one, that git ignores in `tree`.

    `index` is that of the tree: what it has is not ignored. Names are relative to the top. Raises GitFailed.
    """
    places = (at for output in outputs for at in _found(root, repository.place.prefix, output))
    names = dict.fromkeys(file for at in places for file in files_at(root, at))
    asked = [os.fsencode(name) for name in names if _inside(root, name) and is_plain(tree, name)]
    ignored = repository.ignored(asked, tree, index=index)
    return (os.fsdecode(name) for name in asked if name in ignored)


def _found(top: str, prefix: str, output: str) -> Iterator[str]:
    """The names at which an output is in a work tree.

    An output is a path, which may hold brackets (`[id].tsx`), or else a pattern.
    """
    name = os.path.normpath(os.path.join(prefix, output))
    if _inside(top, name) is None:
        return
    if os.path.lexists(os.path.join(top, name)):
        yield name
    elif glob.has_magic(output):
        pattern = os.path.join(glob.escape(prefix), output)
        yield from map(os.path.normpath, glob.iglob(pattern, root_dir=top, recursive=True))


def is_plain(root: str, name: str) -> bool:
    """Returns True if no folder on the way to the name is a link."""
    parts = name.split("/")
    return not any(os.path.islink(os.path.join(root, *parts[:n])) for n in range(1, len(parts)))


def copy(repository: Repository, source: str, target: str, name: str, *, follow: bool) -> None:
    """Copy a file, or the files below a folder, from one work tree to another; existing ones stay.

    Nothing is read or written through a link that leads out of its work tree; `follow` copies what a link of the user's
    names, else the link. Pipes, sockets and devices are passed over. Raises OSError.
    """
    place = os.path.join(source, name)
    if os.path.isdir(place) and not os.path.islink(place):
        for entry in sorted(os.listdir(place)):
            if entry != ".git":
                copy(repository, source, target, os.path.join(name, entry), follow=follow)
        return
    at = _inside(target, name)
    if _inside(source, name) is None or at is None or os.path.lexists(at):
        return
    if os.path.isfile(place) or (not follow and os.path.islink(place)):
        repository.disk.step("copy", at)
        os.makedirs(os.path.dirname(at), exist_ok=True)
        shutil.copy2(place, at, follow_symlinks=follow)


def _inside(root: str, name: str) -> str | None:
    """The path of a name below `root`; None if it or a link on the way leads out, or into `.git`."""
    parts = os.path.normpath(name).split("/")
    if os.path.isabs(name) or parts[0] in ("..", ".") or ".git" in parts:
        return None
    folder, top = os.path.realpath(os.path.join(root, *parts[:-1])), os.path.realpath(root)
    return os.path.join(root, *parts) if folder == top or folder.startswith(f"{top}/") else None


def _ignored_files(repository: Repository, patterns: tuple[str, ...]) -> list[str]:
    """The files and folders in the user's work tree that match *and* are ignored; looked for once by each engine."""
    place = repository.place
    rows = [_rooted(pattern, place.prefix) for pattern in patterns]
    for folder in {"", place.prefix}:
        with suppress(OSError):
            text = Path(place.top, folder, INCLUDE).read_text("utf-8", "surrogateescape")
            rows += [_rooted(line, folder) for line in text.splitlines() if line.strip() and not line.startswith("#")]
    key = "\n".join(rows)
    if rows and key not in repository.found:
        repository.found[key] = _matching(repository, rows)
    return repository.found.get(key, [])


def _rooted(pattern: str, prefix: str) -> str:
    """A pattern of the folder `prefix` as one of the top: only one with a slash inside belongs to its folder."""
    if not prefix or "/" not in pattern.rstrip("/"):
        return pattern
    negated = "!" if pattern.startswith("!") else ""
    return f"{negated}/{prefix}/{pattern.removeprefix('!').lstrip('/')}"


def _matching(repository: Repository, rows: list[str]) -> list[str]:
    """What git ignores and the patterns match. Ignored folders stay closed, unless a pattern names something inside."""
    options = ("ls-files", "-z", "-o", "-i", "--exclude-standard", "--directory")
    names = [os.fsdecode(name) for name in repository.git(*options).fields]
    opened = [inner for name in names if name.endswith("/") for inner in _opened(repository.place.top, name, rows)]
    asked = {os.fsencode(f"{name}{_PROBE}" if name.endswith("/") else name): name for name in (*names, *opened)}
    if not asked:
        return []
    scratch = Path(repository.place.run_file("patterns"))
    for folder in ("objects", "refs", "info", "tree"):
        (scratch / folder).mkdir(parents=True, exist_ok=True)
    (scratch / "HEAD").write_text("ref: refs/heads/main\n")
    (scratch / "info/exclude").write_bytes(os.fsencode("\n".join([*rows, ""])))
    environ = {
        "GIT_DIR": str(scratch),
        "XDG_CONFIG_HOME": str(scratch),
        "HOME": str(scratch),
    }  # no ignore file but ours
    ignored = repository.ignored(asked, str(scratch / "tree"), environ)
    return [name.rstrip("/") for key, name in asked.items() if key in ignored]


def _opened(top: str, folder: str, rows: list[str]) -> Iterator[str]:
    """The files inside an ignored folder that a pattern leads into."""
    if any(row.removeprefix("!").lstrip("/").startswith(folder) and row.rstrip("/") + "/" != folder for row in rows):
        yield from files_at(top, folder.rstrip("/"))
