"""Fake agents that spend money, message by message, and a ledger of what they have truly spent."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import msgspec
from fakes import FakeClock, FakeExecutor

from nova_core.clock import iso
from nova_core.config import AgentConfig
from nova_core.executors.base import Ended, EndReason, Job, News, Report, Started

PRICE = 1e-6  # US dollars for a token of the model `m`
KINDS = ("obeys", "ignores", "lacks", "hides")


class Work(msgspec.Struct):
    """The work on one task: messages still to send, what each costs in US dollars, and who does it, of `KINDS`.

    `shown` is the part of the cost that the agent prints before its end; its own records have all of it.
    """

    left: int
    cost: float
    agent: str
    shown: float = 1.0


class Spenders(FakeExecutor):
    """Runs agents that keep a cap, ignore it, do not know any, or print what they used only at their end (`hides`).

    They live on when an engine is killed. Each sends its messages at random times. One whose session is continued sends
    the rest, or all messages if it `repeats`. `crashes` is how many of a hundred messages are followed by a crash.
    """

    def __init__(
        self, folder: Path, works: dict[str, Work], seed: int, crashes: int = 0, *, repeats: bool = False
    ) -> None:
        super().__init__(FakeClock(), self._act)
        self.works = works
        self._whole = {name: work.left for name, work in works.items()} if repeats else {}
        self.ledger: list[float] = []
        self._folder = folder
        self._random = Random(seed)
        self._crashes = crashes
        self._due: dict[str, float] = {}
        self._spent: dict[str, float] = {}
        self._results: dict[str, Ended] = {}
        self._sessions: dict[str, str] = {}
        self._totals: dict[str, int] = {}  # tokens by session

    def agents(self) -> dict[str, AgentConfig]:
        """The settings of the agents, whose programs are found in the folder `bin`."""
        places = self._folder / "bin"
        places.mkdir(exist_ok=True)
        for name in ("claude", "opencode", "codex"):
            (places / name).write_text("#!/bin/sh\n")
            (places / name).chmod(0o755)
        env = {"PATH": str(places), **dict.fromkeys(("CLAUDE_CONFIG_DIR", "CODEX_HOME"), str(self._folder / "records"))}
        claude = AgentConfig(use="claude", env=env, mcp=False)
        return {
            "obeys": claude,
            "ignores": claude,
            "lacks": AgentConfig(use="opencode", env=env, mcp=False),
            "hides": AgentConfig(use="codex", env=env, mcp=False, model="m"),
        }

    def recover(self) -> list[Report]:
        over = [ended for key, ended in self._results.items() if key not in self.released]
        self.reports = []
        return [*(Started(key, 4242, self.clock.now()) for key in self.running), *over]

    def wait(self, timeout: float | None) -> list[News]:
        reports = super().wait(timeout)
        self.clock.advance(0.0 if reports else 0.8)  # fewer turns, of the length of a busy machine's
        return reports

    def cancel(self, key: str, grace: float) -> None:
        if key in self.running:
            self._results[key] = Ended(key, EndReason.CANCELLED, signal=15)
        super().cancel(key, grace)

    def _act(self, job: Job) -> Ended | None:
        due = self._due.setdefault(job.key, self.clock.time + self._random.uniform(2.2, 5.0))
        if self.clock.time < due:
            return None
        self._due[job.key] = self.clock.time + self._random.uniform(2.2, 5.0)
        work = self.works[job.key.partition("@")[0]]
        work.left -= 1
        self.ledger.append(work.cost)
        self._spent[job.key] = self._spent.get(job.key, 0.0) + work.cost
        message = self._message(job, work)
        ended, lines = self._end(job, work)
        self._keep_record(job, work, message)
        with (self._folder / "logs" / job.log).open("a") as log:
            log.writelines(json.dumps(line) + "\n" for line in [message, *lines])
        if ended is not None:
            self._results[job.key] = ended
        return ended

    def _end(self, job: Job, work: Work) -> tuple[Ended | None, list[dict[str, Any]]]:
        """How the process ends after this message, if it does, and its last line."""
        if work.left <= 0:
            return Ended(job.key, EndReason.EXIT, code=0), self._last_lines(job, work)
        if work.agent == "obeys" and "--max-budget-usd" in job.argv:
            cap = float(job.argv[job.argv.index("--max-budget-usd") + 1])
            if self._spent[job.key] >= cap:
                return Ended(job.key, EndReason.EXIT, code=1), [self._result(job, "error_max_budget_usd")]
        if self._random.randrange(100) < self._crashes:
            return Ended(job.key, EndReason.EXIT, signal=11), []
        return None, []

    def _message(self, job: Job, work: Work) -> dict[str, Any]:
        name, session = f"{job.key}.{len(self.ledger)}", self._session(job)
        tokens = round(work.cost * work.shown / PRICE)
        if work.agent == "lacks":
            used = {"input": tokens, "output": 1, "cache": {}}
            part = {"id": name, "reason": "stop" if work.left <= 0 else "tool-calls", "tokens": used, "cost": work.cost}
            return {"type": "step_finish", "sessionID": session, "part": part}
        if work.agent == "hides":
            self._totals[session] = self._totals.get(session, 0) + tokens
            return {"type": "item.completed", "item": {"type": "command_execution", "status": "completed"}}
        said = [{"type": "tool_use", "id": name, "name": "Bash", "input": {}}]
        message = {"id": name, "model": "m", "content": said, "usage": {"input_tokens": tokens}}
        return {"type": "assistant", "session_id": session, "message": message}

    def _last_lines(self, job: Job, work: Work) -> list[dict[str, Any]]:
        if work.agent == "lacks":
            return [{"type": "text", "part": {"text": "Done."}}]
        if work.agent == "hides":
            return [{"type": "turn.completed", "usage": {"input_tokens": self._totals[self._session(job)]}}]
        return [self._result(job, "success")]

    def _session(self, job: Job) -> str:
        """The session of the job's agent: the one it continues, or a new one."""
        options = {"--resume": 1, "resume": 2}  # how far the session is behind
        places = (job.argv.index(word) + far for word, far in options.items() if word in job.argv)
        session = next((job.argv[place] for place in places), f"session-{job.key.replace('@', '-')}")
        return self._sessions.setdefault(job.key, session)

    def submit(self, job: Job) -> None:
        super().submit(job)
        task = job.key.partition("@")[0]
        self.works[task].left = self._whole.get(task, self.works[task].left)
        if "codex" in job.argv[0]:
            started = [{"type": "thread.started", "thread_id": self._session(job)}, {"type": "turn.started"}]
            (self._folder / "logs" / job.log).write_text("".join(json.dumps(line) + "\n" for line in started))

    def _keep_record(self, job: Job, work: Work, message: dict[str, Any]) -> None:
        """What the agent writes into its own records."""
        if work.agent == "lacks":
            return
        used, session = {"input_tokens": round(work.cost / PRICE)}, self._session(job)
        folder, name = ("sessions/y/m/d", f"rollout-t-{session}") if work.agent == "hides" else ("projects/p", session)
        records = self._folder / "records" / folder
        records.mkdir(parents=True, exist_ok=True)
        line = {"type": "token_usage_record", "payload": {"usage": used}}
        if work.agent != "hides":
            line = {**message, "message": {**message["message"], "usage": used}}
        with (records / f"{name}.jsonl").open("a") as file:
            file.write(json.dumps({**line, "timestamp": iso(self.clock.now())}) + "\n")

    def _result(self, job: Job, subtype: str) -> dict[str, Any]:
        used = {"m": {"inputTokens": 10, "costUSD": self._spent[job.key]}}
        return {"type": "result", "subtype": subtype, "is_error": subtype != "success", "result": "Done.",
                "session_id": self._session(job), "model_usage_since_last_result": used}  # fmt: skip
