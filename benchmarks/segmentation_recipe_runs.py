"""One training of a segmenter by one recipe for `benchmarks.segmentation_recipes`, in a process of its own.

    python -m benchmarks.segmentation_recipe_runs RECIPE PROJECT_DIR --option seed=1 --cache-dir DIR

Both recipes read the same files, split them as TFModel does, and are scored on the same held-out pictures by the same
code. Each recipe runs on a few pictures first, so the seconds leave out what a process does only once, such as loading
TensorFlow.
"""

from __future__ import annotations

import os
import time
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

from benchmarks.recipe_process import Outcome, Run, run_one, run_product
from demo.segmentation_data import make_segmentation_project
from protocol.options import SegmentationOptions
from trainer_worker.backbones.efficientnet_lite import LITE0
from trainer_worker.pictures.splits import Split
from trainer_worker.pictures.user_files import UserFiles
from trainer_worker.segmentation import train as segmentation
from trainer_worker.segmentation import unet as network
from trainer_worker.segmentation.dataset import classes_of_pairs, copies_of_pairs, split_pairs
from trainer_worker.segmentation.folders import Cutting, Examples, MaskFolders, read_pairs, scan_mask_folders
from trainer_worker.segmentation.losses import MaskLoss
from trainer_worker.segmentation.predictions import MaskPredictor
from trainer_worker.segmentation.scores import MaskTally
from trainer_worker.segmentation.skip_features import VIEWS, view_of
from trainer_worker.segmentation.unet_training import loss_for, rate_schedule

#: The pretrained encoder is trained at a share of the new decoder's rate:
#: docs/choices.md, "The U-Net that is compared".
UNET_BATCH = 8
UNET_EPOCHS = 30
UNET_RATE = 3e-3
UNET_ENCODER_SHARE = 0.3
UNET_WEIGHT_DECAY = 1e-4
UNET_GRADIENT_NORM_LIMIT = 5.0
UNET_PATIENCE_EPOCHS = 10
#: The share of the training pictures that choose the epoch.
UNET_VALIDATION_SHARE = 0.15
#: A training picture's contrast is scaled by up to this share and its brightness moved by up to this share of white.
UNET_CONTRAST = 0.2
UNET_BRIGHTNESS = 0.1

SCORES = ("dice", "iou")
REHEARSAL_PICTURES = 8


def tfmodel(run: Run) -> Outcome:
    """The product's own trainer, with its exports in three formats and their checks."""
    return run_product(run, "segmentation", segmentation.train, SCORES)


def unet(run: Run) -> Outcome:
    """A U-Net as one would write it by hand: the same encoder and decoder, trained end to end on augmented pictures."""
    began_s = time.perf_counter()
    options = run.options
    assert isinstance(options, SegmentationOptions)
    folders = scan_mask_folders(UserFiles.at(run.project))
    cutting = Cutting(options.image_size, options.tiles, options.seed)
    examples = read_pairs(folders, cutting, run.threads, lambda fraction: None)
    split = split_pairs(folders, classes_of_pairs(examples, folders), copies_of_pairs(folders, examples), options)
    encoder = network.build_encoder(LITE0, options.image_size)
    for layer in encoder.layers:  # Setting it on the model alone would not reach the layers below.
        layer.trainable = True
    decoder = network.build_decoder([tuple(x.shape[1:]) for x in encoder.outputs], folders.classes.channels)
    fit_unet(encoder, decoder, examples, split, run)
    tally = _score(MaskPredictor(network.compose(encoder, decoder)), examples, split, folders, options.tiles)
    scores = tally.scores()
    return Outcome(
        {name: getattr(scores, name) for name in SCORES},
        sorted(folders.pairs[row].picture.relative_to(run.project).as_posix() for row in split.held_out),
        len(folders.pairs),
        time.perf_counter() - began_s,
    )


