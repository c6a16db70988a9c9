"""Bad plans, settings and commands on the real command line: one clear line each, a hint, and no damage."""

from __future__ import annotations

import os
import re
import resource
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest
from cli_process import command, environment
from sampling import some
from sandbox import GOOD_ROWS, HEAD, Sandbox, make_sandbox

from nova_core.cli.app import run_cli

GIGABYTE = 1 << 30
Arrange = Callable[[Path], object]


class Case(NamedTuple):
    """Bad input: how to create it, what to type, and the expected messages (one pattern per problem)."""

    arrange: Arrange
    said: str | tuple[str, ...]
    code: int = 3
    arguments: tuple[str, ...] = ("run",)
    env: Mapping[str, str] = {}


def file(name: str, data: str | bytes) -> Arrange:
    """A project with this file."""
    return lambda root: (root / name).write_bytes(data if isinstance(data, bytes) else data.encode())


def rows(text: str) -> Arrange:
    """A plan with these rows, the first on line 5."""
    return file("CASCADE.md", HEAD + text)


def task_id(text: str) -> Arrange:
    """A plan with a task of this id on line 5."""
    return rows(f"| {text} | One | - | `true` |\n")


def cell(column: str, text: str) -> Arrange:
    """A plan with an additional column, which holds `text` on line 5."""
    head = HEAD.replace("Command |\n", f"Command | {column} |\n").replace("- |\n", "- | --- |\n")
    return file("CASCADE.md", f"{head}| F1 | One | - | `true` | {text} |\n")


def agent(name: str, settings: str = "") -> Arrange:
    """A plan whose only task, on line 5, has an agent and no command."""

    def arrange(root: Path) -> None:
        (root / "CASCADE.md").write_text(HEAD.replace("Command", "Agent") + f"| F1 | One | - | {name} |\n")
        (root / "nova.yaml").write_text(settings)

    return arrange


def settings(text: str | bytes) -> Arrange:
    """A project with this nova.yaml."""
    return file("nova.yaml", text)


def milestones(text: str) -> Arrange:
    """A project with this milestones.yaml."""
    return file("milestones.yaml", text)


def trigger(text: str) -> Arrange:
    """A milestone with this trigger, on line 4."""
    return milestones(f"milestones:\n  - id: a\n    name: A\n    trigger: {text}\n")


def folder(name: str) -> Arrange:
    """A directory where a file should be."""
    return lambda root: (root / name).mkdir(parents=True)


def within(name: str, data: str) -> Arrange:
    """A file in a new folder."""

    def arrange(root: Path) -> None:
        (root / name).parent.mkdir(parents=True)
        (root / name).write_text(data)

    return arrange


def link(name: str, target: str) -> Arrange:
    """A symbolic link that leads out of the project."""

    def arrange(root: Path) -> None:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).symlink_to(target)

    return arrange


def nothing(root: Path) -> None:
    """A good project."""


def empty_folder(root: Path) -> None:
    """An empty folder."""
    (root / "nothing-here").mkdir()


def ran(root: Path) -> None:
    """A project whose tasks are completed."""
    done = '{"status":"completed","attempt":1}'
    (root / "cascade_state.json").write_text(
        f'{{"version":1,"project":{{"name":"P","cascade_file":"CASCADE.md"}},"tasks":{{"F1":{done},"F2":{done}}}}}'
    )


def ran_with_another(root: Path) -> None:
    """The same, with a second plan next to its own."""
    ran(root)
    (root / "b.md").write_text(HEAD + "| X1 | x | - | `true` |\n")


def places_elsewhere(root: Path) -> None:
    """A second plan, whose place would be behind a link."""
    ran_with_another(root)
    (root / ".nova").mkdir(exist_ok=True)
    (root / ".nova" / "plans").symlink_to("../../elsewhere")


STATE = "cascade_state.json"
NOT_AN_ID = "cannot be a task id"
ANCHORS = "a: &a [x, x]\n" + "".join(f"b{i}: &b{i} [*{'b%d' % (i - 1) if i else 'a'}]\n" for i in range(40))  # noqa: UP031

