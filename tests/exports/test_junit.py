"""JUnit reports: well-formed whatever the texts hold, and true to the states."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import msgspec
import pytest
from hostile import NAMES, run_hostile
from hypothesis import given
from hypothesis import strategies as st

from nova_core.exports.junit import junit_xml
from nova_core.model import Task
from nova_core.state.schema import Reason, TaskState, TaskStatus

if TYPE_CHECKING:
    import xmlschema

STARTED = "2026-01-02T03:04:05.678+00:00"


class Plan(msgspec.Struct, frozen=True):
    """A cascade as far as the report needs it."""

    name: str
    tasks: dict[str, Task]


def report(state: TaskState | None, *, tail: str = "") -> ElementTree.Element:
    """The report on one task."""
    plan = Plan("Shop", {"F1": Task("F1", "Core", branch="Base v1.0", group="Types")})
    states = {} if state is None else {"F1": state}
    return ElementTree.fromstring(junit_xml(plan, states, lambda _: tail.splitlines()))


def test_a_failed_task() -> None:
    """A failure carries its reason, its message and the end of the log, safe to print."""
    state = TaskState(
        status=TaskStatus.FAILED, reason=Reason.EXIT_CODE, error="exit code 2", elapsed=1.25, started_at=STARTED
    )
    suites = report(state, tail="a <b>\n\x1b[31mred\x1b[0m & ]]>\x00")
    case = suites.find("testsuite/testcase")
    assert case is not None
    assert case.attrib == {"classname": "Base v1_0.Types", "name": "F1 Core", "time": "1.250"}
    failure = case.find("failure")
    assert failure is not None
    assert failure.attrib == {"type": "exit_code", "message": "exit code 2"}
    assert failure.text == "exit code 2\na <b>\nred & ]]>\ufffd"
    assert suites[0].attrib == {
        "name": "Shop", "package": "", "id": "0", "hostname": "localhost", "timestamp": "2026-01-02T03:04:05",
        "tests": "1", "failures": "1", "errors": "0", "skipped": "0", "time": "1.250",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (None, "not started"),
        (TaskState(blocked_by=("F0", "F9")), "blocked by F0, F9"),
        (TaskState(status=TaskStatus.COMPLETED, skipped=True), "skipped"),
        (TaskState(status=TaskStatus.IN_PROGRESS), "still running"),
        (TaskState(status=TaskStatus.IN_PROGRESS, approval="waiting"), "needs approval"),
        (TaskState(status=TaskStatus.COMPLETED), None),
    ],
)
def test_tasks_without_a_failure(state: TaskState | None, message: str | None) -> None:
    """A task that did not run is a skipped test with the reason; a completed task is a test that passed."""
    suites = report(state)
    skipped = suites.find("testsuite/testcase/skipped")
    assert (skipped.attrib["message"] if skipped is not None else None) == message
    assert suites[0].attrib["skipped"] == ("0" if message is None else "1")


@cache
def schemas() -> list[xmlschema.XMLSchema]:
    """The schema of Jenkins and the one of Ant."""
    import xmlschema  # slow to import

    return [xmlschema.XMLSchema(str(path)) for path in sorted(Path(__file__).parent.glob("junit-*.xsd"))]


hostile = st.text() | st.text(st.sampled_from("<>&\"'\x00\x1b[]\ud800\ufffe\x85\n"))


@given(name=hostile, error=hostile, lines=st.lists(hostile))
def test_any_text_makes_well_formed_xml(name: str, error: str, lines: list[str]) -> None:
    """No name, error or log line breaks the document or its encoding."""
    plan = Plan(name, {"F1": Task("F1", name, branch=name, group=name), "F2": Task("F2", "x")})
    states = {"F1": TaskState(status=TaskStatus.FAILED, error=error), "F2": TaskState(blocked_by=(name,))}
    text = junit_xml(plan, states, lambda _: lines)
    assert len(ElementTree.fromstring(text.encode()).findall("testsuite/testcase")) == 2
    require_valid(text)


def require_valid(text: str) -> None:
    """The report fits the schema of Jenkins and the one of Ant."""
    assert len(schemas()) == 2
    for schema in schemas():
        schema.validate(text)


def test_the_schemas_are_strict() -> None:
    """A report without a count, or with an attribute too many, fits neither of them."""
    good = junit_xml(Plan("Shop", {"F1": Task("F1", "Core")}), {}, lambda _: [])
    require_valid(good)
    for bad in (good.replace(' errors="0"', ""), good.replace("<testcase ", '<testcase line="1" ')):
        assert [schema.is_valid(bad) for schema in schemas()] == [False, False]


@pytest.mark.parametrize("stamp", ["yesterday", "", "2026-13-01T00:00:00", "9999-12-31T23:59:59-23:00"])
def test_an_invalid_time_is_not_an_error(stamp: str) -> None:
    """Whatever another program wrote for the start, the timestamp is valid."""
    plan = Plan("Shop", {"F1": Task("F1", "Core")})
    text = junit_xml(plan, {"F1": TaskState(started_at=stamp)}, lambda _: [])
    assert 'timestamp="1970-01-01T00:00:00"' in text
    require_valid(text)


def test_a_real_run_with_hostile_names_fits_the_schemas(tmp_path: Path) -> None:
    """The file `nova run --junit` writes fits them, with names and logs full of markup, escapes and quotes."""
    text = run_hostile(tmp_path).joinpath("junit.xml").read_text(encoding="utf-8")
    require_valid(text)
    suite = ElementTree.fromstring(text.encode())[0]
    assert suite.attrib["tests"] == str(len(NAMES))
    assert suite.attrib["failures"] == "1"
    assert suite.attrib["timestamp"] > "2026"
