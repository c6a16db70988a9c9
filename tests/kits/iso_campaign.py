"""A whole run of git steps with a small journal, which is killed, fails or is disturbed at its n-th step, and repeated.

`python tests/kits/iso_campaign.py FOLDER N HOW` runs it in a process of its own, where a kill is a real one. HOW says
what happens at the n-th step, which is before or after a git, or before a change of a file (`die`); at the n-th change
of a file (`ENOSPC`, `EIO`, `EACCES`); or to the n-th git: `inside:SECONDS` kills it with the process so many seconds
after its start, the others are DISTURBED. Prints the numbers of steps, changes and gits.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from iso_kit import QuickDisk, commit, git, lines, make_repository, words, write

from nova_core.isolation.conflict import put_conflict
from nova_core.isolation.landing import land
from nova_core.isolation.merge import advance, bring, merge, merged_already
from nova_core.isolation.program import Result
from nova_core.isolation.repository import Repository
from nova_core.isolation.survey import choose_place, survey
from nova_core.isolation.sweep import finish, forget, sweep
from nova_core.isolation.take import take
from nova_core.isolation.trees import away, begin, make_tree
from nova_core.isolation.values import Candidate, Conflict, Landed, Landing, Limits, Nothing, Place, Postponed, Taken

RUN = "0a1b2c3d"
Hook = Callable[[str], None]


class Steps:
    """Counts the steps of a run, and calls `act` at the n-th."""

    def __init__(self, at: int, act: Hook) -> None:
        self.at, self.act, self.count = at, act, 0

    def __call__(self, what: str) -> None:
        self.count += 1
        if self.count == self.at:
            self.act(what)


class Disk(QuickDisk):
    """Each change of a file is a step."""

    def __init__(self, steps: Hook) -> None:
        self.steps = steps

    def step(self, call: str, path: str) -> None:
        self.steps(f"{call} {path}")


class Counted(Repository):
    """Each git is a step before and after it."""

    def __init__(self, place: Place, disk: Disk) -> None:
        self.steps = disk.steps
        super().__init__(place, disk)

    def start(self, command: list[str], where: str, environ: dict[str, str], stdin: bytes = b"") -> Result:
        self.steps(f"before {command[1]}")
        result = super().start(command, where, environ, stdin)
        self.steps(f"after {command[1]}")
        return result


def prepare(folder: Path) -> Path:
    """The repository of the campaign: a user with a changed and an untracked file."""
    root = make_repository(folder / "r")
    write(root, **{f"f{n}": lines(20) for n in range(1, 7)}, user="1\n")
    commit(root, "base two")
    write(root, user="1\nmine\n", untracked="x", _env="K")
    return root


def work(task_id: str, tree: Path) -> None:
    """What each worker does; a conflict with A is resolved by D. It may be cut off and begun again."""
    if task_id == "A":
        write(tree, f1=lines(20, l1="A"), a__new="a")
    if task_id == "B":
        (tree / "f1").write_text((tree / "f1").read_text().replace("\n20\n", "\nB\n"))
        write(tree, app__m="m")
        (tree / "app/.git").exists() or git(tree, "init", "-q", "app")
    if task_id == "C":
        (tree / "f3").unlink(missing_ok=True)
        if (tree / "f4").exists():
            (tree / "f4").rename(tree / "g4")
        if (tree / "f5").is_file():
            (tree / "f5").unlink()
        shutil.rmtree(tree / "b", ignore_errors=True)
        if not (tree / "b").exists():
            write(tree, f5__x="x", b="file", c="c")
        shutil.rmtree(tree / ".git", ignore_errors=True)
    if task_id == "D":
        write(tree, f1=lines(20, l1="D"))


def resolve(tree: Path) -> None:
    """The worker of D, in its second attempt, keeps what both want."""
    write(tree, f1=lines(20, l1="AD", l20="B"))


class Engine:
    """The order of the steps, and what is recorded before each in a journal."""

    def __init__(self, folder: Path, make: Callable[[Place], Repository]) -> None:
        self.folder, self.root = folder, folder / "r"
        self.journal = folder / "journal"
        self.events: dict[str, Any] = {}
        if self.journal.exists():
            for row in self.journal.read_text().split("\n")[:-1]:
                self.events |= json.loads(row)
        if "base" not in self.events:
            found = survey(self.root)
            place = choose_place(found, RUN)
            self.say(base=found.head, place=[place.git_dir, place.common, place.top, place.prefix, place.run, place.branch, place.trees])  # fmt: skip # noqa: E501
        self.repository = make(Place(*self.events["place"]))

    def say(self, **events: Any) -> None:
        """Record, before the step that it announces."""
        self.events |= events
        with self.journal.open("a") as file:
            file.write(json.dumps(events) + "\n")

    def go(self) -> None:
        """From wherever it is to the end."""
        opened = self.events.get("landing")
        sweep(self.repository, Landing(*opened) if opened else None, patience=5.0)
        if "tip" not in self.events:
            self.say(tip=begin(self.repository, self.events["base"]))
        for task_id in "ABDC":
            self.up(task_id)
        for task_id in "ABDC":
            self.down(task_id)
            self.land()
            self.clean(task_id)
        forget(self.repository, tuple("ABDC"))
        finish(self.repository, self.events["tip"])

    def stage(self, task_id: str) -> str:
        """How far a task is."""
        return str(self.events.get(f"{task_id}.stage", ""))

    def up(self, task_id: str) -> None:
        """Tree, worker, take."""
        stage = self.stage(task_id)
        tree = Path(self.repository.place.tree(task_id))
        if stage in ("", "starting"):
            if not stage:
                self.say(**{f"{task_id}.base": self.events["tip"], f"{task_id}.stage": "starting"})
            make_tree(self.repository, task_id, self.events[f"{task_id}.base"])
            self.say(**{f"{task_id}.stage": "running"})
        if self.stage(task_id) == "running":
            work(task_id, tree)
            self.say(**{f"{task_id}.stage": "over"})
        if self.stage(task_id) == "resolving":
            put_conflict(self.repository, task_id, self.taken(task_id), self.events[f"{task_id}.base"])
            self.say(**{f"{task_id}.stage": "resolver runs"})
        if self.stage(task_id) == "resolver runs":
            resolve(tree)
            self.say(**{f"{task_id}.stage": "over"})
        if self.stage(task_id) == "over":
            taken = take(self.repository, task_id, self.events[f"{task_id}.base"], words(task_id), Limits())
            self.say(**{f"{task_id}.taken": [taken.base, taken.commit, taken.tree, taken.files], f"{task_id}.stage": "taken"})  # fmt: skip # noqa: E501

    def taken(self, task_id: str) -> Taken:
        """What was recorded."""
        base, made, tree, files = self.events[f"{task_id}.taken"]
        return Taken(base, made, tree, tuple(files))

    def down(self, task_id: str) -> None:
        """The queue: merge, check, advance."""
        while self.stage(task_id) not in ("merged", "cleaned"):
            self.up(task_id)
            taken, tip = self.taken(task_id), self.events["tip"]
            if self.stage(task_id) == "merging":
                done = merged_already(self.repository, task_id, tip, taken)
                if done:
                    self.say(tip=done, **{f"{task_id}.stage": "merged"})
                    continue
            found = merge(self.repository, task_id, tip, taken, words(task_id))
            if isinstance(found, Conflict):
                assert task_id == "D"
                self.say(**{f"{task_id}.base": found.tip, f"{task_id}.stage": "resolving"})
                continue
            assert isinstance(found, Candidate), found
            self.say(**{f"{task_id}.stage": "merging"})
            if not found.is_checked:
                bring(self.repository, task_id, found)
                assert not git(Path(self.repository.place.tree(task_id)), "status", "--porcelain")
            if advance(self.repository, task_id, found):
                self.say(tip=found.commit, **{f"{task_id}.stage": "merged"})

    def land(self) -> None:
        """To the user's branch and folder."""
        opened = self.events.get("landing")
        old = self.events.get("landed", self.events["base"])
        begun = opened or ["refs/heads/main", old, self.events["tip"]]
        landing = Landing(begun[0], begun[1], begun[2], is_open=opened is not None)
        self.say(landing=[landing.branch, landing.old, landing.new])
        found = land(self.repository, landing)
        assert not isinstance(found, Postponed), found
        assert isinstance(found, Landed | Nothing)
        self.say(landed=landing.new, landing=None)

    def clean(self, task_id: str) -> None:
        """Nothing is left of a task but its ref."""
        if self.stage(task_id) == "merged":
            away(self.repository, task_id)
            self.say(**{f"{task_id}.stage": "cleaned"})


