"""The reporting server: tools over stdio by which an agent reports the progress of its task (needs `nova-tui[mcp]`).

The agent starts it, inside the task's environment. It does what `nova report` does: each call is one message in the
inbox, signed with the attempt's token. Its reports are data; they never decide whether a task is done.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from nova_core.report import MAX_TEXT, ReportError, deliver, from_worker

NAME = "nova"
_NOBODY = "noted; no answer is possible now: decide yourself, and say at the end what you decided"


def tell(**fields: object) -> str:
    """Send one report to Nova. Returns the answer for the agent: "ok", or why the report was not sent."""
    try:
        deliver(os.environ.get("NOVA_INBOX", ""), from_worker({k: v for k, v in fields.items() if v is not None}))
    except ReportError as error:
        return f"not reported: {error}"
    return "ok"


def report(step: str, percent: int | None = None) -> str:
    """Report what you are doing now, in a few words, and how much of the task is done (0 to 100)."""
    return tell(step=step[:MAX_TEXT], percent=None if percent is None else max(0, min(100, percent)))


def verify(criterion: int) -> str:
    """Report that a criterion of the task holds now, by its number in the prompt (from 1)."""
    return tell(criterion=criterion) if criterion > 0 else "criteria are counted from 1"


def log(action: str) -> str:
    """Add something you did to the history of the task."""
    return tell(action=action[:MAX_TEXT])


def output(path: str) -> str:
    """Name an output of the task once it is written; the path is from the project root."""
    return tell(output=path[:MAX_TEXT], files=[path[:MAX_TEXT]])


def handoff(note: str) -> str:
    """Leave a note for the agents that continue from your work; the last note counts."""
    return tell(note=note[:MAX_TEXT])


def ask(question: str) -> str:
    """Record a question for a person. Nobody answers while you work: decide yourself, and continue."""
    answer = tell(question=question[:MAX_TEXT])
    return _NOBODY if answer == "ok" else answer


TOOLS = (report, verify, log, output, handoff, ask)


def make_server() -> Any:
    """The server with its tools. Raises `ImportError` without the `mcp` package."""
    from mcp.server import MCPServer

    server = MCPServer(NAME)
    for tool in TOOLS:
        server.tool()(tool)
    return server


def main() -> int:
    """Serve on stdin and stdout until they are closed. Returns 8 if the package is missing."""
    try:
        server = make_server()
    except ImportError as error:
        sys.stderr.write(f"nova: the reporting server needs the package mcp ({error})\n")
        sys.stderr.write('hint: pip install "nova-tui[mcp]"\n')
        return 8
    server.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
