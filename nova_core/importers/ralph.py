"""Reads prd.json of Ralph: user stories that are done one after the other."""

from __future__ import annotations

import re
from typing import Any

from nova_core.errors import InputError, Problem
from nova_core.importers.draft import Draft, Item, ItemState
from nova_core.importers.jsontext import Json, decode, list_of, load_json, objects_of, text_of
from nova_core.importers.options import Options
from nova_core.importers.prose import Keys, listed_criteria, one_line, split_prose, with_parts
from nova_core.model import NoteKind
from nova_core.parser.findings import quoted, shown_path

_PASSED = ("true", "yes", "1")


def suits(path: str, text: str) -> bool:
    """Whether this is a prd.json of Ralph."""
    if '"userStories"' not in text:
        return False
    try:
        data = decode(text, path)
    except InputError:
        return True  # damaged, but meant to be one: reading it says where
    return isinstance(data, dict) and isinstance(data.get("userStories"), list)


def read(path: str, text: str, _options: Options) -> Draft:
    """The stories in the order of their priority, each waiting for the one before it."""
    source = load_json(text, path)
    data = source.data
    stories = objects_of(data.get("userStories")) if isinstance(data, dict) else []
    if not stories:
        hint = "it holds a list `userStories`"
        raise InputError([Problem(shown_path(path), 0, "this is no prd.json of Ralph, or it has no stories", hint)])
    name = next((name for key in ("project", "productName", "branchName") if (name := text_of(data.get(key)))), "prd")
    draft = Draft(one_line(name), path, "ralph")
    keys = Keys()
    items = [(_order(draft, story, source), _item(draft, story, source, keys)) for story in stories]
    draft.items = [item for _, item in sorted(items, key=lambda found: found[0])]
    for before, item in zip(draft.items, draft.items[1:], strict=False):
        item.needs = [before.key]
    if len(draft.items) > 1:
        draft.note(NoteKind.RESOLVED, 0, "each story waits for the one before it: Ralph does them by their priority")
    return draft


def _order(draft: Draft, story: dict[str, Any], source: Json) -> int:
    """The priority of a story; those without one come last, in the order of the file."""
    word = text_of(story.get("priority"))
    if re.fullmatch(r"-?[0-9]{1,9}", word, re.ASCII):
        return int(word)
    said = f"priority {quoted(word)}" if word else "no priority"
    draft.note(NoteKind.GUESSED, source.line_of(story), f"a story has {said}: it comes last")
    return 1 << 40


def _item(draft: Draft, story: dict[str, Any], source: Json, keys: Keys) -> Item:
    line = source.line_of(story)
    wanted = text_of(story.get("id")) or one_line(text_of(story.get("title"))) or "story"
    key = keys.free(wanted)
    if key != wanted:
        draft.note(NoteKind.GUESSED, line, f"there are several stories {wanted}")
    item = Item(key, one_line(text_of(story.get("title"))) or key, line, branch=draft.name)
    passes = story.get("passes")
    if passes is True or text_of(passes).casefold() in _PASSED:
        item.state, item.word = ItemState.DONE, "passes"
    item.description, rest = split_prose(text_of(story.get("description")))
    item.details = with_parts(rest, [("Notes", text_of(story.get("notes")))])
    if criteria := listed_criteria([text_of(text) for text in list_of(story.get("acceptanceCriteria"))], line):
        item.fields["criteria"] = criteria
    return item
