"""`nova acp-run` with a scripted agent: real processes, whatever the agent does."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest
from cli_process import WARM, command, environment
from printed import read_log
from processes import wait_for
from warm import Started

from nova_core.acp import answers
from nova_core.acp.run import main
from nova_core.agents.log import AgentLog

AGENT = str(Path(__file__).parents[1] / "kits" / "acp_agent.py")
SECRET = b"k" * 32
PATIENCE = 60.0


class Running:
    """The command, and what it prints."""

    def __init__(self, process: Started, stdout: IO[bytes]) -> None:
        self.wait, self.poll, self.send_signal = process.wait, process.poll, process.send_signal
        self.stdout = stdout


def start(folder: Path, *steps: str, options: tuple[str, ...] = (), **env: str) -> Running:
    """Start the command in the folder, which has an inbox, with a prompt."""
    (folder / "inbox" / "ack").mkdir(parents=True, exist_ok=True)
    (folder / "secret").write_bytes(SECRET)
    variables = {"NOVA_INBOX": str(folder / "inbox"), "NOVA_TASK_ID": "F1", "NOVA_ATTEMPT": "2", "HOME": str(folder)}
    (folder / "prompt").write_bytes(b"do it")
    output, sink = os.pipe()
    with open(folder / "prompt", "rb") as prompt:
        argv = ("acp-run", *options, "--", sys.executable, AGENT, *steps)
        process = WARM.start(argv, folder, environment({**variables, **env}), [prompt.fileno(), sink, sink])
    os.close(sink)
    assert process is not None
    return Running(process, open(output, "rb"))


def finish(process: Running) -> tuple[int, AgentLog, str]:
    """The exit code, what Nova reads, and what was printed."""
    with process.stdout:
        text = process.stdout.read().decode()
    return process.wait(PATIENCE), read_log("acp", *text.splitlines()), text


@pytest.mark.parametrize(
    ("steps", "options", "code", "verdict", "words"),
    [
        (["use=1", "edit=new.txt", "say=Done."], (), 0, "done", "new.txt"),
        (["run=touch ran.txt", "say=Done."], (), 0, "permission_denied", "run it"),
        (["run=touch ran.txt", "say=Done."], ("--permissions", "shell"), 0, "done", "touch ran.txt"),
        (["run=touch ran.txt", "say=Done."], ("--permissions", "ask"), 0, "permission_denied", "nobody to ask"),
        (["run=touch ran.txt"], ("--permissions=ask", "--ask-timeout", "0.01"), 0, "permission_denied", "in time"),
        (["say=Hm.", "die=3"], (), 1, "interrupted", "it broke"),
        (["rubbish", "early", "huge=90000", "flood=2000", "say=end"], (), 0, "done", "word1999 end"),
        (["fail=429 Too many requests"], (), 1, "rate_limited", "429"),
        (["nologin"], (), 1, "bad_credentials", "Authentication required"),
        (["say=Done."], ("--model", "big"), 0, "done", '"modelId":"m2"'),
        (["say=Done."], ("--model", "huge"), 1, "failed", "it has no model huge; it has m1, m2"),
        (["say=Done."], ("--session", "s-1"), 0, "done", "words of before"),
        (["noresume", "say=Done."], ("--session", "s-1"), 1, "failed", "cannot resume"),
        (["boasts", "say=Done."], ("--session", "s-1"), 0, "done", "words of before"),
        (["boasts", "noresume", "say=Done."], ("--session", "s-1"), 1, "failed", "Method not found"),
        (["stop=max_tokens"], (), 1, "limit_reached", ""),
    ],
)
def test_what_an_agent_may_do(
    steps: list[str], options: tuple[str, ...], code: int, verdict: str, words: str, tmp_path: Path
) -> None:
    """Every way of an agent ends with a verdict; what its policy does not allow is not done."""
    found, log, text = finish(start(tmp_path, *steps, options=options))
    outcome = log.outcome(found, {})
    assert (found, outcome.verdict) == (code, verdict), text
    assert words in text + outcome.reason
    assert (tmp_path / "ran.txt").exists() is ("shell" in options and steps[0] == "run=touch ran.txt")
    assert len(text) < 50_000


@pytest.mark.parametrize(
    ("options", "does"),
    [((), False), (("--permissions", "bypass"), True), (("--mode", "auto"), True)],
)  # fmt: skip
def test_an_agent_that_would_not_ask_is_made_to_ask(options: tuple[str, ...], does: bool, tmp_path: Path) -> None:
    """It begins in a mode in which it decides itself; only `bypass`, or your own choice, leaves it there."""
    found, log, text = finish(start(tmp_path, "auto", "run=touch ran.txt", "say=Done.", options=options))
    assert (tmp_path / "ran.txt").exists() is does, text
    assert log.outcome(found, {}).verdict == ("done" if does else "permission_denied")


def questions(process: Running, seen: list[str]) -> Iterator[dict[str, Any]]:
    """The questions that it prints; all lines are kept in `seen`."""
    for line in process.stdout:
        seen.append(line.decode())
        message = json.loads(line)
        if message.get("method") == "_nova/question":
            yield message["params"]


def give(folder: Path, key: str, *, allow: bool, secret: bytes = SECRET, attempt: int = 2) -> None:
    """Write an answer as the engine does: whole, under its name."""
    path = folder / "inbox" / "ack" / answers.file_name("F1", 2, key)
    draft = folder / "inbox" / key
    draft.write_bytes(answers.encode(secret, "F1", attempt, key, allow=allow))
    draft.rename(path)


def test_a_person_answers_call_by_call(tmp_path: Path) -> None:
    """Two questions at once: each gets its own answer, and only an answer with the project's key counts."""
    options = ("--permissions", "ask", "--ask-timeout", "0")
    process, seen = start(tmp_path, "two", "say=Done.", options=options), list[str]()
    asked = questions(process, seen)
    first, second = next(asked), next(asked)
    assert {first["words"], second["words"]} == {"run: echo a > a.txt", "run: echo b > b.txt"}
    path = tmp_path / "inbox" / "ack" / answers.file_name("F1", 2, first["key"])
    for forged in ({"secret": b"x" * 32}, {"attempt": 3}):
        give(tmp_path, first["key"], allow=True, **forged)
        wait_for(lambda: not path.exists() or process.poll() is not None, "the answer is read")
        assert process.poll() is None
    give(tmp_path, first["key"], allow=False)
    give(tmp_path, second["key"], allow=True)
    assert list(asked) == []
    log = read_log("acp", *"".join(seen).splitlines())
    assert (process.wait(PATIENCE), list(log.denied), log.question) == (0, ["run it"], None)
    made = {name for name in ("a", "b") if (tmp_path / f"{name}.txt").exists()}
    assert made == {second["words"].split()[2]}


