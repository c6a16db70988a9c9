"""The difference that a task made, and the question about files that tasks would not have, on the screen."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_source import FakeSource, demo_model
from look import screen_text
from scripted_run import NOW
from test_view_screens import running

from nova_core.cli.request import RunRequest
from nova_core.cli.session import Engines
from nova_core.config import Config
from nova_core.config.git import GitConfig
from nova_core.files.project import Project
from nova_core.runs.merging import DiffOf
from nova_core.runs.patch import read_patch
from nova_core.state.git_run import GitRun
from nova_core.state.schema import Reason, RunState, TaskState, TaskStatus
from nova_core.watch.allowed import is_allowed
from nova_core.watch.source import EngineState
from nova_core.watch.view_model import ViewModel
from nova_tui.screens import diff as diff_screen
from nova_tui.screens.uncommitted import UncommittedScreen
from nova_tui.views import diff, header, summary
from nova_tui.views.why import why

PATCH = (
    "diff --git a/src/a.py b/src/a.py\n--- a/src/a.py\n+++ b/src/a.py\n"
    "@@ -1,2 +1,2 @@\n same\n-\told\x1b[2J\n+\tnew\n"
    'diff --git "a/\\033[2Jb" "b/\\033[2Jb"\nnew file mode 100644\n--- /dev/null\n'
    '+++ "b/\\033[2Jb"\n@@ -0,0 +1 @@\n+x\n'
)


def test_files_come_first_then_their_lines() -> None:
    """Each file leads to its lines, tabs are spaces, nothing of the text acts on a terminal."""
    patch = read_patch(PATCH)
    lines, keys = diff.lines(patch, 60), diff.keys(patch)
    shown = [line.plain.rstrip() for line in lines]
    assert shown[0].split() == ["src/a.py", "+1", "-1"]
    assert shown[1].split() == ["b", "(new)", "+1", "-0"]
    assert shown[2] == ""
    assert "-    old" in shown
    assert len(keys) == len(lines) == len(shown)
    assert [shown[keys.index(diff.place_of(patch, key))] for key in (-2, -1)] == [shown[3], shown[10]]
    assert diff.place_of(patch, 4) is None
    assert all(text.isprintable() for text in shown)
    assert all(line.cell_length <= 60 for line in lines)


async def test_a_task_shows_what_it_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The screen reads the patch once, and says of what it is, and enter leads to the lines of a file."""
    model = demo_model()
    task_id = model.cascade.dag.ids[0]
    monkeypatch.setattr(diff_screen, "diff_of", lambda *_: DiffOf("a", "b", "its commit"))
    asked: list[object] = []

    def patch_text(*given: object) -> str:
        asked.append(given)
        return PATCH

    monkeypatch.setattr(diff_screen, "patch_text", patch_text)
    screen = diff_screen.DiffScreen(model, task_id)
    async with running(screen) as pilot:
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()
        assert "its commit; 2 files changed, +2 -1" in screen_text(pilot.app)
        screen.redraw()
        await pilot.press("enter")
        assert screen.view.key == 0
    assert len(asked) == 1


def test_the_question_about_uncommitted_files_names_them() -> None:
    """Some of them, and how many more, safely; every answer is shown."""
    screen = UncommittedScreen([f"f{n}\x1b[2J" for n in range(30)])
    said = [line.plain for line in screen.said(70, 12)]
    assert said[0] == "30 files not committed: tasks work in copies, without them"
    assert said[1] == "  f0"
    assert said[-1].endswith("more")
    assert all(text.isprintable() for text in said)
    assert [line.plain[0] for line in screen.answers(70, 3)] == ["c", "i", "q"]


def test_the_answer_is_for_this_run(tmp_path: Path) -> None:
    """Only the setting for uncommitted files changes."""
    config = Config(jobs=7, isolation="tree")
    engines = Engines(RunRequest("CASCADE.md", Project(tmp_path), config))
    engines.settle("include")
    found = engines._request.config
    assert (found.git.uncommitted, found.jobs, found.isolation) == ("include", 7, "tree")


def test_a_conflict_says_what_to_do() -> None:
    """The files, where the work is, and the ways on; what is merged is in the summary."""
    model = demo_model()
    task_id = model.cascade.dag.ids[0]
    stuck = TaskState(
        status=TaskStatus.FAILED, reason=Reason.MERGE_CONFLICT, error="it could not be merged: f", merge="conflict",
        conflict={"f": "contents"},
    )  # fmt: skip
    git = GitRun(name="0a1b2c3d", ref="refs/heads/nova/0a1b2c3d", branch="refs/heads/main", tip="b", landed="a")
    source = FakeSource(model.cascade, {task_id: stuck})
    source.run = RunState(id="r", git=git)
    source.engine = EngineState.FINISHED
    model = ViewModel(source, NOW)
    said, steps = why(model, task_id)
    assert said[1].startswith("  f: contents: both changed the same lines; ")
    assert said[2] == f"its work is kept: refs/nova/0a1b2c3d/{task_id}"
    assert steps[0] == f"in a shell: nova resolve {task_id}"
    shown = [line.plain.strip() for line in summary.lines(model, 100)]
    assert f"1 conflict ({task_id})" in shown
    assert "not landed: the work is not yet in main" in shown
    assert "not landed; p tries again; in a shell: nova land, or: git merge nova/0a1b2c3d" in shown
    assert is_allowed(model, "go_on")
    source.config = Config(git=GitConfig(land="no"))
    assert not model.could_land
    source.config = Config()
    assert f"{task_id} has a conflict, its work is kept; in a shell: nova resolve {task_id}" in shown
    assert " NOT LANDED " in header.header(model, 100).plain
    source.engine, source.uncommitted = EngineState.CRASHED, ("f",)
    said_above = header.header(model, 100).plain
    assert " NOT STARTED " in said_above
    assert "ENGINE FAILED" not in said_above
    assert "not started" in summary.title(model, 100).plain
