"""Reads the class folders of a project: which files belong to which class.

projectDir/images/<class>/...    or    projectDir/<class>/...
projectDir/labels_info.txt       optional: a header line, then `name,index` lines; fixes the label order
"""

from __future__ import annotations

import csv
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from protocol.errors import TrainingError
from trainer_worker.pictures.decoding_budget import DecodingBudget
from trainer_worker.pictures.images import PictureReader, UnreadableImageError
from trainer_worker.pictures.listing import find_images, is_litter
from trainer_worker.pictures.text_files import LABELS_FILE, MAX_TEXT_FILE_BYTES
from trainer_worker.pictures.user_files import Entry, RefusedFileError, SkippedFile, UserFiles

MIN_IMAGES_PER_CLASS = 2
MIN_CLASSES = 2
MOST_INDEX_DIGITS = 6
#: How many unreadable files or folders an error names; the result lists them all.
_NAMED_IN_ERRORS = 10
#: Folders of projectDir that are never a class when the class folders lie in projectDir itself.
_NOT_CLASSES = frozenset({"models", "images", "__macosx"})


@dataclass(frozen=True)
class ClassFolders:
    """The pictures of a project. labels[classes[i]] is what files[i] shows; classes is int64 (n,).

    reader: reads them. skipped: what can't be a picture, such as links that lead out of the project.
    """

    labels: tuple[str, ...]
    files: tuple[Path, ...]
    classes: np.ndarray
    reader: PictureReader
    warnings: tuple[str, ...] = ()
    skipped: tuple[SkippedFile, ...] = ()

    def only(self, rows: np.ndarray) -> ClassFolders:
        """The same labels with these files only."""
        return replace(self, files=tuple(self.files[row] for row in rows), classes=self.classes[rows])

    def name_of(self, path: Path) -> str:
        """Relative to the project's folder."""
        return self.reader.files.name_of(path)

    def counts(self) -> dict[str, int]:
        numbers = np.bincount(self.classes, minlength=len(self.labels))
        return dict(zip(self.labels, numbers.tolist(), strict=True))


def scan_class_folders(files: UserFiles, decoding: DecodingBudget | None = None) -> ClassFolders:
    """Find the class folders and their candidate pictures, without opening any.

    Labels come in the order of labels_info.txt, else sorted by name; files are sorted within a class.
    decoding: the memory for reading them later. Raises TrainingError no_images, bad_labels_info.
    """
    folders, skipped = _class_folders(files)
    labels = _label_order(files, folders)
    pictures: list[Path] = []
    classes: list[int] = []
    for index, label in enumerate(labels):
        found = folders[label]
        pictures += found
        classes += [index] * len(found)
    reader = PictureReader(files, decoding or DecodingBudget())
    return ClassFolders(tuple(labels), tuple(pictures), np.array(classes, np.int64), reader, skipped=tuple(skipped))


def keep_trainable(folders: ClassFolders, unreadable: Mapping[int, UnreadableImageError]) -> ClassFolders:
    """Leave out unreadable files (by index into files), then classes with fewer than two pictures.

    Each class left out is named in the warnings. Raises TrainingError no_images or too_few_classes, naming the
    classes with their counts and the first unreadable files with reasons.
    """
    readable = np.array([index not in unreadable for index in range(len(folders.files))], dtype=bool)
    numbers = np.bincount(folders.classes[readable], minlength=len(folders.labels))
    kept = [index for index, number in enumerate(numbers) if number >= MIN_IMAGES_PER_CLASS]
    if len(kept) < MIN_CLASSES:
        code = "too_few_classes" if numbers.any() else "no_images"
        raise TrainingError(code, _too_few(folders, numbers, unreadable.values()))
    new_index = {old: new for new, old in enumerate(kept)}
    rows = [row for row in np.flatnonzero(readable) if folders.classes[row] in new_index]
    dropped = [
        f"Class {label!r} was left out: {number} readable image{'' if number == 1 else 's'}, "
        f"{MIN_IMAGES_PER_CLASS} are needed; the indexes of the classes after it moved down."
        for label, number in zip(folders.labels, numbers, strict=True)
        if number < MIN_IMAGES_PER_CLASS
    ]
    return replace(
        folders,
        labels=tuple(folders.labels[index] for index in kept),
        files=tuple(folders.files[row] for row in rows),
        classes=np.array([new_index[folders.classes[row]] for row in rows], dtype=np.int64),
        warnings=(*folders.warnings, *dropped),
    )


def _class_folders(files: UserFiles) -> tuple[dict[str, list[Path]], list[SkippedFile]]:
    """Candidate pictures by class name. A folder without any is a class (to warn of) only inside images/."""
    images = files.project_dir / "images"
    inside, skipped = _pictures_by_folder(files, images) if files.has_folder(images) else ({}, [])
    if any(inside.values()):
        return inside, skipped
    around, others_skipped = _pictures_by_folder(files, files.project_dir)
    around = {name: found for name, found in around.items() if found and name.lower() not in _NOT_CLASSES}
    if around:
        return around, others_skipped
    loose = sum(len(find_images(files, folder).pictures) for folder in (images, files.project_dir))
    found = f"{loose} images lie there but not in class folders" if loose else "there are no images there"
    named = [f"{skip.file}: {skip.reason}" for skip in skipped or others_skipped]
    raise TrainingError(
        "no_images",
        f"No class folders with images in {images} or {files.project_dir}: {found}. "
        "Make one folder for each class, named after it, and put its images inside."
        + (f" Skipped: {_some(named, '; ')}." if named else ""),
    )


