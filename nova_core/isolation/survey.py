"""Looks at a project's repository before a run, and chooses where the run keeps its work; changes nothing."""

from __future__ import annotations

from pathlib import Path

from nova_core.isolation.values import Place, Survey


def survey(root: str | Path) -> Survey:
    """What the repository of the project's folder is like, and why tasks cannot be isolated there, if so.

    Starts git up to four times, none outside of a repository.
    """
    raise NotImplementedError


def choose_place(found: Survey, run: str, trees: str | None = None) -> Place:
    """Where the run with this short name (8 hexadecimal digits) keeps its work: `../<name>.nova/<run>` for the trees.

    `trees` is the folder of the settings. Raises EnvironmentProblem if trees can be written nowhere.
    """
    raise NotImplementedError
