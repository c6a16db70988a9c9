"""Settings files: plain YAML is read with its lines, everything else is rejected in one line and in bounded time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nova_core.errors import InputError, InputNotFoundError
from nova_core.files.yaml_file import Document, load_yaml, parse_yaml

SAMPLE = """\
# comment
agent: claude
jobs: 08
empty:
agents:
  claude:
    command: [claude, -p, "{prompt}"]
    timeout: 1:30
list:
  - a: no
  - ~
"""


def test_values_stay_text() -> None:
    """Scalars are text as written, nothing is None; no number, date or truth value is guessed."""
    assert parse_yaml(SAMPLE, "nova.yaml").data == {
        "agent": "claude",
        "jobs": "08",
        "empty": None,
        "agents": {"claude": {"command": ["claude", "-p", "{prompt}"], "timeout": "1:30"}},
        "list": [{"a": "no"}, None],
    }
    assert parse_yaml('a: "null"\nb: ""', "x").data == {"a": "null", "b": ""}


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        (("agent",), 2), (("agents", "claude"), 6), (("agents", "claude", "timeout"), 8),
        (("agents", "claude", "command", 2), 7), (("list", 0, "a"), 10), (("list", 1), 11),
        (("agents", "claude", "missing"), 6), (("missing",), 2), ((), 2),
    ],
)  # fmt: skip
def test_line_of(keys: tuple[str | int, ...], line: int) -> None:
    """Every value has its line; a missing one reports its nearest parent's."""
    assert parse_yaml(SAMPLE, "nova.yaml").line_of(keys) == line


def test_first_line_moves_every_place() -> None:
    """YAML inside another file reports that file's lines."""
    assert parse_yaml("a: 1\nb: 2", "x", first_line=10).line_of(("b",)) == 11
    with pytest.raises(InputError, match=r"^x:11: `a` is used twice, first on line 10$"):
        parse_yaml("a: 1\na: 2", "x", first_line=10)


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "null"])
def test_an_empty_file_is_nothing(text: str) -> None:
    """A file without data is None, not an error."""
    assert parse_yaml(text, "x").data is None


REFUSED = {
    "alias": ("a: &x [1]\nb: *x", 1, "anchors and aliases"),
    "alias of nothing": ("a: *x", 1, "anchors and aliases"),
    "billion laughs": ("a: &a [x]\n" + "".join(f"b{i}: [*a,*a]\n" for i in range(9)), 1, "anchors"),
    "merge": ("a: 1\nb: {<<: 1}", 2, "merge keys"),
    "tag": ("- 1\n- !!python/object/apply:os.system [id]", 2, "tags"),
    "local tag": ("a: !x 1", 1, "tags"),
    "duplicate": ("a: 1\nb: 2\na: 3", 3, "`a` is used twice, first on line 1"),
    "depth": ("[" * 100_000, 1, "nested deeper than 20"),
    "depth in blocks": ("".join(" " * i + "a:\n" for i in range(500)), 21, "nested deeper than 20"),
    "nodes": ("\n".join(f"- {i}" for i in range(40_000)), 20_000, "more than 20,000 values"),
    "lines": ("\n" * 60_000, 50_001, "more than 50,000 lines"),
    "complex key": ("{a: 1}: 2", 1, "a key must be text"),
    "two documents": ("a: 1\n---\nb: 1", 2, "more than one YAML document"),
    "syntax": ("a: 1\nb: c: d", 2, "not valid YAML: "),
    "tabulator": ("a:\n\t- b", 2, "not valid YAML"),
    "unclosed": ("a: 1\nb: [1,", 2, "not valid YAML"),
    "NUL": ("a: 1\nb: \0", 2, r"character U\+0000"),
    "escape": ("a: \x1b[2J", 1, r"character U\+001B"),
    "impossible character": ('a: 1\nb: "\\UFFFFFFFF"', 2, "not valid YAML: an impossible"),
    "impossible version": ("%YAML " + "9" * 5000 + ".1\n---\na", 1, "not valid YAML"),
    "escape in a duplicate key": ('"\\x1b[2Ja": 1\n"\\x1b[2Ja": 2', 2, "`a` is used twice"),
}


@pytest.mark.parametrize(("text", "line", "message"), REFUSED.values(), ids=REFUSED)
def test_errors_name_the_line(text: str, line: int, message: str) -> None:
    """Everything dangerous or broken is rejected with its line, and the message is safe to print."""
    with pytest.raises(InputError, match=message) as caught:
        parse_yaml(text, "x")
    assert str(caught.value).startswith(f"x:{line}: ")
    assert str(caught.value).isprintable()


@given(st.text(st.sampled_from("ab:-[]{}#&*!|>'\"%@`?,<=\n\t \\xU9"), max_size=60) | st.text(max_size=40))
def test_any_text_is_accepted_or_rejected(text: str) -> None:
    """No text makes the reader fail with anything but an `InputError`."""
    try:
        document = parse_yaml(text, "x")
    except InputError as error:
        document = Document(error.problems[0].path, None, {})
    assert document.path == "x"
    assert document.data is None or isinstance(document.data, str | list | dict)


def test_missing_file(tmp_path: Path) -> None:
    """A missing file is an `InputNotFoundError`, which is a `FileNotFoundError`, too."""
    with pytest.raises(InputNotFoundError, match="there is no such file"):
        load_yaml(tmp_path / "nova.yaml")
    assert issubclass(InputNotFoundError, FileNotFoundError)


def test_unusable_files(tmp_path: Path) -> None:
    """A directory, a FIFO, binary data and a large file are rejected with a reason."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "binary").write_bytes(b"a: 1\nb: \xff\xfe\n")
    (tmp_path / "large").write_bytes(b"#" * 101)
    for name, message in [
        (".", "Is a directory"), ("fifo", "cannot be read"),
        ("binary", "binary:2: is not UTF-8"), ("large", "larger than 100 b"),
    ]:  # fmt: skip
        with pytest.raises(InputError, match=message):
            load_yaml(tmp_path / name, max_bytes=100)


def test_byte_order_mark_and_crlf(tmp_path: Path) -> None:
    """Files from other systems read the same."""
    (tmp_path / "x").write_bytes(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n")
    assert load_yaml(tmp_path / "x").data == {"a": "1", "b": "2"}


def test_the_largest_file_stays_within_200_mb(tmp_path: Path) -> None:
    """A file of the largest allowed size is read or rejected within a small address space."""
    (tmp_path / "x").write_text('"' + "\\u0041\n" * 49_000 + "a " * 300_000 + '"')
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_AS, (200_000_000,) * 2)\n"
        "from nova_core.files.yaml_file import load_yaml; print(len(load_yaml(sys.argv[1]).data) > 300_000)"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "x"], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"
