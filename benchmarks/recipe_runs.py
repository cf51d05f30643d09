"""One training by one recipe for `benchmarks.recipes`, in a process of its own to measure its peak memory.

    python -m benchmarks.recipe_runs RECIPE PROJECT_DIR --option seed=1 --cache-dir DIR

PROJECT_DIR has train/ and test/ with class folders. All recipes train on the first and score the second. Each runs on a
few digits first. The seconds therefore leave out what a process does only once (loading TensorFlow, also for the checks
of exports, and converting the backbone), as in a worker's later tasks.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from benchmarks.recipe_process import Outcome, Run, run_one, run_product
from demo.digits_data import make_digits_project
from trainer_worker.backbones.catalogue import find_backbone
from trainer_worker.backbones.efficientnet_lite import FEATURES, LITE0
from trainer_worker.classification import train as classification
from trainer_worker.classification.features import FeatureExtractor, PictureFeatures
from trainer_worker.classification.folders import ClassFolders, keep_trainable, scan_class_folders
from trainer_worker.classification.scores import Predictions, score_classes
from trainer_worker.pictures.batches import Batching, read_batches
from trainer_worker.pictures.images import WHOLE, UnreadableImageError
from trainer_worker.pictures.splits import Split
from trainer_worker.pictures.user_files import UserFiles

#: The guide's recipe: https://keras.io/guides/transfer_learning/. Its learning rate for the whole network, 1e-5, is
#: for more steps than five epochs of a small set have. The rate here is higher and falls to zero.
GUIDE_BATCH = 32
GUIDE_HEAD_EPOCHS = 3
GUIDE_HEAD_RATE = 1e-3
GUIDE_FULL_EPOCHS = 5
GUIDE_FULL_RATE = 1e-4
GUIDE_DROPOUT = 0.2
GUIDE_ROTATION_TURNS = 0.05
GUIDE_ZOOM = 0.1

#: Inverse strengths of the L2 penalty that cross-validation chooses from, for standardised features.
REGRESSION_CS = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 1e-1)
REGRESSION_FOLDS = 5
REGRESSION_ITERATIONS = 300

SCORES = ("accuracy", "balanced_accuracy")
REHEARSAL_IMAGES = 40


def tfmodel(run: Run) -> Outcome:
    """The product's own trainer, with its exports in three formats and their checks."""
    return run_product(run, "classification", classification.train, SCORES)


def guide(run: Run) -> Outcome:
    """Keras's transfer learning guide: train a head on the frozen backbone, then the whole network at a low rate."""
    began_s = time.perf_counter()
    folders, pictures = _read_pictures(run)
    split = _split(folders)
    model, backbone = _guide_model(run.options.image_size, len(folders.labels))
    pictures_seen, classes_seen = pictures[split.train], folders.classes[split.train]
    _guide_fit(model, pictures_seen, classes_seen, None, run)
    backbone.trainable = True
    _guide_fit(model, pictures_seen, classes_seen, GUIDE_FULL_RATE, run)
    logits = model.predict(pictures[split.held_out], batch_size=GUIDE_BATCH, verbose=0)
    return _outcome(logits, folders, split, run, began_s)


def regression(run: Run) -> Outcome:
    """Logistic regression on the last layer of the frozen backbone, its penalty chosen by cross-validation."""
    extractor = FeatureExtractor(LITE0, run.options.image_size, run.threads, run.cache_dir)
    began_s = time.perf_counter()
    folders, features = _read_features(run, extractor)
    split = _split(folders)
    classes = folders.classes[split.train]
    folds = max(2, min(REGRESSION_FOLDS, int(np.bincount(classes).min())))
    search = GridSearchCV(
        make_pipeline(StandardScaler(), LogisticRegression(max_iter=REGRESSION_ITERATIONS)),
        {"logisticregression__C": REGRESSION_CS},
        cv=folds,
    )
    # As in the trainer; see docs/choices.md, "One thread for the head's regression".
    with threadpool_limits(1):
        search.fit(features[split.train], classes)
    return _outcome(search.predict_proba(features[split.held_out]), folders, split, run, began_s)


def prepare(run: Run) -> None:
    """Convert the backbone once, so that the seconds and the memory of the runs leave that out."""
    backbone = find_backbone(run.options.backbone, run.weights)
    FeatureExtractor(backbone, run.options.image_size, run.threads, run.cache_dir)


def _read_pictures(run: Run) -> tuple[ClassFolders, np.ndarray]:
    """The trainable pictures, uint8 (n, S, S, 3)."""
    folders = scan_class_folders(UserFiles.at(run.project))
    side = run.options.image_size
    unreadable: dict[int, UnreadableImageError] = {}
    pictures = np.zeros((len(folders.files), side, side, 3), np.uint8)
    wanted = [(path, WHOLE) for path in folders.files]
    batching = Batching((side, side), GUIDE_BATCH, run.threads)
    for rows, pixels in read_batches(folders.reader, wanted, batching, unreadable.__setitem__):
        pictures[rows] = pixels
    return _trainable(folders, pictures, unreadable)


