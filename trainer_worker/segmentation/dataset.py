"""Reads a segmenter's pictures and masks, and splits them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from protocol.data_report import DataReport, Finding, Severity, finding, gravest_first
from protocol.errors import TrainingError
from protocol.options import SegmentationOptions
from trainer_worker.attempt.attempt import Attempt
from trainer_worker.attempt.time_budget import INTERIM_MODEL_SHARE
from trainer_worker.layouts.count_findings import pair_count_findings
from trainer_worker.layouts.mirroring import mirror_findings
from trainer_worker.layouts.name_lists import some_of
from trainer_worker.pictures.contents import content_hashes
from trainer_worker.pictures.copies import (
    Copies,
    copies_findings,
    find_copies,
    given_split_findings,
    grouping_findings,
)
from trainer_worker.pictures.skipped_findings import unreadable_findings
from trainer_worker.pictures.splits import Split, Wanted, given_split, stratified_split
from trainer_worker.segmentation.classes import pictures_with, rarest_class
from trainer_worker.segmentation.copied_masks import contradicting_masks, repeated_masks
from trainer_worker.segmentation.folders import Cutting, Examples, MaskFolders, read_pairs
from trainer_worker.segmentation.plan import LEAST_HELD_OUT

#: Reading ends after this share of the time budget. As much time is left to train the interim model.
READING_SHARE = INTERIM_MODEL_SHARE / 2


@dataclass(frozen=True)
class MaskDataset:
    """The results of the reading stage.

    contents: the SHA-256 of each pair's picture file. split: numbers of the pairs in `folders`. copies: which pictures
    belong together. warnings: about the data.
    """

    folders: MaskFolders
    examples: Examples
    contents: list[str]
    split: Split
    copies: Copies
    warnings: list[str]

    @property
    def tiles_each(self) -> float:
        """How many squares of the model's input size a picture has yielded, on average."""
        return len(self.examples.owners) / len(self.folders.pairs)


def read_mask_dataset(folders: MaskFolders, options: SegmentationOptions, attempt: Attempt) -> MaskDataset:
    """Read as many pairs as there is time for; those that were not read are removed from `folders`.

    Raises what read_pairs and split_pairs raise.
    """
    reporter, budget = attempt.reporter, attempt.budget
    cutting = Cutting(options.image_size, options.tiles, options.seed)
    if budget.is_limited:  # the pictures that are read in time should be a random sample of all
        order = np.random.default_rng(options.seed).permutation(len(folders.pairs))
        folders.pairs = [folders.pairs[number] for number in order]
    examples = read_pairs(folders, cutting, attempt.threads, reporter.step, budget.by_s(READING_SHARE))
    present = classes_of_pairs(examples, folders)
    pictures = [pair.picture for pair in folders.pairs]
    contents = content_hashes(folders.reader.files, pictures, lambda _: reporter.step(1.0))
    copies = copies_of_pairs(folders, examples, contents)
    split = split_pairs(folders, present, copies, options, attempt.job.gate.sides(contents))
    report = _report(folders, copies, present, split, options)
    contradicting = contradicting_masks(folders, examples, copies.same_look)
    report = report.with_findings([*contradicting, *repeated_masks(folders, examples, copies.together)])
    attempt.found(report)
    warnings = report.warnings()
    fewer = cutting.fitting(examples.tiles, len(folders.pairs))
    if fewer < examples.tiles:
        warnings.append(f"Only {fewer} tiles of each picture were trained on, for lack of memory for {examples.tiles}.")
    if examples.unread:
        all_pairs = len(folders.pairs) + examples.unread
        warnings.append(f"The time budget left {examples.unread} of {all_pairs} pictures unread.")
    return MaskDataset(folders, examples, contents, split, copies, warnings)


def classes_of_pairs(examples: Examples, folders: MaskFolders) -> Any:
    """Which classes the examples of each pair show: bool (pairs, classes)."""
    shown = pictures_with(examples.masks, len(folders.classes.names))
    return np.logical_or.reduceat(shown, _first_rows(examples))


def _first_rows(examples: Examples) -> Any:
    return np.flatnonzero(np.diff(examples.owners, prepend=-1))


