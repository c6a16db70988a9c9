"""Real claude and codex: limits are waited for, finished is finished, failures are learned from, budgets are kept."""

from __future__ import annotations

import signal
import time
from typing import Any

import pytest
from agent_lab import PRICE, PRICED, AgentLab, require

from nova_core.agents.pricing import Price, cost, default_prices
from nova_core.clock import seconds
from nova_core.model import TokenUsage

pytestmark = pytest.mark.agents
HOUR = 3600
LOGIN = {"ANTHROPIC_API_KEY": None, "CLAUDE_CODE_OAUTH_TOKEN": "dummy"}  # as a subscription has
ONCE = ["-c", "model_providers.mock.request_max_retries=0", "-c", "model_providers.mock.stream_max_retries=0"]


def codex_limit(until: int) -> list[dict[str, Any]]:
    """The usage limit of a subscription, as the server answers it."""
    error = {"type": "usage_limit_reached", "message": "The usage limit has been reached", "plan_type": "plus",
             "resets_at": until, "resets_in_seconds": until - int(time.time())}  # fmt: skip
    return [{"error": 429, "until": until, "body": {"error": error}, "text": "NOVA-FINAL: done."}]


def claude_limit(until: int, claim: str = "five_hour") -> list[dict[str, Any]]:
    """The same for claude: in headers."""
    headers = {
        "anthropic-ratelimit-unified-status": "rejected", "anthropic-ratelimit-unified-reset": str(until),
        "anthropic-ratelimit-unified-representative-claim": claim, "x-should-retry": "false",
        "anthropic-ratelimit-unified-overage-status": "rejected", "anthropic-ratelimit-unified-5h-reset": str(until),
    }  # fmt: skip
    words = "This request would exceed your account's rate limit. Please try again later."
    return [{"error": 429, "until": until, "headers": headers, "message": words, "text": "NOVA-FINAL: done."}]


def limited_lab(lab: AgentLab, after: int) -> int:
    """A plan with a task of each agent, both limited for `after` seconds; returns the end (since the epoch)."""
    until = int(time.time()) + after
    lab.server.script.scenarios.update(climit=claude_limit(until), xlimit=codex_limit(until))
    lab.settings(claude={"env": {**LOGIN, "CLAUDE_CODE_MAX_RETRIES": "0"}}, codex={"args": ONCE})
    lab.plan("T1 | @mock:climit do it | - | claude | ", "T2 | @mock:xlimit do it | - | codex | ")
    return until


@pytest.mark.parametrize("zone", ["UTC", "America/Bogota", "Asia/Kolkata"])
def test_a_limit_is_held_until_the_time_that_was_stated(zone: str, lab: AgentLab) -> None:
    """In any time zone, also by the next engine after `kill -9`; nothing is asked of the server before."""
    require("claude", "codex")
    until = limited_lab(lab, 50 * HOUR)
    engine = lab.start(TZ=zone)
    lab.until(lambda: len(lab.state().get("run", {}).get("quotas", {})) == 2, "two holds")
    engine.kill()
    engine.wait()
    asked = len(lab.asked("climit")), len(lab.asked("xlimit"))
    before = lab.state()["run"]["clock"]
    lab.start(TZ=zone)
    lab.until(lambda: b"run started" in lab.out.read_bytes().partition(b"run started")[2], "a start")
    lab.until(lambda: lab.nova("status").stdout.count("rate limited until") >= 2, "the holds of the next engine")
    state = lab.state()
    ends = {name: seconds(hold["until"]) for name, hold in state["run"]["quotas"].items()}
    assert abs(ends["anthropic"] - until) <= 5
    assert -5 <= ends["openai"] - until <= 65, "codex names the minute, which is waited for to its end"
    assert (len(lab.asked("climit")), len(lab.asked("xlimit"))) == asked
    assert [state["tasks"][task]["attempt"] for task in ("T1", "T2")] == [1, 1]
    assert before["boot"] == state["run"]["clock"]["boot"]


def test_work_continues_when_the_limit_is_over(lab: AgentLab) -> None:
    """One attempt more, not before that time, and no retry is used."""
    require("claude", "codex")
    until = limited_lab(lab, 40)
    assert lab.nova("run", "--no-ui").returncode == 0
    for task, scenario in (("T1", "climit"), ("T2", "xlimit")):
        state = lab.tasks()[task]
        assert (state["status"], state["attempt"], state["failures"]) == ("completed", 2, 0)
        served = [request["t"] for request in lab.asked(scenario) if not request.get("error")]
        assert served
        assert min(served) >= until


