"""Reads acceptance criteria, and decides which of them are checked by running a command.

A criterion's first code span is its command when it
- is all of the criterion: `pytest -q`
- starts it and is said to succeed: `make lint` passes, `npm test` exits 0, `cargo build` is clean
- starts it and looks like a program with arguments: `grep -q done out.txt` finds the line
- follows `run`, `runs`, `execute`, `command`, `check:`, `verify:`, `test:` or `$`
- ends it after a colon and looks like a program with arguments: Types check: `npm run typecheck`
Any other code span (a file, an identifier, a signature) is prose and never run.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from nova_core.model import Criterion
from nova_core.parser.blocks import outside_fences
from nova_core.parser.cells import code_of, spans

_CUES = frozenset(
    ("run", "runs", "run:", "running", "execute", "executes", "command", "command:", "check:", "verify:", "test:", "$")
)
# Patterns stay strings until they are used: few plans need them, and compiling costs time at every start.
_SUCCESS = r"(?:pass(?:es)?|succeeds?|exits?|completes?|finishes|is (?:green|clean|ok)|returns (?:0|zero|success))\b"
_VARIABLES = r"(?:[A-Z_][A-Z0-9_]*=\S* )*"
_SOURCE_CODE = (
    r"(?:class|def|import|from|return|async|await|function|const|let|var|type|interface|struct|enum|public|private|"
    r"export|new|select|if|for|while|fn|func|impl|pub)\b"
)
_PROGRAM = rf"{_VARIABLES}(?!{_SOURCE_CODE})[a-z./][\w./+-]* +(?![=:<>(|{{]|is |in )\S"
_BOX = r"\s*[-*+] +\[[ xX~/-]\] +(?=\S)"
_BULLET = r"\s*(?:[-*+]|\d{1,9}[.)])[ \t]"


def read_criterion(text: str, line: int) -> Criterion:
    """The criterion in `text` on line `line`, with its command if it has one."""
    return Criterion(text, _command_in(text) if "`" in text else None, line)


def has_empty_code(text: str) -> bool:
    """Returns True if a pair of backticks in `text` is empty."""
    return any(
        (is_code and not code_of(piece).strip()) or (not is_code and piece.strip(" .,;:") == "``")
        for piece, is_code in spans(text)
    )


def checklist(lines: Sequence[str], first_line: int) -> list[Criterion]:
    """The `- [ ]` items among `lines` outside of code fences; `first_line` is the number of the first one."""
    found: list[tuple[int, list[str]]] = []
    for number, line in outside_fences(lines, first_line):
        box = re.match(_BOX, line)
        if box:
            found.append((number, [line[box.end() :].strip()]))
        elif found and found[-1][0] + len(found[-1][1]) == number and _continues(line):
            found[-1][1].append(line.strip())
    return [read_criterion(" ".join(parts), number) for number, parts in found]


def _continues(line: str) -> bool:
    return line[:1] in (" ", "\t") and bool(line.strip()) and not re.match(_BULLET, line)


def _command_in(text: str) -> str | None:
    before, span, after = "", "", ""
    for piece, is_code in spans(text):
        if span:
            after += piece
        elif is_code:
            span = piece
        else:
            before = piece
    command = code_of(span).strip() if span else ""
    return command if command and _is_command(before.strip(), command, after.strip()) else None


def _is_command(before: str, command: str, after: str) -> bool:
    if not before:
        return not after.strip(".") or bool(re.match(_SUCCESS, after)) or bool(re.match(_PROGRAM, command))
    if before.split()[-1].casefold() in _CUES:
        return True
    return before.endswith(":") and not after.strip(".") and bool(re.match(_PROGRAM, command))
