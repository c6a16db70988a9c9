"""Nova is replaced while jobs run: the holders that run them lose none, whichever version started them.

`holder_0.1.0.zip` is the holder of Nova 0.1.0 as it was: `git archive 94b320e nova_core/__init__.py
nova_core/executors/{__init__,channel,ending,held,holder,journal,logcap,proctree,setting,spawn,watch}.py`.
"""

from __future__ import annotations

import os
import shutil
import sys
import uuid
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from executor_kit import ROOT, Lab, alive, carrying, run_of, until
from sampling import some

from nova_core.executors import holder_link
from nova_core.executors.base import Ended, EndReason, Started

OLD = Path(__file__).with_name("holder_0.1.0.zip")
OLD_CODE = "import sys; sys.path.append(sys.argv[1]); from nova_core.executors.holder import main; main()"
OLD_JOB = (
    "key", "argv", "shell", "cwd", "env", "log", "timeout", "idle_timeout", "grace", "log_limit", "stdin", "interrupt"
)  # fmt: skip
TREES = str(Path(__file__).parents[1] / "kits" / "trees.py")
WAITS = "echo up; while [ ! -e go ]; do sleep 0.02; done; exit 9"


class Installed:
    """A folder with an installed Nova, its engine, and the next engine, which is this process."""

    def __init__(self, lab: Lab, monkeypatch: pytest.MonkeyPatch, *, old: bool) -> None:
        self.lab = lab
        self.root = lab.home / "site-packages"
        self._old = old
        if old:
            zipfile.ZipFile(OLD).extractall(self.root)
            monkeypatch.setattr(holder_link, "_CODE", OLD_CODE)
        else:
            self.upgrade()
        monkeypatch.setattr(holder_link, "_ROOT", str(self.root))
        self._monkeypatch = monkeypatch

    def begin(self, *, own: bool, **fields: Any) -> None:
        """Start F1 and wait until it runs; its engine is then gone, and further processes run the current code."""
        fields = {"key": "F1", "log": "F1.log", "own_holder": own, "grace": 20.0, **fields}
        if self._old:
            self._begin_old(**fields)
        else:
            self.lab.submit(**fields)
            self.lab.started("F1")
            self.lab.executor.close()
            self.lab.executor = self.lab.open()
        self.lab.says("F1", "up")
        self._monkeypatch.undo()

    def _begin_old(self, *, own_holder: bool, **fields: Any) -> None:
        """What the engine of 0.1.0 sent."""
        home = self.lab.home
        folder = holder_link.AttemptFolder(home / ".nova", run_of(home))
        link = folder.start(own=own_holder)
        link.send(msgspec.json.encode(("base", dict(os.environ), str(home / "logs"), str(home))))
        values = {"argv": [], "shell": "", "cwd": ".", "env": {}, "timeout": 0.0, "idle_timeout": 0.0, "log_limit": 0}
        values |= {"stdin": "", "interrupt": False, **fields}
        link.send(msgspec.json.encode(("job", *(values[name] for name in OLD_JOB))))
        link.close()
        link.adopt()  # it answers once it has accepted the job
        link.close()
        folder.close()

    def remove(self) -> None:
        """Remove everything at once, as an uninstall does."""
        self.root.rename(self.lab.home / f"removed-{uuid.uuid4().hex}")

    def upgrade(self) -> None:
        """Replace the old code by the current code."""
        if self.root.exists():
            self.remove()
        for package in ("executors", "holder"):
            # The old holder may write its bytecode there at the same time.
            source, target = ROOT / "nova_core" / package, self.root / "nova_core" / package
            shutil.copytree(source, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
        for module in ("__init__.py", "boot.py", "digest.py"):
            shutil.copy(ROOT / "nova_core" / module, self.root / "nova_core")


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    lab = Lab(tmp_path)
    yield lab
    lab.executor.close()


HOLDERS = ["0.1.0-shared", "0.1.0-own", "present-shared", "present-own"]


@pytest.fixture(params=some(HOLDERS, "0.1.0-own", "present-shared"))
def kind(request: pytest.FixtureRequest) -> str:
    """The version that started the holder, and the kind of the holder."""
    return str(request.param)


@pytest.fixture
def installed(kind: str, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Installed:
    """The installed version that started the holder."""
    return Installed(lab, monkeypatch, old=kind.startswith("0.1.0"))


@pytest.fixture
def own(kind: str) -> bool:
    """Whether the job has a holder of its own."""
    return kind.endswith("own")


def adopt(lab: Lab) -> None:
    """Be an engine of the current code."""
    assert [(type(report), report.key) for report in lab.reopen()] == [(Started, "F1")]


def test_a_job_is_adopted_with_its_true_exit_code(installed: Installed, own: bool) -> None:
    """The job was running when the code was replaced."""
    installed.begin(own=own, shell=WAITS)
    installed.upgrade()
    adopt(installed.lab)
    (installed.lab.home / "go").touch()
    end = installed.lab.end("F1")
    assert (end.reason, end.code, end.leftovers) == (EndReason.EXIT, 9, ())


def test_a_job_that_ended_before_the_next_engine_came_is_found(installed: Installed) -> None:
    """The current code reads the old holder's journal."""
    installed.begin(own=False, shell=WAITS)
    installed.upgrade()
    holders = installed.lab.holder_pids()
    (installed.lab.home / "go").touch()
    until(lambda: not any(map(alive, holders)), "the holder's end")
    (found,) = installed.lab.reopen()
    assert isinstance(found, Ended)
    assert (found.reason, found.code) == (EndReason.EXIT, 9)
    assert found.started_at <= found.ended_at


def test_a_job_can_be_cancelled(installed: Installed, own: bool) -> None:
    """The next engine's command reaches it."""
    installed.begin(own=own, shell="echo up; exec sleep 60")
    installed.upgrade()
    adopt(installed.lab)
    installed.lab.executor.cancel("F1", 20.0)
    end = installed.lab.end("F1")
    assert (end.reason, end.signal) == (EndReason.CANCELLED, 15)


@pytest.mark.parametrize("limit", some(["timeout", "idle_timeout"], "timeout"))
def test_limits_are_kept(installed: Installed, own: bool, limit: str) -> None:
    """Even if a limit is reached after the upgrade, and the job ignores SIGTERM."""
    installed.begin(own=own, shell="trap '' TERM; echo up; while :; do sleep 0.1; done", grace=0.1, **{limit: 3.0})
    installed.upgrade()
    (found,) = installed.lab.reopen()
    end = found if isinstance(found, Ended) else installed.lab.end("F1")
    assert (end.reason, end.signal) == (limit, 9)


def test_a_log_is_cut(installed: Installed) -> None:
    """The limit of its size was set before the upgrade."""
    shell = "head -c 100000 /dev/zero | tr '\\0' x; echo; echo up; while [ ! -e go ]; do sleep 0.02; done"
    installed.begin(own=False, shell=shell, log_limit=1000)
    installed.upgrade()
    adopt(installed.lab)
    (installed.lab.home / "go").touch()
    assert installed.lab.end("F1").code == 0
    assert "bytes of this log were cut here" in installed.lab.log("F1")


@pytest.mark.parametrize("tree", some(["daemon", "daemon_noenv"], "daemon_noenv"))
def test_nothing_of_a_job_is_left(installed: Installed, tree: str) -> None:
    """Detached processes are found and ended, with the job's marker in their environment and without."""
    tag = f"novatag{uuid.uuid4().hex}"
    argv = [sys.executable, "-I", "-S", TREES, tree, tag, "natural"]
    installed.begin(own=False, shell=f"echo up; while [ ! -e go ]; do sleep 0.02; done; {' '.join(argv)}")
    installed.upgrade()
    adopt(installed.lab)
    (installed.lab.home / "go").touch()
    assert installed.lab.end("F1").leftovers
    assert carrying(tag) == []


def test_a_running_job_outlives_its_code(lab: Lab, monkeypatch: pytest.MonkeyPatch, own: bool) -> None:
    """Once a job is running, its holder needs no more files to end it."""
    installed = Installed(lab, monkeypatch, old=False)
    installed.begin(own=own, shell="trap '' TERM; echo up; (setsid sleep 60 &); while :; do sleep 0.1; done")
    installed.remove()
    adopt(lab)
    lab.executor.cancel("F1", 0.1)
    end = lab.end("F1")
    assert (end.reason, end.signal, end.survivors) == (EndReason.CANCELLED, 9, ())
