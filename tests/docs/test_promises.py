"""Every promise of the README is held by tests that exist."""

from __future__ import annotations

import ast
import re

from pages import ROOT, rows, text_of

PROMISES = [
    " ".join(item.split())
    for item in text_of("README.md")
    .partition("## What Nova promises")[2]
    .partition("Nova does **not** promise")[0]
    .split("\n- ")[1:]
]
TABLE = [row for row in rows("docs/recovery.md") if len(row) == 3 and "::" in row[1]]
"""A promise, its tests, its campaign."""


def functions(file: str) -> set[str]:
    """The functions of a file below `tests/`."""
    tree = ast.parse(ROOT.joinpath("tests", file).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_each_promise_has_its_row() -> None:
    """A row is called by the first words of its promise; there is one for each, in the same order."""
    assert len(PROMISES) > 5
    assert len(TABLE) == len(PROMISES)
    assert [(row[0], said) for row, said in zip(TABLE, PROMISES, strict=True) if not said.startswith(row[0])] == []


def test_the_tests_of_the_promises_exist() -> None:
    """Every test that a row names is a function of that file, and every campaign is a target of the Makefile."""
    held = {cell for row in TABLE for cell in re.findall(r"`([^`]+)`", row[1])}
    assert {cell for cell in held if "::test_" not in cell} == set()
    assert {cell for cell in held if cell.partition("::")[2] not in functions(cell.partition("::")[0])} == set()
    targets = set(re.findall(r"^([\w-]+):", text_of("Makefile"), re.M))
    assert {cell for row in TABLE for cell in re.findall(r"`make ([^`]+)`", row[2])} <= targets