PLANS = {
    "no plan": Case(lambda root: (root / "CASCADE.md").unlink(), r"CASCADE\.md: there is no such plan"),
    "another plan that is not there": Case(nothing, r"x/y\.md: there is no such plan", 3, ("check", "x/y.md")),
    "a directory as plan": Case(empty_folder, r"nothing-here: this folder has no plan", 3, ("run", "nothing-here")),
    "a task file that cannot be read": Case(
        within("tasks/a.md", "---\ntask_id: a\ntask_id: b\n---\n"), r"tasks/a\.md:3: .*task_id.*", 3, ("run", "tasks")
    ),
    "a bomb in a task file": Case(
        within("tasks/a.md", "---\ntask_id: a\noutputs: " + "[" * 5000 + "\n---\n"),
        r"tasks/a\.md:3: .*",
        3,
        ("run", "tasks"),
    ),
    "a task file that writes outside": Case(
        within("tasks/a.md", "---\ntask_id: a\noutputs: [../../x]\n---\n"),
        r"tasks/a\.md:3: .*outside.*",
        3,
        ("run", "tasks"),
    ),
    "a binary plan": Case(file("CASCADE.md", bytes(range(256)) * 9), r"CASCADE\.md: this is a binary file"),
    "an empty plan": Case(file("CASCADE.md", b""), r"CASCADE\.md: the plan is empty"),
    "no tasks": Case(file("CASCADE.md", "# P\n\nwords\n"), r"CASCADE\.md: no tasks found"),
    "a plan in another encoding": Case(file("CASCADE.md", b"# P\n\n| Caf\xe9 |\n"), r"CASCADE\.md:3: byte 0xe9"),
    "a NUL in an id": Case(task_id("F\x001"), r"CASCADE\.md:5: the file is not text"),
    "a cycle": Case(
        rows("| F1 | a | F2 | `true` |\n| F2 | b | F1 | `true` |\n"), r"CASCADE\.md:5: .*: F1 -> F2 -> F1$"
    ),
    "a task that depends on itself": Case(rows("| F1 | a | F1 | `true` |\n"), r"CASCADE\.md:5: F1 depends on itself"),
    "an unknown dependency": Case(
        rows(GOOD_ROWS + "| F3 | c | F9 | `true` |\n"), r"CASCADE\.md:7: F3 depends on 'F9', which is not a task"
    ),
    "a duplicate id": Case(rows(GOOD_ROWS + "| F1 | c | - | `true` |\n"), r"CASCADE\.md:7: duplicate task id F1"),
    "ids that differ by case": Case(rows(GOOD_ROWS + "| f1 | c | - | `true` |\n"), r":7: duplicate task id f1"),
    "three mistakes": Case(
        rows("| F1 | a | F9 | `true` |\n| ../x | b | - | `true` |\n| F2 | c | F2 | `true` |\n"),
        (r":5: F1 depends on 'F9'", r":6: '\.\./x' cannot", r":7: F2 depends on itself"),
    ),
    "an id that climbs": Case(task_id("../../x"), rf":5: '\.\./\.\./x' {NOT_AN_ID}"),
    "an id that is a path": Case(task_id("/etc/passwd"), rf":5: '/etc/passwd' {NOT_AN_ID}"),
    "an id that is an option": Case(task_id("-rf"), rf":5: '-rf' {NOT_AN_ID}"),
    "an id that is a device": Case(task_id("CON"), rf":5: 'CON' {NOT_AN_ID}"),
    "a hidden id": Case(task_id(".nova"), rf":5: '\.nova' {NOT_AN_ID}"),
    "an id of 5,000 characters": Case(task_id("x" * 5000), rf":5: 'x{{59}}…' {NOT_AN_ID}"),
    "an id with an escape": Case(task_id("F\x1b[2J1"), rf":5: 'F1' {NOT_AN_ID}: it contains invisible characters"),
    "an id with a direction mark": Case(task_id("F\u202e1"), rf":5: 'F\ufffd1' {NOT_AN_ID}"),
    "an id with a line separator": Case(task_id("F\u20281"), rf":5: 'F\ufffd1' {NOT_AN_ID}"),
    "an id with a newline": Case(task_id("F\n1"), r":5: task F has nothing to run it", 8),
    "timeout": Case(cell("Timeout", "soon"), r":5: 'soon' is not a duration"),
    "duration": Case(cell("Duration", "3 pts"), r":5: '3 pts' is not a duration"),
    "priority": Case(cell("Priority", "P9"), r":5: 'P9' is not a priority"),
    "approval": Case(cell("Approval", "perhaps"), r":5: 'perhaps' is not a time to approve"),
    "retries": Case(cell("Retries", "-1"), r":5: '-1' is not a number of retries"),
    "memory": Case(cell("Memory", "lots"), r":5: 'lots' is not a size"),
    "an output outside": Case(cell("Outputs", "../../x"), r":5: the output '\.\./\.\./x' is outside the project"),
    "an absolute output": Case(cell("Outputs", "/etc/passwd"), r":5: the output '/etc/passwd' is outside"),
    "an unknown agent": Case(agent("ghost"), r"CASCADE\.md:5: task F1 .*agent 'ghost' is not in `agents:`", 8),
    "no agent": Case(agent("-"), r"CASCADE\.md:5: task F1 has nothing to run it: no command and no agent", 8),
    "an agent that is not installed": Case(
        agent("a", "agents: {a: {command: [no-such-program]}}"), r":5: .*'no-such-program' is not installed", 8
    ),
}
SETTINGS = {
    "merge keys": Case(settings("jobs: 2\nenv:\n  <<: {set: {A: b}}\n"), r"nova\.yaml:3: merge keys"),
    "a tag": Case(settings("jobs: !!python/object/apply:os.system ['touch pwned']"), r"nova\.yaml:1: tags"),
    "a key twice": Case(settings("jobs: 2\nretries: 1\njobs: 3\n"), r"nova\.yaml:3: `jobs` is used twice"),
    "jobs: many": Case(settings("\njobs: many\n"), r"nova\.yaml:2: jobs: must be a whole number"),
    "jobs: 0": Case(settings("jobs: 0\n"), r"nova\.yaml:1: jobs: must be more than 0"),
    "agents: [a]": Case(settings("agents: [a]\n"), r"nova\.yaml:1: agents: must be a mapping"),
    "a command that is text": Case(settings("agents:\n  a:\n    command: x y\n"), r":3: agents\.a\.command: must be a"),
    "a command of lists": Case(settings("agents:\n  a:\n    command: [x, 1, [2]]\n"), r":3: .*must be text, not a"),
    "an unknown placeholder": Case(settings("agents: {a: {command: [x, '{b}']}}"), r":1: .*unknown placeholder `{b}`"),
    "timeout: soon": Case(settings("timeout: soon\n"), r":1: timeout: 'soon' is not a duration"),
    "an unknown setting": Case(settings("jbos: 3\n"), r"nova\.yaml:1: jbos: unknown setting"),
    "three bad settings": Case(settings("jobs: x\nretries: y\nfoo: z\n"), (":1: jobs", ":2: retries", ":3: foo")),
    "settings that are a list": Case(settings("- jobs\n"), r"nova\.yaml:1: must be a mapping"),
    "broken YAML": Case(settings("jobs: 1\nagent: a: b\n"), r"nova\.yaml:2: not valid YAML"),
    "binary settings": Case(settings(bytes(range(256))), r"nova\.yaml:\d+: is not UTF-8"),
    "half a character": Case(settings('agent: "\\ud83d"'), r"nova\.yaml:1: half of a surrogate pair"),
    "a control character": Case(settings("jobs: 1\n# \x07\n"), r"nova\.yaml:2: character U\+0007 is not allowed"),
    "a directory as settings": Case(folder("nova.yaml"), r"nova\.yaml: cannot be read: Is a directory"),
    "a pipe as settings": Case(lambda root: os.mkfifo(root / "nova.yaml"), r"nova\.yaml: cannot be read"),
    "milestones that are not there": Case(settings("milestones: no.yaml\n"), r"no\.yaml: there is no such file"),
    "a milestone for an unknown task": Case(
        trigger("{type: all_tasks_completed, tasks: [F9]}"), r"milestones\.yaml:4: .*unknown task `F9`"
    ),
    "an unknown trigger": Case(trigger("{type: all_done}"), r"milestones\.yaml:4: .*unknown trigger `all_done`"),
    "a threshold of 300": Case(
        trigger("{type: percentage_complete, threshold: 300}"), r"milestones\.yaml:4: .*must not be more than 100"
    ),
    "a milestone twice": Case(
        milestones("milestones:\n" + "  - id: a\n    trigger: {type: any_task_failed}\n" * 2), r":4: .*used twice"
    ),
    "milestones that are a list": Case(milestones("- a\n"), r"milestones\.yaml:1: must be a mapping"),
    "a directory as milestones": Case(folder("milestones.yaml"), r"milestones\.yaml: cannot be read"),
    "NOVA_JOBS=abc": Case(nothing, r"NOVA_JOBS: must be a whole number", env={"NOVA_JOBS": "abc"}),
    "two bad variables": Case(
        nothing, ("NOVA_JOBS: ", "NOVA_TIMEOUT: "), 3, ("config",), {"NOVA_JOBS": "-1", "NOVA_TIMEOUT": "x"}
    ),
}
SITUATIONS = {
    "logs is a file": Case(file("logs", "x"), r"/logs: is a file, not a folder", 8),
    "logs leads elsewhere": Case(link("logs", "../elsewhere"), r"/logs: is a symbolic link", 8),
    "logs leads nowhere": Case(link("logs", "../nowhere"), r"/logs: is a symbolic link", 8),
    ".nova is a file": Case(file(".nova", "x"), r"/\.nova: is a file, not a folder", 8),
    ".nova is a file, detached": Case(file(".nova", "x"), r"/\.nova: is a file", 8, ("run", "--detach")),
    ".nova leads elsewhere": Case(link(".nova", "../elsewhere"), r"/\.nova: is a symbolic link", 8),
    "the inbox leads elsewhere": Case(link(".nova/inbox", "../../elsewhere"), r"/inbox: is a symbolic link", 8),
    "the attempts lead elsewhere": Case(link(".nova/attempts", "../../elsewhere"), r"cannot use .*/attempts: ", 8),
    "the lock leads elsewhere": Case(link(".nova/run.lock", "../../victim"), r"/run\.lock: ", 8),
    "the history leads elsewhere": Case(link(".nova/nova.db", "../../victim"), r"cannot use .*/nova\.db: ", 8),
    "the old runs lead elsewhere": Case(
        link(".nova/old", "../../elsewhere"), r"/old: is a symbolic link", 8, ("run", "--fresh")
    ),
    "a history that is none": Case(within(".nova/nova.db", "no database " * 99), r"cannot use .*/nova\.db: ", 8),
    "a damaged state": Case(file(STATE, '{"tasks": {"F1"'), rf"/{STATE}: damaged state", 8),
    "a damaged state, looked at": Case(file(STATE, b"\xff\xfe"), rf"/{STATE}: damaged state", 8, ("status",)),
    "a state of another shape": Case(file(STATE, '{"tasks": {"F1": 3}}'), rf"/{STATE}: damaged state", 8),
    "a state of a newer Nova": Case(file(STATE, '{"version": 99}'), rf"/{STATE}: written by a newer version", 8),
    "a directory as state": Case(folder(STATE), rf"/{STATE}: not a regular file", 8),
    "a directory as state, looked at": Case(folder(STATE), rf"/{STATE}: not a regular file", 8, ("status",)),
    "a pipe as state": Case(lambda root: os.mkfifo(root / STATE), rf"/{STATE}: not a regular file", 8, ("status",)),
    "a directory as the state's lock": Case(folder(f"{STATE}.lock"), r"\.lock: Is a directory", 8),
    "a directory as secret": Case(folder(".nova/secret"), r"/secret: Is a directory", 8),
    "a link as the state's draft": Case(link(f"{STATE}.tmp", "../victim"), "cannot write the state", 8),
}
USAGE = {  # the wording for a word or a value is the parser's: only its name matters
    "-j 0": Case(nothing, r"--jobs\b.*\b0\b", 2, ("run", "-j", "0")),
    "-j x": Case(nothing, r"--jobs\b.*'x'", 2, ("run", "-j", "x")),
    "--timeout soon": Case(nothing, r"--timeout: 'soon' is not a duration", 2, ("run", "--timeout", "soon")),
    "--only F9": Case(nothing, r"the plan has no task 'F9'", 2, ("run", "-n", "--only", "F9")),
    "--only nothing": Case(nothing, r"--only names no task", 2, ("run", "--only", "")),
    "--until nothing": Case(nothing, r"--until names no task", 2, ("run", "--until", " , ")),
    "--group x": Case(nothing, r"the plan has no group 'x'", 2, ("run", "-n", "--group", "x")),
    "--budget -1": Case(nothing, r"--budget\b.*-1\b", 2, ("run", "--budget", "-1")),
    "--budget nan": Case(nothing, r"--budget must be an amount", 2, ("run", "--budget", "nan")),
    "an option without its value": Case(nothing, r"--junit\b", 2, ("run", "--junit")),
    "an unknown command": Case(nothing, r"\brnu\b", 2, ("rnu",)),
    "an unknown option": Case(nothing, r"--josb\b", 2, ("run", "--josb")),
    "an escape in a command": Case(nothing, r"'.*a.*b'", 2, ("\x1b[2Ja\nb",)),
    "two plans": Case(nothing, r"\bsecond\b", 2, ("run", "CASCADE.md", "second")),
    "an unknown graph": Case(nothing, r"\bpng\b", 2, ("graph", "-f", "png")),
    "-C nowhere": Case(nothing, r"cannot change to nowhere: No such file", 8, ("-C", "nowhere", "run")),
    "logs ../../etc/passwd": Case(ran, r"there is no task \.\./\.\./etc/passwd", 2, ("logs", "../../etc/passwd")),
    "logs unknown": Case(ran, r"there is no task unknown", 2, ("logs", "unknown")),
    "logs -- -rf": Case(ran, r"there is no task -rf", 2, ("logs", "--", "-rf")),
    "logs of attempt 9": Case(ran, r"F1 has had 1 attempt", 2, ("logs", "F1", "--attempt", "9")),
    "why unknown": Case(ran, r"there is no task unknown", 2, ("why", "unknown")),
    "retry unknown": Case(ran, r"there is no task unknown", 2, ("retry", "unknown")),
    "retry nothing": Case(ran, r"name the tasks, or give --failed", 2, ("retry",)),
    "approve when nothing waits": Case(ran, r"F1 does not need approval", 2, ("approve", "F1")),
    "reject when nothing waits": Case(ran, r"F1 does not need approval", 2, ("reject", "F1", "--reason", "r")),
    "cancel what does not run": Case(ran, r"F1 is not running", 2, ("cancel", "F1")),
    "skip what is done": Case(ran, r"F1 is already done", 2, ("skip", "F1")),
    "a plan that has not run": Case(ran_with_another, r"b\.md has not run here", 2, ("status", "--plan", "b.md")),
    "the places lead elsewhere": Case(places_elsewhere, r"/plans: is a symbolic link", 8, ("run", "b.md")),
    "a report from nowhere": Case(nothing, r"not inside a task that Nova started", 2, ("report", "--step", "x")),
    **{
        f"{words[0]} before any run": Case(nothing, r"no plan has been run here yet", 2, words)
        for words in (
            ("status",), ("logs", "F1"), ("why", "F1"), ("retry", "F1"), ("skip", "F1"), ("approve", "F1"),
            ("reject", "F1", "--reason", "r"), ("cancel", "--all"), ("pause",), ("resume",),
        )
    },
}  # fmt: skip
CASES = {**PLANS, **SETTINGS, **SITUATIONS, **USAGE}
BOMBS = {
    "a row of 1e6 columns": Case(rows(f"| F1 {'| x ' * 1_000_000}|\n"), r"CASCADE\.md:5: the row has more than 64"),
    "a header of 1e6 columns": Case(
        file("CASCADE.md", f"| Task ID {'| x ' * 1_000_000}|\n|{'---|' * 1_000_001}\n"), r"CASCADE\.md(:1)?: "
    ),
    "a line of 20 MB": Case(file("CASCADE.md", "| F1 | " + "[" * 20_000_000), r"CASCADE\.md: no tasks found"),
    "a plan of 40 MB": Case(file("CASCADE.md", b"x\n" * 20_000_000), r"CASCADE\.md: the plan is larger than 32 MiB"),
    "an endless plan": Case(nothing, r"/dev/zero: the plan is larger than 32 MiB", 3, ("run", "/dev/zero")),
    "a cycle of 50,000 tasks": Case(
        rows("".join(f"| T{i} | t | T{(i + 1) % 50_000} | `true` |\n" for i in range(50_000))), r":5: .*T0 -> "
    ),
    "aliases of aliases": Case(settings(ANCHORS), r"nova\.yaml:1: anchors and aliases"),
    "100,000 brackets": Case(settings("agents: " + "[" * 100_000), r"nova\.yaml:1: nested deeper than 20"),
    "100,000 brackets as milestones": Case(milestones("[" * 100_000), r"milestones\.yaml:1: nested deeper than 20"),
    "settings of 5 MB": Case(settings("# x\n" * 1_250_000), r"nova\.yaml: larger than 1,000,000 bytes"),
    "a number of 900,000 digits": Case(settings(f"jobs: {'9' * 900_000}\n"), r"nova\.yaml:1: jobs: must be a whole"),
    "a state of 100,000 brackets": Case(file(STATE, '{"tasks":' + "[" * 100_000), rf"/{STATE}: damaged", 8),
}  # fmt: skip


