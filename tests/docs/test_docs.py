"""The documents are true: options, keys, columns and variables exist, and links work."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from cli_process import shell_environment
from command_lines import options
from pages import NAMES, ROOT, blocks, first_words, prose, rows, text_of

from nova_core.agents.pricing import Price
from nova_core.cli.app import COMMANDS
from nova_core.config import AgentConfig, Config, EnvConfig, LimitsConfig, PhaseConfig, RetryConfig, load_config
from nova_core.config.git import GitConfig
from nova_core.config.hooks import HooksConfig, NotifyConfig
from nova_core.engine.observers.milestones import TriggerType, load_milestones
from nova_core.errors import NovaError
from nova_core.launch.launcher import DROPPED
from nova_core.model import PlanOptions
from nova_core.parser import columns as parser_columns
from nova_core.parser import parse_cascade, parse_text
from nova_core.parser.criteria import read_criterion
from nova_core.progress import ProgressTracker
from nova_core.runs.words import ASCII_GLYPHS, GLYPHS, Shown
from nova_core.state.schema import Reason
from nova_tui.keymap import bindings, load_keys


@pytest.fixture
def shell(tmp_path: Path) -> dict[str, str]:
    """An environment in which `nova` is this project's."""
    return shell_environment(tmp_path)


def slug(title: str) -> str:
    """The anchor of a heading, as GitHub makes it."""
    plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", title).replace("`", "").strip().lower()
    return re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_somewhere(name: str) -> None:
    """Every relative link names an existing file, and an anchor in it."""
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`]*`", "", prose(name))):
        path, _, anchor = target.partition("#")
        if "://" in target or target.startswith("mailto:"):
            continue
        file = (ROOT / name).parent / path if path else ROOT / name
        headings = re.findall(r"^#+ (.*)$", file.read_text(), re.M) if file.suffix == ".md" and file.exists() else []
        if not file.exists() or (anchor and anchor not in map(slug, headings)):
            broken.append(target)
    assert broken == []


def test_columns_are_documented() -> None:
    """The column names in docs/plan.md are those the parser recognises."""
    table = [row for row in rows("docs/plan.md") if len(row) == 3 and row[0].startswith("`")]
    documented = {name.casefold() for row in table for name in re.findall(r"`([^`]+)`", row[0] + row[1])}
    known = {
        name
        for fields in (parser_columns._OPTIONAL, parser_columns._COMMON)
        for names in fields.values()
        for name in names
    }
    known |= {*parser_columns._IDS, *parser_columns._NAMES, *parser_columns._DESCRIPTIONS}
    known |= parser_columns._DEPENDENCIES | (parser_columns._STATES - {""})
    assert documented == known


SEPARATORS = {";", "<br>", "and", "&", "+", "/"}
DEPENDENCY_PLAN = """
## Main
### Foundation
| Task ID | Task Name | Depends On |
|---|---|---|
| F1 | a | - |
| F2 | b | - |
| F3 | c | - |
| F4 | d | - |
### Phase 1: Data layer
| Task ID | Task Name | Depends On |
|---|---|---|
| M2-T002 | e | - |
### Phase 2
| Task ID | Task Name | Depends On |
|---|---|---|
| X2 | f | - |
### Phase 3
| Task ID | Task Name | Depends On |
|---|---|---|
| X3 | g | - |
### End
| Task ID | Task Name | Depends On |
|---|---|---|
| M2-T011 | h | {} |
"""


def dependency_forms() -> dict[str, int]:
    """Every form of a dependency in docs/plan.md, and how many tasks of the plan above it means."""
    section = text_of("docs/plan.md").partition("\n## Dependencies\n")[2].partition("\n## ")[0]
    cells = " ".join(line.split("|")[1] for line in section.splitlines() if line.startswith("|"))
    forms = [form for form in re.findall(r"`([^`]+)`", cells) if form not in SEPARATORS | {"M2-T011"}]
    counts = {"-": 0, "none": 0, "F1": 1, "F1, F2": 2, "Foundation": 4, "Phase 1": 1, "Phases 1-3": 3, "T002": 1}
    few = {form: 4 for form in forms if form.startswith("F1") and "4" in form}
    return {form: counts.get(form, few.get(form, 7 if "all" in form.lower() else 1)) for form in forms} | {
        f"F1 {mark} F2": 2 for mark in sorted(SEPARATORS)
    }


@pytest.mark.parametrize(("form", "count"), dependency_forms().items())
def test_dependencies_can_be_written_as_documented(form: str, count: int) -> None:
    """Each form in the table resolves, to the stated number of tasks."""
    plan = parse_text(DEPENDENCY_PLAN.format(form), "CASCADE.md")
    assert len(plan.tasks["M2-T011"].depends_on) == count


def test_examples_of_criteria_are_commands() -> None:
    """Each example in the table of criteria has a command, which Nova recognises by the text around it."""
    examples = [found for row in rows("docs/plan.md") if len(row) == 2 for found in re.findall(r"`` (.+?) ``", row[1])]
    assert len(examples) >= 6
    assert [text for text in examples if read_criterion(text, 1).command is None] == []


