"""The signals of a holder: each wakes its loop, and none ends it."""

from __future__ import annotations

import os
from select import POLLIN, poll
from signal import SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, set_wakeup_fd, signal


def wake_by_signals(poller: poll) -> int:
    """Returns a descriptor, known to `poller`, that is readable after a signal."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    # A handler, not SIG_IGN: an ignored signal stays ignored across exec.
    for number in (SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGCHLD):
        signal(number, lambda *_: None)
    set_wakeup_fd(writer, warn_on_full_buffer=False)
    poller.register(reader, POLLIN)
    return reader
