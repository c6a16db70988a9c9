"""Keys of one's own: `keys.yaml` gives bindings, by their id, other keys."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from pathlib import Path

from nova_core.errors import InputError


def keys_file(environ: Mapping[str, str]) -> Path:
    """`NOVA_KEYS`, else `nova/keys.yaml` below `XDG_CONFIG_HOME`, else below `~/.config`."""
    if chosen := environ.get("NOVA_KEYS"):
        return Path(chosen)
    base = environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path(environ.get("HOME", "/"), ".config")) / "nova" / "keys.yaml"


def load_keys(path: Path, known: Collection[str], *, must_exist: bool) -> dict[str, str]:
    """Keys by id of binding: `task.retry: R,f5`. A file that is missing changes nothing, unless it must exist.

    Raises `InputError` with file, line and hint for what is no such file.
    """
    if not must_exist and not path.exists():
        return {}
    from nova_core.yaml_file import load_yaml

    document = load_yaml(path)
    if document.data is None:
        return {}
    if not isinstance(document.data, dict):
        raise InputError([document.problem((), "the keys must be a mapping", "write `task.retry: r`")])
    keymap: dict[str, str] = {}
    for name, keys in document.data.items():
        if name not in known:
            near = get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]}?" if near else "`?` in the interface and docs/tui.md list them"
            raise InputError([document.problem((name,), f"nothing is called {name}", hint)])
        if not isinstance(keys, str) or not keys.strip(" ,"):
            raise InputError([document.problem((name,), f"{name} needs keys", "such as r, ctrl+r or f5")])
        keymap[name] = ",".join(key.strip() for key in keys.split(",") if key.strip())
    return keymap
