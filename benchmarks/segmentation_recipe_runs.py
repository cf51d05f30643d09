"""One training of a segmenter by one recipe for `benchmarks.segmentation_recipes`, in a process of its own.

    python -m benchmarks.segmentation_recipe_runs RECIPE PROJECT_DIR --option seed=1 --cache-dir DIR

All recipes read the same files, cut and split them as TFModel does, and are scored on the same held-out pictures at
their own size by the same code. Each recipe runs on a few pictures first, so the seconds leave out what a process does
only once, such as loading TensorFlow. The seconds of TFModel have its exports and their checks in them; those of the
U-Nets end with the training.
"""

from __future__ import annotations

import dataclasses
import math
import os
import statistics
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from PIL import Image

from benchmarks.end_to_end_unet import UNET_EPOCHS, Course, fit_unet
from benchmarks.recipe_process import Outcome, Run, run_one, run_product
from benchmarks.street_scenes import THIN_CLASSES
from demo.segmentation_data import make_segmentation_project
from protocol.options import SegmentationOptions
from trainer_worker.backbones.efficientnet_lite import LITE0
from trainer_worker.pictures.copies import Copies
from trainer_worker.pictures.images import image_size, read_rgb
from trainer_worker.pictures.splits import Split
from trainer_worker.pictures.user_files import UserFiles
from trainer_worker.segmentation import train as segmentation
from trainer_worker.segmentation import unet as network
from trainer_worker.segmentation.dataset import classes_of_pairs, copies_of_pairs, split_pairs
from trainer_worker.segmentation.folders import Cutting, Examples, MaskFolders, read_pairs, scan_mask_folders
from trainer_worker.segmentation.mask_sources import read_mask_of
from trainer_worker.segmentation.predictions import MaskPredictor
from trainer_worker.segmentation.scores import MaskScores, MaskTally
from trainer_worker.segmentation.skip_features import SkipFeatures
from trainer_worker.segmentation.view_choice import TrainingSet, choose_views

#: The mean Dice of the pictures, and the mean Dice of the thin classes over all pixels (of a set without such classes:
#: of all classes).
SCORES = ("dice", "dice_thin")
REHEARSAL_PICTURES = 8


class Data(NamedTuple):
    """A project as TFModel reads, cuts and splits it. copies: see Copies."""

    folders: MaskFolders
    examples: Examples
    split: Split
    copies: Copies


def tfmodel(run: Run) -> Outcome:
    """The product's own trainer, with its exports in three formats and their checks."""
    outcome = run_product(run, "segmentation", segmentation.train, ("dice",))
    model = keras.models.load_model(run.project / "models" / "latest" / "model.keras")
    return dataclasses.replace(_scored(outcome.seconds, model, _read(run), run), stage_seconds=outcome.stage_seconds)


def unet(run: Run) -> Outcome:
    """A U-Net as one would write it by hand: the same encoder and decoder, trained end to end on augmented pictures."""
    return _unet(run, math.inf)


def unet_equal_time(run: Run) -> Outcome:
    """The same U-Net, which may train until as many seconds are over as TFModel's trainer takes just before it."""
    return _unet(run, run_product(run, "segmentation", segmentation.train, ("dice",)).seconds)


def _unet(run: Run, seconds: float) -> Outcome:
    keras.utils.set_random_seed(run.options.seed)
    began_s = time.perf_counter()
    data = _read(run)
    encoder = network.build_encoder(LITE0, run.options.image_size)
    for layer in encoder.layers:  # Setting it on the model alone would not reach the layers below.
        layer.trainable = True
    channels = data.folders.classes.channels
    decoder = network.build_decoder([tuple(x.shape[1:]) for x in encoder.outputs], channels)
    course = Course(run.options.seed, _views(data, run), 1 if run.quick else UNET_EPOCHS, began_s + seconds)
    fit_unet(encoder, decoder, data.examples, data.split, course)
    return _scored(time.perf_counter() - began_s, network.compose(encoder, decoder), data, run)


def _read(run: Run) -> Data:
    options = run.options
    assert isinstance(options, SegmentationOptions)
    folders = scan_mask_folders(UserFiles.at(run.project))
    cutting = Cutting(options.image_size, options.tiles, options.seed)
    examples = read_pairs(folders, cutting, run.threads, lambda fraction: None)
    copies = copies_of_pairs(folders, examples)
    return Data(folders, examples, split_pairs(folders, classes_of_pairs(examples, folders), copies, options), copies)


def _views(data: Data, run: Run) -> Sequence[int]:
    """The views that TFModel trains on. Whoever builds a U-Net by hand knows which of them look like the set."""
    assert isinstance(run.options, SegmentationOptions)
    skips = SkipFeatures(network.build_encoder(LITE0, run.options.image_size), data.examples.pictures, 0)
    rows, names = data.examples.rows_of(data.split.train), data.folders.classes.names
    told = TrainingSet(skips, data.examples, rows, data.copies.together, names)
    return choose_views(told, run.options.mirror).views


def _scored(seconds: float, model: Any, data: Data, run: Run) -> Outcome:
    scores = _scores(MaskPredictor(model), data, run.options.image_size)
    thin = [name for name in scores.per_class if name in THIN_CLASSES] or list(scores.per_class)[1:]
    dice_thin = statistics.mean(scores.per_class[name]["dice"] for name in thin)
    held_out = (data.folders.pairs[row].picture for row in data.split.held_out)
    names = sorted(picture.relative_to(run.project).as_posix() for picture in held_out)
    return Outcome(dict(zip(SCORES, (scores.dice, dice_thin), strict=True)), names, len(data.folders.pairs), seconds)


def _scores(predictor: MaskPredictor, data: Data, side_px: int) -> MaskScores:
    """The scores of the held-out pictures at their own size, as callers of TFModel get their masks."""
    folders, tally = data.folders, MaskTally(data.folders.classes.names)
    if data.examples.tiles:
        for truth, found in predictor.of_files(folders, data.split.held_out, lambda fraction: None):
            tally.add(truth, found)
        return tally.scores()
    for row in data.split.held_out:
        pair = folders.pairs[row]
        height, width = image_size(folders.reader, pair.picture)
        truth = read_mask_of(folders.reader, pair, (height, width), folders.meaning)
        (found,), _ = predictor.of_squares(read_rgb(folders.reader, pair.picture, (side_px, side_px))[np.newaxis])
        tally.add(truth, np.asarray(Image.fromarray(found).resize((width, height), Image.Resampling.NEAREST)))
    return tally.scores()


if __name__ == "__main__":
    run_one(
        __doc__,
        "segmentation",
        {"tfmodel": tfmodel, "unet": unet, "unet_equal_time": unet_equal_time},
        lambda folder: make_segmentation_project(folder, REHEARSAL_PICTURES, seed=2),
    )
