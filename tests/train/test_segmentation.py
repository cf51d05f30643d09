"""The segmentation trainer, on handwritten digits pasted on photos, with exact masks."""

from __future__ import annotations

import base64
import dataclasses
import io
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from demo.segmentation_data import make_segmentation_project
from protocol.end_reason import EndReason
from protocol.errors import TrainingError
from protocol.options import SegmentationOptions
from tests.documented_fields import mask_fields, metrics_fields, misfits
from tests.picture_reading import read_mask, read_rgb
from tests.project_folders import open_project, read_manifest
from tests.report_reading import ReportReader, pixels_of
from tests.sample_tasks import hex_id
from tests.train.unpacked_pack import complaints, damage_sample, swap_labels, unpack
from trainer_worker.attempt.attempt import Attempt
from trainer_worker.attempt.job import Cancelled, Epoch, Job, PlannedStage, SilentReporter, TrainingResult
from trainer_worker.backbones.efficientnet_lite import LITE0
from trainer_worker.exporting.scoring import load_predictor
from trainer_worker.optimization.epochs import History
from trainer_worker.pictures.user_files import UserFiles
from trainer_worker.scores.calibration import Calibration, measure_reliability, tempered
from trainer_worker.segmentation import publication, unet
from trainer_worker.segmentation import train as segmentation
from trainer_worker.segmentation.dataset import classes_of_pairs, copies_of_pairs, split_pairs
from trainer_worker.segmentation.folders import Cutting, read_pairs, scan_mask_folders
from trainer_worker.segmentation.pixel_calibration import calibrate_pixels
from trainer_worker.segmentation.scores import MaskScores, score_masks
from trainer_worker.segmentation.skip_features import SkipFeatures
from trainer_worker.segmentation.train import train
from trainer_worker.segmentation.unet_training import batch_size_for, fit_decoder, planned_epochs
from trainer_worker.segmentation.views import LIES, laid

SIDE = 96
THREADS = 2


class RecordingReporter(SilentReporter):
    """Keeps what is told; asks to stop, or cancels, at the step that is named."""

    def __init__(self, stop_at_step: int | None = None, cancel_at_step: int | None = None) -> None:
        self.phases: list[str] = []
        self.entered: list[str] = []
        self.fractions: dict[str, list[float]] = {}
        self.epochs: list[dict[str, float]] = []
        self.steps = 0
        self._stop_at_step = stop_at_step
        self._cancel_at_step = cancel_at_step

    def plan(self, phases: Sequence[PlannedStage]) -> None:
        self.phases = [phase.name for phase in phases]

    def enter(self, phase: str) -> None:
        self.entered.append(phase)

    def step(self, fraction: float, **metrics: float) -> None:
        if "loss" in metrics:  # an optimizer step
            self.steps += 1
        self.fractions.setdefault(self.entered[-1], []).append(fraction)
        if self._cancel_at_step is not None and self.steps >= self._cancel_at_step:
            raise Cancelled

    def epoch(self, epoch: Epoch) -> None:
        assert epoch.number == len(self.epochs) + 1
        self.epochs.append(epoch.metrics)

    @property
    def stop_requested(self) -> bool:
        return self._stop_at_step is not None and self.steps >= self._stop_at_step


def run(
    project: Path, reporter: RecordingReporter | None = None, task_id: str = "task", **options: Any
) -> TrainingResult:
    defaults = {"image_size": SIDE, "epochs": 12, "batch_size": 4, "learning_rate": 5e-3, "exports": ("tflite",)}
    job = Job(hex_id(task_id), 1, open_project(project), "segmentation", SegmentationOptions(**{**defaults, **options}))
    job.checkpoints.clear()  # tests share task ids: none may go on from another's checkpoint
    return train(Attempt(job, reporter or RecordingReporter(), project / "cache", THREADS))


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("digits_on_photos")
    make_segmentation_project(folder, images=30, seed=1)
    return folder