def config_keys() -> set[str]:
    """Every key nova.yaml may have, with NAME for names people choose."""
    top = {f for f in Config.__struct_fields__ if f != "origins"}
    inner = {
        "agents.NAME": AgentConfig, "limits": LimitsConfig, "env": EnvConfig, "prices.MODEL": Price,
        "phases.NAME": PhaseConfig, "plan": PlanOptions, "hooks": HooksConfig, "notify": NotifyConfig,
        "retry": RetryConfig, "git": GitConfig,
    }  # fmt: skip
    return top | {f"{section}.{f}" for section, struct in inner.items() for f in struct.__struct_fields__}


def test_settings_are_documented() -> None:
    """docs/configuration.md has every key of nova.yaml, and no others."""
    documented = first_words("docs/configuration.md", r"[\w.]+")
    prices = {f"prices.MODEL.{f}" for f in Price.__struct_fields__ if f"`{f}`" in text_of("docs/configuration.md")}
    assert documented | prices == config_keys()


def test_documented_defaults_are_the_defaults(tmp_path: Path) -> None:
    """A nova.yaml that states every documented default changes nothing."""
    table = {row[0].strip("`"): row[1] for row in rows("docs/configuration.md") if len(row) == 3 and "`" in row[0]}
    lines = [f"{key}: {default.strip('`')}" for key, default in table.items() if default != "none"]
    assert len(lines) >= 10
    path = tmp_path / "nova.yaml"
    path.write_text("\n".join(lines))
    found = msgspec.structs.replace(load_config(path, environ={}), origins={})
    assert found == Config()
    empty = [key for key, default in table.items() if default == "none"]
    sections = LimitsConfig(), EnvConfig(), HooksConfig(), NotifyConfig(), PlanOptions(), RetryConfig(), GitConfig()
    nothing: tuple[object, ...] = ((), {}, None, *sections)
    assert [key for key in empty if getattr(Config(), key) not in nothing] == []


def test_variables_in_documents_exist(tmp_path: Path) -> None:
    """Each NOVA_ variable named as a setting changes that setting."""
    words = set(re.findall(r"NOVA_[A-Z_]+", text_of("docs/configuration.md"))) - {"NOVA_DEBUG"}
    assert len(words) > 4
    for word in words:
        value = {"NOVA_AGENT": "a,b", "NOVA_FAIL_FAST": "true"}.get(word, "7")
        assert word in load_config(None, environ={word: value}, root=tmp_path).origins.values()


def test_milestones_in_documents_load(tmp_path: Path) -> None:
    """The example loads for a plan with its tasks, and every trigger has its row."""
    plan = tmp_path / "CASCADE.md"
    plan.write_text("| Task ID | Task Name | Depends On |\n|---|---|---|\n| F1 | a | - |\n| F2 | b | - |\n")
    path = tmp_path / "milestones.yaml"
    path.write_text(blocks("docs/milestones.md", "yaml")[0])
    assert len(load_milestones(path, parse_cascade(plan))) == 2
    assert set(TriggerType) <= first_words("docs/milestones.md", r"\w+")


def test_the_table_of_keys_is_that_of_the_bindings() -> None:
    """Every binding is listed by its id, next to its keys."""
    told: dict[str, set[str]] = {}
    for keys, ids in (row[:2] for row in rows("docs/tui.md") if len(row) == 3):
        for name in re.findall(r"`(\w+\.\w+)`", ids):
            told.setdefault(name, set()).update(re.findall(r"`([^`]+)`", keys))
    names = {
        "slash": "/", "exclamation_mark": "!", "dollar_sign": "$", "plus": "+", "minus": "-", "colon": ":",
        "question_mark": "?", "left_square_bracket": "[", "right_square_bracket": "]",
        "vertical_line": "|", "equals_sign": "=", "ctrl+right_square_bracket": "ctrl+]",
    }  # fmt: skip
    known = {
        name: {names.get(key, key) for binding in found for key in binding.key.split(",")}
        for name, found in bindings().items()
    }
    assert set(told) == set(known)
    assert {name: keys - told[name] for name, keys in known.items() if keys - told[name]} == {}


def test_the_table_of_marks_is_complete() -> None:
    """Each status with its two marks."""
    marks = {row[2]: row[:2] for row in rows("docs/tui.md") if len(row) == 4}
    assert {s.value: [f"`{GLYPHS[s]}`", f"`{ASCII_GLYPHS[s]}`"] for s in Shown}.items() <= marks.items()


def test_custom_keys_in_documents_load(tmp_path: Path) -> None:
    """The example names bindings that exist."""
    path = tmp_path / "keys.yaml"
    path.write_text(blocks("docs/tui.md", "yaml")[0])
    assert load_keys(path, must_exist=True) == {"task.retry": "r,f5", "task.kill": "ctrl+k"}


