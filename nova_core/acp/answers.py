"""How the answer to a question reaches `nova acp-run`: a file beside the inbox, with a proof by the project's key."""

from __future__ import annotations

import os
from contextlib import suppress

import msgspec

from nova_core.holder.proof import is_proof, prove

_MOST = 4096  # bytes


class Answer(msgspec.Struct, frozen=True):
    """Whether a person allows what was asked; `proof` shows that the engine wrote it, for this question only."""

    allow: bool
    proof: str = ""


def file_name(task: str, attempt: int, key: str) -> str:
    """The name of the answer to the question `key` of an attempt, in the folder `ack` of the inbox."""
    return f"answer.{task}@{attempt}.{key}"


def encode(secret: bytes, task: str, attempt: int, key: str, *, allow: bool) -> bytes:
    """The content of that file."""
    proof = prove(secret, "answer", task, str(attempt), key, str(allow))
    return msgspec.json.encode(Answer(allow, proof))


def read(inbox: str, task: str, attempt: int, key: str) -> bool | None:
    """Returns the answer, which is removed; None if there is none, or it is not the engine's."""
    path = os.path.join(inbox, "ack", file_name(task, attempt, key))
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        data = os.read(fd, _MOST)
        with open(os.path.join(os.path.dirname(inbox), "secret"), "rb") as file:
            secret = file.read(64)
        found = msgspec.json.decode(data, type=Answer)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None
    finally:
        os.close(fd)
        with suppress(OSError):
            os.unlink(path)
    known = is_proof(found.proof, secret, "answer", task, str(attempt), key, str(found.allow))
    return found.allow if known else None
