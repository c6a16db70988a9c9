"""Hooks: input only by variables and JSON, run beside the engine, at most once per event, and ended in time."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from engines import make_engine, write_plan
from fakes import exits
from hostile import NAMES, in_a_cell, yaml_text
from hypothesis import given
from hypothesis import strategies as st
from processes import kill, nova, processes_of, start_nova, wait_for
from sampling import some

from nova_core.config import Config, load_config
from nova_core.config.hooks import HooksConfig
from nova_core.engine.observers import hooks, reporting
from nova_core.engine.observers.hook_data import (
    MOST,
    HookData,
    RunWords,
    TaskWords,
    names_of,
    standard_input,
    variables,
)
from nova_core.errors import InputError
from nova_core.files.project import Project
from nova_core.holder.hook_guard import MOST_LOG, MOST_OUTPUT
from nova_core.orchestrator import Orchestrator
from nova_core.parser import parse_cascade, parse_text
from nova_core.plan.blocked import blocked_tasks
from nova_core.state.events import Event, EventKind
from nova_core.state.schema import TaskState, TaskStatus
from nova_core.state.store import Store
from nova_core.watch.live import LiveSource

HEAD = "# Demo\n\n| Task ID | Task Name | Command | Depends On |\n| --- | --- | --- | --- |\n"
CHAIN = [("A", "-"), ("B", "A"), ("C", "B"), ("D", "-")]
EVENTS = ("started", "failed", "blocked", "milestone", "finished")
TELL = "cat >> heard.jsonl"


def all_hooks(line: str) -> str:
    """A nova.yaml with this line for every event."""
    return "hooks:\n" + "".join(f"  {event}: {yaml_text(line)}\n" for event in EVENTS) + "  timeout: 60s\n"


def told(folder: Path) -> list[dict[str, Any]]:
    """The input of hooks that copy it, in order."""
    path = folder / "heard.jsonl"
    whole = path.read_text().rpartition("\n")[0] if path.exists() else ""  # the rest may be half of a line
    return [json.loads(line) for line in whole.splitlines()]


def warnings_of(engine: Orchestrator) -> list[str]:
    """A list that collects the warnings of the engine."""
    found: list[str] = []

    def see(event: Event) -> None:
        if event.kind is EventKind.WARNING:
            found.append(event.message)

    engine.subscribe(see)
    return found


def hooked(folder: Path, **lines: Any) -> tuple[Orchestrator, list[str]]:
    """An engine on fake tasks, of which A fails, with real hooks; and its warnings."""
    config = Config(hooks=HooksConfig(**lines))
    engine, _ = make_engine(
        folder, CHAIN, outcome=lambda job: exits(3 if job.key.startswith("A@") else 0)(job), config=config
    )
    return engine, warnings_of(engine)


# what they get


def test_each_event_has_its_hook(tmp_path: Path) -> None:
    """A run reports its start, its final failures with what they block, its milestones and its end, in this order."""
    (tmp_path / "CASCADE.md").write_text(
        HEAD
        + "| A | Bad one | `exit 3` | - |\n| B | b | `true` | A |\n| C | c | `true` | B |\n| D | d | `true` | - |\n"
    )
    (tmp_path / "milestones.yaml").write_text("milestones:\n  - id: bad\n    trigger: {type: any_task_failed}\n")
    (tmp_path / "nova.yaml").write_text("retry_delay: 0.01s\n" + all_hooks(TELL))
    done = nova(tmp_path, "run", "--retries", "1")
    assert (done.returncode, done.stderr) == (1, "")
    found = told(tmp_path)
    assert [one["event"] for one in found] == ["started", "failed", "blocked", "milestone", "finished"]
    started, failed, blocked, milestone, finished = found
    assert failed["task"] | {"seconds": 0} == {
        "id": "A", "name": "Bad one", "status": "failed", "reason": "exit_code", "error": "exit code 3", "attempt": 2,
        "seconds": 0, "agent": None, "model": None, "cost_usd": None, "log": "logs/A.log",
    }  # fmt: skip
    assert failed["blocked"] == blocked["blocked"] == ["B", "C"]
    assert milestone["milestone"] == "bad"
    assert (finished["result"]["exit_code"], finished["result"]["blocked"]) == (1, 2)
    assert started["run"] == {
        "id": finished["run"]["id"], "name": "Demo", "plan": "CASCADE.md", "root": str(tmp_path.resolve()),
    }  # fmt: skip


def test_variables_say_the_same(tmp_path: Path) -> None:
    """The variables of each event: those without a meaning for it are empty, and settings are not passed on."""
    line = 'echo "$NOVA_EVENT|$NOVA_TASK_ID|$NOVA_REASON|$NOVA_BLOCKED_COUNT|$NOVA_OUTCOME|${NOVA_JOBS-unset}" >> said'
    engine, _ = hooked(tmp_path, started=(line,), failed=(line,), blocked=(line,), finished=(line,))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NOVA_JOBS", "7")
        engine.run()
    assert (tmp_path / "said").read_text().splitlines() == [
        "started|||||unset",
        "failed|A|exit_code|2||unset",
        "blocked|A|exit_code|2||unset",
        "finished|||2|failed|unset",
    ]


def test_a_list_of_lines_is_run_in_order(tmp_path: Path) -> None:
    """Each line of a list gets the same data, one after the other; a failed line does not stop the others."""
    engine, warnings = hooked(tmp_path, failed=("echo 1 >> said", "exit 9", "cat >> said"))
    engine.run()
    one, data = (tmp_path / "said").read_text().splitlines()
    assert (one, json.loads(data)["task"]["id"]) == ("1", "A")
    assert [text for text in warnings if "exit code 9" in text]


def test_blocked_counts_what_is_in_the_way_only() -> None:
    """Pending tasks below the failed one, through pending ones; not tasks that are done, running, or failed by
    themselves."""
    head = "| Task ID | Task Name | What | Depends On |\n|---|---|---|---|\n"
    edges = {"A": "-", "B": "A", "C": "B", "D": "A", "E": "D", "F": "C, E"}
    rows = "".join(f"| {task_id} | name | x | {deps} |\n" for task_id, deps in edges.items())
    dag = parse_text(head + rows, "p.md").dag
    done = TaskState(status=TaskStatus.COMPLETED)
    assert blocked_tasks(dag, {}, "A") == ("B", "D", "C", "E", "F")
    assert blocked_tasks(dag, {"D": done}, "A") == ("B", "C", "F")
    assert blocked_tasks(dag, {}, "gone") == ()


# nothing is put into a line


def test_names_cannot_inject(tmp_path: Path) -> None:
    """Names, errors and folders full of commands reach a hook unchanged, and none of them is executed."""
    root = tmp_path / "p $(touch pwned) `touch pwned`; touch pwned '\" 🚀"
    root.mkdir()
    names = {f"F{n}": f"n {text}" for n, text in enumerate((
        "$(touch pwned)", "`touch pwned` x", "; touch pwned", "| touch pwned", "&& touch pwned", "' ; touch pwned '",
        '" ; touch pwned "', "🚀 \\n ${IFS} %s $'\\x41'", "-e --help", "> pwned",
    ))}  # fmt: skip
    rows = "".join(f"| {i} | {in_a_cell(name)} | `exit 1` | - |\n" for i, name in names.items())
    (root / "CASCADE.md").write_text(HEAD.replace("Demo", "P $(touch pwned)") + rows)
    line = f'{TELL}; echo "$NOVA_TASK_NAME" >> names; echo $NOVA_TASK_NAME $NOVA_PROJECT $NOVA_PROJECT_ROOT >/dev/null'
    (root / "nova.yaml").write_text(all_hooks(line))
    assert nova(root, "run").returncode == 1
    assert {one["task"]["id"]: one["task"]["name"] for one in told(root) if one["task"]} == names
    assert [path for path in tmp_path.rglob("pwned*") if path != root] == []


def test_hostile_texts_arrive_clean(tmp_path: Path) -> None:
    """Escapes, direction marks and newlines of names are removed from variables; the JSON has them, as escapes."""
    rows = "".join(f"| {i} | {name} | `exit 1` | - |\n" for i, (name, _) in NAMES.items())
    (tmp_path / "CASCADE.md").write_text(HEAD + rows)
    (tmp_path / "nova.yaml").write_text(f"hooks:\n  failed: {TELL}; printf '%s\\n' \"$NOVA_TASK_NAME\" >> names\n")
    assert nova(tmp_path, "run").returncode == 1
    seen = (tmp_path / "names").read_text().splitlines()
    assert Counter(seen) == Counter(text for _, text in NAMES.values())
    assert all(line.isprintable() for line in (tmp_path / "heard.jsonl").read_text().splitlines())
    assert len(told(tmp_path)) == len(NAMES)
    assert not list(tmp_path.glob("pwned*"))


any_text = st.text() | st.text(st.sampled_from("\0\n\r\x1b[\x9b\u202e$`'\"\\=")) | st.just("x" * 200_000)


@given(any_text, any_text, any_text)
def test_no_text_can_break_out_of_a_variable(name: str, error: str, plan: str) -> None:
    """Every variable is one line without NUL, short enough for any kernel; the JSON is one line that can be read
    back."""
    task = TaskWords("F1", name, TaskStatus.FAILED, None, error, 1, 0.0, None, None, None, None)
    data = HookData("failed", "now", error, RunWords("r", name, plan, "/"), task, blocked=("F2",))
    for key, value in variables(data).items():
        assert key.startswith("NOVA_")
        assert len(value) <= MOST
        assert not set(value) & set("\0\n\r\x1b\x9b\u202e")
        value.encode()
    text = standard_input(data)
    assert text.count(b"\n") == 1
    assert json.loads(text)["task"]["name"] == name


# beside the engine


def test_a_hook_does_not_hold_up_the_run(tmp_path: Path) -> None:
    """While the hook of a failure waits, other tasks start and end: the last of them releases the hook."""
    os.mkfifo(tmp_path / "gate")
    (tmp_path / "CASCADE.md").write_text(
        HEAD + "| A | a | `exit 3` | - |\n| B | b | `sleep 0.2` | - |\n| C | c | `echo go > gate` | B |\n"
    )
    (tmp_path / "nova.yaml").write_text("hooks: {failed: read word < gate && echo $word > said}\n")
    assert nova(tmp_path, "run", "--timeout", "60").returncode == 1
    assert (tmp_path / "said").read_text() == "go\n"


def test_a_bad_hook_is_reported_while_the_run_continues(tmp_path: Path) -> None:
    """The warning does not wait for the end of the run: here a task ends only after it."""
    (tmp_path / "CASCADE.md").write_text(
        HEAD + "| A | a | `exit 3` | - |\n| B | b | `until test -e go; do sleep 0.05; done` | - |\n"
    )
    config = Config(timeout=60.0, hooks=HooksConfig(failed=("exit 9",)))
    engine = Orchestrator(tmp_path / "CASCADE.md", tmp_path / "cascade_state.json", config=config)
    engine.subscribe(lambda event: (tmp_path / "go").touch() if "exit code 9" in event.message else None)
    assert engine.run().completed == 1


def test_a_hook_that_hangs_is_ended_with_all_it_started(tmp_path: Path) -> None:
    """After its time limit, the hook and the processes it left in other sessions are ended; the run's result is
    unchanged."""
    line = "setsid sleep 987 & (trap '' TERM INT HUP; sleep 987) & sleep 987"
    engine, warnings = hooked(tmp_path, failed=(line,), timeout=0.3)
    assert engine.run().exit_code == 1
    assert [text for text in warnings if "the hook for failed A took longer than 0.3 s" in text]
    assert processes_of(tmp_path) == []
    assert "--- ended: too long" in (tmp_path / ".nova" / "hooks.log").read_text()


def test_what_a_hook_leaves_behind_is_ended(tmp_path: Path) -> None:
    """A hook that ends normally also ends what it started in the background."""
    engine, warnings = hooked(tmp_path, failed=("sleep 987 & setsid sleep 987 & echo done > said",))
    engine.run()
    assert (tmp_path / "said").exists()
    assert warnings == []
    assert processes_of(tmp_path) == []


@pytest.mark.parametrize(
    "line", some(["./missing", "exit 3", "kill -9 $$", "if", "\x01\x02"], "exit 3", "kill -9 $$", "if")
)
def test_a_hook_that_fails_is_one_warning(tmp_path: Path, line: str) -> None:
    """Whatever the error, it is reported once, however often it occurs, and the result is the same."""
    (tmp_path / "CASCADE.md").write_text(HEAD + "".join(f"| A{n} | a | `exit 1` | - |\n" for n in range(3)))
    engine = Orchestrator(
        tmp_path / "CASCADE.md", tmp_path / "cascade_state.json", config=Config(hooks=HooksConfig(failed=(line,)))
    )
    warnings = warnings_of(engine)
    result = engine.run()
    assert (result.exit_code, result.failed) == (1, 3)
    assert len(warnings) == 1
    assert warnings[0].startswith("the hook for failed A")
    assert warnings[0].isprintable()


def test_a_hook_that_floods_keeps_its_log_small(tmp_path: Path) -> None:
    """Of too much output the beginning is kept, and the log says how much is missing."""
    engine, _ = hooked(tmp_path, failed=(f"yes | head -c {9 * MOST_OUTPUT}",))
    assert engine.run().exit_code == 1
    log = (tmp_path / ".nova" / "hooks.log").read_bytes()
    assert MOST_OUTPUT < len(log) < MOST_OUTPUT + 1000
    assert b"more bytes left out]" in log


def test_a_hook_that_reads_nothing_is_not_waited_for(tmp_path: Path) -> None:
    """Input larger than any pipe does not stop a hook that never reads it."""
    rows = [("A", "-"), *((f"B{n:050}", "A") for n in range(2_000))]
    config = Config(hooks=HooksConfig(blocked=("echo $NOVA_BLOCKED_COUNT > said",)))
    engine, _ = make_engine(tmp_path, rows, outcome=exits(3), config=config)
    engine.run()
    assert (tmp_path / "said").read_text() == "2000\n"


def test_too_many_hooks_are_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The queue is bounded: further hooks do not run, and one warning says so."""
    monkeypatch.setattr(reporting, "MOST_WAITING", 2)
    complain = hooks.Hooks._complain

    def release(self: hooks.Hooks, *about: str) -> None:
        (tmp_path / "dropped").touch()
        complain(self, *about)

    monkeypatch.setattr(hooks.Hooks, "_complain", release)
    rows = [(f"A{n}", "-") for n in range(9)]
    line = "echo x >> said; until [ -e dropped ]; do sleep 0.01; done"
    config = Config(hooks=HooksConfig(failed=(line,), timeout=60.0))
    engine, _ = make_engine(tmp_path, rows, outcome=exits(3), config=config, max_workers=9)
    warnings = warnings_of(engine)
    engine.run()
    assert len([text for text in warnings if "more than 2 hooks are waiting" in text]) == 1
    assert 1 <= len((tmp_path / "said").read_text().splitlines()) < 9


