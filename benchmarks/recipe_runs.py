"""One training by one recipe, in a process of its own, for `benchmarks.recipes`: so its peak memory is its own.

    python -m benchmarks.recipe_runs RECIPE PROJECT_DIR --seed 1

All recipes read the same files, split them as TFModel does and score the same held-out images, which none of them
sees before. Loading TensorFlow and converting the backbone are left out of the seconds, as a service does both once.
Prints one line of JSON: the fields of `Outcome`.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import msgspec
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from conf.settings import ROOT
from protocol.options import BACKBONES, ClassificationOptions
from trainer_worker.backbones.catalogue import AUTO, find_backbone
from trainer_worker.backbones.efficientnet_lite import LITE0
from trainer_worker.backbones.weights_files import find_weights_file
from trainer_worker.class_scores import score_classes
from trainer_worker.data.class_folders import ClassFolders, keep_trainable, scan
from trainer_worker.data.contents import content_groups, content_hashes
from trainer_worker.data.images import UnreadableImageError, read_batches
from trainer_worker.data.splits import Split, stratified_split
from trainer_worker.features import FeatureExtractor, PictureFeatures
from trainer_worker.job import Job, SilentReporter
from trainer_worker.trainers import classification

#: The guide's recipe: https://keras.io/guides/transfer_learning/. Its rate for the whole network, 1e-5, is made for
#: more steps than five epochs of a small set have; this one is higher and falls to zero.
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


@dataclass(frozen=True)
class Run:
    """What one recipe is to do. quick: one epoch a stage instead of the recipe's, to see that it runs.

    The option `backbone` and its weights_file are the trainer's; the other recipes have lite0.
    """

    project: Path
    options: ClassificationOptions
    threads: int
    cache_dir: Path
    quick: bool = False
    weights_file: Path | None = None


@dataclass(frozen=True)
class Outcome:
    """accuracy, balanced_accuracy: 0 to 1. recall: of each class. seconds: from the files to the scored model.

    held_out: names of the scored files, to prove that all recipes scored the same. peak_mb: resident memory.
    """

    accuracy: float
    balanced_accuracy: float
    recall: dict[str, float]
    held_out: list[str]
    images: int
    seconds: float
    peak_mb: float = 0.0
    stage_seconds: dict[str, float] | None = None


def tfmodel(run: Run) -> Outcome:
    """The product's own trainer, with its exports in three formats and their checks."""
    began_s = time.perf_counter()
    job = Job("recipe", 1, run.project, "classification", run.options, weights_file=run.weights_file)
    result = classification.train(job, SilentReporter(), run.cache_dir, run.threads)
    seconds = time.perf_counter() - began_s
    metrics = json.loads((result.model_path.parent / "metrics.json").read_text(encoding="utf-8"))
    return Outcome(
        metrics["final"]["accuracy"],
        metrics["final"]["balanced_accuracy"],
        {entry["label"]: entry["recall"] for entry in metrics["per_class"]},
        sorted(entry["file"] for entry in metrics["held_out"]),
        int(metrics["final"]["images"]),
        seconds,
        stage_seconds=result.stage_seconds,
    )


def guide(run: Run) -> Outcome:
    """Keras's transfer-learning guide: train a head on the frozen backbone, then all of it with a small rate."""
    began_s = time.perf_counter()
    folders, pictures = _read_pictures(run)
    split = _split(folders, run)
    model, backbone = _guide_model(run.options.image_size, len(folders.labels))
    pictures_seen, classes_seen = pictures[split.train], folders.classes[split.train]
    _guide_fit(model, pictures_seen, classes_seen, None, run)
    backbone.trainable = True
    _guide_fit(model, pictures_seen, classes_seen, GUIDE_FULL_RATE, run)
    logits = model.predict(pictures[split.held_out], batch_size=GUIDE_BATCH, verbose=0)
    return _outcome(logits, folders, split, run, began_s)


def regression(run: Run) -> Outcome:
    """Logistic regression on the frozen backbone's pooled features, its penalty chosen by cross-validation."""
    extractor = FeatureExtractor(LITE0, run.options.image_size, run.threads, run.cache_dir)
    began_s = time.perf_counter()
    folders, features = _read_features(run, extractor)
    split = _split(folders, run)
    classes = folders.classes[split.train]
    folds = max(2, min(REGRESSION_FOLDS, int(np.bincount(classes).min())))
    search = GridSearchCV(
        make_pipeline(StandardScaler(), LogisticRegression(max_iter=REGRESSION_ITERATIONS)),
        {"logisticregression__C": REGRESSION_CS},
        cv=folds,
    )
    with threadpool_limits(1):  # as the trainer does: its threads wait for each other where others work too
        search.fit(features[split.train], classes)
    return _outcome(search.predict_proba(features[split.held_out]), folders, split, run, began_s)


