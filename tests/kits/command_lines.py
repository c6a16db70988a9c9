"""Reads command lines of the documentation with the program's own parser."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from functools import cache
from typing import Any

import typer.main

from nova_core.cli.app import COMMANDS, build
from nova_core.report import OPTIONS

_OPERATORS = {"|", "||", "&&", ";", ">", ">>", "<", "&"}


@cache
def program() -> Any:
    """The parser of `nova`."""
    return typer.main.get_command(build(COMMANDS))


def options() -> dict[str, set[str]]:
    """Every option of every command of the program."""
    found = {
        name: [(*p.opts, *p.secondary_opts) for p in command.params] for name, command in program().commands.items()
    }
    return {name: {"--help", "-h"}.union(*names) for name, names in found.items()} | {"report": {"--help", *OPTIONS}}


def simple_commands(line: str) -> Iterator[list[str]]:
    """The words of each simple command of a shell line, without its remark and redirections."""
    words = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
    words.whitespace_split = True
    found: list[str] = []
    for word in words:
        if word in _OPERATORS:
            yield found
            found = ["redirected"] if word in "<>>" else []
        else:
            found.append(word)
    yield found


def problem_with(words: list[str]) -> str | None:
    """The parser's error for a `nova` command; None for other programs and valid commands. Runs nothing."""
    if words[:1] == ["nova-tui"]:
        words = ["nova", "run", *words[1:]]
    if words[:1] != ["nova"]:
        return None
    arguments = words[1:]
    if "-C" in arguments:  # the parser would enter the directory
        place = arguments.index("-C")
        arguments = arguments[:place] + arguments[place + 2 :]
    if "--help" in arguments or "-h" in arguments:
        return None if arguments[0].startswith("-") or arguments[0] in COMMANDS else f"no command {arguments[0]}"
    if arguments[:1] == ["report"]:
        unknown = [word for word in arguments if word.startswith("--") and word not in OPTIONS]
        return f"no option {unknown}" if unknown else None
    name, *rest = arguments or [""]
    if name not in COMMANDS:
        return None if name in ("--version", "") else f"no command {name}"
    try:
        program().commands[name].make_context(name, rest).close()
    except Exception as error:  # any error of the parser is a mistake in the document
        return re.sub(r"\s+", " ", f"{' '.join(words)}: {error}")
    return None
