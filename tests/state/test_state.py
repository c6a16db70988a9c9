"""`StateManager`: the published API, its schema, and its behaviour with other writers and bad files."""

from __future__ import annotations

import json
import os
from pathlib import Path
from threading import Thread

import pytest
from fakes import FaultyDisk
from msgspec.structs import replace

from nova_core.errors import StateError
from nova_core.runs.rollup import RollupTree
from nova_core.state import StateManager, TaskStatus
from nova_core.state.schema import TaskState, json_schema
from nova_core.text import duration, tokens


@pytest.fixture
def manager(tmp_path: Path) -> StateManager:
    manager = StateManager(tmp_path / "cascade_state.json")
    manager.initialize("Test", "CASCADE.md")
    return manager


def test_initialize_writes_the_published_schema(manager: StateManager) -> None:
    """A new file has the project's four fields and no tasks."""
    state = manager.read_state()
    assert state["project"] == {
        "name": "Test", "cascade_file": "CASCADE.md", "started_at": None, "completed_at": None,
    }  # fmt: skip
    assert state["tasks"] == {}


def test_initialize_fills_an_empty_file(tmp_path: Path) -> None:
    """An empty file counts as new."""
    path = tmp_path / "s.json"
    path.touch()
    manager = StateManager(str(path))
    manager.update_task("F1", status=TaskStatus.PENDING)
    assert manager.read_state()["tasks"]["F1"]["status"] == "pending"


def test_a_task_has_every_field_of_the_schema(manager: StateManager) -> None:
    """The twelve published fields are there from the first update on, with their types."""
    manager.update_task("F1", status=TaskStatus.IN_PROGRESS, worker_id="w", pid=7, started_at="2026-01-01T00:00:00Z")
    task = manager.read_state()["tasks"]["F1"]
    published = {
        "status": "in_progress", "worker_id": "w", "pid": 7, "started_at": "2026-01-01T00:00:00Z", "completed_at": None,
        "duration_seconds": 0, "current_step": None, "error": None, "commit_sha": None, "files_changed": [],
        "token_usage": {
            "input_tokens": 0, "output_tokens": 0, "cache_read_tokens": 0, "cache_creation_tokens": 0,
        },
    }  # fmt: skip
    assert {k: task[k] for k in published} == published


def test_complete_and_fail(manager: StateManager) -> None:
    """Completing sets the result, failing the error, and neither touches another task."""
    manager.complete_task("F1", completed_at="t", duration_seconds=120, commit_sha="abc", files_changed=["a.py"])
    manager.fail_task("F2", error="boom")
    tasks = manager.read_state()["tasks"]
    assert (tasks["F1"]["status"], tasks["F1"]["duration_seconds"], tasks["F1"]["files_changed"]) == (
        "completed", 120, ["a.py"],
    )  # fmt: skip
    assert (tasks["F2"]["status"], tasks["F2"]["error"]) == ("failed", "boom")


def test_token_updates_are_totals_and_leave_other_classes(manager: StateManager) -> None:
    """A second update replaces the classes it names and keeps the rest."""
    manager.update_task_tokens("F1", input_tokens=100, cache_read_tokens=5)
    manager.update_task_tokens("F1", input_tokens=200, output_tokens=50)
    usage = manager.read_state()["tasks"]["F1"]["token_usage"]
    assert usage == {"input_tokens": 200, "output_tokens": 50, "cache_read_tokens": 5, "cache_creation_tokens": 0}


def test_project_timestamps_are_kept(manager: StateManager) -> None:
    """Setting one timestamp leaves the other."""
    manager.update_project(started_at="a")
    manager.update_project(completed_at="b")
    project = manager.read_state()["project"]
    assert (project["started_at"], project["completed_at"]) == ("a", "b")


