"""Agents that speak the Agent Client Protocol: the same messages, and figures that mean something else in each."""

from __future__ import annotations

from typing import Any

import pytest
from acp_messages import Message, answer, asked, began, call, chosen, ended, error, said, tool, update
from printed import read, read_log

from nova_core.agents.acp_usage import model_of, tokens_of
from nova_core.model import TokenUsage


def test_work_is_read() -> None:
    """Steps, files that were changed, the words after the last tool, session, model, tokens, cost."""
    found = read(
        "acp", *began(), said("I "), said("look."),
        *tool("c1", "execute", rawInput={"command": "ls -l\npwd"}),
        *tool("c2", "read", locations=[{"path": "/p/a.py"}]),
        *tool("c3", "edit", rawInput={"file_path": "/p/new.txt"}), *tool("c4", "edit", "failed", title="Edit no.txt"),
        update("usage_update", used=9, size=10, cost={"amount": 0.5, "currency": "USD"}), said("All "), said("done."),
        ended(inputTokens=300, outputTokens=20, cachedReadTokens=200, cachedWriteTokens=10, totalTokens=320),
    )  # fmt: skip
    assert (found.verdict, found.files_changed, found.final_text) == ("done", ("/p/new.txt",), "All done.")
    assert found.steps == ("I", "ls -l", "read a.py", "edit new.txt", "Edit no.txt", "All")
    assert (found.session_id, found.model, found.cost_usd) == ("s-1", "gpt-5", 0.5)
    assert (found.token_usage, found.estimated) == (TokenUsage(90, 20, 200, 10), False)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((606, 66, 0, 9000, 2450, 12122), (606, 66, 9000, 2450)),  # the cache is not in the input
        ((12056, 66, 18, 9000, 0, 12122), (3056, 66, 9000, 0)),  # it is, and the thoughts are in the output
        ((3101, 8, 3, 1000, 0, 3112), (2101, 11, 1000, 0)),  # the thoughts are not in the output
        ((101, 8, 3, 1000, 0, 1112), (101, 11, 1000, 0)),
        ((50, 5, 0, 70, 0, 0), (50, 5, 70, 0)),  # no total
        ((50, 5, 0, 70, 0, 55), (50, 5, 70, 0)),  # more cached than put in: not inside
    ],
)
def test_the_total_shows_which_classes_overlap(given: tuple[int, ...], expected: tuple[int, ...]) -> None:
    """Whether input contains the cache, and output the thoughts, is seen from the sum."""
    names = "inputTokens", "outputTokens", "thoughtTokens", "cachedReadTokens", "cachedWriteTokens", "totalTokens"
    assert tokens_of(dict(zip(names, given, strict=True))) == TokenUsage(*expected)


def _quota(tokens: int, output: int) -> dict[str, Any]:
    row = {"input_tokens": tokens, "output_tokens": output}
    usage = [{"model": "gemini-3.5-flash", "token_count": row}]
    return {"quota": {"token_count": row, "model_usage": usage}}


PIECE = {"inputTokens": 30, "outputTokens": 4, "totalTokens": 34, "cachedReadTokens": 10}


@pytest.mark.parametrize(
    ("lines", "usage", "estimated"),
    [
        # One message of the model at a time, without a sum: qwen.
        ([*began("qwen-code"), said("", _meta={"usage": PIECE}), said("Hi.", _meta={"usage": PIECE}), ended()],
         (40, 8, 20, 0), False),
        ([*began("qwen-code"), said("", _meta={"usage": PIECE})], (20, 4, 10, 0), True),
        # Beside the answer: gemini.
        ([*began("gemini-cli"), said("Hi."), answer(3, stopReason="end_turn", _meta=_quota(70, 7))],
         (70, 7, 0, 0), False),
        # Only the last step: opencode.
        ([*began("OpenCode"), said("Hi."), ended(inputTokens=5, outputTokens=1, totalTokens=6)], (5, 1, 0, 0), True),
        ([*began("OpenCode"), ended(inputTokens=5, outputTokens=1), call("_nova/usage", inputTokens=9, outputTokens=3)],
         (9, 3, 0, 0), False),
        # None by protocol, and records that may lag: Droid.
        ([*began("@factory/cli"), ended(), call("_nova/usage", inputTokens=9, outputTokens=3)], (9, 3, 0, 0), True),
        # Two turns, of which each has its own sum.
        ([*began(), said("Hi."), ended(inputTokens=5, outputTokens=1), call("session/prompt", 4), said("So."),
          answer(4, stopReason="end_turn", usage={"inputTokens": 7, "outputTokens": 2})], (12, 3, 0, 0), False),
        ([*began(), said("Hi."), ended()], (0, 0, 0, 0), True),
    ],
)  # fmt: skip
def test_where_agents_report_their_tokens(lines: list[Message], usage: tuple[int, ...], estimated: bool) -> None:
    """In the answer, beside it, in each message, or not at all: what is not the whole is marked."""
    found = read("acp", *lines)
    assert (found.token_usage, found.estimated) == (TokenUsage(*usage), estimated)


USED = {"inputTokens": 5, "outputTokens": 1, "totalTokens": 6}