def _read_features(run: Run, extractor: FeatureExtractor) -> tuple[ClassFolders, np.ndarray]:
    """The pooled features of the trainable pictures, float32 (n, FEATURES).

    Those of earlier layers, which TFModel's trainer uses as well, are left out, as people do.
    """
    folders = scan_class_folders(UserFiles.at(run.project))
    unreadable: dict[int, UnreadableImageError] = {}
    features = np.zeros((len(folders.files), FEATURES), np.float32)
    for row, outcome in enumerate(extractor.of_files(folders.reader, folders.files)):
        if isinstance(outcome, PictureFeatures):
            features[row] = outcome.pooled[:FEATURES]
        else:
            unreadable[row] = outcome
    return _trainable(folders, features, unreadable)


def _trainable(
    folders: ClassFolders, inputs: np.ndarray, unreadable: dict[int, UnreadableImageError]
) -> tuple[ClassFolders, np.ndarray]:
    kept = keep_trainable(folders, unreadable)
    if len(kept.files) == len(folders.files):
        return kept, inputs
    row_of = {path: row for row, path in enumerate(folders.files)}
    return kept, inputs[[row_of[path] for path in kept.files]]


def _split(folders: ClassFolders) -> Split:
    """What trains and what scores, as the project's own split has it."""
    given = folders.callers_split()
    if given is None:
        raise ValueError("The recipes are compared on a given split. Lay the pictures out in train/ and test/.")
    return Split(*given)


def _guide_model(side: int, labels: int) -> tuple[keras.Model, keras.Model]:
    """The model from pictures (n, S, S, 3) to logits (n, labels), and the frozen backbone in it.

    Its batch normalizations are folded into the convolutions, which has the effect of the guide's `training=False`.
    """
    backbone = LITE0.build(side)
    backbone.trainable = False
    inputs = keras.Input((side, side, 3))
    x = keras.layers.RandomFlip("horizontal")(inputs)
    x = keras.layers.RandomRotation(GUIDE_ROTATION_TURNS)(x)
    x = keras.layers.RandomZoom(GUIDE_ZOOM)(x)
    x = keras.layers.GlobalAveragePooling2D()(backbone(x))
    x = keras.layers.Dropout(GUIDE_DROPOUT)(x)
    return keras.Model(inputs, keras.layers.Dense(labels)(x)), backbone


def _guide_fit(model: keras.Model, pictures: np.ndarray, classes: np.ndarray, peak: float | None, run: Run) -> None:
    """peak: the rate from which the whole network's rate falls to zero along a cosine; None to train the head alone."""
    epochs = 1 if run.quick else GUIDE_HEAD_EPOCHS if peak is None else GUIDE_FULL_EPOCHS
    steps = epochs * -(-len(pictures) // GUIDE_BATCH)
    rate: Any = GUIDE_HEAD_RATE if peak is None else keras.optimizers.schedules.CosineDecay(peak, steps)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    # XLA is several times slower for convolutions on a CPU. With few steps, tracing takes most of the time.
    model.compile(keras.optimizers.Adam(rate), loss, jit_compile=False, run_eagerly=run.eager)
    model.fit(pictures, classes, batch_size=GUIDE_BATCH, epochs=epochs, verbose=0)


def _outcome(outputs: np.ndarray, folders: ClassFolders, split: Split, run: Run, began_s: float) -> Outcome:
    """outputs: (n, labels) of the held-out pictures; the largest one is the predicted class."""
    seconds = time.perf_counter() - began_s
    scores = score_classes(Predictions(folders.classes[split.held_out], outputs, split.held_out), folders.labels)
    return Outcome(
        {name: getattr(scores, name) for name in SCORES},
        sorted(folders.files[row].relative_to(run.project).as_posix() for row in split.held_out),
        len(folders.files),
        seconds,
    )


def make_rehearsal(folder: Path) -> None:
    """A few digits, the last one of each class in test/."""
    make_digits_project(folder, REHEARSAL_IMAGES)
    (folder / "images").rename(folder / "train")
    for pictures in (sorted(label.iterdir()) for label in sorted((folder / "train").iterdir())):
        target = folder / "test" / pictures[-1].parent.name / pictures[-1].name
        target.parent.mkdir(parents=True)
        pictures[-1].rename(target)


if __name__ == "__main__":
    run_one(
        __doc__,
        "classification",
        {"tfmodel": tfmodel, "guide": guide, "regression": regression},
        make_rehearsal,
        prepare,
    )
