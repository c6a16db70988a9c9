"""aider: its text output, with the lines of its analytics log mixed in."""

from __future__ import annotations

import re
from typing import Any

from nova_core.agents.fields import amount, count, first_line, number, table, whole, word
from nova_core.agents.log import AgentLog
from nova_core.agents.outcome import CostBasis, Ending, Verdict, cost_of_agent
from nova_core.agents.signs import clear_verdict, verdict_of_words
from nova_core.model import TokenUsage

_TOKENS = re.compile(r"Tokens: ([\d.,]+[kM]?) sent(?:, .*?)?, ([\d.,]+[kM]?) received\.")  # at the start of a line
_CACHED = re.compile(r", ([\d.,]+[kM]?) cache (write|hit)")
_ROUGH = re.compile(r"(Input|Output) tokens: ~([\d.,]+[kM]?) of")
_SESSION = re.compile(r"\$([\d.,]+) session")
# At the start of a line: anywhere else it is code that the model writes or discusses.
_ERROR = re.compile(r"litellm\.(?:\w+\.)?(\w*(?:Error|Exceeded|Timeout|Unavailable)): ?(.*)")
_KEY_REFUSED = "The API provider is not able to authenticate you."  # aider's own message, after the error
_OWN = re.compile(r"Tokens: |Cost: |litellm\.|The API |Applied edit |Main model: |Model: |Input |Output ")
_HEADER = re.compile(
    r"(?:Weak model|Editor model|Git repo|Repo-map): |HTTPSConnectionPool\(|Added .{1,100} to the chat"
    r"|https://aider\.chat/\S+$"
)
_NO_MORE = re.compile(r"Only \d+ reflections allowed, stopping")
_EMPTY = "Empty response received from LLM."
_STOPPED = "^C again to exit"
_NO_EDIT = "The LLM did not conform to the edit format."
_APPLIED = re.compile(r"Applied edit to (.+)")
_MODEL = re.compile(r"(?:Main model|Model): (\S+)")
_ERRORS = {
    "AuthenticationError": Verdict.BAD_CREDENTIALS,
    "PermissionDeniedError": Verdict.BAD_CREDENTIALS,
    "RateLimitError": Verdict.RATE_LIMITED,
    "ContextWindowExceededError": Verdict.LIMIT_REACHED,
    "ContentPolicyViolationError": Verdict.REFUSED,
    "BadRequestError": Verdict.FAILED,
    "NotFoundError": Verdict.FAILED,
    "InternalServerError": Verdict.OVERLOADED,
    "ServiceUnavailableError": Verdict.OVERLOADED,
    "APIConnectionError": Verdict.OVERLOADED,
    "APIError": Verdict.OVERLOADED,
    "Timeout": Verdict.OVERLOADED,
}
_MOST_LINE = 2000  # characters read of a line
_MOST_WRAPPED = 5
_MOST_SPEECH = 100_000


