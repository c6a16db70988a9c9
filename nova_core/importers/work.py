"""Decides which boxes without an id are work: by ids and place first, by the words of their headings last."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

import msgspec

from nova_core.importers.checklist import DONE_MARKS, Box, Checklist
from nova_core.importers.draft import Draft
from nova_core.importers.heads import Head, read_head
from nova_core.importers.phases import is_phase
from nova_core.importers.sentences import is_about_order
from nova_core.model import NoteKind
from nova_core.parser.blocks import Heading
from nova_core.parser.cells import undecorated, without_remarks
from nova_core.parser.findings import quoted
from nova_core.text import number_of

# Not for this plan, or for people to think about. The whole heading must say so.
_LATER = re.compile(
    r"(?:explicitly )?(?:out[- ]of[- ]scope|not in scope|non-?goals?|future(?: (?!proof)\w+){0,2}|later|deferred"
    r"|postponed|backlog|icebox|parking lot|wish ?list|nice[- ]to[- ]haves?|stretch(?: goals?)?|ideas"
    r"|possible (?:enhancements|improvements)|(?:unresolved |open )?questions?"
    r"|open (?:issues|points|items|decisions)"
    r"|notes?|remarks|assumptions|risks|references|change ?log"
    r"|(?:pr|pull request)s?(?: (?:merge|checklist|review|description))?"
    r"|merge(?: checklist)?"
    r"|known issues|follow-?ups?"
    r"|won['’]?t (?:do|fix|have)|not (?:in|for|part of) (?:this|the) \w+|post[- ]?mvp|descoped)"
    r"(?:\s*(?:[:–—-]|\b(?:for|to|in|after|beyond|and|of)\b).*)?\Z",
    re.IGNORECASE,
)
_NOT_NOW = re.compile(
    r"[(\[]\s*(?:future|deferred|postponed|out[- ]of[- ]scope|post[- ]?mvp|later|backlog)\b[^()\[\]]{0,40}[)\]]\W*\Z",
    re.IGNORECASE,
)
# About the plan or its result, which no agent can do as a task.
_CHECKS = re.compile(
    r"(?<!\bimplementation )(?<!\bdevelopment )(?<!\btask )(?<!\bbuild )\bcheck ?lists?\W*\Z"
    r"|^\W*checkpoint\b|(?<!\[)\bcheckpoint\W*\Z|acceptance criteria|success criteria|exit criteria"
    r"|definition of done|\bquality gates?\W*\Z|\bsign-?off\W*\Z|验收|检查清单|チェックリスト|受け入れ|체크리스트",
    re.IGNORECASE,
)
# As above, also for the phases below such a heading: they say when a phase of the plan is done.
_PROOFS = re.compile(
    r"\b(?:acceptance|success|exit) criteria\b|\bdefinition of done\b"
    r"|\b(?:complete[d]?|done|finished) (?:when|if)\W*\Z",
    re.IGNORECASE,
)
# Work by its place, but often what other tasks are checked with. The whole heading must say so.
_TESTS = re.compile(
    r"\W*(?:(?:manual|visual|final|integration|cross-platform) )?"
    r"(?:tests?|testing|qa|verification|validation)(?: (?:tests?|plan|strategy|steps|harness)){0,2}\W*\Z"
    r"|.*\bcheck ?lists?\W*\Z",
    re.IGNORECASE,
)
# May be either: they count only below the last task with an id, outside of every phase.
_MAY_CHECK = re.compile(
    r"acceptance|criteria|validation|verification|\bgates?\b|review|checkpoint|checklist", re.IGNORECASE
)
_UNBOXED = re.compile(
    r"(?:\[[^\]]{1,12}\]\s*)?(?:\*\*)?(T-?\d{1,6}[a-z]?|\d{1,6}(?:\.\d{1,6})+)(?!\w|\s*[-–,)]\s*[T\d])"
)
_NEARLY = re.compile(
    r"(?:[*_`~]{1,3}\\?\[[^\]\n\w]{0,3}[xX]?[ ]?\\?\]|\([ xX]?\)\s|\[[xX ]?\](?=\w)"
    r"|\[(?:done|to-?do|wip|pending|in[- ]progress|blocked|skipped)\])",
    re.IGNORECASE,
)
_ENDS = re.compile(r"\A[\W_]+|[\W_]+\Z")  # pictures, numbers of lists, colons
_ORDINAL = re.compile(r"\A\W*\d{1,3}[.)]\s+")
_BOARD = re.compile(r"\W*(?:in progress|doing|done|completed|finished)\W*\Z", re.IGNORECASE)
NO_ID = re.compile(r"(?:AC|FR|NFR|SC|CHK|REQ|EC)-?\d")


class Work(msgspec.Struct):
    """What work is in a file: whether its tasks have ids, and the line of the last of those; `none` for no other."""

    found: Checklist
    ids: bool
    last: int
    left_out: dict[int, int] = {}
    in_doubt: dict[int, int] = {}
    board: bool | None = None
    none: bool = False

    def is_work(self, box: Box, head: Head) -> bool:
        """Returns True if a box without a task id is a task."""
        heading = box.heading
        if self.none or not self._is_work(box.line, list(self.found.titles(heading)), head):
            self.left_out[heading] = self.left_out.get(heading, 0) + 1
            return False
        if heading >= 0 and box.mark not in DONE_MARKS and _TESTS.match(self.found.headings[heading].text):
            self.in_doubt[heading] = self.in_doubt.get(heading, 0) + 1
        return True

    def _is_work(self, line: int, titles: Sequence[Heading], head: Head) -> bool:
        if self.board is None:  # the backlog of a board is what is to be done
            self.board = any(_BOARD.match(heading.text) for heading in self.found.headings)
        inside = any(_is_place(title) for title in titles if title.level > 1)
        if any(title.level > 1 and _PROOFS.search(_plain(title.text)) for title in titles):
            return False
        for title in titles:
            plain = _plain(title.text)
            if title.level == 1:
                break
            if self.board and plain.casefold() == "backlog":
                return True
            if (
                _LATER.match(plain)
                or _NOT_NOW.search(title.text)
                or (_CHECKS.search(plain) and not is_phase(title.text))
            ):
                return False
            if _is_place(title):
                return not NO_ID.match(head.id)
            if self.ids and is_about_order(title.text):
                return False
            if self.ids and not inside and line > self.last and _MAY_CHECK.search(plain):
                return False
        return not (NO_ID.match(head.id) and titles)

    def tell(self, draft: Draft, keys: Collection[str]) -> None:
        """Note each heading with boxes that were left out, and list items that look like tasks without a box."""
        for line in self.found.loose:
            if not (nearly := _NEARLY.match(line.text)) and not (line.bullet and self.ids):
                continue
            match = None if nearly else _UNBOXED.match(line.text)
            titles = [title.text for title in self.found.titles(line.heading)] if match else []
            if nearly or (match and match[1].rstrip(".") not in keys and not any(map(is_about_order, titles))):
                text = f"{quoted(line.text)} looks like a task, but has no box (`- [ ]`): it was not read"
                draft.note(NoteKind.DROPPED, line.line, text)
        for heading, count in self.left_out.items():
            title = self.found.headings[heading]
            boxes = "1 box is not a task" if count == 1 else f"{count:,} boxes are not tasks"
            draft.note(NoteKind.DROPPED, title.line, f"{boxes}: below {quoted(title.text)}")
        if self.in_doubt:
            title = self.found.headings[min(self.in_doubt)]
            more = number_of(len(self.in_doubt) - 1, "other heading")
            places = quoted(title.text) if len(self.in_doubt) == 1 else f"{quoted(title.text)} and {more}"
            boxes = number_of(sum(self.in_doubt.values()), "box", "boxes")
            draft.note(
                NoteKind.GUESSED, title.line, f"{boxes} below {places} will run: are they checks of other tasks?"
            )

    def tell_lists(self, draft: Draft, places: Collection[int]) -> None:
        """Note the numbered headings with a list and no boxes, beside others that have boxes."""
        used: set[int] = set()
        for at in places:
            while at >= 0 and at not in used:
                used.add(at)
                at = self.found.above[at]
        rows = {(self.found.above[at], self.found.headings[at].level) for at in used}
        lists = dict.fromkeys(line.heading for line in self.found.loose if line.bullet and line.heading >= 0)
        for at in lists:
            title = self.found.headings[at]
            beside = at not in used and (self.found.above[at], title.level) in rows
            if beside and _is_place(title) and not is_no_place(title) and not is_about_order(title.text):
                text = f"the list below {quoted(title.text)} has no boxes (`- [ ]`), and so no tasks"
                draft.note(NoteKind.DROPPED, title.line, text)


def is_no_place(title: Heading) -> bool:
    """Returns True for a heading of notes, checks and later work."""
    plain = _plain(title.text)
    return bool(_LATER.match(plain) or _CHECKS.search(plain) or _MAY_CHECK.search(plain))


def _is_place(title: Heading) -> bool:
    """Returns True for a heading with a number or a phase: its boxes are a part of the plan."""
    return is_phase(title.text) or bool(read_head(undecorated(title.text)).id)


def _plain(title: str) -> str:
    return _ENDS.sub("", _ORDINAL.sub("", without_remarks(undecorated(title[:300]))))
