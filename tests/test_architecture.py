"""The table of ARCHITECTURE.md is true: imports point to earlier entries, heavy packages stay where they belong."""

from __future__ import annotations

import ast
import gc
import graphlib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT.joinpath("ARCHITECTURE.md").read_text(encoding="utf-8")
OUTSIDE = {"os", "time", "random", "socket", "subprocess", "threading", "tempfile", "shutil"}


def names_in(text: str) -> list[str]:
    """The dotted names in backticks."""
    return re.findall(r"`([\w.]+)`", text)


ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("|")]
ORDER = [name for row in ROWS if len(row) == 3 for name in names_in(row[2])]
HEAVY = {row[0].strip("`"): names_in(row[1]) for row in ROWS if len(row) == 2 and row[0].startswith("`")}
PURE = names_in(PAGE.partition("Pure, ")[2].partition("\n\n")[0].partition(": ")[2].partition(".\n")[0])
OLD_NAMES = names_in(PAGE.partition("Old names, ")[2].partition("\n")[0].partition(": ")[2])


@cache
def sources() -> dict[str, str]:
    """The text of every module of both packages by its name without `nova_core.`."""
    paths = [p for package in ("nova_core", "nova_tui") for p in ROOT.joinpath(package).rglob("*.py")]
    names = {p: ".".join(p.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for p in paths}
    return {name.removeprefix("nova_core."): p.read_text(encoding="utf-8") for p, name in names.items()}


@cache
def modules() -> dict[str, ast.Module]:
    """The modules as syntax trees. They are kept: to look for garbage among them would be two thirds of the time."""
    gc.disable()
    try:
        return {name: ast.parse(text) for name, text in sources().items()}
    finally:
        gc.freeze()
        gc.enable()


def statements(tree: ast.Module, *, head_only: bool) -> Iterator[ast.Import | ast.ImportFrom]:
    """The imports a module executes: not those below `if TYPE_CHECKING`; those in functions unless `head_only`.

    What stands below `if __name__ == "__main__"` is left out: it runs only when the module is the program, and a
    program stands above everything.
    """
    stack: list[ast.AST] = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.If) and re.search("TYPE_CHECKING|__main__", ast.unparse(node.test)):
            stack += node.orelse
        elif not (head_only and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)):
            stack += ast.iter_child_nodes(node)


@cache
def imported(module: str, *, head_only: bool) -> set[str]:
    """Full names of what a module imports; `from package import module` names the module."""
    found: set[str] = set()
    for node in statements(modules()[module], head_only=head_only):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            known = {name for name in inner if name.removeprefix("nova_core.") in modules()}
            found |= known or {node.module}
    return found


def own(names: set[str]) -> set[str]:
    """The imports of our own packages, without `nova_core.`."""
    return {name.removeprefix("nova_core.") for name in names if re.match(r"nova_(core|tui)\b", name)} - {"nova_core"}


def entry_of(module: str) -> str | None:
    """The longest entry of the table that names the module or a folder around it."""
    parts = module.split(".")
    names = (".".join(parts[:n]) for n in range(len(parts), 0, -1))
    return next((name for name in names if name in ORDER), None)


def rank_of(module: str) -> int:
    """The place of the module's entry in the table; -1 when there is none, which has a test of its own."""
    entry = entry_of(module)
    return ORDER.index(entry) if entry else -1


def within(module: str, places: list[str]) -> bool:
    """Returns True if the module is one of the places or inside one."""
    return any(module == place or module.startswith(f"{place}.") for place in places)


def test_every_module_has_an_entry_and_every_entry_a_module() -> None:
    """A new folder or root module must be entered in the table; an entry without a module is stale."""
    found = {name: entry_of(name) for name in modules() if name != "nova_core"}
    assert [name for name, entry in found.items() if entry is None] == []
    assert set(ORDER) - set(found.values()) == set()
    assert set(PURE) <= set(ORDER)