@pytest.fixture
def project(source: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(source, tmp_path / "project", ignore=shutil.ignore_patterns("models")))


@pytest.fixture(scope="module")
def uncalibrated() -> list[Any]:
    """The probabilities of the held-out pictures before the calibration of `trained`."""
    return []


@pytest.fixture(scope="module")
def trained(source: Path, uncalibrated: list[Any]) -> tuple[TrainingResult, RecordingReporter]:
    """Calibrated at the temperature 2: so few digits would not ask for another one than 1."""
    reporter = RecordingReporter()
    (source / "masks" / "nobody_mask.png").write_bytes((source / "masks" / "digits_0000_mask.png").read_bytes())

    def calibrate_at_2(probabilities: Any, *others: Any) -> tuple[Calibration, Any]:
        uncalibrated.append(probabilities)
        found, _ = calibrate_pixels(probabilities, *others)
        assert found is not None
        return dataclasses.replace(found, temperature=2.0), tempered(probabilities, 2.0)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(publication, "calibrate_pixels", calibrate_at_2)
        return run(source, reporter, exports=SegmentationOptions().exports), reporter


def metrics_of(result: TrainingResult) -> dict[str, Any]:
    metrics: dict[str, Any] = json.loads((result.model_path.parent / "metrics.json").read_text())
    return metrics


@pytest.mark.slow
def test_it_learns_and_wrong_masks_do_not(trained: tuple[TrainingResult, RecordingReporter], project: Path) -> None:
    """The control: the same pictures with each other's masks. A good score there would be worthless."""
    masks = sorted((project / "masks").glob("digits_*"))
    contents = [path.read_bytes() for path in masks]
    for path, content in zip(masks, contents[1:] + contents[:1], strict=True):
        path.write_bytes(content)
    right, wrong = trained[0].metrics, run(project).metrics
    baseline = metrics_of(trained[0])["baseline"]["all_foreground_dice"]
    assert right["dice"] > 0.6
    assert right["dice"] > baseline + 0.2
    assert wrong["dice"] < right["dice"] - 0.2


def test_every_field_of_the_metrics_is_documented(trained: tuple[TrainingResult, RecordingReporter]) -> None:
    assert misfits(metrics_of(trained[0]), metrics_fields("segmentation")) == []


def test_the_report_shows_the_masks_that_the_exported_file_draws(
    trained: tuple[TrainingResult, RecordingReporter],
) -> None:
    model = trained[0].model_path
    page = ReportReader((model.parent / "report.html").read_text("utf-8"))
    worst = min(metrics_of(trained[0])["held_out"], key=lambda entry: (entry["dice"], entry["file"]))
    photo, truth, prediction, difference = page.sections["masks"].pictures[:4]
    assert photo["alt"] == f"photo of {worst['file']}"

    path = model.parents[2] / worst["file"]
    found = load_predictor(model, THREADS)(read_rgb(path, (SIDE, SIDE))[None])[0, ..., 0] > 0.5
    true = read_mask(model.parents[2] / "masks" / f"{path.stem}_mask.png", (SIDE, SIDE)) > 0
    plain = pixels_of(photo["src"]).astype(int)
    masks = json.loads((model.parent / "held_out_masks.json").read_text("utf-8"))
    assert (misfits(masks, mask_fields()), masks["labels"]) == ([], ["background", "foreground"])
    numbers = masks["pictures"][0]
    assert numbers["picture"] == worst["file"]
    for shown, mask, encoded in ((truth, true, numbers["truth"]), (prediction, found, numbers["predicted"])):
        tinted = np.abs(pixels_of(shown["src"]).astype(int) - plain).max(axis=-1) > 20
        height, width = tinted.shape
        expected = np.asarray(Image.fromarray(mask).resize((width, height), Image.Resampling.NEAREST))
        assert (tinted == expected).mean() > 0.9
        drawn = np.asarray(Image.open(io.BytesIO(base64.b64decode(encoded)))) > 0
        assert (drawn == expected).mean() > 0.99
    coloured = np.ptp(pixels_of(difference["src"]).astype(int), axis=-1) > 60
    assert coloured.mean() == pytest.approx((true != found).mean(), abs=0.05)


