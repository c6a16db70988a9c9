"""Keeps the details of a bug in Nova in a file."""

from __future__ import annotations

import os
import sys
import time
import traceback

FOLDER = ".nova"


def keep_crash_report(error: BaseException, folder: str = FOLDER) -> str | None:
    """Write the traceback into an existing folder; returns the path of the file, or None if that is impossible."""
    text = f"{sys.version}\n{sys.argv}\n{''.join(traceback.format_exception(error))}"
    first = os.path.join(folder, f"crash-{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}")
    for name in (f"{first}.txt", f"{first}-2.txt"):  # an interface ends at the second bug within a second
        try:
            descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as file:
                file.write(text)
        except OSError:
            continue
        return name
    return None
