"""Projects that hold zips in place of pictures: one of everything, or one for each class or part.

Each zip counts as a folder of its name. A check reads the lists of entries only; a training unpacks them.
"""

from __future__ import annotations

import contextlib
import os
import posixpath
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from protocol.data_report import Severity, finding
from protocol.litter import ARCHIVE_SUFFIXES, LABEL_SUFFIXES, may_be_picture, suffix_of
from protocol.text import printable
from trainer_worker.layouts.row import LayoutRow
from trainer_worker.layouts.tree import MAX_SMALL_FILE_BYTES, Tree, comparable
from trainer_worker.layouts.zip_listing import (
    DAMAGE,
    MAX_UNPACKED_BYTES,
    ZipEntry,
    ZipListing,
    list_zip,
    opened_zip,
    refused_archive,
)
from trainer_worker.pictures.user_files import RefusedFileError, SkippedFile, UserFiles

_CHUNK_BYTES = 1024**2

ROWS = (
    LayoutRow(
        "archives",
        "all",
        "no pictures, but `.zip` files: one of everything, or one for each class or part",
        "each zip counts as a folder of its name, and what is in it as one of the layouts here. The task fails with "
        "`layout_unsupported` for zips with a password, with archives inside or with names that lead out of them, and "
        "for `.rar`, `.7z` and `.tar.gz` beside zips",
    ),
)


def archives_of(tree: Tree) -> list[str]:
    """The zips of a project that stand in place of pictures; [] where there are pictures, or no zips.

    Raises TrainingError layout_unsupported when other archives lie beside them.
    """
    archives = [path for path in tree.files if suffix_of(path) in ARCHIVE_SUFFIXES]
    zips = [path for path in archives if suffix_of(path) == ".zip"]
    # A file in projectDir without an extension (VERSION, CITATION) is hardly a picture.
    pictures = (path for path in tree.files if "/" in path or suffix_of(path))
    if not zips or any(may_be_picture(posixpath.basename(path)) for path in pictures):
        return []
    if len(archives) > len(zips):
        other = next(path for path in archives if path not in zips)
        raise refused_archive(other, "is an archive of a kind that is not unpacked. Make it a .zip")
    return zips


def look_into_archives(files: UserFiles, tree: Tree) -> Tree:
    """The tree that unpacking gives, from the lists of entries alone; the same tree where nothing is to be unpacked."""
    zips = archives_of(tree)
    if not zips:
        return tree
    listings = _listings(files, zips)
    inside = {
        f"{_folder_of(path)}/{entry.path}": (path, entry) for path, found in listings.items() for entry in found.entries
    }
    sizes = {path: size for path, size in tree.files.items() if path not in listings}
    sizes |= {path: entry.size_bytes for path, (_, entry) in inside.items()}
    folders = {*tree.folders}
    for path in inside:
        while (path := posixpath.dirname(path)) and path not in folders:
            folders.add(path)

    def read_small(path: str) -> bytes | None:
        if path not in inside:
            return tree.read_small(path)
        archive, entry = inside[path]
        return _read_small(files, archive, entry)

    skipped = [
        SkippedFile(f"{_folder_of(path)}/{skip.file}", skip.reason)
        for path, found in listings.items()
        for skip in found.skipped
    ]
    findings = list(tree.findings)
    if skipped:
        sentence = f"Links and devices in archives are not unpacked: {len(skipped)}."
        cure = "Put the files themselves into the archive."
        findings.append(finding("links_in_archives", Severity.WARNING, sentence, cure, [skip.file for skip in skipped]))
    return Tree(
        dict(sorted(sizes.items())),
        tuple(sorted(folders)),
        read_small,
        tuple(findings),
        (*tree.skipped, *skipped),
        tree.linked,
    )


