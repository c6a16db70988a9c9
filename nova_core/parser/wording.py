"""The text around a reference: formatting, remarks, nouns, the two ends of a range, the names of groups."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping, Sequence

from nova_core.parser.cells import undecorated, unescaped, without_links, without_remarks, without_struck

_MAX_CELL = 20_000  # characters; in longer cells a parenthesis is not a remark
_LEADING = (
    "and ",
    "after ",
    "tasks ",
    "task ",
    "group ",
    "branch ",
    "ticket ",
    "all ",
    "l1: ",
    "l2: ",
    "l1:",
    "l2:",
    "#",
)
# Names for the rows of a table that has no ids but `Phase 1`.
NOUNS = frozenset(
    ("phase", "step", "milestone", "pr", "batch", "item", "issue", "story", "feature", "stage", "task", "ticket",
     "sprint", "wave", "epic")
)  # fmt: skip
_ABOVE = ("above", "previous", "prior", "preceding", "earlier")
_ALL_ABOVE = frozenset(
    f"all {of}{above}{tasks}" for of in ("", "of the ") for above in _ABOVE for tasks in ("", " tasks")
)
_ALL_GROUPS_ABOVE = frozenset(f"all {above} {what}" for above in _ABOVE for what in ("phases", "groups"))
_ALL = frozenset(
    ("all", "all tasks", "all others", "all other tasks", "all remaining tasks", "everything", "everything else")
)
# A sentence with one of these words may name a task without depending on it.
_SAYS_ELSE = r"\b(?:parallel|not|no|optional(?:ly)?|independent(?:ly)?|without|unless|blocks?|before|soft|except|or)\b"
# A cell that denies a dependency, and what follows: `independent of F1`.
_FREE = (
    r"(?:(?:is\s+)?independent(?:ly)?(?:\s+(?:of|from))?|no\s+(?:\w+\s+)?dependenc(?:y|ies)(?:\s+on)?"
    r"|(?:does\s+not|doesn['’]t)\s+depend\s+on|not(?:\s+blocked\s+by)?"
    r"|(?:can\s+(?:run|be\s+done)\s+)?(?:in\s+)?parallel\s+(?:with|to))\b\s*"
)
# Non-breaking hyphens are part of an id; figure dashes and minus signs mark a range.
DASHES = {0x2010: "-", 0x2011: "-", 0x2012: "–", 0x2212: "–"}
_TRAILING = (" complete", " completed", " done", " approved", " merged", " finished", " tasks")
_JOINTS = (" and ", " & ", " + ", "+", "&", " plus ", " / ", "/")
_RANGES = ("...", "..", "…", "–", "—", " through ", " thru ", " to ", " until ", " - ")


def plain(cell: str) -> str:
    """A dependency cell without Markdown and without what is struck through.

    Breaks become commas; remarks in parentheses go unless they are all.
    """
    text = without_struck(cell)
    if "<" in text:
        for tag in ("<br>", "<br/>", "<br />"):
            text = text.replace(tag, ",")
    text = unescaped(without_links(text) if "](" in text else text)
    if not text.isascii():
        text = text.translate(DASHES)
    for mark in ("`", "*"):
        text = text.replace(mark, "")
    if "(" in text and len(text) <= _MAX_CELL:
        outside = without_remarks(text).strip(" ,")
        text = outside or text.strip(" ()")
    return text.strip().removeprefix("[").removesuffix("]") if text[:1] == "[" else text.strip()


def trimmed(word: str) -> str:
    """`word` without surrounding spaces, full stops, quotes and emoji."""
    start, end = 0, len(word)
    while start < end and not (word[start].isalnum() or word[start] == "#"):
        start += 1
    while end > start and not (word[end - 1].isalnum() or word[end - 1] in "_-)"):
        end -= 1
    return word[start:end]


def variants(word: str) -> Iterator[str]:
    """`word`, and the rest of it without a leading `Task` and a trailing `complete`."""
    yield word
    folded = word.casefold()
    for leading in _LEADING:
        if folded.startswith(leading):
            word, folded = word[len(leading) :].strip(), folded[len(leading) :].strip()
            yield word
    for trailing in _TRAILING:
        if folded.endswith(trailing):
            yield word[: -len(trailing)].strip()
            return


def denied_in(text: str) -> str | None:
    """What a text says that it does not depend on: `F1` for `independent of F1`; None if it says something else."""
    match = re.match(_FREE, text, re.IGNORECASE)
    return trimmed(text[match.end() :]) if match else None


def all_of(text: str) -> str:
    """What a text says all of: tasks `above`, `groups` above, all `others`; "" for any other text."""
    folded = folded_name(text)
    names = (("above", _ALL_ABOVE), ("groups", _ALL_GROUPS_ABOVE), ("others", _ALL))
    return next((name for name, texts in names if folded in texts), "")


def ids_in(sentence: str) -> list[str]:
    """The words of a sentence that may be ids: a digit and something else. None, if it may mean the opposite."""
    if re.search(_SAYS_ELSE, sentence, re.IGNORECASE):
        return []
    words = (trimmed(word) for word in re.split(r"[\s,:;()\[\]→]+", sentence))
    return [word for word in words if any(map(str.isdigit, word)) and not word.isdigit()]


def between(first: str, last: str, known: Container[str], most: int) -> list[str]:
    """The ids of a range by number, at most `most`; none unless all are known."""
    prefix, start = numbered(first)
    other, stop = numbered(last)
    if not (start and stop and prefix == other and int(start) <= int(stop) < int(start) + most):
        return []
    width = len(start) if start[0] == "0" or len(start) == len(stop) else 0
    ids = [f"{prefix}{number:0{width}d}" for number in range(int(start), int(stop) + 1)]
    return ids if all(map(known.__contains__, ids)) else []


def range_ends(text: str) -> Iterator[tuple[str, str]]:
    """Each way to read `text` as a range. Dashes are part of most ids, so every one of the first eight is tried."""
    for mark in _RANGES:
        at = text.find(mark)
        if at > 0:
            yield text[:at].strip(), text[at + len(mark) :].strip()
    at = text.find("-")
    for _ in range(8):
        if at <= 0:
            return
        yield text[:at].strip(), text[at + 1 :].strip()
        at = text.find("-", at + 1)


def pieces(text: str) -> list[str]:
    """The parts of `F1 and F2`, `F1 + F2`, `F1/F2`."""
    for joint in _JOINTS:
        text = text.replace(joint, "\0")
    return [piece.strip() for piece in text.split("\0") if piece.strip()]


def numbered(task_id: str) -> tuple[str, str]:
    """An id as its prefix and its final digits: `M2-T011` is `M2-T` and `011`."""
    prefix = task_id.rstrip("0123456789")
    return prefix, task_id[len(prefix) :]


def folded_name(name: str) -> str:
    return " ".join(name.casefold().split())


def named(branches: Mapping[str, Mapping[str, Sequence[str]]]) -> dict[str, list[tuple[str, ...]]]:
    """The tasks of each name of a group or branch; also of `Phase 2` for `Phase 2: Data layer`."""
    names: dict[str, list[tuple[str, ...]]] = {}

    def add(title: str, ids: tuple[str, ...]) -> None:
        for key in dict.fromkeys(map(folded_name, _titles(title))):
            meanings = names.setdefault(key, [])
            if ids not in meanings:
                meanings.append(ids)

    for branch, groups in branches.items():
        add(branch, tuple(task_id for ids in groups.values() for task_id in ids))
        for group, ids in groups.items():
            add(group, tuple(ids))
    return names


def _titles(title: str) -> Iterator[str]:
    bare = undecorated(title)
    yield bare
    for mark in (":", " - ", " – ", " — ", " ("):
        number, found, _ = bare.partition(mark)
        if found and number.strip():
            yield number
    if bare.casefold().endswith(" tasks"):  # `Phase 1` for `Phase 1 Tasks`
        yield bare[: -len(" tasks")]
