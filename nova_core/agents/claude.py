"""Claude Code: `claude -p --output-format stream-json --verbose`, also `--output-format json`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from nova_core.agents.claude_parts import as_told, of_model, step_of, was_refused, words_of
from nova_core.agents.fields import added, amount, count, first_line, http_status, rows, table, text, word
from nova_core.agents.log import CHARACTERS, AgentLog
from nova_core.agents.outcome import CostBasis, Ending, Verdict
from nova_core.agents.records import claude_usage
from nova_core.agents.signs import is_race, only_errors, verdict_of, verdict_of_status
from nova_core.agents.windows import MOST_WINDOWS, claude_window
from nova_core.model import TokenUsage

_SUBTYPES = {"error_max_turns": Verdict.MAX_TURNS, "error_max_budget_usd": Verdict.OVER_BUDGET}
_ERRORS = {
    "rate_limit": Verdict.RATE_LIMITED,
    "server_error": Verdict.OVERLOADED,
    "overloaded": Verdict.OVERLOADED,
    "authentication_failed": Verdict.BAD_CREDENTIALS,
    "billing_error": Verdict.BAD_CREDENTIALS,
    "max_output_tokens": Verdict.LIMIT_REACHED,
    "invalid_request": Verdict.FAILED,
    "model_not_found": Verdict.FAILED,
}
_STOPS = {"refusal": Verdict.REFUSED, "max_tokens": Verdict.LIMIT_REACHED}
_OF_RESULT = ("subtype", "terminal_reason", "is_error", "api_error_status")
_TERMINAL = {"prompt_too_long": Verdict.LIMIT_REACHED, "max_turns": Verdict.MAX_TURNS}
_NOT_WHOLE = ("error_max_budget_usd", "error_during_execution")  # their `usage` may lack the last message
_EDITS = ("Edit", "Write", "NotebookEdit", "MultiEdit")
_INTERRUPTED = "Execution error"  # the whole text that `--output-format text` prints
_SYNTHETIC = "<synthetic>"  # the model of what claude says itself
_EMPTY = ("No response requested.", "(no content)")  # what it says itself for want of an answer
_OF_MODEL = re.compile(r"_(opus|sonnet|haiku|fable)\b")
_MOST_MESSAGES = 1000  # between two results; older usage is only summed
_MOST_CALLS = 1000  # without a result so far
_MOST_MODELS = 100


class ClaudeLog(AgentLog):
    """Claude Code's output. Live: usage per message id; the last value wins, because every content block repeats it.

    Settled: each result's usage since the previous one. `usage` of a result leaves out sub-agents; its `modelUsage` and
    `total_cost_usd` keep counting when a session is resumed.
    """

    def __init__(self, previous: TokenUsage | None = None) -> None:
        super().__init__(previous)
        self._messages: dict[str, TokenUsage] = {}
        self._model_of: dict[str, str] = {}
        self._exact: set[str] = set()  # messages whose output is final, from the partial stream
        self._characters: dict[str, int] = {}
        self._older: dict[str | None, TokenUsage] = {}  # of messages that are not kept separately
        self._settled: dict[str | None, TokenUsage] = {}
        self._told = TokenUsage()  # by `usage` of the results: the main thread, with interrupted messages
        self._resumed = False  # perhaps: the totals are the session's, and the new part is an estimate
        self._dollars: float | None = None
        self._guessed = False
        self._result: dict[str, Any] | None = None
        self._error = ""
        self._stop = ""
        self._spoke = False  # the model, in this turn
        self._own = ""  # what claude said itself after the model's last message
        self._end = ""  # the text of the result
        self._before_end = ""  # the last text before it
        self._paths: dict[str, str] = {}  # by tool call: the file it will write
        self._streamed = ""

    def event(self, event: dict[str, Any]) -> bool:
        kind = event.get("type")
        if not isinstance(kind, str) or kind == "error":  # the server's answer, within a text
            return False
        session = event.get("session_id")
        if session != self.session_id:
            self.session_id = word(session) or self.session_id
        handler = self._HANDLERS.get(kind)
        if handler is not None:
            handler(self, event)
        return True

    def _system(self, event: dict[str, Any]) -> None:
        subtype = event.get("subtype")
        if subtype == "init":
            self.model = word(event.get("model")) or self.model
            self._result = None  # a background task ended: another turn begins
            self._spoke, self._own = False, ""
        elif subtype == "api_retry":
            self._retry(event)
        elif subtype == "permission_denied":
            self.deny(text(event.get("tool_name")) or "a tool")
        elif subtype in ("task_progress", "task_started"):
            self.say(text(event.get("description")))

    def _retry(self, event: dict[str, Any]) -> None:
        status, error = http_status(event.get("error_status")), word(event.get("error"))
        verdict = _ERRORS.get(error) or verdict_of_status(status) or Verdict.FAILED
        said = f"{error or 'error'} ({status})" if status else error or "error"
        self.problem = Ending(verdict, f"the model server said: {said}")
        if verdict is Verdict.BAD_CREDENTIALS and not is_race(error):
            self.hopeless = self.problem
        seconds = round(count(event.get("retry_delay_ms")) / 1000)
        attempt, most = count(event.get("attempt")), count(event.get("max_retries"))
        self.say(f"retry {attempt}/{most}: {error} in {seconds} s")

    def _rate_limit(self, event: dict[str, Any]) -> None:
        info = table(event.get("rate_limit_info"))
        if len(self.windows) < MOST_WINDOWS:
            self.windows |= claude_window(info)
        if info.get("status") == "rejected" and not info.get("isUsingOverage"):
            model = _OF_MODEL.search(word(info.get("rateLimitType")))
            self.resets_at, self.limited_model = amount(info.get("resetsAt")), model and model[1]
            self.problem = Ending(Verdict.RATE_LIMITED, "the usage limit is reached")

    def _assistant(self, event: dict[str, Any]) -> None:
        message = table(event.get("message"))
        is_main, is_own = event.get("parent_tool_use_id") is None, message.get("model") == _SYNTHETIC
        if error := word(event.get("error")):
            self._error = error
            self._rate_limit(table(event.get("api_error_params")))
        elif not is_own:
            self.problem = self.resets_at = self.limited_model = None
            self._error = ""
            self._result = None if is_main else self._result
        if is_main:
            self._spoke |= not is_own
            self._own = words_of(message.get("content")) if is_own else ""
        name = word(message.get("id"))
        if name and not is_own:
            self._count(name, table(message.get("usage")))
            self._model_of[name] = word(message.get("model"))
            self.model = self.model or self._model_of[name] or None
        self._stop = word(message.get("stop_reason")) or self._stop
        for block in rows(message.get("content")):
            self._block(name, table(block))

    def _count(self, name: str, usage: dict[str, Any]) -> None:
        if name in self._exact:
            return
        self.messages += name not in self._messages
        self._messages[name] = claude_usage(usage)
        if len(self._messages) > _MOST_MESSAGES:
            self._sum_up(next(iter(self._messages)))

    def _sum_up(self, name: str) -> None:
        model = _key(self._model_of.pop(name, None) or self.model, self._older)
        self._older[model] = self._older.get(model, TokenUsage()) + self._live(name)
        del self._messages[name]
        self._characters.pop(name, None)
        self._exact.discard(name)

    def _block(self, name: str, block: dict[str, Any]) -> None:
        if block.get("type") == "text":
            self.said(text(block.get("text")))
            self._characters[name] = self._characters.get(name, 0) + len(self.final_text)
            self.say(self.final_text)
        elif block.get("type") == "tool_use":
            tool, given = text(block.get("name")), table(block.get("input"))
            self._characters[name] = self._characters.get(name, 0) + len(str(given))
            self.say(step_of(tool, given))
            if tool in _EDITS and len(self._paths) < _MOST_CALLS:
                self._paths[word(block.get("id"))] = text(given.get("file_path") or given.get("notebook_path"))
            elif tool == "AskUserQuestion":
                questions = rows(given.get("questions"))
                self.asked = first_line(text(table(questions[0]).get("question")) if questions else "") or "a question"

    def _user(self, event: dict[str, Any]) -> None:
        told = table(event.get("tool_use_result"))
        if told.get("type") in ("create", "update"):
            self.changed(text(told.get("filePath")))
        for block in rows(table(event.get("message")).get("content")):
            block = table(block)
            if block.get("type") != "tool_result":
                continue
            path = self._paths.pop(word(block.get("tool_use_id")), "")
            if block.get("is_error"):
                refused = was_refused(event, words_of(block.get("content")))
                self.tools_refused += refused
                self.tools_run += not refused
            else:
                self.tools_run += 1
                self.changed(path)

    def _stream(self, event: dict[str, Any]) -> None:
        """With --include-partial-messages: the final output count of each message of the main thread."""
        inner = table(event.get("event"))
        if inner.get("type") == "message_start":
            message = table(inner.get("message"))
            self._streamed = word(message.get("id"))
            self._count(self._streamed, table(message.get("usage")))
        elif inner.get("type") == "message_delta":
            name = word(event.get("api_message_id")) or self._streamed
            usage = table(inner.get("usage"))
            self._stop = word(table(inner.get("delta")).get("stop_reason")) or self._stop
            before = self._messages.get(name)
            if name and before is not None:
                self._exact.discard(name)
                self._count(name, {**as_told(before), **{k: v for k, v in usage.items() if v}})
                self._exact.add(name)

    def _result_line(self, event: dict[str, Any]) -> None:
        told = {name: event.get(name) for name in _OF_RESULT}
        late = self.is_final and told["subtype"] == "error_during_execution"  # interrupted after it had finished
        self._result = self._result if late else told
        self._stop = word(event.get("stop_reason")) or self._stop
        if not self.again(word(event.get("uuid"))):
            self._told += claude_usage(table(event.get("usage")))
            since = event.get("model_usage_since_last_result")
            self._settle(since) if isinstance(since, dict) else self._settle_whole(event)
        self._messages.clear()
        self._exact.clear()
        self._characters.clear()
        self._model_of.clear()
        self._older.clear()
        final = text(event.get("result"))
        errors = [item for item in rows(event.get("errors")) if isinstance(item, str)]
        if not late:
            self._before_end = self.final_text
            self._end = final if final.strip() else errors[0] if errors else ""
            self.said(self._end)
        for item in rows(event.get("permission_denials")):
            self.deny(text(table(item).get("tool_name")) or "a tool")

    def _settle(self, models: dict[str, Any]) -> None:
        for model, told in models.items():
            told, name = table(told), _key(model, self._settled)
            self._settled[name] = self._settled.get(name, TokenUsage()) + of_model(told)
            self.model = self.model or name
            dollars = amount(told.get("costUSD"))
            if dollars is not None:
                self._dollars = added(self._dollars, dollars)
            self._guessed |= told.get("costBasis") == "unknown"
        if not models:
            self._dollars = self._dollars or 0.0

    def _settle_whole(self, event: dict[str, Any]) -> None:
        """Other versions, and `--output-format json`: the session's totals less those of its earlier runs.

        If those are unknown, use `usage`: it is complete for a run of one turn, without sub-agents, not stopped in a
        message.
        """
        models = table(event.get("modelUsage"))
        total = sum((of_model(table(told)) for told in models.values()), TokenUsage())
        own = claude_usage(table(event.get("usage")))
        alone = table(event.get("subagent_stats")).get("spawned") == 0 and not event.get("result_index")
        alone = alone and event.get("subtype") not in _NOT_WHOLE
        self._resumed = "usage" in event and not self.previous.total and (total - own).total > 0
        if not models or (self._resumed and alone):
            total = own
        elif self.previous.total:
            total = total - self.previous
        else:
            self._dollars = amount(event.get("total_cost_usd"))
            self._guessed = any(table(told).get("costBasis") == "unknown" for told in models.values())
        self.model = self.model or next(filter(word, models), None)
        self._settled = {self.model: total}

    _HANDLERS = {  # noqa: RUF012 - a table, never changed
        "system": _system,
        "assistant": _assistant,
        "user": _user,
        "stream_event": _stream,
        "result": _result_line,
        "rate_limit_event": _rate_limit,
    }

    # results

    @property
    def usage(self) -> TokenUsage:
        known = sum((*self._settled.values(), *self._older.values()), TokenUsage())
        return sum((self._live(name) for name in self._messages), known)

    @property
    def models(self) -> Mapping[str | None, TokenUsage]:
        found = dict(self._settled)
        for older, usage in self._older.items():
            found[older] = found.get(older, TokenUsage()) + usage
        for name in self._messages:
            model = self._model_of.get(name) or self.model
            found[model] = found.get(model, TokenUsage()) + self._live(name)
        return found

    def _live(self, name: str) -> TokenUsage:
        """A message's usage; until it is final, its output is estimated from its length, because the stream says 1."""
        told = self._messages[name]
        if name in self._exact:
            return told
        guess = max(told.output_tokens, self._characters.get(name, 0) // CHARACTERS)
        return TokenUsage(told.input_tokens, guess, told.cache_read_tokens, told.cache_creation_tokens)

    @property
    def unsure(self) -> bool:
        if self._result is not None and self._result.get("terminal_reason") == "aborted_streaming":
            return True  # a request was running, which the provider may bill anyway
        settled = sum(self._settled.values(), TokenUsage())
        if self._resumed or (self._told - settled).total:
            return True
        return not self._settled and self._dollars is None if not self._messages else True

    @property
    def is_final(self) -> bool:
        return self._result is not None

    @property
    def told_cost(self) -> tuple[float | None, CostBasis]:
        if self._dollars is None or self._messages:
            return None, CostBasis.UNPRICED
        return self._dollars, CostBasis.AGENT_GUESS if self._guessed else CostBasis.AGENT

    def ending(self, exit_code: int | None) -> Ending | None:
        result = self._result
        if result is None and not exit_code and not self.began and list(self.tail)[-1:] == [_INTERRUPTED]:
            return Ending(Verdict.INTERRUPTED, "it was interrupted")
        if result is None:
            return self._failure({}, self._own) if self._own else self.hopeless if exit_code else None
        subtype, words = text(result.get("subtype")), self._end or self._own
        if subtype in _SUBTYPES:
            return Ending(_SUBTYPES[subtype], first_line(words, 300) or subtype)
        if text(result.get("terminal_reason")).startswith("aborted"):
            return Ending(Verdict.INTERRUPTED, "it was interrupted")
        if result.get("is_error") or subtype.startswith("error") or self._is_own_word():
            return self._failure(result, words)
        return Ending(Verdict.DONE, "it finished its work")

    def _is_own_word(self) -> bool:
        """Returns True if the last word is not the model's but claude's own: an error that it calls a success."""
        if self._own:
            return not (self._spoke and self._own in _EMPTY)
        if self._end.strip() == self._before_end.strip() or (self.usage.total and not self._spoke):
            return False  # the model said so, or nothing shows what it said (`--output-format json`)
        return bool(only_errors(self._end.splitlines()))

    def _failure(self, result: Mapping[str, Any], words: str) -> Ending:
        status = http_status(result.get("api_error_status"))
        told = (
            _STOPS.get(self._stop), _TERMINAL.get(text(result.get("terminal_reason"))), verdict_of(status, words),
            _ERRORS.get(self._error), Verdict.NOTHING_DONE if words in _EMPTY else None,
        )  # fmt: skip
        # Any of these may only mean failure: 400 is also an account without credit.
        verdict = next((verdict for verdict in told if verdict not in (None, Verdict.FAILED)), None)
        subtype = text(result.get("subtype"))
        return Ending(verdict or Verdict.FAILED, first_line(words, 300) or subtype or "it ended with an error")


def _key(model: str | None, known: Mapping[str | None, TokenUsage]) -> str | None:
    """The model as a key of a table whose size is limited."""
    return model if model in known or (len(known) < _MOST_MODELS and word(model)) else None
