"""`python trees.py KIND TAG`: eleven kinds of worker that are hard to end, TAG in all their arguments."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable

KINDS = (
    "plain", "deep", "ownpgrp", "setsid", "orphan_mid", "dfork", "daemon", "daemon_noenv", "ignterm", "respawn",
    "leader_exits",
)  # fmt: skip


def sleeper(tag: str, env: dict[str, str] | None = None) -> None:
    """Become a shell that sleeps forever in small steps."""
    argv = ["/bin/sh", "-c", f"while :; do sleep 0.3; done # {tag}"]
    os.execve(argv[0], argv, dict(os.environ) if env is None else env)


def child(work: Callable[[], object]) -> int:
    """Fork a child that does `work`; returns its pid."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(9)
    return pid


def daemon(tag: str, env: dict[str, str] | None = None, *, scrub: bool = True) -> None:
    """Fork twice with a session of its own in between, as daemon(3) does. With another `env`, wait until it is in
    effect."""
    reader, writer = os.pipe()  # exec closes it

    def middle() -> None:
        os.setsid()
        if scrub:
            null = os.open("/dev/null", os.O_RDWR)
            for fd in (0, 1, 2):
                os.dup2(null, fd)
            os.closerange(3, writer)
            os.closerange(writer + 1, 256)
        child(lambda: sleeper(tag, env))
        os._exit(0)

    os.waitpid(child(middle), 0)
    os.close(writer)
    if env is not None:
        os.read(reader, 1)


def spawner(tag: str) -> None:
    """Fork a new child every 2 ms: faster than a scan of the process table."""
    os.setsid()
    for _ in range(2000):
        child(lambda: sleeper(tag))
        time.sleep(0.002)
    time.sleep(99)


def orphan(tag: str) -> None:
    """Leave an orphaned child in the same session."""
    child(lambda: sleeper(tag))
    os._exit(0)


def ignore_term(tag: str) -> None:
    """Ignore TERM and HUP, in the child too."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    child(lambda: sleeper(tag))


def grow(kind: str, tag: str) -> None:
    """Build the tree."""
    works: dict[str, Callable[[], object]] = {
        "plain": lambda: child(lambda: sleeper(tag)),
        "deep": lambda: child(lambda: (child(lambda: (child(lambda: sleeper(tag)), time.sleep(99))), time.sleep(99))),
        "ownpgrp": lambda: child(lambda: (os.setpgid(0, 0), sleeper(tag))),
        "setsid": lambda: child(lambda: (os.setsid(), sleeper(tag))),
        "orphan_mid": lambda: os.waitpid(child(lambda: orphan(tag)), 0),
        "dfork": lambda: daemon(tag, scrub=False),
        "daemon": lambda: daemon(tag),
        "daemon_noenv": lambda: daemon(tag, {"PATH": "/bin:/usr/bin"}),
        "ignterm": lambda: ignore_term(tag),
        "respawn": lambda: child(lambda: spawner(tag)),
        "leader_exits": lambda: daemon(tag),
    }
    works[kind]()


if __name__ == "__main__":
    grow(sys.argv[1], sys.argv[2])
    print("ready", flush=True)
    natural = len(sys.argv) > 3 or sys.argv[1] == "leader_exits"
    if not natural:
        time.sleep(99)
    os._exit(0)
