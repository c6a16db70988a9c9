"""Resolves the contents of dependency cells: ids, lists, ranges, groups, `All above`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nova_core.model import NoteKind
from nova_core.parser.cells import NOTHING, is_nothing
from nova_core.parser.findings import Findings, quoted
from nova_core.parser.owngroups import rest_of_groups
from nova_core.parser.rows import Row
from nova_core.parser.wording import (
    NOUNS,
    all_of,
    between,
    denied_in,
    folded_name,
    ids_in,
    named,
    numbered,
    pieces,
    plain,
    range_ends,
    trimmed,
    variants,
)

MAX_EDGES = 1_000_000
_MAX_PARTS = 100_000  # in one cell
_MOST_TOLD = 5  # ids shown of a range or group
_MAX_WORD = 200  # characters; longer references are not tried as ranges or names


class _UnresolvedError(Exception):
    """A reference that cannot be resolved; `args` are the message and the hint."""


class References:
    """Every id, group and branch of one plan; resolves its dependency cells.

    Ids match exactly, else in any case if that is unambiguous, else without the prefix of the own id; the last two with
    a warning. An unresolved reference is an error, in another tool's plan `missing`, by the id of the task.
    """

    def __init__(
        self, rows: Sequence[Row], branches: Mapping[str, Mapping[str, Sequence[str]]], findings: Findings
    ) -> None:
        self.missing: dict[str, list[str]] = {}
        self._rows = rows
        self._branches = branches
        self._findings = findings
        self._position = {row.id: at for at, row in enumerate(rows)}
        self._folded: dict[str, str] = {}
        self._names: dict[str, list[tuple[str, ...]]] | None = None
        self._own: dict[tuple[str, ...], list[tuple[Row, str]]] = {}
        self._edges = 0
        self._refused = False
        self._told = False  # True if the current reference already has a note

    def resolve(self, row: Row) -> tuple[str, ...]:
        """The ids a row depends on, each once, in the order they are named (groups and ranges in plan order)."""
        cell = row.depends_on
        if cell in self._position:
            found: tuple[str, ...] = (cell,)
        elif cell in NOTHING:
            return ()
        else:
            parts = cell.split(", ")
            known = all(map(self._position.__contains__, parts))
            found = tuple(dict.fromkeys(parts if known else self._resolve_cell(row, cell)))
        if row.id in found:
            self._findings.refuse(row.line, f"{row.id} depends on itself", "remove it from its own dependencies")
            found = tuple(i for i in found if i != row.id)
        self._edges += len(found)
        if self._edges > MAX_EDGES:
            self._refuse(row)
            return ()
        return tuple(self._rows[self._position[i]].id for i in found)  # not copies of them: there may be millions

    def add_own_groups(self, depends_on: dict[str, tuple[str, ...]]) -> None:
        """Let rows that name their own group wait for the rest of it."""
        asking = {group: [row.id for row, _ in rows] for group, rows in self._own.items()}
        for group, rest in rest_of_groups(depends_on, asking):
            for row, word in self._own[group] if self._edges <= MAX_EDGES else ():
                depends_on[row.id] = tuple(dict.fromkeys((*depends_on[row.id], *rest)))
                self._edges += len(rest)
                self._tell(row, word, rest)
        if self._own and self._edges > MAX_EDGES:
            self._refuse(next(iter(self._own.values()))[0][0])

    def _refuse(self, row: Row) -> None:
        """Report once that a few groups named by many tasks make a graph too large to hold."""
        if not self._refused:
            self._refused = True
            self._findings.error(
                row.line,
                f"the plan has more than {MAX_EDGES:,} dependencies",
                "let one task depend on the whole group, and the others on that task",
            )

    def _resolve_cell(self, row: Row, cell: str) -> list[str]:
        if is_nothing(cell) or self._refused or self._findings.full:
            return []
        text = plain(cell).replace(";", ",")
        if text.count(",") > _MAX_PARTS:
            self._findings.error(row.line, f"{row.id} names more than {_MAX_PARTS:,} dependencies")
            return []
        try:
            whole = self._lookup(row, text)
        except _UnresolvedError:
            whole = None  # its only part gives the same message below
        if whole is not None:
            self._tell(row, text, whole)
            return list(whole)
        found: list[str] = []
        for part in text.split(","):
            word = trimmed(part)
            if word in self._position:
                found.append(word)
            elif part.strip() and not self._findings.full:
                found += self._resolve_part(row, word or part.strip())
        return found

    def _resolve_part(self, row: Row, part: str) -> Sequence[str]:
        try:
            found = self._lookup(row, part)
            if found is None:
                found = self._lookup_joined(row, part)
        except _UnresolvedError as error:
            self._miss(row, part, *error.args)
            return ()
        if found is None and self._findings.lenient and (found := self._free_of(row, part)) is None:
            found = self._lookup_some(row, part)
        if found is None:
            message = f"{row.id} depends on {quoted(part)}, which is not a task, group or branch"
            self._miss(row, part, message, self._findings.near(part, self._position))
            return ()
        self._tell(row, part, found)
        return found

    def _free_of(self, row: Row, part: str) -> Sequence[str] | None:
        """No dependencies for `independent of F1`."""
        rest = denied_in(part) if len(part) <= _MAX_WORD else None
        if rest is None or (rest and self._lookup(row, rest) is None and self._lookup_joined(row, rest) is None):
            return None
        self._findings.note(NoteKind.RESOLVED, row.line, f"{quoted(part)} was read as no dependency")
        self._told = True
        return ()

    def _lookup_some(self, row: Row, part: str) -> Sequence[str] | None:
        """`F1 and the design`, `F1 or F2`: the known part, if any; the rest is missing."""
        parts = pieces(part.replace(" or ", " and ")) if len(part) <= 50 * _MAX_WORD else []
        found: list[str] = []
        unknown = []
        for piece in parts if len(parts) > 1 else ():
            ids = self._lookup(row, piece)
            found += ids or ()
            if ids is None:
                unknown.append(piece)
        if not found:
            return self._named_in(row, part)
        for piece in unknown:
            self._miss(row, piece, f"{row.id} depends on {quoted(piece)}, which is not a task, group or branch", "")
        if " or " in part:
            self._findings.note(NoteKind.GUESSED, row.line, f"{row.id} depends on all of {quoted(part)}")
        return found

    def _named_in(self, row: Row, part: str) -> Sequence[str] | None:
        """The tasks that a sentence names, as in `A-1 must be merged first`; None if it may mean the opposite."""
        words = ids_in(part) if len(part) <= _MAX_WORD else []
        found = [word for word in words if word in self._position]
        like = {numbered(word)[0] for word in found}
        if not found or any(word not in self._position and numbered(word)[0] in like for word in words):
            return None
        self._findings.note(NoteKind.GUESSED, row.line, f"{quoted(part)} was read as {', '.join(found[:_MOST_TOLD])}")
        self._told = True
        return found

    def _miss(self, row: Row, word: str, message: str, hint: str) -> None:
        """A dependency is missing: an error, or a note and a warning for another tool's plan."""
        if not self._findings.lenient:
            self._findings.error(row.line, message, hint)
        elif row.fields and row.fields.get("settled"):
            self._findings.note(NoteKind.RESOLVED, row.line, f"{message}; it is settled and depends on nothing")
        else:
            self.missing.setdefault(row.id, []).append(word)
            self._findings.note(NoteKind.UNRESOLVED, row.line, message)
            self._findings.warn(row.line, message, hint)

    def _tell(self, row: Row, word: str, found: Sequence[str]) -> None:
        """Report how a range, a group or `All above` was resolved in another tool's plan."""
        told, self._told = self._told, False
        if self._findings.lenient and not told and word and (len(found) != 1 or found[0] not in word):
            ids = ", ".join(found[:_MOST_TOLD]) or "nothing"
            more = f" and {len(found) - _MOST_TOLD} more" if len(found) > _MOST_TOLD else ""
            self._findings.note(NoteKind.RESOLVED, row.line, f"{quoted(word)} was read as {ids}{more}")

    def _lookup_joined(self, row: Row, part: str) -> Sequence[str] | None:
        """`F1 and F2`, `F1 + F2`, `Phase 1 & 2`."""
        if len(part) > 50 * _MAX_WORD:
            return None
        *_, bare = variants(trimmed(part))  # `All Phase 1 & 2 tasks`: the words around belong to each of them
        parts = pieces(bare)
        found: list[str] = []
        noun = ""
        for piece in parts if len(parts) > 1 else ():
            noun = piece.rpartition(" ")[0] or noun
            ids = self._lookup(row, piece)
            number = piece.rpartition(" ")[2]
            if ids is None and noun and number.isdigit():
                ids = self._lookup(row, f"{noun} {number}") or self._lookup(row, f"{noun.removesuffix('s')} {number}")
            if ids is None:
                return None
            found += ids
        return found or None

    def _lookup(self, row: Row, text: str) -> Sequence[str] | None:
        """The ids of one reference; None if it is unknown."""
        if len(text) > _MAX_WORD:
            return None
        for word in variants(trimmed(text)):
            found = self._by_id(row, word)
            if found is None:
                found = self._by_name(row, word)
            if found is not None:
                return found
        if all_of(text):
            return self._all(row, text)
        if folded_name(text) in NOTHING:
            return ()
        word = trimmed(text)
        return self._by_range(row, word) or self._by_short_id(row, word) or self._by_noun(row, word)

    def _all(self, row: Row, text: str) -> Sequence[str] | None:
        """`All above`, `All previous phases`; `All other tasks` in another tool's plan."""
        above = self._rows[: self._position[row.id]]
        if all_of(text) == "groups":
            return [other.id for other in above if (other.branch, other.group) != (row.branch, row.group)]
        if all_of(text) == "above":
            return [other.id for other in above]
        if not self._findings.lenient:
            return None
        self._own.setdefault(tuple(self._position), []).append((row, text))
        self._told = True
        return ()

    def _by_noun(self, row: Row, word: str) -> Sequence[str] | None:
        """`Phase 1.1` without a group of that name, but with a task `1.1`: in another tool's plan."""
        noun, _, task_id = word.partition(" ")
        task_id = task_id.partition(":")[0]
        if not self._findings.lenient or noun.casefold() not in NOUNS or task_id not in self._position:
            return None
        self._take(NoteKind.GUESSED, row, word, task_id)
        return (task_id,)

    def _by_id(self, row: Row, word: str) -> Sequence[str] | None:
        if word in self._position:
            return (word,)
        if not self._folded:
            self._folded = {task_id.casefold(): task_id for task_id in self._position}
        task_id = self._folded.get(word.casefold())
        if task_id is None:
            return None
        self._take(NoteKind.RESOLVED, row, word, task_id)
        return (task_id,)

    def _take(self, kind: NoteKind, row: Row, word: str, task_id: str) -> None:
        text = f"{quoted(word)} was read as {task_id}"
        if self._findings.lenient:
            self._findings.note(kind, row.line, text)
            self._told = True
        else:
            self._findings.warn(row.line, text, f"write {task_id}")

    def _by_name(self, row: Row, word: str) -> Sequence[str] | None:
        if self._names is None:
            self._names = named(self._branches)
        meanings = self._names.get(folded_name(word))
        if not meanings:
            return None
        if len(meanings) > 1:
            raise _UnresolvedError(
                f"{row.id} depends on {quoted(word)}, which names {len(meanings)} groups", "name the tasks themselves"
            )
        if row.id in meanings[0]:
            self._own.setdefault(meanings[0], []).append((row, word))
            self._told = True
            return ()
        return meanings[0]

    def _by_short_id(self, row: Row, word: str) -> Sequence[str] | None:
        """`T002` in the row of `M2-T011` means `M2-T002`."""
        for at in range(len(row.id) - 1, 0, -1):
            if row.id[at] in "-._":
                task_id = row.id[: at + 1] + word
                if task_id in self._position:
                    self._take(NoteKind.GUESSED, row, word, task_id)
                    return (task_id,)
        return None

    def _by_range(self, row: Row, text: str) -> Sequence[str] | None:
        for left, right in range_ends(text):
            first = self._end_of_range(row, left)
            last = self._end_of_range(row, right, left) if first else None
            if first and last:
                return self._between(row, first, last)
            if first is None and right.isdigit() and (phases := self._phases(row, left, right)):
                return phases
        return None

    def _end_of_range(self, row: Row, word: str, first: str = "") -> str | None:
        """An end of a range as an id; the last may omit what it shares with the first (`F1-4`, `A-1.1-1.5`)."""
        for form in variants(trimmed(word)):
            if form in self._position:
                return form
            if form[:1].isdigit():
                for at in range(len(first) - 1, 0, -1):
                    if first[at].isdigit() and not first[at - 1].isdigit() and first[:at] + form in self._position:
                        return first[:at] + form
            found = self._by_id(row, form) if form.casefold() in self._folded else None
            if found:
                return found[0]
        return None

    def _between(self, row: Row, first: str, last: str) -> Sequence[str]:
        """The ids of a range: by number if all of them exist, else in plan order."""
        if ids := between(first, last, self._position, len(self._position)):
            return ids
        begin, end = self._position[first], self._position[last]
        if begin > end:
            raise _UnresolvedError(
                f"{row.id} depends on a range from {first} to {last}, but {last} comes first", "reverse the range"
            )
        return [other.id for other in self._rows[begin : end + 1]]

    def _phases(self, row: Row, left: str, right: str) -> Sequence[str] | None:
        """`Phases 1-3`: the groups `Phase 1`, `Phase 2` and `Phase 3`."""
        noun, start = numbered(left)
        noun = noun.strip().rstrip("s")
        if not noun or not start or len(start) > 3 or len(right) > 3:
            return None
        found: list[str] = []
        for number in range(int(start), int(right) + 1):
            ids = self._by_name(row, f"{noun} {number}")
            if ids is None:
                ids = self._by_noun(row, f"{noun} {number}")
            if ids is None:
                return None
            found += ids
        return found or None