@pytest.mark.parametrize("name", NAMES)
def test_commands_in_documents_exist(name: str) -> None:
    """Each `nova COMMAND --option` in code names an existing command and its options."""
    known, wrong = options(), []
    code = re.findall(r"`([^`\n]+)`", text_of(name)) + re.findall(r"^(?:\$ )?(nova .*)$", text_of(name), re.M)
    for line in (part for text in code for part in re.split(r"[;#]|\s&&\s|\\?\|", text)):
        words = line.split()
        if len(words) < 2 or words[0] != "nova":
            continue
        command, *rest = words[3:] if words[1] == "-C" else words[1:]
        if command in ("report", "COMMAND") or command.startswith("-"):
            continue
        bad = {word.partition("=")[0] for word in rest if word.startswith("-")}
        if command not in known or bad - known[command]:
            wrong.append(line)
    assert wrong == []


def test_options_in_the_table_of_commands_exist() -> None:
    """The options next to a command in docs/cli.md are that command's, and every command has a row."""
    table = {re.findall(r"nova ([\w-]+)", row[0])[0]: row[1] for row in rows("docs/cli.md") if "nova " in row[0]}
    assert set(COMMANDS) - set(table) <= {"resume"}
    for command, words in table.items():
        assert set(re.findall(r"`(--?[\w-]+)", words)) <= options()[command], command


def test_the_example_of_the_graph_has_its_keys() -> None:
    """The node of docs/state.md has exactly the keys of `to_graph_ui`, including those of its parts."""
    tracker = ProgressTracker()
    tracker.start_task("T1", criteria_total=1)
    progress = tracker.get_progress("T1")
    assert progress is not None
    told, found = msgspec.json.decode(blocks("docs/state.md", "json")[1]), progress.to_graph_ui()
    assert told.keys() == found.keys()
    assert told["data"].keys() == found["data"].keys()
    assert told["criteria"][0].keys() == found["criteria"][0].keys()
    assert told["logs"][0].keys() == found["logs"][0].keys()


def test_workers_get_the_documented_variables(tmp_path: Path, shell: dict[str, str]) -> None:
    """The NOVA_ variables of a worker are exactly those of docs/workers.md; one is only for folders of tasks."""
    plan = "| Task ID | Task Name | Command | Depends On |\n|---|---|---|---|\n| E | env | `env > env.txt` | - |\n"
    tmp_path.joinpath("CASCADE.md").write_text(plan)
    environ = {**shell, **dict.fromkeys(DROPPED, "/nowhere"), "NOVA_JOBS": "2"}
    subprocess.run(["nova", "run"], cwd=tmp_path, env=environ, check=True, capture_output=True, timeout=60)
    names = {line.partition("=")[0] for line in tmp_path.joinpath("env.txt").read_text().splitlines()}
    told = first_words("docs/workers.md", r"[A-Z_]+")
    assert {name for name in names if name.startswith("NOVA_")} | {"PWD", "NOVA_OUTPUT_DIR"} == told
    assert names.isdisjoint(DROPPED)
    assert [name for name in DROPPED if f"`{name}`" not in text_of("docs/workers.md")] == []


def test_hooks_get_the_documented_variables(tmp_path: Path, shell: dict[str, str]) -> None:
    """The NOVA_ variables of a hook are exactly those of docs/hooks.md, whose JSON has the keys of the input."""
    head = "| Task ID | Task Name | Depends On |\n|---|---|---|\n"
    tmp_path.joinpath("CASCADE.md").write_text(f"{head}| E | e | - |\n| F | f | E |\n")
    tmp_path.joinpath("nova.yaml").write_text("command: exit 1\nhooks: {blocked: [env > env.txt, cat > data.json]}\n")
    environ = {**shell, **dict.fromkeys(DROPPED, "/nowhere"), "NOVA_JOBS": "2"}
    subprocess.run(["nova", "run"], cwd=tmp_path, env=environ, check=False, capture_output=True, timeout=60)
    names = {line.partition("=")[0] for line in tmp_path.joinpath("env.txt").read_text().splitlines()}
    assert {name for name in names if name.startswith("NOVA_")} == first_words("docs/hooks.md", r"NOVA_[A-Z_]+")
    assert names.isdisjoint(DROPPED)
    data, example = (msgspec.json.decode(text) for text in (tmp_path.joinpath("data.json").read_text(), hook_example()))
    assert [data.keys(), data["run"].keys(), data["task"].keys()] == [
        example.keys(), example["run"].keys(), example["task"].keys(),
    ]  # fmt: skip


def hook_example() -> str:
    """The JSON in docs/hooks.md."""
    return blocks("docs/hooks.md", "json")[0]


def test_reasons_in_documents_exist() -> None:
    """The reasons that docs/workers.md explains are values of the state file."""
    words = first_words("docs/workers.md", r"[a-z_]+") - {"reason"}
    assert len(words) > 8
    assert words <= set(Reason)


def subclasses(kind: type[NovaError]) -> Iterator[type[NovaError]]:
    """A class and everything derived from it."""
    yield kind
    for child in kind.__subclasses__():
        yield from subclasses(child)


def test_exit_codes_of_errors_are_documented() -> None:
    """docs/exit-codes.md has a row for the exit code of every user error."""
    documented = {int(row[0]) for row in rows("docs/exit-codes.md") if row[0].isdigit()}
    assert {kind.exit_code for kind in subclasses(NovaError)} <= documented
