"""The moments that messages name: when a limit ends ("resets 3pm (Europe/Berlin)", "try again in 2 h", Retry-After)."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone, tzinfo

from nova_core.agents.signs import MOST_TEXT, plain

# The zone of an IANA name; None, also for an unknown name, is the machine's zone, in which agents print their times.
ZoneOf = Callable[[str], tzinfo | None]

_LEAD = re.compile(
    r"\b(?:resets?(?:[_ ]?(?:at|in|time))?|again|retry(?:[-_ ]?after)?|retrydelay|available|until|wait|renews?"
    r"|refresh(?:es)?(?!\s+token)|regain|restored|resumes?|unlocks?|lifted|ratelimit-\w{0,20}-?reset"
    r"|(?:back|continue|ends?)(?=\s+(?:at|in|on|after)\b))(?![a-z])|将[在于]",
    re.IGNORECASE,
)
_FILLER = re.compile(
    r"(?:[^\w+]|_|(?<![a-z])(?:at|on|in|after|about|approximately|around|by|for|is|will|be|time|delay|access|usage|your|limits?"
    r"|quota|again|please|available|reset|seconds?(?=\W{0,3}\d)|requests?|tokens?|daily|weekly|monthly"
    r"|next(?= \d)|(?:every|each)(?=\s+(?:day|[a-z]{3,6}day)\b)|day(?=\s+at\b)|the(?!\s+\d)|beginning|start|first|of)"
    r"(?![a-z])){0,40}",
    re.IGNORECASE,
)
_UNIT = r"(?:ms|milliseconds?|w|weeks?|d|days?|h|hrs?|hours?|m|mins?|minutes?|s|secs?|seconds?)"
_DURATION = re.compile(rf"((?:\d{{1,7}}(?:\.\d{{1,9}})?\s*{_UNIT}(?![a-z])[ ,]*(?:and )?){{1,6}})", re.IGNORECASE)
_PART = re.compile(r"(\d{1,7}(?:\.\d{1,9})?)\s*(ms|milli|w|d|h|m|s)", re.IGNORECASE)
_SECONDS = {"ms": 0.001, "milli": 0.001, "w": 604800.0, "d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}
_SPAN = re.compile(r"(\d{1,3}):(\d\d)(?::(\d\d))?(?!\s*[ap]\.?m\b)", re.IGNORECASE)
_ISO_SPAN = re.compile(r"P(?:(\d{1,4})D)?T?(?:(\d{1,5})H)?(?:(\d{1,5})M)?(?:(\d{1,7})(?:\.\d+)?S)?\b")
_NUMBER = re.compile(r"(\d{1,8}(?:\.\d{1,9})?)(?![\w/:.-]|\s*(?:[ap]\.?m\b|[a-z]))", re.IGNORECASE)
_OF_NUMBER = re.compile(
    r"(?:after|_in_seconds|in seconds|seconds|after[-_ ](?:ms|seconds)|ratelimit-\w{0,20}-?reset)\W{0,4}\Z",
    re.IGNORECASE,
)
_EPOCH = re.compile(r"(1[5-9]\d{8}|[2-9]\d{9}|1[5-9]\d{11})(?:\.\d+)?(?!\d)")
_BAR = re.compile(r"\|(1[5-9]\d{8}|1[5-9]\d{11})\b")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MONTH = rf"({'|'.join(_MONTHS)})[a-z]{{0,6}}\.?"
_NTH = r"(\d{1,2})(?:st|nd|rd|th)?"
_DATES = (  # named by the order of their groups
    ("ymd", re.compile(r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})(?!\d)")),
    ("mdy", re.compile(r"(\d{1,2})/(\d{1,2})(?:/(\d{4}|\d\d))?(?![\d/])")),
    ("dmy", re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4}|\d\d)\b")),
    ("Mdy", re.compile(rf"{_MONTH}\s+{_NTH}\b(?!:)(?:,?\s+(\d{{4}})\b)?", re.IGNORECASE)),
    ("dMy", re.compile(rf"{_NTH}\s+(?:of\s+)?{_MONTH}(?:,?\s+(\d{{4}})\b)?", re.IGNORECASE)),
    ("d", re.compile(r"the\s+(\d{1,2})(?:st|nd|rd|th)\b", re.IGNORECASE)),
)
_WEEKDAY = re.compile(
    rf"(?:(next)\s+|(?:this|coming)\s+)?({'|'.join(_WEEKDAYS)})(?:[a-z]{{0,3}}days?|s|rs|nes|ur)?\b\.?", re.IGNORECASE
)
_DAY = re.compile(r"(today|tonight|tomorrow|next week|next month)\b", re.IGNORECASE)
_AND = re.compile(r"(?:[\s,@|·∙•]|(?<=\d)T(?=\d)|\b(?:at|by|on|in)\b){0,8}")
_CLOCK = re.compile(
    r"(?:(\d{1,2})(?:[:.](\d\d))?(?::(\d\d))?\s*([ap])\.?m\b\.?|(\d{1,2})[:h](\d\d)(?::(\d\d)(?:\.\d+)?)?|(noon|midnight)\b)",
    re.IGNORECASE,
)
_ZONE = re.compile(
    r"\s*[(\[,]?\s*(?:(?:(?:UTC|GMT)\s?)?([+-])(\d{1,2}):?(\d\d)?(?!\d)|([A-Z][A-Za-z_]{1,20}(?:/[A-Za-z0-9_+-]{1,30}){1,2})"
    r"|(Z)(?![a-z])|((?:Pacific|Mountain|Central|Eastern)(?: standard| daylight)?(?: time)?|[A-Z]{2,4})(?![a-z]))"
)
_NAMED = {
    "pacific": "America/Los_Angeles", "mountain": "America/Denver", "central": "America/Chicago",
    "eastern": "America/New_York", "pt": "America/Los_Angeles", "mt": "America/Denver", "ct": "America/Chicago",
    "et": "America/New_York", "uk": "Europe/London",
}  # fmt: skip
_OFFSETS = {
    "utc": 0, "gmt": 0, "z": 0, "wet": 0, "bst": 1, "west": 1, "cet": 1, "cest": 2, "eet": 2, "eest": 3, "msk": 3,
    "ist": 5.5, "sgt": 8, "hkt": 8, "awst": 8, "jst": 9, "kst": 9, "aest": 10, "aedt": 11, "nzst": 12, "nzdt": 13,
    "brt": -3, "art": -3, "est": -5, "edt": -4, "cst": -6, "cdt": -5, "mst": -7, "mdt": -6, "pst": -8, "pdt": -7,
}  # fmt: skip
_MINUTE = 60.0  # a clock without seconds shows a minute that may not be over
_MOST_LEADS = 50
_HALF_A_YEAR = timedelta(days=183)


def machine_zone(name: str) -> tzinfo | None:
    """Knows no names: every time is in the machine's zone."""
    return None


