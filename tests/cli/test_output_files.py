"""The files that `nova run` writes at its end: checked before anything starts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from cli_plans import write_plan

from nova_core.cli.app import run_cli
from nova_core.cli.files import cannot_write, write

ROWS = "| A | a | `touch ran` | - | |\n"


@pytest.mark.parametrize("option", ["--junit", "--summary", "--trace"])
@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("nowhere/out", "there is no folder nowhere"),
        ("folder", "Is a directory"),
        ("CASCADE.md/out", "Not a directory"),
        ("", "a file without a name"),
    ],
)
def test_a_file_that_cannot_be_written_starts_nothing(
    option: str, path: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """The error names the option and the reason; the task does not run."""
    write_plan(tmp_path, ROWS)
    tmp_path.joinpath("folder").mkdir()
    monkeypatch.chdir(tmp_path)
    assert run_cli(["run", "--no-ui", option, path]) == 8
    said = capsys.readouterr().err
    assert said.startswith(f"nova: {option}: cannot write ")
    assert why in said
    assert not tmp_path.joinpath("ran").exists()
    assert not tmp_path.joinpath(".nova").exists()


def test_what_can_be_written(tmp_path: Path) -> None:
    """A new file, an existing one, one behind a link, and a pipe or device, which is written directly."""
    new, there, link, pipe = (tmp_path / name for name in ("new", "there", "link", "pipe"))
    there.write_text("old")
    link.symlink_to(there)
    os.mkfifo(pipe)
    assert [path for path in (new, there, link, pipe, Path("/dev/null")) if cannot_write(str(path))] == []


def test_an_open_file_can_be_named_by_its_number(tmp_path: Path) -> None:
    """`/dev/fd/N` of a pipe has no path of its own: the bytes go through it."""
    read, end = os.pipe()
    path = f"/dev/fd/{end}"
    assert not cannot_write(path)
    write(path, b"data")
    os.close(end)
    assert os.read(read, 10) == b"data"
    os.close(read)
