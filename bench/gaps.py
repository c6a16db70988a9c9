"""The wrong changes that the tests of Nova once missed although a user would not: `mutants.py --gaps` tries each again.

A change is a piece of a module and what it is replaced by. If the piece is no longer there, the run says so: find where
the step is now.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from mutations import Mutant, short

CODE = Path(__file__).parents[1] / "nova_core"


class Gap(NamedTuple):
    """What a user would meet, and the change that causes it."""

    name: str
    module: str  # below nova_core
    before: str
    after: str

    def mutant(self) -> Mutant | None:
        """The change to the module as it is now; None if the piece is not there, or not once."""
        source = (CODE / self.module).read_text()
        if source.count(self.before) != 1:
            return None
        line = source[: source.index(self.before)].count("\n") + 1
        changed = source.replace(self.before, self.after)
        return Mutant(line, f"{self.name}: {short(self.before)}", short(self.after), changed.encode())


GAPS = (
    Gap(
        "a job whose holder died before it ran is lost, and started again",
        "executors/journal_reader.py",
        "self.intents.keys() | self.processes.keys()",
        "self.processes.keys()",
    ),
    Gap(
        "a worker of an attempt that is over works on beside the new one",
        "engine/recovery.py",
        "parts.executor.cancel(report.key, 0.0)",
        "pass",
    ),
    Gap(
        "tasks that were taken over hold no locks and no place in the limits",
        "plan/scheduler.py",
        "        self.discard(index)\n        self._take(index)",
        "        self.discard(index)",
    ),
    Gap(
        "cancelling one task kills what others have put in the background",
        "holder/killing.py",
        "p.pid not in holder.by_pid and _owned(holder, job, p)}",
        "p.pid not in holder.by_pid}",
    ),
    Gap(
        "agents at work are not ended when the budget is used up",
        "engine/admission.py",
        "self._attempts.end_costly(why)",
        "pass",
    ),
    Gap(
        "the budget is never looked at while agents run",
        "engine/attempts/budget.py",
        "self.limit is None or self.is_over or not",
        "self.limit is None or not self.is_over or not",
    ),
    Gap(
        "a run that is resumed over its budget does not look at it",
        "engine/attempts/budget.py",
        "self._has_changed = True  # since",
        "self._has_changed = False  # since",
    ),
    Gap(
        "a provider's second, later time is ignored",
        "engine/attempts/rate_limits.py",
        "max(wait or 0.0, self._guess(tries))",
        "max(0.0, self._guess(tries))",
    ),
    Gap(
        "a hold is lifted by a success of an attempt that was under way",
        "engine/attempts/rate_limits.py",
        "if hold is not None and not is_current(hold, self._parts.clock.now()):",
        "if hold is not None:",
    ),
    Gap(
        "of several agents the cheapest is expected",
        "engine/attempts/budget.py",
        "return max(known, default=None)",
        "return min(known, default=None)",
    ),
    Gap(
        "an agent starts before its record is on disk",
        "holder/holder.py",
        "self._record_process(job)\n            self.journal.sync()",
        "self._record_process(job)",
    ),
    Gap(
        "the journal of an agent is never synced",
        "holder/journal.py",
        "        if self._durable:",
        "        if not self._durable:",
    ),
    Gap(
        "the end of an agent is reported before it is on disk",
        "holder/holder.py",
        "            self.journal.sync()\n        except OSError as error:",
        "            pass\n        except OSError as error:",
    ),
    Gap("the folder of the journal is not synced", "holder/holder.py", "os.fsync(FOLDER_FD)", "pass"),
    Gap(
        "another program's change is overwritten by the engine",
        "state/manager.py",
        "with self._exclusive():\n            if not self._is_ours():",
        "if True:\n            if not self._is_ours():",
    ),
    Gap(
        "a program that sets the project's times overwrites another",
        "state/manager.py",
        "with self._exclusive():\n            state = self._reload()\n            given",
        "if True:\n            state = self._reload()\n            given",
    ),
    Gap(
        "a refusal of an hour ago ends the run at once",
        "engine/admission.py",
        "            self._disk_since = None\n            return False",
        "            return False",
    ),
    Gap(
        "a command without its environment outlives its killed holder",
        "executors/journal_reader.py",
        "for key, process in self.processes.items() if key in keys]",
        "for key, process in self.processes.items() if key not in keys]",
    ),
    Gap("start times are read from the wrong field", "holder/journal.py", ".split()[19])", ".split()[20])"),
    Gap(
        "a journal whose first line is damaged ends the next run with a traceback",
        "executors/journal_reader.py",
        "if self.hello is None or self.hello.boot != boot_id():",
        "if self.hello.boot != boot_id():",
    ),
    Gap(
        "no event says that the budget was reached",
        "engine/attempts/budget.py",
        "self._parts.store.record(EventKind.BUDGET_REACHED, None, text)",
        "pass",
    ),
    Gap(
        "agents are ended over budget, and the run does not count as such",
        "engine/attempts/budget.py",
        '        self._reach(spent, "")\n',
        "",
    ),
    Gap(
        "a failed task that was edited keeps its failures",
        "state/schema.py",
        '"failures": 0, "refusals": 0',
        '"failures_": 0, "refusals": 0',
    ),
    Gap(
        "a program that answers a stop with an exit code of its own fails for good",
        "engine/attempts/finish.py",
        "if attempt.ending is EndedBy.PERSON or",
        "if attempt.ending is not None or",
    ),
    Gap(
        "a second refusal of the disk in a row stops the tries",
        "state/store.py",
        "        self._dirty = True\n        self._next_commit = self._next_publish",
        "        self._dirty = False\n        self._next_commit = self._next_publish",
    ),
    Gap(
        "the first refusal of the disk is not reported",
        "state/store.py",
        "first = self.disk_error is None",
        "first = self.disk_error is not None",
    ),
    Gap(
        "the state is ahead of the history, which lacks what was done",
        "state/writer.py",
        "if batch.events or batch.attempts or self._database.is_missing:",
        "if batch.state is None:",
    ),
)
