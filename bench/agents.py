"""What reading agents' output costs the engine: eight workers, each printing a thousand stream lines a second.

The lines were printed by real agents. Prints the share of one core that the engine used, next to that of an engine with
eight workers that print nothing, and the time per line of each format, read alone.
"""

from __future__ import annotations

import argparse
import json
import os
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


def share_of_a_core(rate: int, seconds: float) -> float:
    """The engine's processor time by wall time, while `WORKERS` agents print `rate` lines a second each."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "talker.py").write_text(
            TALKER.format(sample=str(CAPTURES / SAMPLES["claude"]), rate=rate, seconds=seconds)
        )
        agents = {"talker": {"command": [sys.executable, "talker.py"], "parser": "claude"}}
        (folder / "nova.yaml").write_text(json.dumps({"agent": ["talker"], "agents": agents, "log_limit": 0}))
        rows = "".join(f"| T{i} | talk | - |\n" for i in range(WORKERS))
        (folder / "CASCADE.md").write_text(f"# Talk\n\n| Task ID | Task Name | Depends On |\n|---|---|---|\n{rows}")
        argv = [sys.executable, "-m", "nova_core", "run", "--no-ui", "-j", str(WORKERS)]
        began = time.monotonic()
        with (folder / "out").open("wb") as out:
            engine = subprocess.Popen(argv, cwd=folder, stdout=out, stderr=out)
            _, _, usage = os.wait4(engine.pid, 0)
            engine.returncode = 0
        # Holders and workers are children of the engine's children: only its own time is in `usage`.
        return (usage.ru_utime + usage.ru_stime) / (time.monotonic() - began)


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
    print(f"engine with {WORKERS} workers of 1,000 lines a second: {loud:.1%} of a core (target: at most 10%)")


if __name__ == "__main__":
    main()
