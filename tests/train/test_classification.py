"""The classification trainer on real images: handwritten digits as class folders, at a small image size."""

import importlib.util
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from scipy.stats import binomtest
from sklearn.datasets import load_digits

from protocol.end_reason import EndReason
from protocol.errors import TrainingError
from protocol.options import ClassificationOptions
from tests.documented_fields import metrics_fields, misfits
from tests.picture_reading import read_rgb
from tests.project_folders import open_project
from tests.sample_tasks import hex_id
from tests.train.confidence_arithmetic import check_confidence, noted_answers
from tests.train.report_arithmetic import check_report
from tests.train.unpacked_pack import complaints, damage_sample, run_predict, swap_labels, unpack
from trainer_worker.attempt.attempt import Attempt
from trainer_worker.attempt.job import Cancelled, Epoch, Job, PlannedStage, SilentReporter, TrainingResult
from trainer_worker.classification.train import train

SIZE = 64


class RecordingReporter(SilentReporter):
    """Notes what it is told; asks to stop, or cancels, in a phase that the test chooses. A request to stop stays."""

    def __init__(self, stop_in: str = "", cancel_in: str = "") -> None:
        self.plans: list[list[str]] = []
        self.phases: list[str] = []
        self.steps: list[tuple[str, float]] = []
        self.epochs: list[tuple[int, dict[str, float]]] = []
        self._stop_in, self._cancel_in = stop_in, cancel_in

    def plan(self, phases: Sequence[PlannedStage]) -> None:
        assert all(phase.expected_s > 0 for phase in phases)
        self.plans.append([phase.name for phase in phases])

    def enter(self, phase: str) -> None:
        assert phase in self.plans[-1], "the reporter of a task knows planned phases only"
        self.phases.append(phase)

    def step(self, fraction: float, **metrics: float) -> None:
        self.steps.append((self.phases[-1], fraction))
        if self.phases[-1] == self._cancel_in:
            raise Cancelled

    def epoch(self, epoch: Epoch) -> None:
        self.epochs += [] if epoch.part else [(epoch.number, epoch.metrics)]

    @property
    def stop_requested(self) -> bool:
        return self._stop_in in self.phases


def write_digits(root: Path, per_class: int, classes: Sequence[int] = range(10)) -> Path:
    """Digits as PNG files in class folders."""
    digits = load_digits()
    for index, label in enumerate(classes):
        rows = np.flatnonzero(digits.target == label)[:per_class]
        for number, row in enumerate(rows):
            path = root / "images" / f"digit{label}" / f"{index}_{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = (digits.images[row] * (255 / 16)).astype(np.uint8)
            Image.fromarray(pixels).resize((32, 32), Image.Resampling.BICUBIC).save(path)
    return root


@pytest.fixture(scope="module")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def run(
    project: Path, cache_dir: Path, reporter: RecordingReporter, task_id: str = "t1", **options: Any
) -> TrainingResult:
    given = {"image_size": SIZE, "exports": ("tflite",), **options}
    job = Job(hex_id(task_id), 1, open_project(project), "classification", ClassificationOptions(**given))
    # Tests share task ids and projects: none may go on from what another has left. Features may be shared.
    job.checkpoints.clear()
    shutil.rmtree(project / ".tfmodel" / "last", ignore_errors=True)
    return train(Attempt(job, reporter, cache_dir, 2))


