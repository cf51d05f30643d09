"""Exported files behave like the trained model, and one that does not is caught, whatever the format."""

from __future__ import annotations

import dataclasses
import errno
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf
from keras import layers

from protocol.errors import TrainingError
from protocol.percent import in_percent
from tests.train.small_models import FLOATS, HELD_OUT, SIDE, THREADS, Trained, nothing
from tests.waiting import TIMEOUT_S
from trainer_worker.exporting import writers, writing
from trainer_worker.exporting.checks import ExportCheck, ExportChecks, Exports, HeldOut, Unwritten
from trainer_worker.exporting.formats import FORMATS, runtime_of
from trainer_worker.exporting.scoring import (
    CannotRunError,
    ScoringProcess,
    ScoringProcesses,
    kept_processes,
    load_predictor,
)
from trainer_worker.exporting.writers import ModelToExport
from trainer_worker.exporting.writing import export_model, refuse_impossible
from trainer_worker.project.model_files import FILES

ONNX_PACKAGES = FORMATS["onnx"].packages
ROOT = Path(__file__).resolve().parents[2]


def no_pictures() -> npt.NDArray[np.uint8]:
    raise AssertionError("read for int8 only")


@pytest.fixture(scope="module", params=["classification", "segmentation"])
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return Trained(request.param, tmp_path_factory.mktemp(request.param))


def test_every_format_scores_like_the_trained_model(trained: Trained) -> None:
    right = trained.score(trained.reference)
    assert right > 0.8, "the model learned too little for the test to mean anything"
    steps: list[float] = []
    found = trained.check(trained.files, steps.append)
    assert found.unwritten == []
    assert [check.format for check in found.checks] == [name for name in FORMATS if name != "onnx"]
    for check in found.checks:
        rounded = check.format in ("tflite_float16", "tflite_int8")
        assert check.file == FILES[check.format]
        assert check.score == pytest.approx(right, abs=0.02 if rounded else 1e-3)
        assert check.max_difference < (0.2 if rounded else 1e-4)
        assert check.agreement > (0.95 if rounded else 0.999)
        assert check.ms_per_image > 0
        assert not check.flagged
    sizes = {check.format: check.size_bytes for check in found.checks}
    assert min(sizes[name] for name in ("keras", "saved_model", "tflite")) > 4 * 0.9 * trained.model.count_params()
    for told in (steps, trained.steps):
        assert told == sorted(told)
        assert 0 <= told[0] < told[-1] == 1.0


def test_the_saved_model_is_served_by_plain_tensorflow(trained: Trained) -> None:
    signature = tf.saved_model.load(str(trained.files["saved_model"])).signatures["serving_default"]
    (spec,) = signature.structured_input_signature[1].values()
    assert spec.shape.as_list() == [None, SIDE, SIDE, 3]
    assert spec.dtype == tf.float32
    for size in (1, 7):
        output = signature(image=tf.constant(trained.inputs[:size], tf.float32))["output"]
        assert np.abs(output.numpy() - trained.reference[:size]).max() < 1e-4


@pytest.mark.parametrize("name", ["tflite", "tflite_float16", "tflite_int8"])
def test_each_tflite_file_has_fixed_shapes_and_takes_and_gives_float32(trained: Trained, name: str) -> None:
    with pytest.warns(UserWarning, match="deprecated"):
        interpreter = tf.lite.Interpreter(model_path=str(trained.files[name]))
    details = [*interpreter.get_input_details(), *interpreter.get_output_details()]
    assert [list(tensor["shape_signature"]) for tensor in details] == [
        [1, SIDE, SIDE, 3],
        [1, *trained.reference.shape[1:]],
    ]
    assert [tensor["dtype"] for tensor in details] == [np.float32, np.float32]


def test_int8_computes_in_integers_and_float16_keeps_half_of_each_weight(trained: Trained) -> None:
    types = {}
    for name in ("tflite_float16", "tflite_int8"):
        with pytest.warns(UserWarning, match="deprecated"):
            interpreter = tf.lite.Interpreter(model_path=str(trained.files[name]))
        types[name] = [tensor["dtype"] for tensor in interpreter.get_tensor_details()]
    assert np.float16 in types["tflite_float16"]
    # All but what the file takes and gives: activations and weights alike.
    assert types["tflite_int8"].count(np.float32) == 2