def test_the_log_is_private_and_never_a_link(tmp_path: Path) -> None:
    """A link in place of the log is not followed, and the hook still runs; a full log is replaced by a new one."""
    engine, warnings = hooked(tmp_path, failed=("echo out; echo ran > said",))
    log = tmp_path / ".nova" / "hooks.log"
    (tmp_path / "victim").write_text("precious\n")
    log.symlink_to(tmp_path / "victim")
    engine.run()
    assert (tmp_path / "said").exists()
    assert (tmp_path / "victim").read_text() == "precious\n"
    log.unlink()
    log.write_bytes(b"x" * (MOST_LOG + 1))
    again, _ = hooked(tmp_path, finished=("echo out",))
    again.run()
    assert log.stat().st_size < 1000
    assert log.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / ".nova" / "hooks.log.old").stat().st_size > MOST_LOG
    assert warnings == []


NEEDS_A_PERSON: list[tuple[EventKind, dict[str, str] | None, str]] = [
    (EventKind.TASK_WAITING, {}, "waiting"),
    (EventKind.TASK_RETRYING, {"verdict": "asked", "error": "asked: it asked: Overwrite?"}, "asked"),
    (EventKind.TASK_RETRYING, {"verdict": "failed"}, ""),
    (EventKind.RUN_PAUSED, None, "paused"),
    (EventKind.PROVIDER_PAUSED, None, "limited"),
    (EventKind.PROVIDER_RESUMED, None, ""),
    (EventKind.BUDGET_REACHED, None, "budget"),
    (EventKind.TASK_FAILED, {"verdict": "asked", "error": "asked: it asked: Why?"}, "asked failed"),
]  # fmt: skip