def prepare(run: Run) -> None:
    """Convert the backbone once, so that no run's seconds or memory hold that."""
    backbone = find_backbone(run.options.backbone, run.weights_file)
    FeatureExtractor(backbone, run.options.image_size, run.threads, run.cache_dir)


RECIPES: dict[str, Callable[[Run], Outcome]] = {"tfmodel": tfmodel, "guide": guide, "regression": regression}


def _read_pictures(run: Run) -> tuple[ClassFolders, np.ndarray]:
    """The trainable pictures, uint8 (n, S, S, 3)."""
    folders = scan(run.project)
    side = run.options.image_size
    unreadable: dict[int, UnreadableImageError] = {}
    pictures = np.zeros((len(folders.files), side, side, 3), np.uint8)
    for rows, pixels in read_batches(folders.files, (side, side), GUIDE_BATCH, run.threads, unreadable.__setitem__):
        pictures[rows] = pixels
    return _trainable(folders, pictures, unreadable)


def _read_features(run: Run, extractor: FeatureExtractor) -> tuple[ClassFolders, np.ndarray]:
    """Pooled features of the trainable pictures, float32 (n, features)."""
    folders = scan(run.project)
    unreadable: dict[int, UnreadableImageError] = {}
    features = np.zeros((len(folders.files), extractor.backbone.features), np.float32)
    for row, outcome in enumerate(extractor.of_files(folders.files)):
        if isinstance(outcome, PictureFeatures):
            features[row] = outcome.pooled
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


def _split(folders: ClassFolders, run: Run) -> Split:
    """The trainer's outer split; what it needs to choose an epoch, these recipes train on too."""
    groups = content_groups(content_hashes(folders.files))
    return stratified_split(folders.classes, groups, run.options.validation_split, run.options.seed)


def _guide_model(side: int, labels: int) -> tuple[keras.Model, keras.Model]:
    """From pictures (n, S, S, 3) to logits (n, labels), and the frozen backbone inside.

    Its batch normalizations are folded away, which is what the guide's `training=False` amounts to.
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
    """peak: where given, the whole network's rate falls from it to zero along a cosine; else it is the head's turn."""
    epochs = 1 if run.quick else GUIDE_HEAD_EPOCHS if peak is None else GUIDE_FULL_EPOCHS
    steps = epochs * -(-len(pictures) // GUIDE_BATCH)
    rate: Any = GUIDE_HEAD_RATE if peak is None else keras.optimizers.schedules.CosineDecay(peak, steps)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    # No XLA, which is several times slower for convolutions on a CPU. Of a few steps, most of the time is tracing.
    model.compile(keras.optimizers.Adam(rate), loss, jit_compile=False, run_eagerly=run.quick)
    model.fit(pictures, classes, batch_size=GUIDE_BATCH, epochs=epochs, verbose=0)


def _outcome(outputs: np.ndarray, folders: ClassFolders, split: Split, run: Run, began_s: float) -> Outcome:
    """outputs: of the held-out pictures, (n, labels), whose largest names the class."""
    seconds = time.perf_counter() - began_s
    scores = score_classes(folders.classes[split.held_out], outputs, folders.labels)
    return Outcome(
        scores.accuracy,
        scores.balanced_accuracy,
        {entry["label"]: entry["recall"] for entry in scores.per_class},
        sorted(folders.files[row].relative_to(run.project).as_posix() for row in split.held_out),
        len(folders.files),
        seconds,
    )


def _peak_mb() -> float:
    """Highest resident memory of this process since it began. Not getrusage's, which counts the parent's in."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(float(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", choices=[*RECIPES, "prepare"])
    parser.add_argument("project", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 2)
    parser.add_argument("--cache-dir", type=Path, required=True)
    parser.add_argument("--backbone", choices=[name for name in BACKBONES if name != AUTO], default=LITE0.name)
    parser.add_argument("--weights-dir", type=Path, default=ROOT / "weights")
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    options = ClassificationOptions(seed=given.seed, image_size=given.image_size, backbone=given.backbone)
    if given.quick:
        options = msgspec.structs.replace(options, epochs=1)
    weights_file = find_weights_file(given.backbone, given.weights_dir)
    run = Run(given.project.resolve(), options, given.threads, given.cache_dir, given.quick, weights_file)
    prepare(run)
    if given.recipe == "prepare":
        return
    keras.utils.set_random_seed(given.seed)
    outcome = RECIPES[given.recipe](run)
    print(json.dumps(asdict(replace(outcome, peak_mb=_peak_mb()))))


if __name__ == "__main__":
    main()
