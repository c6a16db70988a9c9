"""Converts a worker's reports for the task's state and the history. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nova_core.files.inbox import WorkerReport

MOST_FILES = 1000
MOST_TEXT = 500
_MOST_NOTE = 4000


def patch_of(report: WorkerReport) -> dict[str, Any]:
    """Returns the fields a report changes, except tokens; `report` is kept in the history only."""
    patch: dict[str, Any] = {}
    if report.step is not None:
        patch["current_step"] = report.step[:MOST_TEXT]
    if report.percent is not None:
        patch["progress"] = max(0, min(100, report.percent))
    if report.criterion is not None:
        patch["current_step"] = f"reports criterion {report.criterion} met"
    if report.note is not None:
        patch["handoff"] = report.note[:_MOST_NOTE]
    if report.question is not None:
        patch["current_step"] = f"asks: {report.question[:MOST_TEXT]}"
    if told := _told(report):
        patch["report"] = told
    return patch


def _told(report: WorkerReport) -> dict[str, Any]:
    """Returns what a worker did or claims, for the history."""
    texts = {name: getattr(report, name) for name in ("action", "output", "question")}
    told: dict[str, Any] = {name: text[:MOST_TEXT] for name, text in texts.items() if text}
    if report.criterion is not None:
        told["criterion"] = report.criterion
    if report.files:
        told["files"] = report.files[:MOST_FILES]
    return told


def words_of(report: WorkerReport, patch: Mapping[str, Any]) -> str:
    """Returns a short text of a report for the list of events."""
    wrote = f"wrote {report.output}" if report.output else None
    changed = f"changed {', '.join(report.files)}" if report.files else None
    percent = f"{patch['progress']} %" if "progress" in patch else None
    words = (report.message, report.action, patch.get("current_step"), wrote, percent, changed, "left a note")
    return str(next(text for text in words if text))[:MOST_TEXT]