def test_a_missing_file_is_not_found(tmp_path: Path) -> None:
    """Reading a missing file raises `FileNotFoundError`."""
    with pytest.raises(FileNotFoundError):
        StateManager(tmp_path / "no.json").read_state()


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "damaged"),
        (b"{", "damaged"),
        (b"[]", "damaged"),
        (b"null", "damaged"),
        (b'{"version":1,"tasks":{"a":{"status":"odd"}}}', "damaged"),
        (b'{"version":1,"tasks":{"a":{"pid":"x"}}}', "damaged"),
        (b"\xff\xfe{}", "damaged"),
        (b"[" * 100_000, "damaged"),
        (b'{"version":99}', "newer"),
    ],
)
def test_bad_files_are_rejected_in_one_line(tmp_path: Path, content: bytes, word: str) -> None:
    """A damaged or newer file raises one clear error and is not changed."""
    path = tmp_path / "cascade_state.json"
    path.write_bytes(content)
    with pytest.raises(StateError, match=word) as caught:
        StateManager(path).load()
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == content


NUMBERS = {
    "pid": "%s", "duration_seconds": "%s", "attempt": "%s", "failures": "%s", "elapsed": "%s", "progress": "%s",
    "exit_code": "%s", "signal": "%s", "criteria_met": "[%s]", "cost_usd": "%s", "refusals": "%s", "overloads": "%s",
    "rung": "%s", "cap": "%s", "reported": '{"input_tokens": %s}', "token_usage": '{"input_tokens": %s}',
    "session_usage": '{"output_tokens": %s}', "message_usd": "%s", "place": "%s", "resolves": "%s",
}  # fmt: skip
TIMES = {"began": "%s", "retry_due": "%s"}


@pytest.mark.parametrize("number", ["1e308", "-1e308", "1e999", str(2**63 - 1), "-" + "9" * 25, "9" * 400, "NaN"])
@pytest.mark.parametrize("field", NUMBERS | TIMES)
def test_a_number_out_of_all_bounds_is_rejected(tmp_path: Path, field: str, number: str) -> None:
    """Two of them would have no sum, or no text: the file is damaged, and the error says where."""
    path = tmp_path / "cascade_state.json"
    path.write_text(f'{{"version": 1, "tasks": {{"a": {{"{field}": {(NUMBERS | TIMES)[field] % number}}}}}}}')
    with pytest.raises(StateError, match=r"damaged state \(.*(\$\.tasks|malformed)") as caught:
        StateManager(path).load()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("number", ["0", "-1", "-7", str(10**18), str(-(10**18)), str(2**53 + 1)])
def test_any_other_number_is_shown(tmp_path: Path, number: str) -> None:
    """Sums of such tasks have a text, however little sense they make."""
    path = tmp_path / "cascade_state.json"
    task = ", ".join(f'"{field}": {text % number}' for field, text in NUMBERS.items())
    path.write_text(f'{{"version": 1, "tasks": {{"a": {{{task}}}, "b": {{{task}}}}}}}')
    sums = RollupTree({"": {"": ["a", "b"]}}, StateManager(path).load().tasks).project
    assert sums.cost.endswith(".00")
    assert duration(sums.duration(0.0)).endswith(("s", "h"))
    assert tokens(sums.tokens.total)


def test_every_number_of_a_task_has_bounds() -> None:
    """The schema of the file states them for each field that is a number."""
    kinds = json_schema()["$defs"]["TaskState"]["properties"]
    bare = [name for name, kind in kinds.items() if '"number"' in json.dumps(kind) or '"integer"' in json.dumps(kind)]
    assert set(bare) | {"token_usage", "session_usage"} == (NUMBERS | TIMES).keys()
    assert [name for name in bare if "maximum" not in json.dumps(kinds[name])] == []


def test_every_prefix_of_a_state_is_rejected_or_whole(manager: StateManager) -> None:
    """A file cut at any byte is rejected, never read in part."""
    manager.update_task("F1", status=TaskStatus.PENDING)
    whole = manager.path.read_bytes()
    for length in range(len(whole.rstrip())):
        manager.path.write_bytes(whole[:length])
        with pytest.raises(StateError):
            StateManager(manager.path).load()


def test_an_older_file_loads(tmp_path: Path) -> None:
    """A file with only the published fields, as other programs write it, is read; Nova's own fields get their
    defaults."""
    path = tmp_path / "s.json"
    path.write_text(
        '{"project": {"name": "P", "cascade_file": "c", "started_at": null, "completed_at": null}, '
        '"tasks": {"F1": {"status": "completed", "duration_seconds": 3, "future_field": 1}}}'
    )
    state = StateManager(path).load()
    assert state.tasks["F1"].status is TaskStatus.COMPLETED
    assert state.version == 1


