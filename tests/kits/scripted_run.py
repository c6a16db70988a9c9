"""The scripted run of the tests: twenty-one tasks with every form that a run can take, at fixed times."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nova_core.clock import iso, seconds
from nova_core.model import TokenUsage
from nova_core.state.database import AttemptRow
from nova_core.state.events import Event, EventKind
from nova_core.state.schema import CLEARED, Reason, TaskState, TaskStatus, patched

START = 1_700_000_000.0  # 2023-11-14 22:13:20 UTC
NOW = START + 1500
SONNET, LOCAL = "claude-sonnet-4-5", "local-coder"
COMMIT = "0123456789abcdef0123456789abcdef01234567"

PLAN = """\
# Orbit

## L1: core

### L2: parser

| Task ID | Task Name | What Changes | Depends On | Agent | Model | Outputs |
| --- | --- | --- | --- | --- | --- | --- |
| P1 | Read the plan | A reader for the tables of a plan | - | claude | claude-sonnet-4-5 | src/reader.py |
| P2 | Resolve references | Names in the column Depends On | P1 | claude | claude-sonnet-4-5 | src/references.py |
| P3 | Report cycles | Every cycle with its path | P1 | claude | claude-sonnet-4-5 | - |
| P4 | Fuzz the reader | Ten thousand random plans | P2 | claude | claude-sonnet-4-5 | - |

### L2: engine

| Task ID | Task Name | What Changes | Depends On | Agent | Model | Outputs |
| --- | --- | --- | --- | --- | --- | --- |
| E1 | One loop | The loop that owns the run | P1 | claude | claude-sonnet-4-5 | src/loop.py |
| E2 | Worker pool | Workers in sessions of their own | E1 | claude | claude-sonnet-4-5 | src/pool.py |
| E3 | Lock the state | A lock file beside the state | E1 | claude | claude-sonnet-4-5 | - |
| E4 | Adopt workers | Take over what still runs | E2, E3 | claude | claude-sonnet-4-5 | - |
| E5 | Publish snapshots | Values that never change | E1 | claude | claude-sonnet-4-5 | - |

## L1: web

### L2: api

| Task ID | Task Name | What Changes | Depends On | Agent | Model | Outputs |
| --- | --- | --- | --- | --- | --- | --- |
| A1 | Routes | The table of routes | P1 | claude | claude-sonnet-4-5 | web/routes.py |
| A2 | Sessions | Cookies and their store | A1 | claude | claude-sonnet-4-5 | web/sessions.py, docs/sessions.md |
| A3 | Client | A client for the tests | A2 | claude | claude-sonnet-4-5 | - |
| A4 | Rate limits | A bucket for every address | A1 | claude | claude-sonnet-4-5 | - |

### L2: pages

| Task ID | Task Name | What Changes | Depends On | Agent | Model | Outputs |
| --- | --- | --- | --- | --- | --- | --- |
| W1 | Layout | A grid for all pages | A1 | local | local-coder | web/layout.css |
| W2 | Board | The board of tasks | A1 | local | local-coder | - |
| W3 | Settings | Everything a user can set | W1 | local | local-coder | - |
| W4 | Theme | Light and dark | A1 | local | local-coder | - |

## L1: docs

### L2: guide

| Task ID | Task Name | What Changes | Depends On | Agent | Model | Outputs |
| --- | --- | --- | --- | --- | --- | --- |
| D1 | Quickstart | A page for the first five minutes | - | claude | claude-sonnet-4-5 | docs/quickstart.md |
| D2 | Reference | Every option, generated | E1 | claude | claude-sonnet-4-5 | docs/reference.md |
| D3 | Tutorial | A plan built step by step | D1 | claude | claude-sonnet-4-5 | - |
| D4 | Release notes | What is new in this version | D2, W3 | claude | claude-sonnet-4-5 | - |

#### A4

- [ ] A burst is refused: `pytest -q tests/test_limits.py::test_burst`
- [ ] The limit can be set per route

#### E2

