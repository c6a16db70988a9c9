"""No process of a job survives its end, whatever kind of tree it started."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
from executor_kit import Lab, carrying
from sampling import sample
from trees import KINDS

from nova_core.executors.base import EndReason

TREES = str(Path(__file__).parents[1] / "kits" / "trees.py")


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    lab = Lab(tmp_path)
    yield lab
    lab.executor.close()


def trial(lab: Lab, kind: str, how: str, *, own: bool) -> None:
    """Start the tree, end it, and look for any process of it."""
    tag = f"novatag{uuid.uuid4().hex}"
    natural = ["natural"] if how == "natural" else []
    argv = (sys.executable, "-I", "-S", TREES, kind, tag, *natural)
    ends_itself = how == "natural" or (kind == "leader_exits" and how == "timeout")  # before any limit
    timeout = (60.0 if ends_itself else 0.2) if how == "timeout" else 0.0
    lab.submit(tag, argv=argv, own_holder=own, grace=0.1, timeout=timeout, env={"TAG": tag})
    if how == "cancel":
        lab.says(tag, "ready")
        lab.executor.cancel(tag, 0.1)
    end = lab.end(tag)
    assert carrying(tag) == []
    assert end.survivors == ()
    if ends_itself:
        assert (end.reason, end.code) == (EndReason.EXIT, 0)
        assert end.leftovers
    elif kind != "leader_exits":
        assert end.reason == {"cancel": EndReason.CANCELLED, "timeout": EndReason.TIMEOUT}[how]


WAYS = ("cancel", "timeout", "natural")
CASES = list(product(KINDS, WAYS, (False, True)))
SAMPLE = sample(KINDS, WAYS, (False, True))
NAMES = [f"{kind}-{how}-{'own' if own else 'shared'}" for kind, how, own in CASES]


@pytest.mark.parametrize(("kind", "how", "own"), SAMPLE)
def test_nothing_of_the_tree_is_left_when_its_end_is_reported(lab: Lab, kind: str, how: str, own: bool) -> None:
    """Each kind of tree, each kind of holder, and each way to end."""
    trial(lab, kind, how, own=own)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "how", "own"), CASES, ids=NAMES)
def test_nothing_of_the_tree_is_left_in_twenty_trials(lab: Lab, kind: str, how: str, own: bool) -> None:
    """The same, often enough for races to show."""
    for _ in range(20):
        trial(lab, kind, how, own=own)


def test_a_daemon_of_a_running_job_survives_the_end_of_another_job(lab: Lab) -> None:
    """A stray belongs to the job whose marker it carries, and ends only with that job."""
    tag = f"novatag{uuid.uuid4().hex}"
    lab.submit("first", shell=f"(setsid sh -c 'sleep 60; : {tag}' &) ; echo up; sleep 60")
    lab.says("first", "up")
    assert lab.run("second", argv=("/bin/true",)).leftovers == ()
    assert carrying(tag)
    lab.executor.cancel("first", 0.1)
    lab.end("first")
    assert carrying(tag) == []


def test_an_unmarked_daemon_ends_with_the_last_job_that_may_have_started_it(lab: Lab) -> None:
    """Without a marker its job is unknown, so it is ended when none of its possible parents is running."""
    tag = f"novatag{uuid.uuid4().hex}"
    lab.submit("other", shell="echo up; sleep 60")
    lab.says("other", "up")
    daemon = f"{sys.executable} -I -S {TREES} daemon_noenv {tag} natural"
    assert lab.run("maker", shell=daemon).leftovers == ()
    assert carrying(tag)
    lab.executor.cancel("other", 0.1)
    assert lab.end("other").leftovers != ()
    assert carrying(tag) == []
