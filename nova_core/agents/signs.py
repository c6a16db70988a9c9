"""The words and numbers by which model servers and agents report errors, and when to retry."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from nova_core.agents.outcome import Verdict

_BY_STATUS = {
    401: Verdict.BAD_CREDENTIALS,
    402: Verdict.BAD_CREDENTIALS,
    403: Verdict.BAD_CREDENTIALS,
    413: Verdict.LIMIT_REACHED,
    429: Verdict.RATE_LIMITED,
}
# In this order: a message about a quota may also mention the key, one about the length also a limit.
_BY_WORDS = (
    (
        Verdict.LIMIT_REACHED,
        r"max(?:imum)?[ _-](?:output[ _-])?tokens|context[ _-](?:window|length)|prompt is too long|token limit"
        r"|maximum number of tokens",
    ),
    (
        Verdict.RATE_LIMITED,
        r"\b429\b|rate.?limit|too many requests|usage limit|quota|resource_?exhausted|hit your limit|limit reached",
    ),
    (
        Verdict.BAD_CREDENTIALS,
        r"\b40[123]\b|unauthori[sz]ed|authenticat|invalid (?:api|x-api)[ -]key|api key|credit balance|not logged in"
        r"|/login|auth method|missing environment variable: \W?\w*(?:key|token)|permission_?denied error",
    ),
    (
        Verdict.OVERLOADED,
        r"\b(?:500|502|503|504|529)\b|overloaded|high demand|internal ?server ?error|service ?unavailable"
        r"|server_error|fetch failed|econnre|connection (?:error|failed|refused|reset)|connectionerror"
        r"|stream (?:disconnected|ended)"
        r"|apiconnection|timed? ?out",
    ),
    (Verdict.REFUSED, r"refus(?:al|ed to)|content.?filter|safety|safeguards flagged|response was blocked"),
    (Verdict.MAX_TURNS, r"reached max(?:imum number of)?(?: session)? turns"),
    (Verdict.OVER_BUDGET, r"exceeded usd budget|reached maximum budget"),
)
# The start of a line that reports an error. Other lines may be about the work, which may concern limits and keys.
_ERROR_LINE = re.compile(
    r"(?:\d{4}-\d\d-\d\d\S{0,30}\s+)?[\W_]{0,20}(?:(?:\w{1,20}\s){0,2}\w{0,40}(?:error|exception)\b|fatal\b"
    r"|invalid (?:x-)?api[ -]key|failed to authenticate|credit balance|not logged in|please set an auth method"
    r"|prompt is too long|unexpected status|you've hit your|(?:claude )?(?:ai )?usage limit)",
    re.IGNORECASE,
)
_UNIT = r"(?:ms|milliseconds?|d|days?|h|hrs?|hours?|m|mins?|minutes?|s|secs?|seconds?)"
_AFTER = (
    r"(?:again|retry|reset\w*|available)\s+(?:in|after):?\s+"
    rf"((?:\d{{1,7}}(?:\.\d{{1,9}})?\s*{_UNIT}(?![a-z])[ ,]*(?:and )?){{1,5}})"
)
_PART = r"(\d{1,7}(?:\.\d{1,9})?)\s*(ms|milli|d|h|m|s)"
_SECONDS = {"ms": 0.001, "milli": 0.001, "d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}
_EPOCH = r"limit reached\|(\d{10})\b"
_STAMP = r"resets?\w*\s+(?:at|on)?\s*(\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)"
_CLOCK = r"resets?\w*\s+(?:at\s+)?(\d{1,2})(?::(\d\d))?\s*([ap])m\b(?:\s*\((UTC)\))?"
_MOST_TEXT = 4000


def verdict_of_status(status: int) -> Verdict | None:
    """The meaning of an HTTP status for the run; None for a status that is not a failure."""
    if status < 400:
        return None
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    return Verdict.OVERLOADED if status >= 500 or status == 408 else Verdict.FAILED


def verdict_of_words(text: str) -> Verdict | None:
    """The meaning of a failure message, None if it is unknown."""
    text = text[:_MOST_TEXT]
    return next((verdict for verdict, pattern in _BY_WORDS if re.search(pattern, text, re.IGNORECASE)), None)


def error_lines(lines: Iterable[str]) -> str:
    """The lines that report an error."""
    return "\n".join(line for line in lines if _ERROR_LINE.match(line))


def wait_in(text: str, now: float) -> float | None:
    """Seconds until the time a message names ("try again in 2 h 5 min", "resets 3pm (UTC)"); None if it names none.

    `now` is seconds since the epoch. A time of day without a zone is UTC.
    """
    text = text[:_MOST_TEXT]
    if found := re.search(_AFTER, text, re.IGNORECASE):
        parts = re.findall(_PART, found[1], re.IGNORECASE)
        return sum(float(number) * _SECONDS[unit.lower()] for number, unit in parts)
    if found := re.search(_EPOCH, text):
        return max(0.0, float(found[1]) - now)
    if found := re.search(_STAMP, text):
        return _until_stamp(found[1], now)
    if found := re.search(_CLOCK, text, re.IGNORECASE):
        return _until_clock(int(found[1]), int(found[2] or 0), found[3].lower() == "p", now)
    return None


def _until_stamp(stamp: str, now: float) -> float | None:
    try:
        moment = datetime.fromisoformat(stamp)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, moment.timestamp() - now)


def _until_clock(hour: int, minute: int, afternoon: bool, now: float) -> float | None:
    if not 1 <= hour <= 12 or minute > 59:
        return None
    today = datetime.fromtimestamp(now, UTC)
    moment = today.replace(hour=hour % 12 + (12 if afternoon else 0), minute=minute, second=0, microsecond=0)
    if moment.timestamp() <= now:
        moment += timedelta(days=1)
    return moment.timestamp() - now