class AiderLog(AgentLog):
    """aider's output. Its exit code is always 0, so the verdict is whether a message was answered.

    Its text rounds the token counts; the analytics log has the exact sums. Both count cached tokens as sent; only the
    text lists them, and only for some providers.
    """

    all_refused = "none of its edits could be applied"

    def __init__(self, previous: TokenUsage | None = None) -> None:
        super().__init__(previous)
        self._told = TokenUsage()  # rounded
        self._rough = TokenUsage()  # of answers that neither has
        self._cache = TokenUsage()  # of the last message, rounded
        self._rounded = False  # the rounded cache count was used to split analytics figures
        self._wrapped = 0  # lines that may continue the last error
        self._untold = False  # the answer that hit the limit is one of those
        self._exact = TokenUsage()
        self._asked_model = self._answered = 0
        self._analytics = False
        self._exited = False
        self._dollars: float | None = None
        self._error: Ending | None = None
        self._speech: list[str] = []
        self._speech_size = 0

    def event(self, event: dict[str, Any]) -> bool:
        name, given = event.get("event"), table(event.get("properties"))
        if not isinstance(name, str) or "properties" not in event:
            return False
        self._analytics = True
        if name == "message_send_starting":
            self._asked_model += 1
            self.say("asks the model")
        elif name == "message_send":
            self._answered += 1
            self.messages += 1
            self._served()
            told = TokenUsage(count(given.get("prompt_tokens")), count(given.get("completion_tokens")))
            self._exact += _apart(told, self._cache)
            self._rounded |= self._cache.total > 0
            self._cache = TokenUsage()
            self._dollars = amount(given.get("total_cost")) or self._dollars
        elif name == "exit":
            self._exited = True
        return True

    def _served(self) -> None:
        """The model answered: forget an error that looked final."""
        self._error = self.problem = self.hopeless = None

    def plain(self, line: str) -> None:
        if _OWN.match(line) or "token limit" in line:
            self._own(line[:_MOST_LINE])
        elif line.startswith(_NO_EDIT):
            self.tools_refused += 1
        elif line.startswith(_STOPPED):
            self._error = Ending(Verdict.INTERRUPTED, "it was interrupted")
        elif _NO_MORE.match(line):
            self._error = Ending(Verdict.MAX_TURNS, line)
        elif not line.startswith(_EMPTY) and not _HEADER.match(line):
            self._speak(line)

    def _speak(self, line: str) -> None:
        if self._error is not None and self._wrapped:
            self._wrapped -= 1
            if self._error.verdict is Verdict.FAILED:
                reason = f"{self._error.reason} {line}"[:_MOST_LINE]
                self._error = self.problem = Ending(verdict_of_words(reason) or Verdict.FAILED, reason)
        if self._speech_size < _MOST_SPEECH and self.model:
            self._speech.append(line)
            self._speech_size += len(line) + 1

    def _own(self, line: str) -> None:
        """Read a line that may be aider's own rather than the model's."""
        if found := _TOKENS.match(line):
            self.began = True
            self._served()
            self._cache = _cached(found[0])
            self._told += _apart(TokenUsage(whole(found[1]), whole(found[2])), self._cache)
            self.said("\n".join(self._speech).strip())
            self._speech, self._speech_size = [], 0
            self._price(line)
        elif line.startswith("Cost: $") and _SESSION.search(line):
            self._price(line)
        elif found := _ERROR.match(line):
            self.began = True
            self._fail(found[1], found[2])
        elif line.startswith(_KEY_REFUSED):
            self.hopeless = self._error if self._error and self._error.verdict is Verdict.BAD_CREDENTIALS else None
        elif found := _APPLIED.match(line):
            self.began = True
            self.changed(found[1].strip())
            self.tools_run += 1
            self.say(f"edit {found[1].strip()}")
        elif found := _MODEL.match(line):
            self.began = True
            self.model = word(found[1]).removeprefix("openai/") or None
        elif "has hit a token limit" in line or ("exceeds the" in line and "token limit" in line):
            self._error = Ending(Verdict.LIMIT_REACHED, line.strip())
            answered = self._asked_model <= self._answered if self._analytics else self._told.total > 0
            self._untold = not answered or bool(self._speech and not self._analytics)
        elif self._error and (found := _ROUGH.match(line)):
            rough = whole(found[2]) if self._untold else 0
            self._rough += TokenUsage(rough, 0) if found[1] == "Input" else TokenUsage(0, rough)
        else:
            self._speak(line)

    def _price(self, line: str) -> None:
        if not self._analytics and (dollars := _SESSION.search(line)):
            told = number(dollars[1])
            self._dollars = self._dollars if told is None else told

    def _fail(self, name: str, said: str) -> None:
        words = f"{name}: {said}"
        verdict = _ERRORS.get(name) or verdict_of_words(words) or Verdict.FAILED
        if verdict in (Verdict.FAILED, Verdict.RATE_LIMITED, Verdict.OVERLOADED):
            verdict = clear_verdict(words) or verdict
        if "permission denied" in said.lower():
            verdict = Verdict.BAD_CREDENTIALS
        self._error = self.problem = Ending(verdict, first_line(words, 300))
        self._wrapped = _MOST_WRAPPED
        self.say(first_line(words))

    def _by_exit(self, exit_code: int | None) -> Ending:
        if exit_code == 0:
            return Ending(Verdict.NOTHING_DONE, "it never called a model")
        return super()._by_exit(exit_code)

    def _error_words(self) -> str:
        """Only lines of `litellm` report errors: the others are the model's text."""
        return ""

    @property
    def usage(self) -> TokenUsage:
        return (self._exact if self._analytics else self._told) + self._rough

    @property
    def unsure(self) -> bool:
        if self._error is not None and self._error.verdict in (Verdict.LIMIT_REACHED, Verdict.INTERRUPTED):
            return True
        if self._analytics:
            return self._rounded or (self._asked_model > self._answered and self._error is None)
        return self._told.total > 0 or self._error is None

    @property
    def told_cost(self) -> tuple[float | None, CostBasis]:
        return cost_of_agent(self._dollars)

    @property
    def is_final(self) -> bool:
        return self._exited

    def ending(self, exit_code: int | None) -> Ending | None:
        if self._error is not None:
            return self._error
        if self._analytics and self._asked_model > self._answered and self._exited:
            return Ending(Verdict.FAILED, "the model never answered")
        if (self._analytics and self._exited and self._answered) or (self._told.total and not self._analytics):
            return Ending(Verdict.DONE, "it finished its work")
        if self.files and not exit_code:
            return Ending(Verdict.DONE, "it finished its work")
        return None


def _cached(line: str) -> TokenUsage:
    """The cache counts in a line of tokens."""
    told = {kind: whole(figure) for figure, kind in _CACHED.findall(line)}
    return TokenUsage(0, 0, told.get("hit", 0), told.get("write", 0))


def _apart(told: TokenUsage, cache: TokenUsage) -> TokenUsage:
    """Split the tokens sent into classes: they include cache reads once and cache writes twice."""
    uncached = told.input_tokens - cache.cache_read_tokens - 2 * cache.cache_creation_tokens
    return TokenUsage(max(0, uncached), told.output_tokens) + cache
