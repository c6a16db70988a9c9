"""Writes the manual pages nova.1 and nova-tui.1, here, from what `--help` shows and from docs/exit-codes.md."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT))

import typer.main  # noqa: E402

from nova_core.cli.app import COMMANDS, alone, build  # noqa: E402
from nova_core.report import HELP as REPORT_HELP  # noqa: E402
from nova_tui.__main__ import ABOUT  # noqa: E402

FILES = {
    "CASCADE.md": "The plan, where no other is named.",
    "nova.yaml": "Settings of the project; nova config shows what applies.",
    "milestones.yaml": "Messages at points of the run.",
    "cascade_state.json": "The state of each task.",
    "logs/ID.log": "What the latest attempt of a task printed.",
    ".nova/": "History, locks, reports and logs of the engine.",
}
ENVIRONMENT = {
    "NOVA_JOBS, NOVA_AGENT, ...": "Settings of nova.yaml: NOVA_ and the name of the setting in capitals.",
    "NO_COLOR": "Turns colours off.",
    "FORCE_COLOR, CLICOLOR_FORCE": "Turn colours on where the output is not a terminal.",
    "CI": "The interface does not open, and a paused run ends.",
    "NOVA_DEBUG": "Prints the details of internal errors.",
}


KINDS = {"int": "INTEGER", "str": "TEXT"}  # of types that newer versions of typer call otherwise


def escaped(text: str) -> str:
    """Text that roff prints as it is."""
    text = text.replace("\\", "\\(rs").replace("-", "\\-")
    return re.sub(r"^([.'])", r"\\&\1", text, flags=re.M)


def paragraphs(text: str) -> Iterator[str]:
    """A help text as roff: a paragraph after the mark `\\b` keeps its lines."""
    for part in re.split(r"\n\s*\n", inspect.cleandoc(text)):
        if part.startswith("\b"):
            yield f".PP\n.nf\n{escaped(part.removeprefix(chr(8)).strip(chr(10)))}\n.fi"
        else:
            yield f".PP\n{escaped(part)}"


def items(pairs: Iterable[tuple[str, str]]) -> Iterator[str]:
    """A list of terms and what they mean."""
    for term, said in pairs:
        yield f".TP\n.B {escaped(term)}\n{escaped(said)}"


def opened(command: Any, path: str) -> Any:
    """The context in which a command shows its help."""
    return command.context_class(command, info_name=path, **command.context_settings)


def parameters(command: Any, path: str) -> Iterator[tuple[str, str]]:
    """The arguments and options of a command with their help, as `--help` shows them."""
    context = opened(command, path)
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None:
            yield term(parameter, record[0]), record[1]


def term(parameter: Any, shown: str) -> str:
    """An argument, or the names and the value of an option; what `--help` shows depends on the version of typer."""
    if parameter.param_type_name == "argument":
        return name_of(parameter)
    names = re.split(r"(?<![,/]) (?!/)", shown, maxsplit=1)[0]
    if names == shown:
        return names
    choices = getattr(parameter.type, "choices", None)
    kind = "|".join(map(str, choices)) if choices else KINDS.get(parameter.type.name, parameter.type.name.upper())
    return f"{names} {parameter.metavar or kind}"


def name_of(argument: Any) -> str:
    """`PLAN`, or `ID...` for several."""
    return (argument.metavar or argument.name.upper()).strip("[].") + ("..." if argument.nargs == -1 else "")


def usage(command: Any, path: str) -> str:
    """`nova type [OPTIONS] ID [TEXT]`."""
    found = [one for one in command.params if one.param_type_name == "argument" and not getattr(one, "hidden", False)]
    return " ".join([path, "[OPTIONS]", *(name_of(one) if one.required else f"[{name_of(one)}]" for one in found)])


def section(command: Any, path: str) -> Iterator[str]:
    """One command: how it is used, what it does, its options."""
    yield f".SS {escaped(path)}"
    if path == "nova report":
        yield f".nf\n{escaped(REPORT_HELP.rstrip())}\n.fi"
        return
    yield f".B {escaped(usage(command, path))}"
    yield from paragraphs(command.help or "")
    yield from items(parameters(command, path))


def exit_codes() -> list[tuple[str, str]]:
    """The table of docs/exit-codes.md as pairs of code and meaning."""
    page = (ROOT / "docs" / "exit-codes.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \| (.*?) \|", page, re.M)
    return [(code, plain(said)) for code, said in rows]


def plain(text: str) -> str:
    """Markdown without its marks."""
    return re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", text).replace("\\|", "|").replace("`", "").replace("**", "")


def page(name: str, about: str, parts: Iterable[str]) -> str:
    """A whole page."""
    head = f'.TH {name.upper()} 1 "" "Nova" "User Commands"\n.SH NAME\n{name} \\- {escaped(about)}'
    tail = [
        ".SH EXIT STATUS", *items(exit_codes()), ".SH FILES", *items(FILES.items()), ".SH ENVIRONMENT",
        *items(ENVIRONMENT.items()),
    ]  # fmt: skip
    return "\n".join([head, *parts, *tail]) + "\n"


def pages() -> dict[str, str]:
    """The pages by file name."""
    app: Any = typer.main.get_command(build(COMMANDS))
    tui: Any = typer.main.get_command(alone("run", ABOUT))
    commands = [line for name in COMMANDS for line in section(app.commands[name], f"nova {name}")]
    nova = [
        ".SH SYNOPSIS", ".B nova [OPTIONS] COMMAND [ARGS]...", ".SH DESCRIPTION", *paragraphs(app.help or ""),
        ".SH OPTIONS", *items(parameters(app, "nova")), ".SH COMMANDS", *commands,
    ]  # fmt: skip
    screen = [
        ".SH SYNOPSIS", f".B {escaped(usage(tui, 'nova-tui'))}", ".SH DESCRIPTION", *paragraphs(tui.help or ""),
        ".SH OPTIONS", *items(parameters(tui, "nova-tui")),
    ]  # fmt: skip
    return {
        "nova.1": page("nova", "make -j for AI coding agents", nova),
        "nova-tui.1": page("nova-tui", "run a plan of tasks in a full-screen interface", screen),
    }


if __name__ == "__main__":
    for name, text in pages().items():
        HERE.joinpath(name).write_text(text, encoding="utf-8")
