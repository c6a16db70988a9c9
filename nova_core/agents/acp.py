"""Agents that speak the Agent Client Protocol: what `nova acp-run` prints, the messages of the protocol."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

import msgspec

from nova_core.agents.acp_usage import Scope, meaning_of, model_of, model_of_quota, quota_of, tokens_of
from nova_core.agents.fields import added, amount, count, first_line, http_status, rows, table, text, word
from nova_core.agents.log import AgentLog, Question
from nova_core.agents.outcome import CostBasis, Ending, Verdict, cost_of_agent
from nova_core.agents.signs import only_errors, verdict_of, verdict_of_words
from nova_core.model import TokenUsage

_STOPS = {
    "end_turn": Ending(Verdict.DONE, "it finished its work"),
    "max_tokens": Ending(Verdict.LIMIT_REACHED, "it reached the limit of tokens"),
    "max_turn_requests": Ending(Verdict.MAX_TURNS, "it reached its limit of turns"),
    "refusal": Ending(Verdict.REFUSED, "the model refused"),
    "cancelled": Ending(Verdict.INTERRUPTED, "it was cancelled"),
}
_NEEDS_LOGIN = -32000  # of the protocol: authentication required
_CHANGES = ("edit", "delete", "move")
_UNHEARD = {"nobody": " (there was nobody to ask)", "time": " (nobody answered in time)"}
_MOST_TOOLS = 10_000
_MOST_QUESTIONS = 100
_MOST_WORDS = 4000


class Tool(msgspec.Struct):
    """One call of a tool: what is known of it so far."""

    name: str = ""
    kind: str = ""
    paths: tuple[str, ...] = ()
    denied: bool = False
    over: bool = False


class AcpLog(AgentLog):
    """Messages of the protocol, in both directions, one a line. A later prompt opens another turn.

    The session is named only if the agent can resume it. What its tokens and its cost mean is in `acp_usage`.
    """

    def __init__(self, previous: TokenUsage | None = None) -> None:
        super().__init__(previous)
        self._meaning = meaning_of("")
        self._can_resume = False
        self._session = ""
        self._open = False  # a prompt is being answered
        self._prompted = False
        self._stop = ""
        self._used = TokenUsage()  # of the turns that have ended
        self._turn = TokenUsage()  # of the last turn
        self._recorded = False  # the tokens of the last turn come from the agent's own records
        self._pieces = TokenUsage()  # of the messages of this turn, where an agent reports them
        self._counted = False  # figures of the last turn were reported
        self._cost: float | None = None
        self._cost_before = 0.0
        self._message = ""  # the id of the message that is being written
        self._afresh = True  # the next words begin a new message
        self._tools: dict[str, Tool] = {}
        self._asked: dict[str, tuple[str, dict[str, str]]] = {}  # permissions: the call, and its options by id
        self._questions: dict[int, Question] = {}
        self._unheard = ""  # why the next denial is nobody's decision

    def event(self, event: dict[str, Any]) -> bool:
        method = event.get("method")
        if "jsonrpc" not in event:
            return False
        if isinstance(method, str):
            self._called(method, table(event.get("params")), event)
        elif isinstance(event.get("error"), dict):
            self._fail(event["error"])
        else:
            self._answer(table(event.get("result")), event)
        return True

    def _called(self, method: str, params: dict[str, Any], event: dict[str, Any]) -> None:
        if method == "session/update":
            self._update(table(params.get("update")))
        elif method == "session/prompt":
            self._begin()
        elif method in ("session/load", "session/resume"):
            self._name_session(word(params.get("sessionId")))
        elif method == "session/request_permission":
            self._ask(params, str(event.get("id")))
        elif method == "_nova/question":
            self._wait_for(params)
        elif method == "_nova/answer":
            self._settle(params)
        elif method == "_nova/failed" and self.problem is None:
            self._fail({"message": params.get("error")})
        elif method == "_nova/usage":
            self._turn, self._recorded = tokens_of(params), True
        elif method == "_nova/stderr":
            self._hear(text(params.get("line")))

    def _begin(self) -> None:
        if self._cost is not None and not self._prompted and self._meaning.cost_of_session:
            self._cost_before = self._cost  # a resumed session replays what it has cost
        self._open, self._prompted, self._stop, self.problem, self._counted = True, True, "", None, False
        self._used, self._turn, self._recorded = self._used + self._turn, TokenUsage(), False
        self._pieces, self._afresh = TokenUsage(), True

    def _hear(self, line: str) -> None:
        """A line of the agent's standard error."""
        if line.strip():
            self.tail.append(line[:2000])

    # answers

    def _answer(self, result: dict[str, Any], event: dict[str, Any]) -> None:
        if "protocolVersion" in result:
            able = table(result.get("agentCapabilities"))
            self._can_resume = able.get("loadSession") is True or "resume" in table(able.get("sessionCapabilities"))
            self._meaning = meaning_of(text(table(result.get("agentInfo")).get("name")))
        elif "stopReason" in result:
            self._end_turn(result)
        elif "outcome" in result:
            self._decide(str(event.get("id")), table(result.get("outcome")))
        elif "sessionId" in result or "modes" in result or "models" in result or "configOptions" in result:
            self._name_session(word(result.get("sessionId")))
            self.model = model_of(result) or self.model

    def _name_session(self, session: str) -> None:
        self._session = session or self._session
        self.session_id = self._session if self._session and self._can_resume else self.session_id

    def _end_turn(self, result: dict[str, Any]) -> None:
        self._stop, self._open = word(result.get("stopReason")) or "end_turn", False
        turn = tokens_of(table(result.get("usage")))
        turn = turn if turn.total else quota_of(result)
        turn = turn if turn.total else self._pieces
        self._counted = bool(turn.total)
        self._turn, self._pieces = turn, TokenUsage()
        self.model = model_of_quota(result) or self.model
        words = self.final_text[:_MOST_WORDS]
        if self._stop == "end_turn" and (error := self._error_in(words)):
            self.details = words
            self.problem = Ending(verdict_of_words(error) or Verdict.FAILED, first_line(error, 300))

    def _error_in(self, words: str) -> str:
        """The error that the agent's last message is, or empty."""
        found = self._meaning.error.match(words) if self._meaning.error else None
        return found[1].rstrip("]") if found else only_errors(words.splitlines()) if not self._counted else ""

    def _fail(self, error: dict[str, Any]) -> None:
        """A request to the agent has failed: nothing more comes of it."""
        data = error.get("data")
        told = (table(data), table(table(data).get("error")))
        more = text(data) or next(
            (w for part in told for key in ("details", "message") if (w := text(part.get(key)))), ""
        )
        said = text(error.get("message")) or "an error without a message"
        words = f"{said}: {more}" if more and more not in said else said
        code = error.get("code")
        status = http_status(table(data).get("status")) or http_status(table(data).get("statusCode")) or count(code)
        verdict = verdict_of(status if 400 <= status < 600 else 0, words[:_MOST_WORDS])
        if verdict is None and code == _NEEDS_LOGIN:
            verdict = Verdict.BAD_CREDENTIALS
        self.details, self._open = words[:_MOST_WORDS], False
        self.problem = Ending(verdict or Verdict.FAILED, first_line(words, 1000))

    # updates

    def _update(self, update: dict[str, Any]) -> None:
        kind = update.get("sessionUpdate")
        if kind == "usage_update":
            told = table(update.get("cost"))
            dollars = amount(told.get("amount")) if told.get("currency", "USD") == "USD" else None
            self._cost = self._cost if dollars is None else dollars
        elif not self._open:
            return  # the history of a resumed session
        elif kind == "agent_message_chunk":
            self._write(update)
        elif kind in ("tool_call", "tool_call_update"):
            self._use(update)
        elif kind == "plan":
            entries = map(table, rows(update.get("entries")))
            self.say(next((text(row.get("content")) for row in entries if row.get("status") == "in_progress"), ""))

    def _write(self, update: dict[str, Any]) -> None:
        usage = tokens_of(table(table(update.get("_meta")).get("usage")))
        if usage.total:
            self._pieces += usage
            self.messages += 1
        words, message = text(table(update.get("content")).get("text")), word(update.get("messageId"))
        if not words:
            return
        if self._afresh or message != self._message:
            self.said(words)
            self.say(words)
        else:
            self.said_more(words)
        self._afresh, self._message = False, message

    def _use(self, update: dict[str, Any]) -> None:
        self._afresh = True
        name = word(update.get("toolCallId"))
        tool = self._tools.get(name)
        if tool is None:
            tool = Tool()
            if len(self._tools) < _MOST_TOOLS:
                self._tools[name] = tool
        title = text(update.get("title"))
        tool.name = _tool_name(update) or tool.name or first_line(title)
        tool.kind = word(update.get("kind")) or tool.kind
        if not any(path.startswith("/") for path in tool.paths):
            tool.paths = _paths(update) or tool.paths
        if title or update.get("rawInput"):
            self.say(_step(tool, title, table(update.get("rawInput"))))
        if update.get("status") in ("completed", "failed") and not tool.over:
            tool.over = True
            self._finish(tool, update)

    def _finish(self, tool: Tool, update: dict[str, Any]) -> None:
        if update["status"] == "completed":
            self.tools_run += 1
            for path in tool.paths if tool.kind in _CHANGES else ():
                self.changed(path)
        elif tool.denied or "does not exist" in text(table(update.get("rawOutput")).get("message"))[:500]:
            self.tools_refused += 1
        else:
            self.tools_run += 1

    # permissions

    def _ask(self, params: dict[str, Any], number: str) -> None:
        call, options = table(params.get("toolCall")), map(table, rows(params.get("options")))
        if len(self._asked) < _MOST_QUESTIONS:
            kinds = {word(option.get("optionId")): word(option.get("kind")) for option in options}
            self._asked[number] = word(call.get("toolCallId")), kinds
        if self._open and call.get("toolCallId"):
            self._use({**call, "status": None})

    def _decide(self, number: str, outcome: dict[str, Any]) -> None:
        call, options = self._asked.pop(number, ("", {}))
        if options.get(word(outcome.get("optionId")), "").startswith("allow"):
            return
        tool = self._tools.get(call) or Tool(name="a tool")
        tool.denied = True
        self.deny(f"{tool.name or tool.kind or 'a tool'}{self._unheard}")
        self._unheard = ""

    def _settle(self, params: dict[str, Any]) -> None:
        self._questions.pop(count(params.get("number")), None)
        self._unheard = _UNHEARD.get(word(params.get("by")), "")

    def _wait_for(self, params: dict[str, Any]) -> None:
        if len(self._questions) < _MOST_QUESTIONS:
            number = count(params.get("number"))
            self._questions[number] = Question(number, word(params.get("key")), text(params.get("words"))[:_MOST_WORDS])

    @property
    def question(self) -> Question | None:
        return next(iter(self._questions.values()), None)

    # results

    @property
    def usage(self) -> TokenUsage:
        return self._used + self._turn + self._pieces

    @property
    def unsure(self) -> bool:
        return self._open or not self._counted or (self._meaning.scope is Scope.STEP and not self._recorded)

    @property
    def told_cost(self) -> tuple[float | None, CostBasis]:
        """The cost of the session so far, without what it had cost before this run."""
        return cost_of_agent(None if self._cost is None else max(added(-self._cost_before, self._cost), 0.0))

    @property
    def is_final(self) -> bool:
        return not self._open and bool(self._stop)

    def ending(self, exit_code: int | None) -> Ending | None:
        if self.problem is not None:
            return self.problem
        if self._stop == "cancelled" and self.denied:
            return _STOPS["end_turn"]  # some agents end a turn in which they were denied something this way
        return _STOPS.get(self._stop) or (Ending(Verdict.FAILED, f"it stopped: {self._stop}") if self._stop else None)


def _tool_name(update: dict[str, Any]) -> str:
    """The agent's own name of the tool, where it gives one."""
    meta = table(update.get("_meta"))
    return word(meta.get("toolName")) or word(table(meta.get("claudeCode")).get("toolName"))


def _paths(update: dict[str, Any]) -> tuple[str, ...]:
    """The files of a call of a tool."""
    given = table(update.get("rawInput"))
    named = [text(given.get(name)) for name in ("file_path", "filePath", "path")]
    places = [text(table(row).get("path")) for name in ("locations", "content") for row in rows(update.get(name))]
    found = tuple(dict.fromkeys(path for path in (*places, *named) if path))
    return tuple(path for path in found if path.startswith("/")) or found


def _step(tool: Tool, title: str, given: dict[str, Any]) -> str:
    path = tool.paths[0] if tool.paths else ""
    if path and tool.kind in ("read", *_CHANGES):
        return f"{tool.kind} {PurePath(path).name}"
    return text(given.get("description")) or first_line(text(given.get("command"))) or title or tool.name
