"""How jobs and their text are encoded for the channel to a holder."""

from __future__ import annotations

import os
from collections.abc import Mapping

import msgspec

from nova_core.executors.base import Job

WITHDRAW = b'["withdraw"]'


def wire(text: str) -> str:
    """Returns a string for the channel: one character per byte, so that bytes invalid in any encoding survive."""
    return text if text.isascii() else os.fsencode(text).decode("latin-1")


def wire_env(env: Mapping[str, str]) -> dict[str, str]:
    """Returns environment variables for the channel."""
    return {wire(name): wire(value) for name, value in env.items()}


def encode_job(job: Job) -> bytes:
    """Returns a job for the channel. Raises UnicodeEncodeError for text that no process can receive."""
    try:
        message = msgspec.json.encode(job)
        if message.isascii():
            return message
    except UnicodeEncodeError:  # bytes that are invalid in the system's encoding
        pass
    words = {
        "argv": tuple(map(wire, job.argv)), "env": wire_env(job.env),
        "shell": wire(job.shell), "cwd": wire(job.cwd), "log": wire(job.log), "stdin": wire(job.stdin),
    }  # fmt: skip
    return msgspec.json.encode(msgspec.structs.replace(job, **words))


def start_of(job: Job) -> bytes:
    """Returns the message that starts a job. Raises what `encode_job` does."""
    return b'["job",%b]' % encode_job(job)


def ahead_of(slots: int, jobs: list[bytes]) -> bytes:
    """Returns the message that hands encoded jobs ahead."""
    return b'["ahead",%d,[%b]]' % (slots, b",".join(jobs))


def cancel_of(key: str, grace: float) -> bytes:
    """Returns the message that ends a job; `grace` is in seconds."""
    return msgspec.json.encode(("cancel", key, grace))
