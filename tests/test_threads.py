"""A machine without a thread to spare delays what needs one, and fails nothing."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from nova_core import threads
from nova_core.clock import Clock
from nova_core.engine.replan import PlanWatch
from nova_core.threads import share_heap, start_thread


class Scarce(threading.Thread):
    """A thread that can start only the third time."""

    tries = 0

    def start(self) -> None:
        Scarce.tries += 1
        if Scarce.tries < 3:
            raise RuntimeError("can't start new thread")
        super().start()


@pytest.fixture(autouse=True)
def scarce(monkeypatch: pytest.MonkeyPatch) -> None:
    """No tries yet, and no long pauses."""
    Scarce.tries = 0
    monkeypatch.setattr(threads, "_PAUSE", 0.001)


def test_a_thread_starts_once_there_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    """Said once, however long it takes."""
    done = threading.Event()
    start_thread(Scarce(target=done.set))
    assert done.wait(60)
    assert capsys.readouterr().err == "nova: can't start new thread; waiting until it is possible again\n"


def test_a_mistake_is_not_waited_for() -> None:
    """A thread starts once."""
    thread = threading.Thread(target=lambda: None)
    start_thread(thread)
    with pytest.raises(RuntimeError, match="once"):
        start_thread(thread)
    thread.join()


def test_an_edited_plan_is_read_once_there_is_a_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine's loop neither fails nor waits: its next looks try again."""
    monkeypatch.setattr(threading, "Thread", Scarce)
    plan = tmp_path / "CASCADE.md"
    plan.write_text("old")
    watch = PlanWatch(str(plan), lambda: "the new plan", Clock())  # type: ignore[arg-type, return-value]
    plan.write_text("new and longer")
    found = None
    while found is None:
        found = watch.look()
    assert str(found) == "the new plan"
    assert Scarce.tries == 3


@pytest.mark.parametrize("library", ["glibc", "another"])
def test_threads_share_one_heap(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By mallopt(3) of glibc; a C library without it changes nothing."""
    told: list[tuple[int, int]] = []
    functions = {"mallopt": lambda name, value: told.append((name, value))} if library == "glibc" else {}
    monkeypatch.setattr("ctypes.CDLL", lambda name: SimpleNamespace(**functions))
    share_heap()
    assert told == ([(-8, 1)] if library == "glibc" else [])
