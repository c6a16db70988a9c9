"""A holder obeys only engines that know the project's key."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest
from executor_kit import Lab, alive, until
from sampling import sampled

from nova_core.errors import EnvironmentProblem
from nova_core.executors.base import EndReason, Started
from nova_core.holder.proof import is_proof, load_key, prove

JOB = {
    "key": "evil", "argv": ["touch", "evil"], "shell": "", "cwd": ".", "env": {}, "log": "evil.log", "timeout": 0.0,
    "idle_timeout": 0.0, "grace": 1.0, "log_limit": 0, "stdin": "", "interrupt": False,
}  # fmt: skip


class Stranger:
    """A process that connects to the holder's socket, and is not an engine."""

    def __init__(self, lab: Lab) -> None:
        (self.journal,) = lab.journals()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(60.0)
        folder = os.open(self.journal.parent, os.O_RDONLY)
        self._socket.connect(f"/proc/self/fd/{folder}/{self.journal.stem}.sock")  # sun_path holds 108 bytes
        os.close(folder)
        self.challenge: str = self.hear()[1]

    def hear(self) -> Any:
        """The next message; None if the holder hung up."""
        head = self._socket.recv(4, socket.MSG_WAITALL)
        return json.loads(self._socket.recv(int.from_bytes(head, "big"), socket.MSG_WAITALL)) if head else None

    def say(self, *words: object) -> None:
        """Send one message."""
        data = json.dumps(words).encode()
        with contextlib.suppress(OSError):  # the holder has hung up
            self._socket.sendall(len(data).to_bytes(4, "big") + data)

    def close(self) -> None:
        """Leave."""
        self._socket.close()


def proofs(lab: Lab, stranger: Stranger) -> dict[str, list[object]]:
    """First messages that prove nothing."""
    key, name = load_key(str(lab.home / ".nova" / "secret")), stranger.journal.stem
    return {
        "no proof": ["job", JOB],
        "another key": ["proof", prove(b"x" * 32, "engine", name, stranger.challenge)],
        "another challenge": ["proof", prove(key, "engine", name, "0" * 32)],
        "another holder": ["proof", prove(key, "engine", "shared-000000000000", stranger.challenge)],
        "the start again": ["proof", prove(key, "start", name)],
        "not a text": ["proof", 7],
        "not a list": [{}],
    }


LIES = ["no proof", "another key", "another challenge", "another holder", "the start again", "not a text", "not a list"]


@pytest.mark.parametrize(("how", "own"), sampled(LIES, [False, True]))
def test_a_stranger_cannot_have_a_job_run_or_ended(lab: Lab, how: str, own: bool) -> None:
    """It waits for the engine's end, then speaks as the next engine: nothing happens to the job."""
    lab.submit("F1", shell="echo up; while [ ! -e go ]; do sleep 0.02; done; exit 5", own_holder=own)
    lab.says("F1", "up")
    lab.started("F1")
    stranger = Stranger(lab)
    lab.executor.close()
    stranger.say(*proofs(lab, stranger)[how])
    stranger.say("job", JOB)
    stranger.say("cancel", "F1", 0.0)
    assert stranger.hear() == ["N"]
    with contextlib.suppress(ConnectionError):  # it left without reading what followed
        assert stranger.hear() is None
    stranger.close()
    lab.executor = lab.open()
    assert [(type(r), r.key) for r in lab.executor.recover()] == [(Started, "F1")]
    (lab.home / "go").touch()
    assert (lab.end("F1").reason, lab.end("F1").code) == (EndReason.EXIT, 5)
    assert not (lab.home / "evil").exists()


def test_a_stranger_that_says_nothing_is_in_nobodys_way(lab: Lab) -> None:
    """Forty silent connections: the engine works, and the next one is greeted."""
    lab.submit("F1", shell="echo up; while [ ! -e go ]; do sleep 0.02; done; exit 5")
    lab.says("F1", "up")
    strangers = [Stranger(lab) for _ in range(40)]
    assert lab.run("F2", shell="exit 3").code == 3
    assert "F1" in {r.key for r in lab.reopen()}
    (lab.home / "go").touch()
    assert lab.end("F1").code == 5
    (holder,) = lab.holder_pids() or (0,)
    for stranger in strangers:
        stranger.close()
    until(lambda: not alive(holder), "the holder's end")


def test_a_lost_key_is_reported_with_what_to_do(lab: Lab) -> None:
    """Another key does not open the holder: the engine does not guess about its jobs."""
    lab.submit("F1", shell="echo up; while [ ! -e go ]; do sleep 0.02; done; exit 5")
    lab.says("F1", "up")
    lab.executor.close()
    path = lab.home / ".nova" / "secret"
    path.rename(path.with_name("kept"))
    lab.executor = lab.open()
    with pytest.raises(EnvironmentProblem, match="another key") as caught:
        lab.executor.recover()
    assert "restore" in caught.value.hint
    path.with_name("kept").rename(path)
    lab.executor.close()
    lab.executor = lab.open()
    assert [r.key for r in lab.executor.recover()] == ["F1"]
    (lab.home / "go").touch()
    assert lab.end("F1").code == 5


def test_no_worker_is_given_the_key(lab: Lab, own: bool) -> None:
    """Neither in its environment nor its arguments nor a descriptor, nor are its holder's arguments."""
    key = load_key(str(lab.home / ".nova" / "secret"))
    script = "cat /proc/$$/environ /proc/$$/cmdline /proc/$PPID/environ /proc/$PPID/cmdline; ls -l /proc/$$/fd"
    lab.run("F1", shell=f"{script} > seen", own_holder=own)
    seen = (lab.home / "seen").read_bytes()
    assert key not in seen
    assert key.hex().encode() not in seen
    assert b"pipe:" not in seen


def test_a_proof_is_of_its_words_and_key_alone() -> None:
    """Words do not run into each other, and whatever else is given is none."""
    proof = prove(b"k", "ab", "c")
    assert is_proof(proof, b"k", "ab", "c")
    assert is_proof(proof, b"k", b"ab", b"c")
    for words in (("a", "bc"), ("abc",), ("ab", "c", ""), ("c", "ab")):
        assert not is_proof(proof, b"k", *words)
    for given in (None, 7, "", "é", proof[:-1], proof.upper(), [proof]):
        assert not is_proof(given, b"k", "ab", "c")
    assert not is_proof(proof, b"l", "ab", "c")


@pytest.mark.parametrize("damage", [b"", b"short", b"x" * 33, bytes(32)])
def test_a_damaged_key_is_replaced_and_never_through_a_link(tmp_path: Path, damage: bytes) -> None:
    """A key has 32 bytes, not all zero; a link would let somebody else choose it."""
    path = tmp_path / "secret"
    path.write_bytes(damage)
    key = load_key(str(path))
    assert (len(key), path.read_bytes(), path.stat().st_mode & 0o777) == (32, key, 0o600)
    assert load_key(str(path)) == key
    path.rename(tmp_path / "elsewhere")
    os.symlink(tmp_path / "elsewhere", path)
    with pytest.raises(OSError, match="symbolic links"):
        load_key(str(path))
