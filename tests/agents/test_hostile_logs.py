"""Malformed logs: half characters, endless numbers, huge lines, missing parts, odd text."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from nova_core.agents import FORMATS
from nova_core.agents.commands import PatternLog
from nova_core.agents.fields import added, number, whole
from nova_core.agents.log import AgentLog
from nova_core.agents.outcome import Ending, Verdict
from nova_core.model import TokenUsage

CUT = b"[nova: 123456 bytes of this log were cut here]\n"
BEGIN = {"type": "system", "subtype": "init", "session_id": "s1", "model": "m"}


def read(agent: str, data: bytes, piece: int = 1 << 18) -> AgentLog:
    """The log of these bytes, read to its end in pieces."""
    log = FORMATS[agent]()
    for start in range(0, len(data), piece):
        log.feed(data[start : start + piece])
    log.finish()
    return log


def lines(*events: dict[str, Any] | str) -> bytes:
    return "".join((e if isinstance(e, str) else json.dumps(e)) + "\n" for e in events).encode()


def message(name: str, tokens: int = 1, **fields: Any) -> dict[str, Any]:
    told = {"id": name, "model": "m", "usage": {"input_tokens": tokens}, "content": [], **fields}
    return {"type": "assistant", "message": told}


# characters and numbers


@pytest.mark.parametrize("before", ["", "words of another stream "])
@pytest.mark.parametrize("half", ["\\ud83d", "\\uDE00", "\\ude00\\ud83d", "x\\\\\\ud83dx"])
def test_half_a_character_costs_itself_and_not_its_event(half: str, before: str) -> None:
    """JavaScript writes text that was cut in the middle of a surrogate pair as one half; the rest of the event
    counts."""
    event = json.dumps(message("m1", 7, content=[{"type": "text", "text": "HALF"}])).replace("HALF", f"a{half}b")
    log = read("claude", f"{before}{event}\n".encode())
    assert log.usage.input_tokens == 7
    assert log.final_text.startswith("a")
    assert log.final_text.endswith("b")
    assert "\ufffd" in log.final_text
    msgspec.json.encode(log.outcome(0))


@pytest.mark.parametrize("text", ["\\ud83d\\ude00", "\\\\ud83d", "\\u00e4"])
def test_whole_characters_stay_as_they_are(text: str) -> None:
    """Pairs, escaped backslashes and plain escapes next to a half stay as they are."""
    event = json.dumps(message("m1", content=[{"type": "text", "text": "TEXT"}])).replace("TEXT", f"{text}|\\ud800")
    assert read("claude", event.encode()).final_text == json.loads(f'"{text}"') + "|\ufffd"


@pytest.mark.parametrize(
    ("words", "value"),
    [("1,200", 1200.0), ("$0.25", 0.25), ("3.1k", 3100.0), ("2M", 2e6), ("1_000", 1000.0), ("0", 0.0),
     ("1.2.3", None), ("-100", None), ("nan", None), ("inf", None), ("1e308", None), ("9" * 400, None), ("", None),
     ("k", None), ("9" * 400 + "k", None), ("0." + "1" * 400, None)],
)  # fmt: skip
def test_a_number_is_finite_and_not_below_nothing(words: str, value: float | None) -> None:
    """One reader handles numbers in text, whatever wrote them."""
    assert number(words) == value
    assert whole(words) == round(value or 0)


def test_sums_end_somewhere() -> None:
    """Many large amounts do not add up to infinity, which cannot be written down."""
    total = 0.0
    for _ in range(5):
        total = added(total, 1e15)
    assert total == 1e15


@pytest.mark.parametrize("figure", ["1.2.3", "9" * 400, "9" * 400 + "k", ",", "..."])
def test_aider_survives_invalid_figures(figure: str) -> None:
    """A line in the known form with an odd number counts as nothing, and the next one counts."""
    odd = f"Tokens: {figure} sent, {figure} received. Cost: ${figure} message, ${figure} session."
    good = "Tokens: 2k sent, 10 received. Cost: $0.5 message, $0.5 session."
    log = read("aider", lines("Main model: m", odd, good))
    assert (log.usage, log.told_cost[0], log.trouble) == (TokenUsage(2000, 10), 0.5, "")


@pytest.mark.parametrize("cost", ["-100", "nan", "inf", "1e308", "9" * 400, "1.2.3"])
def test_a_cost_by_pattern_is_a_cost_or_nothing(cost: str) -> None:
    """An invalid amount of money changes no sum, and marks it as estimated."""
    log = PatternLog(re.compile(r"cost (?P<cost>\S+)"))
    log.feed(f"cost 2\ncost {cost}\n".encode())
    assert log.told_cost[0] == 2.0
    assert log.estimated


# readers that fail


@pytest.mark.parametrize("agent", [name for name in FORMATS if name != "shell"])
def test_a_line_that_breaks_a_reader_costs_only_itself(agent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An internal error in one line is reported and makes figures estimated; the lines after it are read."""
    log = FORMATS[agent]()
    seen: list[str] = []

    def plain(line: str) -> None:
        if line == "bad":
            raise OverflowError("too much")
        seen.append(line)

    monkeypatch.setattr(log, "plain", plain)
    log.feed(b"one\nbad\ntwo\n")
    log.finish()
    assert seen == ["one", "two"]
    assert log.trouble == "OverflowError: too much"
    assert log.outcome(0).estimated


