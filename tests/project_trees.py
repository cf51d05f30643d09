"""Trees of names for tests of layouts: no folder on the disk is needed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from trainer_worker.layouts.layout import ClassLayout
from trainer_worker.layouts.tree import Tree


def pictures(folder: str, count: int = 3, name: str = "{}.jpg") -> list[str]:
    """Paths of pictures in a folder."""
    return [f"{folder}/{name.format(number)}" if folder else name.format(number) for number in range(count)]


def tree_of(
    *paths: Iterable[str],
    texts: Mapping[str, str] | None = None,
    folders: Iterable[str] = (),
    linked: Mapping[str, str] | None = None,
) -> Tree:
    """texts: small files with their contents. folders: empty ones. linked: see Tree."""
    contents = {path: text.encode() for path, text in (texts or {}).items()}
    files = {path: 1 for group in paths for path in group} | {path: len(text) for path, text in contents.items()}
    all_folders = set(folders)
    for path in [*files, *folders]:
        steps = path.split("/")
        all_folders.update("/".join(steps[:number]) for number in range(1, len(steps)))
    return Tree(dict(sorted(files.items())), tuple(sorted(all_folders)), contents.get, linked=linked or {})


def counts(layout: ClassLayout) -> dict[str, int]:
    """Pictures of each class."""
    return {label: sum(picture.label == label for picture in layout.pictures) for label in layout.labels}


def split(layout: ClassLayout) -> dict[str, int]:
    """Pictures of each part of the caller's own split."""
    return {part: sum(picture.part == part for picture in layout.pictures) for part in ("train", "val", "test")}


def codes(layout: ClassLayout) -> set[str]:
    """Of the findings."""
    return {finding.code for finding in layout.findings}
