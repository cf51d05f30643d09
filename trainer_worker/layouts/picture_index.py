"""Which files of a tree may be pictures, and how many each folder holds."""

from __future__ import annotations

from collections import Counter, defaultdict

from protocol.litter import may_be_picture
from trainer_worker.layouts.tree import Tree


def name_of(path: str) -> str:
    """The last step of a path."""
    return path[path.rfind("/") + 1 :]


def folder_of(path: str) -> str:
    """The folder in which a file or folder lies; "" for the project itself."""
    return path.rpartition("/")[0]


class PictureIndex:
    """paths: all candidate pictures of a tree, sorted. below: how many each folder holds, with those of its folders.

    links_to: the links that lead to a file, by its own path.
    """

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.paths = [path for path in tree.files if may_be_picture(name_of(path))]
        self.below: Counter[str] = Counter()
        self.links_to: dict[str, list[str]] = defaultdict(list)
        for link, real in tree.linked.items():
            self.links_to[real].append(link)
        self._direct: dict[str, list[str]] = defaultdict(list)
        for path in self.paths:
            self._direct[folder_of(path)].append(path)
        for folder, pictures in self._direct.items():
            here = folder
            while here:
                self.below[here] += len(pictures)
                here = folder_of(here)
            self.below[""] += len(pictures)

    def loose(self, folder: str) -> list[str]:
        """Pictures directly in a folder."""
        return self._direct.get(folder, [])

    def folders(self, folder: str) -> list[str]:
        """Folders directly in a folder that hold pictures, at whatever depth."""
        return [path for path in self.tree.folders_in(folder) if self.below[path]]

    def all_below(self, folder: str) -> list[str]:
        """Pictures in a folder and below it, sorted."""
        pictures: list[str] = []
        waiting = [folder]
        while waiting:
            here = waiting.pop()
            pictures += self.loose(here)
            waiting += self.folders(here)
        return sorted(pictures)
