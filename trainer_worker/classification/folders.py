"""The pictures of a project with their classes: from the recognised layout to what a training needs."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from protocol.data_report import (
    DataReport,
    Finding,
    Severity,
    finding,
    gravest_first,
)
from protocol.errors import TrainingError
from protocol.litter import NO_PICTURES_BUT_LIKE_THEM, suffix_of
from trainer_worker.layouts.class_findings import taken_for_pictures
from trainer_worker.layouts.class_folders import recognise_classes
from trainer_worker.layouts.class_lists import CLASS_LIST
from trainer_worker.layouts.label_findings import LABEL_CODES, labels_of_folders, labels_of_list
from trainer_worker.layouts.layout import ClassLayout, LabelledFile, Part
from trainer_worker.layouts.name_lists import some_of
from trainer_worker.layouts.split_findings import SPLIT_CODES, lost_part_findings, split_findings
from trainer_worker.layouts.tree import Tree, walk
from trainer_worker.pictures.decoding_budget import DecodingBudget
from trainer_worker.pictures.grey_scale import with_grey_scale
from trainer_worker.pictures.headers import read_headers
from trainer_worker.pictures.images import PictureReader, UnreadableImageError
from trainer_worker.pictures.user_files import SkippedFile, UserFiles

MIN_IMAGES_PER_CLASS = 2
MIN_CLASSES = 2
#: How long a folder with too few pictures is looked at, to say which of them can't be read.
HEADERS_LIMIT_S = 5.0
#: The number of each part in ClassFolders.parts.
PART_NUMBERS = {Part.ANY: 0, Part.TRAIN: 1, Part.VAL: 2, Part.TEST: 3}
_PARTS = {number: part for part, number in PART_NUMBERS.items()}
TRAINING_PARTS = (PART_NUMBERS[Part.ANY], PART_NUMBERS[Part.TRAIN])


@dataclass(frozen=True)
class ClassFolders:
    """The pictures of a project. labels[classes[i]] is what files[i] shows; classes is int64 (n,).

    parts: int8 (n,), the part of the caller's own split that each belongs to, see PART_NUMBERS. reader: reads them.
    layout: the layout's name and rule. findings: what its owner should know of the folder. skipped: what can't be a
    picture, such as links that lead out of the project, and what a person has left out. looked_at: names of pictures
    (see name_of) whose label a person has given or confirmed.
    """

    labels: tuple[str, ...]
    files: tuple[Path, ...]
    classes: np.ndarray
    parts: np.ndarray
    reader: PictureReader
    layout: tuple[str, str] = ("", "")
    findings: tuple[Finding, ...] = ()
    skipped: tuple[SkippedFile, ...] = ()
    looked_at: frozenset[str] = frozenset()

    def only(self, rows: np.ndarray) -> ClassFolders:
        """These files alone, with all labels. rows: int64 (k,)."""
        files = tuple(self.files[row] for row in rows)
        return replace(self, files=files, classes=self.classes[rows], parts=self.parts[rows])

    def in_one_grey_scale(self, threads: int, on_step: Callable[[], None]) -> ClassFolders:
        """These pictures, read with one scale for all grey values of more than 8 bits (see grey_scale.py)."""
        return replace(self, reader=with_grey_scale(self.reader, self.files, threads, on_step))

    def callers_split(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Rows that train and rows that score, as the caller's own split has them; None where there is none."""
        scoring = next((part for part in (Part.TEST, Part.VAL) if (self.parts == PART_NUMBERS[part]).any()), None)
        if scoring is None:
            return None
        return np.flatnonzero(np.isin(self.parts, TRAINING_PARTS)), np.flatnonzero(self.parts == PART_NUMBERS[scoring])

    def name_of(self, row: int) -> str:
        """The path of a picture relative to the project, for messages and reports."""
        return self.reader.files.name_of(self.files[row])

    def counts(self) -> dict[str, int]:
        numbers = np.bincount(self.classes, minlength=len(self.labels))
        return dict(zip(self.labels, numbers.tolist(), strict=True))

    def trained_and_scored(self) -> tuple[dict[str, int], dict[str, int]]:
        """The pictures of each class that train, and those that score in the caller's own split.

        Without such a split the first are all pictures, and the second {}.
        """
        given = self.callers_split()
        if given is None:
            return self.counts(), {}
        train, score = (self.only(rows).counts() for rows in given)
        return train, score

    def report(self) -> DataReport:
        """What the names of files say about the folder. split: pictures of the caller's own split, if there is one."""
        name, rule = self.layout
        counts = self.counts()
        numbers = {part: int((self.parts == number).sum()) for part, number in PART_NUMBERS.items()}
        split = {part.value: number for part, number in numbers.items() if part is not Part.ANY and number}
        found = gravest_first(self.findings)
        return DataReport(name, rule, len(self.files), counts, split, len(self.skipped), found)


def scan_class_folders(files: UserFiles, decoding: DecodingBudget | None = None) -> ClassFolders:
    """Recognise the layout of a project and list its candidate pictures.

    Pictures are opened only if there are too few of them, so that the refusal can say which ones can't be read.
    Labels come in the order of labels_info.txt, else sorted by name; files are sorted within a class.
    decoding: the memory for reading them later. Raises what recognise_classes and keep_trainable raise.
    """
    tree = walk(files)
    layout = recognise_classes(tree)
    folders = class_folders(layout, tree, PictureReader(files, decoding or DecodingBudget()))
    try:
        keep_trainable(folders, {})  # nothing needs to be read to know that there is too little
    except TrainingError:
        keep_trainable(folders, _unreadable(folders))
        raise
    return folders


