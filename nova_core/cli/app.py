"""Builds the command line and handles the end of every command; imports only the commands named on the line."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from keyword import iskeyword
from typing import Annotated, Any

import typer

from nova_core.cli.failures import crash, show_error, show_refusal
from nova_core.cli.options import Directory
from nova_core.cli.output import OutputClosedError, abandon_stdout, note, prepare
from nova_core.errors import NovaError, UsageError

COMMANDS = {
    "demo": "demo",
    "init": "setup",
    "check": "plans",
    "run": "run",
    "attach": "attach",
    "list": "listing",
    "status": "status",
    "progress": "progress",
    "logs": "logs",
    "why": "why",
    "diff": "diff",
    "land": "merging",
    "resolve": "merging",
    "clean": "cleaning",
    "pr": "pull_request",
    "history": "history",
    "stats": "stats",
    "trace": "trace",
    "retry": "control",
    "skip": "control",
    "approve": "control",
    "reject": "control",
    "cancel": "control",
    "type": "typing_in",
    "pause": "control",
    "resume": "control",
    "plan": "plans",
    "draft": "draft",
    "import": "importing",
    "export": "importing",
    "graph": "plans",
    "config": "setup",
    "doctor": "doctor",
    "prompt": "agents",
    "context": "agents",
    "parse-log": "agents",
    "report": "worker",
    "acp-run": "worker",
}
CONTEXT = {"help_option_names": ["-h", "--help"]}
PIPE_CLOSED = 141  # 128 + SIGPIPE, the code a shell reports for a program ended by a closed pipe
INTERRUPTED = 130


def show_version(wanted: bool) -> None:
    """Print the version and exit."""
    if wanted:
        from nova_core import __version__

        typer.echo(f"nova {__version__}")
        raise typer.Exit


def entry(
    directory: Directory = None,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=show_version, is_eager=True)
    ] = False,
) -> None:
    """`make -j` for AI coding agents: runs the tasks of a plan in dependency order, in parallel.

    \b
    Try:       nova demo
    Start:     nova init; nova check; nova run
    Look:      nova attach; nova list; nova status; nova progress; nova logs F1 -f; nova why F1;
               nova diff F1; nova history; nova stats
    Continue:  nova retry F1; nova run

    Exit codes: 0 all done, 1 a task failed, 2 usage, 3 the plan is invalid, 4 work remains, 5 budget reached,
    7 another engine is running, 8 environment, 70 internal error, 130 and 143 stopped by a signal.
    """


def wanted_commands(arguments: Iterable[str]) -> list[str]:
    """The commands to load: those named anywhere on the line, or all (help, an error, completing a command).

    The version needs none.
    """
    words = line_to_complete(os.environ) if "_NOVA_COMPLETE" in os.environ else arguments
    if words == ["--version"]:
        return []
    return [name for name in COMMANDS if name in words] or list(COMMANDS)


def line_to_complete(environ: Mapping[str, str]) -> list[str]:
    """The whole words of the line that the shell wants completed, after the program's name."""
    line = environ.get("COMP_WORDS") or environ.get("_TYPER_COMPLETE_ARGS") or ""
    words = line.split()
    return words[1:] if line[-1:].isspace() else words[1:-1]


def function_name(command: str) -> str:
    """The name of a command's function."""
    taken = iskeyword(command) or command in ("list", "type")
    return f"{command}_" if taken else command.replace("-", "_")


def build(names: Iterable[str]) -> typer.Typer:
    """The application with these commands."""
    app = typer.Typer(
        name="nova",
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        no_args_is_help=True,
        context_settings=CONTEXT,
    )
    app.callback()(entry)
    for name in names:
        function: Callable[..., Any] = getattr(import_module(f"nova_core.cli.{COMMANDS[name]}"), function_name(name))
        settings = {**CONTEXT, **getattr(function, "context_settings", {})}
        app.command(name, context_settings=settings)(function)
    return app


def alone(name: str, about: str = "") -> typer.Typer:
    """A program with only this command and its own help."""
    app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
    app.command(context_settings=CONTEXT, help=about or None)(
        getattr(import_module(f"nova_core.cli.{COMMANDS[name]}"), name)
    )
    return app


def run_cli(arguments: list[str], program: str = "nova", only: str | None = None, about: str = "") -> int:
    """Run `nova` with these arguments and return its exit code; raises nothing.

    With `only`, `program` has only that command, and `about` is its help.
    """
    prepare()
    try:
        code = call(arguments, program, only, about)
        sys.stdout.flush()
    except (OutputClosedError, BrokenPipeError):
        abandon_stdout()
        return PIPE_CLOSED
    except OSError as error:  # stdout is on a full disk
        abandon_stdout()
        note(f"nova: cannot write the output: {error.strerror}")
        return 8
    return code


def call(arguments: list[str], program: str, only: str | None, about: str) -> int:
    """Run the command and return its exit code. Raises only the errors of a broken output."""
    try:
        app = alone(only, about) if only else build(wanted_commands(arguments))
        result = app(arguments, prog_name=program, standalone_mode=False)
    except NovaError as error:
        return show_error(error)
    except OutputClosedError:
        raise
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except SystemExit as error:  # raised by typer for a closed pipe
        return PIPE_CLOSED if error.code == 1 else int(error.code or 0)
    except OSError as error:
        return show_refusal(error)
    except Exception as error:
        return misuse(error) or crash(error)
    return result if isinstance(result, int) else 0


def other_use(message: str) -> str:
    """A hint if the unknown command of a message is the name of a task or of a file."""
    _, found, rest = message.partition("No such command '")
    if not found:
        return ""
    from nova_core.cli.names import command_hint

    return command_hint(rest.partition("'")[0])


def misuse(error: Exception) -> int:
    """Report an invalid command line and return 2; 0 if the error is not a usage error of typer."""
    if not hasattr(error, "format_message") or not hasattr(error, "exit_code"):  # typer does not export the base
        return 0
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()  # type: ignore[attr-defined]
    else:
        context = getattr(error, "ctx", None)
        program = context.command_path if context else "nova"
        message = error.format_message()
        show_error(UsageError(message, hint=other_use(message) or f"`{program} --help` shows how it is used"))
    return int(error.exit_code)
