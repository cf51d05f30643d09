"""The names in a project's folder, walked once. Layouts are recognised from this value alone.

The same value is made of a folder on the disk and of the archives in it, so a layout inside a zip is recognised by the
same rules.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from protocol.data_report import Finding


@dataclass(frozen=True)
class Tree:
    """files: path relative to the project, with "/", to the size in bytes; sorted. Links that stay in the project are
    followed and stand here under their own names. Litter (see litter.py) and our own output are left out.

    folders: all folders, also empty ones. read_small: the content of a small file; None if it is missing. Raises
    RefusedFileError. findings: what the walk left out, and why.
    """

    files: dict[str, int]
    folders: tuple[str, ...]
    read_small: Callable[[str], bytes | None]
    findings: tuple[Finding, ...] = ()
    _children: dict[str, list[str]] = field(init=False, default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        for path in [*self.folders, *self.files]:
            self._children.setdefault(posixpath.dirname(path), []).append(path)

    def children(self, folder: str) -> list[str]:
        """Paths of files and folders directly in a folder; "" is the project itself."""
        return self._children.get(folder, [])

    def files_in(self, folder: str) -> list[str]:
        """Files directly in a folder."""
        return [path for path in self.children(folder) if path in self.files]

    def folders_in(self, folder: str) -> list[str]:
        """Folders directly in a folder."""
        return [path for path in self.children(folder) if path not in self.files]

    def files_below(self, folder: str) -> Iterator[str]:
        """Files in a folder and below it, in order."""
        yield from self.files_in(folder)
        for below in self.folders_in(folder):
            yield from self.files_below(below)
