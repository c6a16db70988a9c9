"""The engine's messages to a holder: a list of a word and its arguments.

`["proof", MAC]` comes first: the holder obeys nobody who does not know the project's key. The engine that starts a
holder proves the words `start` and the holder's name, any later one `engine`, the name and the holder's challenge.
`["base", BaseMessage]` follows, then `["job", JobMessage]` and `["cancel", key, grace]`. `["ahead", slots, [JobMessage,
...]]` are jobs that the holder starts itself, one after the other, while fewer than `slots` run; `["withdraw"]` takes
back those that wait. `["type", key, who, text]` and `["size", key, columns, rows]` are for a job's terminal. The holder
answers with the lines of its journal, `["W", [key, ...]]` for jobs that it gives back, and `["T", ...]` for what was
typed. It outlives its engine, and the next engine may be a newer Nova, which sends only `proof`, `cancel`, and to jobs
with a terminal `type` and `size` (their form therefore never changes), and reads the lines of all versions. Text uses
one character per byte (latin-1), so that bytes invalid in any encoding survive.
"""

from __future__ import annotations

from typing import NotRequired, TypedDict


class BaseMessage(TypedDict):
    """What all jobs of an engine share: environment, log folder, project folder."""

    env: dict[str, str]
    logs: str
    root: str


class JobMessage(TypedDict):
    """One job; see `nova_core.executors.base.Job` for the fields."""

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
    terminal: NotRequired[bool]  # False in those of older engines
