"""Texts that try to be commands, escapes or markup, and a run that has them everywhere."""

from __future__ import annotations

import sys
from pathlib import Path

from cli_process import nova

# Each tries something else on a terminal; the visible text that must remain follows it.
ESCAPES = {
    "clipboard": ("a\x1b]52;c;cm0gLXJmIH4K\x07b", "ab"),
    "title": ("a\x1b]0;owned\x07b", "ab"),
    "clear": ("a\x1b[2J\x1b[Hb", "ab"),
    "C1": ("a\x9b2Jb", "ab"),
    "DCS": ("a\x1bP+q544e\x1b\\b", "ab"),
    "link": ("a\x1b]8;;file:///etc/passwd\x1b\\click\x1b]8;;\x1b\\b", "aclickb"),
    "overwrite": ("FAILED\rok", "FAILED\ufffdok"),
    "backspace": ("bad\x08\x08\x08ok", "bad\ufffd\ufffd\ufffdok"),
    "bidi": ("a\u202egnp.exe", "a\ufffdgnp.exe"),
    "zero width": ("a\u200bb", "ab"),
    "screen": ("a\x1b[?1049hb", "ab"),
    "NUL": ("a\0b", "a\ufffdb"),
    "DEL": ("a\x7fb", "a\ufffdb"),
    "colour": ("a\x1b[31;5mb", "ab"),
    "tags": ("a\U000e0041b", "a\ufffdb"),
}
MARKUP = [
    "x [/nope]",
    "[@click=app.quit]x[/]",
    "[red]x",
    "[link=file:///etc/passwd]x[/link]",
    ":smiley: [bold]x[/bold]",
]
SHELL = ["$(touch pwned)", "; touch pwned", "`touch pwned`", "| touch pwned", "&& touch pwned", "' ; touch pwned '"]
RUNNER = ["::error::pwned", "::set-output name=a::b", "##[error]pwned", "%0A::error::pwned"]
PLAIN = [*MARKUP, *SHELL, *RUNNER]
HEAD = (
    "| Task ID | Task Name | What Changes | Depends On | Command | Approval |\n| --- | --- | --- | --- | --- | --- |\n"
)
ALL = "".join(payload for payload, _ in ESCAPES.values())


def in_a_cell(text: str) -> str:
    """Text that fits in one cell of a table."""
    return text.replace("|", "\\|").replace("\r", "").replace("\0", "")


def yaml_text(text: str) -> str:
    """The text in double quotes, with everything but plain characters escaped."""
    return '"' + "".join(c if c.isalnum() else f"\\U{ord(c):08x}" for c in text) + '"'


def names() -> dict[str, tuple[str, str]]:
    """Ids of tasks; the text of each name cell, and the part that must be visible."""
    texts = [(in_a_cell(p), seen) for n, (p, seen) in ESCAPES.items() if n not in ("overwrite", "NUL")]
    # Backticks around a whole name are Markdown's, not the name's.
    texts += [(in_a_cell(f"n {text}"), f"n {text}") for text in PLAIN]
    return {f"F{number}": pair for number, pair in enumerate(texts)}


NAMES = names()
HOSTILE = f"p {ALL} {' '.join(MARKUP)} $(touch pwned) `touch pwned`".replace("\r", "").replace("\0", "")


def run_hostile(folder: Path) -> Path:
    """A run of tasks with hostile names; F0 prints all texts and fails, F1 reports them, F2 needs approval."""
    root = folder / "p\x1b[2J\u202e$(touch pwned) [red]"
    root.mkdir()
    report = f'{sys.executable} -m nova_core report --step "$(cat printed)" --message "$(cat printed)"'
    commands = {"F0": "cat printed; exit 3", "F1": report, "F2": "true"}
    rows = "".join(
        f"| {i} | {name} | does {name} | {'F0' if i == 'F4' else '-'} | `{commands.get(i, 'true')}` "
        f"| {'after' if i == 'F2' else ''} |\n"
        for i, (name, _) in NAMES.items()
    )
    (root / "CASCADE.md").write_text(f"# {HOSTILE}\n\n## L1: b {HOSTILE}\n\n### L2: g {HOSTILE}\n\n{HEAD}{rows}")
    (root / "printed").write_text("\n".join([ALL.replace("\0", ""), *PLAIN]))
    message, key = yaml_text(HOSTILE), yaml_text("a" + ALL[:60])  # a key has at most 1,024 characters
    (root / "milestones.yaml").write_text(
        f"milestones:\n  - id: {message}\n    name: {message}\n    message: {message}\n"
        "    trigger: {type: any_task_failed}\n"
    )
    (root / "nova.yaml").write_text(
        f"agents:\n  {key}:\n    command: [{message}]\n    model: {message}\nenv:\n  set: {{TEXT: {message}}}\n"
        f"limits:\n  groups: {{{key}: 2}}\n"
    )
    done = nova("run", "--json", "--junit", "junit.xml", cwd=root)
    (root / "events.jsonl").write_text(done.stdout)
    assert done.returncode == 1, done.stderr
    return root