def test_a_model_that_learned_nothing_and_a_training_that_broke_are_said_to_be(
    project: Path, trained: tuple[TrainingResult, RecordingReporter], monkeypatch: pytest.MonkeyPatch
) -> None:
    def scores_of_the_same_everywhere(*arguments: Any) -> tuple[MaskScores, MaskScores]:
        return (scores_of_masks(*arguments)[1],) * 2

    scores_of_masks = publication._scores

    def fit_and_break(*arguments: Any) -> History:
        history = fit_decoder(*arguments)
        history.end_reason = EndReason.DIVERGED
        return history

    monkeypatch.setattr(segmentation, "fit_decoder", fit_and_break)
    monkeypatch.setattr(publication, "_scores", scores_of_the_same_everywhere)
    result = run(project, epochs=1, learning_rate=1e-6)
    assert result.end_reason == "diverged"
    said = metrics_of(result)["warnings"]
    assert any("learningRate=1e-06 is too high: epoch 2 broke the model" in warning for warning in said)
    assert any("no better than marking all" in warning for warning in said)
    assert not any("no better" in warning for warning in metrics_of(trained[0])["warnings"])  # the control


def test_the_folder_is_complete(trained: tuple[TrainingResult, RecordingReporter], source: Path) -> None:
    result, _ = trained
    folder = source / "models" / hex_id("task")
    assert result.model_path == folder / "model.tflite"
    assert (source / "models" / "latest").resolve() == folder.resolve()
    assert (folder / "labels.txt").read_text() == "background\nforeground\n"
    manifest = read_manifest(folder)
    assert manifest is not None
    assert manifest["options"]["imageSize"] == SIDE
    scores = {check["format"]: check["score"] for check in manifest["exports"]["formats"]}
    assert set(scores) == {"tflite", "saved_model", "keras"}
    assert all(score == pytest.approx(result.metrics["dice"], abs=0.01) for score in scores.values())
    metrics = metrics_of(result)
    assert metrics["final"]["dice"] == pytest.approx(result.metrics["dice"])
    assert [skip["file"] for skip in metrics["skipped"]] == ["masks/nobody_mask.png"]
    assert sum(metrics["images"].values()) == 30
    assert sum(map(sum, metrics["confusion_matrix"])) == metrics["images"]["held_out"] * SIDE * SIDE
    assert metrics["history"][-1]["loss"] < metrics["history"][0]["loss"]
    assert 0 <= metrics["history"][0]["training_dice"] < metrics["history"][-1]["training_dice"] <= 1


def test_the_app_pack_gives_what_it_says_and_its_check_finds_damage(
    trained: tuple[TrainingResult, RecordingReporter], source: Path, tmp_path: Path
) -> None:
    pack = unpack(source / "models" / hex_id("task"), tmp_path)
    assert complaints(pack) == []
    damage_sample(pack)
    assert len(complaints(pack)) == 1
    swap_labels(pack)
    assert len(complaints(pack)) == 2


