"""Runs git for a run: never a hook, a prompt or a worker's settings, always with an end; reads and moves refs."""

from __future__ import annotations

import fcntl
import os
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from nova_core.files.disk import Disk
from nova_core.git.repository import program
from nova_core.isolation.hanging import trap_in
from nova_core.isolation.program import SLOW, Result, Running, run_program, shown
from nova_core.isolation.values import DiskFull, GitFailed, NotTaken, Place

LIMIT = 900.0  # seconds for one git; a checkout of 100,000 files takes nine on a busy machine
_MANY = 200  # files, of which the disk is asked for all at once
_GC_WAIT = 120.0  # seconds
_LOCK_WAIT = 1.0  # seconds; no git holds the lock of a ref longer
_SHA = re.compile(rb"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")
# The end of a line, so that no name of a file is taken for it: git puts the words of strerror(3) there, or its own.
_FULL = re.compile(
    r"(?:: (?:No space left on device|Disk quota exceeded)|write error\. Out of diskspace)$", re.MULTILINE
)
NULL = os.devnull
# Hooks of the user are for the user's own commits. Nova's indexes are whole, and nothing in the background starts. Git
# would wait for the disk at every object; Nova does once, before it removes the folder with the only other copy.
_SETTINGS = {
    "core.hooksPath": NULL, "core.fsmonitor": "false", "core.splitIndex": "false", "core.untrackedCache": "false",
    "core.safecrlf": "false", "gc.auto": "0", "maintenance.auto": "false", "index.sparse": "false",
    "core.fsync": "none",
}  # fmt: skip
_SILENT = frozenset({"read-tree", "update-index", "update-ref"})  # all that they do is not to be seen
_CASE = {"core.ignoreCase": "false"}
_IDENTITY = {f"GIT_{who}_{what}": text for who in ("AUTHOR", "COMMITTER") for what, text in (("NAME", "Nova"), ("EMAIL", "nova@localhost"))}  # fmt: skip # noqa: E501


def is_sha(text: str | bytes) -> bool:
    """Returns True for the full name of an object."""
    return _SHA.match(os.fsencode(text)) is not None


