"""Many tasks at once, while other gits clean up in the same repository."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from iso_kit import ENV, Run, commit, git, repository, words, write

from nova_core.isolation.merge import advance, merge
from nova_core.isolation.values import Candidate, GitFailed, Taken

pytestmark = [pytest.mark.skipif(shutil.which("git") is None, reason="needs git"), pytest.mark.slow]
TRIES = 10  # an engine makes three, and pauses between them


def again(step: Callable[[], None]) -> None:
    """A step that git fails is done again, from the folder."""
    for left in reversed(range(TRIES)):
        try:
            step()
            return
        except GitFailed:
            if not left:
                raise


@pytest.mark.parametrize(
    "command", ["gc -q", "gc -q --prune=now", "worktree prune", "status", "pack-refs --all --prune"]
)
def test_nothing_is_lost_beside_another_git(tmp_path: Path, command: str) -> None:
    """Cases 48, 49: eight workers, which commit themselves, make 16 commits, and the branch has all its objects."""
    run = Run(repository(tmp_path))
    queue, over = threading.Lock(), threading.Event()

    def disturb() -> None:
        while not over.wait(0.05):
            subprocess.run(["git", *command.split()], cwd=run.root, env=ENV, capture_output=True, check=False)

    def task(number: int) -> None:
        name = f"F{number}"
        with queue:
            base = run.tip
        run_at = Run.__new__(Run)  # each task has its own tip
        run_at.__dict__.update(run.__dict__, tip=base)
        trees: list[Path] = []
        again(lambda: trees.append(run_at.tree(name)))
        write(trees[-1], **{f"new{number}": name})
        commit(trees[-1])
        taken: list[Taken] = []

        def settle() -> None:
            taken.append(run_at.take(name))
            found = merge(run.repository, name, run.tip, taken[-1], words(name))
            assert isinstance(found, Candidate)
            if not advance(run.repository, name, found):
                raise GitFailed("merge again")
            run.tip = found.commit

        with queue:
            again(settle)

    other = threading.Thread(target=disturb)
    other.start()
    try:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(task, range(16)))
    finally:
        over.set()
        other.join()
    assert {f"new{number}" for number in range(16)} <= set(run.files())
    assert git(run.root, "rev-list", "--count", f"{run.start}..{run.tip}") == "16"
    assert git(run.root, "rev-list", "--objects", "--quiet", run.tip) == ""
