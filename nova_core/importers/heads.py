"""Reads the head of a task: its id, its labels, its title."""

from __future__ import annotations

import re
import unicodedata

import msgspec

_OPEN = re.compile(r"(?:\*\*|__|~~|`|\s)*")
# `T001`, `T-001`, `T001a` and `1.2` are ids wherever they come first; `1` and `API-3` need something after them that
# says so, because a task may begin with "3 retries" or "SHA-256". `\d` takes full-width digits too.
_SURE = re.compile(
    r"(?:(?:task|step)\s+)?\[?(?P<id>T-?\d{1,6}[a-z]{0,2}(?:\.\d{1,6}){0,12}|(?-i:[A-Z])\.\d{1,6}(?:\.\d{1,6}){0,12}|\d{1,6}[a-z]?(?:[.．]\d{1,6}){1,12}[a-z]?)\]?"
    r"(?:[.:)．：、）](?=\D|\Z)|(?=[\s*_`~]|\Z)|(?=[^\W\d_a-zA-Z]))",
    re.IGNORECASE,
)
_NAMED = re.compile(r"(?:task|step)\s+#?(?P<id>\d{1,6}[a-z]?)(?:[.:)．：、）]|(?=[\s*_`~]|\Z))", re.IGNORECASE)
_MARKED = re.compile(
    r"\[?(?P<id>\d{1,6}[a-z]?|[A-Z]{1,10}(?:-[A-Z]{1,10}){0,2}-?\d{1,6}[a-z]?(?:\.\d{1,6}){0,4})\]?"
    r"(?:[:：、．]|[.)）](?=[\s*_`~]|\Z)|(?=\*\*)|(?=\s+[(\[A-Z*`])|(?=[\s\u3000]+[^\x00-\x7f]))"
)
_ONLY_LETTERED = re.compile(r"[A-Z]")
_PLACEHOLDER = re.compile(r"T(?:X{2,4}|#{2,4}|N{2,4})\b[:.]?", re.IGNORECASE)
_LABEL = re.compile(r"(?:\*\*|`)?(?:\[(?P<label>[^\W\d_][^\[\]\n]{0,30})\](?!\()|\((?P<short>P|US ?-?\d{1,4})\))"
                    r"(?:\*\*|`)?[:：]?")  # fmt: skip
_KNOWN = re.compile(r"P\d?|US ?-?\d{1,4}(?: ?, ?US ?-?\d{1,4})*|parallel", re.IGNORECASE)
_TRAILING = re.compile(r"\s*[(\[](P|US ?-?\d{1,4})[)\]]\Z")
_SEPARATOR = re.compile(r"(?:\*\*|__|`)?\s*[:：]?(?:\*\*|__|(?<=[:：])`)?\s*(?:[-–—|]\s+)?")
_NOUN = re.compile(r"(\A(?:\*\*|__)?)(?:sub-?)?task:(?:\*\*|__)?\s+(?=\S)", re.IGNORECASE)
_STATES = (
    r"done|completed?|finished|merged|shipped|skipped|cancell?ed|not needed|obsolete|dropped|superseded|deferred"
    r"|postponed|won['’]?t(?: do| fix|fix)?"
)
_STATE = re.compile(
    rf"\s*(?:[\[(]\s*((?:[✅✓✔☑]\s*)?(?:(?:{_STATES})\b[^\[\]()]{{0,40}}|[xX]))[\])]|\[\s?\]|([✅✓✔☑])"
    rf"|(?:[✅✓✔☑]|\s[-–—|]|:)\s*((?:{_STATES})))[\s*!.]*\Z",
    re.IGNORECASE,
)
STATE_FIRST = re.compile(rf"\s*(?:[\[(]\s*({_STATES}|x)\s*[\])]\s*|([✅✓✔☑])\ufe0f?\s*|\[\s?\]\s+)", re.IGNORECASE)
_WINDOW = 400  # characters: a head does not reach further


class Head(msgspec.Struct, frozen=True, gc=False):
    """The head of a task. `labels` are in upper case; unknown labels stay in the title."""

    id: str
    labels: tuple[str, ...]
    title: str
    struck: bool

    @property
    def parallel(self) -> bool:
        """Returns True if it is marked as independent of its neighbours."""
        return "P" in self.labels or "PARALLEL" in self.labels


def read_head(text: str) -> Head:
    """Split the text after a box, or of a heading."""
    window, rest = text[:_WINDOW], text[_WINDOW:]
    labels: list[str] = []
    kept: list[str] = []
    task_id, at = "", 0
    opened = ""
    while True:
        start = _OPEN.match(window, at)
        after = start.end() if start else at
        if match := _LABEL.match(window, after):
            label = (match["label"] or match["short"]).strip()
            if not task_id and (bracketed := _SURE.fullmatch(f"{label}:")):
                task_id = bracketed["id"]
            elif _KNOWN.fullmatch(label):
                labels += [part.strip().upper() for part in label.split(",")]
            else:
                kept.append(f"[{label}]")
        elif placeholder := _PLACEHOLDER.match(window, after):
            match = placeholder
        elif not task_id and (match := _id(window, after)):
            task_id = match["id"]
        else:
            break
        opened += window[at:after]
        at = match.end()
        separator = _SEPARATOR.match(window, at)
        if separator and task_id and separator.end() > at:
            opened += window[at : separator.end()]
            at = separator.end()
    title = _balanced(window[at:] + rest, opened)
    if title[:12].lstrip("*_ ")[:1] in ("T", "t", "S", "s") and (noun := _NOUN.match(title)):  # `Task: Title`
        title = _balanced(title[noun.end() :], noun[0])
    struck = text.startswith(("~~", "**~~")) and text.rstrip("*. ").endswith("~~")
    title = title.replace("~~", "") if struck else title
    while title[-1:] in ("]", ")") and (match := _TRAILING.search(title[-12:])):
        labels.append(match[1].upper())
        title = title[: len(title) - (match.end() - match.start())]
    title = " ".join([*kept, title.strip()]) if kept else title.strip()
    return Head(_plain_id(task_id), tuple(dict.fromkeys(labels)), title, struck)


def state_in(title: str) -> tuple[str, str]:
    """A title and the state at its end or start: `Till [DONE]`, `Till (skipped)`, `Till - DONE`, `[DONE] Till`."""
    if first := STATE_FIRST.match(title):
        return title[first.end() :], first[1] or first[2] or ""
    match = _STATE.search(title)
    return (title[: match.start()].rstrip(), match[1] or match[2] or match[3] or "") if match else (title, "")


def _id(text: str, at: int) -> re.Match[str] | None:
    return _SURE.match(text, at) or _NAMED.match(text, at) or _MARKED.match(text, at)


def _plain_id(written: str) -> str:
    """An id in ASCII: `１．２` is `1.2`."""
    return written if written.isascii() else unicodedata.normalize("NFKC", written)


def _balanced(title: str, opened: str) -> str:
    """The title without the end of an emphasis that began before it: `**T001 Title**` leaves `Title**`."""
    for mark in ("**", "__"):
        if opened.count(mark) % 2 and mark in title:
            title = title.replace(mark, "", 1)
    return title
