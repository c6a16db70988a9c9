"""Mutation runs try what people forget, and the table of guards names modules and tests that exist."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest
from sampling import some

sys.path.append(str(Path(__file__).parents[1] / "bench"))
from mutants import GUARDS, ROOT, chosen
from mutations import mutants_of

CHANGES: dict[str, list[str]] = {
    "save(x)": ["pass"],
    "self.over = x": ["pass"],
    "over = x": [],
    "n += x": ["pass"],
    "def f():\n    return x": ["def f():\n    return None"],
    "def f():\n    return None": [],
    "with lock():\n    x = y": ["if True:\n    x = y"],
    "with open(x) as file:\n    y = file": [],
    "for x in y:\n    z = x": ["for x in ():\n    z = x"],
    "a == b": ["(a != b)", "pass"],
    "a < b": ["(a <= b)", "pass"],
    "x = a and b": ["x = (a or b)", "x = (b)", "x = (a)"],
    "x = not a": ["x = (a)"],
    "x = a if b else c": ["x = (a)", "x = (c)"],
    "x = a - b": ["x = (a + b)"],
    "x = max(a, b)": ["x = (min(a, b))"],
    "x = True": ["x = (False)"],
    "x = 0": ["x = (1)"],
    "x = 4096": [],
    "x = 'pid'": ["x = ('pid_')"],
    "x = 'no space left'": [],
    "x = f'{a and b}'": [],
    "x: int | None = y": [],
    '"""What it is."""': [],
    "from a import b": [],
    "class A(Base, frozen=True):\n    x = y": [],
    "@decorated(True)\ndef f(a: int | str) -> bool | None:\n    x = y": [],
}


@pytest.mark.parametrize("source", CHANGES)
def test_each_kind_of_change(source: str) -> None:
    """Steps are left out and conditions turned; types, texts for people, larger numbers and imports stay."""
    assert sorted(mutant.source.decode() for mutant in mutants_of(source.encode())) == sorted(CHANGES[source])


@pytest.mark.parametrize("module", some(GUARDS, *list(GUARDS)[::4]))
def test_every_change_is_another_program(module: str) -> None:
    """Each change to a guarding module can be compiled, and differs from the module as a program."""
    source = (ROOT / "nova_core" / module).read_bytes()
    whole = ast.dump(ast.parse(source))
    found = mutants_of(source)
    assert len(found) > 3
    assert all(ast.dump(ast.parse(mutant.source)) != whole for mutant in found[:: max(1, len(found) // 12)])


def test_the_table_of_guards_is_true() -> None:
    """Its tests exist."""
    assert {
        name for names in GUARDS.values() for name in names.split() if not (ROOT / "tests" / name).exists()
    } == set()


def test_a_sample_is_the_same_every_time() -> None:
    """It depends on the module and the seed only."""
    assert chosen("dag.py", 5, 1) == chosen("dag.py", 5, 1)
    assert chosen("dag.py", 5, 1) != chosen("dag.py", 5, 2)
    assert len(chosen("dag.py", 5, 1)) == 5
