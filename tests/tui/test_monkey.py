"""Random input ends nothing and causes no report. `make monkey` does the same for longer."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from app_kit import beat, opened, settled
from fake_source import demo_source
from monkey import Monkey
from processes import at_home, holders_of, processes_of
from pty_kit import Terminal, environment, nova, nova_tui
from sampling import some
from scripted_run import PLAN
from textual.message import Message

from nova_core.errors import InputError
from nova_core.files.lock import engine_alive
from nova_core.files.project import Project
from nova_core.holder.process_tree import Table, end_all
from nova_core.parser import parse_text
from nova_core.state.schema import TaskStatus
from nova_core.watch.source import EngineState
from nova_tui.compat import Translator
from nova_tui.input_bytes import LATER, SOON, Decoder

LONG, SEEDS = float(os.environ.get("NOVA_TEST_SECONDS", "30")), int(os.environ.get("NOVA_TEST_SEEDS", "20"))
TASKS = """# Monkey

## L1: One

### L2: A

| Task ID | Task Name | Command | Depends On | Approval | Retries |
|---|---|---|---|---|---|
| A1 | first | `sleep 1; echo one` | - | - | - |
| A2 | fails | `echo bad >&2; exit 2` | - | - | 2 |
| A3 | asks | `echo q` | A1 | yes | - |
| A4 | long ⚠️ | `for i in $(seq 600); do printf "\\r\\033[31ml $i 漢字"; sleep 0.2; done` | - | - | - |

## L1: Two

### L2: B

| Task ID | Task Name | Command | Depends On | Approval | Retries |
|---|---|---|---|---|---|
| B1 | after | `echo b` | A2 | - | - |
| B2 | wide 漢字 | `printf '\\377\\033[5Gx\\n'` | A1 | - | - |
| B3 | longer | `sleep 300` | - | - | - |
"""


@pytest.mark.parametrize("seed", some([1, 2], 1))
async def test_random_input_on_a_run_that_changes(seed: int, tmp_path: Path) -> None:
    """Packet after packet, while tasks change, the plan loses tasks, the window its size, and the run its engine."""
    monkey, source = Monkey(seed), demo_source(tmp_path)
    decoder, translator = Decoder(), Translator()
    async with opened(source, (100, 30)) as (app, pilot):
        for _ in range(60):
            tokens = [*decoder.feed(monkey.packet()), *decoder.rest(SOON), *decoder.rest(LATER)]
            messages: list[Message] = [message for token in tokens for message in translator.messages(token)]
            for message in messages:
                app.post_message(message)
            if monkey.chance(0.05):
                with_edits = monkey.edited(PLAN)
                try:
                    source.replan(parse_text(with_edits, "CASCADE.md"))
                except InputError:
                    continue  # as an engine, which keeps the old plan
            if monkey.chance(0.05):
                await pilot.resize_terminal(*monkey.size())
            if monkey.chance(0.03):
                source.turn(list(EngineState)[monkey.number(len(EngineState)) - 1])
            if monkey.chance(0.1):
                tasks = list(source.cascade.tasks)
                status = list(TaskStatus)[monkey.number(len(TaskStatus)) - 1]
                source.change(tasks[monkey.number(len(tasks)) - 1], status=status)
            await asyncio.sleep(0)
            if app.screen_stack and monkey.chance(0.3):
                beat(app)
            if app._exit:  # an entry of the palette that leaves
                break
        await settled(pilot)
        assert app.failure is None, monkey.done[-20:]
        assert app._failed_at in (None, float("-inf")), monkey.done[-20:]


def play(root: Path, seed: int, seconds: float, *, attached: bool) -> None:
    """Random bytes on a real terminal; fails when the interface ends by itself, or reports a bug."""
    monkey, argv = Monkey(seed), nova("attach", "--control") if attached else nova_tui()
    (root / "CASCADE.md").write_text(TASKS)
    if attached:
        subprocess.run(nova("run", "--detach"), cwd=root, env=environment(), check=True, capture_output=True)
    until = 0.0
    while not until or time.monotonic() < until:
        with Terminal(argv, root, size=(100, 30), env={"PAGER": "true"}) as terminal:
            terminal.wait("longer")
            until = until or time.monotonic() + seconds
            while terminal.exit_code() is None and time.monotonic() < until:
                act(monkey, terminal, root, attached=attached)
            reports = [path.read_text() for path in root.rglob(".nova/crash-*.txt")]
            assert not reports, (monkey.done[-20:], reports[0])
            code = terminal.exit_code()  # an entry of the palette leaves
            assert code in (None, 0, 1, 4), (code, monkey.done[-20:], terminal.after_screen())


def act(monkey: Monkey, terminal: Terminal, root: Path, *, attached: bool) -> None:
    """Send a packet, and sometimes do something else."""
    if not terminal.write(monkey.packet()):
        terminal.wait_exit()
    terminal.read(0.02)
    if monkey.chance(0.01):
        new = root / "CASCADE.new"
        new.write_text(monkey.edited(TASKS))
        new.replace(root / "CASCADE.md")
    if monkey.chance(0.01):
        terminal.resize(*monkey.size())
    engine = engine_alive(Project(root).lock_file) if attached and monkey.chance(0.005) else None
    # The interface itself holds the lock while it changes the state without an engine.
    if engine and engine.pid and engine.pid != terminal.pid:
        os.kill(engine.pid, signal.SIGKILL)


def end(root: Path) -> None:
    """End all that works in the folder: an engine that the keys have started, too, and workers of a lost row."""

    def found(table: Table) -> set[int]:
        return {*at_home(root), *holders_of(root), *processes_of(root)} & table.keys() - {os.getpid()}

    subprocess.run(nova("cancel", "--all"), cwd=root, env=environment(), check=False, capture_output=True)
    _, survivors = end_all(found, limit=60.0)
    assert not survivors


@pytest.mark.parametrize("attached", some([False, True], True))
def test_random_bytes_on_a_terminal(attached: bool, tmp_path: Path) -> None:
    """A second of what `make monkey` does."""
    try:
        play(tmp_path, 5, 1, attached=attached)
    finally:
        end(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(SEEDS))
def test_random_bytes_for_long(seed: int, tmp_path: Path) -> None:
    """On a run of its own, and on that of another process, whose engine is killed now and then."""
    try:
        play(tmp_path, seed, LONG, attached=seed % 2 == 1)
    finally:
        end(tmp_path)
