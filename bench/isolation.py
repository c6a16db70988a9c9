"""What the git steps of a task cost, as ratios to a plain script in the same run.

    python bench/isolation.py [--files 1000] [--tasks 12]

The script does what people write: `worktree add`, work, `add -A`, `commit`, `merge --no-ff`, `worktree remove`. Nova
makes a tree, takes, merges, lands after each merge and removes the tree. CPU is that of this process and its children.
`TMPDIR` chooses the disk; on a busy one the kernel's work for each new file outweighs all else.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from nova_core.isolation.landing import land
from nova_core.isolation.merge import advance, merge
from nova_core.isolation.program import Result
from nova_core.isolation.repository import Repository
from nova_core.isolation.survey import choose_place, survey
from nova_core.isolation.sweep import finish, forget
from nova_core.isolation.take import take
from nova_core.isolation.trees import away, begin, make_tree
from nova_core.isolation.values import Candidate, Landed, Landing, Limits, Words

LIMITS = {1_000: 1.6, 20_000: 1.25, 100_000: 1.15}
MOST_STARTS = 18
CHANGED = 5  # files that a task changes


def main() -> int:
    """Measure each size, print a table, and fail for a ratio over its limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, nargs="+", default=list(LIMITS))
    parser.add_argument("--tasks", type=int, default=0, help="tasks of each kind; by default 12, 6 or 3")
    options = parser.parse_args()
    failed = False
    print(f"{'files':>8} {'script':>10} {'nova':>10} {'ratio':>6} {'limit':>6} {'gits':>5}   CPU of a task, median")
    for files in options.files:
        with tempfile.TemporaryDirectory(prefix="nova-bench-") as folder:
            plain, own, starts = compare(Path(folder), files, options.tasks or max(3, 12 - files // 10_000))
        ratio, limit = own / plain, LIMITS.get(files, 0.0)
        failed |= bool(limit) and (ratio > limit or starts > MOST_STARTS)
        print(
            f"{files:8} {plain * 1e3:7.0f} ms {own * 1e3:7.0f} ms {ratio:6.2f} {limit or '-':>6} {starts:5.1f}",
            flush=True,
        )
    return 1 if failed else 0


def compare(folder: Path, files: int, tasks: int) -> tuple[float, float, float]:
    """Seconds of CPU of a task by the script and by Nova, in turn; and gits that Nova starts for one."""
    root = make(folder / "r", files)
    script, nova = Script(folder, root, files), Nova(folder, root, files)
    plain, own = [], []
    for number in range(tasks):
        plain.append(cpu_of(lambda number=number: script.task(number)))  # type: ignore[misc]
        own.append(cpu_of(lambda number=number: nova.task(number)))  # type: ignore[misc]
    nova.end()
    return statistics.median(plain), statistics.median(own), nova.repository.starts / tasks


def cpu_of(work: Callable[[], object]) -> float:
    """Seconds of CPU, of children, too."""
    before = _cpu()
    work()
    return _cpu() - before


def _cpu() -> float:
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_CHILDREN, resource.RUSAGE_SELF))


def git(root: Path, *arguments: str, stdin: bytes | None = None) -> str:
    """Run git as a script does."""
    command = ["git", "-c", "gc.auto=0", "-c", "user.name=u", "-c", "user.email=u@example.org", *arguments]
    return subprocess.run(command, cwd=root, input=stdin, check=True, capture_output=True).stdout.decode().strip()


def path_of(number: int) -> str:
    """The name of a file: 100 in a folder."""
    return f"d{number // 10_000:03d}/s{number // 100 % 100:02d}/f{number:06d}.txt"


def make(root: Path, files: int) -> Path:
    """A repository of small files of about 1 kB in two copies: one for each side."""
    root.mkdir(parents=True)
    git(root, "init", "-q", "-b", "main", "--template=")
    rows = [b"commit refs/heads/main\ncommitter u <u@example.org> 1700000000 +0000\ndata 5\nstart\n"]
    for number in range(files):
        text = b"".join(b"line %d of file %d\n" % (line, number) for line in range(50))
        rows.append(b"M 100644 inline %b\ndata %d\n%b\n" % (path_of(number).encode(), len(text), text))
    git(root, "fast-import", "--quiet", stdin=b"".join(rows))
    git(root, "reset", "-q", "--hard")
    time.sleep(1.1)  # so that the index is younger than the files, as in a repository that is used
    git(root, "update-index", "-q", "--refresh")
    return root


def work(tree: Path, files: int, number: int, mark: str) -> None:
    """What a worker does: a line at the end of some files."""
    for step in range(CHANGED):
        with (tree / path_of((number * CHANGED + step) * 7 % files)).open("a") as file:
            file.write(f"{mark} {number}\n")


class Script:
    """What people write."""

    def __init__(self, folder: Path, root: Path, files: int) -> None:
        self.root, self.files, self.tree = root, files, folder / "script"
        git(root, "worktree", "add", "-q", "-b", "scripted", str(folder / "main"))
        self.main = folder / "main"

    def task(self, number: int) -> None:
        """A whole task."""
        git(self.main, "worktree", "add", "-q", "--detach", str(self.tree), "scripted~0")
        work(self.tree, self.files, number, "script")
        git(self.tree, "add", "-A")
        git(self.tree, "commit", "-q", "-m", f"t{number}")
        made = git(self.tree, "rev-parse", "HEAD")
        git(self.main, "merge", "-q", "--no-ff", "-m", f"t{number}", made)
        git(self.main, "worktree", "remove", "-f", str(self.tree))


class Counted(Repository):
    """Counts the gits that it starts."""

    starts = 0

    def start(self, command: list[str], where: str, environ: dict[str, str], stdin: bytes = b"") -> Result:
        """Count what is not `rm`."""
        self.starts += command[0] != "rm"
        return super().start(command, where, environ, stdin)


class Nova:
    """The git steps of a run; each task begins before the one before it is merged, so that each merge is a real one."""

    def __init__(self, folder: Path, root: Path, files: int) -> None:
        self.files = files
        found = survey(root)
        self.branch = found.branch or ""
        self.repository = Counted(choose_place(found, "0123abcd"))
        self.tip = self.base = self.landed = begin(self.repository, found.head)
        self.repository.starts = 0

    def task(self, number: int) -> None:
        """A whole task, from a base that is one merge behind."""
        repository, name, words = self.repository, f"T{number}", Words(f"t{number}", 1_700_000_000)
        make_tree(repository, name, self.base)
        work(Path(repository.place.tree(name)), self.files, number, "nova")
        taken = take(repository, name, self.base, words, Limits())
        found = merge(repository, name, self.tip, taken, words)
        assert isinstance(found, Candidate), found
        assert advance(repository, name, found)
        self.base, self.tip = self.tip, found.commit
        assert isinstance(land(repository, Landing(self.branch, self.landed, self.tip)), Landed)
        self.landed = self.tip
        away(repository, name)

    def end(self) -> None:
        """Remove what is left."""
        names = os.listdir(f"{self.repository.place.common}/refs/nova/{self.repository.place.run}")
        forget(self.repository, tuple(names))
        finish(self.repository, self.tip)
        shutil.rmtree(self.repository.place.trees, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
