"""An engine with trees that dies at its n-th step: a program for tests, which start it again until the run is over.

    python tree_campaign.py FOLDER MODE N [SECONDS]

MODE is `git` (a git starts or has ended), `disk` (Nova changes a file of its own), `inside` (a git is killed after
SECONDS, and the engine with it), `holder` (as `git`, but the holder of the workers is killed, and the engine continues)
or `none`, which does failed tasks again. The number of steps is printed at the end of a run that nothing ended.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

LINES = "\n".join(map(str, range(1, 21))) + "\n"
FILES = {
    "f1": LINES,
    "f2": LINES,
    "f3": LINES,
    "f4": LINES,
    "f5": LINES,
    "user.txt": "1\n",
    ".gitignore": ".env\nlogs/\ncascade_state.json*\n",
}
PLAN = """\
# Campaign

| Task ID | Task Name | Depends On | Command |
| --- | --- | --- | --- |
| A | one | - | `sed -i '1s/^A*//;1s/^/A/' f1; printf a > a` |
| B | two | - | `sed -i '20s/.*/B/' f1; mkdir -p app; printf m > app/m; test -d app/.git \\|\\| git init -q app` |
| D | four | - | `sed -i '1s/D*$//;1s/$/D/' f1; printf d > d` |
| C | three | A | `rm -f f3; mv f4 g4; test -d f5 \\|\\| rm f5; mkdir -p f5; printf x > f5/x; rm -rf .git` |
"""
WANTED = [".gitignore", "CASCADE.md", "a", "app/m", "d", "f1", "f2", "f5/x", "g4", "user.txt"]
SAFE = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}


def git(folder: Path, *arguments: str, code: int = 0) -> str:
    """The output of a git in the folder."""
    done = subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, check=False, env={**os.environ, **SAFE}
    )
    assert done.returncode == code, (arguments, done.stderr)
    return done.stdout


def make_template(folder: Path) -> None:
    """A project with a commit, a changed file and an untracked one."""
    folder.mkdir(parents=True)
    for name, text in {**FILES, "CASCADE.md": PLAN}.items():
        folder.joinpath(name).write_text(text)
    git(folder, "init", "-q", "-b", "main")
    git(folder, "config", "user.name", "u")
    git(folder, "config", "user.email", "u@e")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "base")
    folder.joinpath("user.txt").write_text("1\nmine\n")
    folder.joinpath("untracked.txt").write_text("x")


def problems(folder: Path) -> list[str]:
    """What is wrong after the run: empty if each task is merged once, and nothing is left or lost."""
    found: list[str] = []

    def expect(what: str, is_so: object, wanted: object) -> None:
        if is_so != wanted:
            found.append(f"{what}: {is_so!r}")

    history = sorted(git(folder, "log", "--format=%s", "main").split("\n")[:-1])
    expect("history", history, ["A: one", "B: two", "C: three", "D: four", "base"])
    expect("status", git(folder, "status", "--porcelain"), " M user.txt\n?? untracked.txt\n")
    lines = folder.joinpath("f1").read_text().split("\n")
    expect("lines", (lines[0], lines[19]), ("A1D", "B"))
    expect("files", git(folder, "ls-tree", "-r", "--name-only", "main").split(), WANTED)
    expect("the user's file", folder.joinpath("user.txt").read_text(), "1\nmine\n")
    refs = git(folder, "for-each-ref", "--format=%(refname)").split()
    expect("refs", [ref for ref in refs if "/kept/" not in ref], ["refs/heads/main"])
    trees = folder.parent / f"{folder.name}.nova"
    expect("trees", sorted(map(str, trees.rglob("*"))) if trees.exists() else [], [])
    expect("locks", [str(path) for path in folder.joinpath(".git").rglob("*.lock")], [])
    expect("worktrees", len(git(folder, "worktree", "list").splitlines()), 1)
    git(folder, "fsck", "--no-dangling")
    return found


def main(folder: str, mode: str, number: int, seconds: float = 0.0) -> int:
    """Run the plan of the folder, and die at the step."""
    import quick_disk

    from nova_core.command import Command, CommandKind
    from nova_core.config import Config
    from nova_core.config.git import GitConfig
    from nova_core.engine.startup import Host
    from nova_core.files.disk import Disk
    from nova_core.isolation.repository import Repository
    from nova_core.orchestrator import Orchestrator

    count = 0

    def step(kind: str) -> None:
        nonlocal count
        if kind == mode or (kind, mode) == ("git", "holder"):
            count += 1
            if count == number:
                _kill(mode, Path(folder))

    class DyingDisk(Disk):
        def step(self, call: str, path: str) -> None:
            step("disk")

    start = Repository.start

    def watched(self: Any, *arguments: Any, **more: Any) -> Any:
        step("git")
        if mode == "inside":
            nonlocal count
            count += 1
            if count == number:
                _kill_inside(self, seconds, *arguments)
        result = start(self, *arguments, **more)
        step("git")
        return result

    Repository.start = watched  # type: ignore[method-assign]
    quick_disk.install()
    os.chdir(folder)
    os.environ.update(SAFE)
    config = Config(isolation="tree", grace=0.1, git=GitConfig(uncommitted="ignore"))
    engine = Orchestrator("CASCADE.md", "cascade_state.json", 3, config=config, host=Host(disk=DyingDisk()))
    if mode == "none":
        engine.apply(Command(CommandKind.RETRY))
    code = engine.run().exit_code
    print(count)
    return code


def _kill(mode: str, folder: Path) -> None:
    """The holder of the workers dies, or the engine."""
    from processes import holders_of

    if mode != "holder":
        os._exit(9)
    for pid in holders_of(folder):
        os.kill(pid, signal.SIGKILL)


def _kill_inside(
    repository: Any, seconds: float, command: list[str], where: str, environ: Any, stdin: bytes = b""
) -> None:
    """A git begins, and dies with the engine."""
    process = subprocess.Popen(
        command, cwd=where, env=environ, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        pass_fds=(repository.busy,),
    )  # fmt: skip
    assert process.stdin is not None
    process.stdin.write(stdin)
    process.stdin.close()
    time.sleep(seconds)
    process.kill()
    process.wait()
    os._exit(9)


def play(folder: Path, template: Path, deaths: list[tuple[str, int, float]]) -> list[str]:
    """Copy the template, let engines die one after the other, then run to the end; returns what is wrong."""
    shutil.copytree(template, folder, symlinks=True)
    for mode, number, seconds in [*deaths, ("none", 0, 0.0)]:
        done = subprocess.run(
            [sys.executable, __file__, str(folder), mode, str(number), str(seconds)],
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        if mode != "none" and done.returncode == 0:
            break
        if mode == "holder" and done.returncode != 1:
            return [f"its holder was killed, and it ended with {done.returncode} {done.stderr.strip()[-600:]}"]
    if done.returncode:
        return [f"stuck: {done.returncode} {done.stdout[-300:]} {done.stderr.strip()[-600:]}"]
    return problems(folder)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]) if len(sys.argv) > 4 else 0.0))
