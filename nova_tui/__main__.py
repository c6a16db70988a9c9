"""The entry of `nova-tui`: `nova run` that always opens the interface."""

from __future__ import annotations

import os
import sys


def main() -> int:
    """Run the plan named in `sys.argv` in the interface and return the exit code (docs/exit-codes.md)."""
    arguments = sys.argv[1:]
    if "--version" in arguments:
        from nova_core import __version__

        sys.stdout.write(f"nova {__version__}\n")
        return 0
    from nova_core.cli.app import run_cli

    return run_cli(["--ui", *arguments], "nova-tui", only="run")


def enter() -> None:
    """Run `main` and leave at once, as `nova` does."""
    code = main()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        sys.exit(code)
    os._exit(code)


if __name__ == "__main__":
    enter()