def test_what_needs_a_person_has_its_hooks(tmp_path: Path) -> None:
    """A task that waits for approval or asked, a pause, a limit, the budget: each once, in order, with its words."""
    project = Project(tmp_path)
    project.make_dirs()
    store = Store(project)
    names = [name for *_, found in NEEDS_A_PERSON for name in found.split()]
    line = 'echo "$NOVA_EVENT: $NOVA_MESSAGE" >> said'
    config = msgspec.structs.replace(HooksConfig(), **dict.fromkeys(names, (line,)))
    listener = hooks.Hooks(project, parse_cascade(write_plan(tmp_path, CHAIN)), store, config)
    listener.begin()
    store.listeners.append(listener.see)
    for kind, patch, _ in NEEDS_A_PERSON:
        store.record(kind, None if patch is None else "A", f"the message of {kind}", **(patch or {}))
    assert store.flush()
    listener.finish(None, lambda: False)
    listener.close()
    store.close()
    said = (tmp_path / "said").read_text().splitlines()
    assert [text.partition(":")[0] for text in said] == names
    assert "waiting: the message of task_waiting" in said
    assert [text for text in said if text.startswith("asked")] == [
        "asked: A: it asked: Overwrite?", "asked: A: it asked: Why?",
    ]  # fmt: skip
    assert names_of(Event(1, "", EventKind.TASK_COMPLETED, "A"), "asked") == ()


