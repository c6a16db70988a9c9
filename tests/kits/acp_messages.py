"""Messages of the Agent Client Protocol, written by hand, as clients and agents of several kinds exchange them."""

from __future__ import annotations

from typing import Any

Message = dict[str, Any]


def call(method: str, request: int | None = None, /, **params: Any) -> Message:
    """A request, or a notification without a number."""
    return {"jsonrpc": "2.0", **({} if request is None else {"id": request}), "method": method, "params": params}


def answer(number: int, **result: Any) -> Message:
    return {"jsonrpc": "2.0", "id": number, "result": result}


def error(number: int, code: int, message: str, data: Any = None) -> Message:
    return {"jsonrpc": "2.0", "id": number, "error": {"code": code, "message": message, "data": data}}


def began(name: str = "some-agent", model: str = "gpt-5", **able: Any) -> list[Message]:
    """The messages up to the prompt of a new session."""
    capabilities = {"loadSession": True, **able}
    chosen = {"models": {"currentModelId": model}} if model else {}
    return [
        call("initialize", 1, protocolVersion=1),
        answer(1, protocolVersion=1, agentCapabilities=capabilities, agentInfo={"name": name, "version": "1"}),
        call("session/new", 2, cwd="/p", mcpServers=[]),
        answer(2, sessionId="s-1", **chosen),
        call("session/prompt", 3, sessionId="s-1"),
    ]


def update(what: str, /, **fields: Any) -> Message:
    return call("session/update", sessionId="s-1", update={"sessionUpdate": what, **fields})


def said(words: str, **more: Any) -> Message:
    return update("agent_message_chunk", content={"type": "text", "text": words}, **more)


def tool(name: str, kind: str, status: str = "completed", *, title: str = "", **fields: Any) -> list[Message]:
    """One call of a tool from its start to its end."""
    start = update("tool_call", toolCallId=name, kind=kind, title=title or name, status="pending", **fields)
    return [start, update("tool_call_update", toolCallId=name, status=status)]


OPTIONS = [
    {"optionId": "a", "kind": "allow_once", "name": "Allow"},
    {"optionId": "r", "kind": "reject_once", "name": "Reject"},
]


def asked(number: int, name: str, kind: str, **fields: Any) -> Message:
    """A request for a permission."""
    params = {"toolCall": {"toolCallId": name, "kind": kind, "title": name, **fields}, "options": OPTIONS}
    return call("session/request_permission", number, sessionId="s-1", **params)


def chosen(number: int, option: str) -> Message:
    return answer(number, outcome={"outcome": "selected", "optionId": option})


def ended(reason: str = "end_turn", /, **usage: int) -> Message:
    """The answer to the prompt; `usage` in the names of the protocol."""
    return answer(3, stopReason=reason, **({"usage": usage} if usage else {}))
