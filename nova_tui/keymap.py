"""User-defined keys: `keys.yaml` assigns keys to the ids of bindings."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

from textual.binding import Binding

import nova_tui
from nova_core.errors import InputError


def keys_file(environ: Mapping[str, str]) -> Path:
    """The path in `NOVA_KEYS`, else `nova/keys.yaml` in `XDG_CONFIG_HOME`, else in `~/.config`."""
    if chosen := environ.get("NOVA_KEYS"):
        return Path(chosen)
    base = environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path(environ.get("HOME", "/"), ".config")) / "nova" / "keys.yaml"


def bindings() -> dict[str, list[Binding]]:
    """All bindings of all screens and widgets by id; screens may share an id. Imports all of them."""
    found: dict[str, list[Binding]] = {}
    for name in (m.name for m in walk_packages(nova_tui.__path__, "nova_tui.") if not m.name.endswith("__main__")):
        for owner in vars(import_module(name)).values():
            if isinstance(owner, type) and owner.__module__ == name:
                for binding in vars(owner).get("BINDINGS", ()):
                    found.setdefault(binding.id, []).append(binding)
    return found


def load_keys(path: Path, *, must_exist: bool) -> dict[str, str]:
    """Keys by binding id: `task.retry: R,f5`. A missing file changes nothing, unless `must_exist`.

    Raises `InputError` with file, line and hint for an invalid file.
    """
    if not must_exist and not path.exists():
        return {}
    from nova_core.files.yaml_file import load_yaml

    known = bindings()
    document = load_yaml(path)
    if document.data is None:
        return {}
    if not isinstance(document.data, dict):
        raise InputError([document.problem((), "the keys must be a mapping", "write `task.retry: r`")])
    keymap: dict[str, str] = {}
    for name, keys in document.data.items():
        if name not in known:
            near = get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]}?" if near else "find the ids in docs/tui.md, or with `?` in the interface"
            raise InputError([document.problem((name,), f"no binding has the id {name}", hint)])
        if not isinstance(keys, str) or not keys.strip(" ,"):
            raise InputError([document.problem((name,), f"{name} needs keys", "write keys such as r, ctrl+r or f5")])
        keymap[name] = ",".join(key.strip() for key in keys.split(",") if key.strip())
    return keymap
