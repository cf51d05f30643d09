"""The table of export formats: one row holds everything about a format.

Two things are defined elsewhere: the names, which callers choose from, in protocol/options.py, and the file names in
project/model_files.py, because no other name may ever appear in a model's folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from trainer_worker.project.model_files import FILES

#: Outputs (probabilities) of a float32 file may differ from the model's by this much (docs/choices.md, "Tolerances of
#: the exported files").
FLOAT32_DIFFERENCE = 1e-2
#: The same for weights that were rounded to 11 bits.
FLOAT16_DIFFERENCE = 5e-2


@dataclass(frozen=True)
class Format:
    """One export format.

    name: one of protocol.options.EXPORT_FORMATS.
    writer: the function of exporting/writers.py that writes the file.
    runtime: the runtime that runs the file, a key of MODULES in exporting/runtimes/__main__.py.
    writing_s: seconds to write an EfficientNet-Lite0 at 224 px on two cores.
    max_difference: how much an output may differ from the trained model's. With a larger difference no model is
    published. None for a format whose outputs differ by design: its file is flagged if its score is too low, and left
    out if it can't run.
    may_fail: whether the converter may fail on a model without costing the other formats; the result says why. With an
    operator's own network every format may, see ModelToExport.
    packages: needed for writing and checking, beyond requirements.txt. Each name is importable and is a name on PyPI.
    """

    name: str
    writer: str
    runtime: str
    writing_s: float
    max_difference: float | None
    may_fail: bool
    packages: tuple[str, ...]

    @property
    def file(self) -> str:
        """The name of the file (or folder) inside the model's folder."""
        return FILES[self.name]


_ROWS = (
    Format("keras", "write_keras", "tensorflow", 0.4, FLOAT32_DIFFERENCE, may_fail=False, packages=()),
    Format("saved_model", "write_saved_model", "tensorflow", 0.8, FLOAT32_DIFFERENCE, may_fail=False, packages=()),
    Format("tflite", "write_tflite", "tflite", 0.5, FLOAT32_DIFFERENCE, may_fail=False, packages=()),
    Format("tflite_float16", "write_float16", "tflite", 0.5, FLOAT16_DIFFERENCE, may_fail=True, packages=()),
    # Tested with tf2onnx 1.17.0, which writes the file, and onnx 1.23.2 and onnxruntime 1.32.0, which check it.
    Format("onnx", "write_onnx", "onnx", 4.5, FLOAT32_DIFFERENCE, may_fail=True, packages=("tf2onnx", "onnxruntime")),
    Format("tflite_int8", "write_int8", "tflite", 6.0, None, may_fail=True, packages=()),
)

#: All formats by name, in the order in which they are written (docs/choices.md, "Order of the export formats").
FORMATS: Mapping[str, Format] = MappingProxyType({row.name: row for row in _ROWS})

_RUNTIMES = {Path(row.file).suffix: row.runtime for row in _ROWS}


def runtime_of(path: Path) -> str:
    """The runtime for an exported file, according to its suffix. Raises ValueError for any other suffix."""
    if path.suffix not in _RUNTIMES:
        raise ValueError(f"{path.name} is not an exported model; expected a name that ends in {', '.join(_RUNTIMES)}")
    return _RUNTIMES[path.suffix]
