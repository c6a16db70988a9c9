"""`nova report`: how a worker reports its progress to the engine. It must start as fast as the interpreter itself.

Hence it imports only `os`, `sys`, `time` and the C half of `json`, and reads the options by hand. Measured with `-X
importtime`, best of 40: this module 4.4 ms, all of `json` (with `re` and `enum`) 8.9 ms more.
"""

from __future__ import annotations

import os
import sys
import time
from _json import encode_basestring_ascii as quoted

MAX_TEXT = 4_000
MAX_NUMBER = 10**15
MAX_FILES = 1_000

HELP = """\
usage: nova report [OPTIONS]

Report the task's progress to Nova. For workers: the environment says which task it is.

options:
  --step TEXT                 the current step
  --percent N                 how much of the task is done, 0 to 100
  --criterion N               the N-th criterion of the task is met, counting from 1
  --input-tokens N            tokens used so far; no token counts twice
  --output-tokens N
  --cache-read-tokens N
  --cache-creation-tokens N
  --file PATH                 a file that was changed; may be repeated
  --message TEXT              a line for the log of events
  --note TEXT                 a note for the tasks that depend on this one; the last one counts
  --action TEXT               something that was done, for the history
  --output PATH               an output that is written
  --ask TEXT                  a question for a person
  -h, --help                  show this and exit

example:
  nova report --step "writing tests" --percent 60
"""

TEXT, NUMBER, PERCENT, TOKENS, FILE = range(5)
OPTIONS = {
    "--step": ("step", TEXT),
    "--message": ("message", TEXT),
    "--note": ("note", TEXT),
    "--action": ("action", TEXT),
    "--output": ("output", TEXT),
    "--ask": ("question", TEXT),
    "--percent": ("percent", PERCENT),
    "--criterion": ("criterion", NUMBER),
    "--input-tokens": ("input_tokens", TOKENS),
    "--output-tokens": ("output_tokens", TOKENS),
    "--cache-read-tokens": ("cache_read_tokens", TOKENS),
    "--cache-creation-tokens": ("cache_creation_tokens", TOKENS),
    "--file": ("files", FILE),
}
ENVIRONMENT = ("NOVA_INBOX", "NOVA_TASK_ID", "NOVA_ATTEMPT", "NOVA_TOKEN", "NOVA_RUN_ID")


class ReportError(Exception):
    """The report cannot be made or sent; `code` is the exit code, `hint` says what to do."""

    def __init__(self, message: str, hint: str = "", code: int = 2) -> None:
        super().__init__(message)
        self.hint = hint
        self.code = code


def read_options(arguments: list[str], options: dict[str, tuple[str, int]]) -> tuple[dict[str, object], list[str]]:
    """Return the report's fields and the words that are not options. Raises `ReportError` for a mistake."""
    fields: dict[str, object] = {}
    tokens: dict[str, object] = {}
    files: list[str] = []
    words: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        if not argument.startswith("-"):
            words.append(argument)
            continue
        name, equals, text = argument.partition("=")
        if name not in options:
            raise ReportError(f"unknown option {printable(name)}", "list the options with `--help`")
        key, kind = options[name]
        value = text if equals else next(rest, None)
        if value is None:
            raise ReportError(f"{name} needs a value")
        if kind == FILE:
            files.append(as_text(value))
        elif kind == TEXT:
            fields[key] = as_text(value)
        else:
            (tokens if kind == TOKENS else fields)[key] = as_number(name, value, kind)
    if tokens:
        fields["tokens"] = tokens
    if files:
        fields["files"] = files[:MAX_FILES]
    return fields, words


def as_text(value: str) -> str:
    """`value` cut to `MAX_TEXT` characters and made valid Unicode: arguments may hold any bytes."""
    return value[:MAX_TEXT].encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def as_number(name: str, value: str, kind: int) -> int:
    """The whole number in `value`, within the bounds of its kind."""
    most = 100 if kind == PERCENT else MAX_NUMBER
    least = 1 if kind == NUMBER else 0
    digits = value.rstrip("%") if kind == PERCENT else value
    number = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 17 else -1
    if not least <= number <= most:
        limits = f" from {least} to {most}" if kind == PERCENT else f" from {least} up"
        raise ReportError(f"{name}: {printable(value)} is not a whole number{limits}")
    return number


def printable(text: str) -> str:
    """`text` cut short, without characters that a terminal would act on."""
    return "".join(c if c.isprintable() else "\ufffd" for c in as_text(text[:80]))


def to_json(value: object) -> str:
    """JSON of the few types a report is made of."""
    if isinstance(value, str):
        return str(quoted(value))
    if isinstance(value, dict):
        return "{" + ",".join(f"{quoted(key)}:{to_json(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(to_json, value)) + "]"
    return str(value)


def deliver(inbox: str, message: dict[str, object]) -> None:
    """Put `message` into the maildir at `inbox`: write and sync beside it, then rename. Raises `ReportError`."""
    name = f"{time.time_ns()}.{os.getpid()}.{os.urandom(6).hex()}"
    draft = os.path.join(inbox, "tmp", name)
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            data = to_json(message).encode()
            while data:
                data = data[os.write(descriptor, data) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.rename(draft, os.path.join(inbox, "new", name))
    except OSError as error:
        raise ReportError(f"cannot write to {printable(inbox)}: {error.strerror}", code=8) from None


def from_worker(fields: dict[str, object]) -> dict[str, object]:
    """The whole message: `fields`, and the task and attempt from the environment that Nova set for the worker."""
    environ = os.environ
    missing = [name for name in ENVIRONMENT if not environ.get(name)]
    if missing:
        raise ReportError(
            f"not inside a task that Nova started ({missing[0]} is not set)",
            "use python -m nova_core.update_task TASK_ID --step TEXT by hand",
        )
    if not environ["NOVA_ATTEMPT"].isdecimal():
        raise ReportError("NOVA_ATTEMPT is not a number")
    criterion, number = fields.get("criterion"), environ.get("NOVA_CRITERIA", "")
    if isinstance(criterion, int) and number.isdecimal() and criterion > int(number):
        hint = f"it has {number}, counted from 1" if int(number) else "it has none; report with --step or --message"
        raise ReportError(f"the task has no criterion {criterion}", hint)
    return {
        "kind": "report",
        "run": environ["NOVA_RUN_ID"],
        "task": environ["NOVA_TASK_ID"],
        "attempt": int(environ["NOVA_ATTEMPT"]),
        "token": environ["NOVA_TOKEN"],
        **fields,
    }


def send(arguments: list[str]) -> None:
    """Read the options and write the report. Raises `ReportError`."""
    fields, words = read_options(arguments, OPTIONS)
    if words:
        raise ReportError(f"unexpected argument {printable(words[0])}", "write texts as --step TEXT or --message TEXT")
    if not fields:
        raise ReportError("nothing to report", 'try nova report --step "writing tests" --percent 60')
    deliver(os.environ.get("NOVA_INBOX", ""), from_worker(fields))


def complain(error: ReportError) -> int:
    """Show the error in one line, and the hint; return the exit code."""
    hint = f"\nhint: {error.hint}" if error.hint else ""
    sys.stderr.write(f"nova report: {error}{hint}\n")
    return error.code


def main(arguments: list[str]) -> int:
    """Run `nova report` with these arguments; return 0, 2 (usage) or 8 (the inbox cannot be written)."""
    if "-h" in arguments or "--help" in arguments:
        sys.stdout.write(HELP)
        return 0
    try:
        send(arguments)
    except ReportError as error:
        return complain(error)
    return 0
