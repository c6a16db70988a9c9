"""Files that others may have put into the project, or into an agent's home: links, devices, endless and deep ones."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from nova_core.config import AgentConfig, Config
from nova_core.errors import EnvironmentProblem
from nova_core.files.plain_file import read_inside, read_plain
from nova_core.files.project import Project
from nova_core.launch.agent_records import find_records
from nova_core.launch.launcher import Launcher
from nova_core.launch.mcp_config import gemini_settings
from nova_core.launch.prompt import NO_BRIEFING
from nova_core.model import Task, TokenUsage

SERVER = ("python", "-m", "nova_core.mcp_server")
TASK = Task("A", "a", agent="gemini")


def link_to(target: str) -> Callable[[Path], None]:
    return lambda path: path.symlink_to(target)


ODD: dict[str, Callable[[Path], object]] = {
    "link": link_to("other"),
    "device": link_to("/dev/zero"),
    "fifo": os.mkfifo,
    "folder": Path.mkdir,
    "loop": lambda path: path.symlink_to(path.name),
    "large": lambda path: path.write_bytes(b"x" * 101),
}


@pytest.mark.parametrize("kind", ODD)
def test_only_small_plain_files_are_read(kind: str, tmp_path: Path) -> None:
    """Other files are opened only to be examined, and endless ones are not read."""
    (tmp_path / "other").write_bytes(b"secret")
    ODD[kind](tmp_path / "file")
    with pytest.raises(OSError, match=r"symbolic links|not a regular file|larger than"):
        read_plain(tmp_path / "file", 100)


def test_a_link_may_lead_to_another_file_of_the_project(tmp_path: Path) -> None:
    """A link may not lead elsewhere; a path that names a place outside is the user's own choice."""
    root = tmp_path / "project"
    root.mkdir()
    (tmp_path / "outside").write_bytes(b"out")
    (root / "file").write_bytes(b"in")
    (root / "near").symlink_to("file")
    (root / "far").symlink_to("../outside")
    (root / "zero").symlink_to("/dev/zero")
    assert read_inside(root / "near", root, 100) == b"in"
    assert read_inside(root / ".." / "outside", root, 100) == b"out"
    for name in ("far", "zero"):
        with pytest.raises(OSError, match="leads out of the project"):
            read_inside(root / name, root, 100)


# gemini's settings, and templates


def launcher_for(root: Path, prompt: str | None = None) -> Launcher:
    config = Config(agents={"gemini": AgentConfig()}, prompt=prompt)
    return Launcher(Project(root, "cascade_state.json"), config, "P", "run", b"secret", ["A"])


@pytest.fixture
def prepare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Add the reporting server to gemini's settings, whether or not gemini is installed."""
    monkeypatch.setattr("nova_core.launch.launcher.has_mcp", lambda: True)
    (tmp_path / ".gemini").mkdir()
    return lambda: launcher_for(tmp_path).prepare([TASK])


def test_settings_that_are_a_link_are_unchanged(tmp_path: Path, prepare: Callable[[], None]) -> None:
    """The link's target is not copied into the project, and not written."""
    secret = tmp_path / "secret.json"
    secret.write_text('{"apiKey": "SECRET"}')
    path = tmp_path / ".gemini" / "settings.json"
    path.symlink_to("../secret.json")
    prepare()
    assert path.is_symlink()
    assert secret.read_text() == '{"apiKey": "SECRET"}'


def test_settings_keep_their_permissions(tmp_path: Path, prepare: Callable[[], None]) -> None:
    """A private file stays private after the server is added."""
    path = tmp_path / ".gemini" / "settings.json"
    path.write_text('{"apiKey": "SECRET"}')
    path.chmod(0o600)
    prepare()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert set(json.loads(path.read_text())) == {"apiKey", "mcpServers"}


@pytest.mark.parametrize("kind", ["fifo", "folder", "large"])
def test_settings_that_are_not_a_small_file_are_a_user_error(
    kind: str, tmp_path: Path, prepare: Callable[[], None]
) -> None:
    """One line that names the file, with a hint."""
    path = tmp_path / ".gemini" / "settings.json"
    ODD[kind](path)
    if kind == "large":
        path.write_bytes(b" " * 2_000_000)
    with pytest.raises(EnvironmentProblem, match=r"cannot write .*settings\.json"):
        prepare()


@pytest.mark.parametrize(
    "deep", [b"[" * 200_000, b'{"a":' * 900 + b"1" + b"}" * 900, b'{"mcpServers": {"a": "\\ud800"}}']
)
def test_settings_nested_too_deeply_are_unchanged(deep: bytes) -> None:
    """Such settings were not written by hand."""
    made = gemini_settings(SERVER, deep)
    assert made is None or json.loads(made)["mcpServers"]["nova"]


@pytest.mark.parametrize("kind", ["device", "fifo", "folder", "loop", "none", "large"])
def test_a_template_that_is_not_a_small_file_is_a_user_error(kind: str, tmp_path: Path) -> None:
    """One line, whatever `prompt:` names."""
    if kind != "none":
        ODD[kind](tmp_path / "template")
    if kind == "large":
        (tmp_path / "template").write_bytes(b" " * 2_000_000)
    with pytest.raises(EnvironmentProblem, match="template: cannot read the template of prompts"):
        launcher_for(tmp_path, "template").prompt(TASK, NO_BRIEFING)


def test_a_template_is_taken_from_where_it_is_named(tmp_path: Path) -> None:
    """In the project, through a link within it, or by a path that leads elsewhere."""
    root = tmp_path / "project"
    root.mkdir()
    (root / "template").write_text("Do {id}.")
    (root / "link").symlink_to("template")
    (tmp_path / "mine").write_text("Do {id}!")
    prompts = [
        launcher_for(root, name).prompt(TASK, NO_BRIEFING) for name in ("template", "link", str(tmp_path / "mine"))
    ]
    assert prompts == ["Do A.\n", "Do A.\n", "Do A!\n"]


# agents' own records


SESSION = "12345678"


def event(tokens: int, **fields: object) -> str:
    message = {"id": f"m{tokens}", "model": "m", "usage": {"input_tokens": tokens}, **fields}
    return json.dumps({"type": "assistant", "timestamp": "2026-11-21T00:00:00Z", "message": message}) + "\n"


def records_in(home: Path, make: Callable[[Path], object]) -> object:
    folder = home / "projects" / "p"
    folder.mkdir(parents=True, exist_ok=True)
    make(folder / f"{SESSION}.jsonl")
    return find_records("claude", SESSION, 0.0, {"CLAUDE_CONFIG_DIR": str(home)})


@pytest.mark.parametrize("kind", ["link", "device", "fifo", "folder", "loop"])
def test_records_are_plain_files(kind: str, tmp_path: Path) -> None:
    """A worker may put anything in place of its agent's records; Nova does not wait for it."""
    (tmp_path / "projects" / "p").mkdir(parents=True)
    (tmp_path / "projects" / "p" / "other").write_text(event(5))
    assert records_in(tmp_path, ODD[kind]) is None


def test_records_with_odd_lines_are_read_as_far_as_they_make_sense(tmp_path: Path) -> None:
    """Deep, torn and huge lines, half characters, and model names of megabytes."""
    odd = ["[" * 100_000 + "\n", '{"type": "assi\n', "x" * 5_000_000 + "\n", event(2, model="m" * 1_000_000)]
    found = records_in(tmp_path, lambda path: path.write_text("".join([event(1), *odd, event(4)])))
    assert found is not None
    assert (found.usage, found.model) == (TokenUsage(7), "m")  # type: ignore[attr-defined]
