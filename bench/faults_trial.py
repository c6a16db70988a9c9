"""One trial: start an engine, do it a fault, start it again until it is done, and read what the tasks wrote down."""

from __future__ import annotations

import fcntl
import os
import pty
import random
import re
import select
import shutil
import signal
import subprocess
import sys
import termios
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import msgspec
from faults_engines import Engine, Plan
from leftovers import MARK, kill, processes_of

STUCK = 20.0  # seconds after a signal; an engine that takes longer is killed
LONGEST = 60.0  # seconds for a run
REST = 0.8  # seconds after the last end until what is left is counted
TERMINAL = Path(__file__).with_name("faults_terminal.py")

TASK = r"""#!/bin/sh
# task.sh ID SECONDS KIND: writes down who ran when; out/ID is the evidence. KIND: g leaves a process, h hangs once
cd @@ || exit 1
now() { date +%s.%N; }
: > run/$1.$$
for file in run/$1.*; do
  pid=${file##*.}
  [ $pid != $$ ] && read -r stat 2>/dev/null < /proc/$pid/stat || continue
  case $stat in *") Z "*) ;; *) echo "$(now) both $1 $$ $pid" >> ledger ;; esac
done
echo "$(now) start $1 $$" >> ledger
case $3 in *g*) setsid sleep 60 < /dev/null > /dev/null 2>&1 & ;; esac
case $3 in *h*) [ -e hung ] || { : > hung; sleep 45 || exit 1; } ;; esac
sleep $2 || exit 1
mkdir -p repo/out
echo "$(now) end $1 $$" >> ledger
echo "$1 $$" > repo/out/$1
"""


class Result(msgspec.Struct):
    """What happened in one trial. Counts are of tasks or processes; `codes` are the exit codes of all starts."""

    engine: str
    fault: str
    seed: int
    codes: list[int | None] = []
    twice: int = 0  # tasks that ended once more
    asked: int = 0  # of these, after a person had decided so
    both: int = 0  # the same task twice at the same time
    order: int = 0  # tasks that started before a dependency had ended
    lost: int = 0  # said to be done, but never ended
    never: int = 0  # not done after five starts
    running: int = 0  # tasks that ran on after the end of the engine
    left: int = 0  # processes of tasks at the very end
    strays: int = 0  # processes that tasks had left behind, at the very end
    stuck: int = 0  # starts that did not end
    manual: int = 0  # manual steps
    on: int = 0  # the signal was ignored, and the run continued to its end
    gone: int = 0  # outputs that are missing after success
    wrong: list[str] = []  # exit codes that say something else than the ledger
    seconds: float = 0.0
    failed: str = ""  # the harness itself failed


class Line(msgspec.Struct, frozen=True):
    """A line of the ledger: seconds, what (start, end, both), task, pid."""

    at: float
    what: str
    task: str
    pid: str
    other: str = ""


