"""Runs one plan under the same faults with Nova and its rivals, and counts what went wrong.

The tasks of a trial keep a ledger, so it shows what really ran, whatever an engine says. Results are added to a file,
one line of JSON for each trial; trials that it already has are not repeated. docs/faults.md says what the columns mean,
and what is unfair about them.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from signal import SIGKILL, SIGTERM
from typing import NamedTuple

import msgspec
from faults_engines import ENGINES, RIVALS, make_plan
from faults_trial import STUCK, Result, Start, Trial, remove
from leftovers import end_all, kill

SIZE = 16


class Fault(NamedTuple):
    """A fault: what it is, how it is done, how much longer tasks take for it, and whether a task hangs."""

    title: str
    do: Callable[[Trial], None]
    slower: float = 1.0
    hangs: bool = False


def until_fault(trial: Trial, start: Start | None = None) -> Start:
    """Start, and wait for a random line of the ledger."""
    start = start or trial.start()
    trial.until_line(trial.chance.randrange(1, 2 * SIZE - 4), start)
    return start


def killed(trial: Trial) -> None:
    """kill -9 of the engine alone."""
    start = until_fault(trial)
    end_engine(trial, [start.pid])


def all_killed(trial: Trial) -> None:
    """The same with its helpers: every process that is not a task's."""
    until_fault(trial)
    end_engine(trial, [pid for pid, kind in trial.processes().items() if kind == "engine"])


def end_engine(trial: Trial, pids: Iterable[int]) -> None:
    """Kill, and start again 50 ms later."""
    kill(pids, SIGKILL)
    time.sleep(0.05)
    trial.result.running = trial.count("task")
    trial.again()


def ctrl_c(trial: Trial) -> None:
    """Ctrl-C on its terminal."""
    start = trial.start_on_terminal()
    until_fault(trial, start)
    start.type(b"\x03")
    after_signal(trial, trial.finish(start, STUCK))


def sigterm(trial: Trial) -> None:
    """SIGTERM to the engine alone."""
    start = until_fault(trial)
    kill([start.pid], SIGTERM)
    after_signal(trial, trial.finish(start, STUCK))


def hang_up(trial: Trial) -> None:
    """Its terminal is closed."""
    start = trial.start_on_terminal()
    until_fault(trial, start)
    start.hang_up()
    end = time.monotonic() + 3.0
    while start.pid in trial.processes() and time.monotonic() < end:
        time.sleep(0.02)
    trial.result.on = int(start.pid in trial.processes())
    time.sleep(0.05)
    trial.result.running = trial.count("task")
    trial.again()


def after_signal(trial: Trial, code: int | None) -> None:
    """Count what runs on, then continue."""
    time.sleep(0.05)
    trial.result.running = trial.count("task")
    if code == 0 and not trial.missing():
        trial.result.on = 1
    trial.again()


def task_killed(trial: Trial) -> None:
    """kill -9 of the shell of a running task."""
    start = until_fault(trial)
    while start.alive():
        victims = trial.at_work()
        if victims:
            kill([trial.chance.choice(victims)], SIGKILL)
            break
        time.sleep(0.01)
    if trial.finish(start) != 0:
        trial.again()


def twice(trial: Trial) -> None:
    """Started twice, 0 to 0.3 s apart."""
    first = trial.start()
    time.sleep(trial.chance.uniform(0, 0.3))
    both(trial, first)


def both(trial: Trial, first: Start) -> None:
    """A second start beside a first one: one of the two must do the work."""
    second = trial.start()
    codes = [trial.finish(first), trial.finish(second)]
    if 0 not in codes:
        trial.again()


def hang(trial: Trial) -> None:
    """A task is silent for 45 s the first time; the engine has a limit of 2 s for it."""
    code = trial.finish(trial.start(), STUCK)
    trial.result.running = trial.count("task")
    if code == 0:
        trial.result.wrong.append("0 despite the limit")
    trial.again()


def clean(trial: Trial) -> None:
    """`git clean -fdx` in the middle: outputs, state, logs and caches are gone."""
    start = until_fault(trial)
    trial.git("clean", "-fdxq")
    if trial.finish(start) != 0:
        trial.again()
    if 0 in trial.result.codes:
        trial.result.gone = sum(not (trial.repo / "out" / task.id).exists() for task in trial.plan.tasks)


def clean_and_start(trial: Trial) -> None:
    """The same, and a second start at once."""
    start = until_fault(trial)
    trial.git("clean", "-fdxq")
    both(trial, start)


FAULTS = {
    "kill": Fault("kill -9", killed),
    "kill-slow": Fault("kill -9, slow tasks", killed, slower=6.0),
    "kill-all": Fault("kill -9 of helpers, too", all_killed),
    "ctrl-c": Fault("Ctrl-C", ctrl_c),
    "sigterm": Fault("SIGTERM", sigterm),
    "hangup": Fault("terminal closed", hang_up),
    "kill-task": Fault("kill -9 of a task", task_killed),
    "twice": Fault("started twice", twice),
    "hang": Fault("task hangs", hang, hangs=True),
    "clean": Fault("`git clean`", clean),
    "clean-twice": Fault("`git clean`, second start", clean_and_start, slower=4.0),
}


def does_not_apply(engine: str, fault: str) -> str:
    """Why an engine has no trials of a fault; empty if it has."""
    kind = ENGINES[engine]
    if FAULTS[fault].hangs and not kind.limits:
        return "no limit"
    return "no helpers" if fault == "kill-all" and not kind.helpers else ""


