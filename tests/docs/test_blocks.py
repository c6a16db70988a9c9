"""Every code block of the documents is run, or checked against what it claims; an unchecked block is a failure."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from captured import path_of
from cli_process import nova, shell_environment
from command_lines import problem_with, simple_commands
from pages import ROOT, Block, all_blocks, blocks, text_of
from sampling import some

from nova_core.config import load_config
from nova_core.engine.observers.milestones import load_milestones
from nova_core.importers.protocol import read
from nova_core.model import PlanOptions
from nova_core.parser import parse_cascade, parse_text
from nova_core.state import decode_state
from nova_tui.keymap import load_keys

BLOCKS = all_blocks()
SHELL = [block for block in BLOCKS if block.language in ("sh", "console")]
# Blocks that need a network, real agents, failed tasks or a terminal; the parser still reads their command lines.
ONLY_PARSED = {
    "README.md-0-sh", "README.md-1-sh", "CONTRIBUTING.md-0-sh", "docs/agents.md-3-sh", "docs/faults.md-0-sh",
    "docs/tui.md-0-sh", "docs/plan.md-6-sh", "docs/workers.md-2-sh",
    "docs/isolation.md-2-sh", "docs/isolation.md-3-sh",
}  # fmt: skip
LANGUAGES = {"sh", "console", "markdown", "yaml", "json", "python", "text"}

TABLE = "| Task ID | Task Name | Command | Depends On |\n|---|---|---|---|\n"
ROWS = "| F1 | a | `true` | - |\n| F2 | b | `true` | F1 |\n| F3 | c | `true` | - |\n| F4 | d | `true` | F3 |\n"
FOUR = f"# Shop\n\n## Analysis\n\n{TABLE}{ROWS}"
"""A plan with the tasks that the pages name."""
PROJECT = tomllib.loads(text_of("pyproject.toml"))["project"]


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_every_block_names_a_language_with_a_check(block: Block) -> None:
    """Each language has a test below, which checks all of its blocks."""
    assert block.language in LANGUAGES


# shell


def lines_of(block: Block) -> list[str]:
    """The command lines of a block."""
    return [line.removeprefix("$ ") for line in block.text.splitlines() if line.strip()]


@pytest.mark.parametrize("block", SHELL, ids=str)
def test_command_lines_are_accepted(block: Block) -> None:
    """The program's own parser accepts each `nova` line, make has the targets, files that are run exist."""
    for line in lines_of(block):
        for words in simple_commands(line):
            assert problem_with(words) is None
            if words[:1] == ["make"]:
                assert f"\n{words[1]}:" in text_of("Makefile")
            if words[1:2] == ["install"]:
                assert {word.partition("[")[0] for word in words[2:]} == {PROJECT["name"]}
            if words and "/" in words[0]:
                assert os.access(ROOT / words[0], os.X_OK), line


def plan(folder: Path) -> None:
    """A plan that takes no time, in which both agents are commands, and a folder of tasks with a phase."""
    folder.joinpath("CASCADE.md").write_text(FOUR)
    folder.joinpath("nova.yaml").write_text("agents: {claude: {command: ['true']}}\n")
    task_folder(folder / "tasks")


def run_plan(folder: Path) -> None:
    """The same after a run."""
    plan(folder)
    assert nova("run", cwd=folder).returncode == 0


def run_plan_and_features(folder: Path) -> None:
    """The same, with two features of spec-kit beside the plan."""
    run_plan(folder)
    for name in ("001-login", "002-search"):
        feature = folder / "specs" / name / "tasks.md"
        feature.parent.mkdir(parents=True)
        feature.write_text("# Tasks\n\n## Phase 1: Setup\n\n- [ ] T001 Begin\n- [ ] T002 Continue\n- [ ] T003 End\n")
    with folder.joinpath("nova.yaml").open("a") as file:
        file.write("command: 'true'\n")