- [ ] No worker is left behind: `pytest -q tests/test_pool.py`
- [ ] A cancelled worker ends within five seconds
- [ ] The pool grows and shrinks while it runs
"""

# What must have no effect wherever it is shown: markup, actions, escapes, controls, bidi, wide, zero-width characters.
HOSTILE = (
    "x [/nope] z",
    "fix list[0] [bold]now[/bold]",
    "[@click=app.quit]press me[/]",
    "\x1b[31mred\x1b[0m \x1b]0;title\x07 end",
    "\x1b]52;c;aGk=\x1b\\ \x9b2J bell\x07 nul\x00",
    "\u202ereversed\u2066 zero\u200bwidth",
    "面白い計画 🚀 in wide letters",
    "\\[escaped\\] $text-error {0} %s",
)


class Script:
    """Writes the events of a run as the engine would; `at` sets the seconds since its start."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.attempts: list[AttemptRow] = []
        self.tasks: dict[str, TaskState] = {}
        self.now = START
        self._used: dict[str, TokenUsage] = {}

    def at(self, seconds: float) -> Script:
        """Advance the clock."""
        self.now = START + seconds
        return self

    def say(self, kind: EventKind, task: str | None = None, message: str = "", **patch: Any) -> None:
        """Add one event."""
        event = Event(len(self.events) + 1, iso(self.now), kind, task, message, patch)
        self.events.append(event)
        if task is not None:
            self.tasks[task] = patched(self.tasks.get(task, TaskState()), patch, False)

    def start(self, task: str, name: str, model: str = SONNET) -> None:
        """A worker starts the next attempt."""
        number = self.tasks.get(task, TaskState()).attempt + 1
        cleared = CLEARED if number > 1 else {}
        patch = {
            **cleared, "status": TaskStatus.IN_PROGRESS, "attempt": number, "worker_id": f"{task}@{number}",
            "started_at": iso(self.now), "log": f"{task}.log", "model": model,
        }  # fmt: skip
        self._used[task] = TokenUsage()
        self.say(EventKind.TASK_STARTED, task, f"{task} started: {name}", **patch)
        pid = 40_000 + len(self.events)
        self.say(EventKind.TASK_RUNNING, task, f"{task} runs as pid {pid}", pid=pid)

    def step(self, task: str, step: str, percent: int, usage: TokenUsage | None = None, **patch: Any) -> None:
        """The worker reports."""
        if usage is not None:
            patch |= self._spend(task, usage)
        text = f"{task}: {step}"
        self.say(EventKind.TASK_PROGRESS, task, text, current_step=step, progress=percent, **patch)

    def done(self, task: str, usage: TokenUsage | None = None, files: Sequence[str] = (), **patch: Any) -> None:
        """The attempt succeeded."""
        patch = {
            **self._over(task, usage),
            "exit_code": 0,
            "commit_sha": COMMIT,
            "files_changed": tuple(files),
            **patch,
        }
        self.say(
            EventKind.TASK_COMPLETED, task, f"{task} completed", **patch, status=TaskStatus.COMPLETED, current_step=None
        )
        self._keep(task)

    def fail(self, task: str, reason: Reason, error: str, usage: TokenUsage | None = None, **patch: Any) -> None:
        """The attempt failed, finally unless `retry_at` is given."""
        patch = {
            **self._over(task, usage), "reason": reason, "error": error, "current_step": None,
            "failures": self.tasks[task].failures + 1, **patch,
        }  # fmt: skip
        if "retry_at" in patch:
            text = f"{task} retrying in 30s: {error}"
            self.say(EventKind.TASK_RETRYING, task, text, **patch, status=TaskStatus.PENDING)
        else:
            self.say(EventKind.TASK_FAILED, task, f"{task} failed: {error}", **patch, status=TaskStatus.FAILED)
        self._keep(task)

    def await_approval(self, task: str, usage: TokenUsage, files: Sequence[str] = ()) -> None:
        """The attempt succeeded, and the task needs approval."""
        over = {**self._over(task, usage), "exit_code": 0, "files_changed": tuple(files), "approval": "waiting"}
        text = f"{task} needs approval: `nova approve {task}`"
        self.say(EventKind.TASK_WAITING, task, text, **over, current_step="waiting for approval")
        self._keep(task)

    def block(self, task: str, *causes: str) -> None:
        """The task cannot start until the failed ones are retried."""
        self.say(EventKind.TASK_BLOCKED, task, f"{task} is blocked by {', '.join(causes)}", blocked_by=causes)

    def _over(self, task: str, usage: TokenUsage | None) -> dict[str, Any]:
        started = next(e for e in reversed(self.events) if e.task == task and e.kind is EventKind.TASK_STARTED)
        elapsed = self.now - seconds(started.at)
        over = {"pid": None, "completed_at": iso(self.now), "elapsed": elapsed, "duration_seconds": round(elapsed)}
        return {**over, "verifying": False, **(self._spend(task, usage) if usage else {})}

    def _spend(self, task: str, usage: TokenUsage) -> dict[str, Any]:
        state = self.tasks[task]
        self._used[task] += usage
        cost = None if state.model == LOCAL else round((state.cost_usd or 0.0) + price(usage), 6)
        return {"token_usage": state.token_usage + usage, "cost_usd": cost}

    def _keep(self, task: str) -> None:
        state, used = self.tasks[task], self._used[task]
        failed = self.events[-1].kind not in (EventKind.TASK_COMPLETED, EventKind.TASK_WAITING)
        cost = None if state.model == LOCAL or not used.total else price(used)
        self.attempts.append(
            AttemptRow(
                "r1", task, state.attempt, state.started_at, state.completed_at, state.elapsed,
                "failed" if failed else "completed", state.reason if failed else None, state.exit_code, state.signal,
                state.error if failed else None, state.log, state.model, cost, used.input_tokens, used.output_tokens,
                used.cache_read_tokens, used.cache_creation_tokens,
            )
        )  # fmt: skip


