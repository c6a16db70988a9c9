"""Texts that try to be commands, escapes or markup stay texts, wherever they come from and are shown."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest
from cli_process import command, environment, nova
from hostile import ALL, ESCAPES, HEAD, HOSTILE, MARKUP, NAMES, RUNNER, SHELL, run_hostile, yaml_text
from sampling import sampled, some
from terminal import harm_in, on_terminal

from nova_core.files.project import Project
from nova_core.state.schema import ProjectState, Reason, RunState, State, TaskState, TaskStatus

GITHUB = {"GITHUB_ACTIONS": "true"}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The hostile run."""
    return run_hostile(tmp_path_factory.mktemp("hostile"))


LOOKS = {
    "check": 0, "check --json": 0, "status": 0, "status --watch": 0, "status --json": 0, "config": 0,
    "config --json": 0, "doctor": 8, "doctor --json": 8, "graph": 0, "graph -f mermaid": 0, "graph -f dot": 0,
    "graph -f json": 0, "logs F0": 0, "logs F0 -f": 0, "why F0": 0, "why F1": 0, "why F2": 0, "why F4": 0,
    "trace": 0, "run -n --fresh": 0, "run --explain": 0, "retry F4": 2, "run --json": 1, "run --no-ui": 1,
}  # fmt: skip


@pytest.mark.parametrize("look", LOOKS)
def test_nothing_reaches_the_terminal(look: str, project: Path) -> None:
    """Whatever is shown on a terminal, it gets no escape, control or hidden character except Nova's own."""
    code, shown = on_terminal(*look.split(), cwd=project)
    assert (code, harm_in(shown)) == (LOOKS[look], [])
    assert shown
    assert not list(project.parent.rglob("pwned*"))


@pytest.mark.parametrize(
    "look",
    ["check --json", "status --json", "config --json", "doctor --json", "graph -f json", "run --json", "run", "why F0"],
)
def test_into_a_pipe_too(look: str, project: Path) -> None:
    """The output for other programs is as clean, on GitHub none of it is a command to the runner, and JSON is valid."""
    done = nova(*look.split(), cwd=project, env=GITHUB)
    assert harm_in(done.stdout + done.stderr) == []
    assert commands_to_the_runner(done.stdout) == []
    if "json" in look:
        texts = done.stdout.splitlines() if look == "run --json" else [done.stdout]
        assert all(json.loads(text) is not None for text in texts)


def commands_to_the_runner(text: str) -> list[str]:
    """The lines that GitHub's runner would execute."""
    return [line for line in text.splitlines() if line.lstrip().startswith("::") or "##[" in line]


def test_names_are_shown_as_they_are(project: Path) -> None:
    """Names of tasks are shown as text, markup and all, in the plain lines, the live view, the graph and the status."""
    fresh = nova("run", "--fresh", cwd=project)
    live = on_terminal("run", "--no-ui", "--fresh", cwd=project)[1]
    started = [line.split(" started  ", 1)[1] for line in fresh.stdout.splitlines() if " started  " in line]
    assert sorted(started) == sorted(seen for i, (_, seen) in NAMES.items() if i != "F4")
    shown = {
        "why": "".join(nova("why", i, cwd=project).stdout for i in list(NAMES)[::6]),
        "dot": nova("graph", "-f", "dot", cwd=project).stdout.replace("\\\\", "\\").replace('\\"', '"'),
        "preview": nova("run", "-n", "--fresh", cwd=project).stdout,
    }
    for i, (_, seen) in NAMES.items():
        assert seen in shown["preview"]
        assert seen in shown["dot"]
        if i in list(NAMES)[::6]:
            assert seen in shown["why"]
    assert "[/nope]" in live
    assert "[@click=app.quit]x[/]" in live


def test_events_keep_the_text(project: Path) -> None:
    """The stream of events holds every name and step unchanged, written so that it is safe on a terminal."""
    text = (project / "events.jsonl").read_text()
    assert harm_in(text) == []
    events = [json.loads(line) for line in text.splitlines()]
    messages = [e["message"] for e in events if e["kind"] == "task_started"]
    assert sorted(messages) == sorted(f"{i} started: {name}" for i, (name, _) in unescaped_names() if i != "F4")
    steps = [e["patch"]["current_step"] for e in events if e["kind"] == "task_said" and e["task"] == "F1"]
    assert any("\x1b]52;c;cm0gLXJmIH4K\x07" in step for step in steps if step)


def unescaped_names() -> list[tuple[str, tuple[str, str]]]:
    """The names as the parser reads them."""
    return [(i, (name.replace("\\|", "|"), seen)) for i, (name, seen) in NAMES.items()]