@pytest.mark.parametrize("format_name", ["keras", "saved_model", "tflite"])
def test_a_file_takes_any_number_of_images(trained: Trained, format_name: str) -> None:
    path = trained.files[format_name]
    process = kept_processes(THREADS).start(runtime_of(path))
    process.load(path)
    for size in (1, 16, 17, HELD_OUT):
        outputs, seconds = process.run(trained.inputs[:size].astype(np.float32))
        assert seconds > 0
        assert outputs.dtype == np.float32
        assert outputs.shape == trained.reference[:size].shape
        assert np.abs(outputs - trained.reference[:size]).max() < 1e-4


@pytest.mark.parametrize("folder", ["photos [2024]", "what?", "*"])
def test_a_folder_may_be_named_like_a_pattern(trained: Trained, tmp_path: Path, folder: str) -> None:
    shutil.copytree(trained.files["saved_model"], tmp_path / folder / "saved_model")
    outputs = load_predictor(tmp_path / folder / "saved_model", threads=THREADS)(trained.inputs)
    np.testing.assert_allclose(outputs, trained.reference, atol=1e-4)


@pytest.mark.parametrize("format_name", FLOATS)
@pytest.mark.parametrize("fault", ["weights", "preprocessing", "nan"])
def test_a_wrong_export_is_caught(trained: Trained, fault: str, format_name: str) -> None:
    with pytest.raises(TrainingError, match=FILES[format_name]) as caught:
        trained.check({format_name: trained.wrong_files(fault)[format_name]})
    assert caught.value.code == "export_mismatch"
    assert in_percent(trained.score(trained.reference)) in caught.value.error


def test_one_wrong_file_among_right_ones_is_named(trained: Trained) -> None:
    with pytest.raises(TrainingError, match=r"model\.tflite"):
        trained.check(trained.files | {"tflite": trained.wrong_files("weights")["tflite"]})


@pytest.mark.parametrize("format_name", FLOATS)
def test_a_damaged_file_is_caught(trained: Trained, tmp_path: Path, format_name: str) -> None:
    path = tmp_path / FILES[format_name]
    source = trained.files[format_name]
    if source.is_dir():
        shutil.copytree(source, path)
        (path / "saved_model.pb").write_bytes(b"not a graph")
    else:
        path.write_bytes(source.read_bytes()[:1000])
    with pytest.raises(TrainingError, match=FILES[format_name]) as caught:
        trained.check({format_name: path})
    assert caught.value.code == "export_mismatch"


def test_one_changed_weight_is_caught(trained: Trained, tmp_path: Path) -> None:
    """The file's last layer, and nothing else: it still loads and runs."""
    content = bytearray(trained.files["tflite"].read_bytes())
    bias = trained.model.layers[-1].get_weights()[1].tobytes()
    at = content.index(bias)
    content[at : at + 4] = np.float32(25.0).tobytes()
    (tmp_path / "model.tflite").write_bytes(content)
    with pytest.raises(TrainingError, match="does not behave like the trained model"):
        trained.check({"tflite": tmp_path / "model.tflite"})


def test_another_models_file_is_caught(trained: Trained, tmp_path: Path) -> None:
    files = trained.export(mean_colour(), tmp_path, ["tflite"])
    with pytest.raises(TrainingError, match="outputs"):
        trained.check(files)


def mean_colour() -> keras.Model:
    image = keras.Input((SIDE, SIDE, 3))
    return keras.Model(image, layers.Dense(3, activation="softmax")(layers.GlobalAveragePooling2D()(image)))


def source_of_mean_colour() -> ModelToExport:
    return ModelToExport(mean_colour(), no_pictures)


def test_int8_that_costs_too_much_is_flagged_and_never_handed_out(trained: Trained, tmp_path: Path) -> None:
    wrong = trained.make()  # weights that nothing has trained
    files = trained.export(wrong, tmp_path, ["tflite_int8"])
    found = trained.check(files)
    (check,) = found.checks
    assert in_percent(check.score) in check.flagged
    assert in_percent(trained.score(trained.reference)) in check.flagged
    assert files["tflite_int8"].is_file()
    assert found.warnings() == [f"model_int8.tflite: {check.flagged}"]
    with pytest.raises(TrainingError, match="exports=tflite"):
        found.model_file()
    assert trained.check(files | {"keras": trained.files["keras"]}).model_file() == "model.keras"


