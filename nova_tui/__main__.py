"""The entry of `nova-tui`."""

from __future__ import annotations

import sys

from nova_core import __version__


def main() -> int:
    """Say that the interface is not there yet; 0 for `--help` and `--version`, else 8."""
    if "--version" in sys.argv[1:]:
        sys.stdout.write(f"nova {__version__}\n")
        return 0
    if "--help" in sys.argv[1:] or "-h" in sys.argv[1:]:
        sys.stdout.write("usage: nova-tui [PLAN]\n\nThe terminal interface comes next; until then use `nova run`.\n")
        return 0
    sys.stderr.write("nova-tui: the terminal interface comes next\nhint: use `nova run`\n")
    return 8


if __name__ == "__main__":
    sys.exit(main())
