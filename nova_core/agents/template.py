"""Command lines with `{placeholders}`."""

from __future__ import annotations

import re
from collections.abc import Mapping

from nova_core.errors import UsageError
from nova_core.text import clean, head_and_tail

PLACEHOLDERS = ("id", "name", "description", "prompt", "prompt_file", "model")


def check_argument(argument: str) -> None:
    """Raise `UsageError` if the argument has a placeholder that does not exist."""
    _substitute(argument, dict.fromkeys(PLACEHOLDERS, ""))


def fill(argument: str, values: Mapping[str, str]) -> str:
    """One argument of a command line with every `{placeholder}` filled in from `values`; `{{` and `}}` are braces.

    Values are not searched for placeholders again, and no value becomes an option: an argument that begins with a
    placeholder gets a space before a leading `-`. Raises `UsageError` for a placeholder without a value.
    """
    # No argument can hold a NUL or a lone surrogate.
    safe = {key: text.replace("\0", "").encode("utf-8", "replace").decode() for key, text in values.items()}
    return _substitute(argument, safe)


def _substitute(argument: str, values: Mapping[str, str]) -> str:
    def replace(match: re.Match[str]) -> str:
        if match[0] in ("{{", "}}"):
            return match[0][0]
        if match[1] not in values:
            shown = clean(head_and_tail(match[0], 60))
            hint = "write {{ and }} for braces; choose from " + " ".join(f"{{{name}}}" for name in PLACEHOLDERS)
            raise UsageError(f"unknown placeholder `{shown}`", hint=hint)
        return values[match[1]]

    filled = re.sub(r"\{\{|\}\}|\{([^{}]*)\}|[{}]", replace, argument)
    is_value = argument.startswith("{") and not argument.startswith("{{")
    return f" {filled}" if is_value and filled.startswith("-") else filled
