"""What reading agents' output costs the engine: eight workers, each printing a thousand stream lines a second.

The lines were printed by real agents; those of the Agent Client Protocol are made up, with a call of a tool in 500, and
pass through `nova acp-run`. Prints the share of one core that the engine used, next to that of an engine with eight
workers that print nothing, the share of one `nova acp-run`, and the time per line of each format, read alone.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from nova_core.agents import FORMATS

CAPTURES = Path(__file__).parents[1] / "tests" / "agents" / "captures"
SAMPLES = {"claude": "claude/partial.jsonl", "codex": "codex/tool.jsonl", "gemini": "gemini/tool.jsonl",
           "opencode": "opencode/tool.jsonl", "aider": "aider/tool.txt"}  # fmt: skip
WORKERS = 8

TALKER = """\
import sys, time
lines = [line for line in open({sample!r}, "rb").read().splitlines(keepends=True) if b'"type":"result"' not in line]
end = time.monotonic() + {seconds}
at, n = time.monotonic(), 0
while at < end:
    for _ in range({rate} // 20):
        sys.stdout.buffer.write(lines[n % len(lines)])
        n += 1
    sys.stdout.flush()
    at += 0.05
    time.sleep(max(0.0, at - time.monotonic()))
"""
ACP_TALKER = """\
import json, sys, time
def send(**message):
    sys.stdout.write(json.dumps({{"jsonrpc": "2.0", **message}}) + chr(10))
def update(**fields):
    send(method="session/update", params={{"sessionId": "s", "update": fields}})
def talk():
    at, end, n = time.monotonic(), time.monotonic() + {seconds}, 0
    while at < end:
        for _ in range({rate} // 20):
            n += 1
            if n % 500:
                update(sessionUpdate="agent_message_chunk", content={{"type": "text", "text": "word "}})
            else:
                update(sessionUpdate="tool_call", toolCallId=str(n), kind="execute", title="ls", status="completed")
        sys.stdout.flush()
        at += 0.05
        time.sleep(max(0.0, at - time.monotonic()))
for line in sys.stdin:
    message = json.loads(line)
    if message["method"] == "session/prompt":
        talk()
    result = {{"protocolVersion": 1, "sessionId": "s", "stopReason": "end_turn"}}
    names = {{"initialize": "protocolVersion", "session/new": "sessionId", "session/prompt": "stopReason"}}
    name = names[message["method"]]
    send(id=message["id"], result={{name: result[name]}})
    sys.stdout.flush()
"""
# Its own time only: what `wait4` reports includes the holders that it has started, and their agents.
TIMED = """\
import sys, time
from {module} import {function}
{function}(sys.argv[1:])
sys.stderr.write(str(time.process_time()))
"""


def front_share(rate: int, seconds: float) -> float:
    """The share of a core of one `nova acp-run`, with an agent that prints `rate` lines a second."""
    front = TIMED.format(module="nova_core.acp.run", function="main")
    argv = [sys.executable, "-c", front, "--", sys.executable, "-c", ACP_TALKER.format(rate=rate, seconds=seconds)]
    began = time.monotonic()
    done = subprocess.run(argv, input=b"talk", capture_output=True, check=True)
    return float(done.stderr.splitlines()[-1]) / (time.monotonic() - began)


def share_of_a_core(rate: int, seconds: float, kind: str = "") -> float:
    """The engine's processor time by wall time, while `WORKERS` agents print `rate` lines a second each."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        talker = ACP_TALKER if kind else TALKER
        sample = str(CAPTURES / SAMPLES["claude"])
        (folder / "talker.py").write_text(talker.format(sample=sample, rate=rate, seconds=seconds))
        reading = {"kind": kind} if kind else {"parser": "claude"}
        agents = {"talker": {"command": [sys.executable, "talker.py"], **reading}}
        (folder / "nova.yaml").write_text(json.dumps({"agent": ["talker"], "agents": agents, "log_limit": 0}))
        rows = "".join(f"| T{i} | talk | - |\n" for i in range(WORKERS))
        (folder / "CASCADE.md").write_text(f"# Talk\n\n| Task ID | Task Name | Depends On |\n|---|---|---|\n{rows}")
        engine = TIMED.format(module="nova_core.cli.app", function="run_cli")
        argv = [sys.executable, "-c", engine, "run", "--no-ui", "-j", str(WORKERS)]
        began = time.monotonic()
        done = subprocess.run(argv, cwd=folder, capture_output=True, check=True)
        return float(done.stderr.splitlines()[-1]) / (time.monotonic() - began)


def per_line(agent: str) -> float:
    """Microseconds to read one line of the format."""
    data = (CAPTURES / SAMPLES[agent]).read_bytes()
    lines = data.count(b"\n")
    rounds = max(1, 40_000 // lines)
    log = FORMATS[agent]()
    began = time.perf_counter()
    for _ in range(rounds):
        log.feed(data)
    return (time.perf_counter() - began) / (rounds * lines) * 1e6


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=15.0)
    seconds = parser.parse_args().seconds
    for agent in SAMPLES:
        print(f"{agent:9} {per_line(agent):6.1f} us a line")
    silent = share_of_a_core(0, seconds)
    loud = share_of_a_core(1000, seconds)
    print(f"engine with {WORKERS} silent workers: {silent:.1%} of a core")
    print(f"engine with {WORKERS} workers of 1,000 lines a second: {loud:.1%} of a core (target: at most 8%)")
    by_protocol, front = share_of_a_core(1000, seconds, "acp"), front_share(1000, seconds)
    print(f"the same by the Agent Client Protocol: {by_protocol:.1%} of a core (target: at most 8%)")
    print(f"one `nova acp-run` with 1,000 lines a second: {front:.1%} of a core")


if __name__ == "__main__":
    main()
