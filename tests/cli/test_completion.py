"""Shells complete commands, options and plans: each test loads the script as a user's shell does."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from cli_process import shell_environment

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
COMPLETED = {"nova st": ["stats", "status"], "nova -C . doc": ["doctor"], "nova run --deta": ["--detach"]}


def said_by(shell: str, script: str, folder: Path) -> list[str]:
    """The lines that the shell prints when it runs the script in the folder, which is its home."""
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    environ = {**shell_environment(folder), "HOME": str(folder)}
    done = subprocess.run([shell, "-c", script], cwd=folder, env=environ, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return [line.partition("\t")[0] for line in done.stdout.splitlines()]


@pytest.mark.parametrize("shell", SCRIPTS)
def test_commands_and_options_are_completed(shell: str, tmp_path: Path) -> None:
    """A prefix is completed to the commands or options that exist; one shell completes line after line."""
    script, for_a_line = SCRIPTS[shell]
    lines = [for_a_line.format(line=line) + f"\necho = {line}\n" for line in COMPLETED]
    found: dict[str, list[str]] = {}
    words: list[str] = []
    for said in said_by(shell, script + "".join(lines), tmp_path):
        if said.startswith("= "):
            found[said[2:]], words = sorted(words), []
        else:
            words.append(said)
    assert found == COMPLETED


def test_zsh_forgets_its_own_completion_of_another_nova(tmp_path: Path) -> None:
    """zsh brings a completion of OpenStack's nova; the line that docs/cli.md names for ~/.zshrc replaces it."""
    assert said_by("zsh", ZSH, tmp_path) == ["_nova_completion"]
