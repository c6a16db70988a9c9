"""Output outside the app: text to the clipboard, a log to the user's pager."""

from __future__ import annotations

import os
import shlex
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

from textual.app import App, SuspendNotSupported

from nova_core.text import clean

_TMUX = 2.0  # seconds


def copy(app: App[Any], text: str, file: Path | None, kind: str = "") -> str:
    """Copy `text` into tmux's buffer or through the terminal (OSC 52) and, as not every terminal supports that, into
    `file`; returns a message that names the `kind` of text, and claims no more than is known."""
    if not text:
        return "there is nothing to copy"
    count = text.count("\n") + 1
    what = f"{kind}{count:,} lines" if count > 1 else kind + clean(text[:40])
    if "TMUX" in os.environ and _to_tmux(text):
        said = f"copied {what} into tmux's buffer"
    else:
        app.copy_to_clipboard(text)
        said = f"sent {what} to the terminal"
    if file is None:
        return said
    try:
        _write(file, text)
    except OSError as error:
        return f"{said}; cannot write {file.name}: {error.strerror}"
    return f"{said}; also in {clean(str(Path(file.parent.name, file.name)))}"


def _to_tmux(text: str) -> bool:
    """Load the text into the buffer of tmux, which passes it on to the terminal; False if that did not work."""
    import subprocess

    for options in (["-w"], []):  # -w is for tmux 3.2 and later
        with suppress(OSError, subprocess.SubprocessError):
            done = subprocess.run(
                ["tmux", "load-buffer", *options, "-"], input=text.encode("utf-8", "replace"), capture_output=True,
                timeout=_TMUX, check=False,
            )  # fmt: skip
            if done.returncode == 0:
                return True
    return False


def _write(file: Path, text: str) -> None:
    """Write a file that only its owner may read, as logs may hold secrets; replace an existing file, follow no link."""
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    with suppress(FileNotFoundError):
        temporary.unlink()
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(temporary, flags, 0o600), "w", encoding="utf-8", errors="replace") as stream:
        stream.write(text)
    temporary.replace(file)


def pager_command(path: Path, pager: str) -> list[str]:
    """The command `$PAGER path`, or less, which starts at the end. Raises `ValueError` for unbalanced quotes."""
    words = shlex.split(pager) or ["less"]
    end = ["+G"] if Path(words[0]).name == "less" else []
    return [*words, *end, str(path.absolute())]


def open_in_pager(app: App[Any], path: Path) -> str:
    """Show a file in `$PAGER` while the app is suspended; returns the error in one line, or an empty text."""
    import subprocess

    try:
        command = pager_command(path, os.environ.get("PAGER", ""))
    except ValueError as error:
        return f"$PAGER is not valid: {error}"
    # Leave ctrl+c to the pager. Install a handler, because an ignored signal would stay ignored in the pager.
    try:
        with app.suspend():
            before = signal.signal(signal.SIGINT, lambda *_: None)
            try:
                subprocess.run(command, check=False)
            finally:
                signal.signal(signal.SIGINT, before)
    except SuspendNotSupported:
        return "this terminal cannot run a pager"
    except OSError as error:
        return f"{clean(command[0])}: {error.strerror}; set PAGER to a program that is installed"
    return ""
