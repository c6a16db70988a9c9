"""Output for GitHub Actions: an `::error` line per failure and a step summary in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import TYPE_CHECKING

from nova_core.console.summary import Tail, cost_text, counts, failed_tasks, outcome_word
from nova_core.runs.merging import run_line
from nova_core.runs.words import failure_text
from nova_core.state.schema import TaskState
from nova_core.text import clean, duration, head_and_tail, tokens

if TYPE_CHECKING:
    from nova_core.runs.result import RunResult, Snapshot

MAX_ANNOTATIONS = 10  # GitHub shows ten per step
MAX_ROWS = 50  # a summary may have 1 MiB
MAX_TAILS = 10
MAX_TEXT = 500


def error_commands(failed: Mapping[str, TaskState], plan: str, lines: Mapping[str, int]) -> list[str]:
    """Workflow commands that mark each failed task at its line of the plan (`lines`: id -> line)."""
    return [
        f"::error file={escape_property(plan)},line={lines.get(task_id, 1)},title={escape_property(task_id)}"
        f"::{escape_data(failure_text(task.reason, task.error) or 'failed')}"
        for task_id, task in list(failed.items())[:MAX_ANNOTATIONS]
    ]


def step_summary(snapshot: Snapshot, result: RunResult, tail: Tail) -> str:
    """Markdown for `$GITHUB_STEP_SUMMARY`; `tail(task_id)` gives the last lines of a task's log."""
    failed = failed_tasks(snapshot.state.tasks)
    blocks = [
        [f"### {cell(snapshot.cascade.name)}"],
        [f"**{cell(outcome_word(result, snapshot))}**: {cell(counts(result, snapshot))}"],
        list(map(cell, filter(None, [run_line(snapshot.state.run.git, snapshot.state.tasks)]))),
        figures(result),
        failures(failed, snapshot),
        *(last_words(task_id, tail(task_id)) for task_id in list(failed)[:MAX_TAILS]),
        blocked(snapshot.blocked),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def figures(result: RunResult) -> list[str]:
    """Time, tokens and cost, each only if known."""
    usage = result.tokens
    cells = [("Time", duration(result.wall_seconds)), ("Work", duration(result.task_seconds))]
    if usage.total:
        mark = "~" if result.estimated else ""
        cells += [
            ("Tokens in", mark + tokens(usage.input_tokens)),
            ("out", mark + tokens(usage.output_tokens)),
            ("cache read", mark + tokens(usage.cache_read_tokens)),
            ("cache written", mark + tokens(usage.cache_creation_tokens)),
        ]
    if usage.total or result.cost_usd is not None:
        cells.append(("Cost", ("~" if result.estimated else "") + cost_text(result.cost_usd, result.unpriced)))
    return table([head for head, _ in cells], [[value for _, value in cells]])


def failures(failed: Mapping[str, TaskState], snapshot: Snapshot) -> list[str]:
    """Each failed task with its reason, number of attempts and duration."""
    if not failed:
        return []
    plan = snapshot.cascade.tasks
    rows = [
        [
            task_id, plan[task_id].name if task_id in plan else "", failure_text(task.reason, task.error),
            f"{task.attempt:,}", duration(task.elapsed),
        ]
        for task_id, task in list(failed.items())[:MAX_ROWS]
    ]  # fmt: skip
    return [*table(["Failed", "Name", "Why", "Attempts", "Time"], rows), *more(len(failed), "failed")]


def last_words(task_id: str, lines: list[str]) -> list[str]:
    """The end of a log, collapsed; Markdown has no effect inside `pre`."""
    if not lines:
        return []
    text = "\n".join(escape(line) for line in lines)
    return [f"<details><summary>Log of {escape(clean(task_id))}</summary>", "", f"<pre>{text}</pre>", "", "</details>"]


def blocked(causes: Mapping[str, Iterable[str]]) -> list[str]:
    """The tasks blocked by a failure."""
    if not causes:
        return []
    rows = [[task_id, ", ".join(by)] for task_id, by in list(causes.items())[:MAX_ROWS]]
    return [*table(["Blocked", "By"], rows), *more(len(causes), "blocked")]


def more(number: int, word: str) -> list[str]:
    """The number of rows left out beyond `MAX_ROWS`."""
    return ["", f"and {number - MAX_ROWS:,} more {word}"] if number > MAX_ROWS else []


def table(heads: list[str], rows: list[list[str]]) -> list[str]:
    """A table whose cells are plain text."""
    lines = [heads, ["---"] * len(heads), *([cell(text) for text in row] for row in rows)]
    return [f"| {' | '.join(line)} |" for line in lines]


def escape_data(text: str) -> str:
    """Escape a value after `::`, where `%`, CR and LF are special."""
    return clean(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def escape_property(text: str) -> str:
    """Escape a value before `::`, where `:` and `,` are special too."""
    return escape_data(text).replace(":", "%3A").replace(",", "%2C")


def cell(text: str) -> str:
    """Text for a cell of a Markdown table, with markup and HTML escaped."""
    safe = clean(head_and_tail(text, MAX_TEXT)).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join(f"\\{c}" if c in "\\`*_[]|#!~$" else c for c in safe)
