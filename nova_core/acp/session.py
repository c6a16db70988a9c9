"""One prompt to one agent: the session, its model and mode, the permissions, and the end."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import msgspec

from nova_core.acp.connection import AgentGoneError, Connection, Message, RequestError
from nova_core.acp.journal import Journal
from nova_core.acp.own_records import OwnRecords
from nova_core.acp.permissions import ALLOW, ASK, decide, describe, option_for
from nova_core.acp.questions import Questions, with_answer

_START = 300.0  # seconds for an answer before the prompt; a cold start on a busy machine takes a minute
_NOT_FOUND = -32601  # of JSON-RPC: the method does not exist
_ASKING = "default"  # the mode of this name asks: of claude, gemini and qwen
_LOGIN = -32000  # of the protocol: authentication required


class Wishes(msgspec.Struct, frozen=True):
    """What is asked of the agent: `policy` decides on permissions, `patience` is for those that a person decides.

    `session` is one to resume; `model` and `mode` are chosen by name; `auth` is the way to log in, if it needs one.
    """

    prompt: str
    policy: str = "safe"
    patience: float = -1.0
    session: str = ""
    model: str = ""
    mode: str = ""
    auth: str = ""


class Client:
    """Speaks to one agent. `stop` may be called from a signal handler."""

    def __init__(self, argv: list[str], wishes: Wishes, journal: Journal) -> None:
        self._wishes = wishes
        self._journal = journal
        self._session = ""
        self._options: dict[object, object] = {}  # of the permissions that wait for an answer
        self._stopped = self._told = False
        self._questions = Questions(journal, wishes.patience, self._decided)
        self._root = os.getcwd()
        self.agent = Connection(argv, self._heard, self._noise, self._idle)

    def stop(self) -> None:
        """Ask the agent to end its turn."""
        self._stopped = True
        self.agent.wake()

    def run(self) -> str:
        """Have the prompt answered; returns why the turn ended. Raises `AgentGoneError` and `RequestError`."""
        version = {"name": "nova", "title": "Nova", "version": "1"}
        able = {"fs": {"readTextFile": False, "writeTextFile": False}, "terminal": False}
        start = {"protocolVersion": 1, "clientCapabilities": able, "clientInfo": version}
        hello = self._call("initialize", start, _START)
        told, name = _table(hello.get("agentCapabilities")), str(_table(hello.get("agentInfo")).get("name"))
        if self._wishes.auth:
            self._call("authenticate", {"methodId": self._wishes.auth}, _START)
        self._choose(self._open(told))
        content = [{"type": "text", "text": self._wishes.prompt}]
        shown, records = {"sessionId": self._session}, OwnRecords(name, self._session)
        result = self._call("session/prompt", {**shown, "prompt": content}, shown=shown)
        if tokens := records.tokens():
            self._journal.note("usage", **tokens)
        return str(result.get("stopReason") or "end_turn")

    def _open(self, able: Mapping[str, Any]) -> Message:
        """Create the session, or resume the one that is wished for."""
        place = {"cwd": self._root, "mcpServers": []}
        if not self._wishes.session:
            result = self._call("session/new", place, _START)
            self._session = str(result.get("sessionId") or "")
            return result
        methods = ["session/resume"] if "resume" in _table(able.get("sessionCapabilities")) else []
        methods += ["session/load"] if able.get("loadSession") is True else []
        self._session = self._wishes.session
        for left, method in zip(reversed(range(len(methods))), methods, strict=True):
            try:
                return self._call(method, {"sessionId": self._session, **place}, _START)
            except RequestError:
                if not left:  # an agent may name a way that it does not have
                    raise
        raise RequestError("it cannot resume a session")

    def _choose(self, session: Mapping[str, Any]) -> None:
        """Set the model and the mode, if they are not so already. Raises `RequestError` for one it does not have."""
        mode = self._wishes.mode or ("" if self._wishes.policy == "bypass" else _asking_mode(session))
        for what, wanted in (("model", self._wishes.model), ("mode", mode)):
            if wanted:
                self._choose_one(what, wanted, session)

    def _choose_one(self, what: str, wanted: str, session: Mapping[str, Any]) -> None:
        known = _table(session.get(f"{what}s"))
        offered = {
            str(row.get(f"{what}Id") or row.get("id")): row for row in _rows(known.get(f"available{what.title()}s"))
        }
        option = next((row for row in _rows(session.get("configOptions")) if row.get("category") == what), {})
        values = {str(row.get("value")): row for row in _flat(option.get("options"))}
        for choices, method, given in (
            (values, "session/set_config_option", {"configId": option.get("id")}),
            (offered, f"session/set_{what}", {}),
        ):
            name = _match(wanted, choices)
            if name is not None:
                key = "value" if given else f"{what}Id"
                self._call(method, {"sessionId": self._session, **given, key: name}, _START)
                return
        names = ", ".join([*values, *offered][:20])
        raise RequestError(f"it has no {what} {wanted}" + (f"; it has {names}" if names else ""))

    # messages

    def _call(
        self, method: str, params: Mapping[str, Any], limit: float = 0.0, shown: Mapping[str, Any] | None = None
    ) -> Message:
        """Send a request and wait for its result. Both are in the log, the prompt is not."""
        number, wait = self.agent.request(method, params, limit)
        self._journal.write(
            {"jsonrpc": "2.0", "id": number, "method": method, "params": params if shown is None else shown}
        )
        answer = wait()
        self._journal.write({"jsonrpc": "2.0", **answer})
        if isinstance(error := answer.get("error"), dict):
            raise RequestError(f"{method}: {_reason(error)}")
        return _table(answer.get("result"))

    def _heard(self, message: Message) -> None:
        method, number = message.get("method"), message.get("id")
        if method == "session/update":
            self._journal.update(message)
        elif number is None or not isinstance(method, str):
            return  # a notification of another kind, or an answer that nobody waits for
        elif method == "session/request_permission":
            self._journal.write(message)
            self._permit(number, _table(message.get("params")))
        else:
            self._journal.note("unsupported", request=method)
            error = {"code": _NOT_FOUND, "message": f"Nova does not offer {method}"}
            self.agent.send({"id": number, "error": error})

    def _permit(self, number: object, params: Mapping[str, Any]) -> None:
        call = _table(params.get("toolCall"))
        self._options[number] = params.get("options")
        decision = decide(self._wishes.policy, call, self._root)
        if decision == ASK:
            self._questions.ask(number, describe(call))
        else:
            self._decided(number, decision == ALLOW)

    def _decided(self, number: object, allow: bool) -> None:
        self._answer(number, with_answer(option_for(self._options.pop(number, None), allow=allow)))

    def _answer(self, number: object, result: Mapping[str, Any]) -> None:
        self._journal.write({"jsonrpc": "2.0", "id": number, "result": result})
        self.agent.send({"id": number, "result": result})

    def _noise(self, line: str) -> None:
        self._journal.note("stderr", line=line)

    def _idle(self) -> None:
        self._journal.tick()
        if self._stopped and not self._told:
            self._told = True
            for number in self._questions.drop():
                self._answer(number, with_answer(None))
            if self._session:
                self.agent.send({"method": "session/cancel", "params": {"sessionId": self._session}})
        self._questions.look()


def _asking_mode(session: Mapping[str, Any]) -> str:
    """The mode in which the agent asks for permissions, if it begins in another one, in which it may decide itself."""
    modes = _table(session.get("modes"))
    offered = {row.get("id") for row in _rows(modes.get("availableModes"))}
    return _ASKING if _ASKING in offered and modes.get("currentModeId") != _ASKING else ""


def _table(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _rows(value: object) -> list[dict[str, Any]]:
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def _flat(value: object) -> list[dict[str, Any]]:
    """The options of a selection, also those in groups."""
    return [inner for row in _rows(value) for inner in (_rows(row.get("options")) or [row])]


def _match(wanted: str, choices: Mapping[str, Mapping[str, Any]]) -> str | None:
    """The id of the choice with this id, or this name in any case."""
    if wanted in choices:
        return wanted
    return next((name for name, row in choices.items() if str(row.get("name")).lower() == wanted.lower()), None)


def _reason(error: Mapping[str, Any]) -> str:
    said = str(error.get("message") or "an error without a message")
    return f"{said} (log in with the agent's own program first)" if error.get("code") == _LOGIN else said


__all__ = ["AgentGoneError", "Client", "RequestError", "Wishes"]
