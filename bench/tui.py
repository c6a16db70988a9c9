"""Measures the interface on a real pseudo terminal and prints the figures next to their targets.

Times are wall time and the machine may be busy: read them as upper bounds. CPU is in percent of one core.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "kits")]

from pty_kit import Terminal, nova, nova_tui  # noqa: E402
from tui_load import plan, prepare  # noqa: E402

TICKS = os.sysconf("SC_CLK_TCK")
KEYS = 60
ROWS = 7  # the cursor moves among this number of tasks of the first group: nothing scrolls
WATCH = 5.0  # seconds over which CPU and output are taken
CURSOR = b"48;2;10;92;173"  # the background of the row under the cursor
GIGABYTE = 1 << 30
BLOCK = b"[12:00:00] tool  Bash  pytest -q tests/engine: 52 passed, 1 failed in 8.41 s\n" * 13_000
SLOW = 100_000  # bytes a second
SLICE = 2_000  # bytes the slow link carries at once


class Figure(NamedTuple):
    """One measurement next to its upper limit."""

    what: str
    value: float
    unit: str
    target: float | None = None

    def line(self) -> str:
        """A row of the table."""
        aim = "" if self.target is None else f"<= {self.target:g}"
        mark = "" if self.target is None or self.value <= self.target else "  over"
        return f"{self.what:58} {self.value:9.1f} {self.unit:5} {aim:>9}{mark}"


def main() -> None:
    """Run the requested measurements and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="*", default=[1_000, 10_000, 100_000])
    parser.add_argument("--no-log", action="store_true", help="leave the log of one gigabyte out")
    options = parser.parse_args()
    for size in options.sizes:
        show(of_size(size))
    if options.sizes:
        show(slow_link())
    if not options.no_log:
        show(big_log())


def show(figures: Iterator[Figure]) -> None:
    """Print each result as it arrives."""
    for figure in figures:
        print(figure.line(), flush=True)


# what depends on the number of tasks


def of_size(size: int) -> Iterator[Figure]:
    """First paint, keys, CPU, memory and output, idle and while running."""
    name, large = f"{size:,} tasks", size >= 100_000
    paint = {1_000: 350, 10_000: 400}.get(size, 900)
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder), plan(size))
        yield Figure(f"{name}: made-up run, first paint", first_paint(load(size), Path(folder)), "ms", paint)
        yield Figure(f"{name}: nova attach, first paint", first_paint(nova("attach"), Path(folder)), "ms")
        yield Figure(f"{name}: nova-tui, first paint", first_paint(nova_tui(), Path(folder)), "ms")
    with opened(load(size)) as terminal:
        run_for(terminal, 2.0)
        yield Figure(f"{name}: CPU, idle", cpu(terminal), "%", 1)
        times, written = keys(terminal)
        yield Figure(f"{name}: key to paint p95, idle", percentile(times, 95), "ms", 40 if large else 30)
        yield Figure(f"{name}: bytes for a move of the cursor", written, "B", 2_000)
        yield Figure(f"{name}: memory", memory(terminal), "MB", 140 if large else 60 if size < 10_000 else 70)
    with opened(load(size, 1_000, 1_000)) as terminal:
        run_for(terminal, 2.0)
        before = len(terminal.raw)
        yield Figure(f"{name}, 1,000 events/s, 1,000 lines/s: CPU", cpu(terminal), "%", 25 if large else 18)
        yield Figure(f"{name}, the same: output", (len(terminal.raw) - before) / WATCH / 1e3, "kB/s", 220)
        times, _ = keys(terminal)
        yield Figure(f"{name}, the same: key to paint p95", percentile(times, 95), "ms", 60 if large else 40)
        yield Figure(f"{name}, the same: memory", memory(terminal), "MB")


def slow_link() -> Iterator[Figure]:
    """Keys over a link of 100 kB/s under load."""
    with opened(load(1_000, 1_000, 1_000)) as terminal:
        run_for(terminal, 5.0, SLOW)
        times, _ = keys(terminal, SLOW)
        yield Figure("1,000 tasks, loaded, link of 100 kB/s: key to paint p95", percentile(times, 95), "ms", 350)


