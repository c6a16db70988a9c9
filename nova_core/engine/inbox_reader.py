"""Reads the inbox; a report is accepted only for the running attempt it names; a token, if sent, must match."""

from __future__ import annotations

from functools import partial

from nova_core.command import Reply
from nova_core.engine.attempts.lifecycle import Attempts
from nova_core.engine.attempts.parts import Parts
from nova_core.engine.command_handler import CommandHandler
from nova_core.files.inbox import CommandMessage, Inbox, Message, Refused, WorkerReport, attempt_token
from nova_core.state.events import EventKind


class InboxReader:
    """Applies each message once and removes it. The tokens of attempts are derived from `secret`."""

    def __init__(self, parts: Parts, secret: bytes, attempts: Attempts, commands: CommandHandler) -> None:
        self._inbox = Inbox(parts.project.inbox_dir, parts.disk)
        self._store = parts.store
        self._active = parts.active
        self._secret = secret
        self._attempts = attempts
        self._commands = commands
        self._taken: set[str] = set()  # applied, but perhaps not yet on disk

    def begin(self) -> None:
        """The engine starts: delete answers that were never fetched."""
        self._inbox.sweep()

    def read(self) -> None:
        """Apply every message in the inbox. Its changes are on disk before it is answered and removed."""
        taken: dict[str, Reply | None] = {}
        try:
            for name, message in self._inbox.read():
                if name not in self._taken:
                    self._taken.add(name)
                    taken[name] = self._take(message)
        except OSError as error:
            self._store.refuse(error)
        if taken:
            self._store.when_recorded(partial(self._answer, taken))

    def _answer(self, taken: dict[str, Reply | None], recorded: bool) -> None:
        try:
            while recorded and taken:
                name, reply = next(iter(taken.items()))
                self._inbox.done(name, reply)
                del taken[name]
                self._taken.discard(name)
        except OSError as error:
            self._store.refuse(error)
        if taken:
            self._store.when_recorded(partial(self._answer, taken))

    def _take(self, message: Message | Refused) -> Reply | None:
        if isinstance(message, CommandMessage):
            return self._commands.apply(message.command)
        if isinstance(message, Refused):
            self._store.record(EventKind.WARNING, None, f"a message in the inbox was rejected: {message.why}")
        elif why := self._distrust(message):
            self._store.record(EventKind.WARNING, None, f"a report for {message.task} was rejected: {why}")
        else:
            self._attempts.take_report(message)
        return None

    def _distrust(self, report: WorkerReport) -> str | None:
        """Returns why the report is rejected, or None. A report without a token counts as sent by a person."""
        attempt = self._active.get(report.task)
        if attempt is None or attempt.number != report.attempt or report.run != self._store.run.id:
            return "not about a running attempt"
        if report.token and report.token != attempt_token(self._secret, report.run, report.task, report.attempt):
            return "not from the attempt it is about"
        return None