# missing parts


@pytest.mark.parametrize("agent", FORMATS)
@pytest.mark.parametrize("piece", [7, 1 << 18])
def test_figures_of_a_log_that_was_cut_are_estimated(agent: str, piece: int) -> None:
    """Every reader understands the line that stands for what is missing, in pieces of any size."""
    words = b"Token usage: input=1, output=1\n"
    assert read(agent, words + CUT + words, piece).estimated
    said = read(agent, words + b"he said: " + CUT + words, piece)
    assert said.estimated == read(agent, words + words).estimated


@pytest.mark.parametrize("agent", ["claude", "shell"])
def test_a_part_that_is_missing_takes_its_torn_lines_with_it(agent: str) -> None:
    """The line before the gap and the one after it are not joined."""
    line = lines(message("m1", 5)) if agent == "claude" else b"Token usage: input=5, output=0\n"
    log = FORMATS[agent]()
    log.feed(line + line[:20])
    log.skip()
    log.feed(line[20:] + line.replace(b"m1", b"m2"))
    log.finish()
    assert log.usage.input_tokens == 10
    assert log.estimated


@pytest.mark.parametrize("agent", ["claude", "gemini"])
def test_a_line_too_long_to_read_leaves_figures_estimated(agent: str) -> None:
    """The missing part may have been an event with figures; in plain text it was not."""
    kinds = {True: b'{"type":"result","x":"' + b"y" * (9 << 20) + b'"}\n', False: b"y" * (9 << 20) + b"\n"}
    end = {"type": "result", "subtype": "success", "status": "success", "result": "ok", "stats": {"input_tokens": 1},
           "modelUsage": {"m": {"inputTokens": 1}}}  # fmt: skip
    assert {event: read(agent, data + lines(end)).estimated for event, data in kinds.items()} == {
        True: True, False: False,
    }  # fmt: skip


# sizes


def test_what_enters_has_a_size() -> None:
    """Reasons, ids, models, steps, paths and tools of megabytes are cut or dropped."""
    big = "z" * 1_000_000
    codex = read(
        "codex", lines({"type": "thread.started", "thread_id": big}, {"type": "turn.started"},
                       {"type": "item.started", "item": {"type": "command_execution", "command": big}},
                       {"type": "turn.failed", "error": {"message": f"bad {big}"}}),
    ).outcome(1)  # fmt: skip
    claude = read("claude", lines({**BEGIN, "model": big}, {"type": "system", "subtype": "permission_denied",
                                                           "tool_name": big}))  # fmt: skip
    claude.changed(big)
    assert codex.reason.startswith("bad z")
    assert (codex.session_id, claude.model, claude.files) == (None, None, {})
    assert max(len(codex.reason), *map(len, codex.steps), *map(len, claude.denied)) <= 2000
    assert len(Ending(Verdict.FAILED, big).reason) == 2000


def test_messages_without_end_are_summed_up() -> None:
    """A hundred thousand messages are counted exactly, by model, without keeping each one."""
    log = read("claude", lines(BEGIN, *(message(f"m{i}", 3, model=f"x{i % 2}") for i in range(20_000))))
    assert log.usage.input_tokens == 60_000
    assert {name: usage.input_tokens for name, usage in log.models.items()} == {"x0": 30_000, "x1": 30_000}
    assert len(log._messages) <= 1000  # type: ignore[attr-defined]


def test_a_message_in_many_pieces_is_one() -> None:
    """gemini's pieces make up the last text, up to a limit, and the step is its first line."""
    pieces = [{"type": "message", "role": "assistant", "content": f"{i}\n"} for i in range(30_000)]
    log = read("gemini", lines(*pieces))
    assert log.final_text == "".join(f"{i}\n" for i in range(30_000))[:100_000]
    assert log.step == "0"
    assert log.usage.output_tokens == sum(len(f"{i}\n") for i in range(30_000)) // 4


