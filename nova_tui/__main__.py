"""The entry point of `nova-tui`: `nova run` that always opens the interface."""

from __future__ import annotations

import sys

ABOUT = """Run a plan in the full-screen interface. Its tasks start at once.

Tasks start when their dependencies are done, in parallel. Done tasks do not run again. If an engine is already
running the plan, the interface opens on that run. q leaves, ? shows the keys.

\b
Examples:  nova-tui
           nova-tui docs/plan.md -j 8
           nova-tui --until F4 --agent claude
           nova-tui -n                       what would run; starts nothing
           nova-tui demo                     a small plan that needs no keys, in ./nova-demo (nova-tui demo --help)

To look without starting anything, use nova check PLAN for a plan, or nova attach for a run.
"""


def main() -> int:
    """Run the plan named in `sys.argv` in the interface, or the demo; returns the exit code (docs/exit-codes.md)."""
    arguments = sys.argv[1:]
    if "--version" in arguments:
        from nova_core import __version__

        sys.stdout.write(f"nova {__version__}\n")
        return 0
    from nova_core.cli.app import run_cli

    if arguments[:1] == ["demo"]:
        return run_cli(arguments, "nova-tui")
    return run_cli(["--ui", *arguments], "nova-tui", only="run", about=ABOUT)


def enter() -> None:
    """Run `main` and exit immediately, as `nova` does."""
    from nova_core.__main__ import leave

    leave(main())


if __name__ == "__main__":
    enter()
