"""Loads one runtime, then runs exported files on request until the socket closes.

message                       answer
a path (str)                  None when the file is loaded, or why it can't be loaded (str)
pictures uint8 (n, S, S, 3)   (outputs float32 (n, ...), seconds that they took), or why it can't run (str)
None                          no answer; the file is forgotten
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

MODULES = {
    "tflite": "trainer_worker.exporting.runtimes.tflite_models",
    "tensorflow": "trainer_worker.exporting.runtimes.tensorflow_models",
    "onnx": "trainer_worker.exporting.runtimes.onnx_models",
}


class Runner:
    """Answers one message after the other, using the file that was loaded last."""

    def __init__(self, runtime: Any, threads: int) -> None:
        self._runtime = runtime
        self._threads = threads
        self._predict: Callable[[Any], Any] | None = None

    def answer(self, message: Any) -> Any:
        """The answer to a message. Errors become text, because whether the file works is what is being tested."""
        try:
            if isinstance(message, str):
                self._predict = self._runtime.load(Path(message), self._threads)
                return None
            if self._predict is None:
                raise ValueError("no file is loaded")
            begun = time.perf_counter()
            outputs = np.asarray(self._predict(np.asarray(message, np.float32)), np.float32)
            return outputs, time.perf_counter() - begun
        except Exception as error:
            return f"{type(error).__name__}: {str(error)[:500]}"

    def forget(self) -> None:
        """Drop the file and return its memory to the system, because the process is kept for the next task."""
        self._predict = None
        self._runtime.release()
        gc.collect()
        with contextlib.suppress(OSError, AttributeError):  # only glibc has malloc_trim
            ctypes.CDLL(None).malloc_trim(0)


def runtime(name: str) -> Any:
    """The module of a runtime (a key of MODULES). It is imported here, so that no other runtime gets loaded."""
    # Keras imports scikit-learn only to wrap it, which slows down loading (docs/choices.md, "Files are checked in a
    # process of their own").
    sys.modules["sklearn"] = None  # type: ignore[assignment]
    return importlib.import_module(MODULES[name])


def main() -> None:
    name, fd, threads = sys.argv[1:]
    pipe = Connection(int(fd))
    gc.disable()  # a quarter of the time that it takes to load TensorFlow
    runner = Runner(runtime(name), int(threads))
    gc.collect()
    gc.freeze()  # `forget` then looks at what a file has left, and not at all objects of TensorFlow
    gc.enable()
    while True:
        try:
            message = pipe.recv()
            if message is None:
                runner.forget()
            else:
                pipe.send(runner.answer(message))
        except (EOFError, OSError):
            return


if __name__ == "__main__":
    main()
