"""A question that waits for a person is distinguished from other output."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nova_core.engine.attempts.question import question_of, unanswered

ASKS = [
    ("Overwrite? [y/N] ", "Overwrite? [y/N]"),
    ("done\nName: ", "Name:"),
    ("Enter your name: ", "Enter your name:"),
    ("Password: ", "Password:"),
    ("Username for 'https://example.org': ", "Username for 'https://example.org':"),
    ("Continue (yes/no)? ", "Continue (yes/no)?"),
    ("Do you want to continue? [Y/n] ", "Do you want to continue? [Y/n]"),
    ("Are you sure (yes/no/[fingerprint])? ", "Are you sure (yes/no/[fingerprint])?"),
    ("Press any key to continue . . . ", "Press any key to continue . . ."),
    ("? Ok to proceed? (y) ", "? Ok to proceed? (y)"),
    ("package name: (foo) ", "package name: (foo)"),
    ("What now> ", "What now>"),
    ("working 10%\rworking 20%\rReally? ", "Really?"),
    ("\x1b[1mDelete?\x1b[0m ", "Delete?"),
]
ASKS_NOT = [
    "", "\n", "Overwrite? [y/N]\n", "Downloading 45%", "Compiling foo", "Running tests:", "Step 3: ", "(1/3)", "[1/3]",
    "testing (3 of 4)", "50/100 [====>   ]", "user@host:~$ ", "?" * 500, "x" * 500 + "?",
]  # fmt: skip


@pytest.mark.parametrize(("tail", "question"), ASKS)
def test_an_unfinished_question_is_found(tail: str, question: str) -> None:
    """It is the last line, without the escape sequences around it, and without what it has overwritten."""
    assert question_of(tail) == question
    assert unanswered(tail) == question


@pytest.mark.parametrize("tail", ASKS_NOT)
def test_other_output_is_no_question(tail: str) -> None:
    """Progress, headings, prompts of a shell, and lines that are whole."""
    assert question_of(tail) == ""


@pytest.mark.parametrize(
    ("tail", "question"),
    [
        ("Sure? [y/N] Traceback (most recent call last):\n  File\nEOFError: EOF when reading a line\n", "Sure? [y/N]"),
        ("Sure? [y/N]: Aborted!\n", "Sure? [y/N]:"),
        ("Do you want to continue? [Y/n] Abort.\n", "Do you want to continue? [Y/n]"),
        ("Sure? Traceback (most recent call last):\nValueError: x\n", ""),
        ("Sure?\nTraceback (most recent call last):\nEOFError\n", ""),
        ("all is well\n", ""),
    ],
)
def test_a_question_that_got_no_answer_is_found_before_what_the_program_said_about_it(tail: str, question: str) -> None:
    """Programs print an error right behind the question when their input is at its end."""
    assert unanswered(tail) == question


@given(st.text())
def test_any_output_is_read(tail: str) -> None:
    """What is found is one short line without anything that a terminal acts on."""
    for found in (question_of(tail), unanswered(tail)):
        assert "\n" not in found
        assert "\x1b" not in found
        assert len(found) <= 200