def task_folder(folder: Path) -> None:
    """A folder of tasks with the task of docs/task-folders.md and the one it depends on."""
    (folder / "01-analysis").mkdir(parents=True)
    folder.joinpath("01-analysis/02-categorize.md").write_text(task_file())
    folder.joinpath("01-analysis/01-measure.md").write_text(
        '---\ntitle: "Measure"\ndependencies: []\noutputs: ["results.json"]\n---\n\n# Measure\n'
    )


def task_folder_alone(folder: Path) -> None:
    """That folder with a command for both tasks."""
    task_folder(folder / "tasks")
    command = 'cd "$NOVA_OUTPUT_DIR" && mkdir -p samples && touch samples/a && echo {} | tee gaps.json > results.json'
    folder.joinpath("nova.yaml").write_text(f"command: '{command}'\n")


def agents(folder: Path) -> None:
    """The plan, and a log of each agent that docs/agents.md reads."""
    plan(folder)
    folder.joinpath("logs").mkdir()
    shutil.copy(path_of("claude/tool"), folder / "logs/F1.log")
    shutil.copy(path_of("codex/edit"), folder / "logs/F2.log")


def checklist(folder: Path) -> None:
    """A checklist of spec-kit."""
    folder.joinpath("tasks.md").write_text("# Shop\n\n## Phase 1: Setup\n\n- [ ] T001 Begin\n- [ ] T002 Continue\n")
    folder.joinpath("nova.yaml").write_text("command: 'true'\n")


def worker(folder: Path) -> None:
    """A plan whose task has two criteria, for blocks that run inside a task."""
    folder.joinpath("CASCADE.md").write_text(
        f"{TABLE}| F1 | a | `cd {folder} && sh -eu block.sh` | - |\n\n#### F1\n\n- [ ] it works\n"
    )


def examples(folder: Path) -> None:
    """The examples of the repository."""
    shutil.copytree(ROOT / "examples", folder / "examples")


def readme(folder: Path) -> None:
    """The plan of README.md."""
    folder.joinpath("CASCADE.md").write_text(blocks("README.md", "markdown")[0])


SCENES: dict[str, Callable[[Path], None]] = {
    "README.md": readme,
    "docs/agents.md": agents,
    "docs/importing.md": checklist,
    "docs/state.md": run_plan_and_features,
    "docs/task-folders.md": task_folder_alone,
}
INSIDE_A_TASK = {"docs/workers.md-0-sh", "docs/workers.md-4-sh", "docs/cli.md-4-sh"}
RUN = [block for block in SHELL if str(block) not in ONLY_PARSED]


@pytest.fixture
def shell(tmp_path: Path) -> dict[str, str]:
    """An environment in which `nova` is this project's."""
    return shell_environment(tmp_path, {"DEMO_PACE": "0"})


PAGES = sorted({block.page for block in RUN})
# The examples are run by tests/test_examples.py, too.
OFTEN = [page for page in PAGES if not page.startswith("examples/") and page != "docs/json-events.md"]


@pytest.mark.parametrize("page", some(PAGES, *OFTEN))
def test_shell_blocks_run(page: str, tmp_path: Path, shell: dict[str, str]) -> None:
    """The blocks of a page run one after the other in one folder; each line exits with 0, or the exit code it names."""
    folder = tmp_path / "project"
    folder.mkdir()
    SCENES.get(page, examples if page.startswith("examples/") else plan)(folder)
    for block in (block for block in RUN if block.page == page):
        if str(block) in INSIDE_A_TASK:
            run_inside_a_task(block, tmp_path, shell)
            continue
        for line in lines_of(block):
            run_line(line, folder, shell)


def run_line(line: str, folder: Path, environ: dict[str, str]) -> None:
    """Run a line in a shell, with the newest run's id in place of the example's."""
    if any(words[0] in ("jq", "sqlite3") and not shutil.which(words[0]) for words in simple_commands(line)):
        return
    if " 4f2a" in line:
        line = line.replace(" 4f2a", f" {run_id(folder)[:4]}")
    expected = re.search(r"# exit code (\d+)", line)
    words = shlex.split(line, comments=True)
    if words[0] == "nova" and not re.search(r"[^\w\s./:=@,#-]", line):  # nothing in it is for a shell
        done = nova(*words[1:], cwd=folder, env=environ, timeout=120)
    else:
        done = subprocess.run(line, shell=True, cwd=folder, env=environ, capture_output=True, text=True, timeout=120)
    assert done.returncode == (int(expected[1]) if expected else 0), (line, done.stdout, done.stderr)


