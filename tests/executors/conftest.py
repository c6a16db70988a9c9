"""A lab with a real executor, and both kinds of holders to run it with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from executor_kit import Lab


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """A lab in an empty folder; at the end, its executor is closed and jobs that wait for the file `go` have it."""
    lab = Lab(tmp_path)
    yield lab
    (lab.home / "go").touch()
    lab.executor.close()


@pytest.fixture(params=[False, True], ids=["shared", "own"])
def own(request: pytest.FixtureRequest) -> bool:
    """Whether the job has a holder of its own, as agents do, or shares one."""
    return bool(request.param)