FILES = [".gitignore", "a/new", "a/x", "app/m", "b", "c", "f", "f1", "f2", "f5/x", "f6", "g", "g4", "user"]  # fmt: skip


def faults(folder: Path) -> list[str]:
    """What is wrong after the end; nothing, if all is well."""
    root = folder / "r"
    seen = {
        "history": git(root, "log", "--format=%s", "main").split("\n"),
        "status": git(root, "status", "--porcelain"),
        "lines": (root / "f1").read_text(),
        "files": git(root, "ls-tree", "-r", "--name-only", "main").split("\n"),
        "the user's files": [(root / name).read_text() for name in ("user", "untracked", ".env")],
        "refs": re.sub(r"(?<=/kept/D\.)[0-9a-f]{12}$", "", git(root, "for-each-ref", "--format=%(refname)")),
        "worktrees": git(root, "worktree", "list").count("\n"),
        "folders": sorted(os.listdir(folder)),
        "locks": [str(path) for path in (root / ".git").rglob("*.lock")],
        "own": (root / ".git/nova").exists(),
        "fsck": git(root, "fsck", "--no-dangling"),
    }
    expected = {
        "history": ["C: done", "D: done", "B: done", "A: done", "base two", "base"],
        "status": " M user\n?? untracked",
        "lines": lines(20, l1="AD", l20="B"),
        "files": FILES,
        "the user's files": ["1\nmine\n", "x", "K"],
        "refs": f"refs/heads/main\nrefs/nova/{RUN}/kept/D.",
        "worktrees": 0,
        "folders": ["journal", "r"],
        "locks": [],
        "own": False,
        "fsck": "",
    }
    return [f"{name}: {seen[name]!r}, not {expected[name]!r}" for name in expected if seen[name] != expected[name]]