@pytest.mark.parametrize("steps", [["wait"], ["run=touch ran.txt"], ["hang"]])
def test_an_interrupt_cancels_the_turn(steps: list[str], tmp_path: Path) -> None:
    """On SIGINT the agent is asked to end its turn, and a second signal ends what does not; nothing more is done."""
    options = ("--permissions", "ask", "--ask-timeout", "0")
    process, seen = start(tmp_path, "use=1", *steps, options=options), list[str]()
    for line in process.stdout:
        seen.append(line.decode())
        if "_nova/question" in seen[-1] or ("run" not in steps[0] and "session/prompt" in seen[-1]):
            break
    process.send_signal(signal.SIGINT)
    if steps == ["hang"]:
        process.send_signal(signal.SIGTERM)
    code, _, text = finish(process)
    log = read_log("acp", *"".join(seen).splitlines(), *text.splitlines())
    assert (code, (tmp_path / "ran.txt").exists()) == (-signal.SIGINT, False)
    assert log.outcome(code, {}).verdict == ("permission_denied" if "run" in steps[0] else "interrupted")
    if steps == ["wait"]:
        assert log.usage.input_tokens == 100


def test_a_command_that_is_no_agent(tmp_path: Path) -> None:
    """What cannot be started is said in one line; a program that ends at once says why itself."""
    done = subprocess.run(
        command("acp-run", "--", "/nonexistent/agent"), cwd=tmp_path, env=environment(), input=b"", capture_output=True,
        check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (
        127,
        b"nova acp-run: cannot start /nonexistent/agent: No such file or directory\n",
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "after `--`"),
        (["--"], "after `--`"),
        (["--permissions", "all", "--", "x"], "safe, shell, bypass, ask"),
        (["--model", "--", "x"], "needs a value"),
        (["--ask-timeout", "soon", "--", "x"], "number of seconds"),
        (["--colour", "--", "x"], "unknown option"),
    ],
)
def test_usage_errors(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line, a hint, exit code 2."""
    monkeypatch.setattr("sys.stdin", open(os.devnull))  # noqa: SIM115
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert words in said
    assert "hint:" in said


def test_it_starts_without_heavy_imports() -> None:
    """One runs beside each agent: nothing of the engine or the command line is loaded."""
    code = "import nova_core.acp.run, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    own = {name for name in loaded if name.startswith("nova_core.")}
    assert {name.split(".")[1] for name in own} == {"acp", "digest", "holder"}
    assert not loaded & {"asyncio", "typer", "rich", "yaml", "sqlite3", "pydantic", "hashlib"}