def trial(engine: str, fault: str, seed: int, keep: bool = False) -> Result:
    """One trial from start to end; nothing of it is left running."""
    folder = Path(tempfile.mkdtemp(prefix=f"nova-faults-{engine}-{fault}-{seed}-"))
    found, began = FAULTS[fault], time.monotonic()
    plan = make_plan(folder, slower=found.slower, hangs=found.hangs, size=SIZE)
    one = Trial(ENGINES[engine](), plan, Result(engine, fault, seed))
    try:
        found.do(one)
        one.judge()
    except Exception as error:  # a campaign of hours continues, and the table leaves the trial out
        one.result.failed = repr(error)
    finally:
        end_all(folder)
        print(folder) if keep else remove(folder)
    one.result.seconds = round(time.monotonic() - began, 1)
    return one.result


def cell(results: Sequence[Result], trials: int) -> str:
    """A cell of the table: what went wrong, as means for one trial or as a number of trials."""
    n = len(results)
    shown = []
    means = {"LOST": "lost", "NEVER": "never", "order": "order", "both": "both", "end": "left", "run": "running"}
    unasked = sum(r.twice - r.asked for r in results) / n
    for word, mean in [("2x", unasked), ("asked", sum(r.asked for r in results) / n)]:
        shown += [f"{word} {max(mean, 0.1):.1f}"] if mean else []
    for word, field in means.items():
        mean = sum(getattr(r, field) for r in results) / n
        adopts = word == "run" and results[0].fault in ("kill", "kill-slow", "kill-all")
        shown += [f"{word} {max(mean, 0.1):.1f}"] if mean and not adopts else []
    for word, name in {"stuck": "stuck", "man": "manual", "rc": "wrong", "on": "on", "out": "gone"}.items():
        number = sum(bool(getattr(r, name)) for r in results)
        shown += [f"{word} {number}"] if number else []
    return (", ".join(shown) or "ok") + (f" (n={n})" if n != trials else "")


def table(results: Iterable[Result], trials: int) -> str:
    """All cells as Markdown."""
    cells: dict[tuple[str, str], list[Result]] = defaultdict(list)
    for result in results:
        if not result.failed:
            cells[result.engine, result.fault].append(result)
    engines = [e for e in ENGINES if any(key[0] == e for key in cells)]
    head = ["engine", "left behind", *(f.title for f in FAULTS.values())]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for engine in engines:
        ran = [r for (name, fault), found in cells.items() if name == engine and "twice" not in fault for r in found]
        strays = sum(r.strays for r in ran) / max(1, len(ran))
        row = [
            does_not_apply(engine, f) or (cell(cells[engine, f], trials) if cells[engine, f] else "-") for f in FAULTS
        ]
        lines.append(f"| {engine} | {strays:.1f} | {' | '.join(row)} |")
    lines += ["", "| engine | version | used as |", "|---|---|---|"]
    lines += [f"| {e} | {ENGINES[e]().said_version()} | {ENGINES[e].used_as} |" for e in engines if ENGINES[e].found()]
    return "\n".join(lines)


def load(path: Path) -> list[Result]:
    """The results of earlier trials."""
    lines = path.read_bytes().splitlines() if path.exists() else []
    return [msgspec.json.decode(line, type=Result) for line in lines if line]


def campaign(engines: Sequence[str], faults: Sequence[str], options: argparse.Namespace) -> None:
    """All trials that the file lacks: those of one seed first, so that it can be stopped at any time."""
    have = {(r.engine, r.fault, r.seed) for r in load(options.results) if not r.failed}
    jobs = [
        (e, f, seed)
        for seed in range(1, options.trials + 1)
        for e in engines
        for f in faults
        if (e, f, seed) not in have and not does_not_apply(e, f)
    ]
    options.results.parent.mkdir(parents=True, exist_ok=True)

    def one(job: tuple[str, str, int]) -> None:
        result = trial(*job)
        with open(options.results, "ab") as file:
            file.write(msgspec.json.encode(result) + b"\n")
        print(f"{'/'.join(map(str, job)):32} {result.failed or cell([result], 1)}", flush=True)

    with ThreadPoolExecutor(options.parallel) as pool:
        for done in [pool.submit(one, job) for job in jobs]:
            done.result()


def names(known: Iterable[str]) -> Callable[[str], list[str]]:
    """A list such as `nova,make` of known names."""
    allowed = list(known)

    def read(text: str) -> list[str]:
        wrong = [name for name in text.split(",") if name not in allowed]
        if wrong:
            raise argparse.ArgumentTypeError(f"there is no {', '.join(wrong)}; there are {', '.join(allowed)}")
        return text.split(",")

    return read


def main() -> None:
    """Run the campaign, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=20, help="trials of each cell")
    parser.add_argument("--engines", type=names(ENGINES), default=list(ENGINES), help="such as nova,make")
    parser.add_argument("--faults", type=names(FAULTS), default=list(FAULTS), help="such as kill,twice")
    parser.add_argument("--parallel", type=int, default=4, help="trials at the same time")
    parser.add_argument("--results", type=Path, default=RIVALS / "results.jsonl", help="the file to add to")
    parser.add_argument("--table", action="store_true", help="only print the table of the file")
    parser.add_argument("--one", metavar="ENGINE/FAULT/SEED", help="one trial again, whose folder is kept")
    options = parser.parse_args()
    if options.one:
        engine, fault, seed = options.one.split("/")
        print(msgspec.json.format(msgspec.json.encode(trial(engine, fault, int(seed), keep=True))).decode())
        return
    missing = [e for e in options.engines if not ENGINES[e].found()]
    for engine in missing:
        print(f"{engine}: skipped, it is not installed")
    if not options.table:
        campaign([e for e in options.engines if e not in missing], options.faults, options)
    print(f"\n{table(load(options.results), options.trials)}")


if __name__ == "__main__":
    main()