def price(usage: TokenUsage) -> float:
    """Dollars, at 3 for input and 15 for output per million tokens, reads at a tenth, writes at five quarters of the
    input."""
    reads, writes = usage.cache_read_tokens * 0.3, usage.cache_creation_tokens * 3.75
    return (usage.input_tokens * 3 + usage.output_tokens * 15 + reads + writes) / 1e6


def used(thousands: float) -> TokenUsage:
    """Tokens in a usual mix, with about that many thousands of input."""
    n = round(thousands * 1000)
    return TokenUsage(n, n // 8, n * 6, n // 3)


def script() -> Script:
    """The run up to minute 25: 7 completed, one of them skipped; failed in five ways; the rest unfinished."""
    s = Script()
    s.say(EventKind.RUN_STARTED, None, "21 tasks, 4 workers", id="r1", started_at=iso(START), name="Orbit")
    s.start("P1", "Read the plan")
    s.start("D1", "Quickstart")
    s.at(60).step("P1", "reading tables", 50, used(12))
    s.at(150).done("D1", used(8), ["docs/quickstart.md"])
    s.at(180).done("P1", used(14), ["src/reader.py", "tests/test_reader.py"])
    s.at(181).start("E1", "One loop")
    s.start("P2", "Resolve references")
    s.start("A1", "Routes")
    s.at(182).say(EventKind.TASK_COMPLETED, "P3", "P3 skipped", status=TaskStatus.COMPLETED, skipped=True)
    s.at(183).start("D3", "Tutorial")
    s.at(300).fail("P2", Reason.EXIT_CODE, "exit code 1", used(9), exit_code=1, retry_at=iso(s.now + 30))
    s.at(330).start("P2", "Resolve references")
    s.at(390).done("A1", used(16), ["web/routes.py"])
    s.at(391).start("W4", "Theme", LOCAL)
    s.start("A2", "Sessions")
    s.at(480).done("E1", used(31), ["src/loop.py", "src/clock.py"], criteria_met=())
    s.say(EventKind.MILESTONE, None, "A quarter done: 5 of 21 tasks", milestones=("quarter",))
    s.at(481).start("E3", "Lock the state")
    s.at(500).fail("W4", Reason.CANCELLED, "cancelled", signal=15)
    s.at(510).start("D2", "Reference")
    s.at(600).done("P2", used(18), ["src/references.py"])
    s.at(601).start("P4", "Fuzz the reader")
    s.at(640).fail("A2", Reason.MISSING_OUTPUTS, "missing output: docs/sessions.md", used(22), exit_code=0)
    s.block("A3", "A2")
    s.at(641).start("A4", "Rate limits")
    s.at(700).fail("P4", Reason.EXIT_CODE, "exit code 2", used(5), exit_code=2, retry_at=iso(s.now + 30))
    s.at(730).start("P4", "Fuzz the reader")
    s.at(800).fail("P4", Reason.SIGNAL, "killed by signal 11 (SIGSEGV)", used(6), signal=11, retry_at=iso(s.now + 60))
    s.at(810).await_approval("D2", used(25), ["docs/reference.md"])
    s.at(860).start("P4", "Fuzz the reader")
    s.at(900).say(EventKind.TASK_VERIFYING, "A4", "A4: checking criterion 1", verifying=True)
    s.at(930).fail(
        "A4", Reason.CHECK_FAILED,
        "criterion not met: A burst is refused: `pytest -q tests/test_limits.py::test_burst`"
        " (exit code 1; logs/A4.check-1.log)", used(19), exit_code=0, criteria_met=(2,),
    )  # fmt: skip
    s.at(931).start("E2", "Worker pool")
    s.at(960).fail("P4", Reason.EXIT_CODE, "exit code 1", used(7), exit_code=1)
    s.at(961).start("W1", "Layout", LOCAL)
    s.at(1081).fail("E3", Reason.TIMEOUT, "ran longer than 10m 00s", used(12), signal=15)
    s.block("E4", "E3")
    s.at(1090).start("E5", "Publish snapshots")
    s.at(1200).step("W1", "writing the grid", 60, used(11))
    s.at(1210).say(EventKind.WARNING, "D3", "no output for 5m 00s")
    s.at(1300).step("E2", "tests of the pool", 40, used(27), criteria_met=(1,))
    s.at(1400).say(EventKind.BUDGET_REACHED, None, "80 % of the budget of $2.50 is spent")
    s.at(1440).step("E5", "checking", 90, used(10))
    s.say(EventKind.TASK_VERIFYING, "E5", "E5: checking its outputs", verifying=True)
    s.at(1480).fail("D3", Reason.RATE_LIMITED, "rate limited by the provider", used(13), exit_code=1,
                    retry_at=iso(s.now + 60))  # fmt: skip
    s.at(1500)
    return s
