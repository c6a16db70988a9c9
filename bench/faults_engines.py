"""The plan of the fault campaign, in the format of Nova and of each rival, with the way each documents to continue."""

from __future__ import annotations

import importlib.util
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, NamedTuple

JOBS = 4
LIMIT = 2  # seconds, on the task that hangs, where the engine has such a limit
ROOT = Path(__file__).parents[1]
RIVALS = Path(os.environ.get("NOVA_BENCH_RIVALS", ROOT / ".rivals"))


class Task(NamedTuple):
    """One task of the plan: how long it sleeps (seconds), what it needs, what kind of task it is."""

    id: str
    seconds: float
    depends_on: tuple[str, ...]
    leaves: bool  # leaves a process of its own behind
    hangs: bool  # is silent for 45 s the first time


class Plan(NamedTuple):
    """The tasks, and the folder of the trial; the project is `folder/repo`."""

    folder: Path
    tasks: tuple[Task, ...]

    def line(self, task: Task) -> str:
        """The command of a task: one line without quotes or anything else that a shell or a format could change."""
        kind = ("g" if task.leaves else "") + ("h" if task.hangs else "") or "-"
        return f"sh {self.folder}/repo/task.sh {task.id} {task.seconds} {kind}"

    def levels(self) -> list[list[Task]]:
        """The tasks by their distance from the start, for what knows no graph."""
        level: dict[str, int] = {}
        for task in self.tasks:
            level[task.id] = max((level[d] + 1 for d in task.depends_on), default=0)
        return [[t for t in self.tasks if level[t.id] == n] for n in range(max(level.values()) + 1)]


def make_plan(folder: Path, *, slower: float = 1.0, hangs: bool = False, size: int = 16) -> Plan:
    """The same random graph for everybody: sleeps of 0.1 to 0.4 s; every fifth task leaves a process behind."""
    chance = random.Random(11)
    ids = [f"t{n:02}" for n in range(size)]
    tasks = []
    for n, name in enumerate(ids):
        above = chance.sample(ids[max(0, n - 6) : n], min(n, chance.choice((0, 1, 1, 2))))
        seconds = round(chance.uniform(0.1, 0.4) * slower, 2)
        tasks.append(Task(name, seconds, tuple(sorted(above)), n % 5 == 3, hangs and n == 5))
    return Plan(folder, tuple(tasks))


def find(program: str, package: str = "") -> str | None:
    """A rival's program: that of its own venv below `.rivals`, or the one on PATH."""
    own = RIVALS / (package or program) / "bin" / program
    return str(own) if own.is_file() else shutil.which(program)


class Engine:
    """How one engine is given the plan, started, and continued after a fault: by the same command."""

    name: ClassVar[str]
    package: ClassVar[str] = ""  # the distribution that brings it, if it has another name
    program: ClassVar[str] = ""  # its program, if it has another name
    arguments: ClassVar[tuple[str, ...]] = ()
    version: ClassVar[tuple[str, ...]] = ("--version",)
    used_as: ClassVar[str]
    limits: ClassVar[bool] = False  # it can end a task that takes too long
    helpers: ClassVar[bool] = False  # it has processes of its own beside the one that was started
    manual: ClassVar[tuple[str, ...]] = ()  # what its documentation asks a person to do if a plain start does not help
    asks: ClassVar[bool] = False  # the manual step is a person's decision to run again what may have run
    environ: ClassVar[Mapping[str, str]] = {}
    patience: ClassVar[float] = 1.0  # slow starters are given more time

    def files(self, plan: Plan) -> dict[str, str]:
        """The plan in its format: text by path."""
        raise NotImplementedError

    @classmethod
    def found(cls) -> str | None:
        """The program; None if it is not installed."""
        return find(cls.program or cls.name, cls.package or cls.name)

    def command(self) -> list[str]:
        """What starts it, and what continues it."""
        return [self.found() or self.name, *self.arguments]

    def said_version(self) -> str:
        """The first line of what it says about its version."""
        line = [self.found() or self.name, *self.version]
        done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=60)
        return (done.stdout or done.stderr).strip().partition("\n")[0]


class Nova(Engine):
    name, arguments, limits, helpers, asks = "nova", ("run", "--no-ui", f"-j{JOBS}"), True, True, True
    manual = ("retry", "--failed")
    used_as = "Command, Outputs, Depends On, and Timeout where a task hangs; manual step: `nova retry --failed`"

    @classmethod
    def found(cls) -> str | None:
        """That of the Python that runs the campaign, if there is one."""
        own = Path(sys.executable).with_name("nova")
        return str(own) if own.is_file() else find("nova")

    def files(self, plan: Plan) -> dict[str, str]:
        rows = "".join(
            f"| {t.id} | {t.id} | `{plan.line(t)}` | out/{t.id} | {', '.join(t.depends_on) or '-'} |"
            f" {f'{LIMIT}s' if t.hangs else '-'} |\n"
            for t in plan.tasks
        )
        head = "| Task ID | Task Name | Command | Outputs | Depends On | Timeout |\n|---|---|---|---|---|---|\n"
        return {"CASCADE.md": f"# Plan\n\n{head}{rows}"}


