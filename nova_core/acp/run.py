"""`nova acp-run`: reads the prompt from standard input, prints the messages of the protocol, and exits with a code."""

from __future__ import annotations

import os
import signal
import sys

from nova_core.acp.connection import AgentGoneError, RequestError
from nova_core.acp.journal import Journal
from nova_core.acp.permissions import POLICIES
from nova_core.acp.session import Client, Wishes

HELP = """\
usage: nova acp-run [OPTIONS] -- COMMAND...

Give the prompt on standard input to an agent that speaks the Agent Client Protocol, and print the messages of the
protocol, one a line. Nova starts it for agents with `kind: acp`; `nova parse-log --agent acp` reads what it prints.

options:
  --permissions POLICY   safe (default), shell, bypass, or ask: what the agent may do
  --ask-timeout SECONDS  how long a question to a person may wait; 0 for any time. Without it nobody is asked
  --session ID           resume this session
  --model NAME           the model, as the agent names it
  --mode NAME            the mode, as the agent names it
  --auth METHOD          log in by this method of the agent
  -h, --help             show this and exit

example:
  echo "add a README" | nova acp-run -- gemini --acp
"""
_OPTIONS = ("--permissions", "--ask-timeout", "--session", "--model", "--mode", "--auth")
_MOST_PROMPT = 16 << 20  # bytes
_NOT_FOUND = 127


class _UsageError(Exception):
    pass


def read_options(arguments: list[str]) -> tuple[dict[str, str], list[str]]:
    """Returns the options and the agent's command. Raises `_UsageError`."""
    given: dict[str, str] = {}
    rest = list(arguments)
    while rest and rest[0] != "--":
        name, equals, value = rest.pop(0).partition("=")
        if name not in _OPTIONS:
            raise _UsageError(f"unknown option {name[:80]!r}")
        if not equals:
            if not rest or rest[0] == "--":
                raise _UsageError(f"{name} needs a value")
            value = rest.pop(0)
        given[name] = value
    if given.get("--permissions", "safe") not in POLICIES:
        raise _UsageError(f"--permissions is one of {', '.join(POLICIES)}")
    if not rest[1:]:
        raise _UsageError("write the agent's command after `--`")
    return given, rest[1:]


def wishes_of(given: dict[str, str], prompt: str) -> Wishes:
    """What the options ask for. Raises `_UsageError`."""
    try:
        patience = float(given.get("--ask-timeout", "-1"))
    except ValueError:
        raise _UsageError("--ask-timeout is a number of seconds") from None
    names = {name: given.get(f"--{name}", "") for name in ("session", "model", "mode", "auth")}
    return Wishes(prompt, given.get("--permissions", "safe"), patience, **names)


def main(arguments: list[str]) -> int:
    """Returns 0 if the agent ended its turn by itself, 1 if not, 2 for a usage error, 127 without the agent."""
    if "-h" in arguments[:1] or "--help" in arguments[:1]:
        sys.stdout.write(HELP)
        return 0
    try:
        given, argv = read_options(arguments)
        wishes = wishes_of(given, sys.stdin.buffer.read(_MOST_PROMPT).decode("utf-8", "replace"))
    except _UsageError as error:
        sys.stderr.write(f"nova acp-run: {error}\nhint: `nova acp-run --help` shows how it is used\n")
        return 2
    journal = Journal()
    try:
        client = Client(argv, wishes, journal)
    except OSError as error:
        sys.stderr.write(f"nova acp-run: cannot start {argv[0]}: {error.strerror}\n")
        return _NOT_FOUND
    return _converse(client, journal)


def _converse(client: Client, journal: Journal) -> int:
    asked: list[int] = []

    def stop(number: int, _: object) -> None:
        asked.append(number)
        client.stop()
        if len(asked) > 1:
            client.agent.signal(signal.SIGTERM)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    code = 1
    try:
        code = 0 if client.run() == "end_turn" else 1
    except RequestError as error:
        journal.note("failed", error=str(error))
    except AgentGoneError as error:
        journal.note("gone", error=str(error))
    except BrokenPipeError:
        pass  # nobody reads what is printed
    journal.flush()
    ended = client.agent.close()
    if code and not asked:
        journal.note("ended", code=ended)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    if asked:
        os.kill(os.getpid(), asked[0])
    return code
