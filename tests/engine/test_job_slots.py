"""Job slots shared with make: Nova is a client or the server of GNU make's protocol."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_process import environment

from nova_core.engine.attempts.job_slots import ClientSlots, ServerSlots, open_slots
from nova_core.launch.make_flags import NAMES, auth_of

# Recipes that end once as many have begun as should run at once: this shows that they do, however slow the machine.
RECIPE = "@echo + >> trace; while [ $$(grep -c + trace) -lt {most} ]; do sleep 0.02; done; sleep 0.1; echo - >> trace\n"


def free(path: Path) -> int:
    """How many slots others could take now; they are put back."""
    fd = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    try:
        found = os.read(fd, 999)
        os.write(fd, found)
    except BlockingIOError:
        found = b""
    finally:
        os.close(fd)
    return len(found)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerSlots]:
    slots = ServerSlots(tmp_path / "jobserver", 4, 0, old_make=False)
    yield slots
    slots.close(0)


def test_each_worker_holds_one_of_the_slots(server: ServerSlots, tmp_path: Path) -> None:
    """What workers do not hold is free for the programs that they run."""
    path = tmp_path / "jobserver"
    for workers, left in ((1, 3), (4, 0), (2, 2), (0, 4)):
        assert server.hold(workers, 4)
        assert free(path) == left


def test_a_worker_waits_for_slots_that_others_hold(server: ServerSlots, tmp_path: Path) -> None:
    """It starts once one of them is put back."""
    make = os.open(tmp_path / "jobserver", os.O_RDWR | os.O_NONBLOCK)
    assert server.hold(1, 4)
    assert os.read(make, 3) == b"+++"
    assert not server.hold(2, 4)
    assert server.is_short
    os.write(make, b"+")
    assert server.hold(2, 4)
    assert not server.is_short
    os.close(make)


def test_slots_of_a_killed_program_come_back(server: ServerSlots, tmp_path: Path) -> None:
    """As soon as no worker runs, all are free; also those that a program put back too often are not counted."""
    make = os.open(tmp_path / "jobserver", os.O_RDWR | os.O_NONBLOCK)
    server.hold(1, 4)
    assert os.read(make, 2) == b"++"
    server.hold(0, 4)
    assert free(tmp_path / "jobserver") == 4
    server.hold(1, 4)
    os.write(make, b"+++++")
    os.close(make)
    server.hold(0, 4)
    assert free(tmp_path / "jobserver") == 4


@pytest.mark.parametrize(("jobs", "left"), [(6, 4), (3, 1), (2, 0)])
def test_the_slots_follow_the_number_of_workers(server: ServerSlots, tmp_path: Path, jobs: int, left: int) -> None:
    """It can be changed during the run."""
    server.hold(2, 4)
    server.hold(2, jobs)
    assert free(tmp_path / "jobserver") == left
    server.hold(0, jobs)
    assert free(tmp_path / "jobserver") == jobs


def test_the_next_engine_counts_the_workers_that_it_takes_over(tmp_path: Path) -> None:
    """Whether a program still has the slots of the killed engine open, or the system has forgotten them."""
    path = tmp_path / "jobserver"
    for still_open in (True, False):
        first = ServerSlots(path, 4, 0, old_make=False)
        first.hold(3, 4)
        make = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        os.close(first._fd)  # killed
        if not still_open:
            os.close(make)
        second = ServerSlots(path, 4, 3, old_make=False)
        assert free(path) == 1
        second.hold(1, 4)  # two of them have ended meanwhile
        assert free(path) == 3
        second.close(0)
        if still_open:
            os.close(make)


@pytest.mark.parametrize("form", ["fifo", "pipe"])
def test_a_client_gives_back_what_it_took(tmp_path: Path, form: str) -> None:
    """The first worker has Nova's own slot; each further one takes one, with its byte, and gives it back."""
    if form == "fifo":
        os.mkfifo(tmp_path / "f")
        reader = writer = os.open(tmp_path / "f", os.O_RDWR | os.O_NONBLOCK)
        slots = ClientSlots(f"fifo:{tmp_path}/f")
    else:
        reader, writer = os.pipe()
        slots = ClientSlots(f"{reader},{writer}")
        assert os.get_blocking(reader)
        os.set_blocking(reader, False)
    os.write(writer, b"ab")
    assert slots.hold(1, 9)
    assert slots.hold(3, 9)
    assert not slots.hold(4, 9)
    slots.hold(2, 9)
    assert len(os.read(reader, 9)) == 1
    slots.close(0)
    assert len(os.read(reader, 9)) == 1
    for fd in {reader, writer}:
        os.close(fd)