def test_the_exported_file_scores_as_told_on_the_held_out_pictures(
    trained: tuple[TrainingResult, RecordingReporter], uncalibrated: list[Any], source: Path
) -> None:
    """From the files alone, as a user of the model would: read, predict, compare with the masks."""
    names = [Path(row["file"]).stem for row in metrics_of(trained[0])["held_out"]]
    pictures = np.stack([read_rgb(source / "images" / f"{name}.jpg", (SIDE, SIDE)) for name in names])
    masks = np.stack([read_mask(source / "masks" / f"{name}_mask.png", (SIDE, SIDE)) for name in names])
    probabilities = load_predictor(trained[0].model_path, THREADS)(pictures.astype(np.float32))
    assert probabilities.shape == (len(names), SIDE, SIDE, 1)
    assert score_masks(masks, probabilities[..., 0] > 0.5).dice == pytest.approx(trained[0].metrics["dice"], abs=0.01)
    # Calibrated probabilities, and the decisions of the uncalibrated model.
    (before,) = uncalibrated
    assert np.allclose(probabilities, tempered(before, 2.0), atol=1e-3)
    assert np.abs(probabilities - before).max() > 0.1
    assert np.mean((probabilities > 0.5) == (before > 0.5)) > 0.9999
    told = metrics_of(trained[0])["calibration"]
    reliability = measure_reliability(before.reshape(-1, 1), (masks.ravel() > 0).astype(np.int64))
    assert told["ece_before"] == pytest.approx(reliability.error, abs=0.003)
    manifest = read_manifest(trained[0].model_path.parent)
    assert manifest is not None
    assert manifest["calibration"]["temperature"] == told["temperature"] == 2.0


def test_progress_covers_every_phase_and_never_goes_back(
    trained: tuple[TrainingResult, RecordingReporter],
) -> None:
    result, reporter = trained
    assert reporter.entered == reporter.phases == list(result.stage_seconds)
    for phase in ("read", "train", "export", "check"):
        fractions = reporter.fractions[phase]
        assert fractions == sorted(fractions)
        assert 0 <= fractions[0] <= fractions[-1] <= 1
    assert len(reporter.epochs) == len(metrics_of(result)["history"])
    assert reporter.steps == len(reporter.epochs) * 6  # 24 training pictures (30 - 6 held out), 4 a step


@pytest.mark.slow
def test_same_seed_same_model_and_stopping_early_keeps_one(project: Path) -> None:
    reporters = [RecordingReporter(stop_at_step=7) for _ in range(2)]
    results = [run(project, reporter, task_id=f"t{i}") for i, reporter in enumerate(reporters)]
    assert all(result.end_reason is EndReason.STOPPED for result in results)
    assert [reporter.steps for reporter in reporters] == [7, 7]
    assert [len(reporter.epochs) for reporter in reporters] == [2, 2]
    assert reporters[0].epochs == reporters[1].epochs
    pixels = read_rgb(project / "images" / "digits_0000.jpg", (SIDE, SIDE))[np.newaxis]
    first, second = (load_predictor(result.model_path, THREADS)(pixels) for result in results)
    np.testing.assert_array_equal(first, second)


def test_a_cancelled_task_leaves_no_model(project: Path) -> None:
    with pytest.raises(Cancelled):
        run(project, RecordingReporter(cancel_at_step=3))
    assert not list(project.glob("models/**/model.*"))


def test_copies_of_one_picture_are_too_few(project: Path) -> None:
    first = (project / "images" / "digits_0000.jpg").read_bytes()
    for path in (project / "images").iterdir():
        path.write_bytes(first)
    with pytest.raises(TrainingError, match="different") as caught:
        run(project)
    assert caught.value.code == "too_few_images"


def test_features_kept_in_memory_are_those_worked_out_anew(source: Path) -> None:
    pictures = read_pairs(
        scan_mask_folders(UserFiles.at(source)), Cutting(SIDE), THREADS, lambda fraction: None
    ).pictures
    encoder = unet.build_encoder(LITE0, SIDE)
    one_view_bytes = sum(2 * int(np.prod(output.shape[1:])) for output in encoder.outputs)
    batch = np.array([3, 1, 3, 2]), np.array([0, 5, 0, 7])
    anew = SkipFeatures(encoder, pictures, memory_bytes=0)
    kept = SkipFeatures(encoder, pictures, memory_bytes=2 * one_view_bytes)  # too little for the three
    first, again = kept.batches([batch, batch])
    for expected, a, b in zip(*anew.batches([batch]), first, again, strict=True):
        assert a.dtype == np.float16
        np.testing.assert_allclose(a, expected, rtol=0.01, atol=0.02)
        np.testing.assert_allclose(b, expected, rtol=0.01, atol=0.02)
        np.testing.assert_array_equal(a[0], a[2])
        assert not np.allclose(a[0], a[1], atol=0.1)


