"""JUnit reports: well-formed whatever the texts hold, and true to the states."""

from __future__ import annotations

from xml.etree import ElementTree

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nova_core.junit import junit_xml
from nova_core.model import Task
from nova_core.record import Reason, TaskState, TaskStatus


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
    state = TaskState(status=TaskStatus.FAILED, reason=Reason.EXIT_CODE, error="exit code 2", elapsed=1.25)
    suites = report(state, tail="a <b>\n\x1b[31mred\x1b[0m & ]]>\x00")
    case = suites.find("testsuite/testcase")
    assert case is not None
    assert case.attrib == {"classname": "Base v1_0.Types", "name": "F1 Core", "time": "1.250"}
    failure = case.find("failure")
    assert failure is not None
    assert failure.attrib == {"type": "exit_code", "message": "exit code 2"}
    assert failure.text == "exit code 2\na <b>\nred & ]]>\ufffd"
    assert suites.attrib == {
        "name": "Shop", "tests": "1", "failures": "1", "errors": "0", "skipped": "0", "time": "1.250",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (None, "not started"),
        (TaskState(blocked_by=("F0", "F9")), "blocked by F0, F9"),
        (TaskState(status=TaskStatus.COMPLETED, skipped=True), "skipped by hand"),
        (TaskState(status=TaskStatus.IN_PROGRESS), "still running"),
        (TaskState(status=TaskStatus.IN_PROGRESS, approval="waiting"), "waiting for approval"),
        (TaskState(status=TaskStatus.COMPLETED), None),
    ],
)
def test_tasks_without_a_failure(state: TaskState | None, message: str | None) -> None:
    """What did not run is a skipped test that says why; what completed is a test that passed."""
    suites = report(state)
    skipped = suites.find("testsuite/testcase/skipped")
    assert (skipped.attrib["message"] if skipped is not None else None) == message
    assert suites.attrib["skipped"] == ("0" if message is None else "1")


hostile = st.text() | st.text(st.sampled_from("<>&\"'\x00\x1b[]\ud800\ufffe\x85\n"))


@given(name=hostile, error=hostile, lines=st.lists(hostile))
def test_any_text_makes_well_formed_xml(name: str, error: str, lines: list[str]) -> None:
    """No name, error or log line breaks the document or its encoding."""
    plan = Plan(name, {"F1": Task("F1", name, branch=name, group=name), "F2": Task("F2", "x")})
    states = {"F1": TaskState(status=TaskStatus.FAILED, error=error), "F2": TaskState(blocked_by=(name,))}
    suites = ElementTree.fromstring(junit_xml(plan, states, lambda _: lines).encode())
    assert len(suites.findall("testsuite/testcase")) == 2
