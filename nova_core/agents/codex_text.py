"""The output of codex without `--json`, on standard error: sections, each under a heading alone on its line."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import TYPE_CHECKING

from nova_core.agents.fields import first_line, whole, word

if TYPE_CHECKING:
    from nova_core.agents.log import AgentLog

_HEADINGS = ("user", "codex", "thinking", "exec", "apply patch", "tokens used")
_OWN = re.compile(r"ERROR: |warning: |\d{4}-\d\d-\d\dT\S+\s+(?:ERROR|WARN)")  # may be in any section
_ENDED = re.compile(r" (?:succeeded|exited|failed)\b")


def command_of(line: str) -> str:
    """The text of a command as codex runs it."""
    return first_line(line.removeprefix("/bin/bash -lc ").strip("'\""))


class CodexText:
    """The sections so far. `began`: it printed its header. `tokens`: one number for all tokens except cached ones."""

    def __init__(self, log: AgentLog) -> None:
        self.began = False
        self.interrupted = False
        self.tokens = 0
        self._log = log
        self._section = ""
        self._first = self._paths = False

    def take(self, line: str) -> None:
        """Read one line."""
        log = self._log
        if line.startswith("session id: ") and log.session_id is None:
            log.session_id = word(line.removeprefix("session id: ").strip()) or None
            self.began = True
        elif line.startswith("model: ") and log.model is None:
            log.model = word(line.removeprefix("model: ").strip()) or None
        elif line == "turn interrupted":
            self.interrupted = True
        elif self.began and line in _HEADINGS:
            self._section, self._first, self._paths = line, True, False
        elif self._section and not _OWN.match(line):
            self._inside(line, self._first)
            self._first = False

    def _inside(self, line: str, first: bool) -> None:
        log = self._log
        if self._section == "codex" and first:
            log.said(line)
            log.say(line)
        elif self._section == "codex":
            log.said_more("\n" + line)
        elif self._section == "exec" and first:
            log.say(command_of(line.rpartition(" in /")[0]))
        elif self._section == "exec":
            log.tools_run += _ENDED.match(line) is not None
        elif self._section == "tokens used":
            self.tokens, self._section = whole(line), ""
        elif self._section == "apply patch":
            self._patch(line)

    def _patch(self, line: str) -> None:
        """The paths are between the result of the patch and the changes."""
        if line == "patch: completed":
            self._log.tools_run += 1
            self._paths = True
        elif line.startswith("diff --git "):
            self._section = ""
        elif self._paths:
            self._log.changed(line)
            self._log.say(f"edit {PurePath(line).name}")
