"""Reading typed settings from a YAML document: every mistake is collected, with its line and a hint."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from enum import StrEnum
from functools import cache
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import msgspec

from nova_core.errors import Problem, UsageError
from nova_core.files.yaml_file import Document, Keys
from nova_core.text import clean, head_and_tail, parse_duration, parse_size

# Readers take a value from YAML (text, None, a list or a dict) and return the setting; a `ValueError` says what is
# wrong.
Read = Callable[[Any], Any]


def read_text(value: object) -> str:
    """Text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"must be text, not {kind_of(value)}")
    return read_argument(value)


def read_argument(value: object) -> str:
    """Any text, also an empty one."""
    if not isinstance(value, str | None):
        raise ValueError(f"must be text, not {kind_of(value)}")
    if "\0" in (value or ""):
        raise ValueError("must not contain a NUL character")
    return value or ""


def read_number(value: object) -> float:
    """A number from 0 up; a `$` in front is allowed."""
    text = read_text(value).strip()
    if not re.fullmatch(r"\$?[0-9]{1,12}(?:\.[0-9]{1,9})?", text):
        raise ValueError(f"must be a number that is not negative, not {kind_of(value)}")
    return float(text.removeprefix("$"))


def read_part(value: object) -> float:
    """A part of the whole, from a percentage above 0."""
    text = read_text(value).strip().removesuffix("%").rstrip()
    try:
        percent = read_number(text)
    except ValueError:
        percent = 0.0
    if not 0 < percent <= 100:
        raise ValueError(f"must be a percentage, such as 90%, not {kind_of(value)}")
    return percent / 100


def read_count(value: object) -> int:
    """A whole number from 0 up."""
    text = read_text(value).strip()
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise ValueError(f"must be a whole number that is not negative, not {kind_of(value)}")
    return int(text)


def read_duration(value: object) -> float:
    """Seconds."""
    return parse_duration(read_text(value))


def read_size(value: object) -> int:
    """Bytes."""
    return parse_size(read_text(value))


def above_zero(read: Read) -> Read:
    """The same reader, but rejecting 0."""

    def read_above_zero(value: object) -> Any:
        number = read(value)
        if not number:
            raise ValueError("must be more than 0")
        return number

    return read_above_zero


def read_truth(value: object) -> bool:
    """A boolean, in the words of YAML and of shells."""
    word = read_text(value).strip().lower()
    if word in ("true", "yes", "on", "1"):
        return True
    if word in ("false", "no", "off", "0"):
        return False
    raise ValueError(f"must be true or false, not {kind_of(value)}")


def read_names(value: object) -> tuple[str, ...]:
    """A list of texts, or one text with commas, which is also what an environment variable can hold."""
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, list):
        raise ValueError(f"must be a name or a list of names, not {kind_of(value)}")
    return tuple(read_text(item).strip() for item in items)


def read_arguments(value: object) -> tuple[str, ...]:
    """A list of any texts."""
    if not isinstance(value, list):
        raise ValueError("must be a list of strings, such as [--effort, high]")
    return tuple(map(read_argument, value))


def read_lines(value: object) -> tuple[str, ...]:
    """One text, or a list of them."""
    return tuple(map(read_text, value if isinstance(value, list) else [value]))


def read_choice(*choices: str) -> Read:
    """One of these words."""

    def read(value: object) -> str:
        text = read_text(value).strip()
        if text not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}, not {kind_of(value)}")
        return text

    return read


def kind_of(value: object) -> str:
    """The kind of `value`, for messages."""
    if value is None or value == "":
        return "nothing"
    if isinstance(value, str):
        return f"`{clean(head_and_tail(value, 60))}`"
    return "a list" if isinstance(value, list) else "a mapping"


class Reader:
    """Reads a document into settings, collecting every mistake (`problems`) and the place of each setting (`origins`).

    `guide` names the document that explains the file: the hint if there is no better one.
    """

    def __init__(self, document: Document, guide: str) -> None:
        self.document = document
        self._guide = guide
        self.problems: list[Problem] = []
        self.origins: dict[str, str] = {}

    def fail(self, keys: Keys, message: str, hint: str = "") -> None:
        """Record a mistake in the value at `keys`; the message names it as in `limits.cpu: ...`."""
        name = _dotted(keys)
        hint = hint or f"see {self._guide}"
        self.problems.append(self.document.problem(keys, f"{name}: {message}" if name else message, hint))

    def value(self, keys: Keys, value: object, read: Read) -> Any:
        """The setting read from `value`, or None after recording a mistake."""
        try:
            setting = read(value)
        except (ValueError, UsageError) as error:
            message, _, hint = str(error).partition(": write ")
            self.fail(keys, message, getattr(error, "hint", "") or (f"write {hint}" if hint else ""))
            return None
        self.found(keys)
        return setting

    def found(self, keys: Keys) -> None:
        """Record the place of a setting."""
        self.origins[_dotted(keys)] = self.document.problem(keys, "").place

    def mapping(self, keys: Keys, data: object, fields: Mapping[str, Field]) -> dict[str, Any]:
        """The settings of a mapping with known keys; a key without a value counts as absent."""
        values: dict[str, Any] = {}
        for key, item in self._items(keys, data):
            if key not in fields:
                self.fail((*keys, key), "unknown setting", did_you_mean(key, fields))
            elif item is not None:
                value = fields[key](self, (*keys, key), item)
                if value is not None:
                    values[key] = value
        return values

    def named(self, keys: Keys, data: object, field: Field) -> dict[str, Any]:
        """The settings of a mapping whose keys are names the user chose."""
        found = {key: field(self, (*keys, key), item) for key, item in self._items(keys, data)}
        return {key: value for key, value in found.items() if value is not None}

    def _items(self, keys: Keys, data: object) -> Iterable[tuple[str, object]]:
        if data is None:
            return ()
        if not isinstance(data, dict):
            self.fail(keys, f"must be a mapping (lines of `name: value`), not {kind_of(data)}")
            return ()
        return data.items()