@pytest.mark.parametrize("auth", ["3000,3001", "-2,-2", "fifo:/nowhere", "x", "0"])
def test_a_jobserver_out_of_reach_is_said_and_replaced(tmp_path: Path, auth: str) -> None:
    """Make closes it for recipes that do not begin with a plus; Nova then serves its own slots."""
    environ = {"MAKEFLAGS": f" -j4 --jobserver-auth={auth}", "PATH": ""}
    slots, warning = open_slots(tmp_path / "jobserver", environ, 2, 0)
    assert "begin the line of its recipe with `+`" in warning
    assert auth_of(slots.environment(environ, 2)) == f"fifo:{tmp_path}/jobserver"
    slots.close(0)


def test_a_path_that_make_would_not_understand_is_passed_as_descriptors(tmp_path: Path) -> None:
    """A blank in the path of the project, or make before 4.4."""
    (tmp_path / "a b").mkdir()
    slots = ServerSlots(tmp_path / "a b" / "jobserver", 2, 0, old_make=False)
    assert auth_of(slots.environment({}, 2)) == "100,101"
    slots.close(0)


# with real makes


def most_at_once(folder: Path) -> int:
    """The largest number of recipes that ran at the same time."""
    now = most = 0
    for line in (folder / "trace").read_text().split():
        now += 1 if line == "+" else -1
        most = max(most, now)
    assert now == 0
    return most


def without_make() -> dict[str, str]:
    """The environment, also if a make runs the tests."""
    return {name: value for name, value in environment().items() if name not in (*NAMES, "MAKELEVEL")}


def project(folder: Path, commands: list[str], settings: str, most: int) -> list[str]:
    """A project of independent tasks; returns the command that runs it."""
    rows = "".join(f"| M{n} | make | `{command}` | - |\n" for n, command in enumerate(commands))
    head = "# P\n\n| Task ID | Task Name | Command | Depends On |\n|---|---|---|---|\n"
    (folder / "CASCADE.md").write_text(head + rows)
    (folder / "nova.yaml").write_text(settings)
    (folder / "sub.mk").write_text(f"all: a b c d\na b c d: ; {RECIPE.format(most=most)}")
    return [sys.executable, "-m", "nova_core", "run", "--no-ui"]


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
@pytest.mark.parametrize(
    ("commands", "settings", "jobs", "most"),
    [
        (["make -f sub.mk -j4"], "", 1, 4),
        (["make -f sub.mk", "make -f sub.mk"], "jobserver: true\n", 3, 3),
    ],
    ids=["own slots of a make", "shared slots"],
)
def test_makes_below_nova(tmp_path: Path, commands: list[str], settings: str, jobs: int, most: int) -> None:
    """A make with its own `-j` keeps its parallelism; with the jobserver all makes together use Nova's slots."""
    nova = project(tmp_path, commands, settings, most)
    done = subprocess.run([*nova, f"-j{jobs}"], cwd=tmp_path, env=without_make(), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "jobserver" not in "".join(path.read_text() for path in (tmp_path / "logs").iterdir())
    assert most_at_once(tmp_path) == most


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
@pytest.mark.parametrize("shared", [False, True])
def test_nova_below_a_make(tmp_path: Path, shared: bool) -> None:
    """Without the jobserver workers see nothing of the outer make; with it everything stays within its slots."""
    nova = project(tmp_path, ["make -f sub.mk"] * 2, "jobserver: true\n" if shared else "", 3)
    outer = f"all: nova x y\nnova: ; +@{' '.join(nova)} -j5\nx y: ; {RECIPE.format(most=3)}"
    (tmp_path / "outer.mk").write_text(outer)
    make = ["make", "-f", "outer.mk", "-j3"]
    done = subprocess.run(make, cwd=tmp_path, env=without_make(), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    said = done.stderr + "".join(path.read_text() for path in (tmp_path / "logs").iterdir())
    assert "jobserver" not in said
    assert most_at_once(tmp_path) <= (3 if shared else 4)
