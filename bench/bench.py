"""Races Nova against ninja, make and doit on the same graphs, and prints ratios of medians.

Ratios above 1 mean that Nova takes longer or needs more. The tools take turns, in a different order each round, so that
a busy machine disturbs all of them equally; still, do not trust a single run. Nova also keeps a log for each task, a
state file and a history, all synced to disk; `--logged` makes the others at least write the logs.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import NamedTuple

import graphs
from graphs import Graph

ROOT = Path(__file__).parents[1]
LIMIT = 1800.0  # seconds for one run


class Run(NamedTuple):
    """One measured process: wall seconds, and the peak resident memory (bytes) of the process and its children."""

    seconds: float
    memory: int


class Racer(NamedTuple):
    """A tool: how to start it, and how to prepare a folder for it."""

    name: str
    command: Sequence[str]
    prepare: Callable[[Path], None]


def nova() -> list[str]:
    """The installed command `nova`, or else this checkout."""
    found = shutil.which("nova")
    return [found] if found else [sys.executable, "-m", "nova_core"]


def doit() -> list[str]:
    """The command `doit`."""
    return [shutil.which("doit") or "doit"]


def environment() -> dict[str, str]:
    """The current environment with this checkout on the path, without the variables that make sets for its children."""
    kept = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    return {**kept, "PYTHONPATH": str(ROOT)}


def measure(command: Sequence[str], folder: Path, extra: dict[str, str] | None = None) -> Run:
    """Run a command to its end; exit if it fails, because there is nothing to compare."""
    with open(folder / "output", "wb") as output:
        start = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment() | (extra or {}),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        tail = (folder / "output").read_text(errors="replace")[-2000:]
        sys.exit(f"{' '.join(command)} ended with {process.returncode}:\n{tail}")
    return Run(seconds, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024))


def race(racers: Sequence[Racer], rounds: int) -> dict[str, list[Run]]:
    """Run every racer once per round, each time in a fresh folder."""
    runs: dict[str, list[Run]] = {racer.name: [] for racer in racers}
    for number in range(rounds):
        shift = number % len(racers)
        for racer in (*racers[shift:], *racers[:shift]):
            with tempfile.TemporaryDirectory(prefix="nova-bench-") as name:
                folder = Path(name)
                racer.prepare(folder)
                runs[racer.name].append(measure(racer.command, folder))
    return runs


def seconds(runs: Iterable[Run]) -> float:
    """The median."""
    return median(run.seconds for run in runs)


def entrants(graph: Graph, jobs: int, *, logged: bool, names: Iterable[str] = ()) -> list[Racer]:
    """Nova and those of the other tools that are installed."""

    def prepare(write: Callable[..., None]) -> Callable[[Path], None]:
        def into(folder: Path) -> None:
            folder.joinpath("logs").mkdir()
            write(graph, folder, logged=logged)

        return into

    j = f"-j{jobs}"
    others = {
        "ninja": Racer("ninja", ["ninja", "--quiet", j], prepare(graphs.write_ninja)),
        "make": Racer("make", ["make", "-s", j, "all"], prepare(graphs.write_make)),
        "doit": Racer("doit", [*doit(), "-v0", "-n", str(jobs)], prepare(graphs.write_doit)),
    }
    ours = Racer("nova", [*nova(), "run", "--no-ui", "-j", str(jobs)], partial(graphs.write_cascade, graph))
    return [ours, *(racer for name, racer in others.items() if shutil.which(name) and (not names or name in names))]


def race_tasks(sizes: Sequence[int], rounds: int, logged: bool) -> None:
    """Tasks that do nothing: the cost of starting, watching and recording."""
    floor = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
    print(
        f"\nTasks that do nothing: ms a task, ratio of medians of {rounds}, peak memory (below {floor:.0f} MB unseen)"
    )
    rows: list[tuple[str, Graph, int]] = []
    for n in sizes:
        rows += [(f"{n:,} wide, -j2", graphs.wide(n), 2), (f"{n:,} in 20 layers, -j2", graphs.layered(n), 2)]
    rows.append((f"{min(sizes):,} in a chain, -j2", graphs.chain(min(sizes)), 2))
    for title, graph, jobs in rows:
        runs = race(entrants(graph, jobs, logged=logged), rounds)
        ours = seconds(runs["nova"])
        parts = []
        for name, times in runs.items():
            each = 1000 * seconds(times) / len(graph)
            ratio = "" if name == "nova" else f" (nova x{ours / seconds(times):.2f})"
            parts.append(f"{name} {each:.3f} ms{ratio} {max(run.memory for run in times) / 1e6:.0f} MB")
        print(f"  {title:26} {'; '.join(parts)}", flush=True)


def race_makespan(rounds: int, jobs: int = 4) -> None:
    """Sleeps listed in a bad order: wall time divided by the lower bound of any schedule."""
    print(f"\nMakespan over the lower bound, -j{jobs} (median of {rounds})")
    plans = {"Graham's worst case": graphs.graham(), "one long task last": graphs.long_last()}
    for title, graph in {**plans, "heavy tails": graphs.heavy_tails()}.items():
        bound = graphs.lower_bound(graph, jobs)
        ours, *others = entrants(graph, jobs, logged=False, names=("ninja", "make"))
        write = partial(graphs.write_cascade, graph, durations=True)
        told = ours._replace(name="nova, with durations", prepare=write)
        runs = race([ours, told, *others], rounds)
        print(
            f"  {title:26} {bound:.1f} s: " + "; ".join(f"{n} {seconds(r) / bound:.3f}" for n, r in runs.items()),
            flush=True,
        )


def race_check(sizes: Sequence[int], rounds: int) -> None:
    """Reading a plan: `nova check` next to `ninja -n`, and how it grows."""
    print(f"\nReading a plan in 20 layers: seconds (median of {rounds})")
    first = 0.0
    for n in sizes:
        graph = graphs.layered(n)
        racers = [Racer("nova check", [*nova(), "check"], partial(graphs.write_cascade, graph))]
        if shutil.which("ninja"):
            racers.append(Racer("ninja -n", ["ninja", "-n"], partial(graphs.write_ninja, graph)))
        runs = race(racers, rounds)
        each = seconds(runs["nova check"]) / n
        growth = f"; a row costs {each / first:.2f} times as much as with {sizes[0]:,}" if first else ""
        first = first or each
        memory = max(run.memory for run in runs["nova check"]) / 1e6
        shown = "; ".join(f"{name} {seconds(times):.3f}" for name, times in runs.items())
        print(f"  {n:9,} rows  {shown}; {memory:.0f} MB{growth}", flush=True)


def race_report(rounds: int) -> None:
    """What a report of its progress costs a worker."""
    print(f"\nnova report beside an empty Python program: ms (median of {10 * rounds})")

    def prepare(folder: Path) -> None:
        for name in ("tmp", "new"):
            folder.joinpath("inbox", name).mkdir(parents=True)

    os.environ.update(NOVA_INBOX="inbox", NOVA_TASK_ID="t1", NOVA_ATTEMPT="1", NOVA_TOKEN="-", NOVA_RUN_ID="-")
    report = [*nova(), "report", "--step", "racing", "--percent", "50"]
    racers = [Racer("report", report, prepare), Racer("python", [sys.executable, "-c", "pass"], prepare)]
    runs = race(racers, 10 * rounds)
    ours, theirs = (1000 * seconds(runs[name]) for name in ("report", "python"))
    print(f"  nova report {ours:.1f}; python -c pass {theirs:.1f}; ratio {ours / theirs:.2f}")


def numbers(text: str) -> list[int]:
    """`1000,10000` as a list."""
    return [int(part) for part in text.split(",")]


def main() -> None:
    """Run the requested races."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="runs of each tool on each graph")
    parser.add_argument("--sizes", type=numbers, default=[1_000, 10_000], help="tasks, such as 1000,10000")
    parser.add_argument("--plans", type=numbers, default=[10_000, 100_000], help="rows of the plans that are only read")
    parser.add_argument("--logged", action="store_true", help="let the others write a log for each task, too")
    parser.add_argument("races", nargs="*", help="tasks, makespan, check, report; all if none is named")
    options = parser.parse_args()
    races = {
        "tasks": lambda: race_tasks(options.sizes, options.rounds, options.logged),
        "makespan": lambda: race_makespan(options.rounds),
        "check": lambda: race_check(options.plans, options.rounds),
        "report": lambda: race_report(options.rounds),
    }
    for name in options.races or races:
        if name not in races:
            parser.error(f"there is no race {name}; there are {', '.join(races)}")
        races[name]()


if __name__ == "__main__":
    main()
