"""Files of the worker's own cache with their SHA-256 behind their content.

A flipped bit in the weights of a backbone would change the features of every later training a little, and nothing else
would show it.
"""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

from conf.whole_file import whole_file

_HASH_BYTES = hashlib.sha256().digest_size

log = logging.getLogger(__name__)


def write_checked(path: Path, content: bytes) -> None:
    """Write the content, and its SHA-256 behind it. Raises OSError."""
    with whole_file(path) as file:
        file.write(content)
        file.write(hashlib.sha256(content).digest())


def read_checked(path: Path) -> bytes | None:
    """The content; None if there is no such file, or if it is not as it was written. Then it has to be made anew."""
    try:
        stored = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        log.warning("action=cache.ignored file=%r reason=%r", str(path), str(error))
        return None
    content = stored[:-_HASH_BYTES]
    if hashlib.sha256(content).digest() != stored[-_HASH_BYTES:]:
        log.warning(
            "action=cache.ignored file=%r reason='its SHA-256 is another one than when it was written'", str(path)
        )
        return None
    return content