def test_two_managers_lose_nothing(manager: StateManager) -> None:
    """Interleaved writers reload each other's changes."""
    other = StateManager(manager.path)
    for i in range(10):
        manager.update_task(f"A{i}", status=TaskStatus.PENDING)
        other.update_task(f"B{i}", status=TaskStatus.PENDING)
    assert len(manager.read_state()["tasks"]) == 20


def test_threads_lose_nothing(manager: StateManager) -> None:
    """Ten threads on one manager, and another one that sets the project's times: every last value is there."""
    other = StateManager(manager.path)

    def work(n: int) -> None:
        for j in range(5):
            manager.update_task_tokens(f"T{n}", input_tokens=n * 100 + j)

    def date() -> None:
        for j in range(25):
            other.update_project(started_at=str(j))

    threads = [Thread(target=work, args=(n,)) for n in range(10)] + [Thread(target=date)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tasks = manager.read_state()["tasks"]
    assert [tasks[f"T{n}"]["token_usage"]["input_tokens"] for n in range(10)] == [n * 100 + 4 for n in range(10)]
    assert manager.read_state()["project"]["started_at"] == "24"
    assert manager.read_state()["writes"] == 1 + 50 + 25, "one replacement per update"


def test_publish_does_not_overwrite_another_writer(manager: StateManager) -> None:
    """The engine's publish writes nothing if another program wrote since, even within one clock tick."""
    state = manager.load()
    assert manager.publish(replace(state, rev=1, tasks={"A": TaskState()}), None)
    stat = os.stat(manager.path)
    outside = StateManager(manager.path)
    outside.complete_task("A")
    os.utime(manager.path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert not manager.publish(replace(state, rev=2, tasks={"A": TaskState()}), ["A"])
    assert manager.adopt().tasks["A"].status is TaskStatus.COMPLETED


def test_publish_encodes_only_what_changed(manager: StateManager) -> None:
    """Unchanged tasks keep their bytes; changed, added and removed ones are updated."""
    state = manager.load()
    tasks = {"A": TaskState(), "B": TaskState()}
    assert manager.publish(replace(state, rev=1, tasks=tasks), None)
    tasks = {**tasks, "B": TaskState(status=TaskStatus.FAILED), "C": TaskState()}
    assert manager.publish(replace(state, rev=2, tasks=tasks), {"B", "C"})
    assert manager.load().tasks == tasks
    del tasks["A"]
    assert manager.publish(replace(state, rev=3, tasks=dict(tasks)), None)
    assert json.loads(manager.path.read_bytes())["tasks"].keys() == {"B", "C"}


def test_a_failed_write_leaves_the_old_state(tmp_path: Path) -> None:
    """Whichever call of a write fails, the file has the old or the new state, and no temporary file stays."""
    path = tmp_path / "s.json"
    StateManager(path).initialize("old", "c")
    n = 0
    while True:
        n += 1
        disk = FaultyDisk(fail_at=n)
        manager = StateManager(path, disk)
        try:
            manager.update_project(started_at=str(n))
        except OSError:
            assert StateManager(path).load().project.name == "old"
            assert not manager.changed_outside()
            assert sorted(p.name for p in tmp_path.iterdir()) == ["s.json", "s.json.lock"]
        if disk.calls < n:
            break
    assert n > 4
    assert StateManager(path).load().project.started_at == str(n)


def test_the_published_schema_is_the_codes(tmp_path: Path) -> None:
    """docs/cascade_state.schema.json is what the code would generate, and a real file is valid by it."""
    import jsonschema

    path = Path(__file__).parents[2] / "docs" / "cascade_state.schema.json"
    schema = json.loads(path.read_text())
    assert schema == json_schema()
    descriptions = [definition.get("description", "") for definition in schema["$defs"].values()]
    assert [text for text in descriptions if "\n " in text] == []  # some versions of Python and msgspec leave it in
    manager = StateManager(tmp_path / "s.json")
    manager.initialize("P", "c")
    manager.complete_task("F1", completed_at="t", duration_seconds=1, files_changed=["x"])
    jsonschema.validate(manager.read_state(), schema)
