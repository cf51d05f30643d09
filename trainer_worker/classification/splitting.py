"""Splits a classifier's pictures into training and held-out set, and reports what was found in the folder."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from protocol.data_report import DataReport, Finding, Severity, finding, gravest_first
from protocol.errors import TrainingError
from protocol.options import TrainingOptions
from protocol.text import printable
from trainer_worker.classification.dataset import Dataset
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
from trainer_worker.pictures.splits import Split, given_split, stratified_split


def split_dataset(data: Dataset, options: TrainingOptions, sides: np.ndarray | None = None) -> tuple[Split, DataReport]:
    """The split, and the report with what pixels tell. Copies and series stand on one side of the split.

    sides: see stratified_split. The caller's own split, if the folder has one, comes before them.
    Raises TrainingError too_few_classes when no picture could score the model.
    """
    folders = data.folders
    names = [folders.name_of(row) for row in range(len(folders.files))]
    copies = find_copies(names, data.contents, data.thumbnails)
    given = folders.callers_split()
    if given is None:
        split = stratified_split(folders.classes, copies.together, options.validation_split, options.seed, sides)
    else:
        split = given_split(folders.classes, copies.same_look, *given)
    if not len(split.held_out):
        raise TrainingError(
            "too_few_classes",
            f"Each of the classes {some_of(folders.labels)} has only copies of one picture, or pictures that other "
            "classes have as well. Scoring the model needs two different pictures of a class. Add different pictures.",
        )
    if given is None:
        alone = stratified_split(folders.classes, np.arange(len(names)), options.validation_split, options.seed)
        of_split = grouping_findings(copies, alone)
    else:
        of_split = given_split_findings(copies, given, split)
    return split, _report(data, copies, split, of_split)


def _report(data: Dataset, copies: Copies, split: Split, of_split: list[Finding]) -> DataReport:
    folders = data.folders
    found = [
        *folders.findings,
        *unreadable_findings(data.unreadable),
        *copies_findings(copies, folders.classes),
        *of_split,
        *_not_scored(data, split),
        *_few_different(folders.classes, copies, split, folders.labels),
        *count_findings(*folders.trained_and_scored()),
    ]
    used = {"train": len(split.train), "held_out": len(split.held_out)}
    unused = len(folders.files) - len(split.train) - len(split.held_out)
    return msgspec.structs.replace(
        folders.report(),
        split=used | ({"unused": unused} if unused else {}),
        skipped=len(data.skipped),
        findings=gravest_first(found),
    )


def _few_different(classes: np.ndarray, copies: Copies, split: Split, labels: Sequence[str]) -> list[Finding]:
    """Classes whose held-out pictures are copies and series of few objects: as many pictures say as little as these."""
    few = []
    for number, label in enumerate(labels):
        rows = split.held_out[classes[split.held_out] == number]
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


def _not_scored(data: Dataset, split: Split) -> list[Finding]:
    """Classes of which no picture scores the model."""
    folders = data.folders
    scored = set(folders.classes[split.held_out].tolist())
    missing = [label for index, label in enumerate(folders.labels) if index not in scored]
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
