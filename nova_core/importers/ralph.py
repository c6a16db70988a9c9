"""Reads prd.json of Ralph and feature_list.json of agent harnesses: stories or features in sequence."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any

from nova_core.errors import InputError, Problem
from nova_core.importers.draft import Draft, Item, ItemState
from nova_core.importers.jsontext import Json, decode, list_of, load_json, objects_of, text_of
from nova_core.importers.prose import (
    Keys,
    listed_criteria,
    miss,
    one_line,
    set_state,
    split_prose,
    state_of,
    with_parts,
)
from nova_core.model import NoteKind, PlanOptions
from nova_core.parser.findings import quoted, shown_path
from nova_core.parser.values import BadValueError, read_priority

_PASSED = ("true", "yes", "1")
_PASSING = ("pass", "passes", "passed", "passing", "verified")
_DEPENDS = ("dependsOn", "dependencies", "depends_on", "blockedBy")
_CRITERIA = ("acceptanceCriteria", "acceptance_criteria", "acceptance", "criteria", "verification")
_LISTS = ("userStories", "features", "feature_list", "featureList", "stories")
_GROUPS = ("category", "feature", "area")
_STATES = ("status", "state")
_ABOUT = ("description", "summary", "user_visible_behavior")
_COMMANDS = ("verification_command", "verify_command", "test_command")
_FEATURE = ("passes", "acceptance", "steps", "title", "name", *_STATES, *_ABOUT, *_COMMANDS)
_LAST = 1 << 40
_LONGEST_TITLE = 100

Story = dict[str, Any]


def suits(path: str, text: str) -> bool:
    """Returns True for a prd.json of Ralph, a list of features, or a list of items that pass or do not."""
    if not any(f'"{name}"' in text for name in (*_LISTS, "passes")) and not _is_feature_list(path):
        return False
    try:
        data = decode(text, path)
    except InputError:
        return '"userStories"' in text or _is_feature_list(path)  # damaged: reading it reports where
    ours = isinstance(data, dict) and isinstance(data.get("userStories"), list)
    return ours or bool(_stories(data, path)) or _is_feature_list(path)


def _is_feature_list(path: str) -> bool:
    return re.search(r"(?:\A|[\\/])features?[-_]?list\.json\Z", path, re.IGNORECASE) is not None


def _has_empty(data: object, name: str) -> bool:
    return isinstance(data, dict) and data.get(name) == []


def read(path: str, text: str, _options: PlanOptions) -> Draft:
    """The stories in order of priority, each after those it names, else after the one before it."""
    source = load_json(text, path)
    data = source.data
    stories = _stories(data, path)
    if not stories:
        empty = next((name for name in ("userStories", "stories", "features") if _has_empty(data, name)), "")
        text = f"its list `{empty}` is empty" if empty else "there are no user stories or features in it"
        hint = "add the first one" if empty else "choose one with a list `userStories` or `features`"
        raise InputError([Problem(shown_path(path), 0, text, hint)])
    ours = isinstance(data, dict) and isinstance(data.get("userStories"), list)
    draft = Draft(_name(data), path, "ralph" if ours or not _is_feature_list(path) else "feature-list")
    keys = Keys()
    ranked = any(text_of(story.get("priority")) for story in stories)
    items = [
        (_order(draft, story, source) if ranked else at, _item(draft, story, source, keys, at), story)
        for at, story in enumerate(stories, 1)
    ]
    items.sort(key=lambda found: found[0])
    draft.items = [item for _, item, _ in items]
    _link(draft, [(item, story) for _, item, story in items])
    return draft


def _stories(data: Any, path: str) -> list[Story]:
    """The stories of the file; under another key than Ralph's, each must say whether it passes, or what it is."""
    if isinstance(data, dict) and isinstance(data.get("userStories"), list):
        return objects_of(data["userStories"])
    lists = [data.get(name) for name in _LISTS] if isinstance(data, dict) else [data]
    if isinstance(data, dict) and all(key.isdigit() for key in data):  # `"0": {"id": ...}`
        lists = [list(data.values())]
    found = next((objects for value in lists if (objects := objects_of(value))), [])
    if all("passes" in story for story in found):
        return found
    named = _is_feature_list(path) or (isinstance(data, dict) and "features" in data)
    return found if named and all(sum(key in story for key in _FEATURE) > 1 for story in found) else []


