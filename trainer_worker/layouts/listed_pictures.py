"""Finds the picture that a cell of a list means.

It may say `a.jpg`, `train/a.jpg`, `C:\\photos\\a.jpg`, or `a` without an extension.
"""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Sequence

from trainer_worker.layouts.layout import Part
from trainer_worker.layouts.part_names import part_of
from trainer_worker.layouts.picture_index import name_of
from trainer_worker.layouts.tree import comparable


class ListedPictures:
    """Looks pictures up by what lists call them. No path from a list is used: it only chooses among known pictures."""

    def __init__(self, paths: Sequence[str]) -> None:
        self._by_path = {comparable(path): path for path in paths}
        self._by_name: dict[str, list[str]] = defaultdict(list)
        self._by_stem: dict[str, list[str]] = defaultdict(list)
        for path in paths:
            name = comparable(name_of(path))
            self._by_name[name].append(path)
            self._by_stem[posixpath.splitext(name)[0]].append(path)

    def find(self, cell: str, list_path: str) -> list[str]:
        """The pictures that a cell may mean: one, none, or several of the same name."""
        said = comparable(cell.strip()).replace("\\", "/").lstrip("/").removeprefix("./")
        if not said:
            return []
        beside = posixpath.join(posixpath.dirname(list_path), said)
        for path in (beside, said):
            if path in self._by_path:
                return [self._by_path[path]]
        name = posixpath.basename(said)
        found = self._by_name.get(name) or self._by_stem.get(name) or []
        if len(found) > 1 and "/" in said:
            found = [path for path in found if comparable(path).endswith(f"/{said}")] or found
        part = part_of(posixpath.splitext(name_of(list_path))[0])
        if len(found) > 1 and part is not Part.ANY:
            found = [path for path in found if part in map(part_of, path.split("/")[:-1])] or found
        return found
