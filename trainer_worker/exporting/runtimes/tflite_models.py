"""TFLite files on the TFLite library alone.

TensorFlow's wheel holds the TFLite runtime as a library of 15 MB that needs nothing of TensorFlow, but
`tf.lite.Interpreter` is reached only by importing all of it. Measured on two cores: loaded by itself as here, 31 MB
and 0.1 s; by `import tensorflow`, 611 MB and 4 s. LiteRT (`pip install ai-edge-litert`) takes 35 MB and 0.15 s; it
is the same runtime in a newer release, and not needed.
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
#: TFLite's number for its usual kernels, XNNPACK where it can.
USUAL_KERNELS = 1
SUBGRAPH = 0


def load(path: Path, threads: int) -> Callable[[Any], Any]:
    """A function from float32 pictures (n, S, S, 3) to outputs (n, ...); one picture at a time, as the file wants.

    Raises ValueError or RuntimeError for a file that is not TFLite or has an operation that the runtime lacks.
    """
    # By content, which is verified; by path, a file that was cut off crashes the process.
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
    """The interpreter goes with its function."""


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