@pytest.fixture
def sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """A good project as the current directory, in a folder with files that must not change."""
    found = make_sandbox(tmp_path)
    for name in [n for n in os.environ if n.startswith(("NOVA_", "GITHUB_"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(found.root)
    return found


def judge(case: Case, code: int, out: str, err: str) -> None:
    """One line for each problem, each with a hint; nothing else, and no control characters."""
    lines = err.splitlines()
    expected = (case.said,) if isinstance(case.said, str) else case.said
    assert "Traceback" not in out + err
    assert (code, out) == (case.code, ""), err
    assert len(lines) == 2 * len(expected), err
    for line, pattern in zip(lines[::2], expected, strict=True):
        assert re.search(pattern, line), err
        assert re.match(r"(nova|nova report|[^ ]+?(:\d+)?): \S", line), err
    assert all(re.match(r"(  )?hint: \S", line) for line in lines[1::2]), err
    assert all(line.isprintable() and len(line) < 400 for line in lines), err


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_bad_input(
    case: Case, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every mistake is reported in one line with its place and a hint; nothing outside the project is changed."""
    case.arrange(sandbox.root)
    for name, value in case.env.items():
        monkeypatch.setenv(name, value)
    before = sandbox.remember()
    code = report_or_run(list(case.arguments))
    judge(case, code, *capsys.readouterr())
    sandbox.require_unharmed(before)
    if case.code in (2, 3) and case.arrange not in (ran, ran_with_another):
        assert sandbox.inside() == before.inside
    assert not [name for name in sandbox.inside() if name.startswith("project/logs/")]


def report_or_run(arguments: list[str]) -> int:
    """What `python -m nova_core` does with these arguments."""
    if arguments[:1] == ["report"]:
        from nova_core.report import main

        return main(arguments[1:])
    return run_cli(arguments)


@pytest.mark.parametrize(
    "name", some(["no plan", "a cycle", "no agent", "-j 0", "jobs: many", "a damaged state"], "no plan", "jobs: many")
)
def test_bad_input_in_a_process_of_its_own(name: str, sandbox: Sandbox) -> None:
    """The same for a newly started process."""
    case = CASES[name]
    case.arrange(sandbox.root)
    before = sandbox.remember()
    done = subprocess.run(
        command(*case.arguments), env=environment(case.env), capture_output=True, text=True, timeout=60, check=False
    )
    judge(case, done.returncode, done.stdout, done.stderr)
    sandbox.require_unharmed(before)


def limit_child() -> None:
    """A gigabyte of memory and twenty seconds of processor time, no core file."""
    resource.setrlimit(resource.RLIMIT_AS, (GIGABYTE, GIGABYTE))
    resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


@pytest.mark.parametrize(
    "name",
    some(BOMBS, "a row of 1e6 columns", "an endless plan", "aliases of aliases", "a state of 100,000 brackets"),
)
def test_bombs(name: str, sandbox: Sandbox) -> None:
    """Input made to use up memory or time is rejected within a gigabyte and some seconds."""
    case = BOMBS[name]
    case.arrange(sandbox.root)
    before = sandbox.remember()
    done = subprocess.run(
        command(*case.arguments),
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        preexec_fn=limit_child,
    )
    judge(case, done.returncode, done.stdout, done.stderr)
    sandbox.require_unharmed(before)


def test_the_nearest_setting_is_suggested(sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """A misspelt setting, trigger, task or command gets a suggestion."""
    (sandbox.root / "nova.yaml").write_text("jbos: 3\n")
    assert run_cli(["config"]) == 3
    assert "hint: did you mean `jobs`?" in capsys.readouterr().err
    (sandbox.root / "nova.yaml").unlink()
    assert run_cli(["run", "-n", "--only", "f1"]) == 2
    assert "hint: did you mean 'F1'?" in capsys.readouterr().err
