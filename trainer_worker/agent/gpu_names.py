"""The label "gpu" of a worker, from the names that GPUs have. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from protocol.labels import MAX_VALUE_CHARS

#: Words of a name that say nothing about the model.
BRANDS = frozenset({"nvidia", "tesla", "geforce", "quadro", "amd", "instinct", "radeon", "graphics"})
#: From such a word on, a name tells of memory, form or cooling: "A100-SXM4-40GB" and "A100 80GB PCIe" are both a100.
_FORM = re.compile(r"\d+gb|pcie|sxm\d*|nvl\d*|hbm\d\w*|mig|laptop|max|generation")
_SEPARATORS = re.compile(r"[^a-z0-9.]+")
#: What TensorFlow calls the processor.
CPU = "CPU"


def gpu_label(devices: Sequence[str]) -> str:
    """The label's value for the first GPU, such as "a100" or "rtx-4090"; "" if there is none.

    devices: their names, as the driver or TensorFlow has them.
    """
    gpus = [name for name in devices if name != CPU]
    if not gpus:
        return ""
    words: list[str] = []
    for word in _SEPARATORS.split(gpus[0].lower()):
        if _FORM.fullmatch(word) and words:
            break
        if word and word not in BRANDS:
            words.append(word)
    return "-".join(words)[:MAX_VALUE_CHARS].strip("-") or "unknown"
