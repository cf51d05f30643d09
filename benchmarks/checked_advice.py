"""Checks the learning curve's advice: whether the class that it names gains most from 20 more pictures.

For each class in turn, 20 pictures that the product never saw are added to the folder, and the gain is measured on
pictures that are never added: the mean recall of all classes, because every class counts the same to the person who
asks which one to photograph.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.drawn_folders import Draw, Rows, SourceSet, lay_out
from benchmarks.honest_training import Trainer
from trainer_worker.backbones.efficientnet_lite import LITE0
from trainer_worker.classification.features import PictureFeatures, kept_extractor
from trainer_worker.classification.heads import HEAD_C
from trainer_worker.classification.regression import ITERATIONS
from trainer_worker.classification.scores import balanced_accuracy
from trainer_worker.pictures.images import PictureReader
from trainer_worker.pictures.user_files import UserFiles

ADDED = 20
#: Additions drawn for each class where only heads are trained. Their mean has little noise.
HEAD_REPEATS = 10

#: The mean recall on the rows `scored` after training on the rows `trained`.
Score = Callable[[Rows, Rows], float]


@dataclass(frozen=True)
class CheckedAdvice:
    """named: the class that the advice puts first, "" if it names none. gains: of each class, in mean recall."""

    named: str
    gains: dict[str, float]

    @property
    def best(self) -> str:
        return max(self.gains, key=lambda label: self.gains[label])

    @property
    def right(self) -> bool:
        return self.named == self.best

    def __str__(self) -> str:
        gains = ", ".join(
            f"{label} {100 * gain:+.2f}" for label, gain in sorted(self.gains.items(), key=lambda pair: -pair[1])
        )
        return f"named {self.named or 'none'}; gained in points: {gains}"


def named_first(metrics: dict[str, object]) -> str | None:
    """The class that the advice names first; None where the product has no learning curve."""
    curve = metrics.get("learning_curve")
    if not isinstance(curve, dict):
        return None
    return str(curve["advice"][0]["label"]) if curve["advice"] else ""


def measured_gains(source: SourceSet, drawn: Draw, score: Score, repeats: int, seed: int) -> dict[str, float]:
    """The mean gain of each class over so many additions.

    Each repeat draws 20 unseen pictures of each class. What is left of the unseen pictures scores all its trainings.
    """
    rng = np.random.default_rng(seed)
    gains: dict[str, list[float]] = {label: [] for label in source.labels}
    for _ in range(repeats):
        additions = [_some_of(rng, source, drawn.unseen, label) for label in range(len(source.labels))]
        scored = _without_copies(source, np.setdiff1d(drawn.unseen, np.concatenate(additions)), additions)
        before = score(drawn.taken, scored)
        for label, rows in zip(source.labels, additions, strict=True):
            gains[label].append(score(np.sort(np.concatenate([drawn.taken, rows])), scored) - before)
    return {label: statistics.fmean(found) for label, found in gains.items()}


def _some_of(rng: np.random.Generator, source: SourceSet, rows: Rows, label: int) -> Rows:
    """Twenty of these rows that show the class, but at most half of them: the others score."""
    candidates = rows[source.classes[rows] == label]
    chosen: Rows = rng.choice(candidates, min(ADDED, len(candidates) // 2), replace=False)
    return chosen


def _without_copies(source: SourceSet, scored: Rows, additions: list[Rows]) -> Rows:
    kept: Rows = scored[~np.isin(source.groups[scored], source.groups[np.concatenate(additions)])]
    return kept


def score_by_heads(source: SourceSet, trainer: Trainer) -> Score:
    """Scores a logistic regression on the frozen backbone's features, which takes well under a second."""
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    extractor = kept_extractor(LITE0, trainer.options.image_size, trainer.threads, trainer.cache_dir)
    found = extractor.of_files(PictureReader(UserFiles.at(Path("/"))), source.files)
    pooled = np.stack([features.pooled for features in found if isinstance(features, PictureFeatures)])

    def score(trained: Rows, scored: Rows) -> float:
        mean, spread = pooled[trained].mean(axis=0), pooled[trained].std(axis=0) + 1e-3
        regression = LogisticRegression(C=HEAD_C, max_iter=ITERATIONS, class_weight="balanced")
        with threadpool_limits(1):
            regression.fit((pooled[trained] - mean) / spread, source.classes[trained])
        probabilities: npt.NDArray[np.float64] = regression.predict_proba((pooled[scored] - mean) / spread)
        return balanced_accuracy(source.classes[scored], probabilities)

    return score


def score_by_training(source: SourceSet, trainer: Trainer) -> Score:
    """Scores the exported file of a real training."""

    def score(trained: Rows, scored: Rows) -> float:
        with tempfile.TemporaryDirectory() as folder:
            project = Path(folder).resolve()
            lay_out(source, trained, project)
            model = trainer.train(project)
            probabilities = model.probabilities([source.files[row] for row in scored])
        return balanced_accuracy(source.classes[scored], probabilities)

    return score
