"""Runs ONNX files on ONNX Runtime, which is an optional package."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnxruntime


def load(path: Path, threads: int) -> Callable[[Any], Any]:
    """A function from float32 pictures (n, S, S, 3) to outputs (n, ...). Raises what ONNX Runtime raises."""
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = threads
    # By content, because ONNX Runtime may misread unusual characters in the file's path.
    session = onnxruntime.InferenceSession(path.read_bytes(), settings, providers=["CPUExecutionProvider"])
    (image,), (output,) = session.get_inputs(), session.get_outputs()

    def run(pictures: Any) -> Any:
        return session.run([output.name], {image.name: pictures})[0]

    return run


def release() -> None:
    """Does nothing: the session is freed with the function that `load` returned."""
