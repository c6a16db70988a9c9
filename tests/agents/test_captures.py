"""Every capture of a real agent yields what its server really served, with the right verdict, cost and files."""

from __future__ import annotations

import json
import random

import pytest
from captured import SERVED, path_of, read, read_log, served
from hypothesis import given, settings
from hypothesis import strategies as st

from nova_core.agents import FORMATS
from nova_core.agents.outcome import Verdict
from nova_core.model import TokenUsage

# Case, verdict, (uncached input, output, cache read, cache creation), estimated, dollars, their basis, files.
# fmt: off
CASES: list[tuple[str, str, tuple[int, int, int, int], bool, float | None, str, list[str]]] = [
    ("aider/err401", "bad_credentials", (0, 0, 0, 0), False, 0.0, "price_table", []),
    ("aider/err429", "rate_limited", (0, 0, 0, 0), False, 0.0, "price_table", []),
    ("aider/flaky429", "done", (3100, 11, 0, 0), True, 0.0066, "agent", []),
    ("aider/tool", "done", (3100, 11, 0, 0), True, 0.0066, "agent", ['hello_nova.txt']),
    ("claude/bgbash", "done", (606, 66, 9000, 2450), False, 0.017794, "agent", []),
    ("claude/budget", "over_budget", (2121, 231, 36000, 2471), False, 0.032659, "agent", []),
    ("claude/err401-r2", "bad_credentials", (0, 0, 0, 0), False, 0.0, "agent", []),
    ("claude/err429-full", "rate_limited", (0, 0, 0, 0), False, 0.0, "agent", []),
    ("claude/err429-r2", "rate_limited", (0, 0, 0, 0), False, 0.0, "agent", []),
    ("claude/err500-r2", "overloaded", (0, 0, 0, 0), False, 0.0, "agent", []),
    ("claude/flaky429-r2", "done", (101, 11, 1000, 2000), False, 0.010824, "agent", []),
    ("claude/maxturns", "max_turns", (606, 66, 9000, 2450), False, 0.017794, "agent", []),
    ("claude/mcp-always", "done", (303, 33, 4000, 2400), False, 0.014672, "agent", []),
    ("claude/multi", "done", (303, 33, 4000, 2400), False, 0.014672, "agent", []),
    ("claude/noauth", "bad_credentials", (0, 0, 0, 0), False, 0.0, "agent", []),
    ("claude/outjson", "done", (606, 66, 9000, 2450), False, 0.017794, "agent", []),
    ("claude/outtext", "done", (0, 0, 0, 0), True, None, "unpriced", []),
    ("claude/partial", "done", (303, 33, 4000, 2400), False, 0.014672, "agent", []),
    ("claude/perm-default", "permission_denied", (606, 66, 9000, 2450), False, 0.017794, "agent", []),
    ("claude/refusal", "refused", (303, 33, 4000, 2400), False, 0.014672, "agent", []),
    ("claude/resume", "done", (101, 11, 1000, 2000), False, 0.010824, "agent", []),
    ("claude/schema", "done", (101, 11, 1000, 2000), False, 0.010824, "agent", []),
    ("claude/sigINT-tool", "interrupted", (101, 11, 1000, 2000), False, 0.010824, "agent", []),
    ("claude/sigTERM-tool", "interrupted", (101, 30, 1000, 2000), True, 0.011204, "price_table", []),
    ("claude/subagent", "done", (1212, 132, 18000, 4900), False, 0.035588, "agent", ['P/hello_nova.txt']),
    ("claude/subagent_fwd", "done", (909, 99, 13000, 4850), False, 0.032466, "agent", ['P/hello_nova.txt']),
    ("claude/tool", "done", (606, 66, 9000, 2450), False, 0.017794, "agent", ['P/hello_nova.txt']),
    ("claude/tool_then_500-r2", "overloaded", (101, 11, 1000, 2000), False, 0.010824, "agent", []),
    ("claude/toolfail", "done", (303, 33, 4000, 2400), False, 0.014672, "agent", []),
    ("claude/unkmodel", "done", (606, 66, 9000, 2450), False, 0.017794, "agent_guess", ['P/hello_nova.txt']),
    ("codex/edit", "done", (606, 66, 9000, 2450), False, None, "unpriced", ['P/e.txt']),
    ("codex/err401", "bad_credentials", (0, 0, 0, 0), False, 0.0, "price_table", []),
    ("codex/err429", "rate_limited", (0, 0, 0, 0), False, 0.0, "price_table", []),
    ("codex/flaky429", "done", (2101, 11, 1000, 0), False, None, "unpriced", []),
    ("codex/mcp-ws-approve", "done", (2703, 33, 4000, 0), False, None, "unpriced", []),
    ("codex/multi", "done", (303, 33, 4000, 2400), False, None, "unpriced", []),
    ("codex/plain", "done", (0, 0, 0, 0), True, None, "unpriced", []),
    ("codex/resume", "done", (101, 11, 1000, 2000), False, None, "unpriced", []),
    ("codex/sb-default", "done", (3056, 66, 9000, 0), False, None, "unpriced", []),
    ("codex/tool", "done", (606, 66, 9000, 2450), False, None, "unpriced", ['P/hello_nova.txt']),
    ("codex/toolfail", "done", (303, 33, 4000, 2400), False, None, "unpriced", []),
    ("gemini/err401", "bad_credentials", (0, 0, 0, 0), False, 0.0, "price_table", []),
    ("gemini/err429", "rate_limited", (0, 0, 0, 0), False, 0.0, "price_table", []),
    ("gemini/flaky429", "done", (2101, 14, 1000, 0), False, 0.002891, "price_table", []),
    ("gemini/json", "done", (3063, 89, 9000, 0), True, 0.006699, "nearest_price", []),
    ("gemini/mcp", "done", (2703, 42, 4000, 0), False, 0.004299, "price_table", []),
    ("gemini/multi", "done", (2710, 47, 4000, 0), True, 0.005042, "nearest_price", []),
    ("gemini/sigTERMgroup", "interrupted", (0, 30, 0, 0), True, 0.0003, "price_table", []),
    ("gemini/tool", "done", (3063, 89, 9000, 0), True, 0.006699, "nearest_price", ['P/hello_nova.txt']),
    ("gemini/toolfail", "done", (2710, 47, 4000, 0), True, 0.005042, "nearest_price", []),
    ("opencode/anthropic", "done", (606, 66, 9000, 2450), False, 0.014696, "agent", ['P/hello_nova.txt']),
    ("opencode/err401", "bad_credentials", (0, 0, 0, 0), False, 0.0, "price_table", []),
    ("opencode/err429", "rate_limited", (0, 0, 0, 0), False, 0.0, "price_table", []),
    ("opencode/mcp", "done", (2703, 33, 4000, 0), False, 0.009804, "agent", []),
    ("opencode/outside", "permission_denied", (2101, 11, 1000, 0), False, 0.006768, "agent", []),
    ("opencode/tool", "done", (3056, 66, 9000, 0), False, 0.012858, "agent", ['P/hello_nova.txt']),
    ("opencode/toolfail", "done", (2703, 33, 4000, 0), False, 0.009804, "agent", []),
]
# fmt: on
# Where the stream has less than the truth, and why; everything else must equal what was served, class by class.
CANNOT_KNOW = {
    "claude/outtext": "the final text alone has no tokens",
    "codex/plain": "the final text alone has no tokens",
    "claude/sigTERM-tool": "killed before its result line",
    "gemini/sigTERMgroup": "killed before its result line",
    "aider/flaky429": "its words are rounded",
    "aider/tool": "its words are rounded",
}
RESUMED = {"codex/resume": "codex/tool"}


