"""The entry point of `nova` and `python -m nova_core`. `nova report` comes first because agents call it often."""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # the name type checkers know; importing `typing` would slow `nova report` down
if TYPE_CHECKING:
    from typing import NoReturn


def main() -> int:
    """Run the command line in `sys.argv` and return its exit code (docs/exit-codes.md)."""
    arguments = sys.argv[1:]
    if arguments[:1] == ["report"]:  # all other commands import more: measured 2 ms for this one, 45 ms with typer
        from nova_core.report import main as report

        return report(arguments[1:])
    if arguments[:1] == ["acp-run"]:  # one for each agent that runs: it must start and stay small, too
        from nova_core.acp.run import main as acp_run

        return acp_run(arguments[1:])
    from nova_core.cli.app import run_cli

    return run_cli(arguments)


def enter() -> None:
    """Run `main` and exit at once.

    Imports and plans create tens of thousands of objects that stay: searching them for garbage only costs time.
    """
    import gc

    gc.set_threshold(50_000, 20, 50)
    leave(main())


def leave(code: int) -> NoReturn:
    """Exit with the code at once: everything is on disk by then, and a normal interpreter shutdown costs 15 ms."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        sys.exit(code)
    import os

    os._exit(code)


if __name__ == "__main__":
    enter()