def test_steps_and_milestones_are_shown_as_text(project: Path) -> None:
    """What a worker says and a milestone's message are in one plain line each."""
    lines = nova("run", "--fresh", cwd=project).stdout.splitlines()
    said = [line for line in lines if " F1 says" in line]
    assert len(said) >= 1
    assert all("[/nope]" in line and "$(touch pwned)" in line for line in said)
    (told,) = [line for line in lines if "milestone" in line]
    assert told.count("[/nope]") == 2  # the name and the message
    assert not list(project.parent.rglob("pwned*"))


def test_junit_is_wellformed(project: Path) -> None:
    """The JUnit file can be parsed, holds the texts as text, and has no control character."""
    text = (project / "junit.xml").read_text()
    assert harm_in(text) == []
    tree = ElementTree.fromstring(text)
    found = {case.get("name") for case in tree.iter("testcase")}
    assert found == {f"{i} {seen}" for i, (_, seen) in NAMES.items()}
    (failure,) = tree.iter("failure")
    assert "[/nope]" in "".join(failure.itertext()) or "::set-output" in "".join(failure.itertext())


TITLES = ["::error::pwned", " ::add-mask::x", "##[group]x", f"x {ALL}"]


@pytest.mark.parametrize("title", some(TITLES, " ::add-mask::x", f"x {ALL}"))
def test_github_gets_its_own_commands_only(title: str, tmp_path: Path) -> None:
    """On GitHub no project name, task name, log line or plan path becomes a command or markup of the summary."""
    title = title.replace("\r", "").replace("\0", "")
    plan = tmp_path / "a,b::c%0A.md"
    plan.write_text(
        f"# {title}\n\n## {title}\n\n### {title}\n\n{HEAD}"
        f"| F1 | {title} | x | - | `printf '::error::x\\n##[error]y\\n\\r::warning::z\\n'; exit 1` | |\n"
    )
    summary = tmp_path / "summary.md"
    env = {**GITHUB, "GITHUB_STEP_SUMMARY": str(summary)}
    for words in (("check", plan.name), ("run", plan.name), ("status",), ("why", "F1")):
        done = nova(*words, cwd=tmp_path, env=env)
        assert commands_to_the_runner(done.stdout) == []
        own = commands_to_the_runner(done.stderr)
        assert own == (
            ["::error file=a%2Cb%3A%3Cc".replace("%3C", "%3A") + "%250A.md,line=9,title=F1::exit code 1"]
            if words[0] == "run"
            else []
        )
        assert harm_in(done.stdout + done.stderr) == []
    assert harm_in(summary.read_text()) == []
    assert "## " not in summary.read_text().replace("### ", "", 1)


FIELDS = {
    "F1": TaskState(status=TaskStatus.FAILED, reason=Reason.EXIT_CODE, error=HOSTILE + ALL, attempt=1),
    "F2": TaskState(blocked_by=(HOSTILE + ALL,)),
    "F3": TaskState(status=TaskStatus.IN_PROGRESS, current_step=HOSTILE + ALL, started_at=ALL, worker_id=ALL, pid=1),
    "F4": TaskState(retry_at=ALL, failures=1, error=ALL),
    "F5": TaskState(status=TaskStatus.IN_PROGRESS, approval="waiting", current_step=ALL),
    HOSTILE + ALL: TaskState(status=TaskStatus.FAILED, error="id", model=ALL, commit_sha=ALL, files_changed=(ALL,)),
}


@pytest.mark.parametrize(
    "look",
    [
        "status", "status --watch", "status --json", "why F1", "why F2", "why F3", "why F4", "why F5", "logs F1",
        "logs HOSTILE", "why HOSTILE", "logs F1 --attempt 9", "retry HOSTILE", "approve F5 HOSTILE", "skip nope",
    ],
)  # fmt: skip
def test_a_forged_state(look: str, tmp_path: Path) -> None:
    """A state written by hand, including its ids, is shown safely and leads to no path outside."""
    state = State(project=ProjectState(HOSTILE + ALL, HOSTILE), run=RunState(id=ALL), tasks=FIELDS)
    Project(tmp_path).state_file.write_bytes(msgspec.json.encode(state))
    arguments = [HOSTILE.replace("\0", "") if word == "HOSTILE" else word for word in look.split()]
    code, shown = on_terminal(*arguments, cwd=tmp_path)
    assert (code in (0, 2, 3), harm_in(shown)) == (True, [])
    assert "internal error" not in shown


PLACES = ("dependency", "id", "file", "setting", "trigger", "option", "reason", "timeout")


