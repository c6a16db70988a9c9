"""When a command line needs a shell, and where logs may be written."""

from __future__ import annotations

import shlex
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nova_core.holder.spawn import SHELL_WORDS, simple_argv

DIRECT = ["/bin/true", "make -j4 all", "pytest tests/test_a.py", "a  b   c", " a b ", "cc -o a.out", "env A=b"]
SHELL = [
    "", "   ", "A=b cmd", "echo hi", "cd x", "a | b", "a && b", "a;b", "a 'b'", 'a "b"', "a $b", "a *", "a ?", "a [b]",
    "~/x", "a ~b", "a > b", "a < b", "a & b", "a\nb", "a\tb", "a `b`", "a \\b", "a #b", "(a)", "{ a; }", "! a", "a ^b",
    "exit 3", "-x", "time a", ". a", ": a", "exec a", "é", "test -e a", "printf x", "kill 1", "pwd", "if a",
]  # fmt: skip


@pytest.mark.parametrize("line", DIRECT)
def test_a_plain_command_needs_no_shell(line: str) -> None:
    """Only plain characters, and a program as the first word."""
    assert simple_argv(line) == line.split()


@pytest.mark.parametrize("line", SHELL)
def test_everything_else_goes_to_the_shell(line: str) -> None:
    """Builtins, assignments, quotes, and whatever else a shell gives a meaning."""
    assert simple_argv(line) is None


@given(st.text(string.printable + "é", max_size=30))
def test_a_line_without_a_shell_means_what_it_means_in_one(line: str) -> None:
    """The words are those a shell would split it into, and the first is not a shell keyword."""
    argv = simple_argv(line)
    if argv is not None:
        assert argv == shlex.split(line)
        assert argv[0] not in SHELL_WORDS