def unpack(files: UserFiles, tree: Tree, into: Path, tell: Callable[[], None] = lambda: None) -> None:
    """Write what the project's zips hold, and its lists of labels, into an empty folder that only the worker can reach.

    tell: called for every file and megabyte; an exception from it ends the work. A file that is damaged in its archive
    is written empty, so that it is reported like any unreadable picture. Raises TrainingError layout_unsupported, and
    OSError when the disk is full.
    """
    listings = _listings(files, archives_of(tree))
    for path in tree.files:
        if path not in listings and suffix_of(path) in LABEL_SUFFIXES:
            with contextlib.suppress(RefusedFileError):
                if (content := tree.read_small(path)) is not None:
                    tell()
                    with _created(into / path) as file:
                        _write_all(file, content)
    for path, listing in listings.items():
        with opened_zip(files, path) as archive:
            for entry in listing.entries:
                _unpack_entry(archive, entry, into / _folder_of(path) / entry.path, tell)


def _unpack_entry(archive: zipfile.ZipFile, entry: ZipEntry, target: Path, tell: Callable[[], None]) -> None:
    with _created(target) as file:
        try:
            for chunk in _chunks(archive, entry):
                tell()
                _write_all(file, chunk)
        except _DamagedEntryError:
            os.ftruncate(file, 0)


class _DamagedEntryError(Exception):
    """An entry can't be read as the archive lists it."""


def _chunks(archive: zipfile.ZipFile, entry: ZipEntry) -> Iterator[bytes]:
    """The content of an entry, part by part. Raises _DamagedEntryError for whatever damage makes zipfile raise."""
    left_bytes = entry.size_bytes
    source = None
    try:
        while True:
            try:
                source = source or archive.open(entry.info)
                chunk = source.read(min(_CHUNK_BYTES, left_bytes + 1))
            # OSError is a seek to before the beginning; RuntimeError an entry that is encrypted after all.
            except (*DAMAGE, zlib.error, RuntimeError) as error:
                raise _DamagedEntryError(str(error)) from error
            left_bytes -= len(chunk)
            if left_bytes < 0:
                raise _DamagedEntryError("it is longer than the archive says")
            if not chunk:
                return
            yield chunk
    finally:
        if source is not None:
            source.close()


def _listings(files: UserFiles, zips: list[str]) -> dict[str, ZipListing]:
    """By path of the archive. Refuses two archives of one name, and more bytes than may be unpacked together."""
    names: dict[str, str] = {}
    for path in zips:
        other = names.setdefault(comparable(_folder_of(path)).casefold(), path)
        if other != path:
            raise refused_archive(path, f"and {other} would be unpacked to the same folder. Rename one of them")
    listings = {path: list_zip(files, path) for path in zips}
    total_bytes = sum(entry.size_bytes for listing in listings.values() for entry in listing.entries)
    if total_bytes > MAX_UNPACKED_BYTES:
        most = f"{MAX_UNPACKED_BYTES // 1024**3} GB"
        raise refused_archive(zips[0], f"and the other archives unpack to more than {most}. Post fewer pictures")
    return listings


def _folder_of(path: str) -> str:
    """The folder that a zip stands for: its path without the extension."""
    return posixpath.splitext(path)[0]


def _read_small(files: UserFiles, path: str, entry: ZipEntry) -> bytes:
    if entry.size_bytes > MAX_SMALL_FILE_BYTES:
        raise RefusedFileError(f"it is larger than {MAX_SMALL_FILE_BYTES // 1024**2} MB, and so it is not read")
    try:
        with opened_zip(files, path) as archive:
            return b"".join(_chunks(archive, entry))
    except _DamagedEntryError as error:
        raise RefusedFileError(f"it is damaged in its archive {printable(path)}") from error


@contextlib.contextmanager
def _created(path: Path) -> Iterator[int]:
    """A new file, open for writing by its descriptor. Never one that is there already, and never through a link."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        yield number
    finally:
        os.close(number)


def _write_all(file: int, content: bytes) -> None:
    while content:
        content = content[os.write(file, content) :]
