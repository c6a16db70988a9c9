"""The grammar of sentences about order: `US3 depends on US1`. What is not understood whole is not read at all.

    sentence = [names ":"] clause { joint clause } [reason]
    clause   = [names] after names      US3 depends on US1; starts after Phase 2; needs T004; is blocked by T003
             | names prep names         (US2 depends on US1) and US4 on US3: with the verb of the clause before
             | [names] before names     US1 blocks US3; must be complete before; precedes
             | names { "→" names }      US1 → US2 → US3; US1, then US2: from left to right
             | [names] not after names  does not depend on US1; never blocks US2: adds nothing
             | [names] free [names] [after names]    independent of US1; no dependencies; in parallel with US2
             | names last               US4 must come last; US1 comes first: of all stories
             | after names "," names can start    once US1 is done, US2 can start; before US2 starts, US1 must be done
    names    = name { ("," | "and" | "+" | "/") name }
    name     = T004 | T004-T007 | 1.2 | US1 | User Story 1 | Phases 1-3 | Section 2 | all stories | a heading's name
    joint    = "," | ";" | "and" | "but" | "while" | " - "

A clause without names is about those before the colon, else about those of the clause before. A reason and a remark in
brackets are passed over if they name nothing, deny nothing and set no condition. A sentence with two readings is not
understood: `US1 → US2, US3 → US4`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import msgspec

from nova_core.importers.lexicon import LABEL, NAMES, denies, keyword, sounds

_LONGEST = 2_000  # characters of a sentence
_MOST_TOKENS = 80
_MOST_READINGS = 32

_BECAUSE = re.compile(r"(?:because|since|as|so|for|due to|to|in|which is|it)\b", re.IGNORECASE)
_WORD = re.compile(r"[^\s()]+")
_PREPOSITION = re.compile(r"(on|upon|for|by)\s+(?:the\s+)?", re.IGNORECASE)
_STORIES = re.compile(r"(?:user\s+)?stor(?:y|ies)|US", re.IGNORECASE)
_NUMBER = re.compile(r"[\d.]+")
_ALL_STORIES = ("all stories",)
_END = re.compile(r"(?<=[^\d\s.])[.!?](?=\s+\S)|(?<=\d)[.!?](?=\s+[A-Z*`])")


class Link(msgspec.Struct, frozen=True):
    """Names that wait, and the names they wait for."""

    users: tuple[str, ...]
    needs: tuple[str, ...]


class Reading(msgspec.Struct, frozen=True):
    """What a sentence says. `same` are pairs of a name and another in brackets behind it, which must be (in) it."""

    links: tuple[Link, ...] = ()
    same: tuple[tuple[str, str], ...] = ()


class _Token(msgspec.Struct, frozen=True):
    kind: str
    text: str = ""


class _Clause(NamedTuple):
    """A clause: where it ends, what it is about, what it says, and by which verb (its kind and preposition)."""

    end: int
    about: tuple[str, ...]
    links: tuple[Link, ...] = ()
    verb: str = ""


class _UnreadError(Exception):
    """A part of the sentence is not understood."""


class Grammar:
    """Reads sentences that name ids, phases, stories, sections, and `words`: the names of headings."""

    def __init__(self, words: Sequence[str] = ()) -> None:
        own = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
        names = rf"{NAMES}|\b(?:{own})\b(?:\s+phase\b)?" if own else NAMES
        self._names = re.compile(names, re.IGNORECASE)
        self._only_names = re.compile(
            rf"\s*(?:(?:{names})(?:\s*(?:,\s*and\b|,|\band\b|&|\+|/|∥|‖|\|\|)\s*|\s*\Z))+\Z", re.IGNORECASE
        )

    def names(self, text: str) -> list[str]:
        """The names in a text."""
        return [match[0] for match in self._names.finditer(text[:_LONGEST])]

    def is_names(self, text: str) -> bool:
        """Returns True for a list of names and nothing else."""
        return self._only_names.match(text[:_LONGEST]) is not None

    def read(self, text: str, subject: Sequence[str] = ()) -> Reading | None:
        """What all sentences of a text say together; None if a part of it is not understood.

        `subject` are the names that a clause without names is about.
        """
        links: list[Link] = []
        same: list[tuple[str, str]] = []
        about, read = tuple(subject), False
        for piece in _END.split(text[:_LONGEST]) if len(text) <= _LONGEST else ():
            try:
                reading, about = self._sentence(piece, about)
            except _UnreadError:
                if self._names.search(piece) or denies(piece) or sounds(piece):
                    return None
                continue
            read = True
            links += reading.links
            same += reading.same
        return Reading(tuple(dict.fromkeys(links)), tuple(same)) if read else None

    def _sentence(self, text: str, about: tuple[str, ...]) -> tuple[Reading, tuple[str, ...]]:
        text = LABEL.sub("", text, count=1)
        same: list[tuple[str, str]] = []
        tokens = list(self._tokens(text, same))
        label: tuple[str, ...] = ()
        kinds = "".join(token.kind for token in tokens)
        at = re.match(r"N(?:[J,+]N)*(?::|[>;](?=[ABFXLE]))", kinds)
        if at:
            label = tuple(token.text for token in tokens[: at.end()] if token.kind == "N")
            tokens = tokens[at.end() :]
        found: set[tuple[Link, ...]] = set()
        for reading in _readings(tuple(tokens), label or about):
            found.add(tuple(sorted(reading, key=lambda link: (link.users, link.needs))))
            if len(found) > 1:
                break
        if len(found) != 1:
            raise _UnreadError
        return Reading(found.pop(), tuple(same)), label or about

    def _tokens(self, text: str, same: list[tuple[str, str]]) -> Iterator[_Token]:
        at, count, last = 0, 0, _Token("")
        while at < len(text):
            if text[at] in "([{":
                end, group = self._group(text, at, last)
                if group:
                    yield from (_Token("+") if i % 2 else _Token("N", name) for i, name in enumerate(_joined(group)))
                    last = _Token("N", group[-1])
                else:
                    self._remark(text[at + 1 : end - 1], last, same)
                at = end
                continue
            token, match = self._next(text, at, last)
            if match is None:
                words, named = self._words(text, at)
                if named is None:
                    if self._is_reason(text[at:], last):
                        return
                    raise _UnreadError
                yield from (_Token("J") if i % 2 else _Token("N", name) for i, name in enumerate(_joined(named)))
                last, at = _Token("N", named[-1]), words
                continue
            at = match.end()
            if token.kind in (" ", "D"):
                continue
            count += 1
            if count > _MOST_TOKENS:
                raise _UnreadError
            yield token
            last = token

    def _group(self, text: str, at: int, last: _Token) -> tuple[int, list[str]]:
        """The end of the brackets that begin here, and names in them that are no remark: `US1 → [US2, US3]`."""
        end = text.find({"(": ")", "[": "]", "{": "}"}[text[at]], at)
        inside = text[at + 1 : end]
        if end > 0 and last.kind in ("", ">", "A", "B") and self._only_names.match(inside):
            return end + 1, self.names(inside)
        if text[at] != "(":
            raise _UnreadError
        return _closing(text, at) + 1, []

    def _next(self, text: str, at: int, last: _Token) -> tuple[_Token, re.Match[str] | None]:
        """The token at a place and its match; None for a word that is not known."""
        if match := self._names.match(text, at):
            return _Token("N", match[0]), match
        if (match := _PREPOSITION.match(text, at)) and last.kind == "N" and self._names.match(text, match.end()):
            return _Token("O", match[1].casefold()), match
        kind, match = keyword(text, at)
        return _Token(kind, match[0] if match else ""), match

    def _words(self, text: str, at: int) -> tuple[int, list[str] | None]:
        """Names in brackets behind one or two words that name nothing themselves: `the tests (T004-T007)`."""
        for _ in range(2):
            word = _WORD.match(text, at)
            if word is None or denies(word[0]) or keyword(text, at)[1] or self._names.match(text, at):
                return at, None
            at = word.end()
            space = len(text) - len(text[at:].lstrip())
            if text[space : space + 1] == "(":
                end = _closing(text, space)
                inside = text[space + 1 : end]
                return (end + 1, self.names(inside)) if self._only_names.match(inside) else (at, None)
            at = space
        return at, None

    def _remark(self, inside: str, last: _Token, same: list[tuple[str, str]]) -> None:
        """Pass over a remark; the names in one that follows a name must mean the same, or a part of it."""
        names = self.names(inside)
        if not names and not denies(inside):
            return
        if (reading := self.read(inside, ("",))) and not (reading.links or reading.same):
            return  # `(can run in parallel with US1)`
        if denies(inside):
            raise _UnreadError
        if names:
            if last.kind != "N" or sounds(inside):
                raise _UnreadError
            same += ((last.text, name) for name in names)

    def _is_reason(self, text: str, last: _Token) -> bool:
        """Returns True for the end of a sentence that only gives a reason, or a word or two behind a name."""
        if last.kind == "" or self._names.search(text) or denies(text) or sounds(text):
            return False
        return last.kind in ";:" or bool(_BECAUSE.match(text)) or (last.kind == "N" and len(text.split()) <= 3)


def _closing(text: str, at: int) -> int:
    """The index of the bracket that closes the one at `at`."""
    depth = 0
    for index in range(at, len(text)):
        depth += (text[index] == "(") - (text[index] == ")")
        if not depth:
            return index
    raise _UnreadError


def _joined(names: Sequence[str]) -> list[str]:
    return [part for name in names for part in (name, "")][:-1]


def _readings(tokens: tuple[_Token, ...], about: tuple[str, ...]) -> Iterator[tuple[Link, ...]]:
    """Every way to read the tokens as clauses."""
    while tokens and tokens[-1].kind in ";:,":
        tokens = tokens[:-1]
    todo: list[tuple[_Clause, tuple[Link, ...]]] = [(_Clause(0, about), ())]
    steps = 0
    while todo and steps < _MOST_READINGS * _MOST_TOKENS:
        steps += 1
        before, links = todo.pop()
        for clause in _clauses(tokens, before):
            end, said = clause.end, links + clause.links
            if end == len(tokens):
                yield said
            elif tokens[end].kind in "J,;:":
                following = end + 1
                if following < len(tokens) and tokens[following].kind in "J;" and tokens[end].kind in ",;":
                    following += 1  # `, but`
                todo.append((clause._replace(end=following), said))
    if todo:
        raise _UnreadError


def _clauses(tokens: Sequence[_Token], before: _Clause) -> Iterator[_Clause]:
    """The clauses that may follow one that ends here."""
    at = before.end
    for start, names in [(at, ()), *_lists(tokens, at)]:
        subject = names or before.about
        token = tokens[start] if start < len(tokens) else _Token("")
        kind = token.kind
        if kind == "X" and start + 1 < len(tokens) and _may_deny(tokens[start + 1]):
            yield from (_Clause(end, subject) for end, _ in _lists(tokens, start + 2))
        elif kind in ("A", "B"):
            inverted = () if names else tuple(_inverted(tokens, start))
            yield from inverted or _ordered(tokens, start, subject, kind + token.text.casefold().split()[-1])
        elif kind == "O" and names and before.verb[1:] == token.text:
            yield from _ordered(tokens, start, names, before.verb)
        elif kind in ("L", "E") and names and all(map(_STORIES.match, names)):
            yield _Clause(start + 1, names, (_link(kind == "L", names, _ALL_STORIES),))
        elif kind == "Z" and not names and subject:
            yield _Clause(start + 1, subject)
        elif kind == "F":
            yield from _free(tokens, start + 1, subject)
        if names and (arrow := _arrow(tokens, start, names)) >= 0:
            yield from _chains(tokens, arrow, [names])


def _ordered(tokens: Sequence[_Token], at: int, subject: tuple[str, ...], verb: str) -> Iterator[_Clause]:
    """The clauses of a subject and the verb at `at`, of which names follow."""
    if not subject:
        return
    if verb[0] == "A" and at + 1 < len(tokens) and tokens[at + 1].kind == "Z":
        yield _Clause(at + 2, subject)
    for end, others in _lists(tokens, at + 1):
        if verb[0] == "B" and end < len(tokens) and tokens[end].kind == "S":
            end += 1  # `before US2 starts`
        yield _Clause(end, subject, (_link(verb[0] == "A", subject, others),), verb)


def _inverted(tokens: Sequence[_Token], at: int) -> Iterator[_Clause]:
    """The clauses that begin with `after`, `once` or `before`, and names: `Once US1 is done, US2 can start`."""
    for end, others in _lists(tokens, at + 1):
        kinds = "".join(token.kind for token in tokens[end : end + 3])
        start = end + (kinds[:1] == "S" and tokens[at].kind == "B")
        start += kinds[start - end : start - end + 1] == ","
        ahead = start < len(tokens) and tokens[start].kind == "S"  # `start US2`
        for last, names in _lists(tokens, start + ahead):
            if ahead or (last < len(tokens) and tokens[last].kind == "S"):
                yield _Clause(last + (not ahead), names, (_link(tokens[at].kind == "A", names, others),))


def _may_deny(token: _Token) -> bool:
    """Returns True for a verb that means nothing with a `not`; what is not before something may be after it."""
    word = token.text.casefold()
    return token.kind in ("A", "B") and not (word.endswith(("before", "precede")) and " to " not in word)


def _link(after: bool, some: tuple[str, ...], others: tuple[str, ...]) -> Link:
    return Link(some, others) if after else Link(others, some)


def _free(tokens: Sequence[_Token], at: int, subject: tuple[str, ...]) -> Iterator[_Clause]:
    """What may follow `independent of`: names, and `after` with what is waited for all the same."""
    for start, _ in [(at, ()), *_lists(tokens, at)]:
        yield _Clause(start, subject)
        if subject and start < len(tokens) and tokens[start].kind == "A":
            yield from (_Clause(end, subject, (Link(subject, names),)) for end, names in _lists(tokens, start + 1))


def _chains(tokens: Sequence[_Token], at: int, chain: list[tuple[str, ...]]) -> Iterator[_Clause]:
    for end, names in _lists(tokens, at + 1):
        grown = [*chain, names]
        yield _Clause(end, names, tuple(Link(later, earlier) for earlier, later in pairwise(grown)))
        if (arrow := _arrow(tokens, end, names)) >= 0:
            yield from _chains(tokens, arrow, grown)


def _arrow(tokens: Sequence[_Token], at: int, names: tuple[str, ...]) -> int:
    """The arrow behind names, also in `US2 and US3 in parallel, then US4`; -1 for none."""
    kinds = "".join(token.kind for token in tokens[at : at + 2])
    several = len(_NUMBER.findall(" ".join(names))) > 1
    return at if kinds[:1] == ">" else at + 1 if kinds == "F>" and several else -1


def _lists(tokens: Sequence[_Token], at: int) -> list[tuple[int, tuple[str, ...]]]:
    """The lists of names that begin here, of every length."""
    found: list[tuple[int, tuple[str, ...]]] = []
    names: tuple[str, ...] = ()
    while at < len(tokens) and tokens[at].kind == "N":
        names = (*names, tokens[at].text)
        found.append((at + 1, names))
        if at + 1 >= len(tokens) or tokens[at + 1].kind not in "J,+":
            break
        at += 2
    return found