def previous_of(case: str) -> TokenUsage | None:
    """What the earlier run of a resumed session used."""
    return read(RESUMED[case]).token_usage if case in RESUMED else None


def classes(usage: TokenUsage) -> tuple[int, int, int, int]:
    return usage.input_tokens, usage.output_tokens, usage.cache_read_tokens, usage.cache_creation_tokens


def test_the_table_holds_every_capture() -> None:
    """No capture is left out."""
    assert len(CASES) == len(SERVED) == 57
    assert {case for case, *_ in CASES} == set(SERVED)


@pytest.mark.parametrize(("case", "verdict", "usage", "estimated", "dollars", "basis", "files"), CASES)
def test_a_capture_reads_as_it_was(
    case: str,
    verdict: str,
    usage: tuple[int, ...],
    estimated: bool,
    dollars: float | None,
    basis: str,
    files: list[str],
) -> None:
    """Verdict, tokens, cost and files of every captured run."""
    found = read(case, previous=previous_of(case))
    assert (found.verdict, classes(found.token_usage), found.estimated) == (verdict, usage, estimated)
    assert (found.cost_usd if found.cost_usd is None else round(found.cost_usd, 6)) == dollars
    assert found.cost_basis == basis
    assert [path.replace("/home/dev/project/", "P/") for path in found.files_changed] == files
    assert found.reason


@pytest.mark.parametrize("case", [case for case in SERVED if case not in CANNOT_KNOW])
def test_tokens_are_those_the_server_served(case: str) -> None:
    """Exact totals: gemini counts its thoughts and its side calls, other protocols report cache writes as input."""
    agent = case.partition("/")[0]
    usage = read(case, previous=previous_of(case)).token_usage
    truth = served(case) + (served(case, "side") if agent == "gemini" else TokenUsage())
    if usage.cache_creation_tokens == 0 and truth.cache_creation_tokens:
        assert agent != "claude"
        assert usage.input_tokens == truth.input_tokens + truth.cache_creation_tokens
    else:
        assert usage.input_tokens == truth.input_tokens
        assert usage.cache_creation_tokens == truth.cache_creation_tokens
    assert usage.cache_read_tokens == truth.cache_read_tokens
    thoughts = 3 * truth.output_tokens // 11 if agent == "gemini" and truth.output_tokens else 0
    assert usage.output_tokens - truth.output_tokens in ((thoughts, thoughts - 1) if thoughts else (0,))