def wait_in(text: str, now: float, zone_of: ZoneOf = machine_zone) -> float | None:
    """Seconds until the time a message names ("try again in 2 h 5 min", "resets 3pm (UTC)"); None if it names none.

    `now` is seconds since the epoch, 0 the answer for a time before it. A clock time without a zone is in the machine's
    zone. A minute, and a day without a time if it is today, count as named to their ends.
    """
    text = plain(text[:MOST_TEXT])
    text = re.sub(r"\bhalf an hour\b", "30 minutes", text, flags=re.IGNORECASE)
    text = re.sub(r"\b(?:an?|one)\s+(?=hour|minute|second|day|week)", "1 ", text, flags=re.IGNORECASE)
    if found := _BAR.search(text):
        return _until_epoch(found[1], now)
    for count, lead in enumerate(_LEAD.finditer(text)):
        start = _FILLER.match(text, lead.end()).end()  # type: ignore[union-attr] # it matches nothing, too
        wait = _span(text, lead.start(), start, now)
        if wait is None:
            wait = _Named(text, start, now, zone_of).wait()
        if wait is not None or count > _MOST_LEADS:
            return wait
    return None


def _span(text: str, lead: int, start: int, now: float) -> float | None:
    """Seconds, if a duration or a number of seconds since the epoch begins at `start`."""
    before = text[lead:start].lower()
    if found := _EPOCH.match(text, start):
        return _until_epoch(found[1], now)
    if not re.search(r"\bat\W*\Z", before) and (found := _DURATION.match(text, start)):
        return sum(float(number) * _SECONDS[unit.lower()] for number, unit in _PART.findall(found[1]))
    if (found := _ISO_SPAN.match(text, start)) and any(found.groups()):
        days, hours, minutes, seconds = (int(group or 0) for group in found.groups())
        return days * 86400.0 + hours * 3600 + minutes * 60 + seconds
    if re.search(r"\bin\W*\Z", before) and (found := _SPAN.match(text, start)):
        return int(found[1]) * 3600.0 + int(found[2]) * 60 + int(found[3] or 0)
    if _OF_NUMBER.search(before) and (found := _NUMBER.match(text, start)):
        return float(found[1])
    if found := re.match(r"ms\W{0,4}(\d{1,10})(?![\w/:.-])", text[start : start + 20]):  # retry-after-ms
        return int(found[1]) / 1000
    return None


