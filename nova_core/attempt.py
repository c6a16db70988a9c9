"""One attempt in flight: who it is, what it has printed so far, which tokens it has used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from nova_core.executors.base import Ended
from nova_core.inbox import Report, Tokens
from nova_core.model import TokenUsage
from nova_core.record import TaskState
from nova_core.tokens import TokenCounter

MOST_TEXT = 500
_READ = 1 << 20


class Attempt:
    """A task's worker at work. `check` is 0 while the command runs, else the number of the criterion being proved.

    `cancelled`: somebody wants it to end; `interrupted`: only because the run ends, so that it is to run again.
    """

    __slots__ = (
        "base_cost", "base_sha", "base_usage", "cancelled", "check", "counter", "ended", "files", "interrupted", "key",
        "number", "offset", "pid", "reported", "started", "task_id",
    )  # fmt: skip

    def __init__(self, task_id: str, number: int, started: float, state: TaskState) -> None:
        self.task_id = task_id
        self.number = number
        self.key = f"{task_id}@{number}"
        self.started = started
        self.pid: int | None = None
        self.check = 0
        self.ended: Ended | None = None
        self.cancelled = False
        self.interrupted = False
        self.base_sha = state.base_sha
        self.base_usage = state.token_usage
        self.base_cost = state.cost_usd
        self.counter = TokenCounter()
        self.offset = 0
        self.reported: Tokens | None = None
        self.files: tuple[str, ...] = ()

    @property
    def usage(self) -> TokenUsage:
        """Tokens of this attempt: what it reported, class by class, else what its log says."""
        if self.reported is None:
            return self.counter.usage
        given = {k: v for k in TokenUsage.__struct_fields__ if (v := getattr(self.reported, k)) is not None}
        return msgspec.structs.replace(self.counter.usage, **given)

    def read_log(self, path: Path) -> bool:
        """Count the tokens printed since the last look; False if nothing was.

        A log shorter than at the last look was cut to its limit at the end: what was counted before stays counted.
        """
        try:
            size = path.stat().st_size
            if size <= self.offset:
                return False
            with path.open("rb") as file:
                file.seek(self.offset)
                while chunk := file.read(_READ):
                    self.counter.feed(chunk)
                self.offset = file.tell()
        except OSError:
            return False
        return True


def patch_of(report: Report) -> dict[str, Any]:
    """The fields of the task that a worker's report changes, its tokens apart."""
    patch: dict[str, Any] = {}
    if report.step is not None:
        patch["current_step"] = report.step[:MOST_TEXT]
    if report.percent is not None:
        patch["progress"] = max(0, min(100, report.percent))
    if report.criterion is not None:
        patch["current_step"] = f"reports criterion {report.criterion} met"
    return patch
