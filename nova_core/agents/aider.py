"""aider: its words, and the lines of its analytics log where they are mixed in."""

from __future__ import annotations

import re
from typing import Any

from nova_core.agents.fields import amount, count, first_line, table
from nova_core.agents.log import AgentLog
from nova_core.agents.outcome import CostBasis, Ending, Verdict
from nova_core.agents.signs import verdict_of_words
from nova_core.model import TokenUsage

_TOKENS = re.compile(r"Tokens: ([\d.,]+[kM]?) sent(?:, .*?)?, ([\d.,]+[kM]?) received\.")
_ROUGH = re.compile(r"(Input|Output) tokens: ~([\d.,]+[kM]?) of")
_SESSION = re.compile(r"\$([\d.,]+) session")
_ERROR = re.compile(r"litellm\.(?:\w+\.)?(\w+(?:Error|Exceeded|Timeout|Unavailable))\b:?\s*(.*)")
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
_SCALE = {"k": 1_000, "M": 1_000_000}


class AiderLog(AgentLog):
    """Its exit code is 0 in every case: whether a message was answered is the verdict. Its words round the tokens and
    count the cache as sent; the analytics log has the exact sums, in cache or not.
    """

    def __init__(self, previous: TokenUsage | None = None) -> None:
        super().__init__(previous)
        self._told = TokenUsage()  # rounded
        self._exact = TokenUsage()
        self._asked_model = self._answered = 0
        self._analytics = False
        self._exited = False
        self._dollars: float | None = None
        self._error: Ending | None = None
        self._speech: list[str] = []

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
            self._error = None
            self._exact += TokenUsage(count(given.get("prompt_tokens")), count(given.get("completion_tokens")))
            self._dollars = amount(given.get("total_cost")) or self._dollars
        elif name == "exit":
            self._exited = True
        return True

    def plain(self, line: str) -> None:
        if found := _TOKENS.search(line):
            self.began = True
            self._error = None
            self._told += TokenUsage(_number(found[1]), _number(found[2]))
            self.said("\n".join(self._speech).strip())
            self._speech = []
            if dollars := _SESSION.search(line):
                self._dollars = self._dollars if self._analytics else float(dollars[1].replace(",", ""))
        elif found := _ERROR.search(line):
            self.began = True
            self._fail(found[1], found[2])
        elif found := _APPLIED.match(line):
            self.began = True
            self.changed(found[1].strip())
            self.tools_run += 1
            self.say(f"edit {found[1].strip()}")
        elif found := _MODEL.match(line):
            self.began = True
            self.model = found[1].removeprefix("openai/")
        elif "has hit a token limit" in line or ("exceeds the" in line and "token limit" in line):
            self._error = Ending(Verdict.LIMIT_REACHED, line.strip())
        elif self._error and (found := _ROUGH.match(line)):
            count_of = _number(found[2])
            self._told += TokenUsage(count_of, 0) if found[1] == "Input" else TokenUsage(0, count_of)
        elif len(self._speech) < 2000 and self.model:
            self._speech.append(line)

    def _fail(self, name: str, said: str) -> None:
        words = f"{name}: {said}"
        verdict = _ERRORS.get(name) or verdict_of_words(words) or Verdict.FAILED
        if "permission denied" in said.lower():
            verdict = Verdict.BAD_CREDENTIALS
        self._error = self.problem = Ending(verdict, first_line(words, 300))
        self.say(first_line(words))
        if verdict is Verdict.BAD_CREDENTIALS:
            self.hopeless = self._error

    @property
    def usage(self) -> TokenUsage:
        return self._exact if self._analytics else self._told

    @property
    def estimated(self) -> bool:
        if self._analytics:
            return self._asked_model > self._answered and self._error is None
        return self._told.total > 0 or self._error is None

    @property
    def told_cost(self) -> tuple[float | None, CostBasis]:
        return (self._dollars, CostBasis.AGENT) if self._dollars else (None, CostBasis.UNPRICED)

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


def _number(words: str) -> int:
    scale = _SCALE.get(words[-1], 1)
    try:
        return round(float(words.rstrip("kM").replace(",", "")) * scale)
    except ValueError:
        return 0