# once


def test_a_hook_waits_until_its_event_is_on_disk(tmp_path: Path) -> None:
    """An event that a crash could still undo has no hook yet: the next engine would report it again."""
    project = Project(tmp_path)
    project.make_dirs()
    store = Store(project)
    listener = hooks.Hooks(
        project, parse_cascade(write_plan(tmp_path, CHAIN)), store, HooksConfig(failed=("echo ran > said",))
    )
    listener.begin()
    store.listeners.append(listener.see)
    store.record(EventKind.TASK_FAILED, "A", "A failed", status=TaskStatus.FAILED)
    listener.finish(None, lambda: False)
    assert not (tmp_path / "said").exists()
    assert store.flush()
    listener.finish(None, lambda: False)
    assert (tmp_path / "said").read_text() == "ran\n"
    listener.close()
    store.close()


def test_hooks_are_not_run_again_after_a_kill(tmp_path: Path) -> None:
    """An engine that takes over from a killed one repeats neither the start nor the old failure, but reports the
    end."""
    (tmp_path / "CASCADE.md").write_text(
        HEAD
        + "| A | a | `exit 3` | - |\n| B | b | `until test -e go; do sleep 0.05; done` | - |\n| C | c | `true` | A |\n"
    )
    (tmp_path / "nova.yaml").write_text(all_hooks(TELL))
    engine = start_nova(tmp_path, "run")
    wait_for(lambda: len(told(tmp_path)) == 3, "start, failure and what it blocks are reported")
    kill(engine.pid)
    engine.wait()
    (tmp_path / "go").touch()
    assert nova(tmp_path, "run").returncode == 1
    assert [one["event"] for one in told(tmp_path)] == ["started", "failed", "blocked", "finished"]
    assert nova(tmp_path, "run").returncode == 1
    assert [one["event"] for one in told(tmp_path)][4:] == ["started", "finished"]


