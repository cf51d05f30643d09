"""Keys: what stands for a text in an index. Pure.

A text of up to 199 bytes is its own key. A longer one has a key of 200 bytes: how it begins, and its hash. So equal
keys mean equal texts, and what begins with a text lies together in an index.
"""

from __future__ import annotations

import hashlib

KEY_BYTES = 200
HASH_BYTES = 32
#: The number of bytes of a long text with which its key begins.
KEPT_BYTES = KEY_BYTES - HASH_BYTES


def key_of(text: str) -> bytes:
    data = text.encode()
    if len(data) < KEY_BYTES:
        return data
    return data[:KEPT_BYTES] + hashlib.sha256(data).digest()


def beyond(prefix: bytes) -> bytes:
    """What comes directly after all texts in UTF-8 that begin with this."""
    # The last byte is at most 0xF4, so it can be raised.
    return prefix[:-1] + bytes([prefix[-1] + 1])
