"""The requests a person can make of a run, with or without a live engine."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class CommandKind(StrEnum):
    """The verbs of `nova retry`, `nova cancel` and so on."""

    RETRY = "retry"
    SKIP = "skip"
    APPROVE = "approve"
    REJECT = "reject"
    CANCEL = "cancel"
    PAUSE = "pause"
    RESUME = "resume"
    JOBS = "jobs"
    STOP = "stop"


class Command(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One request. Empty `ids` means every task the verb fits (`retry`: all failed; `cancel`: all running).

    `downstream` (retry) also resets the dependents of `ids`; `text` is the reason (reject), a note for the next attempt
    (retry) or the new number of workers (jobs); `kill` (cancel, stop) skips the grace period; `agent` and `model`
    (retry) do the next attempts of `ids`.
    """

    kind: CommandKind
    ids: tuple[str, ...] = ()
    text: str = ""
    downstream: bool = False
    kill: bool = False
    agent: str = ""
    model: str = ""


class Reply(msgspec.Struct, frozen=True):
    """The engine's answer: whether the command was carried out, and one line for the person."""

    ok: bool
    message: str