def test_imports_point_to_earlier_entries() -> None:
    """No module imports one of a later entry, not even inside a function; so folders have no cycles."""
    allowed = {"nova_tui.__main__": {"cli.app", "__main__"}}
    assert {m: later for m in modules() if (later := later_than(m) - allowed.get(m, set()))} == {}


def later_than(module: str) -> set[str]:
    """The modules it imports whose entry is a later one."""
    names = own(imported(module, head_only=False)) if module != "nova_core" else set()
    return {name for name in names if rank_of(name) > rank_of(module)}


def test_nothing_imports_an_old_name() -> None:
    """It exists for processes that an earlier version started."""
    assert set(OLD_NAMES) <= set(modules())
    assert {m for m in modules() if own(imported(m, head_only=False)) & set(OLD_NAMES)} == set()


def test_modules_do_not_import_each_other_in_cycles() -> None:
    """The imports at the heads of modules have an order."""
    graph = {name: own(imported(name, head_only=True)) - {name} for name in modules()}
    assert list(graphlib.TopologicalSorter(graph).static_order())


@pytest.mark.parametrize("package", sorted(HEAVY))
def test_heavy_packages_stand_at_the_head_of_few_modules(package: str) -> None:
    """Packages that are slow to import are imported where they are used."""
    heads = {m for m in modules() if within_any(imported(m, head_only=True), package)}
    assert {m for m in heads if not within(m, HEAVY[package])} == set()


def test_private_modules_of_python_have_their_figure_where_they_are_named() -> None:
    """They may change with any release: each is imported by one module, which says what it saves."""
    every = ((module, name) for module in modules() for name in imported(module, head_only=False))
    found = {(module, name) for module, name in every if re.match("_(?!_)", name)}
    assert found == {("digest", "_blake2"), ("digest", "_operator"), ("report", "_json"), ("files.lock", "_socket")}
    assert all(re.search(r"\d ms", sources()[module]) for module, _ in found)


def test_textual_is_for_the_terminal_interface_alone() -> None:
    """Not even a function outside of nova_tui imports it."""
    users = {m for m in modules() if within_any(imported(m, head_only=False), "textual")}
    assert {m for m in users if not within(m, ["nova_tui"])} == set()


def within_any(names: set[str], package: str) -> bool:
    """Returns True if one of the imported names belongs to the package."""
    return any(name.split(".")[0] == package for name in names)


def test_pure_logic_touches_nothing_outside() -> None:
    """It reads neither the clock nor files, processes or random numbers."""
    pure = {m: imported(m, head_only=False) for m in modules() if entry_of(m) in PURE}
    assert pure
    assert {m: names for m, full in pure.items() if (names := {name.split(".")[0] for name in full} & OUTSIDE)} == {}


MOST_LINES, MOST_OF_A_FUNCTION, MOST_ARGUMENTS = 350, 40, 6


def oversized(module: str) -> Iterator[str]:
    """What is too long in the module, and which of its classes take too many arguments."""
    if sources()[module].count("\n") > MOST_LINES:
        yield f"{module}: more than {MOST_LINES} lines"
    for node in ast.walk(modules()[module]):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if (node.end_lineno or node.lineno) - node.lineno >= MOST_OF_A_FUNCTION:
                yield f"{module}.{node.name}: more than {MOST_OF_A_FUNCTION} lines"
        elif isinstance(node, ast.ClassDef) and most_arguments(node) > MOST_ARGUMENTS:
            yield f"{module}.{node.name}: more than {MOST_ARGUMENTS} arguments"


def most_arguments(node: ast.ClassDef) -> int:
    """The number of arguments of its `__init__` besides `self`."""
    made = (found.args for found in node.body if isinstance(found, ast.FunctionDef) and found.name == "__init__")
    return max((len(args.args) + len(args.kwonlyargs) - 1 for args in made), default=0)


def test_files_functions_and_constructors_are_small() -> None:
    """Nothing exceeds the limits in CONTRIBUTING.md."""
    assert [found for module in sources() for found in oversized(module)] == []
