"""The names in a project's folder, walked once. Layouts are recognised from this value alone.

The same value is made of a folder on the disk and of the archives in it, so a layout inside a zip is recognised by the
same rules.
"""

from __future__ import annotations

import os
import unicodedata
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from protocol.bounds import is_task_id
from protocol.data_report import Finding, Severity, finding
from protocol.errors import TrainingError
from protocol.litter import is_litter_file, is_litter_folder
from protocol.project_layout import LATEST, MODELS
from trainer_worker.pictures.user_files import LEAVES_PROJECT, Entry, RefusedFileError, SkippedFile, UserFiles

MAX_ENTRIES = 1_000_000
MAX_DEPTH = 40
#: A list of labels or a file of annotations that is larger is not read.
MAX_SMALL_FILE_BYTES = 64 * 1024**2

_HOLDS_ITSELF = "it is a link to a folder that holds the link itself"
_LINKED_TWICE = "it is another link to a folder that a link leads to already"
_SPECIAL = "it is a pipe, a socket or a device"
_TOO_DEEP = f"it lies more than {MAX_DEPTH} folders deep"


@dataclass(frozen=True)
class Tree:
    """The files and folders of a project. All paths are relative to the project, with "/".

    files: the size of each file in bytes, by its path; sorted. Links within the project are followed: their files
    stand here under the link's name. Litter (see litter.py) and the worker's own output are left out.
    folders: all folders, also empty ones.
    read_small: reads a small file; None if it is missing. Raises RefusedFileError.
    findings: what the walk left out, and why. skipped: the same, file by file.
    linked: for each file that was reached through a link, the path of the real file.
    """

    files: dict[str, int]
    folders: tuple[str, ...]
    read_small: Callable[[str], bytes | None]
    findings: tuple[Finding, ...] = ()
    skipped: tuple[SkippedFile, ...] = ()
    linked: Mapping[str, str] = field(default_factory=dict)
    _children: dict[str, list[str]] = field(init=False, default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        for path in [*self.folders, *self.files]:
            self._children.setdefault(path.rpartition("/")[0], []).append(path)

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
        """Files in a folder and below it: those of a folder first, then those of its folders, in order."""
        waiting = [folder]
        while waiting:
            here = waiting.pop()
            yield from self.files_in(here)
            waiting += reversed(self.folders_in(here))


def comparable(name: str) -> str:
    """A name in the one form in which names are compared: macOS writes é as two characters, Windows as one."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def walk(files: UserFiles, tell: Callable[[], None] = lambda: None) -> Tree:
    """Look at every name in a project once, without opening a file.

    Each real folder is entered once under its own name, and once more through the first link that leads to it. tell:
    called for every folder; an exception from it ends the walk. Raises TrainingError layout_unsupported when there are
    more than MAX_ENTRIES names.
    """
    found = _Walk(files)
    found.enter("", "", ())
    while found.waiting or found.links:
        tell()
        if found.waiting:
            found.list_folder(*found.waiting.pop())
        else:
            found.follow_folder(*found.links.popleft())
    return found.tree()


class _Walk:
    """The state of one walk. Paths are relative to the project; "real" ones hold no links."""

    def __init__(self, files: UserFiles) -> None:
        self._user_files = files
        self._files: dict[str, int] = {}
        self._folders: list[str] = []
        self._linked: dict[str, str] = {}
        self._skipped: list[SkippedFile] = []
        self._litter: list[str] = []
        self._entered_by_link: set[str] = set()
        self._seen = 0
        #: (path, real path, real paths of the folders around it)
        self.waiting: list[tuple[str, str, tuple[str, ...]]] = []
        #: (path of the link, real path that it leads to, real paths of the folders around it)
        self.links: deque[tuple[str, str, tuple[str, ...]]] = deque()

    def enter(self, path: str, real: str, around: tuple[str, ...]) -> None:
        if len(around) > MAX_DEPTH:
            self._skipped.append(SkippedFile(path, _TOO_DEEP))
            return
        if path:
            self._folders.append(path)
        self.waiting.append((path, real, around))

    def list_folder(self, path: str, real: str, around: tuple[str, ...]) -> None:
        try:
            entries = self._user_files.entries(self._user_files.project_dir / path)
        except RefusedFileError as refused:
            self._skipped.append(SkippedFile(path or ".", refused.reason))
            return
        self._seen += len(entries)
        if self._seen > MAX_ENTRIES:
            raise TrainingError(
                "layout_unsupported",
                f"The project holds more than {MAX_ENTRIES:,} files and folders. Post a folder with fewer.",
            )
        inside = (*around, real)
        for entry in entries:
            if not _is_left_out(entry, real):
                self._add(entry, _join(path, entry.name), _join(real, entry.name), inside)
            elif entry.kind == "folder" and not entry.name.startswith(".") and not _is_ours(_join(real, entry.name)):
                self._litter.append(_join(path, entry.name))

    def _add(self, entry: Entry, path: str, real: str, around: tuple[str, ...]) -> None:
        if entry.kind == "folder":
            self.enter(path, real, around)
        elif entry.kind == "file":
            self._files[path] = entry.size_bytes
            if path != real:
                self._linked[path] = real
        elif entry.kind == "link":
            self._follow(path, around)
        else:
            self._skipped.append(SkippedFile(path, _SPECIAL))

    def _follow(self, path: str, around: tuple[str, ...]) -> None:
        root = os.fspath(self._user_files.project_dir)
        try:
            place = self._user_files.find(self._user_files.project_dir / path)
        except RefusedFileError as refused:
            self._skipped.append(SkippedFile(path, refused.reason))
            return
        target = place.real[len(root.rstrip("/")) + 1 :]
        if place.kind == "file":
            self._files[path] = place.size_bytes
            self._linked[path] = target
        elif place.kind == "other":
            self._skipped.append(SkippedFile(path, _SPECIAL))
        elif any(f"{folder}/".startswith(f"{target}/") or not target for folder in around):
            self._skipped.append(SkippedFile(path, _HOLDS_ITSELF))
        elif not _is_ours(target) and not any(is_litter_folder(part) for part in target.split("/")):
            self.links.append((path, target, around))

    def follow_folder(self, path: str, target: str, around: tuple[str, ...]) -> None:
        """Enter a folder through a link. All real folders were listed before, so the result depends on names alone."""
        if target in self._entered_by_link:
            self._skipped.append(SkippedFile(path, _LINKED_TWICE))
        else:
            self._entered_by_link.add(target)
            self.enter(path, target, around)

    def tree(self) -> Tree:
        user_files = self._user_files
        folders = sorted(self._folders)
        if not any(path.startswith(f"{MODELS}/") for path in (*self._files, *folders)):
            folders = [path for path in folders if path != MODELS]
        self._skipped.sort(key=lambda skip: skip.file)
        return Tree(
            dict(sorted(self._files.items())),
            tuple(folders),
            lambda path: user_files.read_small(user_files.project_dir / path, MAX_SMALL_FILE_BYTES),
            (
                *_skipped_findings(self._skipped),
                *_odd_names((*self._files, *folders)),
                *_litter_findings(sorted(self._litter)),
            ),
            tuple(self._skipped),
            self._linked,
        )


def _is_left_out(entry: Entry, folder: str) -> bool:
    """Litter, and what the worker itself has put into models/."""
    if _is_ours(_join(folder, entry.name)):
        return True
    # A link may lead to a folder or to a file, so it is judged as both.
    if entry.kind in ("folder", "link") and is_litter_folder(entry.name):
        return True
    return entry.kind != "folder" and is_litter_file(entry.name)


def _is_ours(path: str) -> bool:
    """Whether the worker itself has put it into models/. Other folders in there may be a class called models."""
    folder, _, rest = path.partition("/")
    name = rest.partition("/")[0]
    return folder == MODELS and (is_task_id(name) or name == LATEST or name.endswith(".partial"))


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _skipped_findings(skipped: Sequence[SkippedFile]) -> tuple[Finding, ...]:
    """One finding for each kind of thing that a walk does not use."""
    files: dict[str, list[str]] = defaultdict(list)
    for skip in skipped:
        files[_kind_of_skip(skip.reason)].append(skip.file)
    return tuple(
        finding(code, Severity.WARNING, sentence.format(number=len(files[code])), cure, files[code])
        for code, sentence, cure in _SKIPPED
        if files[code]
    )


def _litter_findings(folders: Sequence[str]) -> list[Finding]:
    if not folders:
        return []
    sentence = f"Folders that systems and programs make for their own use are left out: {len(folders)}."
    return [finding("litter", Severity.INFO, sentence, "", folders)]


def _odd_names(paths: Sequence[str]) -> list[Finding]:
    # Python decodes a byte that is not UTF-8 as a lone surrogate.
    odd = [path for path in paths if not path.isascii() and any("\ud800" <= sign <= "\udfff" for sign in path)]
    if not odd:
        return []
    sentence = f"Names that are not UTF-8 are used as they are, but shown with escapes: {len(odd)}."
    return [finding("names_not_utf8", Severity.INFO, sentence, "Rename them if they look wrong.", odd)]


def _kind_of_skip(reason: str) -> str:
    if reason == LEAVES_PROJECT:
        return "links_leave_project"
    if reason == _SPECIAL:
        return "special_files"
    if reason == _TOO_DEEP:
        return "too_deep"
    return "links_lead_nowhere" if "link" in reason else "unreadable_folders"


#: (code, sentence, cure)
_SKIPPED = (
    (
        "links_leave_project",
        "Links that lead out of the project are not followed: {number}.",
        "Put the files themselves into the project.",
    ),
    (
        "links_lead_nowhere",
        "Links that lead to a missing file, back to themselves or to a folder that is used already are not followed: "
        "{number}.",
        "Put the files themselves in their place, or delete the links.",
    ),
    (
        "special_files",
        "Pipes, sockets and devices are not read: {number}.",
        "Delete them, or put files in their place.",
    ),
    (
        "too_deep",
        f"Folders that lie more than {MAX_DEPTH} folders deep are not read: {{number}}.",
        "Move their pictures into fewer folders.",
    ),
    (
        "unreadable_folders",
        "Folders that the worker can't open are not read: {number}.",
        "Give the worker's user the right to read them. Shorten paths of more than 4,000 characters.",
    ),
)
