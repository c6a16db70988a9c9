"""Checks of `nova doctor` for isolation: the repository, the folder of trees, leftovers, submodules, environments."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from nova_core.cli.checks import NETWORK_FILESYSTEMS, Finding, Level, filesystem_of
from nova_core.errors import NovaError

if TYPE_CHECKING:
    from nova_core.config import Config
    from nova_core.isolation.values import Survey

_ENVIRONMENTS = (".venv", "venv", "env", ".env")
_MOST_BYTES = 100_000  # of a file that names folders


def findings(root: Path, config: Config) -> Iterator[Finding]:
    """All of them; with `isolation: off` only whether it would be possible."""
    from nova_core.git.repository import find_repository
    from nova_core.isolation.survey import survey

    if find_repository(root) is None:
        if config.isolation == "tree":
            yield Finding(Level.PROBLEM, "isolation", "`tree` is set, and the project is not in a git repository")
        return
    try:
        found = survey(root)
    except (NovaError, OSError) as error:
        yield Finding(Level.WARNING, "isolation", str(error))
        return
    if found.problem:
        level = {"tree": Level.PROBLEM, "auto": Level.WARNING}.get(config.isolation, Level.NOTE)
        yield Finding(level, "isolation", f"tasks cannot work in trees of their own: {found.problem}")
        return
    if config.isolation == "off":
        detail = "off: all tasks work in your folder; `isolation: auto` gives each a tree of its own"
        yield Finding(Level.NOTE, "isolation", detail)
    else:
        yield from _trees(found, config)
        yield from _submodules(found, config)
        yield from _environments(root, config)
    yield from _leftovers(found, config)


def _trees(found: Survey, config: Config) -> Iterator[Finding]:
    from nova_core.isolation.survey import choose_trees

    try:
        folder = choose_trees(found.top, config.git.trees)
    except NovaError as error:
        yield Finding(Level.PROBLEM, "trees", str(error))
        return
    parent = folder
    while not os.path.isdir(parent) and os.path.dirname(parent) != parent:
        parent = os.path.dirname(parent)
    kind = filesystem_of(os.path.realpath(parent))
    if not os.access(parent, os.W_OK | os.X_OK):
        yield Finding(Level.PROBLEM, "trees", f"{folder}: {parent} is not writable; set git.trees in nova.yaml")
    elif kind in NETWORK_FILESYSTEMS:
        yield Finding(Level.WARNING, "trees", f"{folder} is on {kind}: slow; set git.trees in nova.yaml")
    else:
        yield Finding(Level.OK, "trees", f"{folder}{f' ({kind})' if kind else ''}; isolation: {config.isolation}")


def _submodules(found: Survey, config: Config) -> Iterator[Finding]:
    if os.path.lexists(os.path.join(found.top, ".gitmodules")) and "submodule" not in (config.git.setup or ""):
        detail = "they are empty in a tree; fill them with `git: {setup: git submodule update --init}`"
        yield Finding(Level.WARNING, "submodules", detail)


def _environments(root: Path, config: Config) -> Iterator[Finding]:
    """An editable install makes a worker in a tree import the project's folder, silently."""
    active = os.environ.get("VIRTUAL_ENV", "")
    folders = dict.fromkeys([*(str(root / name) for name in _ENVIRONMENTS), *([active] if active else [])])
    for folder in folders:
        if os.path.isfile(os.path.join(folder, "pyvenv.cfg")) and (name := editable_in(Path(folder), root)):
            detail = f"{folder} imports {name} of your folder (an editable install), also for workers in trees"
            yield Finding(Level.WARNING, "environment", f"{detail}; make one in each tree with git.setup")


def editable_in(environment: Path, root: Path) -> str:
    """The file by which a virtual environment imports from below the project's folder; empty if none does."""
    for site in sorted(environment.glob("lib/python*/site-packages")):
        for file in _small_files(site):
            text = file.read_text("utf-8", "replace")
            if file.name == "direct_url.json" and '"editable": true' not in text and '"editable":true' not in text:
                continue
            if any(_is_below(place, root, environment) for place in _places(text)):
                return file.parent.name if file.name == "direct_url.json" else file.name
    return ""


def _small_files(site: Path) -> Iterable[Path]:
    found = (*site.glob("*.pth"), *site.glob("*.egg-link"), *site.glob("*.dist-info/direct_url.json"))
    return (file for file in sorted(found) if file.is_file() and file.stat().st_size <= _MOST_BYTES)


def _places(text: str) -> Iterator[str]:
    """The folders that a file names: lines of their own, and addresses of files."""
    for line in text.splitlines():
        if line.startswith("/"):
            yield line.strip()
    for part in text.split("file://")[1:]:
        yield part.partition('"')[0]


def _is_below(place: str, root: Path, environment: Path) -> bool:
    real, top = os.path.realpath(place), os.path.realpath(root)
    inside = real == top or real.startswith(top + os.sep)
    return inside and not real.startswith(os.path.realpath(environment) + os.sep)


def _leftovers(found: Survey, config: Config) -> Iterator[Finding]:
    from nova_core.isolation import look
    from nova_core.text import number_of

    try:
        left = look.leftovers(found, config.git.trees)
    except (NovaError, OSError) as error:
        yield Finding(Level.WARNING, "leftovers", str(error))
        return
    if left:
        detail = f"{number_of(len(left), 'run')} left branches, trees or kept work; nova clean lists them"
        yield Finding(Level.NOTE, "leftovers", detail)
