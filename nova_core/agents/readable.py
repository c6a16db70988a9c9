"""A line that an agent prints as JSON, in words: what it says, does, gets and costs. Each line alone; pure."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from nova_core.agents.claude_parts import words_of
from nova_core.agents.codex_text import command_of
from nova_core.agents.fields import amount, count, first_line, rows, table, text
from nova_core.agents.records import claude_usage, codex_usage
from nova_core.model import TokenUsage
from nova_core.text import costs, duration, tokens

LONGEST = 1 << 20
"""Bytes of a line that is read; a longer one has no words."""
_ARGUMENT = 300  # characters of what a tool is given
_NAMED = ("command", "file_path", "filePath", "path", "notebook_path", "pattern", "query", "url", "description", "step")
_QUIET = ("item.", "turn.", "thread.", "assistant.", "session.", "turn_", "agent_", "message_", "tool_execution_")
_OF_AGENTS = ("jsonrpc", "session_id", "sessionID", "sessionId", "thread_id")
_decode = msgspec.json.Decoder().decode


class Kind(StrEnum):
    """What a part is about."""

    SAYS = "says"
    THINKS = "thinks"
    DOES = "does"
    GETS = "gets"
    FAILS = "fails"
    COSTS = "costs"
    NOTE = "note"


class Part(NamedTuple):
    """A part of a line; its text may have several lines, and any characters."""

    kind: Kind
    text: str


Parts = list[Part]


def parts_of(line: bytes) -> Parts:
    """What the line says, at least the name of its event; empty if it is no event of an agent that Nova knows."""
    if not line.startswith(b"{") or len(line) > LONGEST:
        return []
    try:
        event = _decode(line)
    except (msgspec.MsgspecError, RecursionError, ValueError):
        return []
    if not isinstance(event, dict):
        return []
    found = _acp(event) if "jsonrpc" in event else _by_type(event)
    return [part for part in found if part.text.strip()] or _silent(event)


def _silent(event: dict[str, Any]) -> Parts:
    """The name of an event that says nothing to a person."""
    name = text(event.get("type")) or text(event.get("method")) or ("answer" if "jsonrpc" in event else "")
    known = name in _READERS or name.startswith(_QUIET) or not event.keys().isdisjoint(_OF_AGENTS)
    said = " ".join(filter(None, (name, text(event.get("subtype")))))
    return [Part(Kind.NOTE, said[:_ARGUMENT])] if name and known else []


def _by_type(event: dict[str, Any]) -> Parts:
    kind = text(event.get("type"))
    if kind.startswith("item."):
        return _item(kind, table(event.get("item")))
    read = _READERS.get(kind)
    return read(event) if read is not None else []


# Claude Code, Qwen Code; Pi has the same blocks


def _system(event: dict[str, Any]) -> Parts:
    subtype = text(event.get("subtype"))
    if subtype == "init":
        return [Part(Kind.NOTE, f"a session of {text(event.get('model')) or 'the model'} begins")]
    if subtype == "api_retry":
        said = f"{text(event.get('error'))} {count(event.get('error_status')) or ''}".strip()
        return [Part(Kind.FAILS, f"the model server failed ({said}): attempt {count(event.get('attempt'))}")]
    return [Part(Kind.NOTE, text(event.get("description")))]


def _message(event: dict[str, Any]) -> Parts:
    message = table(event.get("message"))
    content = message.get("content")
    role = text(message.get("role")) or text(event.get("role"))
    spoken = Kind.SAYS if role == "assistant" else Kind.NOTE
    if isinstance(content, str):
        return [Part(spoken, content)]
    return [_block(table(block), spoken) for block in rows(content)]


def _block(block: dict[str, Any], spoken: Kind) -> Part:
    kind = text(block.get("type"))
    if kind in ("tool_use", "toolCall"):
        return _call(text(block.get("name")), table(block.get("input")) or table(block.get("arguments")))
    if kind == "tool_result":
        return Part(Kind.FAILS if block.get("is_error") is True else Kind.GETS, words_of(block.get("content")))
    if kind == "thinking":
        return Part(Kind.THINKS, text(block.get("thinking")))
    return Part(spoken, text(block.get("text")))


def _call(tool: str, given: dict[str, Any]) -> Part:
    """A tool and what it is given: the command, the file, or all."""
    known = next((name for name in _NAMED if text(given.get(name))), "")
    if known == "command":
        return Part(Kind.DOES, f"$ {text(given[known])[:_ARGUMENT]}")
    said = text(given[known]) if known else msgspec.json.encode(given).decode()[:_ARGUMENT] if given else ""
    return Part(Kind.DOES, f"{tool or 'a tool'} {first_line(said, _ARGUMENT)}".rstrip())


def _result(event: dict[str, Any]) -> Parts:
    """The end of a run of Claude Code, Gemini or Copilot; the last text was shown when it was said."""
    failed = event.get("is_error") is True or text(event.get("status")) == "error"
    error = text(table(event.get("error")).get("message")) or text(event.get("result"))
    parts = [Part(Kind.FAILS, error or text(event.get("subtype")) or "it failed")] if failed else []
    stats = table(event.get("stats"))
    usage = claude_usage(table(event.get("usage")))
    if stats:
        cached = count(stats.get("cached"))
        usage = TokenUsage(max(0, count(stats.get("input_tokens")) - cached), count(stats.get("output_tokens")), cached)
    took = amount(event.get("duration_ms")) or amount(stats.get("duration_ms")) or 0.0
    return [*parts, _bill("end", usage, amount(event.get("total_cost_usd")), took / 1000)]


def _bill(head: str, usage: TokenUsage, dollars: float | None, seconds: float = 0.0) -> Part:
    """Tokens, cost and time, each if known."""
    said = [head, duration(seconds) if seconds else ""]
    if usage.total:
        said += [f"{tokens(usage.total - usage.output_tokens)} tok in, {tokens(usage.output_tokens)} out"]
    said += [costs(dollars)] if dollars is not None else []
    return Part(Kind.COSTS, ", ".join(filter(None, said)))


# Codex


def _item(kind: str, item: dict[str, Any]) -> Parts:
    what, done = text(item.get("type")), kind == "item.completed"
    if what in ("agent_message", "reasoning"):
        return [Part(Kind.SAYS if what == "agent_message" else Kind.THINKS, text(item.get("text")))] if done else []
    if what == "command_execution":
        if not done:
            return [Part(Kind.DOES, f"$ {command_of(text(item.get('command')))}")] if kind == "item.started" else []
        failed = item.get("exit_code") not in (0, None)
        end = f"\nexit code {item['exit_code']}" if failed else ""
        return [Part(Kind.FAILS if failed else Kind.GETS, (text(item.get("aggregated_output")) + end).strip("\n"))]
    if what == "file_change" and done:
        return [Part(Kind.DOES, "edit " + ", ".join(text(table(c).get("path")) for c in rows(item.get("changes"))))]
    if what == "mcp_tool_call":
        call = _call(f"{text(item.get('server'))} {text(item.get('tool'))}".strip(), table(item.get("arguments")))
        return _outcome(item) if done else [call] if kind == "item.started" else []
    return [Part(Kind.FAILS, text(item.get("message")))] if what == "error" else []


def _outcome(item: dict[str, Any]) -> Parts:
    error = text(item.get("error")) or text(table(item.get("error")).get("message"))
    return [Part(Kind.FAILS, error), Part(Kind.GETS, words_of(table(item.get("result")).get("content")))]


def _turn(event: dict[str, Any]) -> Parts:
    return [_bill("end of the turn", codex_usage(table(event.get("usage"))), None)]


# Gemini, opencode


def _gemini_tool(event: dict[str, Any]) -> Parts:
    if "part" not in event:
        return [_call(text(event.get("tool_name")), table(event.get("parameters")))]
    part = table(event.get("part"))
    state = table(part.get("state"))
    error = Part(Kind.FAILS, text(state.get("error")))
    call = _call(text(part.get("tool")), table(state.get("input")))
    return [call, Part(Kind.GETS, text(state.get("output"))), error]


def _gemini_result(event: dict[str, Any]) -> Parts:
    error = text(table(event.get("error")).get("message")) or text(event.get("error"))
    return [Part(Kind.FAILS, error), Part(Kind.GETS, text(event.get("output")))]


def _spoken(event: dict[str, Any]) -> Parts:
    if isinstance(event.get("content"), str):
        return [Part(Kind.SAYS if event.get("role") == "assistant" else Kind.NOTE, event["content"])]
    return _message(event)


def _step(event: dict[str, Any]) -> Parts:
    part = table(event.get("part"))
    told = table(part.get("tokens"))
    cache = table(told.get("cache"))
    usage = TokenUsage(
        count(told.get("input")), count(told.get("output")), count(cache.get("read")), count(cache.get("write"))
    )
    return [_bill("end of the step", usage, amount(part.get("cost")))]


def _error(event: dict[str, Any]) -> Parts:
    error = table(event.get("error"))
    said = text(event.get("message")) or text(table(error.get("data")).get("message")) or text(error.get("message"))
    return [Part(Kind.FAILS, said)]


# Copilot, Cline, Pi


def _data(event: dict[str, Any]) -> Parts:
    data = table(event.get("data"))
    if event["type"] == "tool.execution_start":
        return [_call(text(data.get("toolName")), table(data.get("arguments")))]
    error = text(table(data.get("error")).get("message"))
    failed = Part(Kind.FAILS, error or (text(data.get("message")) if event["type"] == "session.error" else ""))
    got = Part(Kind.GETS, text(table(data.get("result")).get("content")))
    return [failed, got, Part(Kind.SAYS, text(data.get("content")))]


def _cline(event: dict[str, Any]) -> Parts:
    inner = table(event.get("event"))
    kind, what = text(inner.get("type")), text(inner.get("contentType"))
    if kind == "content_start" and what == "tool":
        return [_call(text(inner.get("toolName")), table(inner.get("input")))]
    if kind == "content_end":
        return [Part(Kind.FAILS, text(inner.get("error"))), Part(Kind.SAYS, text(inner.get("text")))]
    return [Part(Kind.FAILS, text(table(inner.get("error")).get("message")))]


def _pi(event: dict[str, Any]) -> Parts:
    if event["type"] == "tool_execution_start":
        return [_call(text(event.get("toolName")), table(event.get("args")))]
    kind = Kind.FAILS if event.get("isError") is True else Kind.GETS
    return [Part(kind, words_of(table(event.get("result")).get("content")))]


def _pi_message(event: dict[str, Any]) -> Parts:
    is_answer = table(event.get("message")).get("role") == "assistant"
    return [part for part in _message(event) if part.kind is not Kind.DOES] if is_answer else []


# The Agent Client Protocol


def _acp(event: dict[str, Any]) -> Parts:
    params = table(event.get("params"))
    update = table(params.get("update"))
    kind = text(update.get("sessionUpdate"))
    if kind in ("agent_message_chunk", "agent_thought_chunk"):
        return [Part(Kind.SAYS if "message" in kind else Kind.THINKS, text(table(update.get("content")).get("text")))]
    if kind == "tool_call":
        return [Part(Kind.DOES, text(update.get("title")) or text(update.get("kind")))]
    if kind == "tool_call_update":
        content = (text(table(table(c).get("content")).get("text")) for c in rows(update.get("content")))
        return [Part(Kind.FAILS if update.get("status") == "failed" else Kind.GETS, "\n".join(filter(None, content)))]
    if event.get("method") == "_nova/stderr":
        return [Part(Kind.NOTE, text(params.get("line")))]
    return [Part(Kind.FAILS, text(table(event.get("error")).get("message")))]


_READERS: dict[str, Callable[[dict[str, Any]], Parts]] = {
    "system": _system, "assistant": _message, "user": _message, "result": _result, "turn.completed": _turn,
    "turn.failed": _error, "error": _error, "message": _spoken, "tool_use": _gemini_tool,
    "tool_result": _gemini_result, "text": lambda event: [Part(Kind.SAYS, text(table(event.get("part")).get("text")))],
    "step_finish": _step, "assistant.message": _data, "tool.execution_start": _data, "tool.execution_complete": _data,
    "session.error": _data, "agent_event": _cline, "message_end": _pi_message, "tool_execution_start": _pi,
    "tool_execution_end": _pi,
}  # fmt: skip
