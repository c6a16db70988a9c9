"""What action keys ask for, and when they do nothing."""

from __future__ import annotations

import asyncio

from app_kit import at, drive, opened, settled
from fake_source import demo_source

from nova_core.command import Command, CommandKind

SENT = [
    ("P4", ("r",), Command(CommandKind.RETRY, ("P4",))),
    ("P1", ("r", "y"), Command(CommandKind.RETRY, ("P1",))),
    ("P1", ("r", "enter"), Command(CommandKind.RETRY, ("P1",), downstream=True)),
    ("P1", ("r", "a"), Command(CommandKind.RETRY, ("P1",), downstream=True)),
    ("E2", ("x", "y"), Command(CommandKind.CANCEL, ("E2",))),
    ("E2", ("X", "enter"), Command(CommandKind.CANCEL, ("E2",), kill=True)),
    ("P4", ("s", "y"), Command(CommandKind.SKIP, ("P4",))),
    ("D2", ("a",), Command(CommandKind.APPROVE, ("D2",))),
    ("D2", ("R", "b", "a", "d", "enter"), Command(CommandKind.REJECT, ("D2",), text="bad")),
    ("P4", ("p",), Command(CommandKind.PAUSE)),
    ("P4", ("plus",), Command(CommandKind.JOBS, text="+1")),
    ("P4", ("minus",), Command(CommandKind.JOBS, text="-1")),
]


NOTHING = [("E2", ("r",)), ("P1", ("x",)), ("P1", ("r", "n")), ("E2", ("x", "escape")), ("P4", ("a",)), ("E4", ("r",))]


async def test_keys_send_their_commands() -> None:
    """What cannot be undone is sent only after a yes; nothing on a task of another status, nor after a no."""
    source = demo_source()
    async with opened(source) as (app, pilot):
        for task, keys, commands in [*((t, k, []) for t, k in NOTHING), *((t, k, [c]) for t, k, c in SENT)]:
            at(app, task)
            await settled(pilot)
            await pilot.press(*keys)
            await settled(pilot)
            assert (task, keys, source.sent) == (task, keys, commands)
            source.sent.clear()


def test_a_view_without_control_cannot_act() -> None:
    """No key sends a command, and none is offered."""
    source = demo_source(read_only=True)
    drive(source, "r", "s", "p", "plus", "ctrl+c")
    assert source.sent == []

    async def offered() -> set[str]:
        async with opened(demo_source(read_only=True)) as (app, pilot):
            at(app, "P4")
            await settled(pilot)
            return {active.binding.action for active in app.screen.active_bindings.values()}

    assert not asyncio.run(offered()) & {"retry", "cancel", "kill", "skip", "approve", "reject", "pause", "workers(1)"}


def test_p_resumes_a_paused_run() -> None:
    """The same key does the opposite."""
    source = demo_source()
    source.change("P4")
    source.run = source.run.__class__(id="r1", paused=True)
    drive(source, "p")
    assert source.sent == [Command(CommandKind.RESUME)]
