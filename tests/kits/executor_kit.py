"""Shared by the tests of executors: a project folder with an executor, a second engine, waiting for conditions."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nova_core.executors.base import Ended, Job, News, Report, Started
from nova_core.executors.local import LocalExecutor

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60.0

_ENGINE = """
import json, sys
from pathlib import Path
from nova_core.executors.base import Job
from nova_core.executors.local import LocalExecutor
home = Path(sys.argv[1])
executor = LocalExecutor(home / ".nova", home / "logs", run_id=sys.argv[2], cwd=home)
for line in sys.argv[3:]:
    executor.submit(Job(**json.loads(line)))
print("submitted", flush=True)
while True:
    for report in executor.wait(None):
        print(type(report).__name__, report.key, flush=True)
"""


def run_of(home: Path) -> str:
    """A run id for each folder: the last sweep looks for the marks of a run on the whole machine."""
    return hashlib.blake2b(str(home).encode(), digest_size=8).hexdigest()


def until(condition: Callable[[], Any], what: str = "condition") -> Any:
    """Wait for a true value and return it; fail after a minute."""
    deadline = time.monotonic() + PATIENCE
    while True:
        began = time.monotonic()
        value = condition()
        if value:
            return value
        assert began < deadline, f"{what} never came"
        time.sleep(max(0.005, 4 * (time.monotonic() - began)))  # most of the time is left to what is waited for


class Lab:
    """A folder with one executor in it, and all reports so far."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.executor = self.open()
        self.reports: list[News] = []

    def open(self, **options: Any) -> LocalExecutor:
        """Another executor for the same folder."""
        return LocalExecutor(
            self.home / ".nova", self.home / "logs", run_id=run_of(self.home), cwd=self.home, **options
        )

    def reopen(self) -> list[Report]:
        """Detach, as an engine that ends, and start the next engine; returns what it recovers."""
        self.executor.close()
        self.executor = self.open()
        found = self.executor.recover()
        self.reports += found
        return found

    def submit(self, key: str, **fields: Any) -> None:
        """Submit a job, which logs to `<key>.log` by default."""
        self.executor.submit(Job(**{"key": key, "log": f"{key}.log", **fields}))

    def collect(self, done: Callable[[], bool]) -> None:
        """Receive reports until `done`."""
        deadline = time.monotonic() + PATIENCE
        while not done():
            assert time.monotonic() < deadline, f"only {self.reports} came"
            self.reports += self.executor.wait(1.0)

    def ends(self, key: str) -> list[Ended]:
        """Every end reported for the key."""
        return [r for r in self.reports if isinstance(r, Ended) and r.key == key]

    def started(self, key: str) -> Started:
        """Wait until the job runs."""
        self.collect(lambda: any(r.key == key and isinstance(r, Started) for r in self.reports))
        return next(r for r in self.reports if isinstance(r, Started) and r.key == key)

    def end(self, key: str) -> Ended:
        """Wait for the end of the job."""
        self.collect(lambda: bool(self.ends(key)))
        return self.ends(key)[0]

    def run(self, key: str, **fields: Any) -> Ended:
        """Submit and wait for the end."""
        self.submit(key, **fields)
        return self.end(key)

    def log(self, key: str) -> str:
        """The job's output so far."""
        path = self.home / "logs" / f"{key}.log"
        return path.read_text() if path.exists() else ""

    def says(self, key: str, text: str) -> None:
        """Wait until the job has printed `text`."""
        until(lambda: text in self.log(key), f"{text!r} in the log of {key}")

    def journals(self) -> list[Path]:
        """The journals on disk."""
        return sorted((self.home / ".nova" / "attempts").glob("*.journal"))

    def holder_pids(self) -> list[int]:
        """The holders that wrote their first line and are still running."""
        lines = [path.read_bytes().split(b"\n")[0] for path in self.journals()]
        pids = [json.loads(line)[2] for line in lines if line.startswith(b"[")]
        return [pid for pid in pids if alive(pid)]

    def kill_holder(self) -> int:
        """SIGKILL the one holder that runs, its guards first; returns its pid."""
        (holder,) = until(self.holder_pids)
        line = [int(holder)]
        while b"nova_core.holder.holder" in Path(f"/proc/{line[-1]}/cmdline").read_bytes():
            line.append(int(Path(f"/proc/{line[-1]}/stat").read_text().rpartition(")")[2].split()[1]))
        for pid in reversed(line[:-1]):
            os.kill(pid, signal.SIGKILL)
        until(lambda: not alive(holder), "the holder's end")
        return int(holder)

    def engine(self, *jobs: dict[str, Any], log: bool = True) -> subprocess.Popen[str]:
        """Another process that acts as an engine for this folder and has submitted the jobs."""
        lines = [json.dumps({"log": f"{job['key']}.log" if log else "", **job}) for job in jobs]
        argv = [sys.executable, "-c", _ENGINE, str(self.home), run_of(self.home), *lines]
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=env)
        assert process.stdout is not None
        assert process.stdout.readline() == "submitted\n"
        return process


def alive(pid: int) -> bool:
    """Returns True if the process exists and is not a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def carrying(tag: str) -> list[int]:
    """The living processes with `tag` in their arguments or environment, except this one."""
    found = []
    for name in filter(str.isdecimal, os.listdir("/proc")):
        try:
            text = Path(f"/proc/{name}/cmdline").read_bytes() + Path(f"/proc/{name}/environ").read_bytes()
        except OSError:
            continue
        if tag.encode() in text and int(name) != os.getpid() and alive(int(name)):
            found.append(int(name))
    return found


def kill_engine(process: subprocess.Popen[str]) -> None:
    """SIGKILL, and wait until it is gone."""
    process.kill()
    process.wait()
    if process.stdout:
        process.stdout.close()
