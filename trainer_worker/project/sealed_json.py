"""JSON objects with a checksum of their content, so that a flipped bit is found although the text is still JSON.

The checksum doesn't keep anybody from changing a file, since everybody can compute it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from trainer_worker.project.json_text import json_text

CHECKSUM = "checksum"


def sealed_text(content: Mapping[str, Any]) -> str:
    """The object as JSON, with its checksum as the last member."""
    rest = {name: value for name, value in content.items() if name != CHECKSUM}
    # The checksum is that of what a reader gets: numpy's values are plain ones then, and NaN is null.
    return json_text({**rest, CHECKSUM: _checksum(msgspec.json.decode(json_text(rest)))})


def unsealed(text: bytes) -> dict[str, Any]:
    """The object without its checksum. Raises ValueError if it is no JSON object or has another checksum."""
    content: dict[str, Any] = msgspec.json.decode(text, type=dict[str, Any])
    try:
        fits = content.pop(CHECKSUM, "") == _checksum(content)
    except OverflowError as error:  # a number of more than 64 bits, which we do not write
        raise ValueError(str(error)) from error
    if not fits:
        raise ValueError("its checksum does not fit: a bit has flipped, or somebody has changed it")
    return content


def _checksum(content: object) -> str:
    return hashlib.sha256(msgspec.json.encode(content, order="sorted")).hexdigest()
