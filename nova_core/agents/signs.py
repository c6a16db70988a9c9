"""The words and numbers by which model servers and agents report errors."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

from nova_core.agents.outcome import Verdict

MOST_TEXT = 4000  # characters of a message that are examined
_BY_STATUS = {
    401: Verdict.BAD_CREDENTIALS,
    402: Verdict.BAD_CREDENTIALS,
    403: Verdict.BAD_CREDENTIALS,
    413: Verdict.LIMIT_REACHED,
    429: Verdict.RATE_LIMITED,
}
_Signs = tuple[tuple[Verdict, str], ...]
_PERIOD = (
    r"(?:hourly|daily|weekly|monthly|yearly|annual|\d+[- ]?h(?:ou)?rs?|five[- ]hour|session|usage|spend(?:ing)?|plan)"
)
_OF_LIMIT = r"(?:usage|spend(?:ing)?|token|request|message|api|opus|sonnet|haiku|model|credit)s?"
_FAMILY = r"(?:opus|sonnet|haiku|fable)"
_SHARE = r"(?:allowance|quota|cap)"
_ALONE = r"(?<![\w-]){}(?![\w-])"  # a number that is no part of an id
_GONE = r"(?:is |are |was |has been |have been )?(?:exhausted|used up|depleted)"
# What these mean is clear whatever the HTTP status is. In this order: a request that is too large for the limit per
# minute always is, and the message about a limit may mention keys, credits and lengths.
_CLEAR: _Signs = (
    (Verdict.LIMIT_REACHED, r"request[ _]too[ _]large|tokens must be reduced"),
    (
        Verdict.BAD_CREDENTIALS,
        r"credit balance|insufficient[ _](?:quota|funds|balance|credits?)|out of (?:\w+ ){0,2}credits?\b"
        r"|no credits? (?:left|remaining)|more credits\b.{0,40}\bor fewer|arrearage|余额不足|欠费"
        rf"|(?<!usage )\bcredits? {_GONE}"
        r"|not included in your plan"
        r"|to use codex with your chatgpt plan|not have access to claude"
        r"|(?:account|organi[sz]ation) (?:is |has been )?(?:disabled|suspended|deactivated)",
    ),
    (
        Verdict.RATE_LIMITED,
        rf"\b{_PERIOD}\s+(?:{_OF_LIMIT}\s+){{0,2}}(?:limits?|cap|quota)\b|rate[ _-]?limit|too many requests"
        rf"|please wait before|(?:out|used all) of (?:your )?(?:\w+ )?usage\b|no (?:\w+ )?usage (?:left|remaining)"
        rf"|\busage (?:\w+ )?{_GONE}"
        rf"|\b{_FAMILY}(?: [\d.]+)? (?:\w+ )?(?:limit|{_SHARE})\b",
    ),
    (
        Verdict.LIMIT_REACHED,
        r"max(?:imum)?[ _-](?:output[ _-])?tokens|context[ _-](?:window|length|size|limit)|token (?:limit|maximum)"
        r"|(?:prompt|input|conversation|history|message) (?:is |was |are )?too (?:long|large)|too many (?:\w+ )?tokens"
        r"|maximum number of tokens|ran out of room",
    ),
    (
        Verdict.BAD_CREDENTIALS,
        r"(?:invalid|incorrect|expired|revoked|missing) (?:\w+[ -])?(?:api[ -]key|token|credentials?|login)\b"
        r"|(?:api[ _-]key|access token|refresh token|oauth token|login|credentials?) (?:\w+ ){0,3}(?:expired|revoked"
        r"|invalid|not valid|missing|already (?:been )?used)|could not be refreshed|fail\w* to refresh"
        r"|token refresh failed|not logged in|/login|(?:log|sign) in again|please (?:log|sign) in"
        r"|missing environment variable: \W?\w*(?:key|token)|permission_?denied error"
        r"|no (?:api[ _-]key|authentication information|credentials?|login) (?:was |were )?(?:found|given|set)"
        r"|(?:not|n't) (?:load|find|get) (?:\w+ ){0,2}credentials",
    ),
)
# In this order: a message about a quota may also mention the key.
_BY_WORDS: _Signs = (
    (Verdict.MAX_TURNS, r"max(?:imum)?(?: number of)?(?: session)? turns|(?:turn|step|iteration)s? limit"),
    (
        Verdict.OVER_BUDGET,
        r"exceeded usd budget|reached maximum budget|budget (?:is |was |has been )?(?:exhausted|exceeded)",
    ),
    (
        Verdict.RATE_LIMITED,
        rf"{_ALONE.format('429')}|usage limit|quota|resource_?exhausted|limiting requests|throttl|spend(?:ing)? cap"
        r"|limit (?:has been |was |is )?(?:reached|hit|exceeded)|exhausted your capacity"
        r"|(?:reached|hit|exceed(?:ed)?|over|at) (?:your|its|their) (?:\S{1,40} ){0,6}(?:limits?|cap|allowance)\b",
    ),
    (Verdict.BAD_CREDENTIALS, rf"{_ALONE.format('40[123]')}|unauthori[sz]ed|authenticat|api[ _]key|auth method"),
    (
        Verdict.OVERLOADED,
        rf"{_ALONE.format('(?:500|502|503|504|529)')}|overloaded|high demand|at capacity|internal ?server ?error"
        r"|service ?unavailable|server_error|fetch failed|econnre"
        r"|connection (?:was )?(?:error|failed|refused|reset|closed|aborted)|connectionerror"
        r"|unable to connect|socket hang up|network error"
        r"|error sending request|server had an error|stream (?:disconnected|ended)|apiconnection|timed? ?out"
        r"|etimedout|enotfound|error: terminated\b",
    ),
    (
        Verdict.REFUSED,
        r"refus(?:al|ed to)|content.?filter|safety|safeguards flagged|response was blocked|violat\w{1,3} (?:our|the) "
        r"|(?:usage|content) policy",
    ),
)
# Another process renewed the login in the same moment: the new one is on disk now.
_RACE = re.compile(
    r"refresh token (?:was|has been|is) already (?:been )?used|already (?:been )?(?:refreshed|rotated)"
    r"|refresh_token_reused|lost the race|refreshed by another",
    re.IGNORECASE,
)
_END = r"(?=\s*(?:$|[^\w\s,;]|resets\b))"
_SENTENCE = (
    r"you(?:'ve| have) (?:hit|reached|exceeded|exhausted|used|run out of)\b"
    r".{0,80}\b(?:limits?|quota|capacity|cap|usage)\b"
    r"|you(?:'re| are)(?: now)? out of (?:extra )?usage|(?:this|your) org(?:ani[sz]ation)? has been disabled"
    r"|your org(?:ani[sz]ation)? has (?:reached|hit|exceeded|been disabled)\b|your account does not have access"
    r"|(?:[\w-]{1,20} ){0,4}(?:limit|cap|quota|usage|window|credits?) (?:is |are |was |has been |have been )?"
    rf"(?:reached|exceeded|hit|exhausted|used up){_END}"
    rf"|(?:invalid (?:x-)?api key|credit balance is too low|not logged in|(?:prompt is|conversation) too long"
    rf"|request too large|selected model is at capacity"
    rf"|oauth (?:token|session)(?: has| was| is)? (?:expired|revoked)){_END}"
    r"|oauth authentication is currently not supported"
    r"|no (?:api[ -]key|authentication information) (?:was )?found\b"
    r"|.{0,60}please run /login|failed to authenticate|please set an auth method|unexpected status \d"
    r"|unable to connect to "
)
# The start of a line that reports an error. Other lines may be about the work, which may concern limits and keys.
_ERROR_LINE = (
    r"(?:\d{4}-\d\d-\d\d\S{0,30}\s+)?[\W_]{0,20}(?:(?:\w{1,20}\s){0,2}\w{0,40}(?:error|exception)\b|fatal\b"
    r"|credit balance|invalid (?:x-)?api[ -]key|oauth (?:token|session|authentication)|prompt is too long"
    r"|(?:claude )?(?:ai )?usage limit|" + _SENTENCE + ")"
)
# The same for text that, but for its words, may as well be an answer: no quotation marks, no loose words.
_ONLY_ERROR = (
    r"[^\w\s\"'`“”‘’«»()\[\]*#>-]{0,5}\s{0,5}(?:\[?api error\b|[\w.]{0,60}(?:error|exception): |\[error\] "
    r"|error when talking to |attempt \d+ failed with status|fatal: |" + _SENTENCE + ")"
)
_AROUND = re.compile(r"\s|at |please (?:re)?try |[\W\d]+$|\(node:\d+\)|warning\b|\S{0,3}\s?warning:", re.IGNORECASE)
_SPACES = str.maketrans(
    {**dict.fromkeys("\u00a0\u2007\u2009\u200a\u202f", " "), **dict.fromkeys("’‘ʼ", "'"), **dict.fromkeys("‐‑–—−", "-")}
)
# Of a model, not of an account or an error.
_NO_MODEL = r"(?:org|user|proj|project|team|acct|account|key|tier|http|error|status|code)(?:[-_]|\d)"
_NAME = rf"(?!{_NO_MODEL})[a-z][\w./:-]{{0,60}}\d[\w./:-]{{0,30}}"
_MODEL = (
    re.compile(
        rf"\b({_FAMILY})\b(?:[ -][\d.]+)?(?: \w+){{0,2}} (?:limit|{_SHARE})|limit for (?:claude )?({_FAMILY})\b",
        re.IGNORECASE,
    ),
    re.compile(rf"(?:limit|quota) (?:reached |exceeded )?for (?:the )?(?:model )?[`'\"]?({_NAME})", re.IGNORECASE),
    re.compile(rf"\b({_NAME}) (?:(?:usage|rate) )?(?:quota|limit)\b", re.IGNORECASE),
    re.compile(rf"({_NAME}) is (?:temporarily |currently )?(?:rate-limited|overloaded|at capacity)", re.IGNORECASE),
    re.compile(r"\bmodel\W{1,4}(?:models/)?([a-z]\w{1,20}-\d[\w.-]{0,40})", re.IGNORECASE),
)
_THIS_MODEL = re.compile(
    r"(?:capacity on|limit for|quota for) (?:this|the selected) model"
    r"|model is (?:currently )?(?:at capacity|overloaded)",
    re.IGNORECASE,
)
THIS_MODEL = "*"


@cache
def _pattern(words: str) -> re.Pattern[str]:
    """The compiled pattern; all of them take 10 ms, which no start should wait for."""
    return re.compile(words, re.IGNORECASE)


def plain(text: str) -> str:
    """The text with plain quotation marks, hyphens, spaces, and letters and digits of usual width."""
    if text.isascii():
        return text
    from unicodedata import normalize

    return normalize("NFKC", text.translate(_SPACES))


def verdict_of_status(status: int) -> Verdict | None:
    """The meaning of an HTTP status for the run; None for a status that is not a failure."""
    if status < 400:
        return None
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    return Verdict.OVERLOADED if status >= 500 or status == 408 else Verdict.FAILED


def verdict_of_words(text: str) -> Verdict | None:
    """The meaning of a failure message, None if it is unknown."""
    text = plain(text[:MOST_TEXT])
    return _first(_CLEAR, text) or _first(_BY_WORDS, text)


def clear_verdict(words: str) -> Verdict | None:
    """The meaning of a failure message that is the same whatever kind of error it comes with; None if it is not."""
    return _first(_CLEAR, plain(words[:MOST_TEXT]))


def verdict_of(status: int, words: str) -> Verdict | None:
    """The meaning of a failure by both; None if it is unknown.

    Servers use one status for several things: 400 and 429 also for an account without credit, 403 for a limit, any for
    a request that is too long.
    """
    known = verdict_of_status(status)
    if status == 401:
        return known
    if clear := clear_verdict(words):
        return clear
    told = verdict_of_words(words)
    if known in (None, Verdict.FAILED) or (status in (402, 403) and told is Verdict.RATE_LIMITED):
        return told or known
    return known


def _first(signs: _Signs, text: str) -> Verdict | None:
    return next((verdict for verdict, words in signs if _pattern(words).search(text)), None)


def is_race(words: str) -> bool:
    """Returns True if a login was rejected only because another process renewed it in the same moment."""
    return _RACE.search(words[:MOST_TEXT]) is not None


def limited_model(words: str) -> str | None:
    """The model whose limit a message reports; `THIS_MODEL` if it is the one asked; None for a limit of all models."""
    words = plain(words[:MOST_TEXT])
    for pattern in _MODEL:
        if found := pattern.search(words):
            return next(group for group in found.groups() if group).strip(".,:")
    return THIS_MODEL if _THIS_MODEL.search(words) else None


def error_lines(lines: Iterable[str]) -> str:
    """The lines that report an error."""
    return "\n".join(line for line in lines if _pattern(_ERROR_LINE).match(plain(line)))


def only_errors(lines: Iterable[str]) -> str:
    """The lines that report an error, if the text consists of nothing else but warnings and stack traces; else ""."""
    found = []
    for line in lines:
        if _pattern(_ONLY_ERROR).match(plain(line)):
            found.append(line)
        elif not _AROUND.match(line):
            return ""
    return "\n".join(found)
