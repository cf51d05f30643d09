"""The order to make an earlier model the one in use. The front-end gives it to a short process of the worker's code.

The process reads a PromotionOrder on its input, and writes a Promotion as JSON on its output.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from protocol.artifact import Artifacts
from protocol.bounds import MAX_ERROR_CHARS
from protocol.task import TaskSpec


class PromotionOrder(msgspec.Struct, frozen=True):
    """spec: of the task whose model is to be used. artifacts: the files of its model, as the journal has them.

    allowed_roots: the folders that projects must lie in, absolute and with links resolved, and URLs. storage: the
    section [storage] of the settings, for projects below the URLs.
    """

    spec: TaskSpec
    artifacts: Artifacts
    allowed_roots: tuple[str, ...]
    storage: dict[str, Any] = {}


class Promotion(msgspec.Struct, frozen=True):
    """code: why models/latest was not pointed to the model, as a code of protocol/errors.py; "" if it was.

    error: the same as a sentence.
    """

    code: Literal["", "model_changed", "promote_failed"] = ""
    error: Annotated[str, Meta(max_length=MAX_ERROR_CHARS)] = ""