def _name(data: Any) -> str:
    sources = [data, data.get("meta"), data.get("metadata")] if isinstance(data, dict) else []
    names = (
        text_of(found.get(key))
        for found in sources
        if isinstance(found, dict)
        for key in ("project", "productName", "project_name", "branchName")
    )
    return one_line(next(filter(None, names), "prd"))


def _order(draft: Draft, story: Story, source: Json) -> int:
    """The place of a story by its priority (1 or `high` first); stories without one come last, in file order."""
    word = text_of(story.get("priority"))
    if re.fullmatch(r"-?[0-9]{1,9}", word, re.ASCII):
        return int(word)
    with suppress(BadValueError):
        return -read_priority(word)
    said = f"priority {quoted(word)}" if word else "no priority"
    draft.note(NoteKind.GUESSED, source.line_of(story), f"a story has {said}: it comes last")
    return _LAST


def _link(draft: Draft, stories: list[tuple[Item, Story]]) -> None:
    """Add the dependencies each story names. A story without that field waits for the one before it."""
    keys = {text_of(story.get("id")): item.key for item, story in reversed(stories)}
    in_order = False
    before = ""
    for item, story in stories:
        field = next((name for name in _DEPENDS if name in story), "")
        for word in map(text_of, list_of(story[field])) if field else ():
            if word in keys:
                item.needs.append(keys[word])
            elif word:
                miss(draft, item, word)
        if not field and before:
            item.needs, in_order = [before], True
        before = item.key
    if in_order:
        named = any(field in story for _, story in stories for field in _DEPENDS)
        who = "each story that does not say what it depends on" if named else "each story"
        draft.note(NoteKind.RESOLVED, 0, f"{who} depends on the one before it: Ralph runs them by priority")


def _item(draft: Draft, story: Story, source: Json, keys: Keys, number: int) -> Item:
    line = source.line_of(story)
    title = one_line(next(filter(None, (text_of(story.get(name)) for name in ("title", "name"))), ""))
    wanted = text_of(story.get("id")) or title or f"story-{number}"
    key = keys.free(wanted)
    if key != wanted:
        draft.note(NoteKind.GUESSED, line, f"there are several stories {wanted}")
    about = next(filter(None, (text_of(story.get(name)) for name in _ABOUT)), "")
    group = one_line(next(filter(None, (text_of(story.get(name)) for name in _GROUPS)), ""))[:_LONGEST_TITLE]
    item = Item(key, title or one_line(about)[:_LONGEST_TITLE] or key, line, branch=draft.name, group=group)
    _set_state(draft, item, story)
    item.description, rest = split_prose(about)
    item.details = with_parts(rest, [(name.title(), text_of(story.get(name))) for name in ("steps", "notes")])
    criteria = [text_of(text) for name in _CRITERIA for text in list_of(story.get(name))]
    criteria += [f"`{text}`" for name in _COMMANDS if (text := text_of(story.get(name))) and "`" not in text]
    if found := listed_criteria(criteria, line):
        item.fields["criteria"] = found
    return item


def _set_state(draft: Draft, item: Item, story: Story) -> None:
    """A story that passes is done, whatever its status; without that field its status decides."""
    status = next(filter(None, (text_of(story.get(name)) for name in _STATES)), "")
    if "passes" not in story:
        set_state(draft, item, "done" if status.casefold() in _PASSING else status)
        return
    passes = story["passes"]
    if passes is True or text_of(passes).casefold() in _PASSED:
        item.state, item.word = ItemState.DONE, "passes"
    if status and state_of(status) is not item.state:
        said = "passes" if item.state is ItemState.DONE else "does not pass"
        draft.note(NoteKind.GUESSED, item.line, f"{item.key} {said}, though its status is {quoted(status)}")
