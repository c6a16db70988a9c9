"""Which place in a folder belongs to which plan: state, history, logs, lock and inbox are a plan's own."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from nova_core.errors import EnvironmentProblem, StateError
from nova_core.files.disk import Disk
from nova_core.files.plain_file import read_plain
from nova_core.files.project import STATE_FILE, Project, place_id
from nova_core.files.variants import variants_of
from nova_core.state.manager import StateManager

if TYPE_CHECKING:
    from nova_core.parser import Cascade

USUAL_PLAN = "CASCADE.md"
DRAFTS = "draft"  # the key of the place where agents draft plans
_MOST_OF_A_KEY = 40
_MOST_BYTES = 1 << 16
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")


class Place(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whose a place is, kept in its `place.json`: the plan, and the folder (path, device, inode) it was made in.

    `plan` is a path from that folder; `state` is the state file, if a program chose its name.
    """

    plan: str = ""
    root: str = ""
    device: int = 0
    inode: int = 0
    state: str = ""

    @property
    def identity(self) -> tuple[int, int]:
        """Device and inode of the folder."""
        return self.device, self.inode


class Origin(msgspec.Struct, frozen=True):
    """The folder that this one was copied from; `root` is its path."""

    root: str


def plan_name(root: Path, plan: str | os.PathLike[str]) -> str:
    """The name of a plan, whatever path leads to it: that of its file, from the project's folder."""
    from nova_core.importers import plan_file

    return os.path.relpath(os.path.realpath(plan_file(os.fspath(plan))), root)


def places_in(root: Path) -> list[tuple[Project, Place]]:
    """Every place in a folder that belongs to a plan, the usual place first."""
    found = [(main, place)] if (place := place_of(main := Project(root))) else []
    with suppress(OSError):
        for key in sorted(os.listdir(main.plans_dir)):
            project = Project(root, key=key)
            if place := place_of(project):
                # The file may be from elsewhere, and name a path.
                own_state = place.state if place.state == os.path.basename(place.state) else ""
                found.append((Project(root, own_state) if own_state else project, place))
    return found


def place_of(project: Project) -> Place | None:
    """Whose the place is, None if it is nobody's yet. Versions without `place.json` left only the state."""
    with suppress(OSError, msgspec.MsgspecError, RecursionError):
        place = msgspec.json.decode(read_plain(project.place_file, _MOST_BYTES), type=Place)
        return place if place.plan else None
    plan = _plan_in(project.state_file)
    return Place(plan) if plan else None


class _Head(msgspec.Struct):
    project: _Project


class _Project(msgspec.Struct):
    cascade_file: str = ""


def _plan_in(state_file: Path) -> str:
    """The plan that a state file names; read from its first line, unless another program has formatted the file."""
    manager = StateManager(state_file)
    with suppress(OSError, StateError):
        with suppress(msgspec.MsgspecError, RecursionError):
            head = manager.read_head().rstrip().removesuffix(b",") + b"}"
            return msgspec.json.decode(head, type=_Head).project.cascade_file
        return manager.load().project.cascade_file
    return ""


def choose_place(root: Path, plan: str, read: Callable[[], Cascade]) -> Project:
    """The place of a plan: the one it has, that of a plan it was renamed from, or a free one; `read` reads the plan.

    The usual place is for `CASCADE.md`, and without that for the first plan that runs.
    """
    name = plan_name(root, plan)
    taken = [(project, plan_name(root, root / place.plan)) for project, place in places_in(root)]
    for project, owner in taken:
        if owner == name:
            return project
    for project, owner in taken:
        if not os.path.lexists(root / owner) and _has_run(project, read()):
            return project
    if not any(project.key == "" for project, _ in taken) and (_is_usual(name) or not _has_usual(root)):
        return Project(root)
    return Project(root, key=_free_key(name, {project.key.lower() for project, _ in taken}))


def _is_usual(name: str) -> bool:
    """Returns True for `CASCADE.md`, also in another case or with the other ending."""
    return name.lower() in (USUAL_PLAN.lower(), "cascade.markdown")


def _has_usual(root: Path) -> bool:
    return (root / USUAL_PLAN).exists() or bool(variants_of(USUAL_PLAN, root))


def _has_run(project: Project, plan: Cascade) -> bool:
    """Returns True if most of the tasks that have run at the place are those of the plan, in the same words."""
    from nova_core.plan.changes import fingerprint, same_words

    try:
        tasks = StateManager(project.state_file).load().tasks
    except (OSError, StateError):
        return False
    same = (i for i, task in tasks.items() if i in plan.tasks)
    agree = sum(same_words(tasks[i].fingerprint, fingerprint(plan.tasks[i])) for i in same)
    return 2 * agree > len(tasks)


def _free_key(name: str, taken: Collection[str]) -> str:
    """The name of a plan as the name of a folder that no other plan has."""
    plain = "".join(c if c in _PLAIN else "-" for c in os.path.splitext(name)[0])
    key = plain[-_MOST_OF_A_KEY:].strip("-.") or "plan"
    keys = (key if number == 1 else f"{key}-{number}" for number in range(1, len(taken) + 2))
    return next(free for free in keys if free.lower() not in taken)


def settle(project: Project, name: str, disk: Disk) -> Origin | None:
    """Record that the place is this plan's, in this folder; returns where it was copied from, if it was.

    A folder that was moved to another disk is no copy: the one it was moved from is gone. Raises `OSError`, and
    `EnvironmentProblem` for a folder whose path cannot be stored as text.
    """
    if os.fsencode(project.root).decode("utf-8", "replace") != str(project.root):
        raise EnvironmentProblem("the path of the project's folder is not UTF-8", hint="rename the folder")
    before = place_of(project) or Place()
    state = project.state_file.name if project.state_file.parent == project.root else STATE_FILE
    identity = project.identity
    now = Place(name, str(project.root), *identity, "" if state == STATE_FILE else state)
    origin = None
    if before.root and before.identity != identity:
        if _still_there(before):
            origin = Origin(before.root)
        else:
            project.former_id = place_id(before.identity, project.key)
    if now != before:
        disk.replace(project.place_file, msgspec.json.encode(now), sync=False)
    return origin


def copied_from(project: Project) -> str:
    """The folder that this one was copied from, while no engine has run here since; empty if it is no copy."""
    place = place_of(project) or Place()
    is_copy = place.root and place.identity != project.identity and _still_there(place)
    return place.root if is_copy else ""


def _still_there(place: Place) -> bool:
    try:
        status = os.stat(place.root)
    except OSError:
        return False
    return (status.st_dev, status.st_ino) == place.identity