def run_id(folder: Path) -> str:
    """The id of the run in a folder."""
    found = json.loads(folder.joinpath("cascade_state.json").read_text())["run"]["id"]
    assert isinstance(found, str)
    return found


def run_inside_a_task(block: Block, folder: Path, environ: dict[str, str]) -> None:
    """Run a block as the command of a task."""
    inner = folder / str(block).replace("/", "-")
    inner.mkdir()
    worker(inner)
    inner.joinpath("block.sh").write_text(block.text)
    done = nova("run", cwd=inner, env=environ)
    assert done.returncode == 0, (done.stdout, inner.joinpath("logs/F1.log").read_text())


# plans


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language == "markdown"], ids=str)
def test_plans_parse(block: Block, tmp_path: Path) -> None:
    """Every Markdown block is a plan, or a task file, without any warning."""
    if block.text.startswith("---\n"):
        task_folder(tmp_path / "tasks")
        draft = read(str(tmp_path / "tasks"), "", PlanOptions())
        assert [item.key for item in draft.items] == ["01-analysis/01-measure", "01-analysis/02-categorize"]
    else:
        assert parse_text(block.text, block.page).warnings == ()


def task_file() -> str:
    """The task of docs/task-folders.md."""
    return blocks("docs/task-folders.md", "markdown")[0]


# YAML


def a_config(path: Path) -> None:
    """A `nova.yaml` with at least one setting."""
    assert load_config(path, environ={}).origins


def a_workflow(path: Path) -> None:
    """A workflow of GitHub Actions whose steps run lines that the parser of `nova` accepts."""
    workflow: dict[Any, Any] = yaml.safe_load(path.read_text())
    assert {"name", True, "jobs"} == set(workflow)  # YAML 1.1 reads the key `on` as true
    for job in workflow["jobs"].values():
        assert {"runs-on", "steps"} <= set(job)
        for step in job["steps"]:
            assert ("uses" in step) != ("run" in step)
            for words in simple_commands(step.get("run", "")):
                assert problem_with(words) is None


def some_milestones(path: Path) -> None:
    """Milestones of a plan that has the tasks F1 to F4."""
    cascade = path.with_name("CASCADE.md")
    cascade.write_text(FOUR)
    assert load_milestones(path, parse_cascade(cascade))


def some_keys(path: Path) -> None:
    """Keys for bindings that exist."""
    assert load_keys(path, must_exist=True)


YAML = {"docs/ci.md": a_workflow, "docs/milestones.md": some_milestones, "docs/tui.md": some_keys}


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language == "yaml"], ids=str)
def test_settings_load(block: Block, tmp_path: Path) -> None:
    """Every YAML block is the file that its page describes; on most pages that is nova.yaml."""
    path = tmp_path / "block.yaml"
    path.write_text(block.text)
    YAML.get(block.page, a_config)(path)


# JSON


def is_a_state(found: Any) -> None:
    """The state file, as its schema and the code that reads it require."""
    state = decode_state(json.dumps(found).encode(), Path("docs/state.md"))
    assert all(task.duration_seconds for task in state.tasks.values())


def is_a_node(found: Any) -> None:
    """A node of the graph; tests/docs/test_docs.py compares its keys with those of the code."""
    assert found["type"] == "task"


def is_an_event(found: Any) -> None:
    """A line of `nova run --json`, by the schema on the same page."""
    schema = json.loads(blocks("docs/json-events.md", "json")[1])
    jsonschema.Draft202012Validator(schema["oneOf"][0]).validate(found)


