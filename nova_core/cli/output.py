"""Output of commands: data to stdout, everything else to stderr, with colours on a terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence

from nova_core.errors import EnvironmentProblem

COLOURS = {"red": "31", "green": "32", "yellow": "33", "blue": "34", "dim": "2", "bold": "1"}


_NO = ("", "0", "false")  # values that force nothing


class OutputClosedError(Exception):
    """The reader of stdout closed it; the command ends quietly."""


def prepare() -> None:
    """Make both streams usable even if they are closed or their encoding lacks characters."""
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - stays open until the process ends
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def out(text: str = "") -> None:
    """Print one piece of data. Raises `OutputClosedError` if stdout is closed, `EnvironmentProblem` on a full disk."""
    try:
        sys.stdout.write(text + "\n")
    except BrokenPipeError as error:
        raise OutputClosedError from error
    except OSError as error:
        abandon_stdout()
        raise EnvironmentProblem(f"cannot write the output: {error.strerror}") from None


def out_lines(lines: Iterable[str]) -> None:
    """Print many lines with one write."""
    text = "\n".join(lines)
    if text:
        out(for_runner(text))


def out_json(value: object, *, indent: bool = False) -> None:
    """Print a value of Nova's as JSON on one line, or on several with `indent`."""
    import msgspec

    data = msgspec.json.encode(value)
    out(json_text(msgspec.json.format(data, indent=2) if indent else data).decode())


def json_text(data: bytes) -> bytes:
    """JSON escaped so that it controls neither a terminal nor GitHub's runner."""
    from nova_core.text import harmless_json

    return harmless_json(data.replace(b"##[", b"#\\u0023["))


def for_runner(text: str) -> str:
    """On GitHub, the text without the commands of its runner: `::` at the start of a line, any `##[`."""
    if "GITHUB_ACTIONS" not in os.environ:
        return text
    lines = text.replace("##[", "## [").split("\n")
    return "\n".join(line.replace("::", ": :", 1) if line.lstrip().startswith("::") else line for line in lines)


def flush() -> None:
    """Flush everything printed so far."""
    try:
        sys.stdout.flush()
    except BrokenPipeError as error:
        raise OutputClosedError from error


def note(text: str) -> None:
    """Print a message for people, not for programs."""
    tell(for_runner(text))


def tell(text: str) -> None:
    """Print a line to stderr unchanged, even if it is a command for GitHub's runner."""
    try:
        sys.stdout.flush()
        sys.stderr.write(text + "\n")
        sys.stderr.flush()
    except OSError:  # stderr is closed too
        return


def abandon_stdout() -> None:
    """Discard buffered output, so that the interpreter's final flush cannot fail."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)


def coloured() -> bool:
    """Returns True if stdout gets colours: if it is a terminal that has them, unless the environment says otherwise.

    `NO_COLOR` (no-color.org) wins, then `FORCE_COLOR` (force-color.org) and `CLICOLOR_FORCE`, then `CLICOLOR=0`
    (bixense.com/clicolors).
    """
    environ = os.environ
    if environ.get("NO_COLOR"):
        return False
    if any(environ.get(name, "").lower() not in _NO for name in ("FORCE_COLOR", "CLICOLOR_FORCE")):
        return True
    return sys.stdout.isatty() and environ.get("TERM") != "dumb" and environ.get("CLICOLOR") != "0"


def paint(text: str, colour: str) -> str:
    """`text` in a colour of `COLOURS` if colours are on; an empty name means no colour."""
    return painted(text, colour) if coloured() else text


def painted(text: str, colour: str) -> str:
    """`text` in a colour of `COLOURS`; an empty name means no colour."""
    return f"\x1b[{COLOURS[colour]}m{text}\x1b[0m" if colour else text


def columns(rows: Sequence[Sequence[str]], gap: int = 2) -> list[str]:
    """Rows of cells as aligned lines; the last column keeps its length."""
    if not rows:
        return []
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        (" " * gap)
        .join([*(cell.ljust(width) for cell, width in zip(row[:-1], widths, strict=False)), row[-1]])
        .rstrip()
        for row in rows
    ]