def test_what_waits_for_a_result_does_not_pile_up() -> None:
    """Tools that are rejected or never answer take bounded space."""
    denied = [{"tool_name": f"t{i}"} for i in range(5000)]
    assert len(read("claude", lines({"type": "result", "permission_denials": denied})).denied) == 100
    calls = ({"type": "tool_use", "tool_name": "x", "tool_id": f"{i}", "parameters": {}} for i in range(5000))
    assert len(read("gemini", lines(*calls))._tools) == 1000  # type: ignore[attr-defined]


# text


def pattern_log(data: bytes) -> AgentLog:
    log = PatternLog(re.compile(r"STEP (?P<step>.*)|ERROR (?P<error>.*)"))
    log.feed(data)
    log.finish()
    return log


@pytest.mark.parametrize("words", ["write the rate limiter", "the authentication page", "429 tests", "api key: login"])
def test_text_about_the_work_is_not_a_provider_error(words: str) -> None:
    """An agent that works on limits and keys, and fails, was neither rate limited nor rejected."""
    readers: list[Callable[[bytes], AgentLog]] = [
        pattern_log, *(lambda data, name=name: read(name, data) for name in FORMATS)
    ]  # fmt: skip
    for reader in readers:
        found = reader(f"STEP {words}\n{words}\ntest failed: 1 != 2\n".encode()).outcome(1)
        assert (found.verdict, found.reason.partition(":")[0]) == (Verdict.FAILED, "exit code 1")


def test_what_a_pattern_calls_an_error_is_judged_by_its_text() -> None:
    """The user's pattern says which lines are errors; then their text counts."""
    found = pattern_log(b"STEP write the login page\nERROR 429 too many requests\n").outcome(1)
    assert (found.verdict, found.reason) == ("rate_limited", "it said: 429 too many requests")


@pytest.mark.parametrize(
    ("line", "verdict"),
    [
        ("Invalid API key · Please run /login", "bad_credentials"),
        ("API Error: 401 unauthorized", "bad_credentials"),
        ("Error when talking to Gemini API: 429 quota", "rate_limited"),
        ("[API Error: 503 overloaded]", "overloaded"),
        ("2026-11-20T21:40:23Z ERROR codex: unexpected status 401 Unauthorized", "bad_credentials"),
        ("Claude AI usage limit reached|1795222800", "rate_limited"),
        ("Credit balance is too low", "bad_credentials"),
        ("I added a test for the error of an invalid API key", "failed"),
    ],
)
def test_a_line_that_reports_an_error_is_believed(line: str, verdict: str) -> None:
    """What the known agents print when they cannot start."""
    assert read("claude", f"hello\n{line}\nbye\n".encode()).outcome(1).verdict == verdict


SENT = {"event": "message_send_starting", "properties": {}}
ANSWERED = {"event": "message_send", "properties": {"prompt_tokens": 100, "completion_tokens": 10, "total_cost": 0.01}}
EXIT = {"event": "exit", "properties": {}}
REFUSED = ("litellm.AuthenticationError: AuthenticationError: no key",
           "The API provider is not able to authenticate you. Check your API key.")  # fmt: skip


@pytest.mark.parametrize(
    "code",
    [("     except litellm.AuthenticationError as error:",), ("+litellm.AuthenticationError: bad",), REFUSED[:1],
     ("litellm.RateLimitError: slow down",), REFUSED],
)  # fmt: skip
def test_aider_may_write_about_errors_of_litellm(code: tuple[str, ...]) -> None:
    """Code and prose with the names of errors are an answer like any other."""
    log = read("aider", lines("Main model: m", SENT, *code, ANSWERED, "Applied edit to a.py", EXIT))
    assert (log.hopeless, log.problem, log.outcome(0).verdict) == (None, None, "done")
    plain = read("aider", lines("Main model: m", *code, "Tokens: 1k sent, 2 received.", "Applied edit to a.py"))
    assert (plain.hopeless, plain.outcome(0).verdict) == (None, "done")


@pytest.mark.parametrize("code", [("     except litellm.AuthenticationError as error:",), REFUSED[:1]])
def test_aider_is_not_ended_for_what_it_writes(code: tuple[str, ...]) -> None:
    """Before an answer, too, only aider's own two lines together mean that the key was rejected."""
    assert read("aider", lines("Main model: m", SENT, *code)).hopeless is None
    refused = read("aider", lines("Main model: m", SENT, *REFUSED))
    assert refused.hopeless is not None
    assert refused.hopeless.verdict == "bad_credentials"


def test_tokens_of_aider_stand_at_the_start_of_a_line() -> None:
    """A line that quotes such errors often is examined once, and is not an error."""
    log = read("aider", lines("Main model: m", "it says " + "Tokens: 1 sent, 1 received. " * 5000))
    assert log.usage == TokenUsage()
