"""The worker that library users start."""

from __future__ import annotations

import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from executor_kit import carrying, until
from sampling import sampled

from nova_core.worker import Worker, WorkerStatus


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Worker]:
    worker = Worker("F1", "Write the parser")
    worker.log_path = tmp_path / "logs" / "F1.log"
    yield worker
    worker.terminate()


def test_a_new_worker_is_pending() -> None:
    """Nothing is running, and nothing is known."""
    worker = Worker("F1", "Write the parser")
    assert worker.status is WorkerStatus.PENDING
    assert (worker.pid, worker.process, worker.get_exit_code(), worker.wait()) == (None, None, None, None)
    assert not worker.is_alive()
    assert (worker.task_id, worker.task_description) == ("F1", "Write the parser")


def test_a_log_stays_where_it_was_when_the_worker_was_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`log_path` is absolute: a later change of directory does not move it."""
    monkeypatch.chdir(tmp_path)
    worker = Worker("F1", "Write the parser")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert worker.log_path == tmp_path / "logs" / "F1.log"
    worker.start(["echo", "hello"])
    worker.wait()
    assert (tmp_path / "logs" / "F1.log").read_text() == "hello\n"


OUTCOMES: list[tuple[list[str] | str, int, WorkerStatus, str]] = [
    (["/bin/sh", "-c", "echo out; echo err >&2"], 0, WorkerStatus.COMPLETED, "out\nerr\n"),
    ("echo line; exit 3", 3, WorkerStatus.FAILED, "line\n"),
    ("kill -KILL $$", -9, WorkerStatus.FAILED, ""),
    ("exit 143", 143, WorkerStatus.FAILED, ""),
    (["no-such-program"], 127, WorkerStatus.FAILED, "no-such-program"),
    ("no-such-program", 127, WorkerStatus.FAILED, "not found"),
]


@pytest.mark.parametrize(("command", "code", "status", "text"), OUTCOMES)
def test_the_end_of_a_command(
    worker: Worker, command: list[str] | str, code: int, status: WorkerStatus, text: str
) -> None:
    """Exit code, status and log, for argument lists and shell lines."""
    worker.start(command)
    assert worker.wait() == code
    assert (worker.get_exit_code(), worker.status, worker.is_alive()) == (code, status, False)
    assert text in worker.log_path.read_text()


def test_a_started_worker_is_running(worker: Worker) -> None:
    """pid and process are there as soon as `start` returns."""
    worker.start([sys.executable, "-c", "import time; time.sleep(60)"])
    assert isinstance(worker.pid, int)
    assert worker.process is not None
    assert worker.is_alive()
    assert worker.status is WorkerStatus.RUNNING
    assert worker.get_exit_code() is None
    assert worker.wait(timeout=0.01) is None


LOOKS: dict[str, Callable[[Worker], object]] = {
    "is_alive": Worker.is_alive,
    "get_exit_code": Worker.get_exit_code,
    "wait": Worker.wait,
    "terminate": Worker.terminate,
    "get_status_dict": Worker.get_status_dict,
}


@pytest.mark.parametrize(("look", "command"), sampled(LOOKS, ["exit 0", "exit 1"]))
def test_a_worker_counts_as_running_until_it_is_checked(worker: Worker, command: str, look: str) -> None:
    """Its end appears in `status` once a method has checked it, however long ago it ended."""
    worker.start(command)
    for thread in threading.enumerate():
        if thread.name == "worker-F1":
            thread.join()
    assert worker.status is WorkerStatus.RUNNING
    LOOKS[look](worker)
    assert worker.status is (WorkerStatus.COMPLETED if command == "exit 0" else WorkerStatus.FAILED)


def test_terminate_ends_the_whole_tree(worker: Worker) -> None:
    """Including processes in a session of their own; a second call does nothing."""
    tag = f"novatag{uuid.uuid4().hex}"
    worker.start(f"(setsid sh -c 'sleep 60; : {tag}' &); echo up; sleep 60; : {tag}")
    until(lambda: "up" in worker.log_path.read_text(), "output")
    worker.terminate()
    assert carrying(tag) == []
    assert (worker.status, worker.get_exit_code(), worker.is_alive()) == (WorkerStatus.FAILED, -15, False)
    worker.terminate()


def test_terminate_works_while_another_thread_waits(worker: Worker) -> None:
    """The waiting thread gets the exit code."""
    worker.start("sleep 60")
    codes: list[int | None] = []
    thread = threading.Thread(target=lambda: codes.append(worker.wait()))
    thread.start()
    worker.terminate()
    thread.join()
    assert codes == [-15]


def test_a_worker_starts_once(worker: Worker) -> None:
    """A second start is an error of the caller."""
    worker.start("exit 0")
    with pytest.raises(RuntimeError, match="already started"):
        worker.start("exit 0")


def test_tokens_are_summed_over_the_log(worker: Worker) -> None:
    """All four classes, over all lines."""
    line = "Token usage: input=1, output=2, cache_read=3, cache_creation=4"
    worker.start(["printf", f"{line}\\nother\\n{line}"])
    worker.wait()
    expected = {"input_tokens": 2, "output_tokens": 4, "cache_read_tokens": 6, "cache_creation_tokens": 8}
    assert worker.get_token_usage() == expected
    status = worker.get_status_dict()
    assert status["token_usage"] == expected
    assert (status["task_id"], status["status"], status["exit_code"]) == ("F1", "completed", 0)
    assert status["pid"] == worker.pid
    assert status["log_path"] == str(worker.log_path)
    assert status["started_at"] <= status["completed_at"]


def test_status_of_a_pending_worker_is_plain(worker: Worker) -> None:
    """No log, no times."""
    status = worker.get_status_dict()
    assert (status["status"], status["started_at"], status["completed_at"]) == ("pending", None, None)
    assert set(status["token_usage"].values()) == {0}


@pytest.mark.parametrize("task_id", ["../x", "a//b", "", "-rf", "CON", "A1\n"])
def test_an_id_that_could_be_a_path_is_rejected(task_id: str) -> None:
    """Ids become file names."""
    with pytest.raises(ValueError, match="task id"):
        Worker(task_id, "")