DISTURBED = {
    "fails": "exit 1",
    "fails late": '"$@" > /dev/null 2>&1; exit 128',
    "prints rubbish": '"$@" > /dev/null && printf "rubbish \\377\\000rubbish"',
    "only prints rubbish": 'cat > /dev/null; printf "rubbish \\377\\000rubbish"',
    "prints half": 'out=$("$@" | tr "\\000" x) && printf %.20s "$out"',
    "hangs": "sleep 60",
}
"""Shell scripts around the n-th git."""


class Disturbed(Counted):
    """The n-th git is killed with the process, or another program stands in its place."""

    def __init__(self, place: Place, disk: Disk, at: int, how: str) -> None:
        super().__init__(place, disk)
        self.at, self.how, self.gits = at, how, 0

    def start(self, command: list[str], where: str, environ: dict[str, str], stdin: bytes = b"") -> Result:
        self.gits += 1
        if self.gits == self.at and self.how.startswith("inside:"):
            kill_inside(float(self.how.partition(":")[2]), command, where, environ, stdin)
        if self.gits == self.at and self.how in DISTURBED and command[0] != "rm":
            self.limit = 0.3 if self.how == "hangs" else self.limit
            command = ["sh", "-c", DISTURBED[self.how], "git", *command]
        return super().start(command, where, environ, stdin)


def kill_inside(seconds: float, command: list[str], where: str, environ: dict[str, str], stdin: bytes) -> None:
    """Start a git, kill it, and the process with it."""
    process = subprocess.Popen(
        command, cwd=where, env=environ, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    assert process.stdin is not None
    process.stdin.write(stdin)
    process.stdin.close()
    time.sleep(seconds)
    os.killpg(process.pid, signal.SIGKILL)
    os._exit(9)


def main(folder: str, at: str, how: str) -> int:
    """Run to the end, or to the fault."""
    changes = [0]

    def step(what: str) -> None:
        changes[0] += not what.startswith(("before ", "after "))
        if how.startswith("E") and changes[0] == int(at) and not what.startswith(("before ", "after ")):
            changes[0] += 1
            raise OSError(getattr(errno, how), os.strerror(getattr(errno, how)), what)

    steps = Steps(int(at) if how == "die" else 0, lambda what: os._exit(9))

    def both(what: str) -> None:
        steps(what)
        step(what)

    made: list[Disturbed] = []

    def make(place: Place) -> Repository:
        made.append(Disturbed(place, Disk(both), int(at), how))
        return made[0]

    Engine(Path(folder), make).go()
    print(steps.count, changes[0], made[0].gits)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
