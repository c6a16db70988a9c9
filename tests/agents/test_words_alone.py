"""Agents that print only text, or were killed before they printed one whole line."""

from __future__ import annotations

import json

import pytest
from printed import read

from nova_core.agents import FORMATS
from nova_core.model import TokenUsage


def test_coloured_text_is_read_without_colour() -> None:
    """opencode's default output prints errors in red and bold."""
    error = "\x1b[91m\x1b[1mError: \x1b[0mmock: invalid api key"
    found = read("opencode", "\x1b[0m", "> build · m1", "\x1b[0m", error, code=1)
    assert (found.verdict, found.reason) == ("bad_credentials", "exit code 1: Error: mock: invalid api key")


@pytest.mark.parametrize(
    ("agent", "line"),
    [
        ("opencode", "\x1b[93m\x1b[1m! \x1b[0mpermission requested: bash (echo x); auto-rejecting"),
        ("codex", "2026-11-21T13:35:26.382077Z ERROR codex_core::tools::router: error=patch rejected: writing is "
                  "blocked by read-only sandbox; rejected by user approval settings"),
    ],
)  # fmt: skip
def test_what_was_not_allowed_is_missing_without_events_too(agent: str, line: str) -> None:
    """Its standard error shows what was not allowed, and exit code 0 does not override it."""
    assert read(agent, line, "NOVA-FINAL: wrote it.").verdict == "permission_denied"
    assert read(agent, "NOVA-FINAL: wrote it.").verdict == "done"


@pytest.mark.parametrize("agent", ["claude", "codex", "gemini", "opencode"])
def test_text_that_ends_with_a_question_is_a_question(agent: str) -> None:
    """Nothing shows that a tool was used, and the last text is a question."""
    found = read(agent, "There are two ways to do this.", "Which database shall I use?")
    assert (found.verdict, found.reason) == ("asked", "it asked: Which database shall I use?")


@pytest.mark.parametrize(
    ("words", "code", "verdict"),
    [
        ("Execution error", 0, "interrupted"),
        ("Failed to authenticate. API Error: 401 mock: invalid api key", 1, "bad_credentials"),
        ("API Error: Opus 5.5's safeguards flagged this message (https://x). This sometimes happens.", 1, "refused"),
        ("Error: Reached max turns (2)", 1, "max_turns"),
        ("Error: Exceeded USD budget (0.001)", 1, "over_budget"),
        ("I looked at the execution.\nThere was an Execution error", 0, "done"),
    ],
)
def test_claude_text_mode_shows_how_it_ended(words: str, code: int, verdict: str) -> None:
    """`--output-format text`: an interrupted run exits with 0, a failed one gives the reason on standard output."""
    assert read("claude", words, code=code).verdict == verdict


def test_a_partly_written_first_line_is_not_text() -> None:
    """Wherever the text is cut, even after a closing brace: claude was killed, and its usage is unknown."""
    start = json.dumps({"type": "thread.started", "thread_id": "t1", "more": {"a": {}}})
    for cut in range(2, len(start)):
        found = FORMATS["codex"]()
        found.feed(start[:cut].encode())
        found.finish()
        outcome = found.outcome(0, {})
        assert (outcome.verdict, outcome.estimated, outcome.cost_usd) == ("interrupted", True, None)
    answer = '{"status": "ok"}'
    assert read("codex", answer).final_text == answer


@pytest.mark.parametrize(
    ("agent", "data"),
    [("claude", '[{"type":"system","subtype":"init","tools":["a'), ("gemini", "{"), ("gemini", '{\n  "session_id"')],
)
def test_a_partly_written_document_is_not_text(agent: str, data: str) -> None:
    """The agent started a document and was killed; exit code 0 does not make it a success."""
    log = FORMATS[agent]()
    log.feed(data.encode())
    log.finish()
    assert log.outcome(0, {}).verdict == "interrupted"


def test_codex_that_only_warned_did_nothing() -> None:
    """The warnings it always prints on standard error are not an answer."""
    noise = ("Reading additional input from stdin...", "WARNING: proceeding, even though we could not create PATH")
    assert read("codex", *noise).verdict == "nothing_done"
    assert read("codex", *noise, "NOVA-FINAL: done.").final_text == "NOVA-FINAL: done."


def test_a_prompt_that_is_too_long_is_reported_in_text() -> None:
    """claude's default output names no error."""
    words = "Prompt is too long · the request is ~208310 tokens (limit 200000) but this conversation is only ~2784."
    assert read("claude", words, code=1).verdict == "limit_reached"


BANNER = ("OpenAI Codex v0.169.0", "--------", "workdir: /p", "model: gpt-6.1-sol", "provider: mock",
          "session id: 01a1fe51-7b13", "--------", "user", "do it")  # fmt: skip
RUN = ("exec", "/bin/bash -lc 'echo ok' in /p", " succeeded in 0ms:", "ok")
PATCH = ("apply patch", "patch: completed", "/p/hello.txt", "diff --git a/hello.txt b/hello.txt", "+hello")


def test_codex_without_json_reports_its_work_on_standard_error() -> None:
    """Sections each have a heading; its tokens are one number, without cached ones; its answer appears twice."""
    words = ("codex", "I will look.", *RUN, "codex", "Now I write.", *PATCH, "codex", "NOVA-FINAL: wrote", "it.")
    found = read("codex", *BANNER, *words, "tokens used", "3,122", "NOVA-FINAL: wrote", "it.")
    assert (found.verdict, found.final_text) == ("done", "NOVA-FINAL: wrote\nit.")
    assert (found.token_usage, found.estimated) == (TokenUsage(3122), True)
    assert (found.model, found.session_id, found.files_changed) == ("gpt-6.1-sol", "01a1fe51-7b13", ("/p/hello.txt",))
    assert found.steps == ("I will look.", "echo ok", "Now I write.", "edit hello.txt", "NOVA-FINAL: wrote")
    error = "ERROR: unexpected status 401 Unauthorized: mock: invalid api key, url: http://127.0.0.1/v1/responses"
    assert read("codex", *BANNER, "ERROR: Reconnecting... 1/1", error, code=1).verdict == "bad_credentials"


def test_codex_without_json_may_be_interrupted_or_do_nothing() -> None:
    """What it prints for an interrupt, a question after work, and no answer at all."""
    assert read("codex", *BANNER, "codex", "Slow.", "exec", "/bin/bash -lc 'sleep 60' in /p", "turn interrupted",
                "tokens used", "2,112", code=1).verdict == "interrupted"  # fmt: skip
    question = ("codex", "Anything else?", "tokens used", "9")
    assert read("codex", *BANNER, *RUN, *question, "Anything else?").verdict == "done"
    assert read("codex", *BANNER, *question, "Anything else?").verdict == "asked"
    assert read("codex", *BANNER, "tokens used", "2,112").verdict == "nothing_done"


def test_codex_without_json_continues_counting_in_a_resumed_session() -> None:
    """What earlier runs used is subtracted, as far as this number includes it."""
    log = FORMATS["codex"](TokenUsage(606, 66, 9000, 2450))
    log.feed("\n".join((*BANNER, "codex", "Hi.", "tokens used", "5,234")).encode())
    log.finish()
    assert log.usage == TokenUsage(5234 - 3122)