@pytest.mark.parametrize(
    ("lines", "verdict", "words"),
    [
        ([said("Done."), ended("max_tokens", **USED)], "limit_reached", "tokens"),
        ([said("Done."), ended("max_turn_requests", **USED)], "max_turns", "turns"),
        ([said("No."), ended("refusal", **USED)], "refused", "refused"),
        ([said("Hm"), ended("cancelled", **USED)], "interrupted", "cancelled"),
        ([said("Hm"), ended("went_home", **USED)], "failed", "went_home"),
        ([said("Which file?"), ended(**USED)], "asked", "Which file?"),
        ([ended(**USED)], "nothing_done", "said nothing"),
        ([error(3, -32603, "Internal error", {"details": "429 Too Many Requests"})], "rate_limited", "429"),
        ([error(3, -32000, "Authentication required")], "bad_credentials", "required"),
        ([error(3, 503, "The service is away")], "overloaded", "away"),
        ([error(3, -32603, "No", {"error": {"message": "credit balance is too low"}})], "bad_credentials", "credit"),
        ([error(3, -32603, "Please log in first")], "bad_credentials", "log in"),
        ([error(3, -32603, "Slow down", {"statusCode": "429"})], "rate_limited", "Slow"),
        ([error(3, -32603, "Something broke")], "failed", "broke"),
        ([said("API Error: 500 internal server error"), ended()], "overloaded", "500"),
        ([said("I fixed it: the API Error: 500 is gone."), ended(**USED)], "done", ""),
        ([*tool("c1", "execute", "failed"), said("It failed."), ended(**USED)], "done", ""),
        ([asked(0, "c1", "execute"), chosen(0, "r"), *tool("c1", "execute", "failed"), said("Oh."), ended(**USED)],
         "permission_denied", "c1"),
        ([asked(0, "c1", "execute"), chosen(0, "r"), ended("cancelled", **USED)], "permission_denied", "c1"),
        ([asked(0, "c1", "execute"), chosen(0, "a"), *tool("c1", "execute"), said("Oh."), ended(**USED)], "done", ""),
        ([said("I am at work")], "interrupted", "stops before"),
        (['{"jsonrpc":"2.0","method":"_nova/stderr","params":{"line":"fatal: cannot start"}}'], "interrupted", ""),
    ],
)  # fmt: skip
def test_how_it_ended(lines: list[Message | str], verdict: str, words: str) -> None:
    """The reason of the last turn decides, then what was denied; an error in words is one if nothing was used."""
    found = read("acp", *began(), *lines)
    assert (found.verdict, words in found.reason) == (verdict, True), found.reason


@pytest.mark.parametrize(
    ("name", "words", "verdict"),
    [
        ("Copilot", "Error: Authentication failed (HTTP 401).\n  Check it.", "bad_credentials"),
        ("Copilot", "Info: Retrying...Info: Retrying...Error: rate limit exceeded (HTTP 429)", "rate_limited"),
        ("Copilot", "The log says Error: 401.", "done"),
        ("qwen-code", "[API Error: 401 Incorrect API key]", "bad_credentials"),
    ],
)
def test_errors_that_agents_give_as_an_answer(name: str, words: str, verdict: str) -> None:
    """Some agents end a turn well whose last message is an error of the model server."""
    assert read("acp", *began(name), said(words), ended(**USED)).verdict == verdict


def test_a_session_is_named_only_if_it_can_be_resumed() -> None:
    """An agent that cannot load sessions gets a new one, with the whole prompt."""
    assert read("acp", *began(), ended()).session_id == "s-1"
    assert read("acp", *began(loadSession=False), ended()).session_id is None
    able: dict[str, Any] = {"loadSession": False, "sessionCapabilities": {"resume": {}}}
    assert read("acp", *began(**able), ended()).session_id == "s-1"


def test_a_resumed_session_counts_from_its_prompt() -> None:
    """The history that is replayed is no work of this run; a cost of the whole session is that of this run."""
    start = began("OpenCode")
    resumed = [
        *start[:2], call("session/load", 2, sessionId="s-0"), said("Old words."), *tool("c0", "edit", title="Edit"),
        update("usage_update", cost={"amount": 0.25, "currency": "USD"}), answer(2, modes={}), *start[4:],
        said("New words."), update("usage_update", cost={"amount": 0.75, "currency": "USD"}), ended(**USED),
    ]  # fmt: skip
    found = read("acp", *resumed)
    assert (found.session_id, found.steps, found.cost_usd) == ("s-0", ("New words.",), 0.5)


def test_a_pending_question_is_known() -> None:
    """The oldest question without an answer, in the order in which they came."""
    lines: list[Message] = [
        call("_nova/question", number=n, key=f"k{n}", words=f"run {n}", until=0) for n in (1, 2)
    ]  # fmt: skip
    log = read_log("acp", *began(), *lines)
    assert log.question is not None
    assert (log.question.number, log.question.key, log.question.words) == (1, "k1", "run 1")
    log = read_log("acp", *began(), *lines, call("_nova/answer", number=1), call("_nova/answer", number=2))
    assert log.question is None


@pytest.mark.parametrize(
    ("session", "model"),
    [
        ({"models": {"currentModelId": "$runtime|openai|gpt-5(openai)"}}, "gpt-5"),
        ({"models": {"currentModelId": "default"}}, ""),
        ({"configOptions": [{"category": "mode", "currentValue": "x"}, {"category": "model", "currentValue": "opus"}]},
         "opus"),
        ({"configOptions": "broken", "models": ["broken"]}, ""),
    ],
)  # fmt: skip
def test_the_model_of_a_session(session: dict[str, Any], model: str) -> None:
    """The chosen one, without decoration; none if the agent only calls it its default."""
    assert model_of(session) == model
