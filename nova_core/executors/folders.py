"""Creates the folders that executors need."""

from __future__ import annotations

import os
from pathlib import Path

from nova_core.errors import EnvironmentProblem
from nova_core.holder.safe_open import inherit_owner

FOLDER_HINT = "use a folder that you own, not a link"


def make_folder(path: Path) -> Path:
    """Create a private folder, and those around it; returns its absolute path. Raises EnvironmentProblem."""
    try:
        for folder in (*[parent for parent in path.parents if not parent.exists()][::-1], path):
            folder.mkdir(mode=0o700, exist_ok=True)
            inherit_owner(folder, folder.parent)
    except OSError as error:
        reason = "it is not a folder" if isinstance(error, FileExistsError) else error.strerror
        raise EnvironmentProblem(f"{path}: cannot create the folder: {reason}", hint=FOLDER_HINT) from None
    return Path(os.path.abspath(path))