def _until_epoch(digits: str, now: float) -> float:
    return max(0.0, float(digits) / (1000 if len(digits) == 13 else 1) - now)


class _Named:
    """A date, a clock time or both, in either order, at a place of a text."""

    def __init__(self, text: str, start: int, now: float, zone_of: ZoneOf) -> None:
        self._text = text
        self._at = start
        self._now = now
        self._zone_of = zone_of
        self._zone: tzinfo | None = None
        self._day: Callable[[datetime], datetime | None] | None = None
        self._clock: tuple[int, int, int | None] | None = None  # None: without seconds
        self._weekly = self._of_night = False

    def wait(self) -> float | None:
        """Seconds until it; None if there is neither."""
        for _ in range(2):
            self._take_day()
            self._take_clock()
            self._take_zone()
        if self._day is None and self._clock is None:
            return None
        try:
            return self._until()
        except (ValueError, OverflowError, OSError):  # no such day, or far outside of the calendar
            return None

    def _until(self) -> float | None:
        today = datetime.fromtimestamp(self._now, self._zone)
        midnight = today.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
        day = self._day(midnight) if self._day else midnight
        if day is None:
            return None
        if self._clock is None:
            moment = day if day > midnight else day + timedelta(days=1)
            return max(0.0, moment.timestamp() - self._now)
        hour, minute, second = self._clock
        is_end = hour == 24 and minute == 0  # of the day
        moment = (day + timedelta(days=is_end)).replace(hour=0 if is_end else hour, minute=minute, second=second or 0)
        grace = _MINUTE if second is None else 0.0
        is_past = moment.timestamp() + grace <= self._now
        if is_past and (self._day is None or self._of_night or self._weekly):
            moment += timedelta(days=7 if self._weekly else 1)
        return max(0.0, moment.timestamp() + grace - self._now)

    def _skip(self) -> int:
        found = _AND.match(self._text, self._at)
        return found.end() if found else self._at

    def _take_day(self) -> None:
        if self._day is not None:
            return
        start = self._skip()
        if found := _DAY.match(self._text, start):
            self._day = _of_word(found[1].lower())
        elif found := _WEEKDAY.match(self._text, start):
            self._at = found.end()
            self._take_day_of_date(self._skip())
            if self._day is None:
                self._weekly = True
                self._day = _of_weekday(_WEEKDAYS.index(found[2].lower()), is_next=found[1] is not None)
            return
        else:
            self._take_day_of_date(start)
            return
        self._at = found.end()

    def _take_day_of_date(self, start: int) -> None:
        for order, pattern in _DATES:
            if found := pattern.match(self._text, start):
                self._day = _of_date(order, found.groups())
                self._at = found.end()
                return

    def _take_clock(self) -> None:
        if self._clock is not None or not (found := _CLOCK.match(self._text, self._skip())):
            return
        word = (found[8] or "").lower()
        if word:
            self._clock = (12, 0, 0) if word == "noon" else (0, 0, 0)
            self._of_night = word == "midnight"
        elif found[4]:
            hour, second = int(found[1]), found[3]
            if not 1 <= hour <= 12:
                return
            self._clock = hour % 12 + (12 if found[4].lower() == "p" else 0), int(found[2] or 0), _whole(second)
        else:
            self._clock = int(found[5]), int(found[6]), _whole(found[7])
        self._at = found.end()

    def _take_zone(self) -> None:
        found = _ZONE.match(self._text, self._at) if self._clock else None
        if found is None or self._zone is not None:
            return
        sign, hours, minutes, place, zulu, short = found.groups()
        if sign:
            offset = (int(hours) * 60 + int(minutes or 0)) * (-1 if sign == "-" else 1)
            self._zone = timezone(timedelta(minutes=offset)) if abs(offset) < 24 * 60 else None
        elif place:
            self._zone = self._zone_of(place)
        elif zulu or short.lower() in _OFFSETS:
            self._zone = timezone(timedelta(hours=_OFFSETS[(zulu or short).lower()]))
        elif (name := _NAMED.get(short.lower().partition(" ")[0])) is not None:
            self._zone = self._zone_of(name)
        else:
            return
        self._at = found.end()
        if self._text.startswith((")", "]"), self._at):
            self._at += 1