class Trial:
    """A folder with a project in git, an engine to start there, and a look at its processes and at the ledger."""

    def __init__(self, engine: Engine, plan: Plan, result: Result) -> None:
        self.engine, self.plan, self.result = engine, plan, result
        self.folder, self.repo = plan.folder, plan.folder / "repo"
        self.chance = random.Random(f"{result.fault}/{result.seed}")
        self.starts = 0
        self.asked_at: float | None = None
        self.environ = {k: v for k, v in os.environ.items() if not re.match("CI$|PYTHONPATH$|NOVA|MAKE|MFLAGS", k)}
        self.environ |= {
            MARK: str(self.folder),
            "NO_COLOR": "1",
            "TERM": "xterm",
            "GIT_CONFIG_GLOBAL": "/dev/null",
        }
        self.environ |= {"HOME": str(self.folder / "home"), "DO_NOT_TRACK": "1", **engine.environ}
        for name in ("run", "home", "repo/out"):
            (self.folder / name).mkdir(parents=True)
        self.ledger_file = self.folder / "ledger"
        self.ledger_file.touch()
        files = {**engine.files(plan), "task.sh": TASK.replace("@@", str(self.folder)), ".gitignore": "out/\n"}
        for path, text in files.items():
            (self.repo / path).write_text(text)
        who = ("-c", "user.name=x", "-c", "user.email=x@example.com")
        for words in (("init", "-q"), ("add", "-A"), (*who, "commit", "-qm", "plan")):
            self.git(*words)

    def git(self, *words: str) -> None:
        """A git command in the project."""
        subprocess.run(["git", *words], cwd=self.repo, env=self.environ, check=False, capture_output=True)

    # Processes

    def start(self) -> Start:
        """Start the engine, or continue with it: it is the same."""
        return Start(*self.what())

    def start_on_terminal(self) -> OnTerminal:
        """The same in the foreground of a terminal."""
        return OnTerminal(*self.what())

    def what(self) -> tuple[list[str], Path, dict[str, str], Path]:
        """Command, folder, environment and log of the next start."""
        self.starts += 1
        return self.engine.command(), self.repo, self.environ, self.folder / f"engine.{self.starts}"

    def processes(self) -> dict[int, str]:
        """The kind of every living process of the trial, by pid."""
        return {pid: kind_of(words) for pid, words in processes_of(self.folder).items()}

    def count(self, *kinds: str) -> int:
        """The number of living processes of these kinds."""
        return sum(kind in kinds for kind in self.processes().values())

    # The ledger

    def ledger(self) -> list[Line]:
        """What the tasks wrote down."""
        rows = [line.split() for line in self.ledger_file.read_text().splitlines()]
        return [Line(float(row[0]), *row[1:]) for row in rows if len(row) > 3]

    def missing(self) -> list[str]:
        """The tasks that never ended well."""
        done = {line.task for line in self.ledger() if line.what == "end"}
        return [task.id for task in self.plan.tasks if task.id not in done]

    def at_work(self) -> list[int]:
        """The shells of the tasks that have started and not ended."""
        lines = self.ledger()
        ended = {line.pid for line in lines if line.what == "end"}
        return [int(line.pid) for line in lines if line.what == "start" and line.pid not in ended]

    def until_line(self, number: int, start: Start) -> None:
        """Wait until the ledger has so many lines, and a little longer."""
        end = time.monotonic() + LONGEST
        while start.alive() and time.monotonic() < end and len(self.ledger()) < number:
            time.sleep(0.01)
        time.sleep(self.chance.uniform(0, 0.15))

    # What a person does

    def finish(self, start: Start, limit: float = LONGEST) -> int | None:
        """The exit code of a start; None if it was stuck."""
        code = start.wait(limit * self.engine.patience)
        if code is None:
            kill([start.pid], signal.SIGKILL)
            start.wait(5)
            self.result.stuck += 1
        self.result.codes.append(code)
        self.believe(code)
        return code

    def believe(self, code: int | None) -> None:
        """Compare an exit code with the ledger."""
        missing = self.missing()
        if code == 0 and missing:
            self.result.wrong.append(f"0, {len(missing)} missing")

    def again(self) -> None:
        """Start until it says that it is done; the manual step only when a plain start was not enough."""
        for _ in range(5):
            code = self.finish(self.start())
            if code == 0:
                return
            if code is not None and not self.missing():
                self.result.wrong.append(f"{code}, all done")
            if self.engine.manual:
                self.result.manual += 1
                self.asked_at = self.asked_at or time.time()
                step = [self.engine.command()[0], *self.engine.manual]
                with open(self.folder / "manual", "ab") as log:
                    subprocess.run(
                        step, cwd=self.repo, env=self.environ, stdout=log, stderr=log, check=False, timeout=60
                    )

    def judge(self) -> Result:
        """Read the ledger, and count what is left."""
        time.sleep(REST)
        result, lines = self.result, self.ledger()
        left = Counter(self.processes().values())
        result.left, result.strays = max(left["task"], left["sleep"]), left["stray"]
        ends = [line for line in lines if line.what == "end"]
        began = {line.pid: line.at for line in lines if line.what == "start"}
        ended = {line.pid: line.at for line in ends}
        first: dict[str, float] = {}
        for line in ends:
            if line.task in first:
                result.twice += 1
                result.asked += self.engine.asks and began[line.pid] > (self.asked_at or float("inf"))
            first.setdefault(line.task, line.at)
        pairs = {frozenset((x.pid, x.other)) for x in lines if x.what == "both" and ended.get(x.other, x.at) >= x.at}
        result.both = len(pairs)
        needs = {task.id: task.depends_on for task in self.plan.tasks}
        starts = [line for line in lines if line.what == "start"]
        result.order = sum(first.get(d, float("inf")) > s.at + 0.002 for s in starts for d in needs[s.task])
        missing = len(self.missing())
        result.lost, result.never = (missing, 0) if 0 in result.codes[-2:] else (0, missing)
        return result