def test_a_limit_of_one_model_leaves_the_other_running(lab: AgentLab) -> None:
    """Opus waits for days; sonnet, of the same provider, works."""
    require("claude")
    lab.server.script.scenarios.update(opus=claude_limit(int(time.time()) + 50 * HOUR, "seven_day_opus"))
    login = {**LOGIN, "CLAUDE_CODE_MAX_RETRIES": "0"}
    lab.settings(
        big={"use": "claude", "model": "opus", "env": login}, small={"use": "claude", "model": "sonnet", "env": login}
    )
    lab.plan("T1 | @mock:opus do it | - | big | ", "T2 | @mock:hello do it | - | small | ")
    engine = lab.start("-j", "1")
    lab.until(lambda: lab.tasks().get("T2", {}).get("status") == "completed", "the work of the other model")
    state = lab.state()
    assert state["tasks"]["T1"]["status"] == "pending"
    assert list(state["run"]["quotas"]) == ["anthropic opus"]
    engine.terminate()
    engine.wait(60)


BACKGROUND = [
    {"text": "Starting.", "tools": [{"name": "Bash", "input": {"command": "sleep 1000", "run_in_background": True}}]},
    {"text": "NOVA-FINAL: it runs."},
]


@pytest.mark.parametrize("end", ["quiet", "kill", "stop"])
def test_a_command_in_the_background_keeps_nothing_waiting(end: str, lab: AgentLab) -> None:
    """claude prints its result and does not exit: done, paid for once, and nothing is left running.

    The same if the engine is killed or stopped meanwhile, and the next one takes over.
    """
    require("claude")
    lab.server.script.scenarios.update(background=BACKGROUND)
    lab.settings({"quiet_timeout": "3s" if end == "quiet" else "20s"})
    lab.plan("T1 | @mock:background do it | - | claude | ")
    engine = lab.start()
    lab.until(lambda: len([1 for request in lab.asked("background") if request.get("usage")]) == 2, "both messages")
    if end != "quiet":
        lab.until(lambda: b'"type":"result"' in (lab.root / "logs" / "T1.log").read_bytes(), "its result")
        engine.send_signal(signal.SIGKILL if end == "kill" else signal.SIGINT)
        engine.wait(60)
        assert lab.nova("run", "--no-ui").returncode == 0
    else:
        assert engine.wait(120) == 0
    task = lab.tasks()["T1"]
    assert (task["status"], task["attempt"], task["verdict"], task["estimated"]) == ("completed", 1, "done", False)
    assert lab.usage("T1") == lab.served("background")


@pytest.mark.parametrize(("agent", "path"), [("claude", "late.txt"), ("codex", "late.txt")])
def test_the_next_attempt_learns_what_is_missing(agent: str, path: str, lab: AgentLab) -> None:
    """The output is missing after the first attempt; the second learns that in its session, and creates it."""
    require(agent)
    late = [
        {"text": "NOVA-FINAL: nothing was to do."}, {"text": "Writing.", "tools": [{"sh": f"echo late > {path}"}]},
        {"text": "NOVA-FINAL: wrote it."},
    ]  # fmt: skip
    lab.server.script.scenarios.update(late=late)
    lab.settings({"retries": 1, "retry_delay": "0s"})
    lab.plan(f"T1 | @mock:late do it | - | {agent} | {path}")
    done = lab.nova("run", "--no-ui")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (lab.tasks()["T1"]["status"], lab.tasks()["T1"]["attempt"]) == ("completed", 2)
    first, second = (request["last"][1] for request in lab.asked("late")[:2])
    assert f"output `{path}` does not exist" in second
    assert "does not exist" not in first


def test_a_budget_is_kept_by_eight_at_once(lab: AgentLab) -> None:
    """claude and codex at -j8: what the server has served costs at most the budget and one message."""
    require("claude", "codex")
    work = [*({"text": "Working.", "tools": [{"sh": "sleep 1"}]} for _ in range(5)), {"text": "NOVA-FINAL: done."}]
    lab.server.script.scenarios.update(work=work)
    budget = 0.15
    lab.settings({"budget": budget})
    names = ("claude", "codex") * 4
    lab.plan(*(f"T{i} | @mock:work part {i} | - | {name} | " for i, name in enumerate(names)))
    done = lab.nova("run", "--no-ui", "-j", "8")
    prices = {**default_prices(), **dict.fromkeys(PRICED, Price(**PRICE))}
    spent = [cost(TokenUsage(u["in"], u["out"], u["cache_read"], u["cache_write"]), request["model"], prices)
             for request in lab.server.requests if (u := request.get("usage"))]  # fmt: skip
    known = [dollars for dollars in spent if dollars is not None]
    assert len(known) == len(spent)
    assert sum(known) <= budget + max(known) + 1e-6, done.stdout
    assert done.returncode == (0 if sum(known) < budget else 5)
