"""The line of a log that says why its task failed. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

TAIL = 40
"""The number of lines at the end of a log among which it is looked for."""
_TELLS = (
    r"(?i:\b(error|err!|fail(ed|s|ure)?|fatal|panic(ked)?|exception|abort(ed)?|cannot|can't|could ?n[o']t|unable|denied"
    r"|refused|not found|no such|undefined|unexpected|invalid|missing|mismatch|killed|expected|assert(ion)?)\b)"
    r"|\w(Error|Exception)\b"
)
_DENIES = r"(?i:\b(0|no) (errors?|fail(ed|ures?)))"
# What follows a failure in many programs, and says no more than the exit code.
_ADDS_NOTHING = (
    r"(?i:^make(\[\d+\])?: \*\*\*|^npm err! (a complete log|code|errno|path|command|lifecycle)|\bprevious errors?\b"
    r"|\bexit(ed)?( with)?( code| status)\b|^[=_~*-]{2,}.*[=_~*-]{2,}$|^\d+ (error|fail)|^tests?:.*\bfailed\b)"
)
_PREFIX = r"(?i:^(\S+ )?\[?(error|fatal|e)\]?: +)"


def telling(lines: Sequence[str]) -> str:
    """The line that says why, of the last lines of a log: the last one that speaks of an error, else the last one."""
    likely = [line for line in lines if re.search(_TELLS, line) and not re.search(_DENIES, line)]
    exact = [line for line in likely if not re.search(_ADDS_NOTHING, line.strip())]
    found = (exact or likely or list(lines) or [""])[-1].strip()
    return re.sub(_PREFIX, "", found)
