"""Keyed and plain hashes: BLAKE2b (RFC 7693), and a comparison that takes the same time for every wrong one.

From the C halves of `hashlib` and `hmac`, which also load OpenSSL: 3.7 and 5.1 ms more, where Python starts in 10 ms.
"""

from __future__ import annotations

from _blake2 import blake2b
from _operator import _compare_digest as compare_digest

__all__ = ["blake2b", "compare_digest"]