def big_log() -> Iterator[Figure]:
    """A log of a gigabyte, full screen."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder, plan(8))
        with folder.joinpath("logs", "T000000.log").open("wb") as log:
            while log.tell() < GIGABYTE:
                log.write(BLOCK)
            log.writelines(f"page {number:06}\n".encode() for number in range(1_000))
        with opened(nova("attach"), folder) as terminal:
            run_for(terminal, 1.0)
            yield Figure("log of 1 GB: key to text", answer(terminal, "L", b"page 000999"), "ms", 600)
            run_for(terminal, 3.0)
            top = min(map(int, re.findall(rb"page (\d{6})", terminal.raw[-20_000:])))
            times = [answer(terminal, "k", f"page {top - 1 - n:06}".encode()) for n in range(KEYS)]
            yield Figure("log of 1 GB: key to paint p95, line by line", percentile(times, 95), "ms", 40)
            first = answer(terminal, "g", b"pytest -q tests/engine")
            yield Figure("log of 1 GB: key to its first page", first, "ms", 600)
            yield Figure("log of 1 GB: memory", memory(terminal), "MB", 70)


# measuring


def load(size: int, events: int = 0, lines: int = 0) -> list[str]:
    """The argument list of the interface on a made-up run."""
    return [sys.executable, str(ROOT / "bench" / "tui_load.py"), *map(str, (size, events, lines))]


@contextmanager
def opened(argv: Sequence[str], folder: Path | None = None) -> Iterator[Terminal]:
    """A program that shows its first task."""
    with (
        tempfile.TemporaryDirectory() as empty,
        Terminal(argv, folder or Path(empty), drawn=False, cold=True) as terminal,
    ):
        terminal.wait(lambda: b"T000000" in terminal.raw, 120.0)
        yield terminal


def first_paint(argv: Sequence[str], folder: Path) -> float:
    """Milliseconds from the start to the first task: the least of three runs, because other processes only add to
    it."""
    times = []
    for _ in range(3):
        with opened(argv, folder) as terminal:
            times.append((time.perf_counter() - terminal.began) * 1e3)
    return min(times)


def run_for(terminal: Terminal, seconds: float, speed: float | None = None) -> None:
    """Read output for a time, at most at this speed."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        take(terminal, speed)


def take(terminal: Terminal, speed: float | None) -> None:
    """Read the available output; over a slow link a little at a time."""
    if speed is None:
        terminal.read(0.005)
        return
    before = len(terminal.raw)
    terminal.read(0.005, SLICE)
    time.sleep((len(terminal.raw) - before) / speed)


def keys(terminal: Terminal, speed: float | None = None) -> tuple[list[float], float]:
    """Milliseconds from each key to the row it selects, and the median of the bytes for one: some moves fall together
    with the clocks of the screen."""
    terminal.send("g", "j", "j")
    run_for(terminal, 1.0, speed)
    times, sizes, row = [], [], 0
    for number in range(KEYS):
        down = number // (ROWS - 1) % 2 == 0
        row += 1 if down else -1
        before = len(terminal.raw)
        times.append(answer(terminal, "j" if down else "k", CURSOR, f"T{row:06}".encode(), speed=speed))
        run_for(terminal, 0.03, speed)
        sizes.append(len(terminal.raw) - before)
    return times, statistics.median(sizes)


def answer(terminal: Terminal, key: str, *wanted: bytes, speed: float | None = None) -> float:
    """Milliseconds from a key until these texts arrived, the last of them close behind the one before."""
    start = len(terminal.raw)
    began = time.perf_counter()
    terminal.send(key)
    while not came(bytes(terminal.raw[start:]), wanted):
        take(terminal, speed)
        assert time.perf_counter() - began < 60, f"{key} brought no {wanted!r}"
    return (time.perf_counter() - began) * 1e3


def came(written: bytes, wanted: Sequence[bytes]) -> bool:
    """Returns True if the texts are there; the cursor's colour counts only right before its row."""
    if len(wanted) == 1:
        return wanted[0] in written
    return any(wanted[1] in part[:120].partition(b"\x1b")[0] for part in written.split(wanted[0])[1:])


def cpu(terminal: Terminal) -> float:
    """Percent of one core over some seconds."""
    before = used(terminal)
    run_for(terminal, WATCH)
    return (used(terminal) - before) / WATCH * 100


def used(terminal: Terminal) -> float:
    """Seconds of processor time so far."""
    fields = Path(f"/proc/{terminal.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory(terminal: Terminal) -> float:
    """Resident megabytes."""
    status = Path(f"/proc/{terminal.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1e3


def percentile(values: Sequence[float], percent: int) -> float:
    """The value below which this percentage of the values lies."""
    return sorted(values)[min(len(values) - 1, round(percent / 100 * (len(values) - 1)))]


if __name__ == "__main__":
    main()
