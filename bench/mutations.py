"""Small wrong changes to a module, one at a time: what a mutation run tries.

The tools at hand (cosmic-ray, mutmut) change operators and constants, but leave out no statement, no context manager
and no operand of a condition; forgotten steps are most of what the tests of Nova once missed. mutmut also rewrites
every function so that it imports mutmut, which holders, being isolated, cannot do.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple

OPPOSITES: dict[type[ast.AST], type[ast.AST]] = {
    ast.Eq: ast.NotEq, ast.Lt: ast.LtE, ast.Gt: ast.GtE, ast.Is: ast.IsNot, ast.In: ast.NotIn,
    ast.Add: ast.Sub, ast.Mult: ast.Div, ast.And: ast.Or, ast.BitOr: ast.BitAnd,
}  # fmt: skip
OPPOSITES |= {b: a for a, b in OPPOSITES.items()}
CALLS = {"max": "min", "min": "max", "any": "all", "all": "any"}


class Mutant(NamedTuple):
    """A wrong change: its line, the code before and after (shortened), and the whole new source."""

    line: int
    before: str
    after: str
    source: bytes


def mutants_of(source: bytes) -> list[Mutant]:
    """Every change, in the order of the lines."""
    lines = source.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    found = []
    for node, text in sorted(changes(ast.parse(source)), key=lambda pair: pair[0].lineno):
        first = starts[node.lineno - 1] + node.col_offset
        last = starts[(node.end_lineno or node.lineno) - 1] + (node.end_col_offset or 0)
        before = source[first:last].decode()
        if isinstance(node, ast.expr):
            text = f"({text})"
        changed = source[:first] + text.encode() + source[last:]
        if text.strip("()") != before.strip("()"):
            found.append(Mutant(node.lineno, short(before), short(text), changed))
    return found


def short(text: str) -> str:
    """One line of at most 70 characters."""
    text = " ".join(text.split())
    return text if len(text) <= 70 else f"{text[:67]}..."


def changes(tree: ast.AST) -> Iterator[tuple[ast.stmt | ast.expr, str]]:
    """Each node to replace, and its new text. Types, decorators, docstrings, f-strings and imports stay as they are."""
    for node in children(tree):
        if isinstance(node, ast.stmt):
            yield from ((node, text) for text in statements(node))
        elif isinstance(node, ast.expr):
            yield from ((node, ast.unparse(new)) for new in expressions(node))
        yield from changes(node)


def children(node: ast.AST) -> Iterator[ast.AST]:
    """The parts of a node in which a change matters."""
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "decorator_list") or (isinstance(node, ast.ClassDef) and field != "body"):
            continue
        for part in value if isinstance(value, list) else [value]:
            if not isinstance(part, ast.AST) or isinstance(part, ast.JoinedStr | ast.Import | ast.ImportFrom):
                continue
            if isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant):
                continue  # a docstring
            if isinstance(part, ast.If) and "TYPE_CHECKING" in ast.unparse(part.test):
                continue
            yield part


def statements(node: ast.stmt) -> Iterator[str]:
    """A statement is left out; a value is not returned; a context is not entered."""
    if isinstance(node, ast.Expr | ast.AugAssign | ast.Raise | ast.Continue | ast.Break | ast.Delete):
        yield "pass"
    elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Attribute | ast.Subscript):
        yield "pass"  # to leave out that of a name would only be a NameError
    elif isinstance(node, ast.Return) and node.value and not is_none(node.value):
        yield "return None"
    elif isinstance(node, ast.With) and len(node.items) == 1 and node.items[0].optional_vars is None:
        yield indented("if True:", node.body, node.col_offset)
    elif isinstance(node, ast.For) and node.body:
        yield indented(f"for {ast.unparse(node.target)} in ():", node.body, node.col_offset)


def indented(head: str, body: list[ast.stmt], column: int) -> str:
    """A block with another head."""
    inner = "\n".join(ast.unparse(statement) for statement in body)
    return head + "".join(f"\n{' ' * (column + 4)}{line}" for line in inner.splitlines())


def is_none(node: ast.expr) -> bool:
    """Whether it is the constant None."""
    return isinstance(node, ast.Constant) and node.value is None


def expressions(node: ast.expr) -> Iterator[ast.expr]:
    """What an expression is replaced by."""
    match node:
        case ast.Compare(ops=[op]) if type(op) in OPPOSITES:
            yield ast.Compare(node.left, [OPPOSITES[type(op)]()], node.comparators)  # type: ignore[list-item]
        case ast.BoolOp():
            yield ast.BoolOp(OPPOSITES[type(node.op)](), node.values)  # type: ignore[arg-type]
            for left_out in node.values:
                kept = [value for value in node.values if value is not left_out]
                yield ast.BoolOp(node.op, kept) if len(kept) > 1 else kept[0]
        case ast.BinOp() if type(node.op) in OPPOSITES:
            yield ast.BinOp(node.left, OPPOSITES[type(node.op)](), node.right)  # type: ignore[arg-type]
        case ast.UnaryOp(op=ast.Not()):
            yield node.operand
        case ast.IfExp():
            yield from (node.body, node.orelse)
        case ast.Call(func=ast.Name(id=name)) if name in CALLS:
            yield ast.Call(ast.Name(CALLS[name]), node.args, node.keywords)
        case ast.Constant():
            yield from constants(node.value)


def constants(value: object) -> Iterator[ast.expr]:
    """Larger numbers tune more than they decide, and texts that are no names are only read: they stay."""
    if isinstance(value, bool):
        yield ast.Constant(not value)
    elif isinstance(value, int | float) and value <= 2:
        yield ast.Constant(value + 1)
    elif isinstance(value, str) and value.isidentifier():
        yield ast.Constant(f"{value}_")