def _whole(digits: str | None) -> int | None:
    return None if digits is None else int(digits)


def _of_word(word: str) -> Callable[[datetime], datetime | None]:
    def day(midnight: datetime) -> datetime:
        if word == "tomorrow":
            return midnight + timedelta(days=1)
        if word == "next week":
            return midnight + timedelta(days=7 - midnight.weekday())
        if word == "next month":
            return (midnight.replace(day=1) + timedelta(days=32)).replace(day=1)
        return midnight

    return day


def _of_weekday(number: int, *, is_next: bool) -> Callable[[datetime], datetime | None]:
    """The day of the week; the next one is not today."""
    least = 1 if is_next else 0
    return lambda midnight: midnight + timedelta(days=(number - midnight.weekday() - least) % 7 + least)


def _of_date(order: str, groups: tuple[str | None, ...]) -> Callable[[datetime], datetime | None]:
    """The day of a date; without a year it is the nearest, without a month the next."""
    given = dict(zip(order.lower(), groups, strict=True))

    def day(midnight: datetime) -> datetime | None:
        number = int(given["d"] or 0)
        if order == "d":
            first = midnight.replace(day=1)
            first = (first + timedelta(days=32)).replace(day=1) if number < midnight.day else first
            return first.replace(day=number)
        told, year = given["m"] or "", given["y"]
        month = _MONTHS.index(told[:3].lower()) + 1 if "M" in order else int(told)
        if order == "mdy" and month > 12:
            month, number = number, month
        if year is not None:
            whole = int(year) + (2000 if len(year) == 2 else 0)
            found = midnight.replace(year=whole, month=month, day=number)
            is_other = order == "mdy" and found < midnight and number <= 12  # nothing resets in the past
            return midnight.replace(year=whole, month=number, day=month) if is_other else found
        found = midnight.replace(month=month, day=number)
        if abs(found - midnight) > _HALF_A_YEAR:
            found = found.replace(year=found.year + (1 if found < midnight else -1))
        return found

    return day
