"""Resolves what people write in dependency cells: ids, lists, ranges, groups, `All above`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nova_core.parser.cells import NOTHING, is_nothing
from nova_core.parser.findings import Findings, quoted
from nova_core.parser.rows import Row
from nova_core.parser.wording import folded_name, named, numbered, plain, range_ends, trimmed, variants

MAX_EDGES = 1_000_000
_MAX_PARTS = 100_000  # of one cell
_MAX_GUESSES = 10
_MAX_CANDIDATES = 2_000
_MAX_WORD = 200  # longer references are not tried as ranges or names
_ABOVE = ("above", "previous", "prior", "preceding", "earlier")
_ALL_ABOVE = frozenset(
    f"all {of}{above}{tasks}" for of in ("", "of the ") for above in _ABOVE for tasks in ("", " tasks")
)
_ALL_GROUPS_ABOVE = frozenset(f"all {above} {what}" for above in _ABOVE for what in ("phases", "groups"))
_JOINTS = (" and ", " & ", " + ", "+", "&", " plus ", " / ", "/")


class _UnresolvedError(Exception):
    """What a reference cannot mean; `args` are the message and the hint."""


class References:
    """Every id, group and branch of one plan, to resolve its dependency cells against.

    Ids match exactly, else in any case if that is unambiguous, else without the prefix that the task's own id has; the
    last two with a warning. Whatever cannot be resolved is an error: it never becomes a dependency nobody can meet.
    """

    def __init__(
        self, rows: Sequence[Row], branches: Mapping[str, Mapping[str, Sequence[str]]], findings: Findings
    ) -> None:
        self._rows = rows
        self._branches = branches
        self._findings = findings
        self._position = {row.id: at for at, row in enumerate(rows)}
        self._folded: dict[str, str] = {}
        self._names: dict[str, list[tuple[str, ...]]] | None = None
        self._edges = 0
        self._refused = False
        self._guesses = 0

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
            self._findings.error(row.line, f"{row.id} depends on itself", "remove it from its own dependencies")
            found = tuple(i for i in found if i != row.id)
        self._edges += len(found)
        if self._edges > MAX_EDGES:
            self._refuse(row)
            return ()
        return found

    def _refuse(self, row: Row) -> None:
        """Say once that a few groups named by many tasks have become a graph too large to hold."""
        if not self._refused:
            self._refused = True
            self._findings.error(
                row.line,
                f"the plan has more than {MAX_EDGES:,} dependencies",
                "let one task wait for the whole group, and the others for that task",
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
            whole = None  # its only part says the same below
        if whole is not None:
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
            self._findings.error(row.line, *error.args)
            return ()
        if found is None:
            self._findings.error(
                row.line, f"{row.id} depends on {quoted(part)}, which is no task, group or branch", self._hint(part)
            )
        return found or ()

    def _lookup_joined(self, row: Row, part: str) -> Sequence[str] | None:
        """`F1 and F2`, `F1 + F2`, `Phase 1 & 2`."""
        if len(part) > 50 * _MAX_WORD:
            return None
        for joint in _JOINTS:
            part = part.replace(joint, "\0")
        pieces = [piece.strip() for piece in part.split("\0") if piece.strip()]
        found: list[str] = []
        noun = ""
        for piece in pieces if len(pieces) > 1 else ():
            noun = piece.rpartition(" ")[0] or noun
            ids = self._lookup(row, piece)
            if ids is None and noun and piece.isdigit():
                ids = self._lookup(row, f"{noun} {piece}")
            if ids is None:
                return None
            found += ids
        return found or None

    def _lookup(self, row: Row, text: str) -> Sequence[str] | None:
        """The ids one reference stands for; None if it stands for nothing known."""
        if len(text) > _MAX_WORD:
            return None
        for word in variants(trimmed(text)):
            found = self._by_id(row, word)
            if found is None:
                found = self._by_name(row, word)
            if found is not None:
                return found
        folded = " ".join(text.casefold().split())
        if folded in _ALL_ABOVE:
            return [other.id for other in self._rows[: self._position[row.id]]]
        if folded in _ALL_GROUPS_ABOVE:
            above = self._rows[: self._position[row.id]]
            return [other.id for other in above if (other.branch, other.group) != (row.branch, row.group)]
        if folded in NOTHING:
            return ()
        return self._by_range(row, trimmed(text)) or self._by_short_id(row, trimmed(text))

    def _by_id(self, row: Row, word: str) -> Sequence[str] | None:
        if word in self._position:
            return (word,)
        if not self._folded:
            self._folded = {task_id.casefold(): task_id for task_id in self._position}
        task_id = self._folded.get(word.casefold())
        if task_id is None:
            return None
        self._findings.warn(row.line, f"{quoted(word)} was taken for {task_id}", f"write {task_id}")
        return (task_id,)

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
        return [task_id for task_id in meanings[0] if task_id != row.id]

    def _by_short_id(self, row: Row, word: str) -> Sequence[str] | None:
        """`T002` in the row of `M2-T011` means `M2-T002`."""
        for at in range(len(row.id) - 1, 0, -1):
            if row.id[at] in "-._":
                task_id = row.id[: at + 1] + word
                if task_id in self._position:
                    self._findings.warn(row.line, f"{quoted(word)} was taken for {task_id}", f"write {task_id}")
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
        """An end of a range as an id; the last may go without what it shares with the first (`F1-4`, `A-1.1-1.5`)."""
        word = next(variants(trimmed(word)), "")
        if word in self._position:
            return word
        if word[:1].isdigit():
            for at in range(len(first) - 1, 0, -1):
                if first[at].isdigit() and not first[at - 1].isdigit() and first[:at] + word in self._position:
                    return first[:at] + word
        found = self._by_id(row, word) if word.casefold() in self._folded else None
        return found[0] if found else None

    def _between(self, row: Row, first: str, last: str) -> Sequence[str]:
        """The ids of a range: by number if all of them exist, else as the plan lists them."""
        prefix, start = numbered(first)
        other, stop = numbered(last)
        if start and stop and prefix == other and int(start) <= int(stop) < int(start) + len(self._position):
            width = len(start) if start[0] == "0" or len(start) == len(stop) else 0
            ids = [f"{prefix}{number:0{width}d}" for number in range(int(start), int(stop) + 1)]
            if all(map(self._position.__contains__, ids)):
                return ids
        begin, end = self._position[first], self._position[last]
        if begin > end:
            raise _UnresolvedError(
                f"{row.id} depends on a range from {first} to {last}, but {last} comes first", "turn the range around"
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
                return None
            found += ids
        return found or None

    def _hint(self, word: str) -> str:
        if len(word) <= 64 and self._guesses < _MAX_GUESSES and not self._findings.full:
            self._guesses += 1
            from difflib import get_close_matches  # only for mistakes: it costs 10 ms to import

            near = [i for i in self._position if abs(len(i) - len(word)) < 4][:_MAX_CANDIDATES]
            matches = get_close_matches(word, near, n=1)
            if matches:
                return f"did you mean {matches[0]}?"
        return "name a task id, a group or a branch of this plan; write `-` for no dependency"
