"""What a person chose in the interface, kept for the next start: never a reason to fail."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import msgspec

from nova_tui.views.members import Place

_PLANS = 50  # plans whose closed branches and layout are kept


class Kept(msgspec.Struct, frozen=True):
    """The choices: theme, order of the tasks, wrapped logs, percent of the columns or rows that the tree has beside
    the log (0: the usual ones); for each plan the share of the log, and the closed branches."""

    theme: str | None = None
    order: str = ""
    wrap: bool | None = None
    tree_columns: int = 0
    tree_rows: int = 0
    widths: dict[str, str] = {}
    closed: dict[str, list[tuple[str | None, str | None]]] = {}


class Settings:
    """The choices in a file; without a file they last as long as the process."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self.kept = _read(file)

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Settings:
        """The settings in `nova/tui.json` in `XDG_STATE_HOME`, else in `~/.local/state`."""
        base = environ.get("XDG_STATE_HOME")
        folder = Path(base) if base else Path(environ.get("HOME", "/"), ".local", "state")
        return cls(folder / "nova" / "tui.json")

    def keep(self, **chosen: Any) -> None:
        """Keep choices, beside those that other processes have kept meanwhile."""
        mine = self.kept
        self.kept = msgspec.structs.replace(mine if self._file is None else _read(self._file), **chosen)
        if self._file is not None:
            try:
                _write(self._file, msgspec.json.format(msgspec.json.encode(self.kept)))
            except OSError:  # from now on, choices last as long as the process
                self._file, self.kept = None, msgspec.structs.replace(mine, **chosen)

    def keep_closed(self, plan: str, places: Collection[Place]) -> None:
        """Keep the closed branches of a plan; the plans chosen last are kept."""
        closed = {name: found for name, found in self.kept.closed.items() if name != plan}
        closed[plan] = [(place.branch, place.group) for place in places]
        self.keep(closed=dict(list(closed.items())[-_PLANS:]))

    def keep_width(self, plan: str, width: str) -> None:
        """Keep the share of the log for a plan: another one begins with the usual layout."""
        others = {name: found for name, found in self.kept.widths.items() if name != plan}
        self.keep(widths=dict(list({**others, plan: width}.items())[-_PLANS:]))

    def closed(self, plan: str) -> list[Place] | None:
        """The closed branches of a plan; None if nothing was chosen for it."""
        found = self.kept.closed.get(plan)
        return None if found is None else [Place(branch, group) for branch, group in found]


def _read(file: Path | None) -> Kept:
    """The choices in a file; the usual ones if it cannot be read, or holds something else."""
    if file is None:
        return Kept()
    try:
        return msgspec.json.decode(file.read_bytes(), type=Kept)
    except (OSError, msgspec.MsgspecError, RecursionError):
        return Kept()


def _write(file: Path, data: bytes) -> None:
    """Replace the file, which only its owner may read, as it names projects."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(temporary, flags, 0o600), "wb") as stream:
        stream.write(data)
    temporary.replace(file)
