"""Encodes the JSON files of a model's folder as text that every parser accepts."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from protocol.text import as_utf8


def json_text(value: object) -> str:
    """The value as JSON. numpy values become plain ones, and NaN and infinities become null.

    Bytes of a file name that are not UTF-8 are replaced, because one photo with such a name must not cost the model.
    """
    return as_utf8(json.dumps(_plain(value), indent=2, ensure_ascii=False, allow_nan=False)) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(_plain(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value
