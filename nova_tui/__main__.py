"""The entry of `nova-tui`: `nova run` that always opens the interface."""

from __future__ import annotations

import sys

ABOUT = """Open the full-screen interface on a plan and run it: its tasks start at once.

Every task starts when its dependencies are done, as many at once as allowed. Done tasks are not run again.
A run of the plan that goes on already, in the background or elsewhere, is joined. q leaves, ? shows the keys.

\b
Examples:  nova-tui
           nova-tui docs/plan.md -j 8
           nova-tui --until F4 --agent claude
           nova-tui -n                       what would run; starts nothing
           nova-tui demo                     a small plan that needs no keys, in ./nova-demo (nova-tui demo --help)

To look without starting anything: nova check PLAN shows what is in a plan, nova attach opens the interface on a run.
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
    """Run `main` and leave at once, as `nova` does."""
    from nova_core.__main__ import leave

    leave(main())


if __name__ == "__main__":
    enter()
