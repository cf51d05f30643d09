"""Splits a classifier's pictures into training and held-out set, and reports what was found in the folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from protocol.data_report import DataReport, Finding, Severity, finding, gravest_first
from protocol.errors import TrainingError
from protocol.options import TrainingOptions
from protocol.text import printable
from trainer_worker.classification.dataset import Dataset
from trainer_worker.classification.folders import ClassFolders
from trainer_worker.layouts.count_findings import FEW_SCORED, MOST_NAMED, count_findings
from trainer_worker.layouts.name_lists import some_of
from trainer_worker.pictures.copies import (
    Copies,
    copies_findings,
    find_copies,
    given_split_findings,
    grouping_findings,
)
from trainer_worker.pictures.skipped_findings import unreadable_findings
from trainer_worker.pictures.splits import Split, Wanted, folds_of, given_split, stratified_split

#: With fewer pictures than this, or with a class smaller than the next number, folds are needed to score a model.
FEW_PICTURES = 200
SMALL_CLASS = 25
#: Folds of more pictures than this would take minutes. The small classes of such a set have more pictures held out.
MOST_CROSS_VALIDATED = 1000
FEWEST_FOLDS, MOST_FOLDS = 3, 5
#: Where there is no cross-validation, this many pictures of each class score the model if it has twice as many.
LEAST_HELD_OUT = 5


@dataclass(frozen=True)
class Partition:
    """Which pictures train the model and which score it.

    split: of the published model. folds: those of its cross-validation (see splits.folds_of), None without one.
    copies: which pictures belong together. They stand on one side of the split, and in one fold.
    """

    split: Split
    copies: Copies
    folds: np.ndarray | None

    @property
    def models(self) -> int:
        """How many models are trained: the published one, and those of the other folds."""
        return 1 if self.folds is None else 1 + int(self.folds.max())

    @property
    def scored(self) -> np.ndarray:
        """The rows that score: the held-out ones, or those of all folds. int64, sorted."""
        return self.split.held_out if self.folds is None else np.flatnonzero(self.folds >= 0)

    @property
    def trained(self) -> np.ndarray:
        """The rows that the published model or one of another fold trains on. int64, sorted."""
        if self.folds is None:
            return self.split.train
        return np.sort(np.concatenate([self.split.train, self.split.held_out]))


def folds_needed(folders: ClassFolders, share: float) -> int:
    """The number of folds that a set's score needs.

    It is 1 where the held-out pictures suffice, and where the caller's own split says which pictures score.
    share: of the pictures, how many are held out.
    """
    classes = folders.classes
    if folders.callers_split() is not None:
        return 1
    smallest = np.bincount(classes).min(initial=len(classes), where=np.bincount(classes) > 0)
    if len(classes) > MOST_CROSS_VALIDATED or (len(classes) >= FEW_PICTURES and smallest >= SMALL_CLASS):
        return 1
    return max(FEWEST_FOLDS, min(MOST_FOLDS, round(1 / share)))


def split_dataset(
    data: Dataset, options: TrainingOptions, sides: np.ndarray | None = None
) -> tuple[Partition, DataReport]:
    """The partition, and the report with what pixels tell.

    sides: see stratified_split. The caller's own split, if the folder has one, comes before them.
    Raises TrainingError too_few_classes when no picture could score the model.
    """
    folders = data.folders
    names = [folders.name_of(row) for row in range(len(folders.files))]
    copies = find_copies(names, data.contents, data.thumbnails)
    given = folders.callers_split()
    count = folds_needed(folders, options.validation_split)
    wanted = Wanted(options.validation_split, LEAST_HELD_OUT if count == 1 else 1)
    if given is None:
        split = stratified_split(folders.classes, copies.together, wanted, options.seed, sides)
    else:
        split = given_split(folders.classes, copies.same_look, *given)
    if not len(split.held_out):
        raise TrainingError(
            "too_few_classes",
            f"Each of the classes {some_of(folders.labels)} has only copies of one picture, or pictures that other "
            "classes have as well. Scoring the model needs two different pictures of a class. Add different pictures.",
        )
    if given is None:
        alone = stratified_split(folders.classes, np.arange(len(names)), wanted, options.seed)
        of_split = grouping_findings(copies, alone)
    else:
        of_split = given_split_findings(copies, given, split)
    folds = folds_of(folders.classes, copies.together, split, count, options.seed) if count > 1 else None
    if folds is not None and folds.max() < 1:  # all other pictures are in several classes, and never score
        folds = None
    partition = Partition(split, copies, folds)
    return partition, _report(data, partition, of_split)


def _report(data: Dataset, partition: Partition, of_split: list[Finding]) -> DataReport:
    folders, split, copies = data.folders, partition.split, partition.copies
    found = [
        *folders.findings,
        *unreadable_findings(data.unreadable),
        *copies_findings(copies, folders.classes),
        *of_split,
        *_not_scored(data, partition.scored),
        *_few_different(folders.classes, copies, partition.scored, folders.labels),
        *count_findings(*folders.trained_and_scored()),
    ]
    used = {"train": len(split.train), "held_out": len(split.held_out)}
    if partition.folds is not None:
        used["cross_validated"] = len(partition.scored)
    unused = len(folders.files) - len(split.train) - len(split.held_out)
    return msgspec.structs.replace(
        folders.report(),
        split=used | ({"unused": unused} if unused else {}),
        skipped=len(data.skipped),
        findings=gravest_first(found),
    )


def _few_different(classes: np.ndarray, copies: Copies, scored: np.ndarray, labels: Sequence[str]) -> list[Finding]:
    """Classes whose scored pictures are copies and series of few objects: as many pictures say as little as these."""
    few = []
    for number, label in enumerate(labels):
        rows = scored[classes[scored] == number]
        different = len(np.unique(copies.together[rows]))
        if different < FEW_SCORED <= len(rows):
            few.append(f"{printable(label)} ({len(rows)} pictures, {different} different)")
    if not few:
        return []
    more = f" and {len(few) - MOST_NAMED} more" if len(few) > MOST_NAMED else ""
    sentence = (
        "The pictures that score these classes are copies, or series of one object, so there are few different ones: "
        f"{', '.join(few[:MOST_NAMED])}{more}. Their scores say little."
    )
    return [finding("few_different_to_score", Severity.WARNING, sentence, "Add pictures of other objects.")]


def _not_scored(data: Dataset, scored: np.ndarray) -> list[Finding]:
    """Classes of which no picture scores the model."""
    folders = data.folders
    known = set(folders.classes[scored].tolist())
    missing = [label for index, label in enumerate(folders.labels) if index not in known]
    if not missing:
        return []
    why = "all their pictures are copies" if folders.callers_split() is None else "the folder's own split has none"
    return [
        finding(
            "classes_not_scored",
            Severity.WARNING,
            f"Classes without a held-out picture, because {why}: {some_of(missing)}. No score says how well the model "
            "recognises them.",
            "Add different pictures of these classes.",
        )
    ]