def test_int8_that_cannot_be_run_is_taken_away_and_said(trained: Trained, tmp_path: Path) -> None:
    path = tmp_path / FILES["tflite_int8"]
    path.write_bytes(trained.files["tflite_int8"].read_bytes()[:1000])
    found = trained.check({"tflite_int8": path, "tflite": trained.files["tflite"]})
    assert [check.format for check in found.checks] == ["tflite"]
    assert [missing.format for missing in found.unwritten] == ["tflite_int8"]
    assert "can't be run" in found.warnings()[0]
    assert not path.exists()


def made_up(name: str, score: float, flagged: str = "") -> ExportCheck:
    return ExportCheck(name, FILES[name], 1, score, 0.0, 1.0, 1.0, flagged)


@pytest.mark.parametrize(
    ("checks", "chosen"),
    [
        ([("keras", 0.9), ("tflite", 0.8)], "model.tflite"),
        ([("keras", 0.9), ("tflite_float16", 0.9)], "model_float16.tflite"),
        ([("tflite_float16", 0.8), ("saved_model", 0.9)], "saved_model"),
        ([("tflite_int8", 0.9, "loses"), ("onnx", 0.8)], "model.onnx"),
    ],
)
def test_the_file_to_hand_out_is_float32_tflite_or_the_best(checks: list[Any], chosen: str) -> None:
    assert Exports([made_up(*check) for check in checks], [], "accuracy", 0.9, 10).model_file() == chosen


def test_a_cancel_ends_export_and_check(trained: Trained, tmp_path: Path) -> None:
    def cancel(_: float) -> None:
        raise InterruptedError

    for name in ("keras", "tflite_int8"):  # between the formats, and within one
        with pytest.raises(InterruptedError):
            trained.export(trained.model, tmp_path, [name], cancel)
    with pytest.raises(InterruptedError):
        trained.check(trained.files, cancel)
    assert trained.check(trained.files).model_file() == "model.tflite", "what was cancelled got in the way"


def test_unknown_names_and_empty_inputs_are_refused(trained: Trained, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"model\.h5"):
        load_predictor(tmp_path / "model.h5", threads=THREADS)
    with pytest.raises(ValueError, match="0 held-out"):
        HeldOut(trained.inputs[:0], trained.reference[:0], trained.score, "accuracy")


def test_exporting_twice_gives_the_same_tflite_file(trained: Trained, tmp_path: Path) -> None:
    again = trained.export(trained.model, tmp_path, ["tflite"])
    assert again["tflite"].read_bytes() == trained.files["tflite"].read_bytes()


def without(monkeypatch: pytest.MonkeyPatch, *packages: str) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name in packages else find_spec(name, *rest)
    )


