"""Runs TFLite files on LiteRT, the runtime that apps use for them. It needs nothing of TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter


def load(path: Path, threads: int) -> Callable[[Any], Any]:
    """A function from float32 pictures (n, S, S, 3) to outputs (n, ...). The file takes one picture at a time.

    Raises ValueError or RuntimeError for a file that is not TFLite or has an operation that the runtime lacks.
    """
    return load_content(path.read_bytes(), threads)


def load_content(content: bytes, threads: int) -> Callable[[Any], Any]:
    """Do as `load` does, with the content of a file, which the runtime verifies.

    A file that was cut off would crash the process if it were loaded by its path.
    """
    interpreter = Interpreter(model_content=content, num_threads=threads)
    interpreter.allocate_tensors()
    (image,), (output,) = interpreter.get_input_details(), interpreter.get_output_details()
    dtypes = [image["dtype"], output["dtype"]]
    if dtypes != [np.float32, np.float32]:
        raise ValueError(f"input and output are {dtypes}, not float32")

    def run(pictures: Any) -> Any:
        outputs = []
        for row in range(len(pictures)):
            interpreter.set_tensor(image["index"], pictures[row : row + 1])
            interpreter.invoke()
            outputs.append(interpreter.get_tensor(output["index"]))
        return np.concatenate(outputs)

    return run


def release() -> None:
    """Does nothing: the interpreter is freed with the function that `load` returned."""
