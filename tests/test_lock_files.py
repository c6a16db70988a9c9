"""The lock files match pyproject.toml: pinned, hashed, within its ranges, and independent of any index."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads(ROOT.joinpath("pyproject.toml").read_text())
EXTRAS = PROJECT["project"]["optional-dependencies"]
SETS = {"run": ["build"], "dev": ["dev"], "pictures": ["pictures"], "bench": ["bench"], "lock": ["lock"]}


def text_of(name: str) -> str:
    """A lock file."""
    return ROOT.joinpath("requirements", f"{name}.txt").read_text(encoding="utf-8")


def pins(name: str) -> dict[str, str]:
    """The version of each package of a lock file."""
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", text_of(name), re.M))


def wanted(extras: list[str]) -> list[Requirement]:
    """The requirements of the project and of these extras, including extras that they name."""
    found = [Requirement(line) for line in PROJECT["project"]["dependencies"]]
    for line in (line for extra in extras for line in EXTRAS[extra]):
        requirement = Requirement(line)
        own = requirement.name == PROJECT["project"]["name"]
        found += wanted(sorted(requirement.extras)) if own else [requirement]
    return found


@pytest.mark.parametrize("name", SETS)
def test_a_lock_file_fits_the_ranges(name: str) -> None:
    """Every requirement is pinned to an allowed version: after a change of a range `make lock` was run."""
    found = pins(name)
    wrong = [str(r) for r in wanted(SETS[name]) if found.get(canonicalize_name(r.name), "0") not in r.specifier]
    assert wrong == []


@pytest.mark.parametrize("name", SETS)
def test_a_lock_file_has_hashes_and_no_index(name: str) -> None:
    """Every package has hashes, and no line or comment has an address, a path or an option of pip."""
    entries = re.split(r"^(?=[a-z0-9])", text_of(name), flags=re.M)[1:]
    assert entries
    assert [entry for entry in entries if "--hash=sha256:" not in entry] == []
    rest = re.sub(r"--hash=sha256:[0-9a-f]{64}|requirements/dev\.txt|\(pyproject\.toml\)", "", text_of(name))
    assert re.findall(r"\S*/\S*|--\S+", rest) == []


def test_lock_files_agree() -> None:
    """A package in two sets has the same version in both, so that one environment can hold them all."""
    dev = pins("dev")
    assert [f"{k} {v}" for name in SETS for k, v in pins(name).items() if dev.get(k, v) != v] == []


def test_what_builds_nova_is_locked() -> None:
    """The requirements of the build are those of the extra in the lock files."""
    assert set(PROJECT["build-system"]["requires"]) <= set(EXTRAS["build"])