def fit_unet(encoder: Any, decoder: Any, examples: Examples, split: Split, run: Run) -> None:
    """Train encoder and decoder. They end with the weights of the epoch that has the lowest inner validation loss."""
    seed, epochs = run.options.seed, 1 if run.quick else UNET_EPOCHS
    logits = keras.Model(encoder.input, decoder(encoder.outputs))
    inner = _inner_split(split, seed)
    rows, val_rows = np.asarray(examples.rows_of(inner.train)), np.asarray(examples.rows_of(inner.held_out))
    loss_of = loss_for(decoder, examples.masks, rows)
    parts = [(_optimizer(), encoder.trainable_variables, UNET_ENCODER_SHARE)]
    parts.append((_optimizer(), decoder.trainable_variables, 1.0))
    step, validate = _training_step(logits, parts, loss_of), _validation(logits, loss_of)
    random = np.random.default_rng(seed)
    batches = -(-len(rows) // UNET_BATCH)
    schedule = rate_schedule(epochs * batches, UNET_RATE)
    best_loss, best_weights, best_epoch = np.inf, logits.get_weights(), 0
    for epoch in range(epochs):
        for number, batch in enumerate(np.array_split(random.permutation(rows), batches)):
            rate = schedule.at(epoch * batches + number)
            for optimizer, _, share in parts:
                optimizer.learning_rate = rate * share
            step(*_augmented(examples, batch, random))
        parts_of_val = np.array_split(val_rows, -(-len(val_rows) // UNET_BATCH))
        losses = [validate(examples.pictures[part], examples.masks[part]).numpy() for part in parts_of_val]
        val_loss = float(np.concatenate(losses).mean())
        if val_loss < best_loss:
            best_loss, best_weights, best_epoch = val_loss, logits.get_weights(), epoch
        elif epoch - best_epoch >= UNET_PATIENCE_EPOCHS:
            break
    logits.set_weights(best_weights)


def _inner_split(split: Split, seed: int) -> Split:
    pairs = np.random.default_rng(seed).permutation(split.train)
    validation = max(1, round(UNET_VALIDATION_SHARE * len(pairs)))
    return Split(train=np.sort(pairs[validation:]), held_out=np.sort(pairs[:validation]))


def _optimizer() -> Any:
    return keras.optimizers.AdamW(weight_decay=UNET_WEIGHT_DECAY, global_clipnorm=UNET_GRADIENT_NORM_LIMIT)


def _augmented(examples: Examples, rows: Any, random: np.random.Generator) -> tuple[Any, Any]:
    """Pictures float32 (n, S, S, 3) and masks of these rows, mirrored, turned, brighter or darker."""
    pictures, masks = [], []
    for row, view in zip(rows, random.integers(VIEWS, size=len(rows)), strict=True):
        picture = view_of(examples.pictures[row], view).astype(np.float32)
        contrast = random.uniform(1 - UNET_CONTRAST, 1 + UNET_CONTRAST)
        brightness = 255 * random.uniform(-UNET_BRIGHTNESS, UNET_BRIGHTNESS)
        pictures.append(np.clip((picture - picture.mean()) * contrast + picture.mean() + brightness, 0, 255))
        masks.append(view_of(examples.masks[row], view))
    return tf.constant(np.stack(pictures)), tf.constant(np.stack(masks))


def _training_step(logits: Any, parts: list[tuple[Any, Any, float]], loss_of: MaskLoss) -> Any:
    for optimizer, variables, _ in parts:
        optimizer.build(variables)

    @tf.function(reduce_retracing=True, autograph=False)  # type: ignore[untyped-decorator]
    def step(pictures: Any, masks: Any) -> None:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(loss_of(masks, logits(pictures, training=True)))
        gradients = tape.gradient(loss, [variables for _, variables, _ in parts])
        for (optimizer, variables, _), found in zip(parts, gradients, strict=True):
            optimizer.apply(found, variables)

    return step


def _validation(logits: Any, loss_of: MaskLoss) -> Any:
    @tf.function(reduce_retracing=True, autograph=False)  # type: ignore[untyped-decorator]
    def validate(pictures: Any, masks: Any) -> Any:
        return loss_of(masks, logits(tf.cast(pictures, tf.float32), training=False))

    return validate


def _score(predictor: MaskPredictor, examples: Examples, split: Split, folders: MaskFolders, tiles: int) -> MaskTally:
    """Score the held-out pictures as the trainer does: scaled down, or whole from tiles."""
    tally = MaskTally(folders.classes.names)
    if tiles:
        for truth, found in predictor.of_files(folders, split.held_out, lambda fraction: None):
            tally.add(truth, found)
        return tally
    squares = examples.rows_of(split.held_out)
    found, _ = predictor.of_squares(examples.pictures[squares])
    for row, mask in zip(squares, found, strict=True):
        tally.add(examples.masks[row], mask)
    return tally


if __name__ == "__main__":
    run_one(
        __doc__,
        "segmentation",
        {"tfmodel": tfmodel, "unet": unet},
        lambda folder: make_segmentation_project(folder, REHEARSAL_PICTURES, seed=2),
    )