def test_a_hook_does_not_outlive_its_time_when_the_engine_is_killed(tmp_path: Path) -> None:
    """The time limit is kept by a process of its own."""
    (tmp_path / "CASCADE.md").write_text(HEAD + "| A | a | `sleep 0.1` | - |\n")
    (tmp_path / "nova.yaml").write_text("hooks: {started: touch begun; sleep 987, timeout: 4s}\n")
    engine = start_nova(tmp_path, "run")
    wait_for(lambda: (tmp_path / "begun").exists(), "the hook runs")
    kill(engine.pid)
    engine.wait()
    wait_for(lambda: not processes_of(tmp_path), "the hook is ended")
    assert "--- ended: too long" in (tmp_path / ".nova" / "hooks.log").read_text()


def test_a_run_that_is_handed_over_continues(tmp_path: Path) -> None:
    """Leaving a run to another engine is not an end, and the other engine's start is not a start of the run."""
    lines = {"started": ("echo started >> said",), "finished": ("echo finished >> said",)}
    engine, _ = hooked(tmp_path, **lines)
    engine.detach()
    engine.run()
    assert (tmp_path / "said").read_text() == "started\n"
    other, _ = hooked(tmp_path, **lines)
    other.run()
    assert (tmp_path / "said").read_text() == "started\nfinished\n"