def read(result: TrainingResult, name: str) -> Any:
    return json.loads((result.model_path.parent / name).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """300 digits, one unreadable file, and labels in an order of their own."""
    root = write_digits(tmp_path_factory.mktemp("project"), per_class=30)
    (root / "images" / "digit3" / "broken.png").write_bytes(b"\x89PNG broken")
    lines = [f"digit{label},{9 - label}" for label in range(10)]
    (root / "labels_info.txt").write_text("\n".join(["name,index", *lines]), encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def reporter() -> RecordingReporter:
    return RecordingReporter()


@pytest.fixture(scope="module")
def trained(project: Path, cache_dir: Path, reporter: RecordingReporter) -> TrainingResult:
    return run(project, cache_dir, reporter, exports=ClassificationOptions().exports)


def test_digits_are_learned(trained: TrainingResult) -> None:
    assert trained.metrics["accuracy"] >= 0.85
    assert trained.metrics["baseline_accuracy"] == pytest.approx(0.1)
    assert trained.metrics["images"] == 300


def test_every_figure_of_the_report_is_that_of_its_predictions(trained: TrainingResult) -> None:
    check_report(trained.model_path.parent, {f"digit{label}": 30 for label in range(10)})


def test_the_folder_holds_what_was_promised(trained: TrainingResult, project: Path) -> None:
    folder = trained.model_path.parent
    manifest, metrics = read(trained, "manifest.json"), read(trained, "metrics.json")

    assert folder == project / "models" / hex_id("t1")
    assert trained.model_path == folder / "model.tflite"
    names = {"model.keras", "saved_model", "model.tflite", "labels.txt"}
    names |= {"metrics.json", "manifest.json", "app_pack.zip", "report.html"}
    assert names <= {path.name for path in folder.iterdir()}
    labels = [f"digit{9 - index}" for index in range(10)]
    assert (folder / "labels.txt").read_text().splitlines() == labels == manifest["labels"] == metrics["labels"]
    assert manifest["options"]["validationSplit"] == 0.2
    assert {check["format"]: check["score"] for check in manifest["exports"]["formats"]} == dict.fromkeys(
        ("keras", "saved_model", "tflite"), manifest["exports"]["trained_model_score"]
    )
    assert metrics["exports"] == manifest["exports"]
    assert manifest["model_file"] == "model.tflite"
    assert metrics["skipped"][0]["file"] == "images/digit3/broken.png"
    assert metrics["skipped"][0]["reason"]
    assert misfits(metrics, metrics_fields("classification")) == []


def test_the_metrics_agree_with_each_other(trained: TrainingResult) -> None:
    metrics = read(trained, "metrics.json")
    confusion = np.array(metrics["confusion_matrix"])
    right = [entry["truth"] == entry["predicted"] for entry in metrics["held_out"]]

    assert confusion.sum() == len(right) == metrics["images"]["held_out"] == 60
    assert np.trace(confusion) == sum(right)
    assert metrics["final"]["accuracy"] == pytest.approx(np.mean(right))
    assert [entry["support"] for entry in metrics["per_class"]] == confusion.sum(axis=1).tolist() == [6] * 10
    losses = [epoch["loss"] for epoch in metrics["history"]]
    assert losses[-1] < losses[0] / 2
    assert all(0.0 <= epoch["training_accuracy"] <= 1.0 for epoch in metrics["history"])


def test_the_exported_files_name_the_held_out_images(trained: TrainingResult, project: Path) -> None:
    """Not the trainer's own check: a caller's few lines with the files as they lie on the disk."""
    held_out = read(trained, "metrics.json")["held_out"]
    labels = (trained.model_path.parent / "labels.txt").read_text().splitlines()
    model = keras.models.load_model(trained.model_path.parent / "model.keras")
    interpreter = tf.lite.Interpreter(model_path=str(trained.model_path))
    interpreter.allocate_tensors()
    for entry in held_out[::6]:
        picture = read_rgb(project / entry["file"], (SIZE, SIZE)).astype(np.float32)[None]
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], picture)
        interpreter.invoke()
        for output in (interpreter.get_tensor(interpreter.get_output_details()[0]["index"]), model(picture).numpy()):
            assert output.sum() == pytest.approx(1.0, abs=1e-4)
            assert labels[int(output.argmax())] == entry["predicted"]
            assert float(output.max()) == pytest.approx(entry["probability"], abs=1e-3)


def test_the_app_pack_gives_what_it_says(trained: TrainingResult, project: Path, tmp_path: Path) -> None:
    pack = unpack(trained.model_path.parent, tmp_path)

    (warning,) = read(trained, "manifest.json")["warnings"]
    assert warning.startswith("1 file is not used: the file is not a picture of a known format")
    assert "images/digit3/broken.png" in warning
    assert list(trained.warnings) == [warning]
    assert "app_pack.zip" in {file["path"] for file in read(trained, "manifest.json")["files"]}
    assert (pack / "model.tflite").read_bytes() == trained.model_path.read_bytes()
    assert run_predict(pack, "--check") == (0, "All samples give the expected answers.\n")
    assert complaints(pack) == []


