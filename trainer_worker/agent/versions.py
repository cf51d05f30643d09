"""The versions of the programs that must fit the broker's. Nothing is imported to find them out."""

from __future__ import annotations

import contextlib
import importlib.metadata
import platform
import re

from protocol.bounds import MAX_WORD_CHARS
from protocol.version import VERSION

_UNFIT_FOR_A_WORD = re.compile(r"[^A-Za-z0-9._-]")


def own_versions() -> dict[str, str]:
    """The versions of a worker's Hello. TensorFlow is left out if it is not installed under its own name."""
    versions = {"tfmodel": VERSION, "python": platform.python_version()}
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        versions["tensorflow"] = importlib.metadata.version("tensorflow")
    return {name: _UNFIT_FOR_A_WORD.sub("-", version)[:MAX_WORD_CHARS] for name, version in versions.items()}
