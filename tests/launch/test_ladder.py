"""The ladder of a task: what comes after its first agent and model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nova_core.cli.preview import command_lines
from nova_core.config import Config, load_config
from nova_core.errors import InputError
from nova_core.launch.ladder import model_of, rungs_of, work_of
from nova_core.model import Task
from nova_core.parser import parse_text
from nova_core.plan.explain import Explanation
from nova_core.state.schema import TaskState


def config(folder: Path, text: str) -> Config:
    (folder / "nova.yaml").write_text(text)
    return load_config(None, environ={}, root=folder)


@pytest.mark.parametrize(
    ("text", "task", "wanted"),
    [
        ("agent: [claude]\nmodels: [sonnet, opus]", {}, ["claude sonnet", "claude opus"]),
        ("agent: claude\nagents: {claude: {models: [sonnet, opus]}}", {}, ["claude sonnet", "claude opus"]),
        ("agent: claude\nretry: {then: opus}", {}, ["claude -", "claude opus"]),
        ("agent: claude\nretry: {then: [opus, codex, big]}", {}, ["claude -", "claude opus", "codex -", "codex big"]),
        ("agent: claude\nagents: {codex: {model: m}}\nretry: {then: codex}", {}, ["claude -", "codex m"]),
        ("agent: claude\nmodels: [a, b, c]", {"model": "b"}, ["claude b", "claude c"]),
        ("agent: claude\nmodels: [a, b]\nretry: {then: c}", {"model": "own"}, ["claude own", "claude c"]),
        ("agent: claude\nmodels: [a, b]", {"agent": "codex"}, ["codex -"]),
        ("agent: claude\nretry: {then: opus}", {"model": "opus"}, ["claude opus"]),
        ("agent: [claude, codex]\nmodels: [a, b]", {}, ["claude,codex a", "claude b"]),
        ("agent: claude\nretry: {then: opus}", {"command": "true"}, ["-"]),
    ],
)
def test_the_rungs(tmp_path: Path, text: str, task: dict[str, Any], wanted: list[str]) -> None:
    """Further models of the first agent, then the names in `then`: an agent's, or a model's of the one before."""
    settings, row = config(tmp_path, text), Task("A", "A", **task)
    rungs = rungs_of(row, settings)
    first = settings.runner_of(row).agents
    base = f"{','.join(first)} {model_of(settings, first[0], row) or '-'}" if first else "-"
    assert [base, *(f"{rung.agent} {rung.model or '-'}" for rung in rungs)] == wanted
    for number, rung in enumerate(rungs, 1):
        work = work_of(row, TaskState(rung=number), settings)
        assert (work.agent, work.model) == rung
    assert work_of(row, TaskState(), settings) is row


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("models: [a, b]", "models: no agent they belong to"),
        ("agent: claude\nmodels: [a]\nagents: {claude: {models: [b]}}", "models: agents.claude has models, too"),
        ("retry: {session: old}", "retry.session: must be one of auto, new, not `old`"),
        ("retry: {feedback: perhaps}", "retry.feedback: must be true or false"),
        ("retry: {than: opus}", "retry.than: unknown setting"),
    ],
)
def test_settings_that_cannot_be_meant(tmp_path: Path, text: str, words: str) -> None:
    """Each is named with its line."""
    with pytest.raises(InputError) as failed:
        config(tmp_path, text)
    assert words in str(failed.value)


def test_a_preview_shows_what_is_still_ahead(tmp_path: Path) -> None:
    """`nova run --explain`: who does the task now, and who after a failure; nobody else if a person chose."""
    settings = config(tmp_path, "agent: claude\nretry: {then: [opus, codex]}")
    plan = parse_text("# P\n\n| Task ID | Task Name | Depends On |\n|---|---|---|\n| A | a | - |\n", "CASCADE.md")

    def shown(**state: Any) -> list[str]:
        lines = command_lines(Explanation("A", "run", ""), plan, settings, {"A": TaskState(**state)})
        return [line.strip() for line in lines]

    assert shown() == ["agent: claude", "after a failure: claude (opus)", "after a failure: codex"]
    assert shown(rung=1) == ["agent: claude", "after a failure: codex"]
    assert shown(rung=9) == ["agent: codex"]
    assert shown(rung=1, wanted_agent="gemini") == ["agent: gemini"]