class Make(Engine):
    name, arguments = "make", (f"-j{JOBS}",)
    used_as = "files out/ID as targets, `.DELETE_ON_ERROR`"

    def files(self, plan: Plan) -> dict[str, str]:
        rules = "".join(
            f"out/{t.id}: {' '.join(f'out/{d}' for d in t.depends_on)}\n\t@{plan.line(t)}\n" for t in plan.tasks
        )
        return {"Makefile": f".DELETE_ON_ERROR:\nall: {' '.join(f'out/{t.id}' for t in plan.tasks)}\n{rules}"}


class Ninja(Engine):
    name, arguments = "ninja", (f"-j{JOBS}",)
    used_as = "files out/ID as outputs"

    def files(self, plan: Plan) -> dict[str, str]:
        edges = "".join(
            f"build out/{t.id}: run {' '.join(f'out/{d}' for d in t.depends_on)}\n  line = {plan.line(t)}\n"
            for t in plan.tasks
        )
        return {"build.ninja": f"rule run\n  command = $line\n{edges}"}


class Doit(Engine):
    name, arguments, helpers = "doit", ("-n", str(JOBS)), True
    used_as = "targets, file_dep, uptodate, argument lists; the default database"

    def files(self, plan: Plan) -> dict[str, str]:
        tasks = [
            {
                "name": t.id,
                "actions": [plan.line(t).split()],
                "targets": [f"out/{t.id}"],
                "file_dep": [f"out/{d}" for d in t.depends_on],
                "uptodate": [True],
            }
            for t in plan.tasks
        ]
        return {"dodo.py": f"def task_all():\n    yield from {tasks!r}\n"}


class Snakemake(Engine):
    name, patience = "snakemake", 3.0
    arguments = (f"-c{JOBS}", "--rerun-incomplete", "--scheduler", "greedy")
    manual = ("--unlock",)
    used_as = "`--rerun-incomplete`; manual step: `--unlock`, as its message says"

    def files(self, plan: Plan) -> dict[str, str]:
        rules = "".join(
            f"rule {t.id}:\n"
            + (f"  input: {[f'out/{d}' for d in t.depends_on]!r}\n" if t.depends_on else "")
            + f"  output: 'out/{t.id}'\n  shell: {plan.line(t)!r}\n"
            for t in plan.tasks
        )
        return {"Snakefile": f"rule all:\n  input: {[f'out/{t.id}' for t in plan.tasks]!r}\n{rules}"}


class Luigi(Engine):
    name, limits, helpers, patience = "luigi", True, True, 2.0
    arguments = ("--module", "plan", "All", "--local-scheduler", "--workers", str(JOBS))
    environ: ClassVar[Mapping[str, str]] = {"PYTHONPATH": "."}
    used_as = "LocalTarget out/ID, `[retcode]` set, `no_lock=false` outside of the project, `worker_timeout`"

    def said_version(self) -> str:
        return python_version(Path(self.command()[0]).with_name("python"), "luigi")

    def files(self, plan: Plan) -> dict[str, str]:
        codes = "already_running=10\nmissing_data=20\nnot_run=25\ntask_failed=30\nscheduling_error=35\n"
        config = f"[core]\nno_lock=false\nlock_pid_dir={plan.folder}/lock\n[retcode]\n{codes}unhandled_exception=40\n"
        tasks = {t.id: (t.depends_on, plan.line(t).split(), LIMIT if t.hangs else None) for t in plan.tasks}
        return {"luigi.cfg": config, "plan.py": LUIGI_PLAN.format(tasks=tasks)}


LUIGI_PLAN = """\
import subprocess
import luigi
TASKS = {tasks!r}
class Task(luigi.Task):
    id = luigi.Parameter()
    def requires(self): return [Task(d) for d in TASKS[self.id][0]]
    def output(self): return luigi.LocalTarget("out/" + self.id)
    @property
    def worker_timeout(self): return TASKS[self.id][2]
    def run(self): subprocess.run(TASKS[self.id][1], check=True)
class All(luigi.WrapperTask):
    def requires(self): return [Task(t) for t in TASKS]
"""


class GoTask(Engine):
    name, program, package, arguments = "go-task", "task", "go-task-bin", ("-C", str(JOBS))
    used_as = "deps, `run: once`, `status: test -f out/ID`"

    def files(self, plan: Plan) -> dict[str, str]:
        tasks = "".join(
            f"  {t.id}: {{deps: [{', '.join(t.depends_on)}], run: once, status: ['test -f out/{t.id}'],"
            f" cmds: ['{plan.line(t)}']}}\n"
            for t in plan.tasks
        )
        first = f"  default: {{deps: [{', '.join(t.id for t in plan.tasks)}]}}\n"
        return {"Taskfile.yml": f"version: '3'\nsilent: true\ntasks:\n{first}{tasks}"}


