"""What Textual computes of style sheets for each app, and again for each of its screens, is computed once.

Most of the start of an app under test is spent on it. The result is the same: rules depend on the sheet and its
variables alone, the styles of a widget's parts on the rules and on what selectors can see of it and its ancestors.
"""

from __future__ import annotations

from typing import Any

import pytest
from textual.css.model import RuleSet
from textual.css.stylesheet import Stylesheet
from textual.dom import DOMNode

_parsed: dict[tuple[tuple[str, str], ...], dict[Any, Any]] = {}
_styled: dict[tuple[Any, ...], dict[str, Any]] = {}
_numbers: dict[tuple[int, ...], int] = {}
_init, _set_variables, _style_parts = (
    Stylesheet.__init__, Stylesheet.set_variables, Stylesheet._process_component_classes,
)  # fmt: skip


def install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let all apps share what has been parsed, and find the styles of the parts of a widget once."""
    monkeypatch.setattr(Stylesheet, "__init__", _begin)
    monkeypatch.setattr(Stylesheet, "set_variables", _change)
    monkeypatch.setattr(Stylesheet, "_process_component_classes", _style_parts_once)


def _share(sheet: Stylesheet) -> None:
    shared: Any = _parsed.setdefault(tuple(sheet._variables.items()), {})
    sheet._parse_cache = shared


def _begin(sheet: Stylesheet, *, variables: dict[str, str] | None = None) -> None:
    _init(sheet, variables=variables)
    _share(sheet)


def _change(sheet: Stylesheet, variables: dict[str, str]) -> None:
    unused: Any = {}
    sheet._parse_cache = unused  # which is cleared
    _set_variables(sheet, variables)
    _share(sheet)


def _style_parts_once(sheet: Stylesheet, node: DOMNode) -> None:
    """As Textual does, but from what it found for the same rules and the same surroundings before."""
    parts = node._get_component_classes()
    if not parts:
        return
    seen = (
        type(node), _number(sheet.rules),
        *((n._css_type_name, n._id, n.classes, n.pseudo_classes) for n in node.css_path_nodes),
    )  # fmt: skip
    found = _styled.get(seen)
    if found is None:
        _style_parts(sheet, node)
        _styled[seen] = {name: styles.base.get_rules() for name, styles in node._component_styles.items()}
        return
    before = node._component_styles.copy()
    for name, rules in found.items():
        part = DOMNode(classes=name)
        part._attach(node)
        part.styles.base._rules.update(rules)
        node._component_styles[name] = part.styles
    if before != node._component_styles:
        node.refresh()


def _number(rules: list[RuleSet]) -> int:
    """The same for the same rules; those that were parsed live as long as the tests."""
    return _numbers.setdefault(tuple(map(id, rules)), len(_numbers))