class Repository:
    """A run's access to its repository; its methods may be called from several threads.

    While it is open, it and every git that it starts hold `place.busy` locked, so that the next engine knows when the
    last one's gits have ended. `limit` is the time in seconds that a git may take. Raises OSError.
    """

    def __init__(self, place: Place, disk: Disk | None = None, limit: float = LIMIT) -> None:
        self.place, self.disk, self.limit = place, disk or Disk(), limit
        self.disk.make_dir(Path(place.own))
        self.busy = os.open(place.busy, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        fcntl.flock(self.busy, fcntl.LOCK_SH)
        self.slow = SLOW
        self._running = Running()
        self._environ = environment(place)
        self.found: dict[str, list[str]] = {}  # ignored files by the patterns that trees get them for

    def close(self) -> None:
        """Give up the lock."""
        os.close(self.busy)

    def git(
        self, *arguments: str, tree: str = "", index: str = "", stdin: bytes = b"", ok: tuple[int, ...] = (0,),
        environ: dict[str, str] | None = None,
    ) -> Result:  # fmt: skip
        """Run git on the user's repository, with the work tree `tree` and the index file `index` if they are given.

        Raises GitFailed if it ends with a code that is not in `ok`, or not in time.
        """
        tree = tree or self.place.top
        given = {"GIT_WORK_TREE": tree} | ({"GIT_INDEX_FILE": index} if index else {}) | (environ or {})
        where = tree if os.path.isdir(tree) else self.place.common
        result = self.start([git_program(), *arguments], where, self._environ | given, stdin)
        if result.code not in ok:
            raise failed(f"git {arguments[0]} failed with {result.code}: {_reason(result.error)}", result.error)
        if result.out and arguments[0] in _SILENT and "--refresh" not in arguments:  # what has it done instead?
            raise GitFailed(f"git {arguments[0]} printed {shown(result.out[:60])!r}")
        return result

    def start(self, command: list[str], where: str, environ: dict[str, str], stdin: bytes = b"") -> Result:
        """Run one program to its end; tests override this. Raises GitFailed if it cannot start or takes too long."""
        tree = environ.get("GIT_WORK_TREE", "")

        def look() -> None:
            if tree and (name := trap_in(tree)):
                raise NotTaken(f"git cannot get past {name}: it expects a small file there", (name,))

        if self._running.is_over:
            raise GitFailed("the run ends")
        limits = {"limit": self.limit, "slow": self.slow}
        return run_program(
            command, where, environ, stdin, passing=(self.busy,), look=look, running=self._running, **limits
        )

    def interrupt(self) -> None:
        """Kill the programs that run, and let no other one start."""
        self._running.over()

    def object_name(self, *arguments: str, **more: object) -> str:
        """The output of a git that prints the name of one object. Raises GitFailed if it prints anything else."""
        return named(arguments[0], self.git(*arguments, **more))  # type: ignore[arg-type]

    def commit(self, tree: str, parents: Iterable[str], message: str, at: int) -> str:
        """Write a commit; the same words and time give the same commit."""
        date = f"@{max(at, 100_000_000)} +0000"  # git takes smaller numbers for something else
        options = [word for parent in parents for word in ("-p", parent)]
        text = message.replace("\0", "").encode("utf-8", "replace")
        dates = {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}
        return self.object_name("commit-tree", tree, *options, "-F", "-", stdin=text, environ=dates)

    def read_ref(self, name: str) -> str | None:
        """The commit of a ref by its full name; None if there is no such ref. Mostly without starting git."""
        if not os.path.exists(f"{self.place.common}/reftable"):
            with suppress(OSError):
                content = Path(self.place.common, name).read_bytes().strip()
                if is_sha(content):
                    return content.decode()
        found = self.git("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}", ok=(0, 1)).out.strip()
        return found.decode() if is_sha(found) else None

    def move_ref(self, name: str, new: str, old: str | None = None, note: str = "nova") -> bool:
        """Set a ref, if `old` is given only from there (`""`: it must not exist); returns False if it was elsewhere.

        Raises GitFailed if it cannot be written. A lock that a killed git of ours left is removed: it is empty or holds
        `new`, and older than any git takes.
        """
        arguments = ["update-ref", "-m", note, name, new, *([] if old is None else [old])]
        for last in (False, True):
            result = self.git(*arguments, ok=(0, 1, 128))
            at = self.read_ref(name)
            if at == new:
                if name.startswith("refs/heads/"):
                    self.sync([f"{self.place.common}/{name}"])
                return True
            if old is not None and at != (old or None):
                return False
            if last or result.code == 0 or not self._drop_lock(f"{self.place.common}/{name}.lock", new):
                break
        raise failed(f"git cannot move {name}: {_reason(result.error)}", result.error)

    def _drop_lock(self, lock: str, new: str) -> bool:
        """Returns True if the lock is gone: given up by its git within a second, or ours and removed."""
        return is_gone(lock, _LOCK_WAIT) or self.drop_own_lock(lock, new)

    def drop_own_lock(self, lock: str, *holding: str) -> bool:
        """Remove a lock file that is empty or holds one of our commits; returns False for another's."""
        try:
            content = Path(lock).read_bytes()[:100].strip().decode("ascii", "replace")
        except OSError:
            return not os.path.lexists(lock)
        if content and content not in holding:
            return False
        self.disk.unlink(lock)
        return True

    def is_ancestor(self, old: str, new: str) -> bool:
        """Returns True if `new` contains the commit `old`, or is it."""
        return old == new or self.git("merge-base", "--is-ancestor", old, new, ok=(0, 1)).code == 0

    def is_whole(self, new: str, old: str) -> bool:
        """Returns True if every object that `new` adds to `old` is there, and after this on disk.

        A `git gc --prune=now` beside us takes some away; without the second, a power cut would.
        """
        found = self.git("rev-list", "--objects", new, f"^{old}", ok=(0, 1, 128))
        if found.code == 0:
            names = [os.fsdecode(row.partition(b" ")[0]) for row in found.out.splitlines()]
            if not all(map(is_sha, names)):
                raise GitFailed("git rev-list printed something unexpected")
            self.sync([f"{self.place.common}/objects/{name[:2]}/{name[2:]}" for name in names])
        return found.code == 0

    def outlive_gc(self) -> bool:
        """Wait for a `git gc` that runs now; returns False if there is none.

        One that began before a ref was written does not see it, and with `--prune=now` removes what only it holds. One
        that begins later does no harm.
        """
        try:
            pid = int(Path(self.place.common, "gc.pid").read_text().split()[0])
        except (OSError, ValueError, IndexError):
            return False
        is_gone(f"/proc/{pid}", _GC_WAIT)
        return True

    def sync(self, paths: list[str]) -> None:
        """Wait until files are on disk; those that do not exist, such as packed objects, are passed over."""
        if len(paths) > _MANY:
            self.disk.step("fsync", self.place.common)
            os.sync()
            return
        for path in paths:
            with suppress(FileNotFoundError):
                fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
                try:
                    self.disk.sync(fd, path)
                finally:
                    os.close(fd)

    def ignored(
        self, names: Iterable[bytes], tree: str, environ: dict[str, str] | None = None, index: str = ""
    ) -> set[bytes]:
        """Those of the names, relative to a work tree, that its ignore files match, without those in `index`."""
        asked = b"".join(b"./" + name + b"\0" for name in names)  # `./`: a name may begin like pathspec magic
        if not asked:
            return set()
        plain = {"GIT_LITERAL_PATHSPECS": "0"} | (environ or {})
        options = ("check-ignore", "-z", "--stdin", *(() if index else ("--no-index",)))
        done = self.git(*options, tree=tree, index=index, stdin=asked, ok=(0, 1), environ=plain)
        return {name.removeprefix(b"./") for name in done.fields}

    def relative(self, name: bytes) -> str:
        """A name relative to the top of the work tree as one relative to the project's folder."""
        text, prefix = shown(name), self.place.prefix
        return text if not prefix else os.path.relpath(text, prefix)

    def fresh(self, index: str) -> str:
        """An index file of ours without the lock that a killed git left."""
        self.disk.unlink(f"{index}.lock")
        return index


def is_gone(path: str, limit: float) -> bool:
    """Wait until nothing has this path, at most `limit` seconds; returns False if something still has it."""
    end = time.monotonic() + limit
    while os.path.lexists(path):
        if time.monotonic() >= end:
            return False
        time.sleep(0.02)
    return True


def changed(fields: list[bytes]) -> Iterator[tuple[bytes, bytes, str, str]]:
    """Parse `diff-tree -r -z --raw --no-renames`: name, status letter, new mode, new object. Raises GitFailed."""
    if len(fields) % 2:
        raise GitFailed("git diff-tree printed something unexpected")
    for head, name in zip(fields[::2], fields[1::2], strict=True):
        parts = head.split()
        if len(parts) != 5 or not head.startswith(b":"):
            raise GitFailed("git diff-tree printed something unexpected")
        yield name, parts[4], parts[1].decode(), parts[3].decode()


def git_program() -> str:
    """git by its absolute path: never one from inside a repository. Raises GitFailed if there is none."""
    found = program()
    if found is None:
        raise GitFailed("git is not installed")
    return found


def environment(place: Place) -> dict[str, str]:
    """The variables for a git on the user's repository: its own settings above all others."""
    clean = {key: text for key, text in os.environ.items() if not key.startswith("GIT_")}
    given = {"GIT_DIR": place.git_dir, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", "GIT_LITERAL_PATHSPECS": "1"}
    ignores_case = os.path.lexists(f"{place.git_dir}/hEAD")  # whatever a setting from another machine says
    return clean | _IDENTITY | given | settings({} if ignores_case else _CASE)


def settings(more: dict[str, str]) -> dict[str, str]:
    """The variables by which git gets Nova's settings and more of them, above all others (git-config(1))."""
    rows = _SETTINGS | more
    found = {"GIT_CONFIG_COUNT": str(len(rows))}
    for number, (key, text) in enumerate(rows.items()):
        found |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": text}
    return found


def named(command: str, done: Result) -> str:
    """The name of an object that a git has printed. Raises GitFailed if it has printed anything else."""
    out = done.out.strip()
    if not is_sha(out):
        raise GitFailed(f"git {command} printed {shown(out[:60])!r}, which is not the name of an object")
    return out.decode()


def failed(text: str, said: str) -> GitFailed:
    """The error for a git that failed and printed `said`."""
    return DiskFull(text) if _FULL.search(said) else GitFailed(text)


def _reason(error: str) -> str:
    """The line of an error text that says why."""
    lines = [line.strip() for line in error.splitlines() if line.strip() and not line.startswith(("hint:", "warning:"))]
    return lines[-1][:300] if lines else "it said nothing"
