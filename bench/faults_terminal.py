"""A shell's part on a terminal: lead the session, run a command in the foreground group, keep its exit code.

`faults_terminal.py FILE COMMAND...`: FILE gets the pid of the command when it starts, FILE.code its exit code.
"""

from __future__ import annotations

import os
import signal
import sys


def run(pid_file: str, command: list[str]) -> None:
    """Run the command as an interactive shell does."""
    pid = os.fork()
    if pid == 0:
        os.setpgid(0, 0)
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        os.tcsetpgrp(0, os.getpid())
        signal.signal(signal.SIGTTOU, signal.SIG_DFL)
        os.execvp(command[0], command)
    write(pid_file, pid)
    _, status = os.waitpid(pid, 0)
    write(f"{pid_file}.code", os.waitstatus_to_exitcode(status))


def write(path: str, number: int) -> None:
    """The file is there only when it is whole."""
    with open(f"{path}.new", "w") as file:
        file.write(str(number))
    os.rename(f"{path}.new", path)


if __name__ == "__main__":
    run(sys.argv[1], sys.argv[2:])
