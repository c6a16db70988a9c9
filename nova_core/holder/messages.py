"""What the engine says to a holder: a list of a word and what goes with it.

`["base", BaseMessage]` comes first, then `["job", JobMessage]` and `["cancel", key, grace]`. The holder answers with
the lines of its journal. It outlives its engine, and the next engine may be of a newer Nova: that one sends `cancel`
only, which therefore stays as it is, and reads the lines of all versions. Text travels with one character a byte
(latin-1), so that what no encoding can express arrives unharmed.
"""

from __future__ import annotations

from typing import TypedDict


class BaseMessage(TypedDict):
    """What all jobs of an engine share: environment, log folder, project folder."""

    env: dict[str, str]
    logs: str
    root: str


class JobMessage(TypedDict):
    """One job; see `nova_core.executors.base.Job` for the meaning of the fields."""

    key: str
    argv: list[str]
    shell: str
    cwd: str
    env: dict[str, str]
    log: str
    timeout: float
    idle_timeout: float
    grace: float
    log_limit: int
    stdin: str
    interrupt: bool
