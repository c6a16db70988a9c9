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
    TYPE = "type"
    RESIZE = "resize"


OF_TERMINALS = (CommandKind.TYPE, CommandKind.RESIZE)
"""Commands of which there are many, and whose success needs no words."""


class Command(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One request. Empty `ids` means every task the verb fits (`retry`: all failed; `cancel`: all running).

    `downstream` (retry) also resets the dependents of `ids`; `text` is the reason (reject), a note for the next attempt
    (retry) or the new number of workers (jobs); `kill` (cancel, stop) skips the grace period; `agent` and `model`
    (retry) do the next attempts of `ids`. `type` types `text`, one character per byte, into the terminal of a task, for
    the person `by`; `resize` gives it the size `text` (`120x40`).
    """

    kind: CommandKind
    ids: tuple[str, ...] = ()
    text: str = ""
    downstream: bool = False
    kill: bool = False
    agent: str = ""
    model: str = ""
    by: str = ""


def together(one: Command, other: Command) -> Command | None:
    """One command that types what both type; None if they have to stay apart."""
    same = one.kind is other.kind is CommandKind.TYPE and (one.ids, one.by) == (other.ids, other.by)
    return msgspec.structs.replace(one, text=one.text + other.text) if same else None


class Reply(msgspec.Struct, frozen=True):
    """The engine's answer: whether the command was carried out, and one line for the person."""

    ok: bool
    message: str
