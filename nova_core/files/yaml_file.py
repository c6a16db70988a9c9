"""YAML settings files, read as plain text values with their line numbers; YAML's advanced features are rejected."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from nova_core.errors import InputError, InputNotFoundError, Problem
from nova_core.text import clean, head_and_tail

if TYPE_CHECKING:
    import yaml

MAX_DEPTH = 20
MAX_NODES = 20_000
MAX_LINES = 50_000
_FILE_HINT = "name a regular file that you may read"
_NULLS = ("", "~", "null", "Null", "NULL")


class YamlSyntaxError(InputError):
    """Not YAML, or YAML syntax that people rarely intend (`*`, `&`, `!`): in front matter it may be plain text."""


Value = str | None | list[Any] | dict[str, Any]
Keys = tuple[str | int, ...]


class Document(msgspec.Struct, frozen=True):
    """The data of one file, and the line (from 1) of every value in it.

    `data` holds dicts with text keys, lists, text, and None for an empty value, `~` or `null`. Numbers and booleans
    stay text, for the caller to interpret: YAML 1.1 reads `no` as false, `012` as 10 and `12:30` as 750.
    """

    path: str
    data: Value
    lines: dict[Keys, int]

    def line_of(self, keys: Keys) -> int:
        """The line of the value at `keys`, such as `("agents", "claude", "timeout")`, or of its nearest parent."""
        while keys and keys not in self.lines:
            keys = keys[:-1]
        return self.lines.get(keys, 0)

    def problem(self, keys: Keys, message: str, hint: str = "") -> Problem:
        """A finding about the value at `keys`."""
        return Problem(self.path, self.line_of(keys), message, hint)


def load_yaml(path: str | Path, *, max_bytes: int = 1_000_000) -> Document:
    """Read a YAML file. Raises `InputNotFoundError` if it is missing, `InputError` if it is not plain YAML."""
    return parse_yaml(read_text(path, max_bytes=max_bytes), str(path))


def read_text(path: str | Path, *, max_bytes: int = 1_000_000) -> str:
    """Return the text of a regular UTF-8 file of at most `max_bytes`. Raises `InputNotFoundError` or `InputError`."""
    try:
        raw = _read_regular_file(path, max_bytes + 1)
    except FileNotFoundError:
        raise InputNotFoundError([Problem(str(path), 0, "there is no such file", "correct the path")]) from None
    except OSError as error:
        raise _input_error(path, 0, f"cannot be read: {os.strerror(error.errno or errno.EIO)}", _FILE_HINT) from None
    if len(raw) > max_bytes:
        raise _input_error(path, 0, f"larger than {max_bytes:,} bytes", "check that this is the right file")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise _input_error(path, line, "is not UTF-8 text", "save the file as UTF-8") from None


def _read_regular_file(path: str | Path, limit: int) -> bytes:
    """O_NONBLOCK: opening a FIFO without a writer would hang for ever."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with open(descriptor, "rb") as file:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EISDIR, "")
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.ENOTSUP, "")
        return file.read(limit)


def parse_yaml(text: str, path: str, *, first_line: int = 1) -> Document:
    """Return the data of `text`; `path` and `first_line` are for messages. Raises `InputError`."""
    # The pure parser on purpose: the C parser crashes the process on deep nesting. Neither may construct objects.
    import yaml

    if text.count("\n") > MAX_LINES:
        text = f"more than {MAX_LINES:,} lines"
        raise _input_error(path, first_line + MAX_LINES, text, "check that this is the right file")
    builder = _Builder(path, first_line)
    line = first_line
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            builder.add(event)
            line = builder.line_of(event)
    except InputError:
        raise
    except yaml.reader.ReaderError as error:
        line = first_line + text.count("\n", 0, error.position)
        message = f"character U+{ord(text[error.position]):04X} is not allowed here"
        raise _input_error(path, line, message, "remove it, or write it as an escape in double quotes") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = first_line + mark.line if mark else line
        message = f"not valid YAML: {clean(str(error.problem or error.context))}"
        hint = "put text with a colon or special characters in quotes"
        raise YamlSyntaxError([Problem(str(path), line, message, hint)]) from None
    except (
        ValueError,
        OverflowError,
    ):  # "\UFFFFFFFF" is past the last character, `%YAML 9…9.1` past the longest number
        raise _input_error(path, line, "not valid YAML: an impossible number or character", "remove it") from None
    return Document(path, builder.result, builder.lines)


