"""The names of the files in a model's folder. Files of other names are never written, listed, copied or handed out."""

from __future__ import annotations

import re
from collections.abc import Sequence

# So that publishing need not know protocol/project_layout.py.
from protocol.project_layout import MANIFEST as MANIFEST
from protocol.project_layout import REPORT as REPORT
from protocol.text import as_utf8

LABELS = "labels.txt"
METRICS = "metrics.json"
HELD_OUT = "held_out.json"
HELD_OUT_MASKS = "held_out_masks.json"
APP_PACK = "app_pack.zip"

#: Each export format's name in the model folder.
FILES: dict[str, str] = {
    "tflite": "model.tflite",
    "tflite_float16": "model_float16.tflite",
    "tflite_int8": "model_int8.tflite",
    "onnx": "model.onnx",
    "saved_model": "saved_model",
    "keras": "model.keras",
}
#: A SavedModel is a folder. These are the files that TensorFlow writes into it.
_IN_SAVED_MODEL = re.compile(
    FILES["saved_model"]
    + r"/(saved_model\.pb|fingerprint\.pb|variables/variables\.(index|data-[0-9]{5}-of-[0-9]{5})"
    + r"|assets/[A-Za-z0-9_-]{1,64})"
)
_BESIDE = (LABELS, METRICS, HELD_OUT, HELD_OUT_MASKS, APP_PACK, REPORT)
_SINGLE_FILES = frozenset({*FILES.values(), *_BESIDE} - {FILES["saved_model"]})


def is_model_file(path: str) -> bool:
    """Whether a manifest may list a file of that path, which is relative to the model's folder."""
    return path in _SINGLE_FILES or _IN_SAVED_MODEL.fullmatch(path) is not None


def label_lines(labels: Sequence[str]) -> str:
    """One label on each line, in the order of the model's outputs, even if a label contains line breaks."""
    return "".join(f"{' '.join(as_utf8(label).splitlines())}\n" for label in labels)
