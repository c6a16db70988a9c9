"""What a task changed in its git repository: its commit, and the files that differ."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

MAX_FILES = 1_000
TIMEOUT = 10.0
_MAX_OUTPUT = 4_000_000
_TICK = 0.010  # seconds; files are stamped with the kernel's last tick, up to 10 ms behind the clock
_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")
# Files that Nova itself writes into a project are not a task's work.
_OWN = ("cascade_state.json", "logs/", ".nova/")
# Run no program that the repository chooses, and refresh (and so lock) no index that a worker may use.
_OPTIONS = (
    "--no-optional-locks", "--no-pager", "-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}",
)  # fmt: skip


def find_repository(root: str | Path) -> Path | None:
    """The work tree that holds `root`, without running anything; None outside of git."""
    top = Path(root).resolve()
    return next((folder for folder in (top, *top.parents) if _is_repository(folder / ".git")), None)


def _is_repository(path: Path) -> bool:
    """Returns True if git would accept the folder: some sandboxes leave an empty `.git` in /tmp."""
    return os.path.isfile(path) or os.path.lexists(path / "HEAD")


def head(root: str | Path) -> str | None:
    """The current commit in the repository of `root`; None outside of git, without git or before the first commit."""
    top = find_repository(root)
    if top is None:
        return None
    found = _read_head(top)  # starting git costs 2 ms per task, reading two small files a hundredth of that
    if found is None:
        found = b"".join(_git(top, "rev-parse", "--verify", "--quiet", "HEAD")).decode("ascii", "replace").strip()
    return found if _SHA.match(found) else None


def changes(root: str | Path, base: str | None, since: float = 0.0) -> tuple[str | None, tuple[str, ...]]:
    """Changes since commit `base` and since the time `since` (seconds since the epoch).

    Returns the current commit, if it is another one, and at most 1,000 files, relative to `root`: those that commits
    changed, and those of the work tree that differ from the last commit and changed at `since` or later. So a file that
    was dirty before and was not touched does not count. Without git: `(None, ())`.
    """
    top = find_repository(root)
    if top is None:
        return None, ()
    now = head(root)
    moved = now is not None and now != base
    committed = _committed(top, base, now) if moved and now else ()
    relative = (_relative(path, top, Path(root).resolve()) for path in (*committed, *_dirty(top, since)))
    files = sorted({path for path in relative if not path.startswith(_OWN)})
    return (now if moved else None), tuple(files[:MAX_FILES])


def _committed(top: Path, base: str | None, now: str) -> Iterable[bytes]:
    if base is None or not _SHA.match(base):
        return _git(top, "ls-tree", "-r", "-z", "--name-only", now)
    return _git(top, "diff", "--name-only", "-z", "--no-renames", "--ignore-submodules=dirty", base, now)


def _dirty(top: Path, since: float) -> Iterator[bytes]:
    for entry in _git(top, "status", "--porcelain", "-z", "--no-renames", "-uall", "--ignore-submodules=dirty"):
        path = entry[3:]
        if path and _changed_since(os.path.join(os.fsencode(top), path), since):
            yield path


def _changed_since(path: bytes, since: float) -> bool:
    """By the inode's change time, which `mv` and `touch -d` cannot set back; for a deleted file, by its folder's."""
    for place in (path, os.path.dirname(path)):
        try:
            return os.lstat(place).st_ctime >= since - _TICK
        except OSError:
            continue
    return True


def _relative(path: bytes, top: Path, root: Path) -> str:
    name = path.decode("utf-8", "replace")
    return name if top == root else os.path.relpath(top / name, root)


def _git(top: Path, *arguments: str) -> list[bytes]:
    """The NUL-separated output of a git command; empty if git fails, which must not fail a task."""
    import subprocess  # with tempfile 4 ms at every start, and most folders are not repositories
    import tempfile

    git = program()
    if git is None:
        return []
    environ = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    environ |= {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    with tempfile.TemporaryFile() as output:  # not a pipe: a million untracked files must not fill the memory
        try:
            done = subprocess.run(
                [git, *_OPTIONS, *arguments], cwd=top, env=environ, stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.DEVNULL, timeout=TIMEOUT, check=False,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired):
            return []
        output.seek(0)
        text = output.read(_MAX_OUTPUT) if done.returncode == 0 else b""
    whole = text if len(text) < _MAX_OUTPUT else text[: text.rfind(b"\0") + 1]
    return [entry for entry in whole.split(b"\0") if entry]


@cache
def program() -> str | None:
    """git by its absolute path, found once: never one from inside a repository."""
    folders = [folder for folder in os.get_exec_path() if os.path.isabs(folder)]
    return shutil.which("git", path=os.pathsep.join(folders))


def _read_head(top: Path) -> str | None:
    """HEAD, read from git's files; None if only git can read them."""
    try:
        folder = _git_folder(top)
        content = (folder / "HEAD").read_text("utf-8").strip()
        if not content.startswith("ref: refs/"):
            return content if _SHA.match(content) else None
        shared = _shared_folder(folder)
        name = content.removeprefix("ref: ")
        if (shared / "reftable").exists() or ".." in name:
            return None
        return (shared / name).read_text("utf-8").strip()
    except (OSError, ValueError):
        return None


