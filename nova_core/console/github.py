"""What GitHub Actions understands: an `::error` line per failure and a short summary in Markdown."""

from __future__ import annotations

from collections.abc import Mapping

from nova_core.console.lines import failure_text
from nova_core.record import TaskState
from nova_core.text import clean

MAX_ANNOTATIONS = 10  # GitHub shows ten a step


def error_commands(failed: Mapping[str, TaskState], plan: str, lines: Mapping[str, int]) -> list[str]:
    """Workflow commands that mark each failed task at its line of the plan (`lines`: id -> line)."""
    return [
        f"::error file={escape_property(plan)},line={lines.get(task_id, 1)},title={escape_property(task_id)}"
        f"::{escape_data(failure_text(task.reason, task.error) or 'failed')}"
        for task_id, task in list(failed.items())[:MAX_ANNOTATIONS]
    ]


def step_summary(title: str, counts: str, failed: Mapping[str, TaskState]) -> str:
    """Markdown for `$GITHUB_STEP_SUMMARY`."""
    rows = [f"| {cell(task_id)} | {cell(failure_text(task.reason, task.error))} |" for task_id, task in failed.items()]
    table = ["", "| Task | Why it failed |", "| --- | --- |", *rows] if rows else []
    return "\n".join([f"### {cell(title)}", "", counts, *table, ""])


def escape_data(text: str) -> str:
    """A value after `::`, where `%`, CR and LF would end the command."""
    return clean(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def escape_property(text: str) -> str:
    """A value before `::`, where `:` and `,` have a meaning too."""
    return escape_data(text).replace(":", "%3A").replace(",", "%2C")


def cell(text: str) -> str:
    """Text inside a Markdown table, with nothing that is markup or HTML."""
    safe = clean(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join(f"\\{c}" if c in "\\`*_[]|#!" else c for c in safe)
