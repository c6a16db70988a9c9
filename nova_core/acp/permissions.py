"""What a call of an agent's tool wants to do, in words and by the policy of its task. Pure."""

from __future__ import annotations

import os.path
from collections.abc import Mapping
from typing import Any

ALLOW, DENY, ASK = "allow", "deny", "ask"
POLICIES = ("safe", "shell", "bypass", "ask")
MOST_WORDS = 2000  # characters of a question
_LOOKS = ("read", "search", "think")
_CHANGES = ("edit", "delete", "move")
_PATHS = ("file_path", "filePath", "path", "notebook_path", "newPath", "destination")
_PRIVATE = (".git", ".nova")  # what is written there runs commands, or belongs to Nova
_REPORT = ("nova report ", "nova report\t")
_SHELL = set(";&|<>`$\\\n(){}")  # any of these may start another command


def decide(policy: str, call: Mapping[str, Any], root: str) -> str:
    """Returns `ALLOW`, `DENY` or `ASK` for a `toolCall` of the protocol, in the project at `root`.

    `safe` allows to look, to change files of the project, and `nova report`; `ask` allows the same and asks for the
    rest; `shell` allows all but changes of files elsewhere; `bypass` allows everything.
    """
    if policy == "bypass" or _is_harmless(call, root):
        return ALLOW
    if policy == "ask":
        return ASK
    return ALLOW if policy == "shell" and call.get("kind") not in _CHANGES else DENY


def _is_harmless(call: Mapping[str, Any], root: str) -> bool:
    kind = call.get("kind")
    if kind in _LOOKS:
        return True
    if kind in _CHANGES:
        paths = paths_of(call)
        return bool(paths) and all(_is_inside(path, root) for path in paths)
    command = command_of(call)
    return kind == "execute" and command.startswith(_REPORT) and not _SHELL & set(command)


def _is_inside(path: str, root: str) -> bool:
    """Returns True for a file of the project, links followed, that is neither git's nor Nova's."""
    top = os.path.realpath(root)
    found = os.path.realpath(os.path.join(top, path))
    if not found.startswith(top.rstrip("/") + "/"):
        return False
    return not set(_PRIVATE) & set(os.path.relpath(found, top).split("/"))


def paths_of(call: Mapping[str, Any]) -> list[str]:
    """The files that the call names."""
    given = call.get("rawInput")
    found = [given.get(name) for name in _PATHS] if isinstance(given, dict) else []
    for name in ("locations", "content"):
        rows = call.get(name)
        found += [row.get("path") for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    return list(dict.fromkeys(path for path in found if isinstance(path, str) and path))


def command_of(call: Mapping[str, Any]) -> str:
    """The command that the call runs, empty if it names none."""
    given = call.get("rawInput")
    command = given.get("command") if isinstance(given, dict) else None
    if isinstance(command, list):
        return " ".join(word if isinstance(word, str) else "?" for word in command)
    return command if isinstance(command, str) else ""


def describe(call: Mapping[str, Any]) -> str:
    """What the call wants to do, for a person: one line without anything that a terminal would act on.

    The command and the files come first, as the agent's own title may say something else.
    """
    kind, title = call.get("kind"), call.get("title")
    title = title if isinstance(title, str) else ""
    if command := command_of(call):
        words = f"run: {command}"
    elif paths := paths_of(call):
        words = f"{kind if isinstance(kind, str) and kind != 'other' else 'use'}: {', '.join(paths)}"
    elif kind == "fetch" and isinstance(given := call.get("rawInput"), dict) and isinstance(given.get("url"), str):
        words = f"fetch: {given['url']}"
    else:
        words = f"{'run' if kind == 'execute' else 'use'}: {title or 'an unnamed tool'}"
    return shown(words)


def shown(words: str) -> str:
    """The words in one line of printable characters: a line break is `\\n`; the middle of a long text is left out."""
    if len(words) > MOST_WORDS:
        half = MOST_WORDS // 2
        words = f"{words[:half]} [... {len(words) - 2 * half:,} characters ...] {words[-half:]}"
    words = words.replace("\n", "\\n")
    return "".join(c if c.isprintable() else "\ufffd" for c in words)


def option_for(options: object, *, allow: bool) -> str | None:
    """The id of the option that allows or denies this one call; None if the agent offers none."""
    wanted = ("allow_once", "allow_always") if allow else ("reject_once", "reject_always")
    rows = [row for row in options if isinstance(row, dict)] if isinstance(options, list) else []
    for kind in wanted:
        for row in rows:
            if row.get("kind") == kind and isinstance(row.get("optionId"), str):
                return str(row["optionId"])
    return None
