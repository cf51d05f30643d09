"""Finds the picture that a cell of a list means.

It may say `a.jpg`, `train/a.jpg`, `C:\\photos\\a.jpg`, or `a` without an extension.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from trainer_worker.layouts.layout import Part
from trainer_worker.layouts.part_names import part_of
from trainer_worker.layouts.picture_index import folder_of, name_of
from trainer_worker.layouts.tree import comparable

#: If more pictures have the same name, a list has to give their paths.
_MOST_COMPARED = 100


class ListedPictures:
    """Looks pictures up by what lists call them. No path from a list is used: it only chooses among known pictures."""

    def __init__(self, paths: Sequence[str]) -> None:
        self._by_path = {comparable(path): path for path in paths}
        self._by_name: dict[str, list[str]] = defaultdict(list)
        self._by_stem: dict[str, list[str]] = defaultdict(list)
        for path in paths:
            name = comparable(name_of(path))
            self._by_name[name].append(path)
            self._by_stem[name.rpartition(".")[0] or name].append(path)

    def find(self, cell: str, list_path: str) -> list[str]:
        """The pictures that a cell may mean: one, none, or several of the same name."""
        said = comparable(cell.strip()).replace("\\", "/").lstrip("/").removeprefix("./")
        if not said:
            return []
        folder = folder_of(list_path)
        for path in (f"{folder}/{said}" if folder else said, said):
            if path in self._by_path:
                return [self._by_path[path]]
        name = name_of(said)
        found = self._by_name.get(name) or self._by_stem.get(name) or []
        return found if len(found) < 2 else _fitting(found[:_MOST_COMPARED], said, list_path)


def _fitting(found: list[str], said: str, list_path: str) -> list[str]:
    """Choose among pictures of one name: by the path in the cell, then by the folder and the part of the list."""
    if "/" in said:
        found = [path for path in found if comparable(path).endswith(f"/{said}")] or found
    folder = folder_of(list_path)
    if folder and len(found) > 1:
        found = [path for path in found if path.startswith(f"{folder}/")] or found
    part = part_of(name_of(list_path).rpartition(".")[0])
    if part is not Part.ANY and len(found) > 1:
        found = [path for path in found if part in map(part_of, path.split("/")[:-1])] or found
    return found
