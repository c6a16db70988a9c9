"""Gives a tree what it needs besides tracked files, and brings out what git ignores; none of it gets into a commit."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from nova_core.isolation.repository import Repository
from nova_core.isolation.values import Needs

INCLUDE = ".worktreeinclude"  # as Claude Code, Codex and Conductor read it
_PROBE = "\x01"  # a name that no pattern means: it is ignored if its folder is


def supply(repository: Repository, task_id: str, needs: Needs) -> None:
    """Copy and link into a new tree what it needs; what is tracked there stays as it is. Raises GitFailed, OSError."""
    place = repository.place
    copied = _ignored_files(repository, needs.copy)
    outputs = [os.path.join(place.prefix, name) for name in needs.outputs]
    links = [os.path.normpath(os.path.join(place.prefix, name)) for name in needs.link]
    listed = b"\0".join(os.fsencode(os.path.normpath(name)) for name in (*copied, *outputs, *links))
    repository.disk.replace(Path(place.task_file(task_id, "copied")), listed, sync=False)
    tree = place.tree(task_id)
    for name in (*copied, *outputs):
        copy(repository, place.top, tree, name, follow=True, over=False)
    for name in links:
        source, target = os.path.join(place.top, name), _inside(tree, name)
        if target and os.path.exists(source) and not os.path.lexists(target):
            repository.disk.step("symlink", target)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            os.symlink(source, target)


def never_taken(repository: Repository, task_id: str, leave: Iterable[str]) -> frozenset[bytes]:
    """Names, relative to the top, of what Nova has put into a tree: it is not the task's work."""
    prefix = repository.place.prefix
    own = {os.fsencode(os.path.normpath(os.path.join(prefix, name))) for name in leave}
    with suppress(FileNotFoundError):
        own |= set(Path(repository.place.task_file(task_id, "copied")).read_bytes().split(b"\0"))
    return frozenset(own - {b""})


def carry_out(repository: Repository, task_id: str, outputs: tuple[str, ...]) -> tuple[str, ...]:
    """Copy the outputs that git ignores from the tree to the user's folder; returns those that were copied.

    To be called after `take`: what is not ignored is in the commit. Names are relative to the project's folder. Raises
    GitFailed, OSError.
    """
    place = repository.place
    tree, index = place.tree(task_id), place.task_file(task_id, "index")
    names = [os.path.normpath(os.path.join(place.prefix, name)) for name in outputs]
    inner = [name for name in names if _inside(tree, name) and os.path.lexists(os.path.join(tree, name))]
    if not inner:
        return ()
    options = ("ls-files", "-z", "-o", "-i", "--exclude-standard", "--", *inner)
    found = [os.fsdecode(name) for name in repository.git(*options, tree=tree, index=index).fields]
    for name in found:
        copy(repository, tree, place.top, name, follow=False, over=True)
    return tuple(
        output
        for output, name in zip(outputs, names, strict=True)
        if any(file == name or file.startswith(f"{name}/") for file in found)
    )


def copy(repository: Repository, source: str, target: str, name: str, *, follow: bool, over: bool) -> None:
    """Copy a file, or the files below a folder, from one work tree to another; existing ones only with `over`.

    Nothing is read or written through a link that leads out of its work tree; `follow` copies what a link of the user's
    names. Pipes, sockets and devices are passed over. Raises OSError.
    """
    place = os.path.join(source, name)
    if os.path.isdir(place) and not os.path.islink(place):
        for entry in sorted(os.listdir(place)):
            if entry != ".git":
                copy(repository, source, target, os.path.join(name, entry), follow=follow, over=over)
        return
    at = _inside(target, name)
    if _inside(source, name) is None or at is None or (os.path.lexists(at) and (not over or os.path.isdir(at))):
        return
    if os.path.isfile(place) and (follow or not os.path.islink(place)):
        repository.disk.step("copy", at)
        os.makedirs(os.path.dirname(at), exist_ok=True)
        with suppress(FileNotFoundError):
            os.unlink(at)
        shutil.copy2(place, at)


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
        for place, _, files in os.walk(os.path.join(top, folder)):
            yield from (os.path.relpath(os.path.join(place, file), top) for file in files)