class _Builder:
    """Builds values from parser events, without recursion, and stops at the first unsupported one."""

    def __init__(self, path: str, first_line: int) -> None:
        self.result: Value = None
        self.lines: dict[Keys, int] = {}
        self._path = path
        self._first_line = first_line
        self._nodes = 0
        self._documents = 0
        self._open: list[tuple[Keys, Any]] = []
        self._key: str | None = None

    def add(self, event: yaml.Event) -> None:
        """Take the next event."""
        from yaml import events

        if isinstance(event, events.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise self._refuse(event, "more than one YAML document", "remove the line `---`")
        elif isinstance(event, events.CollectionEndEvent):
            self._open.pop()
        elif isinstance(event, events.NodeEvent):
            self._check(event)
            if isinstance(event, events.ScalarEvent):
                self._scalar(event)
            else:
                self._collection(event, {} if isinstance(event, events.MappingStartEvent) else [])

    def _check(self, event: yaml.NodeEvent) -> None:
        self._nodes += 1
        if event.anchor is not None:  # an alias event has an anchor, too
            message, hint = "anchors and aliases (`&`, `*`) are not supported", "write the value out, or quote it"
            raise YamlSyntaxError([Problem(self._path, self.line_of(event), message, hint)])
        if getattr(event, "tag", None) is not None:
            message, hint = "tags (`!`) are not supported", "remove it, or quote the value"
            raise YamlSyntaxError([Problem(self._path, self.line_of(event), message, hint)])
        if not (value := getattr(event, "value", "")).isascii() and any("\ud800" <= c <= "\udfff" for c in value):
            raise self._refuse(event, "half of a surrogate pair is no character", "write \\U and eight digits")
        if self._nodes > MAX_NODES:
            raise self._refuse(event, f"more than {MAX_NODES:,} values", "check that this is the right file")

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        if self._open and isinstance(self._open[-1][1], dict) and self._key is None:
            self._new_key(event)
        else:
            empty = event.implicit[0] and event.value in _NULLS
            self._place(event, None if empty else event.value)

    def _new_key(self, event: yaml.ScalarEvent) -> None:
        keys, mapping = self._open[-1]
        if event.value == "<<" and event.implicit[0]:
            raise self._refuse(event, "merge keys (`<<`) are not supported", "write the values out")
        if event.value in mapping:
            first = self.lines[(*keys, event.value)]
            name = clean(head_and_tail(event.value, 60))
            raise self._refuse(event, f"`{name}` is used twice, first on line {first}", "remove one of them")
        self._key = event.value
        self.lines[(*keys, event.value)] = self.line_of(event)

    def _collection(self, event: yaml.NodeEvent, value: Any) -> None:
        if self._open and isinstance(self._open[-1][1], dict) and self._key is None:
            message, hint = "a key must be text", "quote text that begins with `{` or `[`"
            raise YamlSyntaxError([Problem(self._path, self.line_of(event), message, hint)])
        if len(self._open) >= MAX_DEPTH:
            raise self._refuse(event, f"nested deeper than {MAX_DEPTH} levels", "write it with fewer levels")
        self._open.append((self._place(event, value), value))

    def _place(self, event: yaml.NodeEvent, value: Any) -> Keys:
        """Store the value in its container and return its keys. A mapping's value keeps the line of its key."""
        if not self._open:
            self.result = value
            self.lines.setdefault((), self.line_of(event))
            return ()
        parent, container = self._open[-1]
        if isinstance(container, list):
            keys: Keys = (*parent, len(container))
            container.append(value)
            self.lines[keys] = self.line_of(event)
        else:
            assert self._key is not None
            keys = (*parent, self._key)
            container[self._key] = value
            self._key = None
        return keys

    def line_of(self, event: yaml.Event) -> int:
        """The line of the event in its file."""
        mark = event.start_mark
        return self._first_line + (mark.line if mark else 0)

    def _refuse(self, event: yaml.Event, message: str, hint: str = "") -> InputError:
        return _input_error(self._path, self.line_of(event), message, hint)


def _input_error(path: str | Path, line: int, message: str, hint: str = "") -> InputError:
    return InputError([Problem(str(path), line, message, hint)])