def _pictures_by_folder(files: UserFiles, root: Path) -> tuple[dict[str, list[Path]], list[SkippedFile]]:
    pictures: dict[str, list[Path]] = {}
    skipped: list[SkippedFile] = []
    try:
        entries = files.entries(root)
    except RefusedFileError as refused:
        return {}, [SkippedFile(files.name_of(root), refused.reason)]
    for entry in entries:
        path = root / entry.name
        if entry.name.startswith(".") or entry.name.lower() == "__macosx" or entry.kind == "file":
            continue
        if entry.kind != "folder" and (reason := _why_no_class(files, path, entry)):
            skipped += [] if is_litter(entry.name) else [SkippedFile(files.name_of(path), reason)]
        elif entry.kind == "folder" or files.has_folder(path):
            found = find_images(files, path, recursive=True)
            pictures[unicodedata.normalize("NFC", entry.name)] = found.pictures
            skipped += found.skipped
    return pictures, skipped


def _why_no_class(files: UserFiles, path: Path, entry: Entry) -> str:
    """In words, of what is neither a folder nor a file; "" for a link to either."""
    if entry.kind == "other":
        return "it is a pipe, a socket or a device"
    try:
        place, parent = files.find(path), files.find(path.parent)
    except RefusedFileError as refused:
        return refused.reason
    holds_itself = place.kind == "folder" and f"{parent.real}/".startswith(f"{place.real}/")
    return "it is a link to a folder that holds the link itself" if holds_itself else ""


def _label_order(files: UserFiles, folders: Mapping[str, list[Path]]) -> list[str]:
    try:
        content = files.read_small(files.project_dir / LABELS_FILE, MAX_TEXT_FILE_BYTES)
    except RefusedFileError as refused:
        raise _bad_labels(f"is not used: {refused.reason}") from refused
    if content is None:
        return sorted(folders)
    labels = _read_labels_info(content)
    missing = [label for label in labels if label not in folders]
    if missing:
        raise _bad_labels(f"lists {_some(missing)}, but there is no such class folder with images")
    unlisted = [name for name, found in folders.items() if found and name not in labels]
    if unlisted:
        raise _bad_labels(f"does not list the class folder(s) {_some(unlisted)}")
    return labels


def _read_labels_info(content: bytes) -> list[str]:
    try:
        rows = list(csv.reader(content.decode("utf-8-sig").splitlines(), skipinitialspace=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise _bad_labels(f"can't be read as UTF-8 text with commas ({error})") from error
    by_index: dict[int, str] = {}
    # The first line is a header; a file that begins with a label all the same is understood too.
    start = 0 if rows and rows[0] and _is_index(rows[0][-1]) else 1
    for number, row in enumerate(rows[start:], start=start + 1):
        if not any(cell.strip() for cell in row):
            continue
        name, index = unicodedata.normalize("NFC", ",".join(row[:-1]).strip()), row[-1].strip()
        if not name or not _is_index(index):
            raise _bad_labels(f"has {','.join(row)[:80]!r} in line {number}; expected is name,index, e.g. daisy,0")
        if int(index) in by_index:
            raise _bad_labels(f"gives index {int(index)} to both {by_index[int(index)]!r} and {name!r}")
        if name in by_index.values():
            raise _bad_labels(f"lists {name!r} twice")
        by_index[int(index)] = name
    if not by_index:
        raise _bad_labels("lists no labels; after a header line it takes one name,index line for each class folder")
    if sorted(by_index) != list(range(len(by_index))):
        gaps = [str(index) for index in range(len(by_index)) if index not in by_index]
        raise _bad_labels(f"must number its {len(by_index)} labels from 0 without gaps; missing: {_some(gaps)}")
    return [by_index[index] for index in range(len(by_index))]


def _is_index(text: str) -> bool:
    return text.strip().isascii() and text.strip().isdigit() and len(text.strip()) <= MOST_INDEX_DIGITS


def _bad_labels(problem: str) -> TrainingError:
    return TrainingError("bad_labels_info", f"{LABELS_FILE} {problem}. Correct the file, or delete it to sort by name.")


def _too_few(folders: ClassFolders, numbers: np.ndarray, unreadable: Iterable[UnreadableImageError]) -> str:
    counts = ", ".join(f"{label}: {number}" for label, number in zip(folders.labels, numbers, strict=True))
    text = (
        f"Classification needs at least {MIN_CLASSES} class folders with {MIN_IMAGES_PER_CLASS} readable images each; "
        f"readable here are {counts}."
    )
    left_out = [*map(str, unreadable), *(f"{skip.file}: {skip.reason}" for skip in folders.skipped)]
    if not left_out:
        return f"{text} Add images."
    return f"{text} Not read: {_some(left_out, '; ')}. Replace these files, or add images."


def _some(names: list[str], separator: str = ", ") -> str:
    more = len(names) - _NAMED_IN_ERRORS
    return separator.join(names[:_NAMED_IN_ERRORS]) + (f"{separator}and {more} more" if more > 0 else "")
