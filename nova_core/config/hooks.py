"""Settings of hooks and notifications, as `nova.yaml` has them."""

import re
from typing import Annotated

import msgspec

from nova_core.files.typed_yaml import (
    above_zero,
    list_of,
    one_of,
    plain,
    read_choice,
    read_duration,
    read_lines,
)

EVENTS = ("started", "failed", "blocked", "waiting", "asked", "paused", "limited", "budget", "milestone", "finished")
TOLD = ("failed", "waiting", "asked", "paused", "limited", "budget", "milestone", "finished")


def _read_addresses(value: object) -> tuple[str, ...]:
    """Addresses of servers, or variables that hold them. A mistake does not repeat the address, which may be secret."""
    found = read_lines(value)
    for text in found:
        if not re.fullmatch(r"https?://[!-~]+|\$[A-Za-z_][A-Za-z0-9_]*", text):
            raise ValueError("must be an address such as https://example.org/x, or a variable such as $WEBHOOK")
    return found


ShellLines = Annotated[tuple[str, ...], plain(read_lines)]
SecondsAboveZero = Annotated[float, plain(above_zero(read_duration))]


class HooksConfig(msgspec.Struct, frozen=True):
    """Shell lines to run on events of the run, and the time limit of each in seconds."""

    started: ShellLines = ()
    failed: ShellLines = ()
    blocked: ShellLines = ()
    waiting: ShellLines = ()
    asked: ShellLines = ()
    paused: ShellLines = ()
    limited: ShellLines = ()
    budget: ShellLines = ()
    milestone: ShellLines = ()
    finished: ShellLines = ()
    timeout: SecondsAboveZero = 30.0


class NotifyConfig(msgspec.Struct, frozen=True):
    """What gets the events of `on`: shell lines and addresses (`$NAME`: in that variable).

    A failed one is retried `retries` times; `timeout` is the longest time of one try in seconds.
    """

    on: Annotated[tuple[str, ...], list_of(one_of("event", EVENTS))] = TOLD
    command: ShellLines = ()
    webhook: Annotated[tuple[str, ...], plain(_read_addresses)] = ()
    format: Annotated[str, plain(read_choice("json", "text"))] = "json"
    retries: int = 3
    timeout: SecondsAboveZero = 10.0