@pytest.mark.parametrize("kept_views", [0, 100])
def test_encoder_gets_full_batches_and_each_view_once(kept_views: int) -> None:
    sizes: list[int] = []

    def encoder(batch: Any, training: bool) -> list[Any]:
        tf.py_function(lambda n: sizes.append(int(n)), [tf.shape(batch)[0]], [])
        return [batch[:, ::2, ::2]]

    pictures = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 3)).astype(np.uint8)
    features = SkipFeatures(encoder, pictures, memory_bytes=kept_views * 2 * 4 * 4 * 3)
    order = np.random.default_rng(1).permutation(40)
    epoch = [(rows, rows % LIES) for rows in np.array_split(order, 10)]
    for (rows, views), (maps,) in zip(epoch, features.batches(epoch), strict=True):
        seen = [laid(pictures[row], view)[::2, ::2] for row, view in zip(rows, views, strict=True)]
        np.testing.assert_array_equal(maps, np.stack(seen).astype(np.float16))
    assert sizes == [16, 16, 8]
    list(features.batches(epoch))
    assert sizes[3:] == ([] if kept_views else [16, 16, 8])


def test_few_pictures_are_trained_on_in_more_epochs_and_smaller_batches() -> None:
    options = SegmentationOptions(batch_size=8)
    planned = [(planned_epochs(n, options), batch_size_for(n, options)) for n in (1, 10, 50, 80, 200, 5000)]
    assert planned == [(40, 4), (40, 4), (24, 4), (16, 4), (16, 6), (16, 8)]
    few = SegmentationOptions(batch_size=2, epochs=3)
    assert (planned_epochs(10, few), batch_size_for(10, few)) == (3, 2)


def test_the_views_are_all_the_ways_to_lay_a_square() -> None:
    square = np.arange(9).reshape(3, 3)
    views = [laid(square, lie) for lie in range(LIES)]
    assert len({view.tobytes() for view in views}) == 8
    turns = {np.rot90(side, turn).tobytes() for side in (square, square[::-1]) for turn in range(4)}
    assert {view.tobytes() for view in views} == turns


def test_the_callers_split_scores_with_its_own_pictures(source: Path, tmp_path: Path) -> None:
    """A copy of a picture that scores doesn't train either."""
    masks = sorted((source / "masks").glob("digits_*"))
    for number, mask in enumerate(masks):
        part = ("train", "train", "val", "test")[number % 4]
        picture = next((source / "images").glob(mask.stem.removesuffix("_mask") + ".*"))
        for folder, path in (("images", picture), ("masks", mask)):
            (tmp_path / part / folder).mkdir(parents=True, exist_ok=True)
            shutil.copy(path, tmp_path / part / folder)
    for folder, name in (("images", "copy"), ("masks", "copy_mask")):
        copied = min((tmp_path / "test" / folder).iterdir())
        shutil.copy(copied, (tmp_path / "train" / folder / name).with_suffix(copied.suffix))
    folders = scan_mask_folders(UserFiles.at(tmp_path))
    examples = read_pairs(folders, Cutting(SIDE), 2, lambda share: None)
    split = split_pairs(
        folders, classes_of_pairs(examples, folders), copies_of_pairs(folders, examples), SegmentationOptions()
    )
    sides = [{folders.name_of(folders.pairs[row].picture) for row in rows} for rows in (split.train, split.held_out)]
    assert {name.split("/")[0] for name in sides[0]} == {"train"}
    assert not any("copy" in name for name in sides[0] | sides[1])
    assert sides[1] == {folders.name_of(pair.picture) for pair in folders.pairs if pair.part == "test"}