def copies_of_pairs(folders: MaskFolders, examples: Examples, contents: Sequence[str] = ()) -> Copies:
    """Which pictures belong together. contents: the SHA-256 of the pictures' files, if they are known already."""
    pictures = [pair.picture for pair in folders.pairs]
    contents = contents or content_hashes(folders.reader.files, pictures)
    return find_copies([folders.name_of(picture) for picture in pictures], contents, examples.thumbnails)


def split_pairs(
    folders: MaskFolders, present: Any, copies: Copies, options: SegmentationOptions, sides: Any = None
) -> Split:
    """Split the pairs, by their numbers, into training and held-out set. Copies and series stand on one side.

    Both sides get their share of pictures with and without foreground, and of each class. sides: see stratified_split.
    The caller's own split, if the folder has one, comes before them.
    """
    if (given := folders.callers_split()) is not None:
        split = given_split(rarest_class(present), copies.same_look, *given)
    else:
        split = own_split(present, copies.together, options, sides)
    if not (len(split.train) and len(split.held_out)):
        raise TrainingError(
            "too_few_images",
            f"The {len(folders.pairs)} pictures with masks are only {len(np.unique(copies.together))} different ones; "
            "training and scoring each need pictures of their own. Add more.",
        )
    return split


def own_split(present: Any, groups: Any, options: SegmentationOptions, sides: Any = None) -> Split:
    """Hold out `validation_split` of the pictures, whole groups at a time, but of each kind LEAST_HELD_OUT or half.

    The kind of a picture is its rarest class. If no kind has two pictures, kinds are not told apart.
    sides: see stratified_split.
    """
    rarest, wanted = rarest_class(present), Wanted(options.validation_split, LEAST_HELD_OUT)
    split = stratified_split(rarest, groups, wanted, options.seed, sides)
    if len(split.held_out):
        return split
    return stratified_split(np.zeros_like(rarest), groups, wanted, options.seed, sides)


def _report(
    folders: MaskFolders, copies: Copies, present: Any, split: Split, options: SegmentationOptions
) -> DataReport:
    """The report on the folder with what pixels tell."""
    names, report = folders.classes.names, folders.report()
    pictures = dict(zip(names[1:], present[:, 1:].sum(axis=0).tolist(), strict=True))
    if (given := folders.callers_split()) is not None:
        of_split = given_split_findings(copies, given, split)
    else:
        alone = own_split(present, np.arange(len(present)), options)
        of_split = grouping_findings(copies, alone)
    found = [
        *folders.findings,
        *unreadable_findings(folders.unreadable),
        *copies_findings(copies),
        *of_split,
        *pair_count_findings(len(folders.pairs)),
        *(class_findings(names, present, split) if folders.classes.listed else ()),
        *mirror_findings(names[1:], options.mirror),
    ]
    return msgspec.structs.replace(
        report,
        counts=pictures,
        split={"train": len(split.train), "held_out": len(split.held_out)},
        skipped=len(folders.skipped),
        findings=gravest_first(found),
    )


def _absent_classes(absent: Sequence[tuple[int, str]]) -> list[Finding]:
    """One finding on the listed classes that no mask holds. A list such as that of PASCAL VOC may have many."""
    if not absent:
        return []
    if len(absent) == 1:
        ((number, name),) = absent
        sentence = f"No mask holds class {number}, {name!r}: the model can't know it."
    else:
        named = some_of([f"{number} ({name})" for number, name in absent])
        sentence = f"No mask holds {len(absent)} of the listed classes: {named}. The model can't know them."
    return [finding("classes_not_scored", Severity.WARNING, sentence)]


def class_findings(names: Sequence[str], present: Any, split: Split) -> list[Finding]:
    """Which classes could not be learned or scored. The background is left out: masks without any are normal.

    present: bool (pairs, classes), whether the masks of a pair hold a class.
    """
    trained, scored = present[split.train].any(axis=0), present[split.held_out].any(axis=0)
    numbers = range(1, len(names))
    found = _absent_classes([(number, names[number]) for number in numbers if not present[:, number].any()])
    for number, name in enumerate(names[1:], start=1):
        if not present[:, number].any():
            continue
        if not trained[number]:
            sentence, cure = f"No picture to train on shows {name!r}: the model can't know it.", "Add pictures of it."
        elif not scored[number]:
            sentence, cure = f"No held-out picture shows {name!r}: its own score says nothing.", "Add pictures of it."
        else:
            continue
        found.append(finding("classes_not_scored", Severity.WARNING, sentence, cure))
    return found