# Reads the value at a key: given the reader, the keys that lead there and the data.
Field = Callable[[Reader, Keys, object], Any]


class Single(msgspec.Struct, frozen=True):
    """A field that holds one value."""

    read: Read

    def __call__(self, reader: Reader, keys: Keys, data: object) -> Any:
        """The value, or None after recording a mistake."""
        return reader.value(keys, data, self.read)


def plain(read: Read) -> Single:
    """One value."""
    return Single(read)


def map_of(field: Field) -> Field:
    """A mapping from names to values of one kind."""
    return lambda reader, keys, data: reader.named(keys, data, field)


def read_variables(reader: Reader, keys: Keys, data: object) -> Any:
    """A mapping from names of environment variables to texts."""
    for name in data if isinstance(data, dict) else ():
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            reader.fail((*keys, name), "not a name for an environment variable", "use letters, digits and `_`")
    return reader.named(keys, data, plain(read_argument))


def list_of(field: Field) -> Field:
    """A list of values of one kind, as a tuple of the valid ones."""

    def read(reader: Reader, keys: Keys, data: object) -> Any:
        if not isinstance(data, list):
            reader.fail(keys, f"must be a list (lines of `- value`), not {kind_of(data)}")
            return None
        found = [field(reader, (*keys, i), item) for i, item in enumerate(data)]
        return tuple(value for value in found if value is not None)

    return read


def one_of(kind: str, known: Collection[str]) -> Field:
    """A name that must be among `known`; `kind` is the kind of name, for the message."""

    def read(reader: Reader, keys: Keys, data: object) -> Any:
        name = reader.value(keys, data, read_text)
        if name is not None and name not in known:
            reader.fail(keys, f"unknown {kind} {kind_of(name)}", did_you_mean(name, known))
            return None
        return name

    return read


def struct(make: Callable[..., Any], fields: Mapping[str, Field], *required: str) -> Field:
    """A mapping with known keys, turned into a value by `make`; None after recording a mistake."""

    def read(reader: Reader, keys: Keys, data: object) -> Any:
        before = len(reader.problems)
        values = reader.mapping(keys, data, fields)
        if len(reader.problems) > before:
            return None
        for name in required:
            if name not in values:
                reader.fail(keys, f"`{name}` is missing")
                return None
        reader.found(keys)
        return make(**values)

    return read


# How to read values of plain types; others are `Annotated` with their field.
_BY_TYPE: dict[Any, Read] = {
    str: read_text, int: read_count, float: read_number, bool: read_truth, tuple[str, ...]: read_names,
}  # fmt: skip


@cache
def field_of(kind: Any) -> Field:
    """How to read a value of this type: a struct, a mapping, one `Annotated` with a field, or a plain one."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        field: Field = inner[1]
        return field
    if origin in (Union, UnionType):  # with None, which stands for a missing setting
        return field_of(inner[0])
    if origin is Mapping:
        return map_of(field_of(inner[1]))
    if kind in _BY_TYPE:
        return plain(_BY_TYPE[kind])
    if issubclass(kind, StrEnum):
        return plain(lambda value: kind(read_choice(*kind)(value)))
    return _struct_of(kind)


def _struct_of(kind: type[msgspec.Struct]) -> Field:
    """How to read a struct; its fields are resolved with the first one that is read, because most are not given."""

    @cache
    def resolved() -> Field:
        return struct(kind, fields_of(kind), *(field.name for field in msgspec.structs.fields(kind) if field.required))

    return lambda reader, keys, data: resolved()(reader, keys, data)


def fields_of(kind: type[msgspec.Struct]) -> dict[str, Field]:
    """How to read each field of a struct, by its type."""
    return {name: field_of(hint) for name, hint in get_type_hints(kind, include_extras=True).items()}


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint: the known word nearest to `word`, or all of them."""
    import difflib  # 3 ms, and only needed for a mistake

    names = list(known)
    close = difflib.get_close_matches(word[:100], names, 1)
    if close:
        return f"did you mean `{clean(close[0])}`?"
    return f"known: {clean(', '.join(names[:20]))}" if names else ""


def _dotted(keys: Keys) -> str:
    """`limits.cpu`; list indexes are omitted because the line number shows them."""
    return clean(head_and_tail(".".join(key for key in keys if isinstance(key, str)), 200))