def _unreadable(folders: ClassFolders) -> dict[int, UnreadableImageError]:
    """The pictures whose headers can't be read, by their index; of a large folder those that were found in time."""
    names = {folders.name_of(row): row for row in range(len(folders.files))}
    headers = read_headers(folders.reader, [[name] for name in names], time.monotonic() + HEADERS_LIMIT_S)
    return {names[name]: error for name, error in headers.unreadable.items()}


def class_folders(layout: ClassLayout, tree: Tree, reader: PictureReader) -> ClassFolders:
    """The candidate pictures of a recognised layout. tree: what it was recognised from."""
    position = {label: number for number, label in enumerate(layout.labels)}
    pictures = layout.pictures
    no_pictures = taken_for_pictures(tree.files, [picture.path for picture in pictures])
    named = (SkippedFile(path, NO_PICTURES_BUT_LIKE_THEM[suffix_of(path)]) for path in no_pictures)
    return ClassFolders(
        layout.labels,
        tuple(reader.files.project_dir / picture.path for picture in pictures),
        np.array([position[picture.label] for picture in pictures], np.int64),
        np.array([PART_NUMBERS[picture.part] for picture in pictures], np.int8),
        reader,
        (layout.name, layout.rule),
        layout.findings,
        skipped=(*tree.skipped, *(SkippedFile(file.path, file.reason) for file in layout.unused), *named),
        looked_at=layout.looked_at,
    )


def keep_trainable(folders: ClassFolders, unreadable: Mapping[int, UnreadableImageError]) -> ClassFolders:
    """Leave out unreadable files (by index into files), then classes with fewer than two pictures or none to train on.

    Each class that is left out is a finding. Raises TrainingError no_images or too_few_classes, naming the
    classes with their counts and the first unreadable files with reasons.
    """
    readable = np.array([index not in unreadable for index in range(len(folders.files))], dtype=bool)
    numbers = np.bincount(folders.classes[readable], minlength=len(folders.labels))
    may_train = readable & np.isin(folders.parts, TRAINING_PARTS)
    trains = np.bincount(folders.classes[may_train], minlength=len(folders.labels))
    kept = [index for index, number in enumerate(numbers) if number >= MIN_IMAGES_PER_CLASS and trains[index]]
    if len(kept) < MIN_CLASSES:
        code = "too_few_classes" if numbers.any() else "no_images"
        raise TrainingError(code, _too_few(folders, numbers, list(unreadable.values())))
    new_index = {old: new for new, old in enumerate(kept)}
    rows = [row for row in np.flatnonzero(readable) if folders.classes[row] in new_index]
    dropped = [
        _left_out(label, int(number), bool(trains[index]))
        for index, (label, number) in enumerate(zip(folders.labels, numbers, strict=True))
        if index not in new_index
    ]
    trainable = replace(
        folders,
        labels=tuple(folders.labels[index] for index in kept),
        files=tuple(folders.files[row] for row in rows),
        classes=np.array([new_index[folders.classes[row]] for row in rows], dtype=np.int64),
        parts=folders.parts[rows],
    )
    said = [found for found in folders.findings if found.code not in SPLIT_CODES | LABEL_CODES]
    lost = lost_part_findings(*map(_parts_in, (folders.parts, folders.parts[readable], trainable.parts)))
    return replace(trainable, findings=(*said, *dropped, *lost, *_about_the_rest(trainable)))


def _parts_in(numbers: np.ndarray) -> set[Part]:
    return {_PARTS[number] for number in np.unique(numbers).tolist()}


def _about_the_rest(kept: ClassFolders) -> list[Finding]:
    """What is true of the caller's own split and of the labels once pictures and classes are left out."""
    parts = [_PARTS[number] for number in kept.parts.tolist()]
    labels = [kept.labels[number] for number in kept.classes.tolist()]
    found = split_findings(list(zip(labels, parts, strict=True)), kept.labels)
    if kept.layout[0] != CLASS_LIST:
        return [*found, *labels_of_folders(kept.labels)]
    return [*found, *labels_of_list([LabelledFile(kept.name_of(row), label) for row, label in enumerate(labels)])]


def _left_out(label: str, number: int, trains: bool) -> Finding:
    sentence = (
        f"Class {label!r} was left out: {number} readable image{'' if number == 1 else 's'}, "
        f"{MIN_IMAGES_PER_CLASS} are needed{'' if trains else ', one of them to train on'}. The indexes of the classes "
        "after it moved down."
    )
    return finding("class_left_out", Severity.WARNING, sentence, "Add images of it.")


def _too_few(folders: ClassFolders, numbers: np.ndarray, unreadable: Sequence[UnreadableImageError]) -> str:
    """The counted pictures are not called readable, because perhaps only their names or headers were looked at."""
    counts = ", ".join(f"{label}: {number}" for label, number in zip(folders.labels, numbers, strict=True))
    text = (
        f"Classification needs at least {MIN_CLASSES} classes with {MIN_IMAGES_PER_CLASS} readable images each; "
        f"here are {counts}"
    )
    text += ", without those that can't be read." if unreadable else "."
    skipped = [f"{skip.file}: {skip.reason}" for skip in folders.skipped]
    if unreadable:
        named = [f"{folders.reader.files.name_of(error.path)}: {error.reason}" for error in unreadable]
        text += f" Not readable: {some_of(named, '; ')}."
    if skipped:
        text += f" Not used: {some_of(skipped, '; ')}."
    return f"{text} {'Replace these files, or add' if unreadable or skipped else 'Add'} images."
