"""Commands used before a run: init and config."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from nova_core.cli.options import AsJson, Directory, here
from nova_core.cli.output import columns, note, out, out_json, out_lines
from nova_core.errors import EnvironmentProblem


def init(
    name: Annotated[str | None, typer.Option(metavar="TEXT", help="Name of the project.")] = None,
    directory: Directory = None,
) -> int:
    """Write a plan to start from.

    Also writes commented settings and milestones. Existing files are kept. In a git repository, logs and the state file
    are added to .git/info/exclude, unless git ignores or tracks them.

    \b
    Examples:  nova init
               nova init -C demo --name "My project"
    """
    from nova_core.cli.templates import CASCADE, MILESTONES_YAML, NOVA_YAML
    from nova_core.text import clean

    project = here()
    title = " ".join(clean(name or project.root.name).split()) or "Project"
    files = {
        "CASCADE.md": CASCADE.replace("{project}", title, 1),
        "nova.yaml": NOVA_YAML,
        "milestones.yaml": MILESTONES_YAML,
    }
    for path, text in files.items():
        if write_new(path, text):
            out(f"wrote {path}")
        else:
            note(f"kept {path}: it already exists")
    ignore_own_files()
    note("hint: check it with nova check, then start it with nova run")
    return 0


def ignore_own_files() -> None:
    """Let git ignore what runs write here, without a change to a file of the project's; says so."""
    from nova_core.git.repository import exclude
    from nova_core.text import clean

    try:
        added = exclude(".", {"logs/": "logs/x.log", "cascade_state.json*": "cascade_state.json"})
    except OSError as error:
        note(f"cannot write .git/info/exclude: {error.strerror}")
        return
    if added:
        out(f"added to .git/info/exclude: {clean(' '.join(added))}")


def write_new(path: str, text: str) -> bool:
    """Write the file unless the name is taken; returns True if it was written."""
    try:
        with open(path, "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        return False
    except OSError as error:
        raise EnvironmentProblem(
            f"cannot write {path}: {error.strerror}",
            hint="check the folder's permissions, and that the disk is not full",
        ) from None
    return True


def config(as_json: AsJson = False, directory: Directory = None) -> int:
    """Show every setting and where it comes from.

    \b
    Examples:  nova config
               NOVA_JOBS=8 nova config
    """
    import msgspec

    from nova_core.config import load_config
    from nova_core.text import clean

    found = load_config(None, environ=os.environ)
    rows = settings_of(msgspec.to_builtins(found))
    origins = [origin_of(name, found.origins) for name, _ in rows]
    if as_json:
        objects = [{"name": n, "value": v, "from": o} for (n, v), o in zip(rows, origins, strict=True)]
        out_json(objects, indent=True)
        return 0
    shown = [(clean(n), shown_value(v), clean(o)) for (n, v), o in zip(rows, origins, strict=True)]
    out_lines(columns([("SETTING", "VALUE", "FROM"), *shown]))
    return 0


def settings_of(values: dict[str, Any]) -> list[tuple[str, Any]]:
    """Every setting by its dotted name; a section without entries is one setting."""
    rows: list[tuple[str, Any]] = []
    for name, value in values.items():
        if name == "origins":
            continue
        if isinstance(value, dict) and value:
            rows += [(f"{name}.{key}", inner) for key, inner in value.items()]
        else:
            rows.append((name, value))
    return rows


def origin_of(name: str, origins: Mapping[str, str]) -> str:
    """Where a setting, or the section around it, was set."""
    inner = (place for key, place in origins.items() if key.startswith(f"{name}."))
    return origins.get(name) or next(inner, None) or "default"


def shown_value(value: Any) -> str:
    """A value as one clean line; None means that the setting has no value."""
    from nova_core.text import clean

    if value is None:
        return "-"
    import msgspec

    return clean(value if isinstance(value, str) else msgspec.json.encode(value).decode())