@pytest.mark.parametrize("damage", [swap_labels, damage_sample])
def test_the_app_packs_check_finds_damage(
    trained: TrainingResult, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    """The control of the test above."""
    pack = unpack(trained.model_path.parent, tmp_path)
    damage(pack)

    assert complaints(pack)


def test_progress_is_reported_all_along(trained: TrainingResult, reporter: RecordingReporter) -> None:
    assert reporter.phases == ["features", "advice", "train", "export", "check", "report", "publish"]
    assert list(trained.stage_seconds) == reporter.phases == reporter.plans[-1]
    for phase in ("features", "train", "export", "check"):
        fractions = [fraction for name, fraction in reporter.steps if name == phase]
        assert fractions == sorted(fractions), phase
        assert 0.0 <= fractions[0] <= fractions[-1] <= 1.0
    assert [number for number, _ in reporter.epochs] == list(range(1, len(reporter.epochs) + 1))
    assert set(reporter.epochs[0][1]) == {"loss", "training_accuracy"}


def test_the_same_seed_gives_the_same_model_and_another_does_not(
    trained: TrainingResult, project: Path, cache_dir: Path
) -> None:
    again = run(project, cache_dir, RecordingReporter(), "again")
    other = run(project, cache_dir, RecordingReporter(), "other", seed=2)

    assert read(again, "metrics.json")["held_out"] == read(trained, "metrics.json")["held_out"]
    assert again.model_path.read_bytes() == trained.model_path.read_bytes()
    assert read(other, "metrics.json")["held_out"] != read(trained, "metrics.json")["held_out"]


def test_the_formats_asked_for_are_there_and_what_could_not_be_written_is_said(
    tmp_path: Path, cache_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "tf2onnx" else find_spec(name, *rest)
    )
    project = write_digits(tmp_path, per_class=20, classes=(0, 1))

    result = run(project, cache_dir, RecordingReporter(), exports=("onnx", "tflite_float16"), epochs=1)

    manifest = read(result, "manifest.json")
    assert result.model_path.name == manifest["model_file"] == "model_float16.tflite"
    assert [check["format"] for check in manifest["exports"]["formats"]] == ["tflite_float16"]
    assert [missing["format"] for missing in manifest["exports"]["not_written"]] == ["onnx"]
    assert any("pip install tf2onnx onnxruntime" in warning for warning in manifest["warnings"])
    names = {"model_float16.tflite", "labels.txt", "metrics.json", "manifest.json", "held_out.json", "report.html"}
    assert {path.name for path in result.model_path.parent.iterdir()} == names


def test_formats_that_cannot_be_had_are_refused_before_the_training(
    tmp_path: Path, cache_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda *_: None)
    reporter = RecordingReporter()
    with pytest.raises(TrainingError, match="pip install") as caught:
        run(write_digits(tmp_path, per_class=2, classes=(0, 1)), cache_dir, reporter, exports=("onnx",))
    assert caught.value.code == "unsupported_option"
    assert reporter.phases == []


def test_options_are_honoured(tmp_path: Path, cache_dir: Path) -> None:
    project = write_digits(tmp_path, per_class=60, classes=(3, 8))
    reporter = RecordingReporter()

    result = run(project, cache_dir, reporter, epochs=2, validation_split=0.5, batch_size=10, learning_rate=1e-6)

    metrics = read(result, "metrics.json")
    assert [number for number, _ in reporter.epochs] == [1, 2]
    assert metrics["images"]["held_out"] == 60
    # A rate of one millionth changes next to nothing, but for what dropout leaves of a pass.
    assert metrics["history"][1]["loss"] == pytest.approx(metrics["history"][0]["loss"], abs=0.05)
    batches = sum(1 for name, _ in reporter.steps if name == "train")
    assert batches == 2 * metrics["images"]["train"] // 10


def test_two_classes_of_two_images_are_enough(tmp_path: Path, cache_dir: Path) -> None:
    result = run(write_digits(tmp_path, per_class=2, classes=(0, 1)), cache_dir, RecordingReporter(), epochs=1)

    metrics = read(result, "metrics.json")
    assert metrics["images"] == {"train": 2, "held_out": 2}
    assert (len(metrics["held_out"]), len(metrics["cross_validated"])) == (2, 2)
    assert "The 4 pictures that score the model are too few" in read(result, "manifest.json")["warnings"][0]


def test_few_pictures_are_scored_by_cross_validation(tmp_path: Path, cache_dir: Path) -> None:
    reporter = RecordingReporter()
    with noted_answers() as answers:
        result = run(write_digits(tmp_path, per_class=15, classes=(0, 1, 2)), cache_dir, reporter, epochs=4)

    metrics, entries = read(result, "metrics.json"), []
    for entry in (*metrics["held_out"], *metrics["cross_validated"]):
        entries.append((entry["file"], entry["truth"] == entry["predicted"]))
    assert len({file for file, _ in entries}) == len(entries) == 45
    right = sum(correct for _, correct in entries)
    score, bounds = metrics["score"], binomtest(right, 45).proportion_ci(method="wilson")
    assert (score["right"], score["pictures"], score["value"]) == (right, 45, pytest.approx(right / 45))
    assert (score["low"], score["high"]) == pytest.approx((bounds.low, bounds.high))
    assert (score["method"], score["folds"]) == ("cross_validation", 5)
    assert {entry["fold"] for entry in metrics["cross_validated"]} == {1, 2, 3, 4}
    assert [entry["support"] for entry in metrics["per_class"]] == [15, 15, 15]
    assert result.metrics["accuracy"] == score["value"] == read(result, "manifest.json")["score"]["value"]
    check_report(result.model_path.parent, {f"digit{label}": 15 for label in range(3)})
    check_confidence(result.model_path.parent, answers[-1])
    assert reporter.phases == ["features", "advice", "train", "cross_validate", "export", "check", "report", "publish"]
    fractions = [fraction for phase, fraction in reporter.steps if phase == "cross_validate"]
    assert fractions == sorted(fractions)
    assert [number for number, _ in reporter.epochs] == list(range(1, len(metrics["history"]) + 1))


def test_a_stop_keeps_the_best_model_so_far(tmp_path: Path, cache_dir: Path) -> None:
    result = run(write_digits(tmp_path, per_class=20, classes=(0, 1)), cache_dir, RecordingReporter(stop_in="train"))

    assert result.end_reason is EndReason.STOPPED
    assert result.model_path.is_file()
    assert read(result, "manifest.json")["stopped_early"]
    assert result.metrics["accuracy"] >= 0.8  # the logistic regression stands


def test_a_stop_while_the_score_is_made_is_said_and_leaves_the_model_as_it_was(tmp_path: Path, cache_dir: Path) -> None:
    """The score comes from simpler models then, so a copy of this model isn't all that the next task should get."""
    project = write_digits(tmp_path, per_class=15, classes=(0, 1))
    whole = read(run(project, cache_dir, RecordingReporter(), "t1", epochs=3), "metrics.json")
    stopping = RecordingReporter(stop_in="cross_validate")
    result = run(project, cache_dir, stopping, "t2", epochs=3, promote="always")

    stopped = read(result, "metrics.json")
    assert result.end_reason is EndReason.STOPPED
    assert len(stopped["cross_validated"]) == len(whole["cross_validated"])
    assert stopped["history"] == whole["history"]
    for name in ("file", "predicted"):
        assert [entry[name] for entry in stopped["held_out"]] == [entry[name] for entry in whole["held_out"]]


def test_a_rate_that_breaks_the_training_leaves_the_regression_and_says_so(tmp_path: Path, cache_dir: Path) -> None:
    project = write_digits(tmp_path, per_class=40, classes=(0, 1))
    result = run(project, cache_dir, RecordingReporter(), learning_rate=1.0)

    manifest = read(result, "manifest.json")
    assert result.end_reason == manifest["end_reason"] == "diverged"
    assert result.metrics["accuracy"] >= 0.8
    assert any("learningRate=1 " in warning for warning in manifest["warnings"])


@pytest.mark.parametrize("phase", ["features", "advice", "train", "cross_validate", "export"])
def test_a_cancel_leaves_nothing_behind(tmp_path: Path, cache_dir: Path, phase: str) -> None:
    project = write_digits(tmp_path, per_class=4, classes=(0, 1))

    with pytest.raises(Cancelled):
        run(project, cache_dir, RecordingReporter(cancel_in=phase), epochs=1)

    models = project / "models"
    assert not models.exists() or not any(models.iterdir())


def test_copies_of_one_picture_cannot_be_scored(tmp_path: Path, cache_dir: Path) -> None:
    project = write_digits(tmp_path, per_class=1, classes=(0, 1))
    for path in list(project.glob("images/*/*.png")):
        path.with_name("copy.png").write_bytes(path.read_bytes())

    with pytest.raises(TrainingError, match="two different pictures") as caught:
        run(project, cache_dir, RecordingReporter())
    assert caught.value.code == "too_few_classes"


def test_a_picture_in_two_classes_is_warned_of(tmp_path: Path, cache_dir: Path) -> None:
    project = write_digits(tmp_path, per_class=4, classes=(0, 1))
    content = (project / "images" / "digit0" / "0_0.png").read_bytes()
    (project / "images" / "digit1" / "copy.png").write_bytes(content)

    warnings = read(run(project, cache_dir, RecordingReporter(), epochs=1), "manifest.json")["warnings"]

    assert any("images/digit0/0_0.png, images/digit1/copy.png" in warning for warning in warnings)


def test_without_pictures_for_other_folds_there_is_no_cross_validation(tmp_path: Path, cache_dir: Path) -> None:
    """Each class has one picture of its own, which is held out. The other one is in both classes, and never scores."""
    project = write_digits(tmp_path, per_class=2, classes=(0, 1))
    images = project / "images"
    shutil.copy(images / "digit0" / "0_1.png", images / "digit1" / "1_1.png")
    reporter = RecordingReporter()

    metrics = read(run(project, cache_dir, reporter, epochs=1), "metrics.json")

    assert (metrics["score"]["method"], metrics["score"]["pictures"]) == ("held_out", 2)
    assert "cross_validate" not in reporter.phases