class Start:
    """A started engine without a terminal."""

    def __init__(self, command: list[str], folder: Path, environ: dict[str, str], log: Path) -> None:
        with open(log, "ab") as output:
            self.process = subprocess.Popen(
                command, cwd=folder, env=environ, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                start_new_session=True, preexec_fn=default_signals,
            )  # fmt: skip
        self.pid = self.process.pid

    def alive(self) -> bool:
        """Whether it is running."""
        return self.process.poll() is None

    def wait(self, limit: float) -> int | None:
        """Its exit code; None when it takes longer than `limit` seconds."""
        with suppress(subprocess.TimeoutExpired):
            return self.process.wait(limit)
        return None


class OnTerminal(Start):
    """A started engine in the foreground of a terminal, below a process that leads the session as a shell does."""

    def __init__(self, command: list[str], folder: Path, environ: dict[str, str], log: Path) -> None:
        self.master, side = pty.openpty()
        self.file = log.with_suffix(".pid")

        def take() -> None:
            default_signals()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        leader = [sys.executable, "-S", "-E", str(TERMINAL), str(self.file), *command]
        self.process = subprocess.Popen(
            leader,
            cwd=folder,
            env=environ,
            stdin=side,
            stdout=side,
            stderr=side,
            start_new_session=True,
            preexec_fn=take,
        )
        os.close(side)
        self.shut = threading.Event()
        self.reader = threading.Thread(target=self.read, args=(log,), daemon=True)
        self.reader.start()
        while not self.file.exists():
            time.sleep(0.01)
        self.pid = int(self.file.read_text())

    def read(self, log: Path) -> None:
        """Keep what it prints; never wait in a read, which would keep the terminal open."""
        with open(log, "ab") as file, suppress(OSError, ValueError):
            while not self.shut.is_set():
                if select.select([self.master], [], [], 0.02)[0]:
                    file.write(os.read(self.master, 65536))
                    file.flush()

    def type(self, key: bytes) -> None:
        """Press a key."""
        os.write(self.master, key)

    def hang_up(self) -> None:
        """Close the terminal, as its window does."""
        self.shut.set()
        self.reader.join()
        os.close(self.master)

    def wait(self, limit: float) -> int | None:
        """The exit code that the shell would see."""
        if super().wait(limit) is None:
            return None
        code = self.file.with_suffix(".pid.code")
        return int(code.read_text()) if code.exists() else self.process.returncode


def kind_of(words: list[str]) -> str:
    """Whose a command line is: a task, its sleep, a stray, the engine, or the shell of the terminal."""
    if words[0] == "setsid" or words[:2] == ["sleep", "60"]:
        return "stray"
    if words[0] == "sleep":
        return "sleep"
    if any(word.endswith("/task.sh") for word in words[1:2]):
        return "task"
    return "shell" if str(TERMINAL) in words else "engine"


def default_signals() -> None:
    """In the child: as on a terminal, because nohup and `&` leave some of them ignored."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)


def remove(folder: Path) -> None:
    """Remove the folder of a trial."""
    shutil.rmtree(folder, ignore_errors=True)
