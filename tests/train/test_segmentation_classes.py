"""Segmentation with a classes.txt: red and blue digits on photos, each digit with an unlabelled rim."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageFilter
from sklearn.datasets import load_digits, load_sample_images

from protocol.options import SegmentationOptions
from tests.picture_reading import read_mask, read_rgb
from tests.project_folders import attempt_in, read_manifest
from tests.train.unpacked_pack import complaints, unpack
from trainer_worker.attempt.job import TrainingResult
from trainer_worker.backbones.efficientnet_lite import LITE0
from trainer_worker.exporting.scoring import load_predictor
from trainer_worker.pictures.user_files import UserFiles
from trainer_worker.segmentation import unet
from trainer_worker.segmentation.classes import UNLABELLED, read_classes
from trainer_worker.segmentation.folders import Cutting, read_pairs, scan_mask_folders
from trainer_worker.segmentation.losses import class_weights, dice_and_categorical_cross_entropy
from trainer_worker.segmentation.predictions import MaskPredictor
from trainer_worker.segmentation.scores import score_class_masks
from trainer_worker.segmentation.skip_features import SkipFeatures
from trainer_worker.segmentation.train import train
from trainer_worker.segmentation.unet_training import MaskedFeatures, fit_decoder
from trainer_worker.segmentation.views import MIRRORED, lies_within, views_of

SIDE = 96
NAMES = ["background", "red", "blue", "green"]  # nothing is green
COLOURS = {1: (220, 20, 30), 2: (20, 30, 220)}
OPTIONS = SegmentationOptions(image_size=SIDE, epochs=8, batch_size=4, exports=("tflite",))


def make_project(folder: Path, images: int) -> Path:
    random = np.random.default_rng(3)
    photos, scans = load_sample_images().images, load_digits().images
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    (folder / "classes.txt").write_text("\n".join(NAMES) + "\n")
    for number in range(images):
        top, left = random.integers(0, 300, 2)
        picture = photos[number % 2][top : top + SIDE, left : left + SIDE].copy()
        mask = np.zeros((SIDE, SIDE), np.uint8)
        for label, column in zip(random.permutation([1, 2]), (0, SIDE // 2), strict=True):
            scan = Image.fromarray((scans[random.integers(len(scans))] * 15).astype(np.uint8)).resize((44, 44))
            row, column = random.integers(0, SIDE - 44), column + int(random.integers(0, 4))
            ink = np.asarray(scan) > 100
            rim = np.asarray(Image.fromarray(ink).convert("L").filter(ImageFilter.MaxFilter(3))) > 0
            window = (slice(row, row + 44), slice(column, column + 44))
            picture[window][ink] = np.array(COLOURS[label]) * random.uniform(0.6, 1.0)
            mask[window][rim] = UNLABELLED
            mask[window][ink] = label
        Image.fromarray(picture).save(folder / "images" / f"p{number:02}.png")
        Image.fromarray(mask).save(folder / "masks" / f"p{number:02}.png")
    return folder


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project(tmp_path_factory.mktemp("coloured_digits"), 20)


@pytest.mark.slow
def test_each_class_is_learned(project: Path, tmp_path: Path) -> None:
    result = train(attempt_in(project, OPTIONS))
    metrics = json.loads((result.model_path.parent / "metrics.json").read_text())
    for name in ("red", "blue"):
        assert metrics["per_class"][name]["dice"] > 0.6
    assert result.metrics["dice"] > metrics["baseline"]["all_foreground_dice"] + 0.3
    assert result.metrics["dice_all_pixels"] == pytest.approx(
        np.mean([metrics["per_class"][name]["dice"] for name in ("red", "blue")])
    )
    the_folder_says_what_the_classes_are(project, result, metrics)
    the_pack_speaks_of_the_classes(result, tmp_path)
    the_file_scores_as_told(project, result, metrics)


@pytest.mark.slow
def test_each_others_masks_teach_nothing(project: Path) -> None:
    """The control: a good score with the masks of other pictures would be worthless."""
    examples = read_pairs(scan_mask_folders(UserFiles.at(project)), Cutting(SIDE), 2, lambda fraction: None)
    keras.utils.set_random_seed(1)
    encoder = unet.build_encoder(LITE0, SIDE)
    decoder = unet.build_decoder([tuple(output.shape[1:]) for output in encoder.outputs], len(NAMES))
    features = SkipFeatures(encoder, examples.pictures, 2**28)
    wrong = np.roll(examples.masks, 1, axis=0)
    fit_decoder(
        decoder,
        MaskedFeatures(features, wrong, range(14), views_of(lies_within(MIRRORED))),
        attempt_in(project / "control", OPTIONS),
    )
    unseen = range(14, 20)
    found, _ = MaskPredictor(unet.compose(encoder, decoder)).of_squares(examples.pictures[unseen])
    assert score_class_masks(wrong[unseen], found, NAMES).dice < 0.4


def the_folder_says_what_the_classes_are(project: Path, result: TrainingResult, metrics: dict[str, Any]) -> None:
    folder = result.model_path.parent
    manifest = read_manifest(folder)
    assert manifest is not None
    assert (folder / "labels.txt").read_text().splitlines() == manifest["labels"] == metrics["labels"] == NAMES
    assert manifest["output"]["shape"] == [None, SIDE, SIDE, 4]
    assert "threshold" not in manifest
    classes = read_classes(UserFiles.at(project))
    masks = [read_mask(file, (SIDE, SIDE), classes=classes) for file in project.glob("masks/*")]
    labelled = sum(int((mask != 255).sum()) for mask in masks)
    assert 0 < sum(map(sum, metrics["confusion_matrix"])) < labelled
    assert any("No mask holds class 3, 'green'" in warning for warning in metrics["warnings"])


def the_pack_speaks_of_the_classes(result: TrainingResult, folder: Path) -> None:
    pack = unpack(result.model_path.parent, folder)
    assert complaints(pack) == []
    output = json.loads((pack / "input_spec.json").read_text())["output"]
    assert (output["labels"], output["shape"][-1]) == (NAMES, len(NAMES))
    assert "probability of each class" in output["meaning"]
    card = (pack / "MODEL_CARD.md").read_text()
    assert f"which of {len(NAMES)} classes it shows: {', '.join(NAMES)}." in card
    assert "foreground" not in card
    with zipfile.ZipFile(result.model_path) as inside:
        assert inside.read("labels.txt").decode().splitlines() == NAMES
    assert b"Probability of each class for each pixel" in result.model_path.read_bytes()
    expected = np.asarray(Image.open(pack / "samples" / "1_mask.png"))
    Image.fromarray(np.where(expected == 1, 2, 1).astype(np.uint8)).save(pack / "samples" / "1_mask.png")
    assert "pixels differ" in complaints(pack)[0]


def the_file_scores_as_told(project: Path, result: TrainingResult, metrics: dict[str, Any]) -> None:
    """Whether the model scores as told, from its files alone, as a user of the model would find out."""
    files = [project / row["file"] for row in metrics["held_out"]]
    pictures = np.stack([read_rgb(file, (SIDE, SIDE)) for file in files])
    classes = read_classes(UserFiles.at(project))
    truth = np.stack([read_mask(project / "masks" / file.name, (SIDE, SIDE), classes=classes) for file in files])
    probabilities = load_predictor(result.model_path, 2)(pictures)
    np.testing.assert_allclose(probabilities.sum(axis=-1), 1, atol=1e-4)
    scores = score_class_masks(truth, probabilities.argmax(axis=-1), NAMES)
    assert scores.dice == pytest.approx(result.metrics["dice"], abs=0.01)


def test_what_lies_under_unlabelled_pixels_changes_neither_loss_nor_gradient() -> None:
    random = np.random.default_rng(0)
    masks = random.choice(np.array([0, 1, 2, UNLABELLED], np.uint8), (2, 8, 8), p=(0.4, 0.3, 0.1, 0.2))
    logits = random.normal(size=(2, 8, 8, 3)).astype(np.float32)
    garbage = np.where(masks[..., None] == UNLABELLED, 30 * random.normal(size=logits.shape), logits)
    loss_of = dice_and_categorical_cross_entropy(class_weights(masks, range(2), 3))

    def loss_and_gradient(values: Any) -> tuple[Any, Any]:
        values = tf.constant(values, tf.float32)
        with tf.GradientTape() as tape:
            tape.watch(values)
            loss = loss_of(tf.constant(masks), values)
        return loss.numpy(), tape.gradient(loss, values).numpy()

    (loss, gradient), (other_loss, other_gradient) = map(loss_and_gradient, (logits, garbage))
    np.testing.assert_array_equal(loss, other_loss)
    np.testing.assert_array_equal(gradient, other_gradient)
    assert not gradient[masks == UNLABELLED].any()
    assert gradient[masks != UNLABELLED].all()


def test_the_loss_falls_to_nothing_for_the_truth_and_rises_for_its_opposite() -> None:
    masks = np.array([[[0, 1], [2, UNLABELLED]]], np.uint8)
    loss_of = dice_and_categorical_cross_entropy(np.ones(3, np.float32))
    right = 40 * np.eye(3, dtype=np.float32)[np.minimum(masks, 2)]
    assert loss_of(tf.constant(masks), tf.constant(right)).numpy() == pytest.approx([0], abs=1e-5)
    # Cross-entropy of uniform outputs is ln 3; Dice of each class (2/3 + 1) / (1 + 1 + 1).
    flat = loss_of(tf.constant(masks), tf.zeros((1, 2, 2, 3))).numpy()
    assert flat == pytest.approx([np.log(3) + 1 - 5 / 9], abs=1e-5)


def test_rare_classes_weigh_more_and_the_average_pixel_weighs_one() -> None:
    masks = np.zeros((2, 10, 10), np.uint8)
    masks[0, 0, :4], masks[0, 1] = 1, UNLABELLED
    masks[1] = 2  # not among the rows
    weights = class_weights(masks, [0], 3)
    assert weights[1] / weights[0] == pytest.approx(np.sqrt(86 / 4))
    assert (86 * weights[0] + 4 * weights[1]) / 90 == pytest.approx(1)
    assert weights[2] == 1
