"""The published packages: a wheel and an sdist that work without the checkout they were built from."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_string
from pathlib import Path

import pytest
from cli_process import environment

from nova_core import __version__
from nova_core.cli.demo import FILES

ROOT = Path(__file__).parents[1]


def run(*words: str, cwd: Path, paths: str = "") -> str:
    """Run a program with this interpreter to its end, with `paths` before its own packages; returns its output."""
    environ = {**environment(), "PYTHONPATH": paths, "DEMO_PACE": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    done = subprocess.run(words, cwd=cwd, env=environ, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The sdist, and the wheel that was built from it, with the installed build tools."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT), cwd=folder)
    return {"sdist": next(folder.glob("nova_tui-*.tar.gz")), "wheel": next(folder.glob("nova_tui-*.whl"))}


@pytest.mark.parametrize("kind", ["wheel", pytest.param("sdist", marks=pytest.mark.slow)])
def test_a_distribution_runs_the_demo(kind: str, built: dict[str, Path], tmp_path: Path) -> None:
    """It installs two commands, which run the quickstart's plan to its end, all without the checkout (`make dist`)."""
    site = tmp_path / "site"
    options = ("--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--target", str(site))
    run(sys.executable, "-m", "pip", "install", *options, str(built[kind]), cwd=tmp_path)
    where = run(sys.executable, "-c", "import nova_core; print(nova_core.__file__)", cwd=tmp_path, paths=str(site))
    assert Path(where.strip()).is_relative_to(site)
    assert run(str(site / "bin/nova"), "--version", cwd=tmp_path, paths=str(site)) == f"nova {__version__}\n"
    told = run(str(site / "bin/nova-tui"), "demo", cwd=tmp_path, paths=str(site))
    assert "14/14 done" in told
    assert (tmp_path / "nova-demo/out/index.html").exists()


def test_the_wheel_holds_both_packages_and_the_quickstart(built: dict[str, Path]) -> None:
    """The wheel has every module, the types, data, the quickstart and the manual pages, and nothing else."""
    names = set(zipfile.ZipFile(built["wheel"]).namelist())
    modules = {
        str(p.relative_to(ROOT)) for name in ("nova_core", "nova_tui") for p in ROOT.joinpath(name).rglob("*.py")
    }
    assert modules | {f"nova_core/quickstart/{name}" for name in FILES} | {"nova_core/py.typed"} <= names
    own = f"nova_tui-{__version__}"
    assert {name.partition("/")[0] for name in names} == {"nova_core", "nova_tui", f"{own}.dist-info", f"{own}.data"}
    manual = {f"{own}.data/data/share/man/man1/{page}" for page in ("nova.1", "nova-tui.1")}
    assert {name for name in names if name.startswith(f"{own}.data/")} == manual


def test_the_sdist_holds_what_builds_and_tests_it(built: dict[str, Path]) -> None:
    """The sdist has the documents, the tests, the lock files and the Makefile."""
    with tarfile.open(built["sdist"]) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    wanted = {"Makefile", "README.md", "LICENSE", "requirements/dev.txt", "tests/test_distribution.py", "docs/cli.md"}
    assert wanted <= names


def test_the_index_gets_a_page_without_dead_links(built: dict[str, Path]) -> None:
    """Its long description is README.md without links or pictures that lead into the repository; the text stays."""
    wheel = zipfile.ZipFile(built["wheel"])
    metadata = message_from_string(wheel.read(f"nova_tui-{__version__}.dist-info/METADATA").decode())
    page = metadata.get_payload()
    assert isinstance(page, str)
    assert [target for target in re.findall(r"\]\(([^)]*)\)", page) if not target.startswith("https:")] == []
    headings = re.findall(r"^#+ .*$", ROOT.joinpath("README.md").read_text(encoding="utf-8"), re.M)
    assert re.findall(r"^#+ .*$", page, re.M) == headings
    assert (metadata["Name"], metadata["Description-Content-Type"]) == ("nova-tui", "text/markdown")
