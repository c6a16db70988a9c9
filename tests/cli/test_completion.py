"""Shells complete commands, options and plans: each test loads the script as a user's shell does."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_process import shell_environment

from nova_core.cli.app import line_to_complete, run_cli

BASH = """
source <(nova --show-completion)
complete -p nova >&2 || exit 1
"""
BASH_LINE = """
COMP_WORDS=({line}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
_nova_completion nova
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
FISH = "nova --show-completion | source"
FISH_LINE = "\ncomplete -C '{line}'"
ZSH = """
autoload -Uz compinit; compinit -u -d $HOME/.zcompdump
eval "$(nova --show-completion)"
print $_comps[nova]
"""
SCRIPTS = {"bash": (BASH, BASH_LINE), "fish": (FISH, FISH_LINE)}
COMPLETED = {
    "nova st": ["stats", "status"],
    "nova -C . doc": ["doctor"],
    "nova run --deta": ["--detach"],
    "nova logs Al": ["Al2", "Alpha"],
}
Offered = Callable[[str], list[str]]
PLAN = """# Shop

## Backend

### Core parts

| Task ID | Task Name | Depends On | Command |
|---|---|---|---|
| Alpha | First | - | `true` |
| Al2 | Second | Alpha | `true` |
| Beta | Third | - | `true` |
"""


def said_by(shell: str, script: str, folder: Path) -> list[str]:
    """The lines that the shell prints when it runs the script in the folder, which is its home."""
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    environ = {**shell_environment(folder), "HOME": str(folder)}
    done = subprocess.run([shell, "-c", script], cwd=folder, env=environ, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return [line.partition("\t")[0] for line in done.stdout.splitlines()]


@pytest.mark.parametrize("shell", SCRIPTS)
@pytest.mark.parametrize(
    "lines", [["nova run --deta", "nova logs Al"], pytest.param(list(COMPLETED), marks=pytest.mark.slow)], ids=len
)
def test_commands_and_options_are_completed(shell: str, lines: list[str], tmp_path: Path) -> None:
    """A prefix is completed to what exists; one shell completes line after line."""
    tmp_path.joinpath("CASCADE.md").write_text(PLAN)
    script, for_a_line = SCRIPTS[shell]
    script += "".join(for_a_line.format(line=line) + f"\necho = {line}\n" for line in lines)
    found: dict[str, list[str]] = {}
    words: list[str] = []
    for said in said_by(shell, script, tmp_path):
        if said.startswith("= "):
            found[said[2:]], words = sorted(words), []
        else:
            words.append(said)
    assert found == {line: COMPLETED[line] for line in lines}


@pytest.fixture
def offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Offered:
    """Completes a line of bash in a project without a run; fails if anything is printed beside."""
    tmp_path.joinpath("CASCADE.md").write_text(PLAN)
    tmp_path.joinpath("nova.yaml").write_text("agents: {mine: {command: ['true']}}\n")
    tmp_path.joinpath("src").mkdir()
    monkeypatch.chdir(tmp_path)

    def complete(line: str) -> list[str]:
        monkeypatch.setenv("_NOVA_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", line)
        monkeypatch.setenv("COMP_CWORD", str(len(line.split()) - (not line.endswith(" "))))
        assert run_cli([]) == 0
        done = capsys.readouterr()
        assert done.err == ""
        return [word for word in done.out.split("\n") if word]

    return complete


@pytest.mark.parametrize(
    ("line", "found"),
    [
        *((f"nova {name} Al", ["Alpha", "Al2"]) for name in ("logs", "why", "retry", "skip", "approve", "cancel")),
        ("nova prompt B", ["Beta"]),
        ("nova reject B", ["Beta"]),
        ("nova retry Alpha Al", ["Al2"]),
        ("nova run --only Alpha,A", ["Alpha,Al2"]),
        ("nova run --until B", ["Beta"]),
        ("nova run --group C", ["Core\\ parts"]),
        ("nova run --group 'C", ["Core parts"]),
        ("nova run --branch B", ["Backend"]),
        ("nova run --phase B", ["Backend"]),
        ("nova run --agent m", ["mine"]),
        ("nova run --agent cla", ["claude"]),
        ("nova run --theme nova-l", ["nova-light"]),
        ("nova run --isolation t", ["tree"]),
        ("nova run --uncommitted i", ["ignore", "include"]),
        ("nova parse-log --agent cod", ["codex"]),
        ("nova import -f spec", ["spec-kit"]),
        ("nova graph -f me", ["mermaid"]),
        ("nova history la", ["last"]),
        ("nova -C src logs Al", []),
        ("nova logs Z", []),
    ],
)
def test_names_are_completed(line: str, found: list[str], offered: Offered) -> None:
    """Tasks, groups, branches, agents, themes, formats and runs, as bash must insert them."""
    assert offered(line) == found


def test_names_are_completed_below_the_project(offered: Offered, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder of the project its tasks are offered, and nothing is said about the folder."""
    monkeypatch.chdir("src")
    assert offered("nova logs B") == ["Beta"]


@pytest.mark.parametrize("name", ["CASCADE.md", "nova.yaml", "cascade_state.json"])
def test_what_cannot_be_read_offers_nothing(name: str, offered: Offered, tmp_path: Path) -> None:
    """A broken plan, settings file or state is silent, and so is a folder without any."""
    tmp_path.joinpath(name).write_bytes(b"\xff{ | - \n")
    offered("nova logs Al")
    assert offered("nova run --only Al") in ([], ["Alpha", "Al2"])
    tmp_path.joinpath("CASCADE.md").unlink()
    assert offered("nova run --only Al") == []


def test_only_the_command_on_the_line_is_loaded() -> None:
    """To complete an argument, one command is built; to complete a command, all are."""
    assert line_to_complete({"COMP_WORDS": "nova logs Al"}) == ["logs"]
    assert line_to_complete({"COMP_WORDS": "nova logs "}) == ["logs"]
    assert line_to_complete({"_TYPER_COMPLETE_ARGS": "nova lo"}) == []


def test_zsh_forgets_its_own_completion_of_another_nova(tmp_path: Path) -> None:
    """zsh brings a completion of OpenStack's nova; the line that docs/cli.md names for ~/.zshrc replaces it."""
    assert said_by("zsh", ZSH, tmp_path) == ["_nova_completion"]
