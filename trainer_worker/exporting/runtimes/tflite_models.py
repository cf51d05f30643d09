"""Runs TFLite files on the TFLite library alone.

TensorFlow's wheel holds the TFLite runtime as a library of its own that needs nothing else of TensorFlow. It is loaded
directly here, because `tf.lite.Interpreter` would import all of TensorFlow (docs/choices.md, "Files are checked in a
process of their own").
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from importlib.machinery import ExtensionFileLoader
from pathlib import Path
from typing import Any

import numpy as np

LIBRARY = "_pywrap_tensorflow_interpreter_wrapper"
#: TFLite's number for its default kernels, which are XNNPACK's where possible.
USUAL_KERNELS = 1
SUBGRAPH = 0


def load(path: Path, threads: int) -> Callable[[Any], Any]:
    """A function from float32 pictures (n, S, S, 3) to outputs (n, ...). The file takes one picture at a time.

    Raises ValueError or RuntimeError for a file that is not TFLite or has an operation that the runtime lacks.
    """
    # Loaded by content, which TFLite verifies. A file that was cut off would crash the process if loaded by its path.
    content = path.read_bytes()
    interpreter = _library().CreateWrapperFromBuffer(content, USUAL_KERNELS, [], [], False, False, threads, False)
    interpreter.AllocateTensors()
    (image,), (output,) = interpreter.InputIndices(), interpreter.OutputIndices()
    dtypes = [interpreter.TensorType(index, SUBGRAPH) for index in (image, output)]
    if dtypes != [np.float32, np.float32]:
        raise ValueError(f"input and output are {dtypes}, not float32")

    def run(pictures: Any, _keep_alive: Any = content) -> Any:
        outputs = []
        for row in range(len(pictures)):
            interpreter.SetTensor(image, pictures[row : row + 1])
            interpreter.Invoke()
            outputs.append(interpreter.GetTensor(output))
        return np.concatenate(outputs)

    return run


def release() -> None:
    """Does nothing: the interpreter is freed with the function that `load` returned."""


def _library() -> Any:
    if LIBRARY not in sys.modules:
        package = importlib.util.find_spec("tensorflow")  # finds it without importing it
        if package is None or package.origin is None:
            raise ImportError("TensorFlow's wheel, which holds the TFLite library, is not installed")
        file = str(Path(package.origin).parent / "lite" / "python" / f"{LIBRARY}.so")
        loader = ExtensionFileLoader(LIBRARY, file)
        spec = importlib.util.spec_from_file_location(LIBRARY, file, loader=loader)
        if spec is None:
            raise ImportError(f"{file} is not a Python extension")
        module = importlib.util.module_from_spec(spec)
        loader.exec_module(module)
        sys.modules[LIBRARY] = module
    return sys.modules[LIBRARY]