def _git_folder(top: Path) -> Path:
    """`.git`, or the folder that the file `.git` points to, for a worktree or a submodule."""
    place = top / ".git"
    return place if place.is_dir() else top / place.read_text("utf-8").strip().removeprefix("gitdir: ")


def _shared_folder(folder: Path) -> Path:
    common = folder / "commondir"
    return folder / common.read_text("utf-8").strip() if common.exists() else folder


def is_contained(top: str | Path, ref: str, other: str) -> bool:
    """Returns True if commit `other` contains all of `ref`; False if git cannot say so."""
    return b"".join(_git(Path(top), "rev-list", "--count", ref, f"^{other}", "--")).strip() == b"0"


def remotes(top: str | Path) -> dict[str, str]:
    """The addresses of the remote repositories by name, without passwords."""
    rows = b"".join(_git(Path(top), "remote", "-v")).decode("utf-8", "replace").splitlines()
    found = (row.split() for row in rows)
    return {row[0]: re.sub(r"//[^@/]*@", "//", row[1]) for row in found if len(row) > 1}


def upstream_of(top: str | Path, branch: str, remote: str) -> str:
    """The short name of the branch of `remote` that a local branch follows; empty if it follows none there."""
    ref = _line(Path(top), "rev-parse", "--symbolic-full-name", f"refs/heads/{branch}@{{upstream}}")
    return _branch_of(ref, remote)


def default_branch(top: str | Path, remote: str) -> str:
    """The short name of a remote repository's main branch, as known here; empty if unknown."""
    return _branch_of(_line(Path(top), "symbolic-ref", "--quiet", f"refs/remotes/{remote}/HEAD"), remote)


def _line(top: Path, *arguments: str) -> str:
    return b"".join(_git(top, *arguments)).decode("utf-8", "replace").strip()


def _branch_of(ref: str, remote: str) -> str:
    name = ref.removeprefix(f"refs/remotes/{remote}/")
    return name if name != ref else ""


def exclude(folder: str | Path, samples: Mapping[str, str]) -> list[str]:
    """Let git ignore the patterns, relative to a folder, by `.git/info/exclude`; returns the lines that were added.

    `samples` has for each pattern a name that it matches: where git ignores or tracks that already, nothing is added.
    Nothing happens outside of git. Raises OSError.
    """
    root, top = Path(folder).resolve(), find_repository(folder)
    if top is None or program() is None:
        return []
    prefix = "" if root == top else f"{root.relative_to(top).as_posix()}/"
    if not re.fullmatch(r"[\w./ -]*", prefix):
        return []  # it would need quoting
    lines = []
    for pattern, sample in samples.items():
        asked = ("--", f"{prefix}{sample}")
        known = _git(top, "check-ignore", "--no-index", *asked) or _git(top, "ls-files", "-z", "--", prefix + pattern)
        if not known:
            lines.append(f"/{prefix}{pattern}")
    file = _shared_folder(_git_folder(top)) / "info" / "exclude"
    if lines:
        file.parent.mkdir(exist_ok=True)
        before = file.read_text("utf-8", "surrogateescape") if file.exists() else ""
        with file.open("a", encoding="utf-8") as out:
            out.write("".join(["\n" if before and not before.endswith("\n") else "", *(f"{line}\n" for line in lines)]))
    return lines
