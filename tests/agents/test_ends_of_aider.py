"""Modes and ends of aider that the captures do not show."""

from __future__ import annotations

from typing import Any

from printed import read

from nova_core.model import TokenUsage

HEAD = ("Aider v0.86.2", "Main model: openai/gpt-4o with diff edit format", "Weak model: gpt-4o-mini",
        "Git repo: .git with 0 files", "Repo-map: disabled")  # fmt: skip
TOKENS = "Tokens: 3.1k sent, 11 received. Cost: $0.0066 message, $0.0066 session."
LIMIT = (
    "Model openai/gpt-4o has hit a token limit!",
    "Token counts below are approximate.",
    "Input tokens: ~2,406 of 128,000",
    "Output tokens: ~4 of 16,384",
)


def analytics(name: str, **properties: Any) -> dict[str, Any]:
    return {"event": name, "properties": properties, "user_id": "u", "time": 1}


def test_an_empty_answer_to_aider_is_not_a_question() -> None:
    """aider asks the question itself, and no work was done."""
    words = "Empty response received from LLM. Check your provider account?"
    found = read("aider", *HEAD, words, TOKENS)
    assert (found.verdict, found.final_text) == ("nothing_done", None)


def test_aider_whose_edits_all_failed_did_nothing() -> None:
    """Three answers whose edits match nothing: aider gives up and exits with 0."""
    failed = ("The LLM did not conform to the edit format.", "# 1 SEARCH/REPLACE block failed to match!")
    found = read("aider", *HEAD, "Edit.", TOKENS, *failed, "Edit.", TOKENS)
    assert (found.verdict, found.token_usage.input_tokens) == ("nothing_done", 6200)
    assert read("aider", *HEAD, "Edit.", TOKENS, *failed, "Edit.", TOKENS, "Applied edit to a.py").verdict == "done"


def test_what_aider_prints_about_itself_is_not_what_the_model_said() -> None:
    """aider prints its header, and complaints about a price list that it cannot fetch."""
    noise = "HTTPSConnectionPool(host='raw.githubusercontent.com', port=443): Max retries exceeded with url: /x"
    assert read("aider", noise, *HEAD, noise, "NOVA-FINAL: done.", TOKENS).final_text == "NOVA-FINAL: done."


def test_aider_at_its_limit_of_output_leaves_a_doubt() -> None:
    """Its analytics show nothing of an answer that was cut; its text has a rough count."""
    start, end = analytics("message_send_starting"), analytics("exit", reason="Completed --message")
    found = read("aider", *HEAD, start, "This is cut of", *LIMIT, end)
    assert (found.verdict, found.token_usage, found.estimated) == ("limit_reached", TokenUsage(2406, 4), True)
    assert read("aider", *HEAD, "This is cut of", *LIMIT).token_usage == TokenUsage(2406, 4)


def test_aider_reports_its_input_limit_twice() -> None:
    """Once as sent, once as rough counts; the provider rejected the request, so it is an estimate in either case."""
    sent = "Tokens: 2.4k sent, 0 received. Cost: $0.0060 message, $0.0060 session."
    assert read("aider", *HEAD, sent, *LIMIT).token_usage == TokenUsage(2400, 0)
    told = analytics("message_send", prompt_tokens=2398, completion_tokens=0, total_cost=0.005995)
    found = read("aider", *HEAD, analytics("message_send_starting"), sent, told, *LIMIT, analytics("exit"))
    assert (found.verdict, found.token_usage, found.estimated) == ("limit_reached", TokenUsage(2398, 0), True)


def test_aider_that_runs_out_of_tries_is_not_done() -> None:
    """A test or an edit that fails repeatedly: aider stops and exits with 0."""
    last = "Only 3 reflections allowed, stopping."
    found = read("aider", *HEAD, "Edit.", TOKENS, "Applied edit to a.py", "Added 2 lines of output to the chat.",
                 "Edit again.", TOKENS, "Applied edit to a.py", last)  # fmt: skip
    assert (found.verdict, found.reason, found.final_text) == ("max_turns", last, "Edit again.")
    assert found.files_changed == ("a.py",)


def test_aider_that_never_asked_a_model_did_nothing() -> None:
    """aider exits with 0 in every case."""
    assert read("aider", "Analytics have been permanently disabled.", "Aider v0.86.2").verdict == "nothing_done"


def test_aider_that_was_interrupted_says_so() -> None:
    """Its analytics still report an end."""
    found = read("aider", *HEAD, analytics("message_send_starting"), "^C again to exit", analytics("exit"))
    assert (found.verdict, found.estimated) == ("interrupted", True)


CACHED = (
    "Tokens: 5.1k sent, 2.0k cache write, 1.0k cache hit, 11 received.",
    "Cost: $0.0083 message, $0.0083 session.",
)


def test_what_aider_writes_into_a_cache_is_sent_once() -> None:
    """aider adds cache writes to what was sent, which already includes them; its cost is on a line of its own then."""
    found = read("aider", *HEAD, "Done.", *CACHED)
    assert (found.token_usage, found.estimated) == (TokenUsage(100, 11, 1000, 2000), True)
    assert found.cost_usd == 0.0083
    told = analytics("message_send", prompt_tokens=5101, completion_tokens=11, total_cost=0.008268)
    start, end = analytics("message_send_starting"), analytics("exit")
    exact = read("aider", *HEAD, start, "Done.", *CACHED, told, end)
    assert (exact.token_usage, exact.estimated) == (TokenUsage(101, 11, 1000, 2000), True)
    assert exact.cost_usd == 0.008268


def test_an_error_of_aider_may_be_wrapped() -> None:
    """Lines of aider are 80 columns wide; what matters may be in the second."""
    words = ('litellm.BadRequestError: AnthropicException - {"type": "error", "error": ',
             '{"type": "invalid_request_error", "message": "Your credit balance is too low to ',
             'access the Anthropic API. Please go to Plans & Billing to upgrade or purchase ')  # fmt: skip
    assert read("aider", *HEAD, *words).verdict == "bad_credentials"
    assert read("aider", *HEAD, words[0], '"messages: none"}').verdict == "failed"
    assert read("aider", *HEAD, words[0], "a", "b", "c", "d", "e", words[1]).verdict == "failed"
