"""What is typed is delivered in the order of the keys."""

from __future__ import annotations

import threading

from nova_core.command import Command, CommandKind
from nova_core.watch.typist import Typist


def key(text: str, *, task: str = "A", by: str = "ada") -> Command:
    """The command of one key."""
    return Command(CommandKind.TYPE, (task,), text, by=by)


def test_keys_that_wait_go_together_and_in_order() -> None:
    """While the first is delivered, the others wait; another task, size or person starts another command."""
    begun, may_go, done = threading.Event(), threading.Event(), threading.Event()
    delivered: list[Command] = []

    def deliver(command: Command) -> None:
        begun.set()
        may_go.wait(60)
        delivered.append(command)
        if command.text == "end":
            done.set()

    typist = Typist(deliver)
    typist.send(key("1"))
    assert begun.wait(60)
    size = Command(CommandKind.RESIZE, ("A",), "80x24")
    for command in (key("a"), key("b"), size, key("c"), key("d", task="B"), key("e", task="B"), key("end", by="bob")):
        typist.send(command)
    may_go.set()
    assert done.wait(60)
    assert delivered == [key("1"), key("ab"), size, key("c"), key("de", task="B"), key("end", by="bob")]