@pytest.mark.parametrize("missing", [("tf2onnx",), ("onnxruntime",), ONNX_PACKAGES])
def test_onnx_without_its_packages_is_said_with_the_command(
    missing: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without(monkeypatch, *ONNX_PACKAGES)
    files: dict[str, Path] = {}
    reasons = export_model(source_of_mean_colour(), tmp_path, ["onnx", "keras"], files.__setitem__, nothing)
    assert list(files) == ["keras"]
    assert [reason.format for reason in reasons] == ["onnx"]
    assert "pip install tf2onnx onnxruntime" in reasons[0].reason
    refuse_impossible(["onnx", "keras"])
    with pytest.raises(TrainingError, match="pip install tf2onnx onnxruntime") as caught:
        refuse_impossible(["onnx"])
    assert caught.value.code == "unsupported_option"


@pytest.mark.parametrize("name", ["tflite_float16", "tflite_int8"])
def test_a_converter_that_fails_costs_its_own_format_only(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: writers.Export, path: Path) -> None:
        raise RuntimeError("no such operation")

    monkeypatch.setitem(writing.WRITERS, name, refuse)
    files: dict[str, Path] = {}
    arguments = (files.__setitem__, nothing)
    assert export_model(source_of_mean_colour(), tmp_path, ["tflite", name], *arguments) == [
        Unwritten(name, "the converter failed: RuntimeError: no such operation")
    ]
    assert list(files) == ["tflite"]
    with pytest.raises(TrainingError, match="no such operation"):
        export_model(source_of_mean_colour(), tmp_path, [name], *arguments)


def test_each_format_of_a_network_of_the_operators_own_costs_itself_only(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The float formats of a network of ours fail the task: see the tests above, and the control here."""

    def refuse(export: writers.Export, path: Path) -> None:
        path.write_bytes(b"half a file")
        raise NotImplementedError("a layer can't be stored")

    monkeypatch.setitem(writing.WRITERS, "keras", refuse)
    arguments = (tmp_path, ["keras", "tflite"], lambda name, path: None, nothing)
    foreign = dataclasses.replace(source_of_mean_colour(), any_may_fail=True)
    assert export_model(foreign, *arguments) == [Unwritten("keras", "a layer can't be stored")]
    assert not (tmp_path / FILES["keras"]).exists()
    with pytest.raises(NotImplementedError):
        export_model(source_of_mean_colour(), *arguments)

    wrong = tmp_path / "wrong"
    shutil.copytree(trained.wrong_files("weights")["saved_model"], wrong / "saved_model")
    with ExportChecks(HeldOut(trained.inputs, trained.reference, trained.score, "accuracy"), THREADS, True) as checks:
        checks.begin("saved_model", wrong / "saved_model")
        checks.begin("keras", trained.files["keras"])
        found = checks.finish(nothing)
    assert [check.format for check in found.checks] == ["keras"]
    assert [missing.format for missing in found.unwritten] == ["saved_model"]
    assert "does not behave like the trained model" in found.unwritten[0].reason
    assert not (wrong / "saved_model").exists()


def test_a_full_disk_is_not_taken_for_a_converter_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    errors = [OSError("could not get source code"), OSError(errno.ENOSPC, "No space left on device")]

    def refuse(_: writers.Export, path: Path) -> None:
        raise errors.pop(0)

    monkeypatch.setitem(writing.WRITERS, "tflite_int8", refuse)
    formats, arguments = ["keras", "tflite_int8"], (lambda name, path: None, nothing)
    assert export_model(source_of_mean_colour(), tmp_path, formats, *arguments) == [
        Unwritten("tflite_int8", "the converter failed: OSError: could not get source code")
    ]
    with pytest.raises(OSError, match="No space left"):
        export_model(source_of_mean_colour(), tmp_path, formats, *arguments)


def test_onnx_scores_like_the_trained_model_where_its_packages_are(trained: Trained, tmp_path: Path) -> None:
    for package in ONNX_PACKAGES:
        pytest.importorskip(package)
    (check,) = trained.check(trained.export(trained.model, tmp_path, ["onnx"])).checks
    assert check.max_difference < 1e-4
    assert check.score == pytest.approx(trained.score(trained.reference), abs=1e-3)


def test_tflite_files_are_run_without_tensorflow(trained: Trained) -> None:
    code = (
        "import sys; import numpy as np\n"
        "from trainer_worker.exporting.runtimes.__main__ import Runner, runtime\n"
        "runner = Runner(runtime('tflite'), 1)\n"
        f"assert runner.answer({str(trained.files['tflite'])!r}) is None\n"
        f"print(runner.answer(np.zeros((1, {SIDE}, {SIDE}, 3), np.uint8))[0].shape)\n"
        "print(*(name for name in sys.modules if sys.modules[name] is not None))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert done.returncode == 0, done.stderr
    shape, modules = done.stdout.splitlines()
    assert shape == str((1, *trained.reference.shape[1:]))
    assert not {module.partition(".")[0] for module in modules.split()} & {"tensorflow", "keras", "sklearn", "scipy"}


def test_a_scoring_process_that_dies_is_said_and_replaced(trained: Trained) -> None:
    processes = ScoringProcesses(THREADS)
    try:
        first = processes.start("tflite")
        batches = processes.outputs(trained.files["tflite"], trained.inputs)
        next(batches)
        os.kill(first.pid, signal.SIGKILL)
        with pytest.raises(CannotRunError, match="-9"):
            list(batches)
        outputs = [batch for batch, _ in processes.outputs(trained.files["tflite"], trained.inputs)]
        np.testing.assert_allclose(np.concatenate(outputs), trained.reference, atol=1e-4)
        assert processes.start("tflite").pid != first.pid
    finally:
        processes.close()


def test_a_scoring_process_ends_with_its_socket() -> None:
    process = ScoringProcess("tflite", THREADS)
    with pytest.raises(CannotRunError, match="no file is loaded"):
        process.run(np.zeros((1, 1, 1, 3)))
    process.hang_up()
    assert process.wait(TIMEOUT_S) == 0
