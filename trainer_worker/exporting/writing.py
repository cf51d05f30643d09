"""Writes a trained model in the requested formats, one after the other. checks.py checks the files."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from protocol.errors import TrainingError
from trainer_worker.exporting import writers
from trainer_worker.exporting.checks import Unwritten, remove_export
from trainer_worker.exporting.formats import FORMATS, Format
from trainer_worker.exporting.writers import Export, ModelToExport, trace_frozen

#: Number of training pictures from which the int8 converter learns the range of every tensor.
CALIBRATION_PICTURES = 64

#: The writer of each format. A row of formats.py without one is an error as soon as this file is imported.
WRITERS: dict[str, Callable[[Export, Path], None]] = {
    row.name: getattr(writers, row.writer) for row in FORMATS.values()
}


def refuse_impossible(formats: Sequence[str], not_of_backbone: Collection[str] = ()) -> None:
    """Raise TrainingError unsupported_option, before hours of training, if none of the formats can be written here.

    not_of_backbone: see Backbone.impossible_formats.
    """
    reasons = [
        f"a file of the format {name} can't hold the network that backbone names; ask for exports=tflite as well."
        if name in not_of_backbone
        else _missing_packages(FORMATS[name])
        for name in formats
    ]
    if all(reasons):
        raise TrainingError("unsupported_option", f"exports={','.join(formats)} can't be had: {reasons[0]}")


def export_model(
    source: ModelToExport,
    folder: Path,
    formats: Sequence[str],
    on_written: Callable[[str, Path], None],
    on_step: Callable[[float], None],
) -> list[Unwritten]:
    """Write the model into `folder` in the given formats (keys of FORMATS); returns which could not be written and why.

    Every file takes a batch "image", float32 raw RGB 0 to 255, and gives "output".
    SavedModel, Keras and ONNX files take batches of any size; TFLite files take one image, as phones' GPU delegates
    require. on_written: told the format and the path of each file when it is complete.
    on_step: told the finished fraction, 0.0 to 1.0; an exception from it ends the export.
    Raises TrainingError trainer_error when no format at all could be written.
    """
    ordered = [row for row in FORMATS.values() if row.name in formats]
    total_s, done_s = sum(row.writing_s for row in ordered), 0.0
    frozen = functools.cache(functools.partial(trace_frozen, source.model))
    unwritten = []
    for row in ordered:
        step = functools.partial(_step_within, on_step, done_s / total_s, row.writing_s / total_s)
        path = folder / row.file
        may_fail = row.may_fail or source.any_may_fail
        reason = _write(row, Export(source.model, frozen, source.calibration, step), path, may_fail)
        if reason:
            unwritten.append(Unwritten(row.name, reason))
        else:
            on_written(row.name, path)
        done_s += row.writing_s
        on_step(1.0 if row is ordered[-1] else done_s / total_s)
    if len(unwritten) == len(ordered):
        reasons = "; ".join(f"{missing.format}: {missing.reason}" for missing in unwritten)
        raise TrainingError("trainer_error", f"No format that was asked for could be exported. {reasons}")
    return unwritten


def expected_s(formats: Sequence[str]) -> float:
    """Planned seconds for writing these formats."""
    return sum(FORMATS[name].writing_s for name in formats)


def _step_within(on_step: Callable[[float], None], begin: float, share: float, fraction: float) -> None:
    on_step(begin + share * fraction)


def _write(row: Format, export: Export, path: Path, may_fail: bool) -> str:
    """Write one file; returns why it could not be written, or "". An exception from on_step is raised again."""
    if missing := _missing_packages(row):
        return missing
    stopped: list[BaseException] = []

    def on_step(fraction: float) -> None:
        try:
            export.on_step(fraction)
        except BaseException as error:
            stopped.append(error)
            raise

    try:
        WRITERS[row.name](Export(export.model, export.frozen, export.calibration, on_step), path)
    except Exception as error:
        if stopped:
            raise stopped[0] from None
        if not may_fail or _is_of_the_machine(error):
            raise
        remove_export(path)
        if isinstance(error, NotImplementedError):  # a layer of ours says why it can't be written
            return str(error)
        return f"the converter failed: {type(error).__name__}: {str(error)[:500]}"
    return ""


def _is_of_the_machine(error: Exception) -> bool:
    """Whether memory or disk failed, which says nothing about the converter. Converters raise OSErrors of their own."""
    return isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno is not None)


def _missing_packages(row: Format) -> str:
    """Which packages the format lacks here, and how to install them; "" if it lacks none."""
    missing = [name for name in row.packages if importlib.util.find_spec(name) is None]
    if not missing:
        return ""
    command = f"pip install {' '.join(row.packages)}"
    return f"{row.name} needs {' and '.join(missing)}, which the worker lacks; its operator can add it with: {command}"
