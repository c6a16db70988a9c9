"""The entry of `nova` and of `python -m nova_core`; `nova report` comes first: agents call it often."""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # what type checkers know it by; importing `typing` would slow `nova report` down
if TYPE_CHECKING:
    from typing import NoReturn


def main() -> int:
    """Run the command line in `sys.argv` and return its exit code (docs/exit-codes.md)."""
    arguments = sys.argv[1:]
    if arguments[:1] == ["report"]:  # everything else costs imports: measured 2 ms for this, 45 ms with typer
        from nova_core.report import main as report

        return report(arguments[1:])
    from nova_core.cli.app import run_cli

    return run_cli(arguments)


def enter() -> None:
    """Run `main` and leave at once.

    Imports and plans make tens of thousands of objects that stay: looking for garbage among them only costs time.
    """
    import gc

    gc.set_threshold(50_000, 20, 50)
    leave(main())


def leave(code: int) -> NoReturn:
    """End with the exit code; to take the interpreter apart costs 15 ms, and everything is on disk by then."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        sys.exit(code)
    import os

    os._exit(code)


if __name__ == "__main__":
    enter()
