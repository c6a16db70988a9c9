"""Proofs by the project's key: who speaks to a holder or to the engine knows the key, which no worker is given.

A proof is a MAC (keyed BLAKE2b, RFC 7693) of what is said. Standard library only.
"""

from __future__ import annotations

import os
from contextlib import suppress

from nova_core.digest import blake2b, compare_digest
from nova_core.holder.safe_open import inherit_owner

KEY_BYTES = 32


def prove(key: bytes, *words: str | bytes) -> str:
    """Returns the proof, in hexadecimal, that somebody who knows `key` says these words."""
    mac = blake2b(key=key, digest_size=32)
    for word in words:
        data = word.encode() if isinstance(word, str) else word
        mac.update(len(data).to_bytes(8, "big") + data)
    return mac.hexdigest()


def is_proof(given: object, key: bytes, *words: str | bytes) -> bool:
    """Returns True if `given` is the proof of these words; takes the same time for every wrong one."""
    return isinstance(given, str) and given.isascii() and compare_digest(given, prove(key, *words))


def load_key(path: str) -> bytes:
    """Returns the project's key, created on first use; only its owner can read the file. Raises OSError.

    A start does not wait for the disk: if a power cut loses the key or leaves zeros, no process is left that uses it,
    and it is created again.
    """
    with suppress(FileNotFoundError):
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            key = _read(fd, path)
            if len(key) == KEY_BYTES and any(key):
                if os.fstat(fd).st_mode & 0o077:
                    os.fchmod(fd, 0o600)
                return key
        finally:
            os.close(fd)
    key = os.urandom(KEY_BYTES)
    temporary = f"{path}.{os.urandom(4).hex()}"
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        inherit_owner(fd, os.path.dirname(path))
        os.write(fd, key)
    finally:
        os.close(fd)
    os.rename(temporary, path)
    return key


def _read(fd: int, path: str) -> bytes:
    try:
        return os.read(fd, KEY_BYTES + 1)
    except OSError as error:  # it does not name the file
        raise OSError(error.errno, error.strerror, path) from None


def read_key(pipe: int) -> bytes:
    """Returns the key that the engine has put into a pipe, the holder's standard input, which is empty from then on."""
    key = os.read(pipe, KEY_BYTES)
    null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    os.dup2(null, pipe)
    os.close(null)
    return key
