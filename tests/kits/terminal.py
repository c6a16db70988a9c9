"""Runs `nova` on its own terminal and examines every byte that arrives there."""

from __future__ import annotations

import fcntl
import os
import re
import struct
import subprocess
import termios
from collections.abc import Mapping
from pathlib import Path

from cli_process import WARM, can_be_warm, command, environment

# What Nova and Rich themselves send: colours, cursor up, erase a line, hide and show the cursor; `status --watch`
# goes home and erases the screen.
OWN = re.compile(r"\x1b\[(?:[0-9;]*m|[0-9]*A|2K|\?25[lh])|\x1b\[H\x1b\[2J|\r\x1b\[2K|\r\n|\r(?=\x1b)|[\n\t]")
HARMFUL = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f]"
)


def harm_in(text: str, own: re.Pattern[str] = OWN) -> list[str]:
    """The characters that act on a terminal, or that hide text, with their surroundings."""
    rest = own.sub("", text)
    return [rest[max(0, m.start() - 20) : m.end() + 20] for m in HARMFUL.finditer(rest)]


def on_terminal(*arguments: str, cwd: Path, env: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Exit code of `nova ARGUMENTS`, and what the terminal received from both of its outputs."""
    main, side = os.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 60, 400, 0, 0))
    variables = environment({"TERM": "xterm-256color", "COLUMNS": "400", **(env or {})})
    process = (WARM.start(arguments, cwd, variables, [side] * 3) if can_be_warm(env) else None) or subprocess.Popen(
        command(*arguments), cwd=cwd, env=variables, stdin=side, stdout=side, stderr=side
    )
    os.close(side)
    parts = []
    while part := read(main):
        parts.append(part)
    os.close(main)
    return process.wait(60), b"".join(parts).decode("utf-8")


def read(descriptor: int) -> bytes:
    """The next bytes; none when the other side is closed, which Linux reports as EIO."""
    try:
        return os.read(descriptor, 65_536)
    except OSError:
        return b""