@pytest.mark.parametrize(("name", "place"), sampled(ESCAPES, PLACES))
def test_messages_about_bad_input(name: str, place: str, tmp_path: Path) -> None:
    """An error quotes the mistake safely, in one line, with its hint in another."""
    payload = ESCAPES[name][0]
    cell = payload.replace("\r", "\v")  # which would end the row
    typed = payload.replace("\0", "")  # no argument can hold a NUL
    row = {"dependency": f"| F1 | a | x | {cell} |", "id": f"| {cell} | a | x | - |"}.get(place, "| F1 | a | - | - |")
    (tmp_path / "CASCADE.md").write_text(HEAD + row + " `true` | |\n")
    quoted = yaml_text(payload)
    if place == "setting":
        (tmp_path / "nova.yaml").write_text(f"{quoted}: 1\njobs: {quoted}\n")
    if place == "trigger":
        (tmp_path / "milestones.yaml").write_text(f"milestones:\n  - id: a\n    trigger: {{type: {quoted}}}\n")
    arguments = {
        "file": ["check", typed], "option": ["run", f"--x{typed}"], "timeout": ["run", "--timeout", typed],
        "reason": ["reject", typed, "--reason", typed],
    }.get(place, ["run", "--no-ui"])  # fmt: skip
    code, shown = on_terminal(*arguments, cwd=tmp_path)
    assert (code in (2, 3), harm_in(shown)) == (True, [])
    lines = shown.replace("\r\n", "\n").splitlines()
    assert [line.lstrip().startswith("hint: ") for line in lines] == [False, True] * (len(lines) // 2)


def test_a_reason_is_kept_as_text(tmp_path: Path) -> None:
    """The reason of a rejection is shown wherever the failure is."""
    (tmp_path / "CASCADE.md").write_text(f"{HEAD}| F1 | a | x | - | `true` | yes |\n")
    assert nova("run", cwd=tmp_path).returncode == 4
    reason = HOSTILE + "\r\n::error::x"
    for words in (("reject", "F1", "--reason", reason), ("status",), ("why", "F1"), ("run", "--no-ui")):
        code, shown = on_terminal(*words, cwd=tmp_path)
        assert (code, harm_in(shown)) == (1 if words[0] == "run" else 0, [])
        assert words[0] == "reject" or "[@click=app.quit]x[/] [red]x" in shown
    assert not list(tmp_path.rglob("pwned*"))


ARGUMENTS = [*SHELL, *MARKUP, *RUNNER, "--dangerous", "-rf", "{name} {{x}} %s", "a\\nb 'c' \"d\""]


@pytest.mark.parametrize("text", some(ARGUMENTS, SHELL[0], MARKUP[0], RUNNER[0], *ARGUMENTS[-4:]))
def test_agents_get_texts_as_single_arguments(text: str, tmp_path: Path) -> None:
    """`{prompt}` and `{name}` are one argument each, without a shell; a leading dash does not make an option of
    them."""
    program = "import json, sys; json.dump(sys.argv[1:], open('argv.json', 'w'))"
    agents = {"agents": {"a": {"command": [sys.executable, "-c", program, "{name}", "{prompt}", "n={name}", "{id}"]}}}
    (tmp_path / "nova.yaml").write_text(json.dumps(agents))
    cell = text.replace("|", "\\|").replace("`", "\\`")
    (tmp_path / "CASCADE.md").write_text(
        "# P\n\n| Task ID | Task Name | What Changes | Depends On | Agent |\n| --- | --- | --- | --- | --- |\n"
        f"| F1 | {cell} | do {cell} | - | a |\n\n#### F1\n\n{text}\n"
    )
    done = nova("run", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    name, prompt, assigned, task_id = json.loads((tmp_path / "argv.json").read_text())
    assert name.removeprefix(" ") == text
    assert not name.startswith("-")
    assert (assigned, task_id) == (f"n={text}", "F1")
    assert f"# Task F1: {text}\n" in prompt
    assert f"\n{text}\n" in prompt
    assert not list(tmp_path.rglob("pwned*"))


def test_a_log_on_a_terminal_is_cleaned_across_chunks(tmp_path: Path) -> None:
    """An escape sequence that is cut by the end of a read is removed as well."""
    (tmp_path / "CASCADE.md").write_text(f"{HEAD}| F1 | a | x | - | `true` | |\n")
    assert nova("run", cwd=tmp_path).returncode == 0
    log = b"".join(b"x" * (65_536 - 3 - i) + ALL.encode() for i in range(4)) + b"end\n"
    (tmp_path / "logs" / "F1.log").write_bytes(log)
    code, shown = on_terminal("logs", "F1", cwd=tmp_path)
    assert (code, harm_in(shown)) == (0, [])
    assert shown.endswith("end\r\n")
    piped = subprocess.run(command("logs", "F1"), cwd=tmp_path, env=environment(), capture_output=True, check=True)
    assert piped.stdout == log


def test_the_detached_engine_says_it_harmlessly(tmp_path: Path) -> None:
    """A detached engine's messages about a bad plan are shown as safely."""
    (tmp_path / "CASCADE.md").write_text(f"{HEAD}| F1 | a | x | {ALL.translate({0: None, 13: None})} | `true` | |\n")
    code, shown = on_terminal("run", "--detach", cwd=tmp_path)
    assert (code, harm_in(shown)) == (3, [])
    assert os.listdir(tmp_path / "logs") == []
