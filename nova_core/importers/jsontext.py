"""Reads other tools' JSON: each value in its own type or as text, with the line of each object."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from nova_core.errors import InputError, Problem
from nova_core.parser.findings import shown_path
from nova_core.parser.source import MAX_BYTES

_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|\{|\n')
_BYTE = re.compile(r" ?\(byte (\d+)\)")
# Numbers with a point stay text: the subtask 31.10 is not 31.1.
_DECODER: msgspec.json.Decoder[Any] = msgspec.json.Decoder(float_hook=str)


class Json(msgspec.Struct, frozen=True):
    """The data of a JSON text; `line_of` gives the lines of its objects."""

    data: Any
    lines: dict[int, int]

    def line_of(self, value: object) -> int:
        """The line on which an object of `data` starts; 0 if it is unknown."""
        return self.lines.get(id(value), 0)


def load_json(text: str, path: str) -> Json:
    """Read the JSON file `text`. Raises `InputError` with the line if it is not JSON, too large or too deep."""
    data = decode(text, path)
    starts = []
    line = 1
    for token in _TOKEN.finditer(text):
        if token[0] == "\n":
            line += 1
        elif token[0] == "{":
            starts.append(line)
    objects = _objects(data)
    if len(objects) != len(starts):  # a key was repeated, and an object was lost
        return Json(data, {})
    return Json(data, {id(value): line for value, line in zip(objects, starts, strict=True)})


def decode(text: str, path: str, line: int = 0) -> Any:
    """The data of one JSON text, which is line `line` of its file if that is not 0. Raises `InputError`."""
    try:
        raw = text.removeprefix("\ufeff").encode()
        if len(raw) > MAX_BYTES:
            raise _refusal(path, line, f"the plan is larger than {MAX_BYTES >> 20} MiB")
        return _DECODER.decode(raw)
    except msgspec.DecodeError as error:
        at = _BYTE.search(str(error))
        if not line:
            line = raw.count(b"\n", 0, int(at[1])) + 1 if at else raw.count(b"\n") + 1
        raise _refusal(path, line, f"not valid JSON: {_BYTE.sub('', str(error))}") from None
    except RecursionError:
        raise _refusal(path, line, "not valid JSON for a plan: it is nested too deeply") from None
    except UnicodeEncodeError:
        raise _refusal(path, line, "half of a surrogate pair is not a character") from None


def _objects(data: Any) -> list[dict[str, Any]]:
    """All objects in order of their start."""
    found, todo = [], [data]
    while todo:
        value = todo.pop()
        if isinstance(value, dict):
            found.append(value)
            todo += reversed(value.values())
        elif isinstance(value, list):
            todo += reversed(value)
    return found


def text_of(value: object) -> str:
    """A value as text: text and numbers unchanged, a list line by line, "" for anything else."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool) or value is None or isinstance(value, dict):
        return ""
    if isinstance(value, list):
        return "\n".join(filter(None, (text_of(item) for item in value if not isinstance(item, list))))
    return str(value)


def list_of(value: object) -> list[Any]:
    """The items of a list, one item for a single value, none for an empty value."""
    if isinstance(value, list):
        return value
    return [] if value is None or value == "" else [value]


def objects_of(value: object) -> list[dict[str, Any]]:
    """The objects of a list; other items are left out."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _refusal(path: str, line: int, message: str) -> InputError:
    return InputError([Problem(shown_path(path), line, message, "write the file again with the tool it belongs to")])