def is_a_schema(found: Any) -> None:
    """A JSON Schema; the tests of `nova run --json` hold real lines against it."""
    jsonschema.Draft202012Validator.check_schema(found)


def is_a_hooks_input(found: Any) -> None:
    """The input of a hook; tests/docs/test_docs.py compares its keys with those of a real hook."""
    assert found["event"] == "blocked"


JSON = {
    "docs/state.md": [is_a_state, is_a_node],
    "docs/json-events.md": [is_an_event, is_a_schema],
    "docs/hooks.md": [is_a_hooks_input],
}


@pytest.mark.parametrize("page", sorted({block.page for block in BLOCKS if block.language == "json"}))
def test_json_is_what_its_page_says(page: str) -> None:
    """Each JSON block in turn."""
    for text, check in zip(blocks(page, "json"), JSON[page], strict=True):
        check(json.loads(text))


# Python


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language == "python"], ids=str)
def test_programs_run(block: Block, tmp_path: Path, shell: dict[str, str]) -> None:
    """Each Python block is a program that succeeds in an empty folder."""
    done = subprocess.run(
        [sys.executable, "-c", block.text], cwd=tmp_path, env=shell, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr


# diagrams


def test_the_layout_of_a_project_is_what_runs_leave(tmp_path: Path, shell: dict[str, str]) -> None:
    """After runs with milestones, hooks, a second attempt, `--fresh` and a second plan, each path of docs/state.md
    exists."""
    tmp_path.joinpath("nova.yaml").write_text("hooks: {finished: 'echo over'}\nretries: 1\nretry_delay: 0s\n")
    tmp_path.joinpath("milestones.yaml").write_text(blocks("docs/milestones.md", "yaml")[0])
    twice = f"{FOUR}| F5 | e | `test $NOVA_ATTEMPT = 2` | - |\n\n#### F5\n\n- [ ] `true` succeeds\n"
    tmp_path.joinpath("CASCADE.md").write_text(twice)
    tmp_path.joinpath("other.md").write_text(FOUR)
    for words in ("run --no-ui", "run --fresh", "run --detach --fresh", "status --watch", "run --no-ui other.md"):
        assert nova(*words.split(), cwd=tmp_path, env=shell).returncode == 0
    folder, missing = tmp_path, []
    for line in blocks("docs/state.md", "text")[0].splitlines():
        names = re.split(r"\s{2,}", line.strip(), maxsplit=1)[0]
        folder = tmp_path / ".nova" if line.startswith(" ") else tmp_path
        patterns = re.sub(r"<[^>]+>", "*", names).split(", ") + re.findall(r"logs/<id>\.[^,\s]+log", line)
        patterns = [p for pattern in patterns for p in expanded(re.sub(r"<[^>]+>", "*", pattern.rstrip("/")))]
        missing += [pattern for pattern in patterns if not list(folder.glob(pattern))]
    assert missing == ["crash-*.txt"]  # without an internal error this file cannot exist


def expanded(pattern: str) -> list[str]:
    """`a/{b,c}` as `a/b` and `a/c`."""
    found = re.fullmatch(r"(.*)\{(.*)\}(.*)", pattern)
    return [f"{found[1]}{name}{found[3]}" for name in found[2].split(",")] if found else [pattern]


def test_diagrams_name_what_exists() -> None:
    """Classes and folders in the diagrams of the architecture are in the source, files are those Nova writes."""
    source = "\n".join(
        path.read_text(encoding="utf-8") for name in ("nova_core", "nova_tui") for path in (ROOT / name).rglob("*.py")
    )
    for text in blocks("ARCHITECTURE.md", "text") + blocks("docs/internals.md", "text"):
        classes = set(re.findall(r"\b[A-Z][a-z]+[A-Z][A-Za-z]+\b", text))
        assert [name for name in classes if f"class {name}" not in source] == []
        files = set(re.findall(r"\.nova/(\w+)", text))
        assert [name for name in files if f"  {name}" not in blocks("docs/state.md", "text")[0]] == []
