"""The order to look at a folder without training on it. The front-end gives it to a checker process on its input.

The answer on the checker's output is a DataReport as JSON.
"""

from __future__ import annotations

from typing import Any

import msgspec

from protocol.task import TaskSpec


class CheckOrder(msgspec.Struct, frozen=True):
    """spec: as a POST would have made it, so the folder is admitted as a worker admits it.

    allowed_roots: the folders that projects must lie in, absolute and with links resolved, and URLs. headers_until_s:
    when the reading of headers ends, by time.monotonic(), which all processes of a machine share. storage: the section
    [storage] of the settings, for projects below the URLs.
    """

    spec: TaskSpec
    allowed_roots: tuple[str, ...]
    headers_until_s: float
    storage: dict[str, Any] = {}