class Just(Engine):
    name, package, arguments = "just", "rust-just", ("all",)
    used_as = "`[parallel]` recipes guarded by `test -f out/ID`; it has no limit of jobs"

    def files(self, plan: Plan) -> dict[str, str]:
        recipes = "".join(
            f"[parallel]\n{t.id}: {' '.join(t.depends_on)}\n  @test -f out/{t.id} || exec {plan.line(t)}\n"
            for t in plan.tasks
        )
        return {"justfile": f"[parallel]\nall: {' '.join(t.id for t in plan.tasks)}\n{recipes}"}


class Invoke(Engine):
    name, arguments, limits, patience = "invoke", ("all",), True, 3.0
    used_as = "`pre=`, guarded by a look at out/ID, `timeout=`; one task at a time, it has no jobs"

    def files(self, plan: Plan) -> dict[str, str]:
        tasks = "".join(
            f"@task({', '.join(t.depends_on)})\ndef {t.id}(c):\n    if not os.path.exists('out/{t.id}'):\n"
            f"        c.run({plan.line(t)!r}, in_stream=False{f', timeout={LIMIT}' if t.hangs else ''})\n"
            for t in plan.tasks
        )
        last = f"@task({', '.join(t.id for t in plan.tasks)})\ndef all(c): pass\n"
        return {"tasks.py": f"import os\nfrom invoke import task\n{tasks}{last}"}


class Dask(Engine):
    name, program, patience = "dask", "python", 2.0
    arguments = ("plan.py",)
    used_as = "`delayed`, threads, `subprocess.run(check=True)`, guarded by a look at out/ID"

    @classmethod
    def found(cls) -> str | None:
        own = RIVALS / "dask" / "bin" / "python"
        return str(own) if own.is_file() else sys.executable if importlib.util.find_spec("dask") else None

    def said_version(self) -> str:
        return python_version(Path(self.command()[0]), "dask")

    def files(self, plan: Plan) -> dict[str, str]:
        tasks = [(t.id, t.depends_on, plan.line(t).split()) for t in plan.tasks]
        return {"plan.py": DASK_PLAN.format(tasks=tasks, jobs=JOBS)}


DASK_PLAN = """\
import os, subprocess, dask
def work(id, line, *needed):
    if not os.path.exists("out/" + id): subprocess.run(line, check=True)
done = {{}}
for id, needed, line in {tasks!r}:
    done[id] = dask.delayed(work)(id, line, *[done[d] for d in needed], dask_key_name=id)
dask.compute(*done.values(), scheduler="threads", num_workers={jobs})
"""


class Parallel(Engine):
    name, limits, patience = "parallel", True, 2.0
    used_as = "no graph: one `parallel --joblog --resume-failed` for each level; `--timeout`"

    def command(self) -> list[str]:
        return ["sh", "run.sh"]

    def files(self, plan: Plan) -> dict[str, str]:
        levels = plan.levels()
        lists = {f"level{n}.txt": "".join(f"{plan.line(t)}\n" for t in level) for n, level in enumerate(levels)}
        limit = f"--timeout {LIMIT} " if any(t.hangs for t in plan.tasks) else ""
        each = f"{self.found()} --will-cite -j{JOBS} {limit}--joblog job$n.log --resume-failed -a level$n.txt || exit 1"
        return {**lists, "run.sh": f"for n in {' '.join(str(n) for n in range(len(levels)))}; do {each}; done\n"}


class Spooler(Engine):
    name, program, version = "task-spooler", "tsp", ("-V",)
    used_as = "levels; a job still queued or running, by label, is waited for, else queued if out/ID is missing"

    def command(self) -> list[str]:
        return ["sh", "run.sh"]

    def files(self, plan: Plan) -> dict[str, str]:
        tsp = self.found()
        text = f"export TS_SOCKET={plan.folder}/sock TMPDIR={plan.folder} TS_SLOTS={JOBS}\nrc=0\n"
        for level in plan.levels():
            text += "js=\n"
            for t in level:
                mine = f'($2=="queued"||$2=="running")&&index($0,"[{t.id}]"){{print $1}}'
                text += f"j=$({tsp} -l | awk '{mine}')\n"
                text += f'[ -n "$j" ] || [ -f out/{t.id} ] || j=$({tsp} -L {t.id} {plan.line(t)})\njs="$js $j"\n'
            text += f"for j in $js; do {tsp} -w $j || rc=1; done\n[ $rc = 0 ] || exit 1\n"
        return {"run.sh": text}


def python_version(python: Path, package: str) -> str:
    """The version of a package of another Python."""
    code = f"from importlib.metadata import version; print({package!r}, version({package!r}))"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    return done.stdout.strip()


ENGINES: dict[str, type[Engine]] = {kind.name: kind for kind in Engine.__subclasses__()}