@pytest.mark.parametrize("leave", [Orchestrator.stop, Orchestrator.detach])
def test_leaving_does_not_wait_for_hooks(tmp_path: Path, leave: Callable[[Orchestrator], None]) -> None:
    """Stopping or leaving the run while the engine waits for a hook ends the hook at once."""
    engine, warnings = hooked(tmp_path, failed=("touch begun; sleep 987",), timeout=900.0)
    source = LiveSource(lambda: engine)
    source.start()
    wait_for(lambda: (tmp_path / "begun").exists(), "the hook runs")
    wait_for(lambda: engine.store.project.name and "run_ended" in kinds(tmp_path), "the engine waits")
    leave(engine)
    assert source.join(60)
    assert [text for text in warnings if "was stopped" in text]
    assert processes_of(tmp_path) == []
    source.close()


def kinds(folder: Path) -> list[str]:
    """The kinds of events on disk."""
    import sqlite3

    with sqlite3.connect(folder / ".nova" / "nova.db") as history:
        return [kind for (kind,) in history.execute("SELECT kind FROM events")]


def test_hooks_belong_to_the_engine(tmp_path: Path) -> None:
    """A run in the interface runs its hooks, too."""
    source = LiveSource(lambda: hooked(tmp_path, failed=(TELL,), finished=(TELL,))[0])
    source.start()
    assert source.join(60)
    source.close()
    assert [one["event"] for one in told(tmp_path)] == ["failed", "finished"]


def test_looking_runs_no_hook(tmp_path: Path) -> None:
    """Checking, previewing and changing the saved state start no hooks."""
    write_plan(tmp_path, CHAIN)
    (tmp_path / "nova.yaml").write_text(all_hooks(TELL))
    for arguments in (("check",), ("run", "-n"), ("run", "--explain"), ("graph",), ("config",), ("status",)):
        nova(tmp_path, *arguments)
    assert told(tmp_path) == []
    assert nova(tmp_path, "run").returncode == 0
    before = len(told(tmp_path))
    assert nova(tmp_path, "retry", "A").returncode == 0
    assert len(told(tmp_path)) == before


# settings


def test_settings(tmp_path: Path) -> None:
    """One line or a list of them, and the time limit of each."""
    path = tmp_path / "nova.yaml"
    path.write_text("hooks:\n  failed: ./notify.sh 'a b'\n  finished: [one, two]\n  timeout: 1m\n")
    found = load_config(path, environ={}).hooks
    assert found == HooksConfig(failed=("./notify.sh 'a b'",), finished=("one", "two"), timeout=60.0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hooks: ./x", "hooks: must be a mapping"),
        ("hooks: {done: ./x}", "hooks.done: unknown setting"),
        ("hooks: {failed: {a: b}}", "hooks.failed: must be text, not a mapping"),
        ("hooks: {failed: [a, [b]]}", "hooks.failed: must be text, not a list"),
        ('hooks: {failed: "a\\0b"}', "hooks.failed: must not contain a NUL character"),
        ("hooks: {timeout: 0}", "hooks.timeout: must be more than 0"),
    ],
)
def test_mistakes_in_settings(tmp_path: Path, text: str, message: str) -> None:
    """An invalid hook is reported with its key."""
    path = tmp_path / "nova.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        load_config(path, environ={})
