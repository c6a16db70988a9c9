"""For people: the diff of a task, and what earlier runs have left; changes nothing but by `remove`."""

from __future__ import annotations

from nova_core.isolation.values import Leftover, Place, Survey


def diff(place: Place, base: str, commit: str, files: tuple[str, ...] = (), *, colour: bool = False) -> str:
    """The difference between two commits as a patch, of some files only if they are named. Raises GitFailed."""
    raise NotImplementedError


def tree_diff(place: Place, task_id: str, base: str, *, colour: bool = False) -> str:
    """How the files in a tree differ from `base`, new ones included, while its worker runs. Raises GitFailed."""
    raise NotImplementedError


def leftovers(found: Survey, trees: str | None = None) -> tuple[Leftover, ...]:
    """What the runs of this repository have left. Raises GitFailed."""
    raise NotImplementedError


def remove(found: Survey, left: Leftover) -> None:
    """Remove what is left of a run, kept work too. Raises GitFailed, OSError."""
    raise NotImplementedError
