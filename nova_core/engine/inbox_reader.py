"""Reads the inbox: a report is accepted only from the running attempt it names, a command only with its proof."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import msgspec

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
        self.settle: Callable[[], bool] = lambda: True  # called before a message is applied; False: not now
        self._obeyed: set[str] = set()  # the files of commands: each counts once, also if a copy of it comes back

    def begin(self) -> None:
        """The engine starts: delete answers that were never fetched."""
        self._inbox.sweep()

    def read(self) -> None:
        """Apply every message in the inbox. Its changes are on disk before it is answered and removed."""
        taken: dict[str, Reply | None] = {}
        try:
            for name, message in self._inbox.read():
                if name not in self._taken:
                    if not self.settle():
                        break
                    self._taken.add(name)
                    taken[name] = self._take(name, message)
        except FileNotFoundError:
            pass  # the inbox was deleted; `Belongings` creates it again
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
        except FileNotFoundError:
            pass
        except OSError as error:
            self._store.refuse(error)
        if taken:
            self._store.when_recorded(partial(self._answer, taken))

    def _take(self, name: str, message: Message | Refused) -> Reply | None:
        if isinstance(message, CommandMessage):
            return self._obey(name, message)
        if isinstance(message, Refused):
            self._store.record(EventKind.WARNING, None, f"a message in the inbox was rejected: {message.why}")
        elif why := self._distrust(message):
            self._store.record(EventKind.WARNING, None, f"a report for {message.task} was rejected: {why}")
        else:
            self._attempts.take_report(message)
        return None

    def _obey(self, name: str, message: CommandMessage) -> Reply:
        """Carry out a command, unless its sender does not know the project's key or it was carried out before."""
        try:
            command = message.read(name, self._secret)
            if name in self._obeyed:
                raise ValueError("it was carried out before")
        except (ValueError, msgspec.MsgspecError) as error:
            text = f"the command `{message.about()}` in the inbox was ignored: {error}"
            self._store.record(EventKind.WARNING, None, text)
            return Reply(False, text)
        self._obeyed.add(name)
        return self._commands.apply(command)

    def _distrust(self, report: WorkerReport) -> str | None:
        """Returns why the report is rejected, or None. Reports by hand have the token, too."""
        attempt = self._active.get(report.task)
        if attempt is None or attempt.number != report.attempt or report.run != self._store.run.id:
            return "not about a running attempt"
        if report.token != attempt_token(self._secret, report.run, report.task, report.attempt):
            return "not from the attempt it is about"
        if report.criterion is not None and not 0 < report.criterion <= len(attempt.task.criteria):
            return f"the task has no criterion {report.criterion}"
        return None