@pytest.mark.parametrize("case", CANNOT_KNOW)
def test_what_the_stream_cannot_know_is_marked(case: str) -> None:
    """No incomplete figure is marked exact."""
    assert read(case).estimated


@pytest.mark.parametrize("case", SERVED)
@given(seed=st.integers(0, 2**32))
@settings(max_examples=settings().max_examples // 3)
def test_noise_changes_nothing(case: str, seed: int) -> None:
    """Pieces of any size, keys in any order, unknown events, and stderr between the lines: the outcome is the same."""
    dice = random.Random(seed)
    log = FORMATS[case.partition("/")[0]]()
    structured = path_of(case).suffix == ".jsonl"
    data = noisy(path_of(case).read_bytes(), dice) if structured else path_of(case).read_bytes()
    while data:
        size = dice.choice((1, 7, 100, 4096, len(data)))
        log.feed(data[:size])
        data = data[size:]
    log.finish()
    found = log.outcome(SERVED[case]["exit_code"], {})
    wanted = read_log(case).outcome(SERVED[case]["exit_code"], {})
    assert found == wanted


def noisy(data: bytes, dice: random.Random) -> bytes:
    """The same events with their keys in another order, with lines that are not events between them."""
    lines = []
    for line in data.splitlines():
        event = json.loads(line)
        items = list(event.items())
        dice.shuffle(items)
        lines.append(json.dumps(dict(items)))
        if dice.random() < 0.3:
            lines.append(dice.choice(NOISE))
    return ("\n".join(lines) + "\n").encode()


NOISE = [
    "Reading additional input from stdin...",
    "warning: something { odd",
    "",
    "[]",
    '{"type": "an_event_of_tomorrow", "payload": {"deep": [1, 2, 3]}}',
    '{"type": 7}',
    '{"type": "tool_use", "part": "not a mapping"}'.replace("tool_use", "tool_used"),
    "2026-11-20T21:40:23Z ERROR some::module: nothing of interest",
    '{"half": ',
    "\x1b[31mred\x1b[0m",
]


@pytest.mark.parametrize("case", [case for case in SERVED if path_of(case).suffix == ".jsonl"])
def test_a_log_cut_anywhere_is_read_without_complaint(case: str) -> None:
    """A last line written in part is not an event, and a run without an end is not done."""
    data = path_of(case).read_bytes()
    whole = read(case)
    last = data.rstrip().rfind(b"\n") + 1
    for cut in sorted({*range(0, last, max(1, last // 40)), last, (last + len(data)) // 2}):
        found = read(case, data[:cut])
        if cut and whole.verdict is Verdict.DONE and cut <= last and b"total_cost_usd" not in data[:cut]:
            assert found.verdict is Verdict.INTERRUPTED


def test_a_long_line_is_read() -> None:
    """A tool that printed a megabyte is one line like any other."""
    lines = path_of("claude/tool").read_bytes().splitlines()
    event = json.loads(lines[3])
    event["tool_use_result"]["stdout"] = "x" * (1 << 20)
    lines[3] = json.dumps(event).encode()
    assert read("claude/tool", b"\n".join(lines)) == read("claude/tool")


def test_an_event_with_other_text_on_its_line_is_found() -> None:
    """Standard error without its line break before an event, or after it."""
    data = path_of("codex/tool").read_bytes()
    mixed = b"Reading additional input from stdin..." + data.replace(b"\n", b"warning: late\n", 1)
    assert read("codex/tool", mixed) == read("codex/tool")


@pytest.mark.parametrize("case", ["gemini/json", "claude/outjson"])
def test_a_document_has_no_line_break_at_its_end(case: str) -> None:
    """The words of another stream follow on its last line."""
    data = path_of(case).read_bytes().rstrip()
    assert read(case, data + b"(node:1) Warning: late\n") == read(case)


@pytest.mark.parametrize("agent", FORMATS)
@given(st.lists(st.one_of(st.binary(max_size=200), st.just(b"\n")), max_size=20))
def test_garbage_never_breaks_a_format(agent: str, pieces: list[bytes]) -> None:
    """Any bytes at all yield an outcome."""
    log = FORMATS[agent]()
    for piece in pieces:
        log.feed(piece)
    log.finish()
    assert log.outcome(None, {}).verdict in Verdict


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@pytest.mark.parametrize("case", ["claude/tool", "codex/tool", "gemini/tool", "opencode/tool", "gemini/json"])
@given(value=JSON, seed=st.integers(0, 2**32))
def test_values_of_any_type_in_any_place_are_survived(case: str, value: object, seed: int) -> None:
    """An event with another shape than expected is read as far as it makes sense."""
    dice = random.Random(seed)
    text = path_of(case).read_text()
    events = [json.loads(text)] if case.endswith("json") else [json.loads(line) for line in text.splitlines()]
    for event in events:
        place = event
        while isinstance(place, dict) and place:
            key = dice.choice(list(place))
            if not isinstance(place[key], dict) or dice.random() < 0.4:
                place[key] = value
                break
            place = place[key]
    found = read(case, "\n".join(map(json.dumps, events)).encode())
    assert min(classes(found.token_usage)) >= 0
