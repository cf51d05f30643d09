"""Copies of the measured folders, by hard links where the disk allows them, so that the source gets no models/."""

from __future__ import annotations

import hashlib
from pathlib import Path

from trainer_worker.classification.folders import scan_class_folders
from trainer_worker.pictures.user_files import UserFiles


def link_or_copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        target.hardlink_to(source)
    except OSError:
        target.write_bytes(source.read_bytes())


def copy_class_folders(source: Path, project: Path, per_class: int) -> None:
    """Copy class folders to project/images/. per_class: the most images to take of each class; 0 for all."""
    folders = scan_class_folders(UserFiles.at(source))
    taken = dict.fromkeys(range(len(folders.labels)), 0)
    for path, label in zip(folders.files, folders.classes.tolist(), strict=True):
        if per_class and taken[label] >= per_class:
            continue
        link_or_copy(path, project / "images" / folders.labels[label] / f"{taken[label]}_{path.name}")
        taken[label] += 1


def folder_hash(folder: Path) -> str:
    """A hash of the names and contents of all files of a folder."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.relative_to(folder).as_posix()} {content}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()[:16]
